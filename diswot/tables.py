"""Accuracy tables as DataFrames by cell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def names() -> tuple[str, ...]:
    """Return the names of the built-in tables."""
    from diswot.benchmarks import tables

    return tables.names()


def load(target: Path | str, space: str | None = None) -> pd.DataFrame:
    """Return accuracies in percent, a row a cell.

    Args:
        target: ``table:column``, or a table for all its columns; a built-in's name or the path of a file.
        space: the search space of a file's cells; None for ``nb201``.

    Raises:
        InputError: if there is no such table or column, or it has not been fetched.
    """
    from diswot.benchmarks import tables

    chosen = tables.targets(str(target), space)
    return tables.load(chosen[0].table, space).frame[[one.column for one in chosen]]
