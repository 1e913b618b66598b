"""Scores that are shipped: whole sweeps, each a Parquet file with a card. Reading them loads no torch."""
