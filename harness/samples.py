"""Which cells and which seeds a user means."""

from __future__ import annotations

import random
import re
from pathlib import Path

from benchmarks import tables
from benchmarks.errors import InputError
from benchmarks.spaces import Space

#: How many seeds a number may ask for.
MOST_SEEDS = 1000


def cells(text: str, space: Space) -> tuple[int, ...]:
    """Return the cells that ``all``, a number, a list, a table or a file stands for, without repetition.

    ``N`` is a seeded random sample of N cells, of which a longer one extends a shorter one. A list is separated by
    commas (``3,7,9``; a single cell as ``3,``), a file has one cell a line; cells are numbers or architecture strings.
    A built-in accuracy table stands for the cells that it has, one for all that compute the same function; ``TABLE:N``
    for a seeded sample of N of them.

    Raises:
        InputError: if it stands for nothing, or names a cell that is not in the space.
    """
    text = text.strip()
    if text == "all":
        return tuple(space.cells)
    if text.isdecimal():
        return _sample(int(text), space)
    if "," in text or text.startswith("|"):
        chosen = [space.parse(part) for part in text.split(",") if part.strip()]
    elif text.partition(":")[0] in tables.names():
        name, _, count = text.partition(":")
        chosen = _some(_in_table(name, space), count, name)
    else:
        chosen = _in_file(text, space)
    if not chosen:
        raise InputError(f"--cells: {text!r} names no cell.")
    return tuple(dict.fromkeys(chosen))


def seeds(text: str) -> tuple[int, ...]:
    """Return the seeds that a number (that many, from 0) or a list (``0,5``; one seed as ``5,``) stands for.

    Raises:
        InputError: if it stands for none, for too many, or one has more digits than a store takes.
    """
    parts = [part.strip() for part in text.split(",")]
    named = [part for part in parts if part]
    if named and all(re.fullmatch("[0-9]{1,18}", part) for part in named):
        numbers = [int(part) for part in named]
        if len(parts) > 1:
            return tuple(dict.fromkeys(numbers))
        if 0 < numbers[0] <= MOST_SEEDS:
            return tuple(range(numbers[0]))
    raise InputError(
        f"--seeds: {text!r} is neither a number of seeds, 1 to {MOST_SEEDS}, nor a list such as 0,1,2 of numbers of "
        "at most 18 digits."
    )


def _in_table(name: str, space: Space) -> list[int]:
    return sorted({space.representative(int(cell)) for cell in tables.load(name, space.name).frame.index})


def _some(chosen: list[int], count: str, name: str) -> list[int]:
    if not count:
        return chosen
    if not count.isdecimal() or not 0 < int(count) <= len(chosen):
        raise InputError(f"--cells: {count!r} cells were asked for; {name} stands for 1 to {len(chosen)}.")
    # In an order that does not depend on the others, so that a table that grows only adds to it.
    return sorted(chosen, key=lambda cell: random.Random(cell).random())[: int(count)]


def _in_file(text: str, space: Space) -> list[int]:
    try:
        lines = Path(text).read_text().splitlines() if Path(text).is_file() else None
    except (OSError, ValueError) as error:
        raise InputError(f"--cells: {text!r} cannot be read as a file with one cell a line: {error}.") from error
    if lines is None:
        raise InputError(
            f"--cells: {text!r} is neither all, a number of cells, a list such as 3,7,9, a table "
            f"({', '.join(tables.names())}), nor a file with one cell a line."
        )
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            found += [space.parse(line)] if line.strip() else []
        except InputError as error:
            raise InputError(f"--cells: {text!r}, line {number}: {error}") from error
    return found


def _sample(count: int, space: Space) -> tuple[int, ...]:
    if not 0 < count <= len(space.cells):
        raise InputError(f"--cells: {count} cells were asked for; {space.name} has 1 to {len(space.cells)}.")
    order = list(space.cells)
    random.Random(0).shuffle(order)
    return tuple(order[:count])
