"""Uncertainty over cells: a seeded bootstrap in which all proxies and targets see the same draws, so that differences
are paired.

Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentile intervals). Everything that depends
on the pool of cells, ranks and ensembles, is made anew in every draw.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from harness.evidence import panel
from harness.evidence.panel import Panel

#: The share of draws inside an interval.
LEVEL = 0.95

#: Draws are as many as this number of cells makes, within these bounds.
_CELLS_DRAWN, _FEWEST, _MOST = 1_000_000, 100, 1000

_CACHED = 32_768

#: The share of draws that must be defined.
_ENOUGH = 0.5

#: Of fewer cells a draw says nothing: three that happen to be in order are in order in every draw.
FEWEST_CELLS = 10

#: From ranks of scores (rows, n) and of accuracies (targets, n), without NaN, to correlations (rows, targets).
Statistic = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Draws:
    """What was found in every draw; means over seeds. B draws, P proxies, T targets.

    Attributes:
        correlation: (B, P, T).
        partial: (B, P, T), with the size's rank held fixed; NaN without a size.
    """

    correlation: np.ndarray
    partial: np.ndarray


def spearman(scores: np.ndarray, accuracies: np.ndarray) -> np.ndarray:
    """Return Spearman's rho of every row with every target: Pearson's r of the ranks; NaN where one is constant."""
    x, y = (values - values.mean(axis=-1, keepdims=True) for values in (scores, accuracies))
    below = np.sqrt((x**2).sum(axis=-1)[:, None] * (y**2).sum(axis=-1)[None])
    found: np.ndarray = np.divide(x @ y.T, below, out=np.full(below.shape, np.nan), where=below > 0)
    return found


def kendall(scores: np.ndarray, accuracies: np.ndarray) -> np.ndarray:
    """Return Kendall's tau-b of every row with every target; NaN where one is constant."""
    found = np.full((len(scores), len(accuracies)), np.nan)
    for i, j in np.ndindex(*found.shape):
        if len(accuracies[j]) > 1 and np.ptp(scores[i]) and np.ptp(accuracies[j]):
            found[i, j] = stats.kendalltau(scores[i], accuracies[j]).statistic
    return found


#: The measures that intervals can be asked for.
STATISTICS: dict[str, Statistic] = {"spearman": spearman, "kendall": kendall}


def default_draws(cells: int) -> int:
    """Return how many draws are made unless a number is asked for: 1,000, and fewer, to 100, of more than 1,000 cells.

    With 100 draws the ends of an interval wander by about an eighth of its half-width; of 15,625 cells that is .001.
    """
    return int(np.clip(_CELLS_DRAWN // max(cells, 1), _FEWEST, _MOST))


def draw(
    one: Panel,
    accuracies: np.ndarray,
    size: np.ndarray | None,
    *,
    measure: str,
    draws: int,
    seed: int,
    groups: np.ndarray | None = None,
) -> Draws:
    """Correlate in every draw of cells with replacement.

    Args:
        one: the scores.
        accuracies: (T, n), percent.
        size: (n,), what partial correlations hold fixed; None for none.
        measure: one of `STATISTICS`.
        draws: how many.
        seed: of the generator.
        groups: (n,), numbers of groups of cells that are drawn together; None to draw cells.

    Returns:
        The draws; NaN for a proxy with scores of fewer than `FEWEST_CELLS` cells.
    """
    statistic = STATISTICS[measure]
    # Ranks do not change when values are replaced by their order, and small whole numbers are sorted fastest.
    scores, missing = _coded(one.scores[: one.members])
    truth, _ = _coded(accuracies if size is None else np.vstack([accuracies, size]))
    targets = len(accuracies)
    shape = (draws, len(one.proxies), targets)
    found = Draws(np.full(shape, np.nan), np.full(shape, np.nan))
    if accuracies.shape[1] < FEWEST_CELLS:
        return found
    for number, chosen in enumerate(_resampled(accuracies.shape[1], groups, draws, seed)):
        ranks = _ranks(np.take(scores, chosen, axis=-1), None if missing is None else missing[..., chosen])
        if one.ensembles:
            ranks = np.concatenate([ranks, panel.ranked(panel.combine(ranks, one.proxies, one.ensembles))])
        known = stats.rankdata(truth[:, chosen], axis=-1)
        rows, given = _correlated(statistic, ranks.reshape(-1, len(chosen)), known)
        by_seed = (len(one.proxies), len(one.seeds), -1)
        found.correlation[number] = mean(rows.reshape(by_seed)[..., :targets], axis=1)
        if size is not None:
            found.partial[number] = mean(given.reshape(by_seed), axis=1)
    few = (~np.isnan(one.scores)).sum(axis=-1).max(axis=1) < FEWEST_CELLS
    found.correlation[:, few] = found.partial[:, few] = np.nan
    return found


def partial(scores: np.ndarray, accuracies: np.ndarray, size: np.ndarray, measure: str) -> np.ndarray:
    """Return the partial rank correlation of rows of scores (rows, n) with targets (T, n), given a size (n,).

    With r for the correlations of ranks, (r_xy - r_xz r_yz) / sqrt((1 - r_xz^2)(1 - r_yz^2)); of Kendall's tau the same
    (Kendall, 1942). NaN where the size decides one of the two.
    """
    return _correlated(STATISTICS[measure], panel.ranked(scores), panel.ranked(np.vstack([accuracies, size])))[1]


def mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Return the mean over seeds where there is a value; NaN, without a warning, where there is none."""
    defined = np.isfinite(values)
    count = defined.sum(axis=axis)
    total = np.where(defined, values, 0).sum(axis=axis)
    return np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)


def interval(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the percentile interval over the first axis; NaN where fewer than half of the draws are defined."""
    enough = np.isfinite(draws).mean(axis=0) >= _ENOUGH
    kept = np.where(enough, draws, 0.0)
    low, high = np.nanquantile(kept, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return np.where(enough, low, np.nan), np.where(enough, high, np.nan)


def comparable(found: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Return which correlations, (P,), are defined and in at least half of the draws, (B, P), too."""
    return np.isfinite(found) & (np.isfinite(draws).mean(axis=0) >= _ENOUGH)


def compared_with_best(found: np.ndarray, draws: np.ndarray, best: int) -> np.ndarray:
    """Return how likely a difference to the best is by chance, (P,), corrected by Holm for all pairs of proxies.

    The best was itself chosen by looking at all, so correcting for its own P - 1 differences would find too many of
    them; all P (P - 1) / 2 pairs are what could have been asked. A difference is compared with its standard deviation
    over the draws and the normal distribution, since shares of draws are too coarse for so many pairs.

    Args:
        found: (P,), the correlations.
        draws: (B, P), the same in every draw.
        best: which one is the best.

    Returns:
        p-values; 1 for the best itself, NaN where no comparison is possible: see `comparable`.
    """
    defined = np.flatnonzero(comparable(found, draws))
    values = np.full(len(found), np.nan)
    if best not in defined:
        return values
    known = np.ma.masked_invalid(draws[:, defined])
    first, second = np.triu_indices(len(defined), 1)
    variance = (known[:, first] - known[:, second]).var(axis=0, ddof=1).filled(np.nan)
    distance = np.abs(found[defined][first] - found[defined][second])
    # Scores that agree in every draw differ by rounding alone.
    own = known.var(axis=0, ddof=1).filled(np.nan)
    same = variance <= 1e-12 * (own[first] + own[second])
    z = np.divide(distance, np.sqrt(variance), out=np.zeros(len(distance)), where=~same)
    corrected = holm(2 * stats.norm.sf(z))
    place = int(np.flatnonzero(defined == best)[0])
    mine = (first == place) | (second == place)
    others = np.where(first[mine] == place, second[mine], first[mine])
    values[best] = 1.0
    values[defined[others]] = corrected[mine]
    return values


def holm(values: np.ndarray) -> np.ndarray:
    """Return p-values corrected for their number (Holm, 1979): each holds for all tests together."""
    order = np.argsort(values, kind="stable")
    factors = len(values) - np.arange(len(values))
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(1, np.maximum.accumulate(factors * values[order]))
    return corrected


def _resampled(cells: int, groups: np.ndarray | None, draws: int, seed: int) -> Iterator[np.ndarray]:
    random = np.random.default_rng(seed)
    if groups is None:
        for _ in range(draws):
            yield random.integers(0, cells, cells)
        return
    _, number, counts = np.unique(groups, return_inverse=True, return_counts=True)
    members = np.split(np.argsort(number, kind="stable"), np.cumsum(counts)[:-1])
    for _ in range(draws):
        yield np.concatenate([members[group] for group in random.integers(0, len(members), len(members))])


def _coded(values: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    missing = np.isnan(values)
    codes = stats.rankdata(np.where(missing, np.inf, values), "dense", axis=-1)
    kind = np.int16 if codes.max(initial=0) <= np.iinfo(np.int16).max else np.int32
    return codes.astype(kind), missing if missing.any() else None


def _ranks(codes: np.ndarray, missing: np.ndarray | None) -> np.ndarray:
    if missing is not None:
        return panel.ranked(np.where(missing, np.nan, codes))
    rows = codes.reshape(-1, codes.shape[-1])
    ranks = np.empty(rows.shape)
    # A few rows at a time stay in the processor's cache, which halves the time of large draws.
    step = max(1, _CACHED // rows.shape[1])
    for start in range(0, len(rows), step):
        ranks[start : start + step] = stats.rankdata(rows[start : start + step], axis=-1)
    return ranks.reshape(codes.shape)


def _correlated(statistic: Statistic, ranks: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # (rows, known), and with the last of `known` held fixed (rows, known - 1). A row is taken where it has no NaN.
    missing = np.isnan(ranks)
    whole = ~missing.any(axis=1)
    found = np.full((len(ranks), len(known)), np.nan)
    with_size = np.full((len(ranks), len(known)), np.nan)
    if whole.any():
        found[whole] = statistic(ranks[whole], known)
        with_size[whole] = statistic(known[-1:], known)
    for row in np.flatnonzero(~whole):
        kept = ~missing[row]
        if kept.any():
            there = stats.rankdata(known[:, kept], axis=-1)
            found[row] = statistic(ranks[row : row + 1, kept], there)[0]
            with_size[row] = statistic(there[-1:], there)[0]
    return found, _partial(found[:, :-1], found[:, -1:], with_size[:, :-1])


def _partial(xy: np.ndarray, xz: np.ndarray, yz: np.ndarray) -> np.ndarray:
    below = np.sqrt(np.maximum(0, (1 - xz**2) * (1 - yz**2)))
    return np.divide(xy - xz * yz, below, out=np.full(xy.shape, np.nan), where=below > 1e-6)
