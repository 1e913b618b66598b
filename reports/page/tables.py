"""The page's tables as plain values, and how stored values become the words in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from markupsafe import Markup, escape

from diswot.reports.style.wording import Number, plain

LINK = re.compile(r"https?://[^\s<>\"']*[^\s<>\"'.,;:)\]]")


@dataclass(frozen=True)
class Column:
    """A column of a table: its head, whether it holds numbers, and whether its values can be chosen from."""

    label: str
    numeric: bool = False
    choice: bool = False


@dataclass(frozen=True)
class Table:
    """A table of the page; the first cell of a row is its head, and a text is a cell that holds no number."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: list[list[Number | str]]
    sortable: bool = True


Row: TypeAlias = Mapping[Any, Any]
Field: TypeAlias = tuple[Column, Callable[[Row], Number | str]]


def text(label: str, name: str, choice: bool = False) -> Field:
    """Return a field of words: its head and the column of the frame that it shows."""
    return Column(label, choice=choice), lambda row: plain(row[name])


def value(label: str, show: Callable[[Any], Number], name: str = "") -> Field:
    """Return a field of numbers: its head, and how a row, or the value of a column, is shown."""
    return Column(label, numeric=True), lambda row: show(row[name] if name else row)


def table(name: str, caption: str, records: Iterable[Row], fields: Sequence[Field], sortable: bool = True) -> Table:
    """Return a table with a row a record; the first field is the row's head."""
    rows = [[show(record) for _, show in fields] for record in records]
    return Table(name, caption, tuple(column for column, _ in fields), rows, sortable)


def of_texts(name: str, caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Return a table that holds words alone."""
    return Table(name, caption, tuple(map(Column, heads)), [list(row) for row in rows], sortable=False)


def linked(text: object) -> Markup:
    """Return a text, escaped, with its web addresses as links; a reader may follow them, the page never does."""
    words, end, parts = str(text), 0, []
    for match in LINK.finditer(words):
        parts.append(escape(words[end : match.start()]))
        parts.append(Markup('<a href="{0}" rel="noreferrer">{0}</a>').format(match.group()))
        end = match.end()
    return Markup("").join([*parts, escape(words[end:])])


def breakable(name: object) -> Markup:
    """Return a name, escaped, that a narrow column may break after its marks."""
    return Markup("<wbr>").join(escape(part) for part in re.split(r"(?<=[_.:-])", str(name)))


def flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested values as pairs of a dotted name and a text, in their own order."""
    pairs: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            pairs += flat(value, f"{prefix}{name}.")
        else:
            pairs.append((f"{prefix}{name}", plain(value)))
    return pairs
