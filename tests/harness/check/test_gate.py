"""The gate's statistics, and how often it errs.

``python tests/harness/check/test_gate.py`` measures false alarms and misses of the gate as docs/check.md gives them: a
built-in (live_flops) plus noise, against the built-in, on the cells and accuracies of analog-nasbench. There the true
difference is known, since it is that of all 15,625 cells; a check sees few of them, drawn at random.
"""

from __future__ import annotations

import functools
import sys
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from diswot.benchmarks import spaces, tables
from diswot.harness.check import comparison
from diswot.harness.check.comparison import Estimate
from diswot.harness.evidence import panel
from diswot.harness.evidence.ensembles import Ensemble, mean_rank

MARGIN = 0.05

#: Standard deviations of the noise, as shares of the ranks': as good, worse by the margin, by twice that, and by far.
NOISE = (0.02, 0.2, 0.375, 0.57, 0.95, 2.0)


@functools.cache
def population() -> tuple[np.ndarray, np.ndarray]:
    """The built-in's ranks, with deviation 1, and the accuracies of all cells."""
    accuracies = tables.load("analog-nasbench").frame["baseline"].dropna()
    space = spaces.get("nb201")
    sizes = np.array([space.costs["live_flops"](int(cell), space.classes) for cell in accuracies.index], float)
    return stats.zscore(stats.rankdata(sizes)), accuracies.to_numpy(float)


def true_difference(noise: float) -> float:
    """How much lower the noisy one is on all cells; a mean over ten samples of the noise."""
    ranks, accuracies = population()
    whole = stats.spearmanr(ranks, accuracies).statistic
    random = np.random.default_rng(0)
    noisy = [stats.spearmanr(ranks + noise * random.normal(size=len(ranks)), accuracies).statistic for _ in range(10)]
    return float(whole - np.mean(noisy))


def verdicts(noise: float, cells: int, simulations: int) -> Counter[str]:
    """What the gate says in so many simulations, each with cells and noise of its own."""
    ranks, accuracies = population()
    found: Counter[str] = Counter()
    for seed in range(simulations):
        random = np.random.default_rng([seed, int(1000 * noise), cells])
        chosen = random.choice(len(ranks), cells, replace=False)
        scores = {"built_in": ranks[chosen], "noisy": ranks[chosen] + noise * random.normal(size=cells)}
        compared = comparison.compare(make_panel(scores), accuracies[None, chosen], ranks[chosen], np.arange(cells))
        found[comparison.within(compared.lead("built_in", "noisy", 0), MARGIN)] += 1
    return found


def directions(cells: int, simulations: int) -> Counter[str]:
    """What the gate says of the direction of a metric that is noise alone."""
    _, accuracies = population()
    found: Counter[str] = Counter()
    for seed in range(simulations):
        random = np.random.default_rng([seed, cells])
        chosen = random.choice(len(accuracies), cells, replace=False)
        one = make_panel({"noise": random.normal(size=cells)})
        compared = comparison.compare(one, accuracies[None, chosen], random.normal(size=cells), np.arange(cells))
        found[comparison.positive(compared.correlation("noise", 0))] += 1
    return found


def make_panel(scores: dict[str, np.ndarray], others: tuple[Ensemble, ...] = ()) -> panel.Panel:
    """A panel of scores of which higher is better, the cells in their order."""
    rows = [
        {"proxy": name, "cell": cell, "seed": 0, "status": "ok" if np.isfinite(value) else "undefined", "value": value}
        for name, values in scores.items()
        for cell, value in enumerate(values)
    ]
    return panel.build(pd.DataFrame(rows), pd.DataFrame({"name": list(scores), "direction": "higher"}), others=others)


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0.1, 0.3, "pass"), (-0.3, -0.1, "fail"), (-0.1, 0.3, "undecided")]
)
def test_an_interval_on_one_side_of_zero_decides(low: float, high: float, expected: str) -> None:
    assert comparison.positive(Estimate((low + high) / 2, low, high)) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(-0.2, 0.04, "pass"), (0.06, 0.3, "fail"), (-0.1, 0.06, "undecided")]
)
def test_an_interval_on_one_side_of_the_margin_decides(low: float, high: float, expected: str) -> None:
    assert comparison.within(Estimate((low + high) / 2, low, high), MARGIN) == expected


def test_what_is_not_defined_is_undecided() -> None:
    nothing = Estimate(np.nan, np.nan, np.nan)
    assert comparison.positive(nothing) == comparison.within(nothing, MARGIN) == "undecided"
    assert str(nothing) == "not defined"
    assert str(Estimate(0.5, 0.25, 0.755)) == "+0.500 [+0.25, +0.76]"


def test_correlations_are_scipy_s_and_differences_are_paired() -> None:
    random = np.random.default_rng(0)
    truth = random.normal(size=60)
    scores = {"one": truth + random.normal(size=60), "other": truth + 2 * random.normal(size=60)}
    scores["other"][3] = np.nan
    both = Ensemble("both", ("one", "other"), mean_rank, "this test")
    sizes = random.integers(0, 9, 60).astype(float)
    compared = comparison.compare(make_panel(scores, (both,)), truth[None], sizes, np.arange(60))
    worst = np.where(np.isnan(scores["other"]), -np.inf, scores["other"])
    assert compared.correlation("one", 0).value == pytest.approx(stats.spearmanr(scores["one"], truth).statistic)
    assert compared.correlation("other", 0).value == pytest.approx(stats.spearmanr(worst, truth).statistic)
    ranks = stats.rankdata(scores["one"]) + stats.rankdata(worst)
    assert compared.correlation("both", 0).value == pytest.approx(stats.spearmanr(ranks, truth).statistic)
    assert compared.counts("other") == "n = 60, 1 undefined"
    lead, back = compared.lead("one", "other", 0), compared.lead("other", "one", 0)
    assert (lead.value, lead.low, lead.high) == pytest.approx((-back.value, -back.high, -back.low))
    apart = compared.correlation("one", 0).high - compared.correlation("other", 0).low
    assert lead.high < apart
    assert compared.lead("one", "one", 0) == Estimate(0.0, 0.0, 0.0)
    assert compared.partial_correlation("one", 0).value == pytest.approx(compared.correlation("one", 0).value, abs=0.1)


def test_a_metric_equal_to_a_built_in_plus_noise_is_judged_as_often_wrongly_as_claimed() -> None:
    simulations = 40
    at_the_margin = next(noise for noise in NOISE if true_difference(noise) >= MARGIN)
    equal = verdicts(NOISE[0], cells=100, simulations=simulations)
    border = verdicts(at_the_margin, cells=100, simulations=simulations)
    worse = verdicts(NOISE[-1], cells=100, simulations=simulations)
    # Either error has a chance of about 1 in 40; more than 6 of 40 come about in 1 of 1,000 runs, with 1 in 25.
    bound = stats.binom.isf(0.001, simulations, 0.04)
    assert equal["fail"] == 0
    assert border["pass"] <= bound
    assert worse["pass"] == 0
    assert equal["pass"] >= simulations - bound
    assert worse["fail"] >= 0.8 * simulations


def test_a_metric_that_is_noise_alone_seldom_has_a_direction() -> None:
    simulations = 60
    found = directions(cells=30, simulations=simulations)
    bound = stats.binom.isf(0.001, simulations, 0.04)
    assert max(found["pass"], found["fail"]) <= bound


if __name__ == "__main__":
    simulations = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    print(f"{simulations} simulations a row, margin {MARGIN}")
    for cells in (30, 100):
        said = directions(cells, simulations)
        print(f"n = {cells}, noise alone: " + ", ".join(f"{name} {said[name] / simulations:.3f}" for name in said))
        for noise in NOISE:
            said = verdicts(noise, cells, simulations)
            shares = ", ".join(f"{name} {said[name] / simulations:.3f}" for name in ("pass", "fail", "undecided"))
            print(f"n = {cells}, noise {noise}: truly lower by {true_difference(noise):+.3f}: {shares}", flush=True)
