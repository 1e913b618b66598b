"""The search spaces behind one interface, so that sweeps, searches and reports need not know which one they walk."""

from __future__ import annotations

import functools
from dataclasses import replace

from diswot.benchmarks.registry import Registry
from diswot.benchmarks.spaces.drawing import Block, Chain, Graph
from diswot.benchmarks.spaces.space import Space, Subset

__all__ = ["SPACES", "Block", "Chain", "Graph", "Space", "Subset", "classes_of", "get", "neighbours"]

#: Every search space by its name.
SPACES: Registry[Space] = Registry(
    Space,
    "space",
    "diswot.spaces",
    {
        "nb201": "diswot.benchmarks.spaces.nb201.space:SPACE",
        "s0": "diswot.benchmarks.spaces.s0:SPACE",
        "nbmacro": "diswot.benchmarks.spaces.nbmacro:SPACE",
    },
)


def classes_of(space: Space) -> Space:
    """Return the space in which only the cells that stand for their isomorphism class are left."""
    return replace(space, cells=tuple(sorted({space.canonical(cell) for cell in space.cells})))


def get(name: str) -> Space:
    """Return a search space.

    Raises:
        InputError: if there is none of that name.
    """
    return SPACES[name]


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
