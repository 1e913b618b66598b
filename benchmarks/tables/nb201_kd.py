"""The table ``nb201-kd``: vanilla and distilled CIFAR-10 accuracies of NAS-Bench-201 cells, trained by this project.

What is shipped is every training, one a row, as `diswot distill` stored it, and the card that it wrote; the accuracies
by cell are made of them here. A training answers for every cell that computes the same function.
"""

from __future__ import annotations

import functools
import hashlib
import io

import pandas as pd

from diswot.benchmarks.tables import trainings
from diswot.benchmarks.tables.table import Table, packaged, packaged_card

NAME = "nb201-kd"
SPACE = "nb201"


#: What the trainings' seconds were measured on.
MACHINE = "one thread of a virtual machine with two x86-64 server cores, both at work"


def seconds() -> dict[str, float]:
    """Return the mean seconds of processor time of one training, by column, on `MACHINE`."""
    frame = _trainings()
    by_distiller = frame[frame["status"] == "ok"].groupby("distiller")["seconds"].mean()
    return {column: float(by_distiller[name]) for name, column in trainings.COLUMNS.items()}


def load() -> Table:
    """Return the table: ``vanilla`` and ``distilled``, means over seeds in percent, and every seed, ``vanilla-0``."""
    frame = trainings.by_cell(_trainings(), SPACE).round(4)
    data_hash = hashlib.sha256(packaged(f"{NAME}.csv")).hexdigest()
    return Table(NAME, SPACE, frame, packaged_card(NAME, data_hash=data_hash))


@functools.cache
def _trainings() -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(packaged(f"{NAME}.csv")))
