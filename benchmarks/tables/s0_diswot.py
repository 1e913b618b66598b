"""The table ``s0-diswot``: vanilla and distilled CIFAR-100 accuracies of the 64 ResNets of the paper's space S0.

The figures are those of exps/s1-gt-cls.txt (vanilla) and exps/s1-gt-kd.txt (distilled) in the authors' repository.
"""

from __future__ import annotations

import hashlib
import io
from importlib.resources import files

import pandas as pd

from diswot.benchmarks.tables.table import Card, Table

NAME = "s0-diswot"
SPACE = "s0"


def load() -> Table:
    """Return the table: 64 cells, columns ``vanilla`` and ``distilled`` in percent."""
    content = (files("diswot.benchmarks.tables") / "data" / f"{NAME}.csv").read_bytes()
    frame = pd.read_csv(io.BytesIO(content), index_col="cell").astype("float64")
    return Table(NAME, SPACE, frame, _card(hashlib.sha256(content).hexdigest()))


def _card(data_hash: str) -> Card:
    return Card(
        source="github.com/lilujunai/DisWOT-CVPR2023, exps/s1-gt-cls.txt and exps/s1-gt-kd.txt",
        licence="Apache-2.0",
        images="CIFAR-100",
        recipe="vanilla: trained with labels only; distilled: with a teacher; the release does not state the settings",
        teacher="not stated",
        seeds="not stated; one figure per network and column",
        epochs="not stated",
        citation=(
            "Peijie Dong, Lujun Li, Zimian Wei. DisWOT: Student Architecture Search for Distillation WithOut Training. "
            "CVPR 2023. arXiv:2303.15678"
        ),
        data_hash=data_hash,
    )
