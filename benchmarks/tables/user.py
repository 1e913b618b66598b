"""Accuracy tables of the user's: CSV, Parquet, or JSON ``{index: accuracy}``.

A row names its cell in a column called ``cell``, ``index``, ``arch`` or ``arch_str``, as its space does: by the
official index or the official string (nb201), by the number made of the three depths (s0). Where several of these
columns stand side by side they must agree. Every other column holds accuracies; an empty field is an unknown one.
Nothing is dropped in silence: a column that is neither is an error that names it. A card may lie beside the file, as
``FILE.card.json``.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import numbers
import re
from dataclasses import fields
from decimal import Decimal
from pathlib import Path

import pandas as pd

from diswot.benchmarks import spaces
from diswot.benchmarks.errors import InputError, printable, some
from diswot.benchmarks.paths import expanded
from diswot.benchmarks.spaces import Space
from diswot.benchmarks.tables import readers, trainings
from diswot.benchmarks.tables.readers import CELL_COLUMNS, MOST_LETTERS, quoted
from diswot.benchmarks.tables.table import NOT_STATED, Card, Table

_UNKNOWN = ("", "nan", "na", "null")


def load(path: str | Path, space: str = "nb201") -> Table:
    """Read a table. A file that has not changed meanwhile is parsed once.

    Args:
        path: a file whose name ends in one of `readers.SUFFIXES`.
        space: the search space of its cells.

    Returns:
        A table whose frame must not be changed.

    Raises:
        InputError: if the file cannot be read or is too large, a cell is unknown or occurs twice, an accuracy is not a
            finite number, or there is no cell or no accuracy; the text names the file, the row and the value.
    """
    spaces.get(space)
    try:
        found = expanded("table", path).stat()
        state: tuple[int, ...] = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
    except OSError:
        state = ()  # reading it says what is wrong
    frame, data_hash = _parsed(str(path), space, state)
    return Table(name_of(path), space, frame, _card(path, data_hash))


@functools.lru_cache(maxsize=16)
def _parsed(path: str, space: str, state: tuple[int, ...]) -> tuple[pd.DataFrame, str]:
    # The frame of a file in a state, and the hash of its bytes.
    rows = readers.read(path)
    cells = _cells(rows, path, spaces.get(space))
    columns = {column: _accuracies(rows, column, path) for column in _accuracy_columns(rows, path)}
    frame = pd.DataFrame(columns, index=pd.Index(cells, name="cell", dtype="int64"), dtype="float64")
    if frame.isna().to_numpy().all():
        raise InputError(f"table: '{path}' holds no accuracy; every field of {some(columns)} is empty.")
    return frame.sort_index(), hashlib.sha256(expanded("table", path).read_bytes()).hexdigest()


def name_of(path: str | Path) -> str:
    """Return what a table is called: a distillation's as its folder, any other as its file without folder and suffix.

    Raises:
        InputError: if the suffix is none of `readers.SUFFIXES`.
    """
    name, file = readers.stem(path), expanded("table", path)
    of_distillation = file.name == trainings.ACCURACIES and file.with_name(trainings.INFO).is_file()
    return printable(file.resolve().parent.name) if of_distillation else name


def card_path(path: str | Path) -> Path:
    """Return where the card of a table's file lies: beside it."""
    file = expanded("table", path)
    return file.with_name(f"{file.name}.card.json")


def _accuracy_columns(rows: pd.DataFrame, path: str | Path) -> list[str]:
    columns = [column for column in rows.columns if column not in CELL_COLUMNS]
    if not columns:
        raise InputError(f"table: '{path}' has no accuracy column beside {some(rows.columns)}; give it at least one.")
    for column in columns:
        if not column.strip():
            raise InputError(f"table: '{path}' has a column without a name; name it or remove it.")
        if ":" in column:
            raise InputError(
                f"table: '{path}' has the column {quoted(column)}; a colon in it cannot stand in table:column."
            )
    return columns


def _cells(rows: pd.DataFrame, path: str | Path, space: Space) -> list[int]:
    present = [column for column in CELL_COLUMNS if column in rows.columns]
    if not present:
        raise InputError(
            f"table: '{path}' has no cell column among {some(map(quoted, rows.columns))}; "
            f"it must be called {', '.join(CELL_COLUMNS[:-1])} or {CELL_COLUMNS[-1]}."
        )
    if rows.empty:
        raise InputError(f"table: '{path}' is empty; it has no row.")
    seen: dict[int, str] = {}
    for place, *values in zip(rows.index, *(rows[column].tolist() for column in present), strict=True):
        cells = [
            _cell(value, f"table: '{path}', {place}, column {quoted(column)}", space)
            for value, column in zip(values, present, strict=True)
        ]
        if len(set(cells)) > 1:
            named = " and ".join(f"{column} {str(value)[:200]}" for column, value in zip(present, values, strict=True))
            raise InputError(f"table: '{path}', {place}: {named} are different cells; keep one of the columns.")
        if cells[0] in seen:
            raise InputError(f"table: '{path}', {place}: cell {cells[0]} is there twice, first at {seen[cells[0]]}.")
        seen[cells[0]] = place
    return list(seen)


def _cell(value: object, where: str, space: Space) -> int:
    text, number = str(value).strip(), _whole(value)
    if isinstance(value, bool) or len(text) > MOST_LETTERS:
        raise InputError(f"{where}: {quoted(text)} is no cell.")
    try:
        return space.parse(text if number is None else str(number))
    except ValueError as error:
        raise InputError(f"{where}: {error}") from error


def _whole(value: object) -> int | None:
    if isinstance(value, str):
        digits = re.fullmatch(r"\s*(-?[0-9]{1,9})(\.0+)?\s*", value)  # 713.0: how pandas writes a column with gaps
        return int(digits[1]) if digits else None
    return int(value) if isinstance(value, (int, float)) and math.isfinite(value) and value == int(value) else None


def _accuracies(rows: pd.DataFrame, column: str, path: str | Path) -> list[float]:
    accuracies = []
    for place, value in zip(rows.index, rows[column].tolist(), strict=True):
        try:
            accuracies.append(_accuracy(value))
        except ValueError as error:
            raise InputError(f"table: '{path}', {place}, column {quoted(column)}: {error}") from error
    return accuracies


def _accuracy(value: object) -> float:
    if value is None or value is pd.NA or (isinstance(value, str) and value.strip().lower() in _UNKNOWN):
        return math.nan
    accuracy = _number(value)
    if accuracy is None:
        raise ValueError(
            f"{quoted(value)} is not a number; an accuracy is written as 93.41, an unknown one is left empty, and a "
            "column of anything else must be removed."
        )
    if math.isinf(accuracy):
        raise ValueError(f"{quoted(value)} is not finite; leave an unknown accuracy empty.")
    return accuracy


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (str, numbers.Real, Decimal)):
        return None
    if isinstance(value, str) and "_" in value:  # float() takes 9_3.4 for 93.4
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _card(path: str | Path, data_hash: str) -> Card:
    card = card_path(path)
    if card.is_file():
        return _stored_card(card, path, data_hash)
    silent = {field.name: NOT_STATED for field in fields(Card)}
    return Card(**silent | {"source": printable(str(path)), "data_hash": data_hash})


def _stored_card(card: Path, path: str | Path, data_hash: str) -> Card:
    names = {field.name for field in fields(Card)}
    try:
        record = json.loads(card.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"table: the card '{card}' cannot be read ({error}); mend or remove it.") from error
    if not isinstance(record, dict) or set(record) != names or any(type(text) is not str for text in record.values()):
        raise InputError(f"table: the card '{card}' must be a JSON object of the texts {', '.join(sorted(names))}.")
    if record["data_hash"] != data_hash:
        raise InputError(f"table: '{card}' is the card of other figures than '{path}' has; mend or remove it.")
    return Card(**{name: printable(text) for name, text in record.items()})
