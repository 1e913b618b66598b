"""What runs: units of work, sweeps, stores, correlations and the command line. Importing this loads no torch."""

from __future__ import annotations

from harness.results import Results, load

__all__ = ["Results", "load"]
