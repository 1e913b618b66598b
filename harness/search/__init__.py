"""Searches driven by a proxy: which cell one would pick without training any, and what that costs and is worth."""
