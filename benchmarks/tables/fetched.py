"""Tables that are published as files: fetched by their hashes, converted once, and read from the cache folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from diswot.benchmarks import cache, spaces
from diswot.benchmarks.errors import InputError
from diswot.benchmarks.remote import Remote
from diswot.benchmarks.tables import user
from diswot.benchmarks.tables.table import Card, Table


@dataclass(frozen=True, eq=False)
class Fetched:
    """A table that `diswot tables fetch` makes.

    Attributes:
        name: of the table.
        space: the search space of its cells, all of which it has.
        columns: of the table, in order.
        files: the published files, by what they hold.
        convert: from a folder with these files to the frame: ``cell``, then the columns, by ascending cell.
        card: how the figures were made.
    """

    name: str
    space: str
    columns: tuple[str, ...]
    files: Mapping[str, Remote]
    convert: Callable[[Path], pd.DataFrame]
    card: Card

    def location(self) -> Path:
        """Return where the fetched table is, or would be."""
        return cache.folder() / "tables" / f"{self.name}.parquet"

    def load(self) -> Table:
        """Return the table.

        Raises:
            InputError: if it has not been fetched yet, or its file is damaged.
        """
        path = self.location()
        if not path.is_file():
            raise InputError(f"table: {self.name} has not been fetched yet; run `diswot tables fetch {self.name}`.")
        again = f"remove it and run `diswot tables fetch {self.name}` again."
        try:
            frame = user.load(path, self.space).frame
        except InputError as error:
            raise InputError(f"{str(error).rstrip('.')}; {again}") from error
        size = len(spaces.get(self.space).cells)
        if len(frame) != size or tuple(frame) != self.columns:
            raise InputError(f"table: '{path}' does not hold the {size} cells and the columns of {self.name}; {again}")
        return Table(self.name, self.space, frame, self.card)

    def outline(self) -> Table:
        """Return the table without its rows: what is known of it before it is fetched."""
        cells = pd.Index([], name="cell", dtype="int64")
        frame = pd.DataFrame(index=cells, columns=list(self.columns), dtype="float64")
        return Table(self.name, self.space, frame, self.card)
