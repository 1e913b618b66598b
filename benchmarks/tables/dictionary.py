"""A pickled dictionary of accuracies by cell, as authors pass it on, read into a table.

Auto-DAS (ECCV 2024, repository lliai/Auto-DAS) names such a file, which is not released:
``nb201_kd_dict_1dd544f95b3094a251a0815d3a616dff.pkl``, the index of a NAS-Bench-201 cell to the accuracy of its
distilled student. It is known by its MD5. The pickle is read without running what is in it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from diswot.benchmarks import unpickle
from diswot.benchmarks.errors import InputError, quoted
from diswot.benchmarks.spaces.nb201 import SIZE
from diswot.benchmarks.tables.table import NOT_STATED, Card, Table

#: How the names of such files end.
SUFFIXES = (".pkl", ".pickle")

#: The MD5 of Auto-DAS's dictionary.
AUTODAS = "1dd544f95b3094a251a0815d3a616dff"

_WHAT = f"what can be imported is a dictionary of a cell's index, 0 to {SIZE - 1}, to its accuracy in percent"


def count(path: Path) -> int:
    """Return how many cells a dictionary holds.

    Raises:
        InputError: if the file is missing, damaged, or holds something else.
    """
    return len(_content(path))


def read(path: Path, step: Callable[[], object] = lambda: None) -> Table:
    """Read a dictionary of accuracies.

    Args:
        path: of the pickle.
        step: called after every cell.

    Returns:
        A table of NAS-Bench-201 named as the file is, with the column ``distilled`` if the file is Auto-DAS's, else
        ``accuracy``.

    Raises:
        InputError: if the file is missing, damaged, or holds something else.
    """
    content, accuracies = _content(path), {}
    for key, value in content.items():
        accuracies[_index(key, path)] = _percent(key, value, path)
        step()
    if len(accuracies) < len(content):
        raise InputError(f"table: '{path}' has a cell twice; {_WHAT}.")
    data = path.read_bytes()
    is_known = hashlib.md5(data, usedforsecurity=False).hexdigest() == AUTODAS
    name = "distilled" if is_known else "accuracy"
    frame = pd.DataFrame({name: pd.Series(accuracies, dtype=float).sort_index()}).rename_axis("cell")
    card = Card(
        source=f"{path.resolve().name}: a dictionary of {len(frame)} cells"
        + (", known by its MD5 as the one that Auto-DAS names" if is_known else ""),
        licence=NOT_STATED,
        images="CIFAR-100" if is_known else NOT_STATED,
        recipe="the recipe `autodas`" if is_known else NOT_STATED,
        teacher="ResNet-110" if is_known else NOT_STATED,
        seeds=NOT_STATED,
        epochs="90" if is_known else NOT_STATED,
        citation="Auto-DAS: Automated Proxy Discovery for Training-free Distillation-aware Architecture Search. ECCV "
        "2024."
        if is_known
        else NOT_STATED,
        data_hash=hashlib.sha256(data).hexdigest(),
    )
    return Table(path.stem, "nb201", frame, card)


def _content(path: Path) -> dict[Any, Any]:
    content = unpickle.load(path, unpickle.ARRAYS)
    if not isinstance(content, dict) or not content:
        raise InputError(f"table: '{path}' holds no dictionary with cells; {_WHAT}.")
    return content


def _index(key: Any, path: Path) -> int:
    text = str(key)
    if isinstance(key, bool) or not text.isdecimal() or int(text) >= SIZE:
        raise InputError(f"table: '{path}' has the key {quoted(text)}, which is no cell; {_WHAT}.")
    return int(text)


def _percent(key: Any, value: Any, path: Path) -> float:
    try:
        accuracy = float(value)
    except (TypeError, ValueError):
        accuracy = math.nan
    if isinstance(value, str) or not 0 <= accuracy <= 100:
        raise InputError(f"table: '{path}' gives cell {key} the accuracy {quoted(str(value))}; {_WHAT}.")
    return accuracy
