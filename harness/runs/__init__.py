"""Runs on disk: their folders, settings, stores, precomputed scores, and what is read back from them."""
