"""Which columns are accuracies, and whether these can be percent."""

from __future__ import annotations

import re

import pandas as pd

#: Words that say of a column that it is no accuracy. Any other quantity has its unit in brackets: ``size [MB]``.
_QUANTITIES = {
    *("cost", "energy", "epochs", "flops", "gain", "intensity", "latency", "loss", "macs"),
    *("memory", "parameters", "params", "seconds", "std", "throughput", "time"),
}
#: Words of columns that are in percent too.
_DIFFERENCES = {"gain", "std"}
#: Words of columns of which less is better.
_COSTS = _QUANTITIES - _DIFFERENCES - {"intensity", "throughput"}
_UNIT = re.compile(r"\[([^\[\]]+)\]$")
_PERCENT = ("%", "percent")


def is_accuracy(column: str) -> bool:
    """Return whether a column holds accuracies: its name ends in no unit but percent, and names no other quantity."""
    unit = _UNIT.search(column)
    if unit is not None:
        return unit[1].strip().lower() in _PERCENT
    return _QUANTITIES.isdisjoint(_words(column))


def is_cost(column: str) -> bool:
    """Return whether a column's name says that less of it is better: a latency, an energy, a loss."""
    return not _COSTS.isdisjoint(_words(column))


def of(column: str) -> str:
    """Return what stands after a column's values: ``%`` for accuracies and their differences, else nothing."""
    return "%" if is_accuracy(column) or not _DIFFERENCES.isdisjoint(_words(column)) else ""


def _words(column: str) -> list[str]:
    return re.findall("[a-z]+", column.lower())


def no_percentage(column: pd.Series) -> pd.Series:
    """Return those values of a column that no accuracy in percent has; none of a column of something else."""
    return column[~column.between(0, 100) & column.notna()] if is_accuracy(str(column.name)) else column[:0]


def may_be_fractions(column: pd.Series) -> bool:
    """Return whether all accuracies of a column lie within 0 and 1."""
    return is_accuracy(str(column.name)) and bool(column.dropna().between(0, 1).all())
