from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from diswot.benchmarks import spaces
from diswot.harness.runs.stored_search import CURVE_COLUMNS, PICK_COLUMNS, SUMMARY_COLUMNS, TEACHER_COLUMNS
from diswot.harness.search import judge
from diswot.harness.search.algorithms import Options, at_random, evolution
from diswot.harness.search.driver import Driver
from diswot.harness.search.judge import Costs, Found, Truth
from diswot.harness.search.side_by_side import Trail, conduct

S0 = spaces.get("s0")
CELLS = tuple(S0.cells)
OPTIONS = Options(evaluations=16, population=4, tournament=2, crossover=0.0)
RANDOM = np.random.default_rng(0)
SCORE = dict(zip(CELLS, (RANDOM.normal(size=64) * 10).round(3).tolist(), strict=True))
ACCURACY = pd.Series(RANDOM.normal(70, 2, size=64).round(2), index=CELLS)


SEARCHES = {"evolution": evolution, "random": at_random}


def refuse(cells: list[int]) -> None:
    raise AssertionError(cells)


def made(searches: int = 12, teacher: str = "resnet56", sign: float = 1.0, scale: float = 1.0) -> Found:
    driver = Driver("mine", ("mine",), (sign,), None)
    scores = {cell: (scale * value,) for cell, value in SCORE.items()}
    trails: dict[tuple[str, int], Trail] = {}
    for name, algorithm in SEARCHES.items():
        searching = {(name, seed): algorithm(S0, CELLS, OPTIONS, seed) for seed in range(searches)}
        trails |= conduct(searching, driver, scores, refuse)
    return Found(teacher, driver, scores, trails, 0.5, "a test", CELLS)


def truth(known: pd.Series = ACCURACY) -> Truth:
    return Truth(
        S0, CELLS, 100, {"mine:distilled": known}, {"mine:distilled": Costs(seconds=100.0, source="somewhere")}
    )


def test_curves_hold_the_score_and_the_accuracy_of_the_pick_so_far() -> None:
    found = made()
    curves = judge.curves([found], truth())
    assert tuple(curves.columns) == CURVE_COLUMNS
    for quantity, values in (("score", SCORE), ("mine:distilled", ACCURACY.to_dict())):
        mine = curves[(curves["algorithm"] == "evolution") & (curves["quantity"] == quantity)].set_index("evaluation")
        for at in (1, 4, 9, 16):
            expected = []
            for seed in range(12):
                seen = found.trails["evolution", seed].cells[:at]
                expected.append(values[max(seen, key=SCORE.__getitem__)])
            row = mine.loc[at]
            interval = stats.ttest_1samp(expected, 0).confidence_interval()
            assert row["mean"] == pytest.approx(np.mean(expected))
            assert row["std"] == pytest.approx(np.std(expected, ddof=1))
            assert (row["low"], row["high"]) == pytest.approx((interval.low, interval.high))
            assert (row["seconds"], row["searches"]) == (0.5 * at, 12)


def test_one_search_has_no_std_and_an_unknown_accuracy_no_point() -> None:
    found = made(1)
    known = [cell for cell in CELLS if cell != found.trails["random", 0].pick(2)]
    curves = judge.curves([found], truth(ACCURACY[known]))
    points = sum(found.trails[name, 0].pick(at) in known for name in SEARCHES for at in range(1, 17))
    assert curves["std"].isna().all()
    assert len(curves[curves["quantity"] == "score"]) == 2 * 16
    assert len(curves[curves["quantity"] != "score"]) == points < 2 * 16


def test_picks_are_those_of_the_searches_and_the_optima() -> None:
    found = made()
    picks = judge.picks([found], truth())
    assert tuple(picks.columns) == (*PICK_COLUMNS, "mine:distilled")
    first = picks[(picks["algorithm"] == "evolution") & (picks["seed"] == 3)].iloc[0]
    trail = found.trails["evolution", 3]
    assert first["cell"] == trail.pick(16)
    assert trail.cells[first["found_at"] - 1] == first["cell"]
    assert first["score"] == SCORE[first["cell"]]
    assert first["mine:distilled"] == ACCURACY[first["cell"]]
    assert first["params"] == S0.costs["params"](first["cell"], 100)
    best, oracle = (picks[picks["algorithm"] == name].iloc[0] for name in ("exhaustive", "oracle"))
    assert best["cell"] == max(SCORE, key=SCORE.__getitem__)
    assert (oracle["driver"], oracle["cell"]) == ("mine:distilled", ACCURACY.idxmax())


def test_a_lower_score_that_is_better_is_shown_as_the_proxy_gives_it() -> None:
    # The scores that searches follow are turned; the page shows the proxy's own.
    picks = judge.picks([made(sign=-1.0)], truth())
    assert (
        picks.loc[picks["algorithm"] != "oracle", "score"] == -picks["cell"].map(SCORE)[picks["algorithm"] != "oracle"]
    ).all()


def test_the_summary_is_what_the_picks_say() -> None:
    found = made()
    picks = judge.picks([found], truth())
    summary = judge.summary([found], picks, truth())
    assert tuple(summary.columns) == SUMMARY_COLUMNS
    row = summary.set_index("algorithm").loc["evolution"]
    own = picks.loc[picks["algorithm"] == "evolution", "mine:distilled"]
    assert (row["searches"], row["known"], row["evaluations"], row["seconds"]) == (12, 12, 16, 8.0)
    assert row["regret"] == pytest.approx(ACCURACY.max() - own.mean())
    assert row["regret_low"] == pytest.approx(ACCURACY.max() - row["accuracy_high"])
    shares = [((value > ACCURACY).mean() + (value >= ACCURACY).mean()) * 50 for value in own]
    assert row["percentile"] == pytest.approx(np.mean(shares))
    trainings = [65 / ((value <= ACCURACY).sum() + 1) for value in own]
    assert row["training_evaluations"] == pytest.approx(np.median(trainings))
    assert row["training_seconds"] == pytest.approx(100 * np.median(trainings))
    assert row["seconds_saved"] == pytest.approx(100 * np.median(trainings) / 8.0)
    oracle = summary.set_index("algorithm").loc["oracle"]
    assert (oracle["regret"], oracle["percentile"]) == (0, pytest.approx(100 - 50 / 64))


def test_the_best_of_all_is_no_sample_of_searches() -> None:
    scores = {cell: float(value > np.median(list(SCORE.values()))) for cell, value in SCORE.items()}  # half of all tie
    found = replace(made(), scores={cell: (score,) for cell, score in scores.items()})
    summary = judge.summary([found], judge.picks([found], truth()), truth()).set_index("algorithm")
    row = summary.loc["exhaustive"]
    assert row["picks"] == row["known"] == 32
    best = [cell for cell, score in scores.items() if score]
    assert row["regret"] == pytest.approx(ACCURACY.max() - ACCURACY.loc[best].mean())
    assert row[["accuracy_std", "accuracy_low", "accuracy_high", "regret_low", "regret_high"]].isna().all()


def test_what_is_saved_is_measured_at_a_bar_that_random_search_clears_by_theory() -> None:
    found = made(40)
    row = judge.summary([found], judge.picks([found], truth()), truth()).set_index("algorithm").loc["evolution"]
    # Of 64 cells, 16 draws hold one of the best r with probability 1 - C(64 - r, 16) / C(64, 16).
    chance = [1 - math.comb(64 - r, 16) / math.comb(64, 16) for r in range(1, 10)]
    above = next(r for r, one in enumerate(chance, 1) if one >= 0.5)
    bar = sorted(SCORE.values(), reverse=True)[above - 1]
    drawn = next(k for k in range(1, 17) if 1 - math.comb(64 - above, k) / math.comb(64, k) >= 0.5)
    taken = {
        name: [
            next((at for at, cell in enumerate(found.trails[name, seed].cells, 1) if SCORE[cell] >= bar), 17)
            for seed in range(40)
        ]
        for name in ("evolution", "random")
    }
    assert row["random_evaluations"] == drawn
    median = np.median([math.inf if at == 17 else at for at in taken["evolution"]])
    saved = row["evaluations_saved"]
    assert saved == pytest.approx(drawn / median) if median < math.inf else math.isnan(saved)
    fewer = np.subtract(taken["random"], taken["evolution"])
    interval = stats.ttest_1samp(fewer, 0).confidence_interval()
    assert (row["fewer"], row["fewer_low"], row["fewer_high"]) == pytest.approx(
        (fewer.mean(), interval.low, interval.high)
    )


def test_random_search_clears_its_own_bar_when_theory_says() -> None:
    # The median over many random searches is the number that their row would be divided by: it saves nothing.
    bar = judge.bar_of(64, 16)
    median = judge.drawn_at_median(64, bar, 16)
    random = np.random.default_rng(1)
    firsts = np.array([random.permutation(64)[:bar].min() + 1 for _ in range(20_000)])
    assert (firsts <= median).mean() >= 0.5 - 0.02
    assert (firsts <= median - 1).mean() < 0.5 + 0.02


@pytest.mark.parametrize(("total", "good"), [(5, 1), (6, 2), (7, 7), (8, 3)])
def test_the_expected_number_of_evaluations_is_that_of_all_orders(total: int, good: int) -> None:
    from itertools import permutations

    firsts = [1 + min(order[:good]) for order in permutations(range(total))]  # the places of the good ones
    assert judge.expected_evaluations(total, good) == pytest.approx(np.mean(firsts))


def test_nothing_is_said_of_what_is_not_known() -> None:
    found = made(2)
    partly = Found(
        found.teacher,
        found.driver,
        {cell: found.scores[cell] for trail in found.trails.values() for cell in trail.cells},
        found.trails,
        None,
        "not known",
        CELLS,
    )
    nothing = truth(ACCURACY.iloc[:0]).accuracies["mine:distilled"]
    unknown = Truth(S0, CELLS, 100, {}, {})
    assert not partly.is_complete
    picks = judge.picks([partly], unknown)
    assert set(picks["algorithm"]) == {"evolution", "random"}
    assert judge.summary([partly], picks, unknown).empty
    one = ACCURACY[[CELLS[0]]]
    summary = judge.summary([partly], judge.picks([partly], truth(one)), truth(one)).set_index("algorithm")
    assert nothing.empty
    assert summary.loc["evolution", ["seconds", "evaluations_saved", "fewer"]].isna().all()


def test_teachers_are_compared_on_the_cells_that_both_know() -> None:
    same, scaled, turned = made(5), made(5, "resnet20", scale=2.0), made(5, "resnet110", scale=-1.0)
    frame = judge.teachers([same, scaled, turned])
    assert tuple(frame.columns) == TEACHER_COLUMNS
    by_pair = frame.set_index(["teacher", "other"])
    assert by_pair.loc[("resnet56", "resnet20"), ["spearman", "same_pick", "cells"]].tolist() == pytest.approx(
        [1, 1, 64]
    )
    assert by_pair.loc[("resnet56", "resnet110"), "spearman"] == pytest.approx(-1)
    assert by_pair.loc[("resnet56", "resnet110"), "same_pick"] < 1
