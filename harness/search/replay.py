"""Many searches with one driver: replayed from scores that are known, or live."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from diswot.benchmarks.spaces import Space
from diswot.harness import progress
from diswot.harness.search.algorithms import ALGORITHMS, Options
from diswot.harness.search.driver import Driver
from diswot.harness.search.side_by_side import Trail, conduct
from diswot.harness.search.sources import Source

#: An algorithm and a seed.
Key = tuple[str, int]


def carry_out(
    space: Space, cells: Sequence[int], options: Options, driver: Driver, source: Source, keys: Sequence[Key]
) -> dict[Key, Trail]:
    """Carry out searches in step, and score what they ask for and is not known.

    Args:
        space: of the cells.
        cells: that may be searched.
        options: of every search.
        driver: whose scores they follow.
        source: of the scores.
        keys: an algorithm and a seed for each search.
    """
    known, total = source.known[driver.name], len(keys) * options.evaluations
    lacking = min(total, sum(cell not in known for cell in cells))
    shown = (lacking, "cell", f"at most {lacking} scores") if lacking else (total, "evaluation", "searches")
    with progress.shown(*shown[:2], f"{shown[2]} by {driver.name}") as advance:
        searches = {key: ALGORITHMS[key[0]](space, cells, options, key[1]) for key in keys}
        provide = functools.partial(source.provide, driver, advance)
        return conduct(searches, driver, known, provide, (lambda: None) if lacking else advance)
