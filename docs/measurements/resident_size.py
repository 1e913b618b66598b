"""Sample how much memory a running sweep holds, and draw it against the cells done.

``python docs/measurements/resident_size.py RUN PID PROXY CSV`` watches the sweep into the folder RUN, whose first
process is PID, until it ends, and writes CSV and a PNG of the same name. A cell is done when PROXY has a score of it;
take one that is computed for every cell, such as nwot.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

import pandas as pd
import psutil
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from diswot.harness.runs import run_folder
from diswot.reports.style import canvas

_EVERY = 20.0
_MIB = 2**20


def watch(run: Path, pid: int, proxy: str) -> pd.DataFrame:
    """Return, for every sample, the cells done and the MiB of the first process and of each worker."""
    parent = psutil.Process(pid)
    start, rows = time.monotonic(), []
    while parent.is_running() and parent.status() != psutil.STATUS_ZOMBIE:
        try:
            # A worker's own child, such as the resource tracker, holds next to nothing.
            sizes = sorted(child.memory_info().rss / _MIB for child in parent.children(recursive=True))
            own = parent.memory_info().rss / _MIB
        except psutil.NoSuchProcess:  # a process that has just ended; the next sample is without it
            time.sleep(1)
            continue
        workers = {f"worker_{number}": size for number, size in enumerate(reversed(sizes)) if size > 100}
        rows.append({"seconds": time.monotonic() - start, "cells": cells(run, proxy), "client": own, **workers})
        time.sleep(_EVERY)
    return pd.DataFrame(rows).round(1)


def cells(run: Path, proxy: str) -> int:
    """Return of how many cells a run has a proxy's score."""
    with closing(sqlite3.connect(f"file:{run_folder.store_path(run)}?mode=ro", uri=True, timeout=60)) as store:
        return int(store.execute("SELECT COUNT(DISTINCT cell) FROM scores WHERE proxy = ?", [proxy]).fetchone()[0])


def draw(samples: pd.DataFrame, path: Path) -> None:
    """Draw the resident sizes against the cells done."""
    with canvas.style():
        figure, (axes,) = canvas.sheet(canvas.SINGLE_COLUMN, 2.2)
        for name in samples.columns.drop(["seconds", "cells"]):
            axes.plot(samples["cells"], samples[name], label=name.replace("_", " "))
        axes.set(xlabel="cells done", ylabel="resident size, MiB", ylim=(0, None), xlim=(0, None))
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.legend(loc="center right")
    path.write_bytes(canvas.content(figure, "png"))


if __name__ == "__main__":
    table = Path(sys.argv[4])
    found = watch(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
    found.to_csv(table, index=False)
    draw(found, table.with_suffix(".png"))
