"""The store of a run: one SQLite file, one row a score or a training, a transaction a chunk.

There are two kinds: scores of a sweep, and trainings of a distillation. A store may come from anywhere: it is read only
if it holds exactly the table that this module makes, and every value has its column's type.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diswot.benchmarks.errors import InputError, printable
from diswot.harness import files

if TYPE_CHECKING:
    import pandas as pd

#: The schema's number, in ``PRAGMA user_version``.
SCHEMA = 1

#: Seconds that a process waits for another one to finish its transaction.
_PATIENCE = 60.0

#: Seconds that the first access waits before it is asked whether the folder's file system has locks at all.
_FIRST_PATIENCE = 1.0

#: Seconds between two tries to open a store that another process locks.
_PAUSE = 0.05

#: SQLite's result codes of another process's lock, and of no memory that processes share for write-ahead logging.
_LOCKED, _NO_SHARED_MEMORY = (5, 6), (10, 14, 15)

#: The code of a text: an exception of Python 3.10 has the text alone.
_CODES = {
    "database is locked": 5,
    "database table is locked": 6,
    "disk I/O error": 10,
    "unable to open database file": 14,
    "locking protocol": 15,
}

#: What SQLite may store in a column, by its declared type. An infinite number is stored as REAL, and is no score.
_STORED_AS = {
    "INTEGER": "typeof({0}) = 'integer' AND {0} >= 0",
    "REAL": "typeof({0}) = 'real' AND abs({0}) <= 1.7976931348623157e308",
    "TEXT": "typeof({0}) = 'text'",
}


@dataclass(frozen=True)
class Record:
    """A score or a training, and what became of it.

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
        seed: of the initial weights and of the order of images.
        status: ``ok`` or ``failed``.
        accuracy: on the test images, percent; None unless the status is ``ok``.
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
        table: the name of its table; the store is the file ``TABLE.sqlite``.
        info: the file beside it that says how the records were made.
        record: the dataclass of its rows; the first six fields are the identity.
        create: the SQL that makes the table.
        made_by: the command that makes such a store.
    """

    table: str
    info: str
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

    @property
    def file(self) -> str:
        """The name of the store's file."""
        return f"{self.table}.sqlite"


def _create(table: str, what: str, value: str, statuses: str) -> str:
    return f"""
CREATE TABLE {table} (
    space TEXT NOT NULL, cell INTEGER NOT NULL, {what} TEXT NOT NULL, version TEXT NOT NULL,
    settings TEXT NOT NULL, seed INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ({statuses})),
    {value} REAL, cause TEXT, seconds REAL NOT NULL,
    CHECK ((status = 'ok') = ({value} IS NOT NULL)),
    PRIMARY KEY (space, cell, {what}, version, settings, seed)
) WITHOUT ROWID
"""


SCORES = Kind(
    table="scores",
    info="run.json",
    record=Record,
    create=_create("scores", "proxy", "value", "'ok', 'undefined', 'failed'"),
    made_by="diswot evaluate",
)

TRAININGS = Kind(
    table="trainings",
    info="distillation.json",
    record=Training,
    create=_create("trainings", "distiller", "accuracy", "'ok', 'failed'"),
    made_by="diswot distill",
)


class Store:
    """An open store; a context manager. Several processes may read and write it, one transaction at a time.

    Where the file or its folder cannot be written to, the store is open for reading only.
    """

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
        self._read_only = not create and not (files.can_be_written(path) and files.can_be_written(path.parent))
        if not create and not path.is_file():
            raise InputError(f"store: {path} does not exist; `{kind.made_by}` makes one.")
        try:
            if create:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = self._connect()
        except (OSError, sqlite3.OperationalError) as error:
            raise InputError(f"out: {path.parent} cannot be written to: {error}.") from error
        try:
            self._open(create)
            self._inode = path.stat().st_ino
        except BaseException as error:
            self._connection.close()
            if isinstance(error, sqlite3.DatabaseError):
                hint = "; it cannot be written to: copy its folder to where you may write" if self._read_only else ""
                raise InputError(f"store: {path} cannot be opened as a store: {error}{hint}.") from error
            raise

    def _connect(self) -> sqlite3.Connection:
        if not self._read_only:
            return sqlite3.connect(self.path, isolation_level=None, timeout=_FIRST_PATIENCE)
        # Beside a journal a writer is at work, or was killed. Without one nothing changes, and no locks are needed.
        journals = [self.path.with_name(f"{self.path.name}-{kind}") for kind in ("wal", "journal")]
        changing = any(journal.is_file() and journal.stat().st_size for journal in journals)
        uri = f"{self.path.absolute().as_uri()}?mode=ro{'' if changing else '&immutable=1'}"
        return sqlite3.connect(uri, isolation_level=None, timeout=_FIRST_PATIENCE, uri=True)

    def _open(self, create: bool) -> None:
        write_ahead = True
        give_up = time.monotonic() + _PATIENCE
        while True:
            try:
                return self._prepare(create, write_ahead)
            except sqlite3.OperationalError as error:
                if not files.has_locks(self.path.parent):
                    raise InputError(
                        f"store: the file system of {self.path.parent} has no file locks, which a store needs; use a "
                        "folder on a local disk, for example with --out."
                    ) from error
                if write_ahead and _code(error) in _NO_SHARED_MEMORY:
                    write_ahead = False
                elif _code(error) not in _LOCKED or time.monotonic() > give_up:
                    raise
                time.sleep(_PAUSE)  # SQLite itself does not wait wherever it changes the journal

    def _prepare(self, create: bool, write_ahead: bool) -> None:
        if not write_ahead:
            self._leave_write_ahead()
        if create and not self._schema():
            self._create()
        self._refuse_another_schema()
        if create and write_ahead and not self._run(f"SELECT 1 FROM {self.kind.table} LIMIT 1"):
            self._run("PRAGMA journal_mode = WAL")
            self._schema()
        if self._run("PRAGMA journal_mode") == [("wal",)]:
            self._run("PRAGMA synchronous = NORMAL")  # a killed process loses nothing that was committed
        self._run(f"PRAGMA busy_timeout = {_PATIENCE * 1000:.0f}")

    def _create(self) -> None:
        with self._transaction():
            if not self._schema() and self._run("PRAGMA user_version") == [(0,)]:  # no other process was faster
                self._run(self.kind.create)
                self._run(f"PRAGMA user_version = {SCHEMA}")

    def _leave_write_ahead(self) -> None:
        # Write-ahead logging needs memory that processes share, which network file systems may lack. An exclusive
        # connection needs none, and can choose the older journal.
        self._connection.close()
        self._connection = self._connect()
        self._run("PRAGMA locking_mode = EXCLUSIVE")
        self._run("PRAGMA journal_mode = DELETE")
        self._run("PRAGMA locking_mode = NORMAL")
        self._schema()  # the next access gives the exclusive lock back

    def _run(self, query: str, *values: str) -> list[Any]:
        try:
            return self._connection.execute(query, values).fetchall()
        except UnicodeDecodeError as error:
            raise sqlite3.DatabaseError("a text in it is no UTF-8") from error

    def _schema(self) -> list[tuple[str, str, str]]:
        # What the file defines: type, name and definition of each. Nothing that it defines is called on the way.
        self._run("PRAGMA trusted_schema = OFF")
        return self._run("SELECT type, name, sql FROM sqlite_master")

    def _refuse_another_schema(self) -> None:
        # Triggers, views, other tables and indexes could change what a query does; none of them is ours.
        ((schema,),) = self._run("PRAGMA user_version")
        if schema != SCHEMA:
            raise sqlite3.DatabaseError(f"its schema is {schema}, and this version reads schema {SCHEMA}")
        defined = self._schema()
        mine = [sql for kind, name, sql in defined if (kind, name) == ("table", self.kind.table)]
        if not mine:
            names = [str(name) for kind, name, _ in defined if kind == "table"]
            raise sqlite3.DatabaseError(f"it holds {', '.join(names) or 'nothing'}, not {self.kind.table}")
        if _words(mine[0]) != _words(self.kind.create):
            raise sqlite3.DatabaseError(f"its table {self.kind.table} is not defined as this version defines it")
        if len(defined) > 1:
            kind, name, _ = next((row for row in defined if row[2] != mine[0]), defined[0])
            raise sqlite3.DatabaseError(f"it holds the {kind} {name!r}, which no command makes")

    def __enter__(self) -> Store:
        """Return the store."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other process from writing this store meanwhile, and with it all that belongs to the run.

        Raises:
            InputError: if the file cannot be written, or another process does not finish.
        """
        with self._written(), self._transaction():
            yield

    def write(self, records: Iterable[Record] | Iterable[Training]) -> None:
        """Write records in one transaction; a record of the same identity is replaced.

        Raises:
            InputError: if the disk is full or the file cannot be written; what was written before is kept.
        """
        columns = self.kind.columns
        marks = ", ".join("?" * len(columns))
        row = attrgetter(*columns)
        with self._written(), self._transaction():
            self._connection.executemany(
                f"INSERT OR REPLACE INTO {self.kind.table} ({', '.join(columns)}) VALUES ({marks})",
                [
                    tuple(printable(value) if isinstance(value, str) else value for value in row(record))
                    for record in records
                ],
            )

    def is_empty(self) -> bool:
        """Return whether nothing was stored yet."""
        return not self._read(f"SELECT 1 FROM {self.kind.table} LIMIT 1")

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
                f"out: {self.path} was removed while it was written to, and what it held is lost; "
                "the same command begins anew."
            )

    def settled(self, settings: str) -> set[tuple[int, str, str, int]]:
        """Return every score or training that needs no further work, as (cell, proxy or distiller, version, seed).

        Failed ones are tried again.
        """
        self._refuse_damage()
        columns = ", ".join(name for name in self.kind.identity if name not in ("space", "settings"))
        return set(
            self._read(f"SELECT {columns} FROM {self.kind.table} WHERE settings = ? AND status != 'failed'", settings)
        )

    def frame(self) -> pd.DataFrame:
        """Return all records as a table, sorted by identity.

        Raises:
            InputError: if the file is damaged.
        """
        import pandas as pd  # workers, which only make records, need not wait for it

        self._refuse_damage()
        columns = self.kind.columns
        rows = self._read(
            f"SELECT {', '.join(columns)} FROM {self.kind.table} ORDER BY {', '.join(self.kind.identity)}"
        )
        frame = pd.DataFrame(rows, columns=list(columns), dtype=object)  # texts stay texts and no cause stays None
        numbers = {"cell": "int64", "seed": "int64", "value": "float64", "accuracy": "float64", "seconds": "float64"}
        return frame.astype({name: kind for name, kind in numbers.items() if name in columns})

    def current(self, settings: str, versions: Mapping[Any, str] | Callable[[str], str]) -> pd.DataFrame:
        """Return the records of some settings and of the current versions of what scored or taught; see `frame`."""
        frame = self.frame()
        newest = frame[self.kind.identity[2]].map(versions) == frame["version"]
        return frame[(frame["settings"] == settings) & newest].reset_index(drop=True)

    def _refuse_damage(self) -> None:
        # SQLite's own check sees broken pages and rows that contradict the table's conditions. A column takes values of
        # any type, so types are looked at here.
        (verdict,) = self._read("PRAGMA quick_check(1)")[0]
        if verdict != "ok":
            raise InputError(f"store: {self.path} is damaged: {verdict.splitlines()[-1]}.")
        for _, name, kind, required, *_ in self._read(f"PRAGMA table_info({self.kind.table})"):
            good = _STORED_AS[kind].format(name) + ("" if required else f" OR {name} IS NULL")
            wrong = self._read(f"SELECT quote({name}) FROM {self.kind.table} WHERE NOT ({good}) LIMIT 1")
            if wrong:
                raise InputError(f"store: {self.path} is damaged: {name} is {wrong[0][0]:.40}, and must be {kind}.")

    def _read(self, query: str, *values: str) -> list[Any]:
        try:
            return self._run(query, *values)
        except sqlite3.DatabaseError as error:
            raise InputError(f"store: {self.path} cannot be read: {error}.") from error

    @contextmanager
    def _written(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise InputError(
                f"store: {self.path} cannot be written: {error}; "
                "what was stored is kept, and the same command continues."
            ) from error

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


def _words(sql: str | None) -> list[str]:
    return (sql or "").split()


def _code(error: sqlite3.Error) -> int:
    extended: int | None = getattr(error, "sqlite_errorcode", None)
    return _CODES.get(str(error), 0) if extended is None else extended & 0xFF
