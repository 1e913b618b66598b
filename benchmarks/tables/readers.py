"""Files with columns, read as they stand: every value with the place that an error text can name."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmarks.errors import InputError
from benchmarks.paths import expanded


@dataclass(frozen=True)
class Rows:
    """The columns of a file.

    Attributes:
        columns: the values of every column, row by row.
        places: how to name each row to the user ("line 5", "key '713'").
    """

    columns: dict[str, list[object]]
    places: list[str]


def stem(path: str | Path) -> str:
    """Return the name of a file without folder and suffix.

    Raises:
        InputError: if the suffix is none of `SUFFIXES`.
    """
    name = Path(path).name
    suffix = _suffix(path)
    if suffix is None:
        raise InputError(f"table: '{path}' is not a table; its name must end in {', '.join(SUFFIXES)}.")
    return name[: -len(suffix)]


def read(path: str | Path) -> Rows:
    """Read a file by its suffix.

    Raises:
        InputError: if the file is missing, damaged, empty, has another suffix, or a column twice.
    """
    stem(path)
    file = expanded("table", path)
    try:
        return _READERS[_suffix(path) or ""](file)
    except InputError as error:
        raise InputError(f"table: '{path}' {error}") from error
    except OSError as error:
        raise InputError(f"table: '{path}' cannot be read: {error.strerror or error}.") from error
    # A wrong encoding and broken JSON are ValueErrors, as is pyarrow's ArrowInvalid.
    except (ValueError, EOFError, zlib.error, csv.Error, RecursionError) as error:
        kind = (_suffix(path) or "").lstrip(".")
        detail = str(error).partition("\n")[0]
        raise InputError(f"table: '{path}' cannot be read as {kind} ({detail}).") from error


def _suffix(path: str | Path) -> str | None:
    name = str(path).lower()
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), None)


def _csv(path: Path) -> Rows:
    return _csv_text(path.read_bytes())


def _csv_gz(path: Path) -> Rows:
    return _csv_text(gzip.decompress(path.read_bytes()))


def _csv_text(content: bytes) -> Rows:
    # utf-8-sig, because spreadsheets write a mark in front that would become part of the first name.
    lines = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
    header = [name.strip() for name in next(lines, [])]
    if not header:
        raise InputError("is empty.")
    _refuse_twice(header)
    values: list[list[str]] = []
    places = []
    for fields in lines:
        if not fields:
            continue
        if len(fields) != len(header):
            raise InputError(f"has {len(fields)} fields in line {lines.line_num}; its first line has {len(header)}.")
        values.append(fields)
        places.append(f"line {lines.line_num}")
    return Rows({name: [fields[number] for fields in values] for number, name in enumerate(header)}, places)


def _parquet(path: Path) -> Rows:
    try:
        frame = pd.read_parquet(path)
    except OSError:
        raise
    except Exception as error:  # a damaged file, or pandas' own notes in it that lie, may raise anything
        raise ValueError(str(error)) from error
    if any(name is not None for name in frame.index.names):  # a cell index that pandas stored beside the columns
        frame = frame.reset_index()
    header = [str(name) for name in frame.columns]
    _refuse_twice(header)
    columns = {name: frame.iloc[:, number].tolist() for number, name in enumerate(header)}
    return Rows(columns, [f"row {number}" for number in range(1, len(frame) + 1)])


def _json(path: Path) -> Rows:
    content = json.loads(path.read_bytes(), object_pairs_hook=_object)
    if not isinstance(content, dict):
        raise InputError(f"holds a JSON {type(content).__name__}; it must be an object, {{index: accuracy}}.")
    if not content:
        raise InputError("is empty; it must be an object, {index: accuracy}.")
    nested = [isinstance(value, dict) for value in content.values()]
    if any(nested) and not all(nested):
        lone = next(key for key, value in content.items() if not isinstance(value, dict))
        raise InputError(f"gives columns for some cells but a single value for '{lone}'; use one form.")
    rows = content if any(nested) else {key: {"accuracy": value} for key, value in content.items()}
    names = dict.fromkeys(name for row in rows.values() for name in row)
    columns: dict[str, list[object]] = {"cell": list(rows)}
    if "cell" in names:
        raise InputError("has a column 'cell'; in JSON the keys are the cells.")
    columns.update({name: [row.get(name) for row in rows.values()] for name in names})
    return Rows(columns, [f"key '{key}'" for key in rows])


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    _refuse_twice([key for key, _ in pairs])
    return dict(pairs)


def _refuse_twice(names: list[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(f"has '{twice[0]}' twice.")


_READERS: dict[str, Callable[[Path], Rows]] = {
    ".csv": _csv,
    ".csv.gz": _csv_gz,
    ".parquet": _parquet,
    ".json": _json,
}

#: The endings by which a file is known.
SUFFIXES = tuple(_READERS)
