"""The table ``s0-diswot``: vanilla and distilled CIFAR-100 accuracies of the 64 ResNets of the paper's space S0.

The figures are those of exps/s1-gt-cls.txt (vanilla) and exps/s1-gt-kd.txt (distilled) in the authors' repository.
"""

from __future__ import annotations

import hashlib
import io

import pandas as pd

from diswot.benchmarks.tables.table import Table, packaged, packaged_card

NAME = "s0-diswot"
SPACE = "s0"


def load() -> Table:
    """Return the table: 64 cells, columns ``vanilla`` and ``distilled`` in percent."""
    content = packaged(f"{NAME}.csv")
    frame = pd.read_csv(io.BytesIO(content), index_col="cell").astype("float64")
    return Table(NAME, SPACE, frame, packaged_card(NAME, data_hash=hashlib.sha256(content).hexdigest()))
