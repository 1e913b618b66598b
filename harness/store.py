"""The store of a run: one SQLite file, one row a unit of work, written by one process, a transaction a chunk."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

#: The schema's number, in ``PRAGMA user_version``.
SCHEMA = 1

_CREATE = """
CREATE TABLE scores (
    space TEXT NOT NULL, cell INTEGER NOT NULL, proxy TEXT NOT NULL, version TEXT NOT NULL,
    settings TEXT NOT NULL, seed INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('ok', 'undefined', 'failed')),
    value REAL, cause TEXT, seconds REAL NOT NULL,
    CHECK ((status = 'ok') = (value IS NOT NULL)),
    PRIMARY KEY (space, cell, proxy, version, settings, seed)
) WITHOUT ROWID
"""


@dataclass(frozen=True)
class Record:
    """A unit of work and what became of it.

    Attributes:
        space: the search space.
        cell: the cell's number.
        proxy: the proxy's name.
        version: the proxy's version.
        settings: the hash of the sweep's settings.
        seed: the weights' seed.
        status: ``ok``, ``undefined`` or ``failed``.
        value: the score, None unless the status is ``ok``.
        cause: why there is no score.
        seconds: spent in the proxy and in the passes that it was the first to ask for.
    """

    space: str
    cell: int
    proxy: str
    version: str
    settings: str
    seed: int
    status: str
    value: float | None
    cause: str | None
    seconds: float


_COLUMNS = tuple(field.name for field in fields(Record))


class Store:
    """An open store; a context manager. One process writes, any number read."""

    def __init__(self, path: Path, *, create: bool) -> None:
        """Open a store.

        Args:
            path: the file.
            create: make the file where there is none.

        Raises:
            InputError: if it is missing, not a store, or of another schema.
        """
        self.path = path
        if not create and not path.is_file():
            raise InputError(f"store: {path} does not exist; `diswot evaluate` makes one.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=60)
        except (OSError, sqlite3.OperationalError) as error:
            raise InputError(f"--out: {path.parent} cannot be written to: {error}.") from error
        try:
            self._prepare()
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise InputError(f"store: {path} cannot be opened as a store: {error}.") from error

    def _prepare(self) -> None:
        run = self._connection.execute
        (schema,) = run("PRAGMA user_version").fetchone()
        tables = [name for (name,) in run("SELECT name FROM sqlite_master WHERE type = 'table'")]
        if not tables and schema == 0:
            run("PRAGMA journal_mode = WAL")
            with self._transaction():
                run(_CREATE)
                run(f"PRAGMA user_version = {SCHEMA}")
        elif schema != SCHEMA or "scores" not in tables:
            raise sqlite3.DatabaseError(f"its schema is {schema}, and this version reads schema {SCHEMA}")
        run("PRAGMA synchronous = NORMAL")  # with WAL: a killed process loses nothing that was committed

    def __enter__(self) -> Store:
        """Return the store."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the file."""
        self._connection.close()

    def write(self, records: Iterable[Record]) -> None:
        """Write records in one transaction; a record of the same identity is replaced.

        Raises:
            InputError: if the disk is full or the file cannot be written; what was written before is kept.
        """
        marks = ", ".join("?" * len(_COLUMNS))
        try:
            with self._transaction():
                self._connection.executemany(
                    f"INSERT OR REPLACE INTO scores ({', '.join(_COLUMNS)}) VALUES ({marks})",
                    [astuple(record) for record in records],
                )
        except sqlite3.DatabaseError as error:
            raise InputError(
                f"store: {self.path} cannot be written: {error}; "
                "what was stored is kept, and the same command continues."
            ) from error

    def settled(self, settings: str) -> set[tuple[int, str, str, int]]:
        """Return (cell, proxy, version, seed) of every unit that needs no further work; failed ones are tried again."""
        return set(
            self._read(
                "SELECT cell, proxy, version, seed FROM scores WHERE settings = ? AND status != 'failed'", settings
            )
        )

    def frame(self) -> pd.DataFrame:
        """Return all records as a table, sorted by identity."""
        import pandas as pd  # workers, which only make records, need not wait for it

        rows = self._read(f"SELECT {', '.join(_COLUMNS)} FROM scores ORDER BY {', '.join(_COLUMNS[:6])}")
        frame = pd.DataFrame(rows, columns=list(_COLUMNS), dtype=object)  # texts stay texts and no cause stays None
        return frame.astype({"cell": "int64", "seed": "int64", "value": "float64", "seconds": "float64"})

    def _read(self, query: str, *values: str) -> list[Any]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise InputError(f"store: {self.path} cannot be read: {error}.") from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # after some errors SQLite has rolled back already
                self._connection.execute("ROLLBACK")
            raise
