"""Searches: they choose which cells to score next. Pure: scores and a seed decide a trajectory, and nothing else does.

A search is a generator. It yields the cells that it wants scored, is sent a `Fitness`, and ends when it has asked for
as many cells as it may. No cell is asked for twice: a score is a fixed number, so asking again would tell nothing.
"""

from __future__ import annotations

import itertools
import random
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FunctionType

from diswot.benchmarks.errors import InputError
from diswot.benchmarks.registry import Registry
from diswot.benchmarks.seeding import derive
from diswot.benchmarks.spaces import Space, neighbours

#: From cells that were scored to how good they are; higher is better, minus infinity where a score is undefined. Of an
#: ensemble it changes with every cell that is scored.
Fitness = Callable[[Sequence[int]], Sequence[float]]

#: Yields the cells to score next.
Search = Generator[list[int], Fitness, None]


@dataclass(frozen=True)
class Options:
    """How a search goes.

    Attributes:
        evaluations: how many cells it may score.
        population: how many cells evolution keeps; it begins with as many.
        tournament: of how many cells drawn from these the best is a parent.
        crossover: the probability that a child has two parents and takes the option at each place from either; else,
            and where that gives nothing new, it differs from its parent at one place.
        costs: by cell, the second objective of an algorithm that has two: less is better.
    """

    evaluations: int
    population: int
    tournament: int
    crossover: float
    costs: Mapping[int, float] | None = field(default=None, repr=False)


def check(options: Options, cells: Sequence[int]) -> None:
    """Refuse options that do not fit together or to the cells that may be scored.

    Raises:
        InputError: naming the option.
    """
    if options.evaluations > len(cells):
        raise InputError(f"evaluations: {options.evaluations} cells were asked for; {len(cells)} may be scored here.")
    if options.population > options.evaluations:
        raise InputError(
            f"population: {options.population} cells are more than the {options.evaluations} that may be scored "
            "(--evaluations)."
        )
    if options.tournament > options.population:
        raise InputError(
            f"tournament: {options.tournament} cells cannot be drawn from a population of {options.population}."
        )


def evolution(space: Space, cells: Sequence[int], options: Options, seed: int) -> Search:
    """Search by ageing evolution (Real et al., AAAI 2019, algorithm 1): the best of a tournament is the parent, the
    oldest cell leaves.

    The start is random and distinct. Every child is one of ``cells``, which hold the budgets, and new: where a parent
    has no new neighbour, the next best of its tournament is taken, then the rest of the population, then a random cell.
    Real et al. let children repeat.

    DisWOT's release (searcher/evo_search_nb201.py) begins with copies of one cell, takes parents from the worst five of
    eight and holds the budget for the first cell alone; none of that is followed.
    """
    allowed = frozenset(cells)
    draw = random.Random(derive("evolution", seed))
    start = _begin(cells, options, seed)[: options.population]
    fitness = yield start
    seen = set(start)
    population = deque(start)
    while len(seen) < options.evaluations:
        parents = _tournament(population, options.tournament, fitness, draw)
        child = None
        if options.crossover and draw.random() < options.crossover:
            mate = _tournament(population, options.tournament, fitness, draw)[0]
            child = _crossed(space, parents[0], mate, draw)
        if child is None or child in seen or child not in allowed:
            child = _mutated(space, parents, population, allowed, seen, draw)
        fitness = yield [child]
        seen.add(child)
        population.append(child)
        population.popleft()


def at_random(space: Space, cells: Sequence[int], options: Options, seed: int) -> Search:
    """Search at random, without repetition; it begins with the same cells as `evolution` with the same seed."""
    order = _begin(cells, options, seed)
    yield order[: options.population]
    for cell in order[options.population :]:
        yield [cell]


#: The searches by their names: functions of a space, the cells that may be scored, options and a seed.
ALGORITHMS: Registry[Callable[[Space, Sequence[int], Options, int], Search]] = Registry(
    FunctionType,
    "algorithms",
    "diswot.algorithms",
    {
        "evolution": evolution,
        "random": at_random,
        "tpe": "diswot.harness.search.samplers:tpe",
        "nsga2": "diswot.harness.search.samplers:nsga2",
    },
)


def _begin(cells: Sequence[int], options: Options, seed: int) -> list[int]:
    # As many cells as a search may score, at random, of which the first ones are the start of either search.
    return random.Random(derive("order of cells", seed)).sample(cells, options.evaluations)


def _tournament(population: Sequence[int], size: int, fitness: Fitness, draw: random.Random) -> list[int]:
    # Best first; those that are equally good stay in the random order in which they were drawn.
    drawn = draw.sample(population, size)
    good = dict(zip(drawn, fitness(drawn), strict=True))
    return sorted(drawn, key=good.__getitem__, reverse=True)


def _crossed(space: Space, one: int, other: int, draw: random.Random) -> int:
    return space.decode(tuple(draw.choice(pair) for pair in zip(space.encode(one), space.encode(other), strict=True)))


def _mutated(
    space: Space,
    parents: Sequence[int],
    population: Sequence[int],
    allowed: frozenset[int],
    seen: set[int],
    draw: random.Random,
) -> int:
    for parent in itertools.chain(parents, _others(population, parents, draw)):
        new = [cell for cell in neighbours(space, parent) if cell in allowed and cell not in seen]
        if new:
            return draw.choice(new)
    return draw.choice(sorted(allowed - seen))


def _others(population: Sequence[int], parents: Sequence[int], draw: random.Random) -> Iterator[int]:
    others = [cell for cell in population if cell not in parents]
    draw.shuffle(others)
    yield from others
