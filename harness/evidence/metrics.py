"""A registry of metrics of how well scores predict accuracies.

Scores are oriented (higher is better), and one that is not finite is undefined and ranks worst, below every defined
one. Ties are resolved by expectation over all ways to break them, never by the order of the cells.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy

from diswot.benchmarks.errors import unknown
from diswot.benchmarks.registry import Registry
from diswot.harness.evidence import influence
from diswot.harness.evidence.column import Column, concordance
from diswot.harness.evidence.influence import Influence

Function = Callable[["Column", "Column"], float]

#: nDCG's depth in the papers that report it (VKDNW, tss_utils.get_metrics).
_PUBLISHED_DEPTH = 1000


@dataclass(frozen=True)
class Metric:
    """A metric of agreement between scores and accuracies.

    Attributes:
        name: as in columns and on the command line.
        label: as in a table's head.
        function: of oriented scores, in which undefined ones are -inf, and of accuracies in percent; NaN where it is
            not defined.
        higher_is_better: whether a larger value is the better one.
        summary: what it says, in a sentence.
        influence: how every cell moves it, for a rank correlation that intervals and comparisons can be made of.
    """

    name: str
    label: str
    function: Function
    higher_is_better: bool
    summary: str
    influence: Influence | None = None


def judge(scores: Column, accuracies: Column) -> dict[str, float]:
    """Return every metric of `METRICS` by name.

    Args:
        scores: as `oriented` makes it.
        accuracies: percent, finite, of the same cells.
    """
    return {name: one.function(scores, accuracies) for name, one in METRICS.items()}


def oriented(scores: np.ndarray) -> Column:
    """Return scores of which higher is better, (cells,); what is not finite is undefined, and lowest."""
    return Column.of(np.where(np.isfinite(scores), scores, -np.inf))


def spearman(scores: Column, accuracies: Column) -> float:
    """Return Spearman's rho, ties averaged."""
    return _pearson(scores.ranks, accuracies.ranks)


def kendall(scores: Column, accuracies: Column) -> float:
    """Return Kendall's tau-b."""
    if scores.is_constant or accuracies.is_constant:
        return math.nan
    roots = [math.sqrt((len(column.values) - column.tied).sum() // 2) for column in (scores, accuracies)]
    tau = concordance(scores, accuracies).sum() // 2 / roots[0] / roots[1]
    return float(np.clip(tau, -1, 1))


def weighted_kendall(scores: Column, accuracies: Column) -> float:
    """Return Vigna's weighted tau (hyperbolic weights, mean of ranking by either side), which counts the head most.

    Vigna, "A weighted correlation index for rankings with ties", WWW 2015. scipy orders tied scores by the accuracy
    before it weights them, which favours scores with ties: independent ones reach .25. Here every cell of a tied block
    has the mean of the block's weights, its expectation over all orders. A pair's weight is the sum of its cells', so
    the sum over pairs is one over cells.
    """
    if scores.is_constant or accuracies.is_constant:
        return math.nan
    cells, agreeing = len(scores.values), concordance(scores, accuracies)
    hyperbolic = 1 / (np.arange(cells) + 1.0)
    taus = []
    for weights in (scores.mean_at_places(hyperbolic), accuracies.mean_at_places(hyperbolic)):
        by_score, by_accuracy = (float(weights @ (cells - column.tied)) for column in (scores, accuracies))
        taus.append(float(weights @ agreeing) / math.sqrt(by_score * by_accuracy))
    return float(np.mean(taus))


def pearson(scores: Column, accuracies: Column) -> float:
    """Return Pearson's r over the defined scores; it has no place for an undefined one."""
    defined = np.isfinite(scores.values)
    return _pearson(scores.values[defined], accuracies.values[defined])


def precision(scores: Column, accuracies: Column, *, percent: float) -> float:
    """Return the share of the top cells by score that are top cells by accuracy: P@percent."""
    if not _says_something(scores):
        return math.nan
    return share_found(scores, accuracies, top(len(scores.values), percent))


def share_found(scores: Column, accuracies: Column, count: int) -> float:
    """Return the share of the ``count`` truly best cells that are among as many best by score."""
    return float((scores.chance_in_top(count) * accuracies.chance_in_top(count)).sum() / count)


def best_rank(scores: Column, accuracies: Column, *, percent: float) -> float:
    """Return the best true rank among the top cells by score, divided by the number of cells: BR@percent.

    Rank 1 is the best; cells of equal accuracy share their mean rank. Of cells that tie at the edge of the top, a
    random choice enters, and the expected best rank is returned.
    """
    if not _says_something(scores):
        return math.nan
    cells = len(scores.values)
    count = top(cells, percent)
    chance = scores.chance_in_top(count)
    surely = accuracies.ranks[chance == 1].min(initial=np.inf)
    tied = np.sort(accuracies.ranks[(chance > 0) & (chance < 1)])
    if not len(tied):
        return float(surely / cells)
    chosen = count - int((chance == 1).sum())
    # Of the tied cells in the order of their ranks, the first one chosen is the j-th with this probability.
    none_before = np.concatenate([[1.0], np.cumprod(1 - chosen / (len(tied) - np.arange(len(tied))).clip(chosen))])
    first = none_before[:-1] - none_before[1:]
    return float((first * np.minimum(tied, surely)).sum() / cells)


def ndcg(scores: Column, accuracies: Column, *, depth: Callable[[int], int]) -> float:
    """Return the normalised discounted cumulative gain of the best-scored cells, the gain being 2^accuracy - 1.

    The gain doubles with every point of accuracy, as in VKDNW (tss_utils.get_metrics), which breaks ties by position
    where this takes their mean. NaN where there are fewer cells than ``depth`` asks for, no score is defined, or an
    accuracy is below 0, as gains from distillation can be.
    """
    cells = len(scores.values)
    k = depth(cells)
    if cells < 2 or k > cells or not _says_something(scores) or accuracies.values.min() < 0:
        return math.nan
    # Divided by a common factor, which changes nothing: 2 to the power of 100 is too much for exact sums.
    highest = accuracies.values.max()
    gains = 2.0 ** (accuracies.values - highest) - 2.0**-highest
    if not gains.any():
        return math.nan
    discounts = np.where(np.arange(cells) < k, 1 / np.log2(np.arange(cells) + 2.0), 0)
    return float(gains @ scores.mean_at_places(discounts) / (gains @ accuracies.mean_at_places(discounts)))


def kendall_at_top(scores: Column, accuracies: Column, *, percent: float) -> float:
    """Return Kendall's tau-b among the truly best cells; all that tie at the edge are among them."""
    best = accuracies.above < top(len(accuracies.values), percent)
    return kendall(Column.of(scores.values[best]), Column.of(accuracies.values[best]))


def regret(scores: Column, accuracies: Column) -> float:
    """Return the points of accuracy between the best cell and the best-scored cell; of tied cells the mean."""
    if not _says_something(scores):
        return math.nan
    return float(accuracies.values.max() - accuracies.values[scores.above == 0].mean())


def top(cells: int, percent: float) -> int:
    """Return how many cells are the top ``percent``: rounded up, so at least one."""
    return max(1, math.ceil(cells * percent / 100))


def _says_something(scores: Column) -> bool:
    return bool(np.isfinite(scores.values).any())


def _pearson(scores: np.ndarray, accuracies: np.ndarray) -> float:
    # scipy warns and returns NaN for constant input; the NaN says it already, and two points are the least it takes.
    if len(scores) < 2 or np.ptp(accuracies) == 0 or (scores == scores[0]).all():
        return math.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            return float(scipy.stats.pearsonr(scores, accuracies).statistic)
        except RuntimeWarning:  # nearly constant, or too large to subtract: the number could not be trusted
            return math.nan


def _published(cells: int) -> int:
    return _PUBLISHED_DEPTH


_ALL = [
    Metric("spearman", "Spearman", spearman, True, "rank correlation, ties averaged", influence.spearman),
    Metric(
        "kendall",
        "Kendall tau-b",
        kendall,
        True,
        "concordant minus discordant pairs, corrected for ties",
        influence.kendall,
    ),
    Metric("pearson", "Pearson", pearson, True, "linear correlation of the defined scores"),
    Metric("weighted_kendall", "weighted tau", weighted_kendall, True, "Kendall's tau in which the best count most"),
    *(
        Metric(
            f"precision_{percent}",
            f"P@{percent} %",
            partial(precision, percent=percent),
            True,
            f"share of the top {percent} % by score that are in the top {percent} % by accuracy",
        )
        for percent in (1, 5, 10)
    ),
    *(
        Metric(
            f"best_rank_{percent}",
            f"BR@{percent} %",
            partial(best_rank, percent=percent),
            False,
            f"best true rank among the top {percent} % by score, as a share of the cells",
        )
        for percent in (1, 5)
    ),
    Metric(
        "ndcg_10",
        "nDCG@10 %",
        partial(ndcg, depth=partial(top, percent=10)),
        True,
        "discounted gain of the top 10 % by score; the gain doubles with every point of accuracy",
    ),
    Metric(
        "ndcg_1000",
        "nDCG@1000",
        partial(ndcg, depth=_published),
        True,
        "the same at the published depth of 1,000 cells; not defined on fewer",
    ),
    Metric(
        "kendall_top_10",
        "tau-b in true top 10 %",
        partial(kendall_at_top, percent=10),
        True,
        "Kendall's tau-b among the truly best tenth",
    ),
    Metric("regret", "regret", regret, False, "points of accuracy between the best cell and the best-scored one"),
]

#: Every metric by its name, in the order of columns.
METRICS: Registry[Metric] = Registry(Metric, "metric", "diswot.metrics", {one.name: one for one in _ALL})


def influence_of(name: str) -> Influence:
    """Return how every cell moves a metric.

    Raises:
        InputError: if there is no such metric, or no intervals can be made of it.
    """
    influences = {one.name: one.influence for one in METRICS.values() if one.influence is not None}
    if name not in influences:
        raise unknown("metric", name, influences)
    return influences[name]
