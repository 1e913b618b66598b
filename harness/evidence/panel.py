"""A run's scores as one array, oriented so that higher is better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy

from diswot.harness.evidence import ensembles
from diswot.harness.evidence.ensembles import Ensemble

#: What an undefined score may be taken as: ranked below all others, or as one that is not there.
UNDEFINED = ("worst", "omit")


@dataclass(frozen=True, eq=False)
class Panel:
    """Scores of proxies and ensembles on cells; P proxies, S seeds, n cells.

    Attributes:
        proxies: names, P of them: the run's proxies, then the ensembles.
        members: how many of these are proxies.
        ensembles: the others, in their order.
        seeds: S of them, ascending.
        cells: (n,).
        scores: (P, S, n), higher is better; -inf where undefined, NaN where the score failed or is not there. Those of
            ensembles hold for these cells and no others.
        failed: (P, S, n), whether the score failed.
    """

    proxies: tuple[str, ...]
    members: int
    ensembles: tuple[Ensemble, ...]
    seeds: tuple[int, ...]
    cells: np.ndarray
    scores: np.ndarray
    failed: np.ndarray

    def at(self, chosen: np.ndarray) -> Panel:
        """Return the panel of some of the cells, given by their positions, in which the ensembles are made anew."""
        own = self.scores[: self.members, :, chosen]
        return replace(
            self,
            cells=self.cells[chosen],
            scores=np.concatenate([own, _combined(own, self.proxies, self.ensembles)]),
            failed=self.failed[:, :, chosen],
        )


def build(
    scores: pd.DataFrame, proxies: pd.DataFrame, *, undefined: str = "worst", others: Sequence[Ensemble] = ()
) -> Panel:
    """Return the panel of a run.

    Args:
        scores: as `diswot.harness.runs.results.Results.scores`.
        proxies: columns name and direction, in the order of the panel; one without any score is left out.
        undefined: one of `UNDEFINED`.
        others: ensembles of these proxies, beside those of the registry.
    """
    present = set(scores["proxy"])
    known = [(str(name), direction) for name, direction in zip(proxies["name"], proxies["direction"], strict=True)]
    signs = {name: -1.0 if direction == "lower" else 1.0 for name, direction in known if name in present}
    names = tuple(signs)
    combined = (*ensembles.available(names), *others)
    cells = np.sort(scores["cell"].unique()).astype(np.int64)
    seeds = np.sort(scores["seed"].unique()).astype(np.int64)
    own = scores[scores["proxy"].isin(names)]
    place = (
        pd.Index(names).get_indexer(own["proxy"]),
        np.searchsorted(seeds, own["seed"].to_numpy(np.int64)),
        np.searchsorted(cells, own["cell"].to_numpy(np.int64)),
    )
    oriented = own["value"].to_numpy(float) * own["proxy"].map(signs).to_numpy(float)
    lost = (own["status"] == "failed").to_numpy()
    shape = (len(names), len(seeds), len(cells))
    values, failed = np.full(shape, np.nan), np.zeros((len(names) + len(combined), *shape[1:]), bool)
    worst = -np.inf if undefined == "worst" else np.nan
    values[place] = np.where(lost, np.nan, np.where(np.isfinite(oriented), oriented, worst))
    failed[place] = lost
    every = (*names, *(one.name for one in combined))
    return Panel(
        proxies=every,
        members=len(names),
        ensembles=combined,
        seeds=tuple(int(seed) for seed in seeds),
        cells=cells,
        scores=np.concatenate([values, _combined(values, every, combined)]),
        failed=failed,
    )


def ranked(values: np.ndarray) -> np.ndarray:
    """Return ranks along the last axis, 1 the lowest, ties averaged; NaN stays NaN and counts for nothing."""
    ranks: np.ndarray = scipy.stats.rankdata(
        values, axis=-1, nan_policy="omit" if np.isnan(values).any() else "propagate"
    )
    return ranks


def mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Return the mean over seeds where there is a value; NaN, without a warning, where there is none."""
    defined = np.isfinite(values)
    count = defined.sum(axis=axis)
    total = np.where(defined, values, 0).sum(axis=axis)
    return np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)


def combine(ranks: np.ndarray, proxies: Sequence[str], combined: Sequence[Ensemble]) -> np.ndarray:
    """Return the scores of ensembles, (ensembles, S, n), from ranks (members, S, n) of the first of the proxies.

    An ensemble's pool is the cells that all its members have; NaN elsewhere.
    """
    found = np.empty((len(combined), *ranks.shape[1:]))
    for number, one in enumerate(combined):
        chosen = ranks[[proxies.index(name) for name in one.members]]
        lacking = np.isnan(chosen).any(axis=0)
        if lacking.any():
            chosen = ranked(np.where(lacking, np.nan, chosen))
        for seed in range(ranks.shape[1]):
            found[number, seed] = one.combine(chosen[:, seed])
    return found


def _combined(values: np.ndarray, proxies: Sequence[str], combined: Sequence[Ensemble]) -> np.ndarray:
    if not combined or not values.size:
        return np.empty((len(combined), *values.shape[1:]))
    return combine(ranked(values), proxies, combined)
