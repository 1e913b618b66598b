"""What drives a search: a proxy, or an ensemble of them, and the scores by which it judges cells."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from diswot.benchmarks.errors import InputError, unknown
from diswot.harness.evidence import panel
from diswot.harness.evidence.ensembles import ENSEMBLES, Ensemble
from diswot.harness.search.plan import WINNER, WINNING_PROXY
from diswot.proxies import registry

#: The members' scores by cell, oriented so that higher is better; minus infinity where undefined.
Scores = dict[int, tuple[float, ...]]


@dataclass(frozen=True)
class Driver:
    """A proxy or an ensemble.

    Attributes:
        name: of either.
        members: the proxies that must be scored; of a proxy, itself.
        signs: 1 where higher scores of the member are better, -1 where lower ones are.
        ensemble: how the members' ranks become one score; None for a proxy.
    """

    name: str
    members: tuple[str, ...]
    signs: tuple[float, ...]
    ensemble: Ensemble | None


def get(name: str, proxies: pd.DataFrame) -> Driver:
    """Return the driver of a name.

    Args:
        name: of a proxy or an ensemble.
        proxies: records that a run has stored, which may be of plug-ins that are not loaded; columns name, direction.

    Raises:
        InputError: if there is none of that name, or a member is not known.
    """
    directions = dict(zip(proxies["name"], proxies["direction"], strict=True))
    # The registry loads what is installed, which a proxy that the run knows does not need.
    known = tuple(directions if name in directions else dict.fromkeys((*registry.names(), *directions)))
    if name not in known and name not in ENSEMBLES:
        raise unknown(
            "driver", name, (WINNER, WINNING_PROXY, *known, *ENSEMBLES), hint="`diswot proxies list` shows them."
        )
    ensemble = None if name in known else ENSEMBLES[name]
    members = (name,) if ensemble is None else ensemble.members
    for member in members:
        if member not in known:
            raise InputError(f"driver: {name} is made of {', '.join(members)}, and there is no proxy {member}.")
    found = [directions.get(member) or registry.get(member).direction for member in members]
    return Driver(name, members, tuple(-1.0 if direction == "lower" else 1.0 for direction in found), ensemble)


def oriented(driver: Driver, values: Sequence[float | None]) -> tuple[float, ...]:
    """Return the members' scores with higher for better and minus infinity for undefined."""
    return tuple(
        sign * value if value is not None and math.isfinite(value) else -math.inf
        for sign, value in zip(driver.signs, values, strict=True)
    )


def known(driver: Driver, values: Mapping[str, Mapping[int, float | None]]) -> Scores:
    """Return the scores of the cells of which every member has a value, by proxy and cell; undefined ones count."""
    of_members = [values[member] for member in driver.members]
    cells = [cell for cell in of_members[0] if all(cell in of_member for of_member in of_members)]
    return {cell: oriented(driver, [of_member[cell] for of_member in of_members]) for cell in cells}


def judged(driver: Driver, scores: Mapping[int, tuple[float, ...]], pool: Sequence[int]) -> dict[int, float]:
    """Return how good the cells of a pool are; an ensemble ranks them among each other.

    Minus infinity where no member is defined.
    """
    if driver.ensemble is None:
        return {cell: scores[cell][0] for cell in pool}
    return judged_apart(driver, scores, [pool])[0]


def judged_apart(
    driver: Driver, scores: Mapping[int, tuple[float, ...]], pools: Sequence[Sequence[int]]
) -> list[dict[int, float]]:
    """Return how good the cells of several pools are by an ensemble, which ranks each pool by itself.

    As `judged` of every pool, and much faster: pools of the same size are ranked together.
    """
    assert driver.ensemble is not None
    found: list[dict[int, float]] = [{} for _ in pools]
    sizes = [len(pool) for pool in pools]
    for size in dict.fromkeys(sizes):
        places = [place for place, of in enumerate(sizes) if of == size]
        values = np.array([[scores[cell] for cell in pools[place]] for place in places], float).swapaxes(1, 2)
        defined = np.isfinite(values).any(axis=1)
        for place, ranks, is_defined in zip(places, panel.ranked(values), defined, strict=True):
            combined = np.where(is_defined, driver.ensemble.combine(ranks), -math.inf)
            found[place] = dict(zip(pools[place], combined.tolist(), strict=True))
    return found
