"""Which cells and which seeds a user means."""

from __future__ import annotations

import random
from pathlib import Path

from benchmarks.errors import InputError
from benchmarks.spaces import Space


def cells(text: str, space: Space) -> tuple[int, ...]:
    """Return the cells that ``all``, a number, a list or a file stands for, without repetition.

    ``N`` is a seeded random sample of N cells, of which a longer one extends a shorter one. A list is separated by
    commas (``3,7,9``; a single cell as ``3,``), a file has one cell a line; cells are numbers or architecture strings.

    Raises:
        InputError: if it stands for nothing, or names a cell that is not in the space.
    """
    text = text.strip()
    if text == "all":
        return tuple(space.cells)
    if text.isdecimal():
        return _sample(int(text), space)
    if "," in text or text.startswith("|"):
        parts = text.split(",")
    elif Path(text).is_file():
        parts = Path(text).read_text().splitlines()
    else:
        raise InputError(
            f"--cells: {text!r} is neither all, a number of cells, a list such as 3,7,9, "
            "nor a file with one cell a line."
        )
    chosen = dict.fromkeys(space.parse(part) for part in parts if part.strip())
    if not chosen:
        raise InputError(f"--cells: {text!r} names no cell.")
    return tuple(chosen)


def seeds(text: str) -> tuple[int, ...]:
    """Return the seeds that a number (that many, from 0) or a list (``0,5``; one seed as ``5,``) stands for.

    Raises:
        InputError: if it stands for none.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) == 1 and parts[0].isdecimal() and int(parts[0]) > 0:
        return tuple(range(int(parts[0])))
    named = [part for part in parts if part]
    if len(parts) == 1 or not named or not all(part.isdecimal() for part in named):
        raise InputError(f"--seeds: {text!r} is neither a number of seeds above 0 nor a list such as 0,1,2.")
    return tuple(dict.fromkeys(int(part) for part in named))


def _sample(count: int, space: Space) -> tuple[int, ...]:
    if not 0 < count <= len(space.cells):
        raise InputError(f"--cells: {count} cells were asked for; {space.name} has 1 to {len(space.cells)}.")
    order = list(space.cells)
    random.Random(0).shuffle(order)
    return tuple(order[:count])
