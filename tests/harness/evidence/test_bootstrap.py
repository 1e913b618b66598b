"""Intervals cover what they claim to, comparisons rarely find a difference that is not there, and all of it repeats."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.evidence import bootstrap, panel
from harness.evidence.panel import Panel


def made(scores: np.ndarray, directions: Any = None) -> Panel:
    """Return a panel of scores (P, S, n); NaN stands for a unit that failed, -inf for an undefined score."""
    names = [f"p{number}" for number in range(len(scores))]
    rows = [
        {
            "proxy": name,
            "seed": seed,
            "cell": cell,
            "status": "failed" if np.isnan(value) else "ok" if np.isfinite(value) else "undefined",
            "value": value if np.isfinite(value) else math.nan,
        }
        for name, own in zip(names, scores, strict=True)
        for seed, values in enumerate(own)
        for cell, value in enumerate(values)
    ]
    proxies = pd.DataFrame({"name": names, "direction": directions or "higher"})
    return panel.build(pd.DataFrame(rows), proxies)


def drawn(scores: np.ndarray, truth: np.ndarray, **changes: Any) -> bootstrap.Draws:
    options = {"measure": "spearman", "draws": 300, "seed": 0, **changes}
    return bootstrap.draw(made(scores), truth, options.pop("size", None), **options)


@pytest.mark.parametrize("measure", ["spearman", "kendall"])
def test_an_interval_covers_the_true_correlation_as_often_as_it_claims(measure: str) -> None:
    generator = np.random.default_rng(1)
    r, cells, repeats = 0.6, 60, 150
    # Of two normal variables (Kruskal 1958): rho_S = 6/pi asin(r/2), tau = 2/pi asin(r).
    true = 6 / math.pi * math.asin(r / 2) if measure == "spearman" else 2 / math.pi * math.asin(r)
    covered = 0
    for number in range(repeats):
        truth = generator.normal(size=cells)
        scores = r * truth + math.sqrt(1 - r**2) * generator.normal(size=cells)
        found = drawn(scores[None, None], truth[None], measure=measure, draws=200, seed=number)
        low, high = bootstrap.interval(found.correlation)
        covered += bool(low[0, 0] <= true <= high[0, 0])
    # 95 % is claimed; of 150 repeats, 133 or fewer would then be rarer than 1 in 1,000 (binomial).
    assert covered > stats.binom.ppf(0.001, repeats, bootstrap.LEVEL)
    assert covered < repeats


def test_equal_proxies_are_rarely_told_apart() -> None:
    generator = np.random.default_rng(2)
    repeats, cells, proxies, false = 60, 80, 12, 0
    for number in range(repeats):
        truth = generator.normal(size=cells)
        scores = truth + generator.normal(size=(proxies, 1, cells))
        found = drawn(scores, truth[None], draws=200, seed=number)
        values = np.array([stats.spearmanr(own[0], truth).statistic for own in scores])
        chance = bootstrap.compared_with_best(values, found.correlation[:, :, 0], int(values.argmax()))
        false += bool((chance < 0.05).any())
    # 5 % of the repeats may be wrong; 9 or more of 60 would be rarer than 1 in 400.
    assert false <= stats.binom.ppf(0.9975, repeats, 0.05)


def test_a_better_proxy_is_told_from_a_worse_one() -> None:
    generator = np.random.default_rng(3)
    truth = generator.normal(size=300)
    scores = truth + np.array([0.3, 0.32, 2.0])[:, None, None] * generator.normal(size=(3, 1, 300))
    found = drawn(scores, truth[None])
    values = np.array([stats.spearmanr(own[0], truth).statistic for own in scores])
    chance = bootstrap.compared_with_best(values, found.correlation[:, :, 0], int(values.argmax()))
    assert chance[values.argmax()] == 1
    assert chance[2] < 1e-6
    assert np.sort(chance)[1] > 0.05


def test_a_copy_of_the_best_is_level_with_it() -> None:
    generator = np.random.default_rng(4)
    truth = generator.normal(size=50)
    one = truth + generator.normal(size=50)
    scores = np.array([one, np.exp(one), truth + generator.normal(size=50)])[:, None]
    found = drawn(scores, truth[None])
    values = np.array([stats.spearmanr(own[0], truth).statistic for own in scores])
    chance = bootstrap.compared_with_best(values, found.correlation[:, :, 0], 0)
    assert chance[1] == 1


def test_what_is_undefined_in_some_draws_is_compared_in_the_others() -> None:
    generator = np.random.default_rng(4)
    truth = generator.normal(size=40)
    scores = np.array([truth + 0.5 * generator.normal(size=40), np.zeros(40), generator.normal(size=40)])[:, None]
    scores[1, 0, truth.argmax()] = 1  # constant where a draw lacks that cell, in 36 % of them
    found = drawn(scores, truth[None])
    assert 0.2 < np.isnan(found.correlation[:, 1, 0]).mean() < 0.5
    values = np.array([stats.spearmanr(own[0], truth).statistic for own in scores])
    chance = bootstrap.compared_with_best(values, found.correlation[:, :, 0], 0)
    draws = pd.DataFrame(found.correlation[:, :, 0])
    z = [abs(values[i] - values[j]) / (draws[i] - draws[j]).std() for i, j in ((0, 1), (0, 2), (1, 2))]
    expected = bootstrap.holm(2 * stats.norm.sf(z))
    assert chance == pytest.approx([1, *expected[:2]])


def test_equal_input_gives_equal_draws_and_another_seed_others() -> None:
    generator = np.random.default_rng(5)
    scores, truth = generator.normal(size=(2, 2, 30)), generator.normal(size=(2, 30))
    one, again, other = (drawn(scores, truth, seed=seed, size=truth[0] ** 2) for seed in (0, 0, 1))
    assert np.array_equal(one.correlation, again.correlation)
    assert np.array_equal(one.partial, again.partial)
    assert not np.array_equal(one.correlation, other.correlation)


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_every_draw_is_what_scipy_finds_on_the_cells_drawn(seed: int) -> None:
    generator = np.random.default_rng(seed)
    cells, proxies, seeds = 12, 3, 2
    scores = generator.integers(0, 5, (proxies, seeds, cells)).astype(float)
    scores[generator.random(scores.shape) < 0.15] = -math.inf
    scores[0][generator.random((seeds, cells)) < 0.2] = math.nan  # failed
    truth = generator.integers(0, 6, (2, cells)).astype(float)
    size = generator.integers(0, 6, cells).astype(float)
    for measure, function in (("spearman", stats.spearmanr), ("kendall", stats.kendalltau)):
        found = drawn(scores, truth, draws=5, seed=seed, size=size, measure=measure)
        random = np.random.default_rng(seed)
        for draw in range(5):
            chosen = random.integers(0, cells, cells)
            for proxy, target in np.ndindex(proxies, 2):
                values, held = [], []
                for s in range(seeds):
                    kept = chosen[~np.isnan(scores[proxy, s, chosen])]
                    x, y, z = scores[proxy, s, kept], truth[target, kept], size[kept]
                    values.append(_or_nan(function, x, y))
                    xz, yz = _or_nan(function, x, z), _or_nan(function, y, z)
                    below = (1 - xz**2) * (1 - yz**2)
                    held.append((values[-1] - xz * yz) / math.sqrt(below) if below > 1e-11 else math.nan)
                expected, given_size = (np.nanmean(v) if np.isfinite(v).any() else math.nan for v in (values, held))
                if (~np.isnan(scores[proxy])).sum(axis=-1).max() < bootstrap.FEWEST_CELLS:
                    expected = given_size = math.nan
                assert found.correlation[draw, proxy, target] == pytest.approx(expected, abs=1e-9, nan_ok=True)
                assert found.partial[draw, proxy, target] == pytest.approx(given_size, abs=1e-6, nan_ok=True)


def _or_nan(function: Any, x: np.ndarray, y: np.ndarray) -> float:
    if len(x) < 2 or (x == x[0]).all() or (y == y[0]).all():
        return math.nan
    return float(function(stats.rankdata(x), y).statistic)


def test_few_cells_have_no_draws_however_many_others_have() -> None:
    generator = np.random.default_rng(6)
    truth = generator.normal(size=40)
    scores = np.array([truth, truth])[:, None].copy()
    scores[1, 0, bootstrap.FEWEST_CELLS - 1 :] = math.nan
    found = drawn(scores, truth[None], size=truth**2)
    assert np.isfinite(found.correlation[:, 0]).all()
    assert np.isnan(found.correlation[:, 1]).all()
    assert np.isnan(found.partial[:, 1]).all()


def test_classes_are_drawn_whole() -> None:
    generator = np.random.default_rng(6)
    truth = np.repeat(generator.normal(size=10), 5)
    noise = np.repeat(generator.normal(size=10), 5)
    scores = (truth + noise)[None, None]
    widths = []
    for groups in (None, np.repeat(np.arange(10), 5)):
        low, high = bootstrap.interval(drawn(scores, truth[None], groups=groups, draws=1000).correlation)
        widths.append(float(high[0, 0] - low[0, 0]))
    # Five copies of ten cells hold no more than the ten do: the interval over classes is about sqrt(5) times as wide.
    assert 1.6 < widths[1] / widths[0] < 3.0
    alone = drawn(scores[..., ::5], truth[None, ::5], draws=1000)
    low, high = bootstrap.interval(alone.correlation)
    assert widths[1] == pytest.approx(float(high[0, 0] - low[0, 0]), rel=0.15)


def test_ensembles_are_made_anew_in_every_draw() -> None:
    generator = np.random.default_rng(7)
    cells = 40
    truth = generator.normal(size=cells)
    terms = truth + np.array([[1.0], [2.0]]) * generator.normal(size=(2, cells))
    rows = pd.DataFrame(
        {
            "proxy": np.repeat(["diswot_semantic", "diswot_relation"], cells),
            "seed": 0,
            "cell": np.tile(np.arange(cells), 2),
            "status": "ok",
            "value": terms.ravel(),
        }
    )
    proxies = pd.DataFrame({"name": ["diswot_semantic", "diswot_relation"], "direction": "higher"})
    one = panel.build(rows, proxies)
    assert one.proxies == ("diswot_semantic", "diswot_relation", "diswot_rank", "diswot_log_rank")
    found = bootstrap.draw(one, truth[None], None, measure="spearman", draws=3, seed=0)
    random = np.random.default_rng(0)
    for draw in range(3):
        chosen = random.integers(0, cells, cells)
        ranks = stats.rankdata(terms[:, chosen], axis=1)
        for place, combined in ((2, ranks.sum(axis=0)), (3, np.log(ranks).sum(axis=0).round(9))):
            expected = stats.spearmanr(combined, truth[chosen]).statistic
            assert found.correlation[draw, place, 0] == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_the_closed_test_of_bonferroni(values: list[float]) -> None:
    found = bootstrap.holm(np.array(values))
    order = np.argsort(values, kind="stable")
    for place, number in enumerate(order):
        # Rejected at level a exactly if every smaller one is, each against what is left: the step-down definition.
        steps = [(len(values) - i) * values[order[i]] for i in range(place + 1)]
        assert found[number] == pytest.approx(min(1.0, max(steps)))


def test_an_interval_needs_half_of_its_draws() -> None:
    draws = np.array([[1.0, math.nan], [2.0, math.nan], [3.0, 5.0]])
    low, high = bootstrap.interval(draws)
    assert (low[0], high[0]) == pytest.approx((1.05, 2.95))
    assert np.isnan([low[1], high[1]]).all()


def test_draws_become_fewer_where_cells_become_many() -> None:
    assert [bootstrap.default_draws(cells) for cells in (0, 3, 1000, 2000, 15_625)] == [1000, 1000, 1000, 500, 100]


def test_a_few_cells_have_no_interval() -> None:
    for cells in (bootstrap.FEWEST_CELLS - 1, bootstrap.FEWEST_CELLS):
        values = np.arange(cells, dtype=float)
        low, high = bootstrap.interval(drawn(values[None, None], values[None]).correlation)
        assert np.isnan([low, high]).all() == (cells < bootstrap.FEWEST_CELLS)
