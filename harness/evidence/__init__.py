"""What stored scores are worth as predictors: measures, subsets of cells, uncertainty, ensembles, one tidy table."""
