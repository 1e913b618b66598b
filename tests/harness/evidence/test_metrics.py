"""Every metric against its definition, worked out the long way, on random data with ties and undefined scores."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from diswot.harness.evidence import metrics
from diswot.harness.evidence.column import Column
from diswot.harness.evidence.metrics import METRICS, judge, oriented, top

#: Sums of at most twenty products of small whole numbers; only the last digits can differ from exact arithmetic.
TOLERANCE = 1e-12

#: Every example costs some milliseconds in scipy.
few = settings(max_examples=30)

wholes = st.integers(-4, 4).map(float)
percents = st.integers(0, 6).map(float)
unusual = st.sampled_from([math.nan, math.inf, -math.inf])


@st.composite
def pairs(
    draw: st.DrawFn,
    scores: st.SearchStrategy[float] = wholes | unusual,
    accuracies: st.SearchStrategy[float] = wholes,
    most: int = 20,
) -> tuple[np.ndarray, np.ndarray]:
    size = draw(st.integers(2, most))
    columns = [draw(st.lists(values, min_size=size, max_size=size)) for values in (scores, accuracies)]
    return np.array(columns[0]), np.array(columns[1])


def judged(scores: Any, accuracies: Any) -> dict[str, float]:
    return judge(oriented(np.asarray(scores, float)), Column.of(np.asarray(accuracies, float)))


def pearson(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x - x.mean(), y - y.mean()
    below = math.sqrt((x**2).sum() * (y**2).sum())
    return (x * y).sum() / below if below else math.nan


def average_ranks(values: np.ndarray) -> np.ndarray:
    return np.array([(values < value).sum() + ((values == value).sum() + 1) / 2 for value in values])


def tau_b(x: np.ndarray, y: np.ndarray) -> float:
    signs = [(np.sign(x[i] - x[j]), np.sign(y[i] - y[j])) for i, j in itertools.combinations(range(len(x)), 2)]
    below = math.sqrt(sum(a != 0 for a, _ in signs) * sum(b != 0 for _, b in signs))
    return sum(a * b for a, b in signs) / below if below else math.nan


def weighted_tau(x: np.ndarray, y: np.ndarray) -> float:
    """Vigna, A Weighted Correlation Index for Rankings with Ties, WWW 2015: hyperbolic weights, two rankings.

    The weight of a cell is its mean over all orders that its column allows.
    """

    def by(ranking: np.ndarray) -> float:
        better = np.array([(ranking > value).sum() for value in ranking])
        ties = np.array([(ranking == value).sum() for value in ranking])
        weight = [np.mean([1 / (place + 1) for place in range(b, b + t)]) for b, t in zip(better, ties, strict=True)]

        def product(a: np.ndarray, b: np.ndarray) -> float:
            return sum(
                np.sign(a[i] - a[j]) * np.sign(b[i] - b[j]) * (weight[i] + weight[j])
                for i, j in itertools.combinations(range(len(a)), 2)
            )

        below = math.sqrt(product(x, x) * product(y, y))
        return product(x, y) / below if below else math.nan

    return (by(x) + by(y)) / 2


def over_tie_breaks(values: np.ndarray) -> list[tuple[int, ...]]:
    """Return every order, best first, that the values allow."""
    return [
        order
        for order in itertools.permutations(range(len(values)))
        if all(values[a] >= values[b] for a, b in itertools.pairwise(order))
    ]


def precision(scores: np.ndarray, accuracies: np.ndarray, percent: float) -> float:
    count = top(len(scores), percent)
    shares = [
        len(set(one[:count]) & set(other[:count])) / count
        for one in over_tie_breaks(scores)
        for other in over_tie_breaks(accuracies)
    ]
    return float(np.mean(shares))


def best_rank(scores: np.ndarray, accuracies: np.ndarray, percent: float) -> float:
    count = top(len(scores), percent)
    ranks = len(scores) + 1 - average_ranks(accuracies)
    best = [min(ranks[cell] for cell in order[:count]) for order in over_tie_breaks(scores)]
    return float(np.mean(best) / len(scores))


def regret(scores: np.ndarray, accuracies: np.ndarray) -> float:
    return float(np.mean([accuracies.max() - accuracies[order[0]] for order in over_tie_breaks(scores)]))


def ndcg(scores: np.ndarray, accuracies: np.ndarray, percent: float) -> float:
    count = top(len(scores), percent)
    gains = 2**accuracies - 1

    def discounted(order: tuple[int, ...]) -> float:
        return sum(gains[cell] / math.log2(place + 2) for place, cell in enumerate(order[:count]))

    ideal = max(discounted(order) for order in over_tie_breaks(accuracies))
    return float(np.mean([discounted(order) for order in over_tie_breaks(scores)]) / ideal) if ideal else math.nan


def same(found: float, expected: float) -> bool:
    return found == pytest.approx(expected, abs=TOLERANCE, nan_ok=True)


@few
@given(pairs())
def test_the_correlations_are_their_definitions(pair: tuple[np.ndarray, np.ndarray]) -> None:
    scores, accuracies = pair
    defined = np.isfinite(scores)
    worst = np.where(defined, scores, -1000.0)
    found = judged(scores, accuracies)
    assert same(found["spearman"], pearson(average_ranks(worst), average_ranks(accuracies)))
    assert same(found["kendall"], tau_b(worst, accuracies))
    linear = pearson(scores[defined], accuracies[defined]) if defined.sum() > 1 else math.nan
    assert same(found["pearson"], linear)


@few
@given(pairs(scores=wholes))
def test_weighted_tau_is_its_definition(pair: tuple[np.ndarray, np.ndarray]) -> None:
    assert same(judged(*pair)["weighted_kendall"], weighted_tau(*pair))


@few
@given(st.permutations(range(9)), st.permutations(range(9)))
def test_weighted_tau_is_that_of_scipy_without_ties(x: list[int], y: list[int]) -> None:
    assert same(judged(x, y)["weighted_kendall"], stats.weightedtau(x, y).statistic)


@pytest.mark.parametrize("levels", [2, 28])
def test_weighted_tau_of_independent_scores_with_ties_is_zero(levels: int) -> None:
    # scipy's own has +.25 with two levels and +.21 with 28, since it orders tied scores by the accuracy.
    generator = np.random.default_rng(levels)
    taus = [
        judged(generator.integers(0, levels, 2000), generator.normal(size=2000))["weighted_kendall"] for _ in range(20)
    ]
    assert abs(np.mean(taus)) < 4 * np.std(taus) / math.sqrt(20)


@few
@given(pairs(accuracies=percents, most=6), st.sampled_from([1, 5, 10, 30, 50]))
def test_the_metrics_of_the_top_are_means_over_all_ways_to_break_ties(
    pair: tuple[np.ndarray, np.ndarray], percent: int
) -> None:
    scores, accuracies = pair
    worst = np.where(np.isfinite(scores), scores, -1000.0)
    x, y = oriented(scores), Column.of(accuracies)

    checks: list[tuple[Callable[..., float], Callable[..., float]]] = [
        (metrics.precision, precision),
        (metrics.best_rank, best_rank),
    ]
    nothing = not np.isfinite(scores).any()
    for own, oracle in checks:
        assert same(own(x, y, percent=percent), math.nan if nothing else oracle(worst, accuracies, percent))
    assert same(metrics.regret(x, y), math.nan if nothing else regret(worst, accuracies))
    gain = metrics.ndcg(x, y, depth=lambda cells: top(cells, percent))
    assert same(gain, math.nan if nothing else ndcg(worst, accuracies, percent))


def test_the_tau_among_the_best_takes_all_that_tie_at_the_edge() -> None:
    accuracies = np.array([9.0, 8, 7, 7, 7, *range(7, -8, -1)])  # the top 10 % of 20 are two: 9 and 8
    scores = np.array([1.0, 2, *range(18)])
    assert judged(scores, accuracies)["kendall_top_10"] == -1
    tied = np.array([9.0, 7, 7, 7, *range(6, -10, -1)])  # the second place is shared by three
    assert same(judged(scores[:20], tied)["kendall_top_10"], tau_b(scores[:4], tied[:4]))


def test_the_published_depth_needs_as_many_cells() -> None:
    generator = np.random.default_rng(0)
    scores, accuracies = generator.normal(size=(2, 1000))
    assert math.isnan(judged(scores[:-1], accuracies[:-1] + 50)["ndcg_1000"])
    assert 0 < judged(scores, accuracies + 50)["ndcg_1000"] < 1
    assert same(judged(accuracies, accuracies + 50)["ndcg_1000"], 1)


def test_gains_below_zero_have_no_discounted_gain() -> None:
    found = judged(range(5), [-1.0, 0, 1, 2, 3])
    assert math.isnan(found["ndcg_10"])
    assert found["precision_10"] == 1


@few
@given(pairs())
def test_a_monotone_transform_changes_nothing_but_pearson(pair: tuple[np.ndarray, np.ndarray]) -> None:
    scores, accuracies = pair
    before, after = judged(scores, accuracies), judged(scores**3 + 2 * scores, accuracies)
    for name in set(METRICS) - {"pearson"}:
        assert same(after[name], before[name]), name


@few
@given(pairs(), st.randoms(use_true_random=False))
def test_the_order_of_cells_does_not_matter(pair: tuple[np.ndarray, np.ndarray], random: Any) -> None:
    scores, accuracies = pair
    order = random.sample(range(len(scores)), len(scores))
    before, after = judged(scores, accuracies), judged(scores[order], accuracies[order])
    for name in METRICS:
        assert same(after[name], before[name]), name


@few
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=8))
def test_metrics_are_within_bounds_and_without_warnings(scores: list[float]) -> None:
    for name, value in judged(scores, np.arange(len(scores), dtype=float)).items():
        bound = len(scores) if name == "regret" else 1 + TOLERANCE
        assert math.isnan(value) or abs(value) <= bound, name


CORRELATIONS = ("spearman", "kendall", "pearson", "weighted_kendall")


@pytest.mark.parametrize(
    "scores",
    [[1.0], [1.0, 1.0, 1.0], [math.nan] * 3, [math.inf, -math.inf, math.nan]],
    ids=["one", "constant", "undefined", "infinite"],
)
def test_no_correlation_without_two_different_scores(scores: list[float]) -> None:
    found = judged(scores, np.arange(len(scores), dtype=float))
    assert all(math.isnan(found[name]) for name in CORRELATIONS)


@pytest.mark.parametrize("scores", [[1.0, math.nextafter(1, 2), 1.0], [1.7e308, -1.7e308, 1.6e308]])
def test_no_pearson_that_the_digits_do_not_carry(scores: list[float]) -> None:
    found = judged(scores, np.arange(3.0))
    assert math.isnan(found["pearson"])
    assert found["spearman"] == pytest.approx(0 if scores[0] == scores[2] else -0.5)


def test_no_correlation_without_two_different_accuracies() -> None:
    found = judged(np.arange(3.0), np.full(3, 90.0))
    assert all(math.isnan(found[name]) for name in CORRELATIONS)
    assert found["regret"] == 0


def test_constant_scores_are_worth_what_chance_is() -> None:
    found = judged(np.ones(100), np.random.default_rng(0).permutation(100))
    assert found["precision_10"] == pytest.approx(0.1)
    assert found["regret"] == pytest.approx(99 - 49.5)
    # The expected lowest of 5 numbers out of 1..100 is 101 / 6.
    assert found["best_rank_5"] == pytest.approx(101 / 6 / 100)


def test_a_perfect_rank_is_perfect() -> None:
    scores = np.random.default_rng(0).normal(size=1000)
    found = judged(np.exp(scores), scores + 90)
    best = {"best_rank_1": 1 / 1000, "best_rank_5": 1 / 1000, "regret": 0.0}
    for name in set(METRICS) - {"pearson"}:
        assert found[name] == pytest.approx(best.get(name, 1), abs=1e-12), name


def test_shuffled_accuracies_give_about_nothing() -> None:
    generator = np.random.default_rng(0)
    found = judged(generator.normal(size=10_000), generator.permutation(10_000))
    # Under independence the standard deviation of rho is 1 / sqrt(n - 1) = 0.01.
    assert abs(found["spearman"]) < 0.04
