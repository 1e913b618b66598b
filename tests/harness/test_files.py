from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from diswot.benchmarks import tables
from diswot.benchmarks.errors import InputError
from diswot.benchmarks.tables import Card, Table
from diswot.harness import files

FRAME = pd.DataFrame({"name": ["a", "b"], "value": [0.1 + 0.2, math.nan]})


def test_missing_folders_are_made(tmp_path: Path) -> None:
    path = files.write_json(tmp_path / "a" / "b.json", {"x": 1})
    assert json.loads(path.read_text()) == {"x": 1}


def test_a_file_gets_the_usual_permissions(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        path = files.write_json(tmp_path / "x.json", 1)
    finally:
        os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.name != "posix", reason="whether a process lives cannot be asked here")
def test_temporaries_of_dead_processes_are_removed_and_no_others(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = [tmp_path / f".x{files._mark(dead.pid)}a1_b.pt"]
    kept = [
        tmp_path / f".x{files._mark(os.getpid())}a1_b.pt",
        tmp_path / f".x~elsewhere~{dead.pid}~a1_b.pt",
        tmp_path / ".x~y~z",
        tmp_path / "x.pt",
    ]
    for path in (*left, *kept):
        path.touch()
    files.forget_abandoned(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(kept)
    files.forget_abandoned(tmp_path / "nowhere")


def test_a_temporary_is_marked_as_its_process_s(tmp_path: Path) -> None:
    seen: list[str] = []
    files.write(tmp_path / "x.json", lambda temporary: seen.append(temporary.name))
    assert files._mark(os.getpid()) in seen[0]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, error: BaseException) -> None:
    path = files.write_json(tmp_path / "x.json", "before")

    def half(temporary: Path) -> None:
        temporary.write_text("half")
        raise error

    with pytest.raises(type(error), match=r"No space left on device: '.*/x\.json'" if error.args else None):
        files.write(path, half)
    assert json.loads(path.read_text()) == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("parent", ["file", "file/below", "/proc/nothing"])
def test_an_unwritable_folder(tmp_path: Path, parent: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"out: .* cannot be written to: "):
        files.write_json(tmp_path / parent / "x.json", 1)


@pytest.mark.parametrize(
    ("suffix", "read"), [(".csv", pd.read_csv), (".parquet", pd.read_parquet), (".json", pd.read_json)]
)
def test_tables_come_back_as_they_were(tmp_path: Path, suffix: str, read: object) -> None:
    path = files.write_table(tmp_path / f"table{suffix}", FRAME)
    exact = suffix != ".json"  # JSON is written with 15 decimal places
    pd.testing.assert_frame_equal(read(path), FRAME, check_exact=exact, check_dtype=False)  # type: ignore[operator]


CARD = Card("source", "licence", "images", "recipe", "teacher", "seeds", "epochs", "citation", "data_hash")


def accuracies(value: float) -> Table:
    index = pd.Index([3, 7], name="cell")
    return Table("x", "nb201", pd.DataFrame({"a": [value, math.nan]}, index=index), CARD)


def test_a_table_is_written_with_its_card(tmp_path: Path) -> None:
    path = tmp_path / "new" / "x.parquet"
    written = files.write_with_card(path, lambda: accuracies(90.1))
    read = tables.load(path)
    pd.testing.assert_frame_equal(read.frame, accuracies(90.1).frame)
    assert read.card == written.card == replace(CARD, data_hash=hashlib.sha256(path.read_bytes()).hexdigest())
    assert sorted(file.name for file in path.parent.iterdir()) == ["x.parquet", "x.parquet.card.json"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (InputError("no such file"), InputError("no such file")),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            InputError("out: .*x.parquet cannot be written: No space"),
        ),
        (KeyboardInterrupt(), KeyboardInterrupt()),
    ],
)
def test_a_table_and_its_card_stay_as_they_were_if_one_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, told: BaseException
) -> None:
    path = tmp_path / "x.parquet"
    files.write_with_card(path, lambda: accuracies(90.1))
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}

    def fail(*arguments: object) -> Table:
        raise error

    with pytest.raises(type(told), match=str(told) or None):
        files.write_with_card(path, fail)
    monkeypatch.setitem(files.WRITERS, ".parquet", fail)
    with pytest.raises(type(told), match=str(told) or None):
        files.write_with_card(path, lambda: accuracies(80.0))
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_table_of_another_ending(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x\.txt must end in \.csv, \.parquet, \.json"):
        files.write_table(tmp_path / "x.txt", FRAME)


@pytest.mark.parametrize("content", [b"[" * 100_000, b"\xff", b"", b'{"schema": 1'])
def test_damaged_json_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"^run: .*x\.json cannot be read: [^\n]*; make it anew\.$"):
        files.json_of(path, "run", "; make it anew")


def test_json_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b'\xef\xbb\xbf{"schema": 1}')
    assert files.json_of(path, "run") == {"schema": 1}


def test_whatever_a_reader_raises_is_one_sentence(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"^run: x cannot be read: MemoryError; hint\.$"),
        files.reading(Path("x"), "run", "; hint"),
    ):
        raise MemoryError
    with pytest.raises(InputError, match=r"^mine$"), files.reading(Path("x"), "run"):
        raise InputError("mine")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name,value\na,x\n", "its column 'value' holds what is no number"),
        ("name\na\n", "it lacks the column value"),
        ("", "cannot be read"),
    ],
)
def test_a_damaged_csv_is_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"run: .*x\.csv .*{says}.*; hint\.$"):
        files.read_csv(path, ("name",), "run", "; hint", needed=("name", "value"))


def test_a_csv_comes_back_with_truth_values_and_gaps(tmp_path: Path) -> None:
    path = files.write_table(tmp_path / "x.csv", FRAME.assign(best=[True, None]))
    frame = files.read_csv(path, ("name",), "run", needed=("name", "value"))
    assert frame["value"].tolist()[0] == 0.1 + 0.2
    assert frame["best"].tolist()[0] is True


def test_a_folder_has_locks_unless_its_file_system_says_no(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert files.has_locks(tmp_path)

    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(files.fcntl, "lockf", none)
    assert not files.has_locks(tmp_path)
