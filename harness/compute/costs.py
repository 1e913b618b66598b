"""What proxies cost, as ``costs.csv`` has it beside a run."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from diswot.harness import files

#: The file's columns that something is made of.
_COLUMNS = ["seconds", "units"]


def path_of(run: Path) -> Path:
    """Return where a run keeps its costs."""
    return run / "costs.csv"


def read(run: Path) -> pd.DataFrame | None:
    """Return a run's costs: seconds and units by proxy, computed alone; None where it has none.

    Raises:
        InputError: if the file cannot be read as costs.
    """
    path = path_of(run)
    if not path.is_file():
        return None
    with files.reading(path, "run", "; `diswot bench --out` makes it"):
        found = pd.read_csv(path, engine="python").set_index("name")[_COLUMNS].astype(float)
    return found[~found.index.duplicated()]
