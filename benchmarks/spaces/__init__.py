"""The search spaces behind one interface, so that sweeps, searches and reports need not know which one they walk."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from diswot.benchmarks.errors import InputError, quoted, unknown
from diswot.benchmarks.parsing import whole_number
from diswot.benchmarks.spaces import nb201, s0

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Subset:
    """A subset of a space's cells.

    Attributes:
        summary: what it holds, in words.
        of: which of some cells, (n,), are in it: (n,), true or false.
    """

    summary: str
    of: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Space:
    """A search space; its cells are known by whole numbers.

    Attributes:
        name: what it is called on the command line.
        cells: every cell's number, in the official order.
        parse: turns what a user writes into a number; raises `InputError`.
        describe: a cell's printed form.
        live: the cell that has only the live edges of this one; the cell itself where nothing is dead.
        representative: the cell that stands for all that compute the same function as this one, given the same
            weights; it has no dead edges.
        canonical: the cell that stands for this one's isomorphism class, as the space's authors define it.
        build: makes the network of a cell for a number of classes, with torch's default initialisation; the
            skeleton's C and N may be given, of which a space without a skeleton makes nothing.
        classes: how many classes its published accuracies have.
        costs: what a network may cost, by name, each from a cell and a number of classes: weights and, of one picture,
            multiply-accumulates; of all that is there, and of what is live.
        options: how many options there are at each place where a cell can be changed.
        encode: the option that a cell has at each place.
        decode: the cell with these options.
        subsets: the subsets of cells for which results are given beside each other, by name, all cells first.
    """

    name: str
    cells: range | tuple[int, ...]
    parse: Callable[[str], int]
    describe: Callable[[int], str]
    live: Callable[[int], int]
    representative: Callable[[int], int]
    canonical: Callable[[int], int]
    build: Callable[..., nn.Module]
    classes: int
    costs: dict[str, Callable[[int, int], int]]
    options: tuple[int, ...]
    encode: Callable[[int], tuple[int, ...]]
    decode: Callable[[tuple[int, ...]], int]
    subsets: dict[str, Subset]


def classes_of(space: Space) -> Space:
    """Return the space in which only the cells that stand for their isomorphism class are left."""
    return replace(space, cells=tuple(sorted({space.canonical(cell) for cell in space.cells})))


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


def neighbours(space: Space, cell: int) -> tuple[int, ...]:
    """Return the cells that differ from a cell at one place, in a fixed order."""
    return _neighbours(space.name, cell)


@functools.cache
def _neighbours(name: str, cell: int) -> tuple[int, ...]:
    space = get(name)
    places = space.encode(cell)
    return tuple(
        space.decode((*places[:place], option, *places[place + 1 :]))
        for place, count in enumerate(space.options)
        for option in range(count)
        if option != places[place]
    )


def _where(holds: Callable[[nb201.Cell], bool]) -> Callable[[np.ndarray], np.ndarray]:
    # The cells of which something holds.
    return lambda cells: np.array([holds(nb201.Cell.from_index(int(cell))) for cell in cells], bool)


def _one_a_function(cells: np.ndarray) -> np.ndarray:
    # The representative where it is among the cells, else the first of the function's cells.
    functions = np.array([nb201.Cell.from_index(int(cell)).representative.index for cell in cells], int)
    order = np.lexsort([cells, functions != cells, functions])
    first = np.unique(functions[order], return_index=True)[1]
    chosen = np.zeros(len(cells), bool)
    chosen[order[first]] = True
    return chosen


def _every(cells: np.ndarray) -> np.ndarray:
    return np.ones(len(cells), bool)


def _count(counts: Callable[..., nb201.counts.Counts], index: int, classes: int) -> nb201.counts.Counts:
    return counts(nb201.Cell.from_index(index), num_classes=classes)


def _parse_s0(text: str) -> int:
    number = whole_number(text)
    if number is None:
        raise InputError(f"cell: {quoted(text)} is not in S0; its networks are named by three depths, such as 713.")
    s0.depths(number)
    return number


_SPACES = {
    "nb201": Space(
        name="nb201",
        cells=range(nb201.SIZE),
        parse=lambda text: nb201.as_cell(text).index,
        describe=lambda index: str(nb201.Cell.from_index(index)),
        live=lambda index: nb201.Cell.from_index(index).live.index,
        representative=lambda index: nb201.Cell.from_index(index).representative.index,
        canonical=lambda index: nb201.Cell.from_index(index).canonical.index,
        build=lambda index, classes, **skeleton: nb201.build(index, num_classes=classes, **skeleton),
        classes=10,
        costs={
            "params": lambda index, classes: _count(nb201.counts.official, index, classes).params,
            "flops": lambda index, classes: _count(nb201.counts.official, index, classes).flops,
            "live_params": lambda index, classes: _count(nb201.counts.live, index, classes).params,
            "live_flops": lambda index, classes: _count(nb201.counts.live, index, classes).flops,
        },
        options=(len(nb201.OPERATIONS),) * len(nb201.EDGES),
        encode=lambda index: tuple(map(nb201.OPERATIONS.index, nb201.Cell.from_index(index).operations)),
        decode=lambda places: nb201.Cell(tuple(nb201.OPERATIONS[place] for place in places)).index,
        subsets={
            "all": Subset("every cell", _every),
            "connected": Subset(
                "without the 341 cells in which no path leads from input to output",
                _where(lambda cell: not cell.is_degenerate),
            ),
            "reachable": Subset(
                "the 9,445 cells in which no operation is cut off; one of them is not connected",
                _where(lambda cell: not cell.has_unreachable_operation),
            ),
            "distinct": Subset(
                "one cell of each function; of all cells 5,260",
                _one_a_function,
            ),
            "live-convolution": Subset(
                "the 13,642 cells with a convolution on a live edge",
                _where(lambda cell: cell.live_convolutions > 0),
            ),
        },
    ),
    "s0": Space(
        name="s0",
        cells=s0.NUMBERS,
        parse=_parse_s0,
        describe=lambda number: "ResNet[{},{},{}]".format(*s0.depths(number)),
        live=lambda number: number,
        representative=lambda number: number,
        canonical=lambda number: number,
        build=lambda number, classes, **_skeleton: s0.build(number, num_classes=classes),
        classes=100,
        costs={
            "params": lambda number, classes: s0.params(number, num_classes=classes),
            "flops": lambda number, classes: s0.flops(number, num_classes=classes),
            "live_params": lambda number, classes: s0.params(number, num_classes=classes),
            "live_flops": lambda number, classes: s0.flops(number, num_classes=classes),
        },
        options=(len(s0.DEPTHS),) * 3,
        encode=lambda number: tuple(map(s0.DEPTHS.index, s0.depths(number))),
        decode=lambda places: s0.number(*(s0.DEPTHS[place] for place in places)),
        subsets={"all": Subset("every network", _every)},
    ),
}
