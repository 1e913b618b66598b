"""The store of a run: one SQLite file, one row a unit of work, written by one process, a transaction a chunk.

There are two kinds: scores of a sweep, and trainings of a distillation.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

#: The schema's number, in ``PRAGMA user_version``.
SCHEMA = 1


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


@dataclass(frozen=True)
class Training:
    """A student's training and what became of it.

    Attributes:
        space: the search space.
        cell: the number of the cell that stands for its class.
        distiller: what taught it; ``none`` for the vanilla student.
        version: the distillers' versions.
        settings: the hash of the distillation's settings.
        seed: of the initial weights and of the order of pictures.
        status: ``ok`` or ``failed``.
        accuracy: on the test pictures, percent; None unless the status is ``ok``.
        cause: why there is none.
        seconds: of processor time on a CPU, of the clock on a GPU; test included.
    """

    space: str
    cell: int
    distiller: str
    version: str
    settings: str
    seed: int
    status: str
    accuracy: float | None
    cause: str | None
    seconds: float


@dataclass(frozen=True)
class Kind:
    """What a store holds.

    Attributes:
        table: the name of its table.
        record: the dataclass of its rows; the first six fields are the identity.
        create: the SQL that makes the table.
        made_by: the command that makes such a store.
    """

    table: str
    record: type[Record] | type[Training]
    create: str
    made_by: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(field.name for field in fields(self.record))

    @property
    def identity(self) -> tuple[str, ...]:
        """The columns of the primary key."""
        return self.columns[:6]


SCORES = Kind(
    table="scores",
    record=Record,
    create="""
CREATE TABLE scores (
    space TEXT NOT NULL, cell INTEGER NOT NULL, proxy TEXT NOT NULL, version TEXT NOT NULL,
    settings TEXT NOT NULL, seed INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('ok', 'undefined', 'failed')),
    value REAL, cause TEXT, seconds REAL NOT NULL,
    CHECK ((status = 'ok') = (value IS NOT NULL)),
    PRIMARY KEY (space, cell, proxy, version, settings, seed)
) WITHOUT ROWID
""",
    made_by="diswot evaluate",
)

TRAININGS = Kind(
    table="trainings",
    record=Training,
    create="""
CREATE TABLE trainings (
    space TEXT NOT NULL, cell INTEGER NOT NULL, distiller TEXT NOT NULL, version TEXT NOT NULL,
    settings TEXT NOT NULL, seed INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('ok', 'failed')),
    accuracy REAL, cause TEXT, seconds REAL NOT NULL,
    CHECK ((status = 'ok') = (accuracy IS NOT NULL)),
    PRIMARY KEY (space, cell, distiller, version, settings, seed)
) WITHOUT ROWID
""",
    made_by="diswot distill",
)


class Store:
    """An open store; a context manager. One process writes, any number read."""

    def __init__(self, path: Path, *, create: bool, kind: Kind = SCORES) -> None:
        """Open a store.

        Args:
            path: the file.
            create: make the file where there is none.
            kind: what it holds.

        Raises:
            InputError: if it is missing, not a store, or of another schema.
        """
        self.path = path
        self.kind = kind
        if not create and not path.is_file():
            raise InputError(f"store: {path} does not exist; `{kind.made_by}` makes one.")
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
                run(self.kind.create)
                run(f"PRAGMA user_version = {SCHEMA}")
        elif schema != SCHEMA:
            raise sqlite3.DatabaseError(f"its schema is {schema}, and this version reads schema {SCHEMA}")
        elif self.kind.table not in tables:
            raise sqlite3.DatabaseError(f"it holds {', '.join(tables) or 'nothing'}, not {self.kind.table}")
        run("PRAGMA synchronous = NORMAL")  # with WAL: a killed process loses nothing that was committed
        self._inode = self.path.stat().st_ino

    def __enter__(self) -> Store:
        """Return the store."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the file."""
        self._connection.close()

    def write(self, records: Iterable[Record] | Iterable[Training]) -> None:
        """Write records in one transaction; a record of the same identity is replaced.

        Raises:
            InputError: if the disk is full or the file cannot be written; what was written before is kept.
        """
        columns = self.kind.columns
        marks = ", ".join("?" * len(columns))
        row = attrgetter(*columns)
        try:
            with self._transaction():
                self._connection.executemany(
                    f"INSERT OR REPLACE INTO {self.kind.table} ({', '.join(columns)}) VALUES ({marks})",
                    [row(record) for record in records],
                )
        except sqlite3.DatabaseError as error:
            raise InputError(
                f"store: {self.path} cannot be written: {error}; "
                "what was stored is kept, and the same command continues."
            ) from error

    def refuse_removed(self) -> None:
        """Refuse a store whose file was removed or replaced since it was opened: SQLite writes to what nobody sees.

        Raises:
            InputError: if it was.
        """
        try:
            in_place = self.path.stat().st_ino == self._inode
        except OSError:
            in_place = False
        if not in_place:
            raise InputError(
                f"--out: {self.path} was removed while it was written to, and what it held is lost; "
                "the same command begins anew."
            )

    def settled(self, settings: str) -> set[tuple[int, str, str, int]]:
        """Return every unit that needs no further work, as (cell, proxy or distiller, version, seed).

        Failed ones are tried again.
        """
        columns = ", ".join(name for name in self.kind.identity if name not in ("space", "settings"))
        return set(
            self._read(f"SELECT {columns} FROM {self.kind.table} WHERE settings = ? AND status != 'failed'", settings)
        )

    def frame(self) -> pd.DataFrame:
        """Return all records as a table, sorted by identity."""
        import pandas as pd  # workers, which only make records, need not wait for it

        columns = self.kind.columns
        rows = self._read(
            f"SELECT {', '.join(columns)} FROM {self.kind.table} ORDER BY {', '.join(self.kind.identity)}"
        )
        frame = pd.DataFrame(rows, columns=list(columns), dtype=object)  # texts stay texts and no cause stays None
        numbers = {"cell": "int64", "seed": "int64", "value": "float64", "accuracy": "float64", "seconds": "float64"}
        return frame.astype({name: kind for name, kind in numbers.items() if name in columns})

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
