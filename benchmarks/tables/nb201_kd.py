"""The table ``nb201-kd``: vanilla and distilled CIFAR-10 accuracies of NAS-Bench-201 cells, trained by this project.

What is shipped is every training, one a row, as `diswot distill` stored it, and the card that it wrote; the accuracies
by cell are made of them here. A class of cells that compute the same function is trained once and stands for all.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import replace
from importlib.resources import files

import pandas as pd

from benchmarks.tables import trainings
from benchmarks.tables.table import Card, Table

NAME = "nb201-kd"
SPACE = "nb201"


def load() -> Table:
    """Return the table: ``vanilla`` and ``distilled``, means over seeds in percent, and every seed, ``vanilla-0``."""
    content = _read(f"{NAME}.csv")
    frame = trainings.by_cell(pd.read_csv(io.BytesIO(content)), SPACE).round(4)
    card = Card(**json.loads(_read(f"{NAME}.card.json")))
    return Table(NAME, SPACE, frame, replace(card, data_hash=hashlib.sha256(content).hexdigest()))


def _read(name: str) -> bytes:
    return (files("benchmarks.tables") / "data" / name).read_bytes()
