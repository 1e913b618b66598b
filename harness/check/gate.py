"""The gate's statistics: correlations and their paired differences over the same draws of cells, and what they decide.

An interval decides only where all of it lies on one side; else the answer is that it could not be told.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.evidence import bootstrap, measures
from harness.evidence.panel import Panel

#: What correlations are.
MEASURE = "spearman"


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval over cells; NaN where it is not defined."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Return the number, and the interval in brackets."""
        return "not defined" if np.isnan(self.value) else f"{self.value:+.3f} [{self.low:+.2f}, {self.high:+.2f}]"


@dataclass(frozen=True, eq=False)
class Comparison:
    """Proxies on the same cells and in the same draws. P proxies and ensembles, T targets, B draws.

    Attributes:
        names: P of them.
        n: (P,), cells with a score or none for a reason.
        undefined: (P,), how many of these had none, and ranked worst.
        found: (P, T), correlations.
        partial: (P, T), with the size held fixed.
        draws: both again in every draw, (B, P, T).
    """

    names: tuple[str, ...]
    n: np.ndarray
    undefined: np.ndarray
    found: np.ndarray
    partial: np.ndarray
    draws: bootstrap.Draws

    def correlation(self, name: str, target: int) -> Estimate:
        """Return a proxy's correlation with a target."""
        place = self.names.index(name)
        return _estimate(self.found[place, target], self.draws.correlation[:, place, target])

    def given_size(self, name: str, target: int) -> Estimate:
        """Return what of the correlation is left with the size held fixed."""
        place = self.names.index(name)
        return _estimate(self.partial[place, target], self.draws.partial[:, place, target])

    def lead(self, first: str, second: str, target: int) -> Estimate:
        """Return how much higher the first one's correlation is than the second one's."""
        one, other = self.names.index(first), self.names.index(second)
        drawn = self.draws.correlation[:, one, target] - self.draws.correlation[:, other, target]
        return _estimate(self.found[one, target] - self.found[other, target], drawn)

    def counts(self, name: str) -> str:
        """Return on how many cells a proxy's correlations stand, and how many had no score."""
        place = self.names.index(name)
        return f"n = {self.n[place]}, {self.undefined[place]} undefined"


def compare(
    one: Panel, accuracies: np.ndarray, sizes: np.ndarray | None, *, draws: int | None = None, seed: int = 0
) -> Comparison:
    """Correlate proxies with targets on all cells and in every draw of them.

    Args:
        one: the scores, of one weight seed or several, of which means are taken.
        accuracies: (T, n), percent.
        sizes: (n,), held fixed in partial correlations; None for none.
        draws: of the bootstrap; None for its default.
        seed: of the draws.
    """
    shape = (len(one.proxies), len(one.seeds), len(accuracies))
    found, partial = np.full(shape, np.nan), np.full(shape, np.nan)
    for number, place in np.ndindex(shape[:2]):
        scores = one.scores[number, place]
        kept = ~np.isnan(scores)
        for target, values in enumerate(accuracies):
            if kept.any():
                column = measures.oriented(scores[kept])
                found[number, place, target] = measures.spearman(column, measures.Column.of(values[kept]))
    if sizes is not None:
        for place in range(len(one.seeds)):
            partial[:, place] = bootstrap.partial(one.scores[:, place], accuracies, sizes, MEASURE)
    settled = ~np.isnan(one.scores)
    number_of_draws = draws or bootstrap.default_draws(accuracies.shape[1])
    return Comparison(
        names=one.proxies,
        n=settled.any(axis=1).sum(axis=1),
        undefined=np.isneginf(one.scores).any(axis=1).sum(axis=1),
        found=bootstrap.mean(found, axis=1),
        partial=bootstrap.mean(partial, axis=1),
        draws=bootstrap.draw(one, accuracies, sizes, measure=MEASURE, draws=number_of_draws, seed=seed),
    )


def positive(estimate: Estimate) -> str:
    """Decide whether a number is above zero: fail where all of the interval is below."""
    if estimate.low > 0:
        return "pass"
    return "fail" if estimate.high < 0 else "undecided"


def within(behind: Estimate, margin: float) -> str:
    """Decide whether a proxy lies behind by less than a margin: fail where all of the interval is beyond it."""
    if behind.high < margin:
        return "pass"
    return "fail" if behind.low > margin else "undecided"


def _estimate(value: float, draws: np.ndarray) -> Estimate:
    low, high = bootstrap.interval(draws[:, None])
    return Estimate(float(value), float(low[0]), float(high[0]))
