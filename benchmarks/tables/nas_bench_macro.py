"""The table ``nas-bench-macro``: CIFAR-10 accuracies of NAS-Bench-Macro, some shipped, all imported from its file.

The published file, ``nas-bench-macro_cifar10.json``, names every network by its eight layers: ``{"02012100":
{"test_acc": [three trainings], "mean_acc": ..., "std": ..., "params": ..., "flops": ...}}``. One network of each
function was trained; the others have copies. 268 of the 3,969 trainings are shipped: the first in the file, whose order
is that of its authors' disk and no order of the networks.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from diswot.benchmarks.errors import InputError
from diswot.benchmarks.spaces import nbmacro
from diswot.benchmarks.tables.table import Table, packaged, packaged_card

NAME = "nas-bench-macro"
SPACE = "nbmacro"

#: The three trainings; ``test`` is their mean.
_SEEDS = ["test-seed0", "test-seed1", "test-seed2"]
_SOURCE = (
    "github.com/xiusu/NAS-Bench-Macro: nas-bench-macro_cifar10.json, as it stands in github.com/mingkai-zheng/GENIUS, "
    "commit 969d4f9, folder benchmark"
)
_WHAT = "what can be imported is the whole nas-bench-macro_cifar10.json"


def load() -> Table:
    """Return the shipped part: ``test`` and its three trainings, in percent.

    It has 430 networks: all that compute one of the 268 functions whose training is shipped.
    """
    content = packaged(f"{NAME}.csv")
    trained = pd.read_csv(io.BytesIO(content), index_col="cell")
    cells = [cell for cell in nbmacro.NUMBERS if nbmacro.representative(cell) in trained.index]
    frame = trained.loc[[nbmacro.representative(cell) for cell in cells]].set_axis(pd.Index(cells, name="cell"))
    source = f"{_SOURCE}: the first 268 of its 3,969 trainings, each for all networks of its function"
    card = packaged_card(NAME, source=source, data_hash=hashlib.sha256(content).hexdigest())
    return Table(NAME, SPACE, _with_mean(frame), card)


def count(path: Path) -> int:
    """Return how many networks a published file holds, before it is read.

    Raises:
        InputError: if it is missing.
    """
    if not path.is_file():
        raise InputError(f"table: there is no file '{path}'; {_WHAT}.")
    return len(nbmacro.NUMBERS)


def read(path: Path, step: Callable[[], object] = lambda: None) -> Table:
    """Read the published file.

    Args:
        path: ``nas-bench-macro_cifar10.json``.
        step: called after every network.

    Raises:
        InputError: if it is missing, damaged, lacks a network, or is another file: the weights and multiply-accumulates
            that it states must be those of the network of that name.
    """
    count(path)
    content = path.read_bytes()
    try:
        published = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"table: '{path}' is no JSON ({error}); {_WHAT}.") from error
    accuracies = []
    for cell in nbmacro.NUMBERS:
        name = nbmacro.digits(cell)
        try:
            accuracies.append(_accuracies(cell, published[name]))
        except (LookupError, TypeError, ValueError) as error:
            detail = f"{type(error).__name__}: {error}"
            raise InputError(f"table: '{path}' has no such network {name} as published ({detail}); {_WHAT}.") from error
        step()
    frame = pd.DataFrame(accuracies, index=pd.Index(nbmacro.NUMBERS, name="cell"), columns=_SEEDS)
    card = packaged_card(NAME, source=_SOURCE, data_hash=hashlib.sha256(content).hexdigest())
    return Table(path.stem, SPACE, _with_mean(frame), card)


def _accuracies(cell: int, record: Any) -> list[float]:
    # An accuracy is a share of 10,000 test images, published as the nearest float32.
    stated, counted = (record["params"], record["flops"]), nbmacro.counts(cell)
    accuracies = [round(float(accuracy), 2) for accuracy in record["test_acc"]]
    if stated != counted:
        raise ValueError(f"params and flops {stated}, not {counted}")
    if len(accuracies) != len(_SEEDS) or not all(0 <= accuracy <= 100 for accuracy in accuracies):
        raise ValueError(f"test_acc {accuracies}")
    return accuracies


def _with_mean(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame.mean(axis="columns").rename("test"), frame], axis="columns").astype("float64")
