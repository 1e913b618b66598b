"""Runs that came from elsewhere, or were damaged: one sentence, or what they held before; never anything else."""

from __future__ import annotations

import itertools
import json
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from diswot.benchmarks.errors import InputError
from diswot.harness import files
from diswot.harness.runs import results, run_folder
from diswot.harness.runs.results import Results
from diswot.harness.runs.store import Record, Store

#: A run as version 0.1.0 left it, correlated and searched.
STORED = Path(__file__).with_name("stored_run")


#: What somebody may have done to a store, as SQL after which it is no longer the one that a command made.
HOSTILE_SQL = {
    "trigger that deletes": "CREATE TRIGGER t AFTER INSERT ON scores BEGIN DELETE FROM scores; END",
    "trigger that loops": """CREATE TRIGGER t BEFORE INSERT ON scores BEGIN SELECT (WITH RECURSIVE n(i) AS (SELECT 1
        UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n); END""",
    "view in place of the table": "ALTER TABLE scores RENAME TO kept; CREATE VIEW scores AS SELECT * FROM kept",
    "view that loops": """DROP TABLE scores; CREATE VIEW scores AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL
        SELECT i + 1 FROM n) SELECT 's0' space, i cell, 'params' proxy, '1' version, '' settings, 0 seed, 'ok' status,
        1.0 value, NULL cause, 0.0 seconds FROM n""",
    "view beside the table": "CREATE VIEW other AS SELECT * FROM scores",
    "table beside the table": "CREATE TABLE other (x)",
    "index on an expression": "CREATE INDEX i ON scores (abs(value))",
    "column beside the columns": "ALTER TABLE scores ADD COLUMN more TEXT",
    "column of another name": "ALTER TABLE scores RENAME COLUMN seconds TO time",
    "no table": "DROP TABLE scores",
    "virtual table": "DROP TABLE scores; CREATE VIRTUAL TABLE scores USING fts5(space, cell, proxy)",
    "text as score": "UPDATE scores SET value = 'high'",
    "blob as score": "UPDATE scores SET value = x'00ff'",
    "number as text as score": "UPDATE scores SET value = '1e400'",
    "infinite score": "UPDATE scores SET value = 9e999",
    "text as seconds": "UPDATE scores SET seconds = 'long'",
    "infinite seconds": "UPDATE scores SET seconds = -9e999",
    "text as seed": "UPDATE scores SET seed = 'x' || cell",
    "half a seed": "UPDATE scores SET seed = 0.5",
    "text as cell": "UPDATE scores SET cell = 'x' || cell",
    "blob as cell": "UPDATE scores SET cell = CAST('1' || cell AS BLOB)",
    "cell of no space": "UPDATE scores SET cell = cell + 1000000",
    "negative cell": "UPDATE scores SET cell = -cell",
    "another space": "UPDATE scores SET space = 'nb201'",
    "blob as proxy": "UPDATE scores SET proxy = CAST(proxy || cell AS BLOB)",
    "no UTF-8": "UPDATE scores SET cause = CAST(x'ff' AS TEXT) WHERE status != 'ok'; "
    "UPDATE scores SET version = CAST(x'ff' AS TEXT)",
    "unknown status": "PRAGMA ignore_check_constraints = ON; UPDATE scores SET status = 'fine'",
    "no score": "PRAGMA ignore_check_constraints = ON; UPDATE scores SET value = NULL",
    "score of what failed": "PRAGMA ignore_check_constraints = ON; UPDATE scores SET status = 'failed'",
    "schema of the future": "PRAGMA user_version = 2",
    "no schema": "PRAGMA user_version = 0",
    "table defined anew": """CREATE TABLE other AS SELECT * FROM scores; DROP TABLE scores;
        ALTER TABLE other RENAME TO scores""",
    "definition that lies": "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = 'CREATE TABLE scores (x)'",
    "name that lies": "PRAGMA writable_schema = ON; UPDATE sqlite_master SET name = 'x', tbl_name = 'x'",
    "page that lies": "PRAGMA writable_schema = ON; UPDATE sqlite_master SET rootpage = 1",
    "two of one name": "PRAGMA writable_schema = ON; INSERT INTO sqlite_master SELECT * FROM sqlite_master",
}

#: Values that a hand may write where another is right.
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 0.5, 10**30, float("nan"), float("inf")),
    *("", "x", "\x00", "\ud800", "3", [], {}, [None], [[]], {"x": None}, "params\nx", "../x"),
)


def damaged_bytes(content: bytes, seed: int) -> bytes:
    """Return the content of a file with some of its bytes changed, cut off, doubled or taken out."""
    chosen = random.Random(seed)
    at, length = chosen.randrange(max(1, len(content))), chosen.choice((1, 2, 8, 64, 512))
    kinds: list[Callable[[], bytes]] = [
        lambda: content[:at],
        lambda: content[at:],
        lambda: content[:at] + content[at + length :],
        lambda: content[:at] + content[at : at + length] + content[at:],
        lambda: content[:at] + chosen.randbytes(length) + content[at + length :],
        lambda: content[:at] + b"\x00" * length + content[at + length :],
        lambda: content[:at] + b"\xff" * length + content[at + length :],
        lambda: content[:at] + bytes([content[at] ^ 1 << chosen.randrange(8)]) + content[at + 1 :] if content else b"",
        lambda: b"",
        lambda: b"[" * 100_000 + content,
        lambda: b"\xef\xbb\xbf" + content,
    ]
    return chosen.choice(kinds)()


def edits(text: str) -> Iterator[str]:
    """Yield a JSON file's text with one of its values replaced or removed by hand, for every value in it."""
    content = json.loads(text)
    for path in _paths(content):
        for value in ODD_VALUES:
            yield json.dumps(_replaced(content, path, value))
        yield json.dumps(_removed(content, path))


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from _paths(item, (*path, key))


def _replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _replaced(value[path[0]], path[1:], new)
    return copy


def _removed(value: Any, path: tuple[Any, ...]) -> Any:
    copy = dict(value) if isinstance(value, dict) else list(value)
    if len(path) == 1:
        del copy[path[0]]
    else:
        copy[path[0]] = _removed(value[path[0]], path[1:])
    return copy


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(STORED, tmp_path / "run"))


def loaded(run: Path) -> tuple[Results | None, str]:
    try:
        return results.load(run), ""
    except InputError as error:
        return None, str(error)


def test_a_run_of_version_0_1_0_can_be_read_and_continued(run: Path) -> None:
    found = results.load(run)
    assert found.scores.groupby("proxy")["value"].count().to_dict() == {"nwot": 5, "params": 5}
    assert set(found.evidence["proxy"]) == {"nwot", "params"}
    assert found.search is not None
    assert found.method.targets == ["s0-diswot:distilled", "s0-diswot:vanilla"]
    assert not results.correlate(run).evidence.empty
    with Store(run_folder.store_path(run), create=False) as store:
        row = store.frame().iloc[0].to_dict()
        store.write([Record(**row | {"cell": 777, "seed": 0})])
        assert len(store.frame()) == 11


@pytest.mark.parametrize("name", HOSTILE_SQL)
def test_a_hostile_store_is_one_sentence(run: Path, name: str) -> None:
    path = run_folder.store_path(run)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(HOSTILE_SQL[name])
    before = path.read_bytes()
    with pytest.raises(InputError, match=rf"^store: {path} [^\n]+\.$"):
        results.load(run)
    assert path.read_bytes() == before


def test_a_damaged_file_is_one_sentence_or_changes_nothing(run: Path) -> None:
    whole = results.load(STORED)
    names = sorted(path.relative_to(STORED) for path in STORED.rglob("*") if path.is_file())
    outcomes = set()
    for seed, name in zip(range(80), itertools.cycle(names)):
        content = (STORED / name).read_bytes()
        (run / name).write_bytes(damaged_bytes(content, seed))
        found, sentence = loaded(run)
        outcomes.add("read" if found is not None else "refused")
        assert "\n" not in sentence
        assert len(sentence) < 500
        if found is not None and name.suffix != ".json":
            pd.testing.assert_frame_equal(found.scores, whole.scores)
        for leftover in run.glob("scores.sqlite-*"):
            leftover.unlink()
        (run / name).write_bytes(content)
    assert outcomes == {"refused", "read"}


@pytest.mark.parametrize("name", ["run.json", "search/search.json", "method.json", "cards.json"])
def test_json_edited_by_hand_is_one_sentence_or_read(run: Path, name: str) -> None:
    every = list(edits((STORED / name).read_text()))
    refused = 0
    for text in random.Random(0).sample(every, 25):
        (run / name).write_text(text)
        found, sentence = loaded(run)
        assert "\n" not in sentence
        assert found is None or len(found.scores) in (0, 5, 10)  # another name or version of a proxy has no scores
        refused += found is None
    assert refused > 8


def test_a_run_that_may_only_be_read_is_read(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    monkeypatch.setattr(files, "can_be_written", lambda path: False)
    assert len(results.load(run).scores) == 10
    assert not results.correlate(run, ("s0-diswot:vanilla",)).evidence.empty
    assert capsys.readouterr().err == f"{run} cannot be written to: nothing is kept there\n"
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


SMALL = ("--space", "s0", "--cells", "111,113", "--proxies", "params", "--batch-size", "2", "--device", "cpu")


def test_a_command_leaves_files_of_somebodys_own_alone(cli: Callable[..., Any], tmp_path: Path) -> None:
    own = tmp_path / "mine"
    own.mkdir()
    (own / "targets.csv").write_text("mine")
    (own / "accuracies.csv").write_text("mine")
    (own / "report.html").write_text("mine")
    evaluated = cli("evaluate", *SMALL, "--out", own)
    assert evaluated.status == 2
    assert f"--out: {own} holds report.html, targets.csv and no run.json" in evaluated.sentence
    main_job = cli("run", "--out", own)
    assert (main_job.status, "holds report.html and no run" in main_job.sentence) == (2, True)
    assert {path.name: path.read_text() for path in own.iterdir()} == dict.fromkeys(
        ("targets.csv", "accuracies.csv", "report.html"), "mine"
    )


def test_a_distillation_leaves_files_of_somebodys_own_alone(tmp_path: Path) -> None:
    (tmp_path / "accuracies.csv").write_text("mine")
    with pytest.raises(InputError, match=r"holds accuracies\.csv and no distillation\.json"):
        run_folder._refuse_somebodys("--out", tmp_path, "distillation.json")


def test_options_do_not_write_over_a_runs_own_files(cli: Callable[..., Any], run: Path) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for line in (
        ("evaluate", *SMALL, "--out", run, "--export", run / "evidence.csv"),
        ("correlate", run, "--out", run),
        ("correlate", run, "--out", run / "targets.csv"),
        ("bench", "--space", "s0", "--proxies", "params", "--out", run / "correlations.csv"),
        ("check", "params", "--junit", run / "run.json"),
    ):
        said = cli(*line)
        assert said.status == 2
        assert f"is a file that the run in {run} keeps" in said.sentence
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_report_of_a_run_that_may_only_be_read_lies_elsewhere(
    cli: Callable[..., Any], run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writable = files.can_be_written
    monkeypatch.setattr(files, "can_be_written", lambda path: run not in (path, *path.parents) and writable(path))
    refused = cli("report", run)
    assert (refused.status, "--out FOLDER writes the page and its figures elsewhere" in refused.sentence) == (2, True)
    said = cli("report", run, "--out", tmp_path / "page", "--figures", "bars")
    assert said.status == 0
    assert (tmp_path / "page" / "report.html").is_file()
    assert (tmp_path / "page" / "run" / "figures" / "correlations.png").is_file()
    assert f"figures and their data in {tmp_path / 'page' / 'run' / 'figures'}" in said.out
    assert not (run / "figures").exists()


def test_other_instructions_are_refused_by_the_command(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MKL_CBWR", raising=False)
    assert cli("evaluate", *SMALL, "--out", tmp_path / "new").status == 0
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    said = cli("evaluate", *SMALL, "--out", tmp_path / "new")
    assert said.status == 2
    assert "MKL_CBWR COMPATIBLE (there: not set)" in said.sentence
