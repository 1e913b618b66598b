"""Searches carried out side by side: what they ask for is scored once, and each is told what it asked for."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from diswot.harness.search import driver as drivers
from diswot.harness.search.algorithms import Fitness, Search
from diswot.harness.search.driver import Driver, Scores

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Trail:
    """What a search did.

    Attributes:
        cells: in the order in which they were scored.
        picks: after how many evaluations which cell became the best so far, by the driver alone.
    """

    cells: tuple[int, ...]
    picks: tuple[tuple[int, int], ...]

    def pick(self, evaluations: int) -> int | None:
        """Return the best cell after so many evaluations; None while no score was defined."""
        before = [cell for at, cell in self.picks if at <= evaluations]
        return before[-1] if before else None


def conduct(
    searches: Mapping[K, Search],
    driver: Driver,
    scores: Scores,
    provide: Callable[[list[int]], None],
    advance: Callable[[], object] = lambda: None,
) -> dict[K, Trail]:
    """Carry out searches, all in step, and return their trails.

    Args:
        searches: by anything that names them.
        driver: whose scores they follow.
        scores: what is known; ``provide`` adds to it.
        provide: scores the cells that are asked for and not known yet.
        advance: is called after every evaluation of every search.
    """
    asked = {key: next(search) for key, search in searches.items()}
    seen: dict[K, list[int]] = {key: [] for key in searches}
    picks: dict[K, list[tuple[int, int]]] = {key: [] for key in searches}
    while asked:
        lacking = dict.fromkeys(cell for cells in asked.values() for cell in cells if cell not in scores)
        if lacking:
            provide(list(lacking))
        fitness: dict[K, Fitness] = {}
        for place in range(max(map(len, asked.values()))):
            keys = [key for key, cells in asked.items() if place < len(cells)]
            for key in keys:
                seen[key].append(asked[key][place])
            for key, good in zip(keys, _fitness(driver, scores, [seen[key] for key in keys]), strict=True):
                _pick(driver, good, seen[key], picks[key])
                fitness[key] = good
                advance()
        for key in tuple(asked):
            try:
                asked[key] = searches[key].send(fitness[key])
            except StopIteration:
                del asked[key]
    return {key: Trail(tuple(seen[key]), tuple(picks[key])) for key in searches}


def _fitness(driver: Driver, scores: Scores, seen: Sequence[Sequence[int]]) -> Iterator[Fitness]:
    if driver.ensemble is None:
        yield from [lambda cells: [scores[cell][0] for cell in cells]] * len(seen)
        return
    # An ensemble ranks the cells that a search has seen so far, so that a new one may change which of them is the best.
    for judgement in drivers.judged_apart(driver, scores, seen):
        yield functools.partial(_looked_up, judgement)


def _looked_up(judgement: Mapping[int, float], cells: Sequence[int]) -> list[float]:
    return [judgement[cell] for cell in cells]


def _pick(driver: Driver, good: Fitness, seen: Sequence[int], picks: list[tuple[int, int]]) -> None:
    of = seen if driver.ensemble else seen[-1:]
    values = good(of)
    highest = max(values)
    (best,) = good([picks[-1][1]]) if picks else (-math.inf,)
    if highest > best:
        picks.append((len(seen), of[values.index(highest)]))
