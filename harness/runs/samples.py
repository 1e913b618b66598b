"""Which cells and which seeds a user means."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable

from diswot.benchmarks import tables
from diswot.benchmarks.errors import InputError, elided, named, quoted
from diswot.benchmarks.parsing import whole_number
from diswot.benchmarks.paths import expanded
from diswot.benchmarks.spaces import Space

#: How many seeds a number may ask for.
MOST_SEEDS = 1000


@named("cells", "cell", "cell operation", "table")
def cells(asked: int | str | Iterable[int | str], space: Space) -> tuple[int, ...]:
    """Return the cells that ``all``, a number, a list, a table or a file stands for, without repetition.

    ``N`` is a seeded random sample of N cells, of which a longer one extends a shorter one. A list is separated by
    commas (``3,7,9``; a single cell as ``3,``), a file has one cell a line; cells are numbers or architecture strings.
    A built-in accuracy table stands for the cells that it has, one for all that compute the same function; ``TABLE:N``
    for a seeded sample of N of them.

    Raises:
        InputError: if it stands for nothing, or names a cell that is not in the space.
    """
    if isinstance(asked, Iterable) and not isinstance(asked, str):
        return tuple(dict.fromkeys(_cell(str(cell), space) for cell in asked)) or _none(asked)
    text = str(asked).strip()
    if text == "all":
        return tuple(space.cells)
    if text.isdecimal():
        return _sample(text, space)
    if "," in text or text.startswith("|"):
        chosen = [_cell(part, space) for part in text.split(",") if part.strip()]
    elif text.partition(":")[0] in tables.names():
        name, _, count = text.partition(":")
        in_table = {space.representative(int(cell)) for cell in tables.load(name, space.name).frame.index}
        chosen = _some(sorted(in_table), count, name)
    else:
        chosen = _in_file(text, space)
    return tuple(dict.fromkeys(chosen)) or _none(text)


def _none(asked: object) -> tuple[int, ...]:
    raise InputError(f"cells: {quoted(asked)} names no cell.")


def seeds(asked: int | str | Iterable[int]) -> tuple[int, ...]:
    """Return the seeds that a number (that many, from 0) or a list (``0,5``; one seed as ``5,``) stands for.

    Raises:
        InputError: if it stands for none, for too many, or one has more digits than a store takes.
    """
    text = str(asked) if isinstance(asked, str) or not isinstance(asked, Iterable) else "".join(f"{s}," for s in asked)
    parts = [part.strip() for part in text.split(",")]
    named = [part for part in parts if part]
    if named and all(re.fullmatch("[0-9]{1,18}", part) for part in named):
        numbers = [int(part) for part in named]
        if len(parts) > 1:
            return tuple(dict.fromkeys(numbers))
        if 0 < numbers[0] <= MOST_SEEDS:
            return tuple(range(numbers[0]))
    raise InputError(
        f"seeds: {quoted(text)} is neither a number of seeds, 1 to {MOST_SEEDS}, nor a list such as 0,1,2 of "
        "numbers of at most 18 digits."
    )


def _some(chosen: list[int], count: str, name: str) -> list[int]:
    if not count:
        return chosen
    number = whole_number(count)
    if number is None or not 0 < number <= len(chosen):
        raise InputError(f"cells: {quoted(count)} cells were asked for; {name} stands for 1 to {len(chosen)}.")
    # In an order that does not depend on the others, so that a table that grows only adds to it.
    return sorted(chosen, key=lambda cell: random.Random(cell).random())[:number]


def _cell(text: str, space: Space) -> int:
    # 3.0 is how pandas writes a column of cells that has gaps; tables take it too.
    return space.parse(re.sub(r"^\s*([0-9]+)\.0+\s*$", r"\1", text))


def _in_file(text: str, space: Space) -> list[int]:
    path = expanded("cells", text)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines() if path.is_file() else None
    except (OSError, ValueError) as error:
        raise InputError(f"cells: {quoted(text)} cannot be read as a file with one cell a line: {error}.") from error
    if lines is None:
        raise InputError(
            f"cells: {quoted(text)} is neither all, a number of cells, a list such as 3,7,9, a table "
            f"({', '.join(tables.names())}), nor a file with one cell a line."
        )
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            found += [_cell(line, space)] if line.strip() else []
        except InputError as error:
            raise InputError(f"cells: {quoted(text)}, line {number}: {error}") from error
    return found


def _sample(text: str, space: Space) -> tuple[int, ...]:
    count = whole_number(text)
    if count is None or not 0 < count <= len(space.cells):
        raise InputError(f"cells: {elided(text, 80)} cells were asked for; {space.name} has 1 to {len(space.cells)}.")
    order = list(space.cells)
    random.Random(0).shuffle(order)
    return tuple(order[:count])
