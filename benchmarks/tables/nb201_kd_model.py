"""The table ``nb201-kd-model``: predictions for every cell of NAS-Bench-201 by a model fitted to ``nb201-kd``.

None of its accuracies is trained. It judges searches and appears in figures. No command correlates with it unasked.
The packaged file has one row a function; ``docs/measurements/model.py`` makes it.
"""

from __future__ import annotations

import io

import pandas as pd

from diswot.benchmarks import spaces
from diswot.benchmarks.tables.table import Table, packaged, packaged_card

NAME = "nb201-kd-model"
SPACE = "nb201"


def load() -> Table:
    """Return the table: 15,625 cells; ``vanilla``, ``distilled`` and ``gain`` in percent, each with its ``-std``."""
    known = spaces.get(SPACE)
    by_function = pd.read_parquet(io.BytesIO(packaged(f"{NAME}.parquet"))).set_index("cell")
    cells = pd.Index(known.cells, name="cell", dtype="int64")
    frame = by_function.loc[[known.representative(cell) for cell in cells]].set_axis(cells)
    return Table(NAME, SPACE, frame.astype("float64").round(3), packaged_card(f"{NAME}.parquet"))
