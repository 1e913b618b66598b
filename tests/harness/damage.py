"""Damaged run files and hostile stores, from a seed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

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
