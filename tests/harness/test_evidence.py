from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness import correlation

#: Sums of at most twenty products of small whole numbers; only the last digits can differ from exact arithmetic.
TOLERANCE = 1e-12

#: Every example costs some milliseconds in pandas and scipy.
few = settings(max_examples=30)

wholes = st.integers(-4, 4).map(float)
unusual = st.sampled_from([math.nan, math.inf, -math.inf])


@st.composite
def pairs(draw: st.DrawFn, scores: st.SearchStrategy[float] = wholes, least: int = 2) -> tuple[np.ndarray, np.ndarray]:
    size = draw(st.integers(least, 20))
    columns = [draw(st.lists(values, min_size=size, max_size=size)) for values in (scores, wholes)]
    return np.array(columns[0]), np.array(columns[1])


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


def same(found: float, expected: float) -> bool:
    return found == pytest.approx(expected, abs=TOLERANCE, nan_ok=True)


@few
@given(pairs())
def test_the_definitions_are_the_oracle(pair: tuple[np.ndarray, np.ndarray]) -> None:
    scores, accuracies = pair
    found = correlation.correlate(scores, accuracies)
    assert (found.n, found.undefined, found.pearson_n) == (len(scores), 0, len(scores))
    assert same(found.spearman, pearson(average_ranks(scores), average_ranks(accuracies)))
    assert same(found.kendall, tau_b(scores, accuracies))
    assert same(found.pearson, pearson(scores, accuracies))


@few
@given(pairs(wholes | unusual))
def test_what_is_not_finite_ranks_worst(pair: tuple[np.ndarray, np.ndarray]) -> None:
    scores, accuracies = pair
    defined = np.isfinite(scores)
    worst = np.where(defined, scores, -1000.0)
    found = correlation.correlate(scores, accuracies)
    assert (found.n, found.undefined, found.pearson_n) == (len(scores), (~defined).sum(), defined.sum())
    assert same(found.spearman, pearson(average_ranks(worst), average_ranks(accuracies)))
    assert same(found.kendall, tau_b(worst, accuracies))
    if found.pearson_n > 1:
        assert same(found.pearson, pearson(scores[defined], accuracies[defined]))
    else:
        assert math.isnan(found.pearson)


@few
@given(pairs(wholes | unusual))
def test_a_monotone_transform_leaves_the_ranks_alone(pair: tuple[np.ndarray, np.ndarray]) -> None:
    scores, accuracies = pair
    before = correlation.correlate(scores, accuracies)
    after = correlation.correlate(scores**3 + 2 * scores, accuracies)
    assert (after.spearman, after.kendall) == pytest.approx((before.spearman, before.kendall), abs=0, nan_ok=True)


@few
@given(pairs())
def test_the_direction_turns_the_sign(pair: tuple[np.ndarray, np.ndarray]) -> None:
    scores, accuracies = pair
    higher = row(scores, accuracies, direction="higher")
    lower = row(scores, accuracies, direction="lower")
    for measure in correlation.MEASURES:
        assert same(lower[measure], -higher[measure])


@few
@given(pairs(wholes | unusual))
def test_undefined_scores_rank_worst_in_both_directions(pair: tuple[np.ndarray, np.ndarray]) -> None:
    scores, accuracies = pair
    higher = row(scores, accuracies, direction="higher")
    lower = row(-scores, accuracies, direction="lower")
    assert [lower[name] for name in correlation.MEASURES] == pytest.approx(
        [higher[name] for name in correlation.MEASURES], abs=0, nan_ok=True
    )


@few
@given(pairs(least=3), st.randoms(use_true_random=False))
def test_the_order_of_cells_does_not_matter(pair: tuple[np.ndarray, np.ndarray], random: Any) -> None:
    scores, accuracies = pair
    order = random.sample(range(len(scores)), len(scores))
    before, after = correlation.correlate(*pair), correlation.correlate(scores[order], accuracies[order])
    for measure in correlation.MEASURES:
        assert same(getattr(after, measure), getattr(before, measure))


@few
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=8))
def test_coefficients_are_within_bounds_and_without_warnings(scores: list[float]) -> None:
    found = correlation.correlate(np.array(scores), np.arange(len(scores), dtype=float))
    for measure in correlation.MEASURES:
        assert math.isnan(getattr(found, measure)) or abs(getattr(found, measure)) <= 1


@pytest.mark.parametrize(
    "scores",
    [[], [1.0], [1.0, 1.0, 1.0], [math.nan] * 3, [math.inf, -math.inf, math.nan]],
    ids=["none", "one", "constant", "undefined", "infinite"],
)
def test_no_coefficient_without_two_different_scores(scores: list[float]) -> None:
    found = correlation.correlate(np.array(scores), np.arange(len(scores), dtype=float))
    assert found.n == len(scores)
    assert all(math.isnan(getattr(found, measure)) for measure in correlation.MEASURES)


@pytest.mark.parametrize("scores", [[1.0, math.nextafter(1, 2), 1.0], [1.7e308, -1.7e308, 1.6e308]])
def test_no_pearson_that_the_digits_do_not_carry(scores: list[float]) -> None:
    found = correlation.correlate(np.array(scores), np.arange(3.0))
    assert math.isnan(found.pearson)
    assert found.spearman == pytest.approx(0 if scores[0] == scores[2] else -0.5)


def test_no_coefficient_without_two_different_accuracies() -> None:
    found = correlation.correlate(np.arange(3.0), np.full(3, 90.0))
    assert all(math.isnan(getattr(found, measure)) for measure in correlation.MEASURES)


def test_a_perfect_rank_is_exactly_one() -> None:
    scores = np.random.default_rng(0).normal(size=1000)
    found = correlation.correlate(np.exp(scores), scores)
    assert (found.spearman, found.kendall) == pytest.approx((1, 1), abs=1e-15)


def test_shuffled_accuracies_give_about_nothing() -> None:
    generator = np.random.default_rng(0)
    found = correlation.correlate(generator.normal(size=10_000), generator.permutation(10_000).astype(float))
    # Under independence the standard deviation of rho is 1 / sqrt(n - 1) = 0.01.
    assert abs(found.spearman) < 0.04


def frame(values: dict[tuple[str, int, int], float | str | None]) -> pd.DataFrame:
    rows = [
        {
            "space": "s0",
            "cell": cell,
            "proxy": proxy,
            "seed": seed,
            "status": "failed" if value == "failed" else "undefined" if value is None else "ok",
            "value": value if isinstance(value, float) else math.nan,
        }
        for (proxy, cell, seed), value in values.items()
    ]
    return pd.DataFrame(rows)


def proxies(**directions: str) -> pd.DataFrame:
    return pd.DataFrame([{"name": n, "family": "f", "direction": d} for n, d in directions.items()])


def target(accuracies: dict[int, float], name: str = "t:a") -> pd.DataFrame:
    return pd.DataFrame({"cell": list(accuracies), "target": name, "accuracy": list(accuracies.values())})


def row(scores: np.ndarray, accuracies: np.ndarray, direction: str) -> dict[str, Any]:
    values: Any = {("p", cell, 0): float(score) for cell, score in enumerate(scores)}
    table = correlation.table(frame(values), target(dict(enumerate(accuracies))), proxies(p=direction))
    return dict(table.iloc[0])


def test_the_table_counts_what_enters_and_what_does_not() -> None:
    scores = frame(
        {("p", 1, 0): 1.0, ("p", 2, 0): 2.0, ("p", 3, 0): None, ("p", 4, 0): "failed", ("p", 5, 0): 9.0}
        | {("p", 1, 1): "failed", ("p", 2, 1): "failed"}
    )
    table = correlation.table(scores, target({1: 10.0, 2: 20.0, 3: 5.0, 4: 50.0}), proxies(p="higher"))
    assert tuple(table.columns) == correlation.COLUMNS
    first, second = table.to_dict("records")
    assert (first["n"], first["undefined"], first["failed"], first["pearson_n"]) == (3, 1, 1, 2)
    assert (first["spearman"], first["kendall"], first["pearson"]) == pytest.approx((1, 1, 1))
    assert (second["seed"], second["n"], second["failed"]) == (1, 0, 2)
    assert math.isnan(second["spearman"])


def test_the_table_keeps_the_order_of_proxies_targets_and_seeds() -> None:
    scores = frame({(p, cell, seed): float(cell) for p in "ab" for cell in (1, 2) for seed in (1, 0)})
    targets = pd.concat([target({1: 1.0, 2: 2.0}, "z:z"), target({1: 2.0, 2: 1.0}, "a:a")])
    table = correlation.table(scores, targets, proxies(b="higher", a="lower", unused="higher"))
    assert list(zip(table["proxy"], table["target"], table["seed"], table["spearman"].round(9), strict=True)) == [
        *(("b", "z:z", 0, 1), ("b", "z:z", 1, 1), ("b", "a:a", 0, -1), ("b", "a:a", 1, -1)),
        *(("a", "z:z", 0, -1), ("a", "z:z", 1, -1), ("a", "a:a", 0, 1), ("a", "a:a", 1, 1)),
    ]


def test_nothing_scored_is_an_empty_table() -> None:
    table = correlation.table(frame({("p", 1, 0): 1.0}), target({1: 1.0}), proxies(q="higher"))
    assert table.empty
    assert tuple(table.columns) == correlation.COLUMNS
    summary = correlation.over_seeds(table)
    assert summary.empty
    assert correlation.proxies_by_correlation(summary) == []


def correlations(*rows: tuple[str, str, int, int, float]) -> pd.DataFrame:
    found = pd.DataFrame(rows, columns=["proxy", "target", "seed", "n", "spearman"])
    fixed = {"space": "s0", "family": "f", "direction": "higher", "undefined": 1, "failed": 2, "pearson_n": 3}
    return found.assign(kendall=0.5, pearson=math.nan, **fixed)[list(correlation.COLUMNS)]


def test_over_seeds() -> None:
    summary = correlation.over_seeds(
        correlations(("b", "t", 0, 10, 0.1), ("a", "t", 0, 9, 0.2), ("b", "t", 1, 8, 0.5), ("b", "t", 2, 9, math.nan))
    )
    assert list(summary["proxy"]) == ["b", "a"]
    b, a = summary.to_dict("records")
    assert (b["seeds"], b["spearman_seeds"], b["n_lowest"], b["n_highest"], b["scores"]) == (3, 2, 8, 10, 27)
    assert (b["undefined"], b["failed"]) == (3, 6)
    assert b["spearman"] == pytest.approx(0.3)
    assert b["spearman_deviation"] == pytest.approx(np.std([0.1, 0.5], ddof=1))
    assert b["kendall_deviation"] == 0
    assert (b["pearson_seeds"], math.isnan(b["pearson"])) == (0, True)
    assert math.isnan(a["spearman_deviation"])


def test_proxies_by_correlation() -> None:
    summary = correlation.over_seeds(
        correlations(
            *(("d", "t", 0, 9, math.nan), ("a", "t", 0, 9, -0.9), ("c", "t", 0, 9, 0.5), ("b", "t", 0, 9, 0.5)),
            *(("a", "u", 0, 9, 0.9), ("e", "u", 0, 9, 0.9)),
        )
    )
    assert correlation.proxies_by_correlation(summary) == ["b", "c", "a", "d", "e"]


@few
@given(pairs(wholes | unusual))
def test_the_mean_of_one_seed_is_the_seed(pair: tuple[np.ndarray, np.ndarray]) -> None:
    assume(len(pair[0]) > 2)
    values: Any = {("p", cell, 0): float(score) for cell, score in enumerate(pair[0])}
    table = correlation.table(frame(values), target(dict(enumerate(pair[1]))), proxies(p="higher"))
    summary = correlation.over_seeds(table)
    for measure in correlation.MEASURES:
        assert summary[measure][0] == pytest.approx(table[measure][0], abs=0, nan_ok=True)
