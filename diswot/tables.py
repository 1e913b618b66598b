"""Accuracy tables as DataFrames by cell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

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


def from_api(api: Any, hp: str | int | None = "200", out: Path | str | None = None) -> pd.DataFrame:
    """Return the accuracies in percent that a loaded API object knows, a row a cell.

    Args:
        api: a ``nas_201_api.NASBench201API``, or what ``nats_bench.create`` returns for the topology search space.
        hp: ``"12"`` or ``"200"``: the trainings of so many epochs; None for both.
        out: a file to write, ``.parquet``, ``.csv`` or ``.json``, with a card beside it; its path is then a table:
            ``nb201-12.parquet:cifar100-test-12``.

    Returns:
        Columns such as ``cifar100-test-200``, means over all trainings of a cell, and ``cifar100-test-200-seed777``,
        one training; NaN where there is none.

    Raises:
        InputError: if it is no such object, ``hp`` is something else, or the file cannot be written.
    """
    from diswot.benchmarks.paths import expanded
    from diswot.benchmarks.tables import api as apis
    from diswot.harness import files, progress

    with progress.shown(apis.count(api), "cell", "read") as step:
        if out is None:
            return apis.read(api, hp, step).frame
        path = expanded("out", out)
        files.check_table_path(path, "out")
        return files.write_with_card(path, lambda: apis.read(api, hp, step)).frame
