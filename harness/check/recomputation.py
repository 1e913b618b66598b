"""Recompute a sample of stored scores on this machine: does it compute the numbers that the package holds?"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from diswot.harness.check import reference
from diswot.proxies import registry

#: How far, relative to the score, the rounding of another processor moves a score: about twice what docs/footguns.md
#: measured between AVX-512 and AVX2. Those named divide by, or sum to, numbers near zero.
TOLERANCE = 1e-4
TOLERANCES = {
    **{"grasp": 2e-2, "zico": 2e-2, "epe_nas": 2e-3, "fisher": 2e-3},
    **{"grad_norm": 5e-4, "snip": 5e-4, "plain": 1e-3},
}


@dataclass(frozen=True, eq=False)
class Recomputation:
    """Scores as they are stored and as this machine computes them.

    Attributes:
        cells: of the sample.
        scores: how many were compared.
        identical: how many have the same bits.
        differences: by proxy, the largest relative difference; infinite where only one of the two is defined.
    """

    cells: tuple[int, ...]
    scores: int
    identical: int
    differences: pd.Series

    @property
    def beyond(self) -> pd.Series:
        """The differences of the proxies that are beyond their tolerance."""
        return self.differences[self.differences > list(map(tolerance, self.differences.index))]


def tolerance(proxy: str) -> float:
    """Return how far, relative to the score, rounding may move a proxy's score."""
    return TOLERANCES.get(proxy, TOLERANCE)


def sample(count: int, seed: int = 0) -> tuple[int, ...]:
    """Return some of the cells whose scores the package holds."""
    return tuple(random.Random(seed).sample(reference.cells(quick=False), count))


def recompute(cells: Sequence[int], workers: int) -> Recomputation:
    """Score the fast suite on some of the reference cells, and compare with the stored scores.

    Args:
        cells: out of `reference.cells`.
        workers: processes.

    Raises:
        InputError: if the stored scores are damaged.
    """
    stored = reference.load().scores
    known = dict(zip(stored["proxy"], stored["version"], strict=True))
    fast = [proxy for proxy in registry.select("fast") if known.get(proxy.name) == proxy.version]
    with TemporaryDirectory(prefix="diswot-") as folder:
        found = reference.evaluate(reference.OWN, fast, cells, (), workers, Path(folder))
    both = found.merge(stored, on=["proxy", "cell"], suffixes=("", "_stored"))
    value, before = both["value"].to_numpy(float), both["value_stored"].to_numpy(float)
    same = (value == before) | (np.isnan(value) & np.isnan(before))
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = np.where(same, 0.0, np.abs(value - before) / np.abs(before))
    by_proxy = pd.Series(np.nan_to_num(difference, nan=np.inf)).groupby(both["proxy"].to_numpy()).max()
    return Recomputation(tuple(cells), len(both), int(same.sum()), by_proxy.sort_values(ascending=False))
