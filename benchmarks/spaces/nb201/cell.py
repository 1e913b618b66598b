"""The cell of NAS-Bench-201: a small frozen value, its names and its graph.

Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search", ICLR 2020
(arXiv 2001.00326). A cell has four nodes, numbered 0 (input) to 3 (output), and six edges, each with one of
five operations.
"""

from __future__ import annotations

import functools
import itertools
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from diswot.benchmarks.errors import InputError, quoted, unknown

#: The operations in the order of the official search space.
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")

#: The edges (source node, target node) in the order of the official string.
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))

#: How many cells there are.
SIZE = len(OPERATIONS) ** len(EDGES)

_ARCHITECTURE = "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|"
_PATTERN = re.compile(re.escape(_ARCHITECTURE).replace(re.escape("{}"), "([^|+~]+)"))
_INPUT, _OUTPUT = 0, 3
_CONVOLUTIONS = ("nor_conv_1x1", "nor_conv_3x3")

# NASLib, naslib/search_spaces/nasbench201/conversions.py: edges 12, 13, 14, 23, 24, 34 and the numbers of OP_NAMES.
_NASLIB_EDGES = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
_NASLIB_OPERATIONS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")


@dataclass(frozen=True)
class Cell:
    """One cell: the operation of every edge, in the order of `EDGES`.

    Raises:
        InputError: if there are not six operations or one is not known.
    """

    operations: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse what is not a cell."""
        if len(self.operations) != len(EDGES):
            raise InputError(f"cell: {len(self.operations)} operations were given; a cell has {len(EDGES)}.")
        for operation in self.operations:
            if operation not in OPERATIONS:
                raise unknown("cell operation", operation, OPERATIONS)

    def __str__(self) -> str:
        """Return the official architecture string, ``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|``."""
        return _ARCHITECTURE.format(*self.operations)

    @classmethod
    def from_string(cls, text: str) -> Cell:
        """Parse the official architecture string.

        Raises:
            InputError: if the text is not one, naming what is wrong.
        """
        found = _PATTERN.fullmatch(text)
        if found is None:
            raise InputError(
                f"cell: {quoted(text)} is not an architecture string; it has the form "
                "|op~0|+|op~0|op~1|+|op~0|op~1|op~2| with operations from " + ", ".join(OPERATIONS) + "."
            )
        return cls(found.groups())

    @classmethod
    def from_index(cls, index: int) -> Cell:
        """Return the cell with the official index, 0 to 15624.

        Raises:
            InputError: if the index is out of range.
        """
        if not 0 <= index < SIZE:
            raise InputError(f"cell: index {index} is out of range; NAS-Bench-201 has the indices 0 to {SIZE - 1}.")
        return _official_order()[index]

    @property
    def index(self) -> int:
        """The official index, 0 to 15624."""
        return _official_index()[self]

    @classmethod
    def from_naslib(cls, numbers: Sequence[int]) -> Cell:
        """Return the cell of NASLib's tuple: edges 12, 13, 14, 23, 24, 34; 0 skip, 1 none, 2 3x3, 3 1x1, 4 pooling.

        Raises:
            InputError: if it is not six numbers from 0 to 4.
        """
        if len(numbers) != len(EDGES) or any(number not in range(len(OPERATIONS)) for number in numbers):
            raise InputError(f"cell: {tuple(numbers)} is not a NASLib tuple; it has six numbers from 0 to 4.")
        by_edge = dict(zip(_NASLIB_EDGES, numbers, strict=True))
        return cls(tuple(_NASLIB_OPERATIONS[by_edge[edge]] for edge in EDGES))

    def to_naslib(self) -> tuple[int, ...]:
        """Return NASLib's tuple; see `from_naslib`."""
        by_edge = dict(zip(EDGES, self.operations, strict=True))
        return tuple(_NASLIB_OPERATIONS.index(by_edge[edge]) for edge in _NASLIB_EDGES)

    @functools.cached_property
    def live_edges(self) -> tuple[bool, ...]:
        """For every edge, whether it is on a path from input to output that no ``none`` interrupts."""
        passed = [edge for edge, operation in zip(EDGES, self.operations, strict=True) if operation != "none"]
        fed, used = {_INPUT}, {_OUTPUT}
        for source, target in passed:  # EDGES is sorted by target, so a source is settled before it is read
            if source in fed:
                fed.add(target)
        for source, target in reversed(passed):
            if target in used:
                used.add(source)
        return tuple(
            operation != "none" and source in fed and target in used
            for operation, (source, target) in zip(self.operations, EDGES, strict=True)
        )

    @functools.cached_property
    def live(self) -> Cell:
        """The cell with every edge that is not live replaced by ``none``: it computes the same function."""
        return Cell(tuple(op if live else "none" for op, live in zip(self.operations, self.live_edges, strict=True)))

    @property
    def is_degenerate(self) -> bool:
        """Whether no path leads from input to output, so that the output is constant (341 cells)."""
        return not any(self.live_edges)

    @property
    def has_unreachable_operation(self) -> bool:
        """Whether some operation other than ``none`` is cut off (9,445 cells have none such)."""
        return self != self.live

    @property
    def live_convolutions(self) -> int:
        """How many convolutions are on live edges."""
        return sum(operation in _CONVOLUTIONS for operation in self.live.operations)

    @property
    def isomorphism(self) -> str:
        """The official isomorphism string (6,466 classes).

        AutoDL-Projects, xautodl/models/cell_searchs/genotypes.py, ``to_unique_str(consider_zero=True)``: a skip
        stands for its source, a ``none`` or a cut-off source for nothing, and the terms of a node are sorted.

        It is not the same as `function`. Cells with equal strings may differ in function, since one convolution that
        is used twice reads as two of the kind (430 classes hold such cells); and cells of equal function may differ
        in string, since a source that is cut off may read ``#`` or ``#+#``.
        """
        return _node_expressions(self)[_OUTPUT]

    @property
    def function(self) -> str:
        """What the cell computes, given its weights: equal for 5,260 groups of cells.

        Cells with equal texts compute the same function when each convolution of one has the weights of that
        convolution of the other that stands in its place. The text is `isomorphism`'s, of live edges alone and with the
        convolutions numbered, so that one used twice differs from two; of all numberings the one whose text
        comes first.
        """
        return _function(self.live)[0]

    @property
    def convolutions(self) -> tuple[int, ...]:
        """The edges with live convolutions, as `function` orders them: of two cells with one, those alike match."""
        return _function(self.live)[1]

    @property
    def representative(self) -> Cell:
        """The cell that stands for all of the same `function`: without dead edges, of the fewest operations.

        Skips do not count; of several such cells it is the one with the lowest official index.
        """
        return _representatives()[self]

    @property
    def canonical(self) -> Cell:
        """The member of this cell's isomorphism class with the lowest official index."""
        return _canonical_members()[self]


def _node_expressions(cell: Cell) -> dict[int, str]:
    expressions = {_INPUT: "0"}
    for node in range(1, _OUTPUT + 1):
        terms = []
        for operation, (source, target) in zip(cell.operations, EDGES, strict=True):
            if target != node:
                continue
            if operation == "none" or expressions[source] == "#":
                terms.append("#")
            elif operation == "skip_connect":
                terms.append(expressions[source])
            else:
                terms.append(f"({expressions[source]})@{operation}")
        expressions[node] = "+".join(sorted(terms))
    return expressions


@functools.cache
def _official_order() -> tuple[Cell, ...]:
    # The published order needs no data file: all cells in lexicographic order, shuffled by Python's generator
    # with seed 88 (AutoDL-Projects, exps/NAS-Bench-201/main.py).
    cells = [Cell(operations) for operations in itertools.product(OPERATIONS, repeat=len(EDGES))]
    random.Random(88).shuffle(cells)
    return tuple(cells)


@functools.cache
def _official_index() -> dict[Cell, int]:
    return {cell: index for index, cell in enumerate(_official_order())}


def _function(live: Cell) -> tuple[str, tuple[int, ...]]:
    of_kind = [[e for e, operation in enumerate(live.operations) if operation == kind] for kind in _CONVOLUTIONS]
    return min(
        (
            _function_with(live, {edge: number for order in orders for number, edge in enumerate(order)}),
            tuple(itertools.chain(*orders)),
        )
        for orders in itertools.product(*map(itertools.permutations, of_kind))
    )


def _function_with(live: Cell, numbers: dict[int, int]) -> str:
    terms_of: dict[int, list[str]] = {_INPUT: ["0"]}
    for node in range(1, _OUTPUT + 1):
        terms: list[str] = []
        for edge, (operation, (source, target)) in enumerate(zip(live.operations, EDGES, strict=True)):
            if target != node or operation == "none":
                continue
            if operation == "skip_connect":
                terms += terms_of[source]
            else:
                number = f"#{numbers[edge]}" if edge in numbers else ""
                terms.append(f"({'+'.join(terms_of[source])})@{operation}{number}")
        terms_of[node] = sorted(terms)
    return "+".join(terms_of[_OUTPUT])


@functools.cache
def _representatives() -> dict[Cell, Cell]:
    live = {cell: cell.live for cell in _official_order()}
    functions = {cell: _like_function(cell) for cell in live if cell == live[cell]}
    chosen: dict[str, Cell] = {}
    free = ("none", "skip_connect")
    for cell in sorted(functions, key=lambda cell: (sum(one not in free for one in cell.operations), cell.index)):
        chosen.setdefault(functions[cell], cell)
    return {cell: chosen[functions[live[cell]]] for cell in live}


def _like_function(live: Cell) -> str:
    # Equal where `function` is, and quicker: only what stands on the first edge can be used twice and take a number.
    first, _, second, _, third, _ = live.operations
    is_used_twice = first in _CONVOLUTIONS and second != "none" and third != "none"
    return _function_with(live, {0: 0} if is_used_twice else {})


@functools.cache
def _canonical_members() -> dict[Cell, Cell]:
    first: dict[str, Cell] = {}
    return {cell: first.setdefault(cell.isomorphism, cell) for cell in _official_order()}
