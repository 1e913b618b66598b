"""Any optimiser as a search: it is asked for a cell's options, and told how good the cell is."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Protocol

from diswot.benchmarks.seeding import derive
from diswot.benchmarks.spaces import Space
from diswot.harness.search.algorithms import Options, Search

#: How often an optimiser may ask in a row for what was scored, or may not be, before a random cell is scored instead.
PATIENCE = 20


class Optimiser(Protocol):
    """What chooses cells; optuna's studies become one in `diswot.harness.search.samplers`."""

    def ask(self) -> Sequence[int]:
        """Return the next cell: the number of the option at each place, as `Space.encode` has them."""

    def tell(self, chosen: Sequence[int], good: float) -> None:
        """Learn how good what was asked for last is: higher is better, minus infinity where it may not be scored.

        Of an ensemble it is the score among the cells that were scored so far.
        """


def search_by(make: Callable[[Space, int], Optimiser]) -> Callable[[Space, Sequence[int], Options, int], Search]:
    """Return a search, as `diswot.harness.search.algorithms.ALGORITHMS` has them, of an optimiser.

    A cell is scored once: an optimiser that asks for it again is told the score that it has, and one that asks for a
    cell outside the budget is told minus infinity. It has to ask for options that the space has.

    Args:
        make: an optimiser for a space and a seed. Equal seeds must make optimisers that ask alike.
    """

    def search(space: Space, cells: Sequence[int], options: Options, seed: int) -> Search:
        optimiser = make(space, seed)
        draw = random.Random(derive("instead of an optimiser's cell", seed))
        allowed = set(cells)
        scores: dict[int, float] = {}
        while len(scores) < options.evaluations:
            for _ in range(PATIENCE):
                chosen = tuple(optimiser.ask())
                cell = space.decode(chosen)
                if cell in allowed and cell not in scores:
                    break
                optimiser.tell(chosen, scores.get(cell, float("-inf")))
            else:
                chosen = ()
                cell = draw.choice(sorted(allowed - scores.keys()))
            fitness = yield [cell]
            (scores[cell],) = fitness([cell])
            if chosen:
                optimiser.tell(chosen, scores[cell])

    return search
