from __future__ import annotations

import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from diswot.benchmarks.errors import InputError
from diswot.harness import files
from diswot.harness.runs.store import SCHEMA, TRAININGS, Record, Store

Make = Callable[..., Record]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "scores.sqlite"


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def write_one_by_one(store: Store, records: list[Record]) -> None:
    for one in records:
        store.write([one])


def test_records_come_back_as_they_were(path: Path, record: Make) -> None:
    records = [
        record(cell=111, value=0.1 + 0.2),
        record(cell=113, value=None),
        record(cell=115, value=None, status="failed", cause="ValueError: no"),
        record(cell=117, value=-5e-324),
    ]
    with Store(path, create=True) as store:
        store.write(reversed(records))
        frame = store.frame()
    frame["value"] = frame["value"].astype(object).where(frame["value"].notna(), None)
    assert [Record(**row) for row in frame.to_dict("records")] == records


def test_an_empty_store_has_an_empty_frame(path: Path) -> None:
    with Store(path, create=True) as store:
        assert list(store.frame().columns) == list(Record.__dataclass_fields__)
        assert store.frame().empty
        assert store.settled("any") == set()


def test_a_score_is_stored_once(path: Path, record: Make) -> None:
    with Store(path, create=True) as store:
        store.write([record(value=1.0)])
        store.write([record(value=2.0)])
        assert store.frame()["value"].tolist() == [2.0]


@pytest.mark.parametrize(
    "change", [{"cell": 113}, {"proxy": "snip"}, {"version": "9"}, {"settings": "x"}, {"seed": 1}, {"space": "nb201"}]
)
def test_every_part_of_the_identity_counts(path: Path, record: Make, change: dict[str, object]) -> None:
    with Store(path, create=True) as store:
        store.write([record(), record(**change)])
        assert len(store.frame()) == 2


def test_settled_scores_are_those_of_the_settings_that_did_not_fail(path: Path, record: Make) -> None:
    version = record().version
    with Store(path, create=True) as store:
        store.write(
            [
                record(cell=111),
                record(cell=113, value=None),
                record(cell=115, value=None, status="failed"),
                record(cell=117, settings="other"),
            ]
        )
        assert store.settled(record().settings) == {(111, "params", version, 0), (113, "params", version, 0)}


@pytest.mark.parametrize("change", [{"status": "fine"}, {"value": None, "status": "ok"}, {"status": "undefined"}])
def test_a_record_that_contradicts_itself_is_refused(path: Path, record: Make, change: dict[str, object]) -> None:
    with Store(path, create=True) as store, pytest.raises((InputError, sqlite3.IntegrityError)):
        store.write([record(**change)])


def test_a_chunk_is_written_whole_or_not_at_all(path: Path, record: Make) -> None:
    def broken() -> Iterator[Record]:
        yield record(cell=113)
        raise KeyboardInterrupt

    with Store(path, create=True) as store:
        store.write([record(cell=111)])
        with pytest.raises(KeyboardInterrupt):
            store.write(broken())
        assert store.frame()["cell"].tolist() == [111]
        store.write([record(cell=115)])
        assert store.frame()["cell"].tolist() == [111, 115]


def test_a_store_is_readable_while_it_is_written(path: Path, record: Make) -> None:
    seen = []

    def watched() -> Iterator[Record]:
        yield record(cell=113)
        with Store(path, create=False) as reader:
            seen.extend(reader.frame()["cell"])

    with Store(path, create=True) as store:
        store.write([record(cell=111)])
        store.write(watched())
        with Store(path, create=False) as reader:
            assert reader.frame()["cell"].tolist() == [111, 113]
    assert seen == [111]


def test_a_full_disk_keeps_what_was_stored(path: Path, record: Make) -> None:
    long = "x" * 3000
    with Store(path, create=True) as store:
        store.write([record(cell=111)])
        with (
            file_size_limit(100_000),
            pytest.raises(InputError, match=r"cannot be written: .*; what was stored is kept"),
        ):
            write_one_by_one(store, [record(cell=cell, value=None, cause=long) for cell in range(1000, 2000)])
        kept = len(store.frame())
        assert kept > 1
        store.write([record(cell=113)])
    with Store(path, create=False) as store:
        assert len(store.frame()) == kept + 1


def test_a_full_data_base_keeps_what_was_stored(path: Path, record: Make) -> None:
    with Store(path, create=True) as store:
        store.write([record(cell=111)])
        store._connection.execute("PRAGMA max_page_count = 4")
        with pytest.raises(InputError, match="cannot be written: database or disk is full; what was stored is kept"):
            store.write([record(cell=cell, value=None, cause="x" * 3000) for cell in range(1000, 1100)])
        assert store.frame()["cell"].tolist() == [111]


def test_a_missing_store(path: Path) -> None:
    with pytest.raises(InputError, match="does not exist; `diswot evaluate` makes one"):
        Store(path, create=False)
    assert not path.parent.exists()


def test_a_store_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"out: .*file cannot be written to"):
        Store(tmp_path / "file" / "scores.sqlite", create=True)


def test_a_store_carries_its_schema(path: Path) -> None:
    Store(path, create=True).__exit__()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("create", [True, False])
def test_a_store_of_another_schema(path: Path, create: bool) -> None:
    Store(path, create=True).__exit__()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    with pytest.raises(InputError, match=f"its schema is {SCHEMA + 1}, and this version reads schema {SCHEMA}"):
        Store(path, create=create)


@pytest.mark.parametrize("create", [True, False])
def test_another_data_base_is_left_alone(path: Path, create: bool) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE other (x)")
    before = path.read_bytes()
    with pytest.raises(InputError, match="cannot be opened as a store: its schema is 0"):
        Store(path, create=create)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"cell,score\n1,2\n" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_store(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be opened as a store"):
        Store(path, create=True)
    assert path.read_bytes() == content


def test_a_store_that_is_damaged_inside(path: Path, record: Make) -> None:
    with Store(path, create=True) as store:
        store.write([record()])
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with Store(path, create=False) as store:
        with pytest.raises(InputError, match=r"store: .* is damaged: Page 2: "):
            store.frame()
        with pytest.raises(InputError, match="is damaged"):
            store.settled("x")
        with pytest.raises(InputError, match="cannot be written"):
            store.write([record()])


def test_a_cause_without_utf8_is_stored_escaped(path: Path, record: Make) -> None:
    with Store(path, create=True) as store:
        store.write([record(value=None, cause="no table Pr\udcfcfung.csv")])
        assert store.frame()["cause"].tolist() == ["no table Pr\\udcfcfung.csv"]


def test_a_locked_store_is_written_by_nobody_else(path: Path, record: Make) -> None:
    with Store(path, create=True) as store, Store(path, create=False) as other:
        other._connection.execute("PRAGMA busy_timeout = 0")
        with store.locked():
            with pytest.raises(InputError, match="cannot be written: database is locked"):
                other.write([record()])
            assert other.is_empty()
        other.write([record()])
        assert not store.is_empty()


def test_a_store_that_another_process_makes_meanwhile_is_opened(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def schema(store: Store) -> list[tuple[str, str, str]]:
        found = original(store)
        if not seen:
            seen.append(found)
            Store(path, create=True).__exit__()  # the other process, between a look and the next step
        return found

    original = Store._schema
    monkeypatch.setattr(Store, "_schema", schema)
    with Store(path, create=True) as store:
        assert store.is_empty()
    assert seen == [[]]


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be written; whoever runs the tests as root could, whatever the permissions say."""
    monkeypatch.setattr(files, "can_be_written", lambda path: False)


def test_a_store_that_may_only_be_read_is_read(path: Path, record: Make, request: pytest.FixtureRequest) -> None:
    with Store(path, create=True) as store:
        store.write([record()])
    request.getfixturevalue("read_only")
    before = sorted(path.parent.iterdir())
    with Store(path, create=False) as store:
        assert len(store.frame()) == 1
        with pytest.raises(InputError, match="cannot be written"):
            store.write([record()])
    assert sorted(path.parent.iterdir()) == before == [path]


def test_a_store_that_is_being_written_may_be_read_by_who_may_not_write(
    path: Path, record: Make, request: pytest.FixtureRequest
) -> None:
    with Store(path, create=True) as writer:
        writer.write([record()])
        request.getfixturevalue("read_only")
        with Store(path, create=False) as store:
            assert len(store.frame()) == 1  # it is in the write-ahead log only


def test_without_shared_memory_the_older_journal_is_used(
    path: Path, record: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def schema(store: Store) -> list[tuple[str, str, str]]:
        # As SQLite does where memory cannot be mapped: the journal's kind is stored, and the next access fails.
        exclusive = store._run("PRAGMA locking_mode") == [("exclusive",)]
        if not exclusive and path.is_file() and path.read_bytes()[18:19] == b"\x02":
            raise sqlite3.OperationalError("disk I/O error")
        return original(store)

    with Store(path, create=True) as store:
        store.write([record(cell=111)])
    original = Store._schema
    monkeypatch.setattr(Store, "_schema", schema)
    with Store(path, create=True) as store:
        store.write([record(cell=113)])
        with Store(path, create=False) as reader:
            assert reader.frame()["cell"].tolist() == [111, 113]
        assert store._run("PRAGMA journal_mode") == [("delete",)]


def test_a_file_system_without_locks_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(store: Store) -> list[tuple[str, str, str]]:
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(Store, "_schema", locked)
    monkeypatch.setattr(files, "has_locks", lambda folder: False)
    with pytest.raises(InputError, match=r"the file system of .*run has no file locks.*folder on a local disk"):
        Store(path, create=True)


def test_a_store_of_another_kind_is_refused(path: Path) -> None:
    Store(path, create=True).__exit__()
    with pytest.raises(InputError, match="it holds scores, not trainings"):
        Store(path, create=True, kind=TRAININGS)
