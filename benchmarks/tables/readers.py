"""Files with columns, read as they stand: every value with the place that an error text can name."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import reprlib
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

import pandas as pd

from diswot.benchmarks.errors import InputError, printable
from diswot.benchmarks.parsing import MOST_DIGITS
from diswot.benchmarks.paths import expanded

#: What the column of the cells is called.
CELL_COLUMNS = ("cell", "index", "arch", "arch_str")

#: The largest table: bytes on disk and unpacked, rows or lines, columns, fields, and characters of a column's name.
MOST_BYTES = 64 << 20
MOST_ROWS = 100_000
MOST_COLUMNS = 1000
MOST_FIELDS = 10_000_000
MOST_LETTERS = 200

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60

_JSON_FORMS = "{cell: accuracy}, {cell: {column: accuracy}}, or a list of {'cell': ..., column: accuracy}"


def stem(path: str | Path) -> str:
    """Return the name of a file without folder and suffix; bytes that are no UTF-8 stand as escapes.

    Raises:
        InputError: if the suffix is none of `SUFFIXES`.
    """
    name = Path(path).name
    suffix = _suffix(path)
    if suffix is None:
        raise InputError(f"table: '{path}' is not a table; its name must end in {', '.join(SUFFIXES)}.")
    return printable(name[: -len(suffix)])


def quoted(value: object) -> str:
    """Return a value in quotation marks, shortened to fit a sentence."""
    text = _SHORT.repr(value) if isinstance(value, (list, dict)) else str(value)
    return _SHORT.repr(text)


def read(path: str | Path) -> pd.DataFrame:
    """Read a file by its suffix.

    Returns:
        Its columns as they stand. The index says how to name each row to the user: ``line 5``, ``key '713'``.

    Raises:
        InputError: if the file is missing, damaged, empty, too large, has another suffix, or a column twice.
    """
    from pyarrow.lib import ArrowException

    stem(path)
    file = expanded("table", path)
    suffix = _suffix(path) or ""
    try:
        with file.open("rb") as stream:
            return _READERS[suffix](stream)
    except InputError as error:
        raise InputError(f"table: '{path}' {error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"table: '{path}' cannot be read as {suffix[1:]} (its text is not utf-8).") from error
    except OSError as error:
        raise InputError(f"table: '{path}' cannot be read: {error.strerror or error}.") from error
    # Broken JSON is a ValueError. What pandas says of its own data in a Parquet file may be damaged in many ways.
    except (
        ArrowException,
        ArithmeticError,
        AttributeError,
        EOFError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
        csv.Error,
        zlib.error,
    ) as error:
        detail = str(error).partition("\n")[0][:200]
        raise InputError(f"table: '{path}' cannot be read as {suffix[1:]} ({detail}).") from error


def _suffix(path: str | Path) -> str | None:
    name = str(path).lower()
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), None)


def _content(file: IO[bytes] | gzip.GzipFile) -> bytes:
    content = file.read(MOST_BYTES + 1)
    _refuse_large(len(content))
    return content


def _refuse_large(size: int) -> None:
    if size > MOST_BYTES:
        raise InputError(f"is too large; a table has at most {MOST_BYTES >> 20} MiB, also when it is unpacked.")


def _csv(file: IO[bytes] | gzip.GzipFile) -> pd.DataFrame:
    # utf-8-sig, because spreadsheets write a mark in front that would become part of the first name.
    text = io.TextIOWrapper(io.BytesIO(_content(file)), encoding="utf-8-sig", newline="")
    lines = csv.reader(_bounded(text), strict=True)
    first = next(lines, [])
    if len(first) == 1 and re.search("[;\t]", first[0]):
        raise InputError(f"has one column, {quoted(first[0])}; columns are separated by commas, decimals by a point.")
    header = _header(first)
    values: list[list[str]] = []
    places = []
    for fields in lines:
        if not fields:
            continue
        if len(fields) != len(header):
            raise InputError(f"has {len(fields)} fields in line {lines.line_num}; its first line has {len(header)}.")
        values.append(fields)
        places.append(f"line {lines.line_num}")
        _refuse_long(len(values), len(header))
    return pd.DataFrame(values, places, header, dtype=object)


def _csv_gz(file: IO[bytes]) -> pd.DataFrame:
    with gzip.open(file) as unpacked:
        return _csv(unpacked)


def _bounded(lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        _refuse_long(number, 1)
        _refuse_wide(line.count(",") + 1)
        yield line


def _parquet(file: IO[bytes]) -> pd.DataFrame:
    from pyarrow import parquet, types

    content = io.BytesIO(_content(file))
    stored = parquet.ParquetFile(content)
    schema, sizes = stored.schema_arrow, stored.metadata
    names = _header(schema.names)
    nested = next((field.name for field in schema if types.is_nested(field.type)), None)
    if nested is not None:
        raise InputError(f"has several values in a field of the column {quoted(nested)}; a field holds one.")
    _refuse_long(sizes.num_rows, len(names))
    _refuse_large(sum(sizes.row_group(number).total_byte_size for number in range(sizes.num_row_groups)))
    # A text that many rows share stays one text: written out for each, a small file could fill the memory.
    texts = [name for name, kind in zip(schema.names, schema.types, strict=True) if not types.is_primitive(kind)]
    frame = parquet.ParquetFile(content, read_dictionary=texts).read().to_pandas()
    if any(name is not None for name in frame.index.names):  # a cell index that pandas stored beside the columns
        frame = frame.reset_index()
    frame.columns = pd.Index(_header([str(name) for name in frame.columns]))
    texts = [name for name, kind in frame.dtypes.items() if isinstance(kind, pd.CategoricalDtype)]
    return frame.astype(dict.fromkeys(texts, object)).set_axis([f"row {number + 1}" for number in range(len(frame))])


def _json(file: IO[bytes]) -> pd.DataFrame:
    def whole(digits: str) -> int | str:
        return int(digits) if len(digits) <= MOST_DIGITS else digits

    content = json.loads(_content(file).decode("utf-8-sig"), object_pairs_hook=_object, parse_int=whole)
    if isinstance(content, list):
        return _records(content)
    if not isinstance(content, dict):
        raise InputError(f"holds a JSON {type(content).__name__}; it must be {_JSON_FORMS}.")
    if not content:
        raise InputError(f"is empty; it must be {_JSON_FORMS}.")
    nested = [isinstance(value, dict) for value in content.values()]
    if any(nested) and not all(nested):
        lone = next(key for key, value in content.items() if not isinstance(value, dict))
        raise InputError(f"gives columns for some cells but a single value for {quoted(lone)}; use one form.")
    rows = content if any(nested) else {key: {"accuracy": value} for key, value in content.items()}
    if any("cell" in row for row in rows.values()):
        raise InputError("has a column 'cell'; in this form of JSON the keys are the cells.")
    return _by_name([{"cell": key, **row} for key, row in rows.items()], [f"key {quoted(key)}" for key in rows])


def _records(rows: list[object]) -> pd.DataFrame:
    if not rows:
        raise InputError(f"is empty; it must be {_JSON_FORMS}.")
    _refuse_long(len(rows), 1)
    records = [row for row in rows if isinstance(row, dict)]
    if len(records) < len(rows):
        raise InputError(f"holds a JSON list; it must be {_JSON_FORMS}.")
    return _by_name(records, [f"record {number}" for number in range(1, len(records) + 1)])


def _by_name(rows: list[dict[str, object]], places: list[str]) -> pd.DataFrame:
    written = list(dict.fromkeys(name for row in rows for name in row))
    names = _header(written)
    _refuse_long(len(rows), len(names))
    return pd.DataFrame(rows, places, written, dtype=object).set_axis(names, axis="columns")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    _refuse_twice([key for key, _ in pairs])
    return dict(pairs)


def _header(names: list[str]) -> list[str]:
    """Return the names of the columns without space around them, if a table can have these."""
    _refuse_wide(len(names))
    stripped = [name.strip() for name in names]
    if not stripped:
        raise InputError("is empty.")
    for name in stripped:
        if len(name) > MOST_LETTERS:
            raise InputError(f"has a column's name of {len(name)} characters; it may have {MOST_LETTERS}.")
        if not name.isprintable():
            raise InputError(f"has the column {name!r}; a name has no line breaks or other characters without a sign.")
    _refuse_twice(stripped)
    return stripped


def _refuse_wide(columns: int) -> None:
    if columns > MOST_COLUMNS:
        raise InputError(f"has {columns} columns; a table has at most {MOST_COLUMNS}.")


def _refuse_long(rows: int, columns: int) -> None:
    if rows > MOST_ROWS or rows * columns > MOST_FIELDS:
        raise InputError(f"has more than {MOST_ROWS} rows or {MOST_FIELDS} fields; a table has one row a cell.")


def _refuse_twice(names: list[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(f"has {quoted(twice[0])} twice.")


_READERS: dict[str, Callable[[IO[bytes]], pd.DataFrame]] = {
    ".csv": _csv,
    ".csv.gz": _csv_gz,
    ".parquet": _parquet,
    ".json": _json,
}

#: The endings by which a file is known.
SUFFIXES = tuple(_READERS)
