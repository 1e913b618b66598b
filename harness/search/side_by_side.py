"""Searches carried out side by side: what they ask for is scored once, and each is told what it asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
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
) -> dict[K, Trail]:
    """Carry out searches, all in step, and return their trails.

    Args:
        searches: by anything that names them.
        driver: whose scores they follow.
        scores: what is known; ``provide`` adds to it.
        provide: scores the cells that are asked for and not known yet.
    """
    asked = {key: next(search) for key, search in searches.items()}
    seen: dict[K, list[int]] = {key: [] for key in searches}
    picks: dict[K, list[tuple[int, int]]] = {key: [] for key in searches}
    while asked:
        lacking = dict.fromkeys(cell for cells in asked.values() for cell in cells if cell not in scores)
        if lacking:
            provide(list(lacking))
        for key, cells in tuple(asked.items()):
            for cell in cells:
                fitness = _see(driver, scores, seen[key], picks[key], cell)
            try:
                asked[key] = searches[key].send(fitness)
            except StopIteration:
                del asked[key]
    return {key: Trail(tuple(seen[key]), tuple(picks[key])) for key in searches}


def _see(driver: Driver, scores: Scores, seen: list[int], picks: list[tuple[int, int]], cell: int) -> Fitness:
    seen.append(cell)
    if driver.ensemble is None:

        def good(cells: Sequence[int]) -> list[float]:
            return [scores[cell][0] for cell in cells]

        candidate = cell
    else:
        # It ranks the cells seen so far, so that a new one may change which of the others is the best.
        judgement = drivers.judged(driver, scores, seen)

        def good(cells: Sequence[int]) -> list[float]:
            return [judgement[cell] for cell in cells]

        candidate = max(seen, key=judgement.__getitem__)
    best = good([picks[-1][1]])[0] if picks else -math.inf
    if good([candidate])[0] > best:
        picks.append((len(seen), candidate))
    return good
