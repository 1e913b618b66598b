"""Targets: one column of one table, written ``table:column``, that proxies are correlated with."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from diswot.benchmarks.errors import InputError, unknown
from diswot.benchmarks.tables import readers, units, user
from diswot.benchmarks.tables.registry import load, names

#: Columns with a role: a distilled accuracy is compared with its table's vanilla one; the gain is their difference.
DISTILLED, VANILLA, GAIN = "distilled", "vanilla", "gain"


@dataclass(frozen=True)
class Target:
    """One column of one table.

    Attributes:
        table: a table's name, or the path of a file as the user gave it.
        column: one of the table's columns.
    """

    table: str
    column: str

    @classmethod
    def named(cls, name: str) -> Target:
        """Return the target that has a name, as runs store it; its table is known by its name then."""
        table, _, column = name.rpartition(":")
        return cls(table or name, column)

    @property
    def called(self) -> str:
        """The table's name; a path is shortened to it: see `user.name_of`."""
        is_file = self.table not in names() and self.table.lower().endswith(readers.SUFFIXES)
        return user.name_of(self.table) if is_file else self.table

    @property
    def name(self) -> str:
        """``table:column``, with the table's name."""
        return f"{self.called}:{self.column}"

    def with_column(self, column: str) -> Target:
        """Return another column of the same table."""
        return replace(self, column=column)

    @property
    def counterpart(self) -> Target | None:
        """The vanilla accuracy of a distilled one, and the other way round; None for any other column."""
        other = {DISTILLED: VANILLA, VANILLA: DISTILLED}.get(self.column)
        return None if other is None else self.with_column(other)


def parse_target(spec: str) -> tuple[str, str | None]:
    """Split ``table:column`` at the last colon; the column is None where there is only a table.

    A colon that belongs to a path is left alone: a drive letter's, one in the name of a folder, and one in the name
    of a file that has a table's suffix. After a table's suffix comes a column, which may hold a slash.

    Raises:
        InputError: if the table or the column is empty.
    """
    table, colon, column = spec.rpartition(":")
    is_folder = re.search(r"[/\\]", column) and not table.lower().endswith(readers.SUFFIXES)
    is_path = is_folder or column.lower().endswith(readers.SUFFIXES)
    if not colon or is_path:
        table, column = spec, ""
    elif not column:
        raise InputError(f"targets: {spec!r} has no column after the colon; write table:column, or the table alone.")
    if not table:
        raise InputError(f"targets: {spec!r} names no table; write table:column, or the table alone.")
    return table, column or None


def targets(spec: str, space: str | None = None) -> list[Target]:
    """Return the targets that ``table:column`` names, or all columns of the table where it names no column.

    Args:
        spec: as the user wrote it.
        space: the search space of the cells; see `load`.

    Raises:
        InputError: if the table or the column is not known, the table cannot be read, or an accuracy is no percentage.
    """
    table, column = parse_target(spec)
    frame = load(table, space).frame
    columns = [str(name) for name in frame.columns]
    if column is not None and column not in columns:
        raise unknown(f"targets: the column of {table}", column, columns)
    chosen = [Target(table, name) for name in (columns if column is None else [column])]
    for target in chosen:
        wrong = units.no_percentage(frame[target.column])
        if not wrong.empty:
            raise InputError(
                f"targets: {target.name} is {wrong.iloc[0]:g} for cell {wrong.index[0]}, and accuracies are percent, "
                f"0 to 100; a column of something else has its unit in its name, such as '{target.column} [ms]'."
            )
    return chosen
