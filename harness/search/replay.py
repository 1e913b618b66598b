"""Many searches with one driver: replayed from scores that are known, or live."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from diswot.benchmarks import spaces
from diswot.harness import progress
from diswot.harness.search.algorithms import ALGORITHMS, Options
from diswot.harness.search.driver import Driver, Scores
from diswot.harness.search.side_by_side import Trail, conduct
from diswot.harness.search.sources import Source

#: An algorithm and a seed.
Key = tuple[str, int]


def replay(
    space: str, cells: Sequence[int], options: Options, driver: Driver, known: Scores, keys: Sequence[Key]
) -> dict[Key, Trail]:
    """Carry out searches by scores that are all known.

    Args:
        space: its name.
        cells: that may be searched.
        options: of every search.
        driver: whose scores they follow.
        known: what is known of all the cells.
        keys: an algorithm and a seed for each search.
    """
    with progress.shown(len(keys) * options.evaluations, "evaluation", f"searches by {driver.name}") as advance:
        return _carry_out(space, cells, options, driver, known, _refuse_scoring, keys, advance)


def live(
    space: str, cells: Sequence[int], options: Options, driver: Driver, source: Source, keys: Sequence[Key]
) -> dict[Key, Trail]:
    """Carry out searches in step, and score what they ask for and is not known; see `replay` for the arguments."""
    known = source.known[driver.name]
    most = min(len(keys) * options.evaluations, sum(cell not in known for cell in cells))
    with progress.shown(most, "cell", f"at most {most} scores for {driver.name}") as advance:
        provide = functools.partial(source.provide, driver, advance)
        return _carry_out(space, cells, options, driver, known, provide, keys)


def _carry_out(
    space: str,
    cells: Sequence[int],
    options: Options,
    driver: Driver,
    known: Scores,
    provide: Callable[[list[int]], None],
    keys: Sequence[Key],
    advance: Callable[[], object] = lambda: None,
) -> dict[Key, Trail]:
    walked = spaces.get(space)
    searches = {key: ALGORITHMS[key[0]](walked, cells, options, key[1]) for key in keys}
    return conduct(searches, driver, known, provide, advance)


def _refuse_scoring(cells: list[int]) -> None:
    raise AssertionError(f"{len(cells)} cells without a score were asked for")
