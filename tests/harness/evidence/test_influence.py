"""Influences against scipy, against leaving every function out, and against what may not change them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from diswot.harness.evidence import influence
from diswot.harness.evidence.column import Column, smaller_before
from diswot.harness.evidence.metrics import influence_of

ORACLES: dict[str, Callable[..., Any]] = {"spearman": stats.spearmanr, "kendall": stats.kendalltau}


def pair(seed: int, cells: int, levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return two related columns; few levels make many ties."""
    generator = np.random.default_rng(seed)
    x = generator.integers(0, levels, cells).astype(float)
    return x, x + generator.integers(0, levels, cells)


@pytest.mark.parametrize("metric", ["spearman", "kendall"])
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 60), st.integers(2, 40))
def test_value_is_that_of_scipy(metric: str, seed: int, cells: int, levels: int) -> None:
    x, y = pair(seed, cells, levels)
    value = influence.correlate(influence_of(metric), x[None], y[None], np.arange(cells)).value.item()
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert np.isnan(value)
    else:
        # Both add up some thousand numbers in another order.
        assert value == pytest.approx(ORACLES[metric](x, y).statistic, abs=1e-12)


@pytest.mark.parametrize("metric", ["spearman", "kendall"])
@pytest.mark.parametrize("levels", [3, 12, 1000])
def test_influence_is_what_leaving_a_cell_out_changes(metric: str, levels: int) -> None:
    x, y = pair(1, 150, levels)
    value, of_cells = influence_of(metric)(Column.of(x), Column.of(y))
    without = np.array([ORACLES[metric](np.delete(x, cell), np.delete(y, cell)).statistic for cell in range(len(x))])
    changes = (value - without) * (len(x) - 1)
    # To first order: the rest is of the order of one over the number of cells.
    assert np.corrcoef(changes, of_cells)[0, 1] > 0.999
    assert np.std(of_cells) == pytest.approx(np.std(changes), rel=0.02)
    assert of_cells.mean() == pytest.approx(0, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 9), max_size=40))
def test_smaller_before_counts_as_a_loop_does(values: list[int]) -> None:
    expected = [sum(earlier < value for earlier in values[:place]) for place, value in enumerate(values)]
    assert smaller_before(np.array(values, np.int64)).tolist() == expected


@pytest.mark.parametrize("metric", ["spearman", "kendall"])
def test_copies_of_a_cell_add_no_evidence(metric: str) -> None:
    x, y = pair(2, 40, 1000)
    once = influence.correlate(influence_of(metric), x[None], y[None], np.arange(40))
    thrice = influence.correlate(
        influence_of(metric), np.repeat(x, 3)[None], np.repeat(y, 3)[None], np.repeat(np.arange(40), 3)
    )
    assert thrice.functions.item() == once.functions.item() == 40
    variances = [(estimates.influence**2).sum() for estimates in (once, thrice)]
    # Spearman's ranks are the same threefold; tau-b alone changes, with the pairs that tie.
    assert variances[1] == pytest.approx(variances[0], rel=1e-9 if metric == "spearman" else 0.2)


@pytest.mark.parametrize("metric", ["spearman", "kendall"])
def test_correlate_leaves_out_cells_without_a_score(metric: str) -> None:
    x, y = pair(3, 50, 20)
    lacking = x.copy()
    lacking[::5] = np.nan
    kept = ~np.isnan(lacking)
    partly = influence.correlate(influence_of(metric), lacking[None], y[None], np.arange(50))
    alone = influence.correlate(influence_of(metric), x[kept][None], y[kept][None], np.arange(50)[kept])
    assert partly.value == pytest.approx(alone.value)
    assert partly.functions.item() == kept.sum()
    assert partly.influence[0, 0, :49] == pytest.approx(alone.influence[0, 0, :49])
    assert not partly.influence[0, 0][~kept].any()


def test_partial_correlation_is_that_of_residuals_and_its_influence_that_of_leaving_out() -> None:
    generator = np.random.default_rng(4)
    z = generator.normal(size=120)
    x, y = z + generator.normal(size=120), z + generator.normal(size=120)

    def partial(kept: np.ndarray) -> influence.Estimates:
        of = np.arange(int(kept.sum()))
        xy, xz, yz = (
            influence.correlate(influence.spearman, first[kept][None], second[kept][None], of)
            for first, second in ((x, y), (x, z), (z, y))
        )
        return influence.partial(xy, xz, yz)

    whole = partial(np.ones(120, bool))
    ranks = [stats.rankdata(column) for column in (x, y, z)]
    residuals = [column - np.polyval(np.polyfit(ranks[2], column, 1), ranks[2]) for column in ranks[:2]]
    assert whole.value.item() == pytest.approx(stats.pearsonr(*residuals).statistic, abs=1e-9)
    changes = [whole.value.item() - partial(np.arange(120) != cell).value.item() for cell in range(120)]
    assert np.corrcoef(changes, whole.influence[0, 0])[0, 1] > 0.999
    assert np.std(whole.influence) == pytest.approx(np.std(changes), rel=0.05)


def test_partial_is_undefined_where_the_size_decides() -> None:
    x, y = pair(5, 30, 1000)
    of = np.arange(30)
    xy = influence.correlate(influence.spearman, x[None], y[None], of)
    xx = influence.correlate(influence.spearman, x[None], x[None] ** 3, of)
    assert np.isnan(influence.partial(xy, xx, xy).value).all()


def test_mean_over_seeds_is_that_of_values_and_influences() -> None:
    x, y = pair(6, 30, 1000)
    scores = np.array([x, np.full(30, 1.0), -x])  # the second is constant, so undefined
    by_seed = influence.correlate(influence.spearman, scores, y[None], np.arange(30))
    averaged = influence.mean(by_seed, axis=0)
    assert averaged.value.item() == pytest.approx(by_seed.value[[0, 2]].mean())
    assert averaged.influence[0] == pytest.approx(by_seed.influence[[0, 2], 0].mean(axis=0))
    assert np.isnan(influence.mean(by_seed[[1]], axis=0).value).all()
