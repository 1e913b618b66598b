"""Intervals and comparisons of rank correlations, from the influence of every function of cells."""

from __future__ import annotations

import numpy as np
import scipy

from diswot.harness.evidence.influence import Estimates

#: The share of samples whose interval is meant to hold the true value.
LEVEL = 0.95

#: Fewer functions have no interval: three that happen to be in order say nothing about a fourth.
FEWEST_FUNCTIONS = 10


def of_correlation(estimates: Estimates) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the interval of correlations, on the scale of Fisher's z, where it is nearly symmetric."""
    inside = np.where(np.abs(estimates.value) < 1, estimates.value, np.nan)
    reach = _reach(estimates) / (1 - inside**2)
    low, high = np.tanh(np.arctanh(inside) - reach), np.tanh(np.arctanh(inside) + reach)
    # All in order: nothing varies, and the ends are the value.
    known = np.isfinite(reach) | ~_enough(estimates)
    return np.where(known, low, estimates.value), np.where(known, high, estimates.value)


def of_difference(estimates: Estimates) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the interval of differences."""
    reach = _reach(estimates)
    return estimates.value - reach, estimates.value + reach


def p_values(differences: Estimates) -> np.ndarray:
    """Return how likely differences as large would be by chance, two-sided; 1 where nothing differs."""
    error, freedom = _error(differences)
    # Scores of the same order differ by rounding alone.
    same = np.abs(differences.value) < 1e-9
    distance = np.divide(np.abs(differences.value), error, out=np.zeros(error.shape), where=(error > 0) & ~same)
    chance: np.ndarray = 2 * scipy.stats.t.sf(distance, freedom)
    return np.where(np.isfinite(differences.value), chance, np.nan)


def compared_with_best(estimates: Estimates, best: int) -> np.ndarray:
    """Return the p-value of every proxy's difference from the best, corrected by Holm for all pairs of proxies.

    The best was itself chosen by looking at all, so correcting for its own P - 1 differences would find too many of
    them; all P (P - 1) / 2 pairs are what could have been asked.

    Args:
        estimates: of P proxies; those with a NaN are not compared.
        best: the place of the best.

    Returns:
        (P,); 1 for the best itself, NaN where no comparison is possible.
    """
    corrected = np.full(len(estimates.value), np.nan)
    compared = np.flatnonzero(np.isfinite(estimates.value) & _enough(estimates))
    if best not in compared:
        return corrected
    first, second = (compared[places] for places in np.triu_indices(len(compared), 1))
    pairs = holm(np.concatenate([_pair_p_values(estimates, int(place), second[first == place]) for place in compared]))
    with_best = (first == best) | (second == best)
    corrected[np.where(first == best, second, first)[with_best]] = pairs[with_best]
    corrected[best] = 1.0
    return corrected


def holm(values: np.ndarray) -> np.ndarray:
    """Return p-values corrected for their number (Holm, 1979): each holds for all tests together."""
    order = np.argsort(values, kind="stable")
    factors = len(values) - np.arange(len(values))
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(1, np.maximum.accumulate(factors * values[order]))
    return corrected


def _pair_p_values(estimates: Estimates, first: int, others: np.ndarray) -> np.ndarray:
    # One proxy with all that follow it at a time, so that memory grows with the number of proxies and not of pairs.
    return p_values(estimates[[first]] - estimates[others])


def _enough(estimates: Estimates) -> np.ndarray:
    return estimates.functions >= FEWEST_FUNCTIONS


def _reach(estimates: Estimates) -> np.ndarray:
    error, freedom = _error(estimates)
    reach: np.ndarray = scipy.stats.t.ppf((1 + LEVEL) / 2, freedom) * error
    return reach


def _error(estimates: Estimates) -> tuple[np.ndarray, np.ndarray]:
    """Return standard errors, and the degrees of freedom that these have (Satterthwaite, 1946).

    Where few large functions make most of the variance, its estimate is itself uncertain; its degrees of freedom follow
    from the fourth powers of the influences.
    """
    count = estimates.functions
    squared = estimates.influence**2
    squares, fourth = squared.sum(axis=-1), (squared**2).sum(axis=-1)  # numpy's fourth power is slow
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.sqrt(squares * count / (count - 1))
        freedom = 2 * squares**2 / (fourth - squares**2 / count)
    freedom = np.where(squares > 0, np.clip(freedom, 1, count - 1), count - 1)
    enough = _enough(estimates)
    return np.where(enough, error, np.nan), np.where(enough, freedom, np.nan)
