"""Many searches with one driver: replayed from scores that are known, or live."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from diswot.benchmarks import spaces
from diswot.benchmarks.errors import InputError
from diswot.harness import pool, progress
from diswot.harness.search.algorithms import ALGORITHMS, Options
from diswot.harness.search.driver import Driver, Scores
from diswot.harness.search.side_by_side import Trail, conduct
from diswot.harness.search.sources import Source

#: An algorithm and a seed.
Key = tuple[str, int]

#: Up to so many evaluations are done before processes would have been started.
_SMALL = 20_000


def replay(
    space: str, cells: Sequence[int], options: Options, driver: Driver, known: Scores, keys: Sequence[Key]
) -> dict[Key, Trail]:
    """Carry out searches by scores that are all known; many of them in several processes.

    Args:
        space: its name.
        cells: that may be searched.
        options: of every search.
        driver: whose scores they follow.
        known: what is known of all the cells.
        keys: an algorithm and a seed for each search.
    """
    mine = {cell: known[cell] for cell in cells}
    search = functools.partial(_carry_out, space, cells, options, driver, mine, _refuse_scoring)
    if len(keys) * options.evaluations <= _SMALL:
        return search(keys)
    workers = pool.default_workers()
    parts = [keys[start :: 4 * workers] for start in range(4 * workers) if keys[start :: 4 * workers]]
    found: dict[Key, Trail] = {}
    with progress.shown(len(keys), "search", f"{len(keys)} searches with {driver.name}") as advance:
        for part, trails in pool.run(search, parts, make_executor=pool.plain, workers=workers, on_death=_refuse_death):
            found |= trails
            for _ in part:
                advance()
    return {key: found[key] for key in keys}


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
) -> dict[Key, Trail]:
    walked = spaces.get(space)
    searches = {key: ALGORITHMS[key[0]](walked, cells, options, key[1]) for key in keys}
    return conduct(searches, driver, known, provide)


def _refuse_scoring(cells: list[int]) -> None:
    raise AssertionError(f"{len(cells)} cells without a score were asked for")


def _refuse_death(part: object) -> dict[Key, Trail]:
    raise InputError("search: a worker died; was there too little memory?")
