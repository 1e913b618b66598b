"""The search spaces behind one interface, so that sweeps, searches and reports need not know which one they walk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks import nb201, s0
from benchmarks.errors import InputError, unknown
from benchmarks.parsing import whole_number

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Space:
    """A search space; its cells are known by whole numbers.

    Attributes:
        name: what it is called on the command line.
        cells: every cell's number, in the official order.
        parse: turns what a user writes into a number; raises `InputError`.
        describe: a cell's printed form.
        live: the cell that has only the live edges of this one; the cell itself where nothing is dead.
        build: makes the network of a cell for a number of classes, with torch's default initialisation.
        classes: how many classes its published accuracies have.
    """

    name: str
    cells: range | tuple[int, ...]
    parse: Callable[[str], int]
    describe: Callable[[int], str]
    live: Callable[[int], int]
    build: Callable[[int, int], nn.Module]
    classes: int


def names() -> tuple[str, ...]:
    """Return the names of the search spaces."""
    return tuple(_SPACES)


def get(name: str) -> Space:
    """Return a search space.

    Raises:
        InputError: if there is none of that name.
    """
    if name not in _SPACES:
        raise unknown("--space", name, names())
    return _SPACES[name]


def _parse_s0(text: str) -> int:
    number = whole_number(text)
    if number is None:
        raise InputError(f"cell: {text!r} is not in S0; its networks are named by three depths, such as 713.")
    s0.depths(number)
    return number


_SPACES = {
    "nb201": Space(
        name="nb201",
        cells=range(nb201.SIZE),
        parse=lambda text: nb201.as_cell(text).index,
        describe=lambda index: str(nb201.Cell.from_index(index)),
        live=lambda index: nb201.Cell.from_index(index).live.index,
        build=lambda index, classes: nb201.build(index, num_classes=classes),
        classes=10,
    ),
    "s0": Space(
        name="s0",
        cells=s0.NUMBERS,
        parse=_parse_s0,
        describe=lambda number: "ResNet[{},{},{}]".format(*s0.depths(number)),
        live=lambda number: number,
        build=lambda number, classes: s0.build(number, num_classes=classes),
        classes=100,
    ),
}
