"""The gate's statistics: correlations, their paired differences over the same functions, and what these decide.

An interval decides only where all of it lies on one side; else the answer is that it could not be told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from diswot.harness.evidence import intervals, table
from diswot.harness.evidence.influence import Estimates
from diswot.harness.evidence.panel import Panel

#: What correlations are.
METRIC = "spearman"


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval over functions; NaN where it is not defined."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Return the number, and the interval in brackets."""
        return "not defined" if np.isnan(self.value) else f"{self.value:+.3f} [{self.low:+.2f}, {self.high:+.2f}]"


@dataclass(frozen=True, eq=False)
class Comparison:
    """Proxies on the same cells. P proxies and ensembles, T targets.

    Attributes:
        names: P of them.
        n: (P,), cells with a score or none for a reason.
        undefined: (P,), how many of these had none, and ranked worst.
        correlations: (P, T).
        partial: (P, T), controlling for the size.
    """

    names: tuple[str, ...]
    n: np.ndarray
    undefined: np.ndarray
    correlations: Estimates
    partial: Estimates

    def correlation(self, name: str, target: int) -> Estimate:
        """Return a proxy's correlation with a target."""
        return _with_interval(self.correlations[[self.names.index(name)], target], intervals.of_correlation)

    def partial_correlation(self, name: str, target: int) -> Estimate:
        """Return a proxy's partial correlation with a target, controlling for the size."""
        return _with_interval(self.partial[[self.names.index(name)], target], intervals.of_correlation)

    def lead(self, first: str, second: str, target: int) -> Estimate:
        """Return how much higher the first one's correlation is than the second one's."""
        leading, following = ([self.names.index(name)] for name in (first, second))
        difference = self.correlations[leading, target] - self.correlations[following, target]
        return _with_interval(difference, intervals.of_difference)

    def counts(self, name: str) -> str:
        """Return on how many cells a proxy's correlations stand, and how many had no score."""
        place = self.names.index(name)
        return f"n = {self.n[place]}, {self.undefined[place]} undefined"


def compare(panel: Panel, accuracies: np.ndarray, sizes: np.ndarray, functions: np.ndarray) -> Comparison:
    """Correlate proxies with targets.

    Args:
        panel: the scores, of one weight seed or several, of which means are taken.
        accuracies: (T, n), percent.
        sizes: (n,), what partial correlations control for.
        functions: (n,), the number of every cell's function, from 0.
    """
    correlations, partial = table.estimates(panel, accuracies, sizes, functions, METRIC)
    return Comparison(
        names=panel.proxies,
        n=(~np.isnan(panel.scores)).any(axis=1).sum(axis=1),
        undefined=np.isneginf(panel.scores).any(axis=1).sum(axis=1),
        correlations=correlations,
        partial=partial,
    )


def positive(estimate: Estimate) -> str:
    """Decide whether a number is above zero: fail where all of the interval is below."""
    if estimate.low > 0:
        return "pass"
    return "fail" if estimate.high < 0 else "undecided"


def within(gap: Estimate, margin: float) -> str:
    """Decide whether a gap is less than a margin: fail where all of the interval is beyond it."""
    if gap.high < margin:
        return "pass"
    return "fail" if gap.low > margin else "undecided"


def _with_interval(estimates: Estimates, interval: Callable[[Estimates], tuple[np.ndarray, np.ndarray]]) -> Estimate:
    low, high = interval(estimates)
    return Estimate(float(estimates.value[0]), float(low[0]), float(high[0]))
