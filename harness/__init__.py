"""What runs: units of work, sweeps, stores, correlations and the command line. Importing this loads no torch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diswot.harness.runs.results import Results, load

__all__ = ["Results", "load"]


def __getattr__(name: str) -> Any:
    # Every worker imports this package; it must not wait there for pandas and scipy.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("diswot.harness.runs.results"), name)
