"""The ceiling that noise puts on every proxy, against a simulation in which the truth is known."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from diswot.harness.evidence import ceiling


@pytest.mark.parametrize(("noise", "seeds"), [(0.3, 2), (1.0, 2), (1.0, 3)])
def test_the_truth_itself_correlates_as_the_ceiling_says(noise: float, seeds: int) -> None:
    generator = np.random.default_rng(0)
    truth = generator.normal(size=4000)
    measured = pd.DataFrame(truth[:, None] + noise * generator.normal(size=(4000, seeds)))
    reached = stats.spearmanr(truth, measured.mean(axis=1)).statistic
    # Two percent: the formula is Pearson's, and 4,000 cells leave an error of about one.
    assert ceiling.of(measured) == pytest.approx(reached, abs=0.02)


def test_cells_with_fewer_seeds_lower_it() -> None:
    generator = np.random.default_rng(1)
    truth = generator.normal(size=2000)
    measured = pd.DataFrame(truth[:, None] + generator.normal(size=(2000, 3)))
    whole = ceiling.of(measured)
    measured.loc[200:, [1, 2]] = np.nan
    assert ceiling.of(measured) < whole - 0.05
    reached = stats.spearmanr(truth, measured.mean(axis=1)).statistic
    assert ceiling.of(measured) == pytest.approx(reached, abs=0.04)


def test_no_ceiling_from_a_few_cells() -> None:
    generator = np.random.default_rng(3)
    measured = pd.DataFrame(generator.normal(size=(200, 1)) + 0.3 * generator.normal(size=(200, 2)))
    measured.loc[ceiling.FEWEST_CELLS :, 1] = np.nan
    assert 0 < ceiling.of(measured) < 1
    measured.loc[0, 1] = np.nan
    assert math.isnan(ceiling.of(measured))


def test_no_ceiling_without_two_seeds_that_agree() -> None:
    generator = np.random.default_rng(2)
    one = pd.DataFrame({"0": generator.normal(size=50)})
    assert math.isnan(ceiling.of(one))
    assert math.isnan(ceiling.of(one.assign(**{"1": -one["0"]})))
    assert math.isnan(ceiling.of(one.iloc[:0].assign(**{"1": []})))
    assert math.isnan(ceiling.of(pd.DataFrame(index=range(5))))
