"""Damaged files: what reads one says so in a sentence, or answers as if it were whole.

One file of the folder is damaged in a way that hypothesis draws, and every example then runs one command that reads it.
A file of a finished run may not change a number in silence; of a user's table no one can tell.
"""

from __future__ import annotations

import json
import math
import pickle
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from hypothesis import reject
from hypothesis import strategies as st
from pyarrow import parquet

RESUME = "evaluate --space s0 --batch-size 2 --teacher s0:111 --workers 1 --device cpu --no-shipped --proxies params"
STUDENTS = (
    "distill --cells 111, --image-dir images --set C=4 --set samples=64 --set epochs=1 --set batch_size=32 "
    "--workers 1 --device cpu --out distillation"
)
CORRELATE = "correlate run --json"
SEARCH = "search run --proxy params --searches 2 --evaluations 6 --population 3 --json"
REPORT = "report run --figures bars"
LOAD = "load"

#: Which commands read a file. `report` takes a second and reads what `correlate` reads, and a search.
READERS = {
    "run/run.json": (CORRELATE, SEARCH, LOAD, f"{RESUME} --cells 20 --out run"),
    "run/scores.sqlite": (CORRELATE, SEARCH, LOAD, f"{RESUME} --cells 20 --out run"),
    "run/targets.csv": (LOAD, CORRELATE),
    "run/correlations.csv": (LOAD, CORRELATE),
    "run/evidence.csv": (LOAD, CORRELATE),
    "run/cards.json": (LOAD, CORRELATE),
    "run/method.json": (LOAD, CORRELATE),
    "run/relations.npz": (REPORT.replace("bars", "relations"),),
    "run/costs.csv": (SEARCH, REPORT.replace("bars", "cost")),
    "run/search/search.json": (LOAD, REPORT),
    "run/search/curves.csv": (LOAD, REPORT),
    "run/search/picks.csv": (LOAD,),
    "run/search/summary.csv": (LOAD,),
    "run/search/teachers.csv": (LOAD,),
    "distillation/distillation.json": (f"{STUDENTS} --teacher teacher.pt",),
    "distillation/trainings.sqlite": (f"{STUDENTS} --teacher teacher.pt",),
    "distillation/trainings.csv": (f"{STUDENTS} --teacher teacher.pt --merge distillation/trainings.csv",),
    "distillation/teacher.pt": (f"{STUDENTS} --teacher teacher.pt",),
    "distillation/accuracies.csv": ("tables show distillation/accuracies.csv",),
    "distillation/accuracies.csv.card.json": ("tables show distillation/accuracies.csv",),
    "images/cifar-10-batches-py/data_batch_3": (f"{RESUME} --cells 111, --images cifar10 --image-dir images",),
    "table.csv": ("tables show table.csv --space s0", f"{CORRELATE} --target table.csv", f"{RESUME} --cells table.csv"),
    "table.parquet": ("tables show table.parquet --space s0", f"{CORRELATE} --target table.parquet"),
    "table.json": ("tables show table.json --space s0", f"{CORRELATE} --target table.json"),
    "cells.txt": (f"{RESUME} --cells cells.txt",),
    "settings.toml": (f"{RESUME} --config settings.toml",),
    "plugin.py": (
        "proxies list --plugin plugin.py",
        f"{RESUME} --cells 111, --plugin plugin.py",
        "check plugin.py --only needs",
    ),
    "teacher.pt": (f"{STUDENTS} --teacher teacher.pt", "tables import teacher.pt --out imported.parquet"),
}


@dataclass(frozen=True)
class Damage:
    """What is done to a file.

    Attributes:
        text: says it, so that it can be done by hand.
        do: does it.
        tells: whether a store of scores shows it: not what may leave another score in place of one.
    """

    text: str
    do: Callable[[Path], object]
    tells: bool = True

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # Hypothesis prints a failing example by this.
        printer.text(self.text)


def _bytes(text: str, change: Callable[[bytes], bytes], tells: bool = True) -> Damage:
    return Damage(text, lambda path: path.write_bytes(change(path.read_bytes())), tells)


def _flipped(content: bytes, share: float, bit: int) -> bytes:
    place = min(int(share * len(content)), len(content) - 1)  # a share may be rounded to 1
    return content[:place] + bytes([content[place] ^ (1 << bit)]) + content[place + 1 :] if content else b"\x00"


def _with_random(content: bytes, share: float, seed: int) -> bytes:
    place, some = int(share * len(content)), random.Random(seed).randbytes(64)
    return content[:place] + some + content[place + 64 :]


def _becomes_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


OTHERS = ("run/run.json", "run/scores.sqlite", "table.csv", "table.parquet", "table.json", "teacher.pt", "plugin.py")

SHARES = st.floats(0, 1, exclude_max=True).map(lambda share: round(share, 3))


def of_bytes() -> st.SearchStrategy[Damage]:
    """Damage of any file."""
    constant = (
        _bytes("is empty", lambda content: b""),
        _bytes("begins with a byte order mark", lambda content: b"\xef\xbb\xbf" + content),
        _bytes("is in UTF-16", lambda content: content.decode("latin-1").encode("utf-16")),
        _bytes("is there twice", lambda content: content * 2),
        _bytes("ends in zeros", lambda content: content + bytes(4096)),
        _bytes("is zeros", lambda content: bytes(len(content))),
        _bytes("is 100,000 brackets", lambda content: b"[" * 100_000),
        _bytes("is no UTF-8", lambda content: content + b"\xff\xfe"),
        Damage("is missing", Path.unlink),
        Damage("is a folder", _becomes_folder),
    )
    return st.one_of(
        st.sampled_from(constant),
        st.builds(
            lambda share: _bytes(f"is cut at {share}", lambda content: content[: int(share * len(content))]), SHARES
        ),
        st.builds(
            lambda share, bit: _bytes(
                f"has bit {bit} at {share} flipped", lambda content: _flipped(content, share, bit), tells=False
            ),
            SHARES,
            st.integers(0, 7),
        ),
        st.builds(
            lambda share, seed: _bytes(
                f"has 64 bytes at {share} of random.Random({seed})",
                lambda content: _with_random(content, share, seed),
                tells=False,
            ),
            SHARES,
            st.integers(0, 9),
        ),
        st.sampled_from(OTHERS).map(
            lambda other: Damage(f"is a copy of {other}", lambda path: path.write_bytes(Path(other).read_bytes()))
        ),
    )


#: What a value of a JSON file may become, as it is written there.
LITERALS = (
    *(
        "null",
        "true",
        "0",
        "-1",
        "1.5",
        "NaN",
        "Infinity",
        "1e999",
        str(10**30),
        "9" * 5000,
        '""',
        '"nan"',
        '"\\ud800"',
    ),
    *('"\\u0000"', '"' + "x" * 20_000 + '"', "[]", "{}", '[{"a": 1}]', "[" * 500 + "]" * 500, '"<script>"'),
)


def _places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inside:
        yield from _places(below, (*at, key))


def _edited(content: bytes, share: float, edit: Callable[[Any, Any], object], hole: str, literal: str) -> bytes:
    whole = {"": json.loads(content)}
    places = [at for at in _places(whole) if at]
    *above, key = places[min(int(share * len(places)), len(places) - 1)]
    holder = whole
    for step in above:
        holder = holder[step]
    edit(holder, key)
    return json.dumps(whole.get("")).replace(f'"{hole}"', literal).encode()


def of_json() -> st.SearchStrategy[Damage]:
    """Damage of a JSON file that is JSON still: a value of another type, a key that lacks or is too many."""
    hole = "what is put in"

    def put(share: float, literal: str) -> Damage:
        def edit(holder: Any, key: Any) -> None:
            holder[key] = hole

        return _bytes(
            f"has {literal[:30]} as value {share}", lambda content: _edited(content, share, edit, hole, literal)
        )

    def remove(share: float) -> Damage:
        return _bytes(
            f"lacks value {share}",
            lambda content: _edited(content, share, lambda holder, key: holder.pop(key), hole, ""),
        )

    def add(share: float) -> Damage:
        def edit(holder: Any, key: Any) -> None:
            if isinstance(holder[key], dict):
                holder[key]["more"] = hole
            elif isinstance(holder[key], list):
                holder[key].append(hole)

        return _bytes(f"has more in value {share}", lambda content: _edited(content, share, edit, hole, '{"a": [1]}'))

    return st.one_of(
        st.builds(put, SHARES, st.sampled_from(LITERALS)), st.builds(remove, SHARES), st.builds(add, SHARES)
    )


def _sql(statement: str) -> Damage:
    def run(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA ignore_check_constraints = 1")
            connection.executescript(statement)

    return Damage(f"after `{statement}`", run)


def of_sqlite(table: str, value: str) -> st.SearchStrategy[Damage]:
    """Damage of a store that is SQLite still."""
    one = f"WHERE cell = (SELECT min(cell) FROM {table})"
    again = f"DROP TABLE {table}; ALTER TABLE kept RENAME TO {table}"
    kept = "space, cell, version, settings, seed, status, cause, seconds"
    plain = (
        f"CREATE TRIGGER t AFTER INSERT ON {table} BEGIN DELETE FROM {table}; END",
        f"CREATE TRIGGER t BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'no'); END",
        f"ALTER TABLE {table} RENAME TO kept; CREATE VIEW {table} AS SELECT * FROM kept",
        f"DROP TABLE {table}; CREATE VIEW {table} AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "
        f"SELECT 's0' AS space, x AS cell, 'params' AS proxy, '1' AS version, '' AS settings, 0 AS seed, "
        f"'ok' AS status, 1.0 AS {value}, '' AS cause, 0.0 AS seconds FROM n",
        f"DROP TABLE {table}",
        f"ALTER TABLE {table} RENAME COLUMN seconds TO minutes",
        f"ALTER TABLE {table} ADD COLUMN more TEXT DEFAULT 'more'",
        f"CREATE TABLE kept AS SELECT * FROM {table}; {again}",
        f"CREATE TABLE kept AS SELECT {kept} FROM {table}; {again}",
        f"CREATE TABLE kept AS SELECT * FROM {table} UNION ALL SELECT * FROM {table}; {again}",
        f"UPDATE {table} SET status = 'good' {one}",
        f"UPDATE {table} SET status = x'ff' {one}",
        f"UPDATE {table} SET space = 'nb201' {one}",
        *(f"UPDATE {table} SET {name} = x'ff' {one}" for name in ("space", "version", "settings", "cause")),
        *(f"PRAGMA user_version = {number}" for number in (0, 2, 99, -1, 2**31 - 1)),
        "PRAGMA journal_mode = DELETE",
    )
    # A finite number in place of another one is a score like any other.
    contents = ("'many'", "x'00ff'", "9e999", "NULL", "'\N{SNOWMAN}'", "-1", "4611686018427387904", "0.5")
    put = st.builds(
        lambda name, content: _sql(
            f"UPDATE OR REPLACE {table} SET {name} = {content} {one}", tells=content in contents[:5] or name != value
        ),
        st.sampled_from((value, "seconds", "cell", "seed")),
        st.sampled_from(contents),
    )
    return st.one_of(st.sampled_from(plain).map(_sql), put)


def _sql(statement: str, tells: bool = True) -> Damage:
    def run(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA ignore_check_constraints = 1")
            try:
                connection.executescript(statement)
            except sqlite3.Error:  # SQLite itself keeps such damage away
                reject()

    return Damage(f"after `{statement}`", run, tells)


def of_parquet() -> st.SearchStrategy[Damage]:
    """Damage of a Parquet file that is Parquet still."""

    def rewritten(text: str, change: Callable[[pa.Table], pa.Table]) -> Damage:
        return Damage(text, lambda path: parquet.write_table(change(parquet.read_table(path)), path))

    def says(metadata: str) -> Damage:
        return rewritten(
            f"has pandas' metadata {metadata[:60]}",
            lambda table: table.replace_schema_metadata({b"pandas": metadata.encode()}),
        )

    def holds(values: pa.Array) -> Damage:
        def change(table: pa.Table) -> pa.Table:
            return table.slice(0, len(values)).set_column(1, "accuracy", values)

        return rewritten(f"has accuracies {values.type}", change)

    index = '{"index_columns": [%s], "columns": [], "column_indexes": []}'
    column = (
        '{"index_columns": [], "columns": [{"name": "cell", "field_name": "cell", "pandas_type": "%s", '
        '"numpy_type": "%s", "metadata": %s}], "column_indexes": []}'
    )
    return st.sampled_from(
        (
            *map(says, ("", "no JSON", "[]", "{}", "[" * 100_000, index % '"nowhere"', index % "7", index % "null")),
            says(index % '{"kind": "range", "name": null, "start": 0, "stop": 1000000000000, "step": 1}'),
            says(index % '{"kind": "range", "name": null, "start": 0, "stop": 3, "step": 0}'),
            says(index % '{"kind": "range"}'),
            says(column % ("datetimetz", "datetime64[ns]", '{"timezone": "Nowhere/Nothing"}')),
            says(column % ("categorical", "int8", '{"num_categories": 1000000000, "ordered": false}')),
            says(column % ("object", "no such type", "null")),
            holds(pa.array(["many", "\N{SNOWMAN}"])),
            holds(pa.array([b"\xff", b""])),
            holds(pa.array([[90.0], []])),
            holds(pa.array([{"a": 90.0}, None])),
            holds(pa.array([True, False])),
            holds(pa.nulls(2)),
            holds(pa.array([2**63, 1], pa.uint64())),
            holds(pa.array([math.inf, math.nan])),
            holds(pa.array([0, 1], pa.timestamp("ns"))),
            holds(pa.array([0, 1], pa.decimal128(38, 30))),
            holds(pa.array(["90", "91"]).dictionary_encode()),
            rewritten("has no row", lambda table: table.slice(0, 0)),
            rewritten("has no column", lambda table: table.select([])),
            rewritten("has a column twice", lambda table: table.append_column("accuracy", table["accuracy"])),
            rewritten("has a column without a name", lambda table: table.append_column("", table["accuracy"])),
        )
    )


class _Call:
    # What a hostile pickle does when it is loaded.
    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (EXECUTED, "w")


#: What is there when a file's code was carried out.
EXECUTED = "executed"


def of_pickle() -> st.SearchStrategy[Damage]:
    """Other contents of a pickle, and of a file of torch's."""
    cyclic: list[Any] = []
    cyclic.append(cyclic)
    tensors = {"conv.weight": torch.full((2, 2), torch.nan), "\udce9": torch.zeros(0), 7: torch.ones(1).to_sparse()}
    contents = (
        None,
        7,
        "text",
        [],
        {},
        cyclic,
        {b"data": 7, b"labels": "x"},
        {"net": {}},
        {"state_dict": None},
        _Call(),
    )
    odd = (*contents, tensors, {b"data": b"", b"labels": [2**70] * 40})
    ways: tuple[tuple[str, Callable[[Any, Path], object]], ...] = (
        ("pickle.dumps", lambda content, path: path.write_bytes(pickle.dumps(content))),
        ("torch.save", torch.save),
    )
    return st.builds(
        lambda content, way: Damage(f"is {way[0]} of {content!r:.60}", lambda path: way[1](content, path)),
        st.sampled_from(odd),
        st.sampled_from(ways),
    )


def of_texts(*texts: str) -> st.SearchStrategy[Damage]:
    """Other contents of a file of text, one a time."""
    return st.sampled_from(texts).map(
        lambda text: _bytes(f"is {text!r:.60}", lambda content: text.encode("utf-8", "surrogateescape"))
    )


#: Damage that a kind of file alone can have, by the end of its name.
OWN = {
    ".json": of_json(),
    "scores.sqlite": of_sqlite("scores", "value"),
    "trainings.sqlite": of_sqlite("trainings", "accuracy"),
    ".parquet": of_parquet(),
    ".pt": of_pickle(),
    "data_batch_3": of_pickle(),
    ".csv": of_texts(
        *("cell", "cell,accuracy", "cell,accuracy\n", "cell,cell\n111,90\n", "cell,\n111,90\n", "cell,a\n111,nan\n"),
        *("cell,a\n111,90,91\n", 'cell,a\n"111,90\n', "cell,a\n" + "1" * 5000 + ",90\n", "cell,a\n111,1e999\n"),
        *("cell,a\n111,3000\n", "cell,a\n111,-20\n", "cell,a\n111,.5\n113,.6\n", "cell," + "a" * 20_000 + "\n111,90\n"),
        *(
            "cell," + ",".join(f"a{n}" for n in range(10_000)) + "\n",
            "cell;a\n111;90\n",
            "\0",
            "cell,\x1b[31m\n111,90\n",
        ),
        *('cell,a\n111,"' + "x" * 200_000 + '"\n', "cell,caf\udce9\n111,90\n", "cell,a\r111,90\r", "=1+1,a\n111,90\n"),
    ),
    "cells.txt": of_texts(
        *(
            "\n",
            "111\n111\n",
            "111.0\n",
            "1" * 5000,
            "111 # one\n",
            "-1\n",
            "111\0\n",
            "all\n",
            "\N{ARABIC-INDIC DIGIT ONE}\n",
        ),
        *("cells.txt\n", "caf\udce9\n", "111,113\n", "111\r113\r", "111\n" * 100_000, "|" * 20_000),
    ),
    ".toml": of_texts(
        *("x", "cells = [111, [113]]", "cells = {a = 1}", "[cells]", "[[cells]]", "cells = 1e400", "cells = nan"),
        *(
            "cells = 1979-05-27",
            "cells = " + "[" * 10_000,
            'space = "s0\\u0000"',
            "cells = true",
            'plugin = ["a", [1]]',
        ),
        *(
            "a." * 5000 + "b = 1",
            'out = ""',
            'out = "\\u0000"',
            "batch-size = " + "9" * 5000,
            "workers = -1",
            "config = 'x'",
        ),
    ),
    ".py": of_texts(
        *(
            "from diswot import proxies",
            "raise SystemExit(0)",
            "raise KeyboardInterrupt",
            "(" * 5000,
            "# coding: nowhere",
            "x = '\0'",
        ),
        *(
            "import sys; sys.exit()",
            "raise BaseException",
            "class E(Exception):\n def __str__(self): raise ValueError\nraise E",
        ),
        *("raise ValueError('caf\\udce9')", "import nowhere", "def x(", "\0", "caf\udce9", "print('noise')", "1 / 0"),
        *(
            f"from diswot import proxies\n@proxies.register({arguments})\ndef mine(trace): return 1.0\n"
            for arguments in (
                *(
                    "",
                    "needs=7, source=''",
                    "needs=['nowhere'], source=''",
                    "needs=[], source=object()",
                    "needs=[], source=None",
                ),
                *(
                    "needs=[], source='', version=1",
                    "needs=[], source='', direction='up'",
                    "needs=[], source='\\udce9'",
                ),
                *(
                    "needs=[], source='', family=7",
                    "needs=[], source='', time_limit='x'",
                    "needs=[], source='', nowhere=1",
                ),
            )
        ),
    ),
}


def damages(path: str) -> st.SearchStrategy[Damage]:
    """Draw damage of a file."""
    own = [strategy for end, strategy in OWN.items() if path.endswith(end)]
    return st.one_of(of_bytes(), *own)


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # numpy's, of a damaged archive
@pytest.mark.parametrize("path", READERS)
def test_damaged_file_is_told_or_changes_nothing(path: str, playground: Any, explore: Callable[..., None]) -> None:
    whole: dict[str, Any] = {}

    def numbers_of(command: str) -> Any:
        if command not in whole:
            with playground.renewed():
                whole[command] = _numbers(_run(playground, command))
        return whole[command]

    def check(damage: Damage, command: str) -> None:
        is_told = command in JUDGED and path in TOLD and (damage.tells or path != "run/scores.sqlite")
        expected = numbers_of(command) if is_told else None
        with playground.renewed() as here:
            damage.do(here / path)
            answer = _run(playground, command)
            faults = answer.faults()
            if (here / EXECUTED).exists():
                faults.append("carries out what the file says")
        if expected is not None and answer.status == 0 and not answer.err.strip() and _numbers(answer) != expected:
            faults.append("prints other numbers and says nothing")
        if faults:
            how = f"in a copy of {playground.template} {path} {damage.text}: diswot {command}"
            said = f"{answer.out[-500:]}{answer.err[-1000:]}"
            raise AssertionError(f"{'; '.join(faults)}\n  {how}\n{said}") from answer.error

    explore(check, how_many(path), damage=damages(path), command=st.sampled_from(READERS[path]))


#: Commands that print what they make of a run anew, and the files that must not change it in silence.
JUDGED = (CORRELATE, SEARCH)
TOLD = (
    *("run/run.json", "run/scores.sqlite", "run/targets.csv", "run/correlations.csv", "run/evidence.csv"),
    *("run/cards.json", "run/method.json"),
)

#: How many damages of a file are tried; of the others eight. A figure takes a second.
COUNTS = {
    **{"run/run.json": 40, "run/scores.sqlite": 50, "table.csv": 20, "table.parquet": 25, "table.json": 15},
    **{"plugin.py": 25, "settings.toml": 15, "cells.txt": 15, "run/relations.npz": 4, "run/costs.csv": 4},
}


def how_many(path: str) -> int:
    """Return how many damages of a file are tried."""
    return COUNTS.get(path, 8)


def test_damages_are_enough() -> None:
    assert sum(map(how_many, READERS)) >= 300


def _run(playground: Any, command: str) -> Any:
    return playground.load() if command == LOAD else playground.run(*command.split())


def _numbers(answer: Any) -> Any:
    return json.loads(answer.out) if answer.status == 0 else None
