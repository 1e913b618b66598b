"""What proxies cost, as ``costs.csv`` has it beside a run, and as precomputed scores bring it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from diswot.harness import earlier, files
from diswot.harness.runs.precomputed import catalogue
from diswot.harness.runs.provenance import Info

#: The file's columns that something is made of.
_COLUMNS = ["seconds", "relative_cost"]

#: What they were measured on; a file of an earlier version does not say it.
MACHINE = "machine"


def path_of(run: Path) -> Path:
    """Return where a run keeps its costs."""
    return run / "costs.csv"


def of_run(run: Path, info: Info) -> pd.DataFrame | None:
    """Return the costs beside a run, or those that came with the precomputed scores that it shows.

    Args:
        run: its folder.
        info: its ``run.json``.
    """
    own = read(path_of(run))
    return own if own is not None or info.shipped is None else read(catalogue.FOLDER / f"{info.shipped.name}.costs.csv")


def read(path: Path) -> pd.DataFrame | None:
    """Return costs: seconds and relative cost by proxy, computed alone, and the machine; None where there is no file.

    Raises:
        InputError: if the file cannot be read as costs.
    """
    if not path.is_file():
        return None
    with files.reading(path, "run", "; `diswot bench --out` makes it"):
        table = pd.read_csv(path, engine="python").rename(columns=earlier.current).set_index("name")
        found = table[_COLUMNS].astype(float)
    found[MACHINE] = table.get(MACHINE, pd.Series("a machine that was not recorded", table.index))
    return found[~found.index.duplicated()]
