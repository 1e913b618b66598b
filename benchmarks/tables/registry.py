"""The built-in tables by name, and anything else by path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

from diswot.benchmarks.errors import InputError, unknown
from diswot.benchmarks.tables import analog_nasbench, nb201, nb201_kd, readers, s0_diswot, user
from diswot.benchmarks.tables.table import Table

_BUILT_IN: dict[str, tuple[str, Callable[[], Table]]] = {
    analog_nasbench.NAME: (analog_nasbench.SPACE, cache(analog_nasbench.load)),
    nb201_kd.NAME: (nb201_kd.SPACE, cache(nb201_kd.load)),
    s0_diswot.NAME: (s0_diswot.SPACE, cache(s0_diswot.load)),
    nb201.NAME: (nb201.SPACE, nb201.load),
}


def names() -> tuple[str, ...]:
    """Return the names of the built-in tables."""
    return tuple(_BUILT_IN)


def is_there(name: str) -> bool:
    """Return whether a built-in table can be loaded: one that comes from the network must have been fetched."""
    return name != nb201.NAME or nb201.location().is_file()


def outline(name: str) -> Table:
    """Return a built-in table, or what is known of one that is not there yet: its columns and its card, no rows."""
    return load(name) if is_there(name) else nb201.outline()


def training_seconds(name: str) -> tuple[dict[str, float], str]:
    """Return what one training took, in seconds by column, and on what machine; nothing where a table does not say."""
    return (nb201_kd.seconds(), nb201_kd.MACHINE) if name == nb201_kd.NAME else ({}, "")


def load(name_or_path: str | Path, space: str | None = None) -> Table:
    """Return a table.

    Args:
        name_or_path: a built-in's name, or the path of a CSV, Parquet or JSON file (see `benchmarks.tables.user`).
        space: the search space of the cells. A built-in knows its own, which this must then equal; for a file, None
            stands for ``nb201``.

    Raises:
        InputError: if there is no such table, it belongs to another space, has not been fetched, or cannot be read.
    """
    name = str(name_or_path)
    if name in _BUILT_IN:
        own, read = _BUILT_IN[name]
        if space not in (None, own):
            raise InputError(f"table: {name} is of the search space {own}, not {space}.")
        table = read()
        return replace(table, frame=table.frame.copy())  # a caller's changes must not reach the next caller
    if not _looks_like_path(name):
        hint = f"A table of your own is given by its path, which ends in {', '.join(readers.SUFFIXES)}."
        raise unknown("table", name, _BUILT_IN, hint)
    return user.load(name_or_path, space or "nb201")


def _looks_like_path(name: str) -> bool:
    return name.lower().endswith(readers.SUFFIXES) or "/" in name or "\\" in name
