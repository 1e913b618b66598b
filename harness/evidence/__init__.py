"""What stored scores are worth as predictors: metrics, subsets of cells, uncertainty, ensembles, one tidy table."""
