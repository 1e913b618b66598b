from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from diswot.benchmarks import spaces
from diswot.benchmarks.errors import InputError
from diswot.harness.search import winner

S0, NB201 = spaces.get("s0"), spaces.get("nb201")


def run(cells: list[int], **values: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores and records of proxies."""
    scores = pd.concat(
        pd.DataFrame({"cell": cells, "proxy": name, "seed": 0, "status": "ok", "value": one})
        for name, one in values.items()
    )
    records = pd.DataFrame({"name": list(values), "family": "test", "direction": "higher"})
    return scores.reset_index(drop=True), records


def test_the_winner_is_chosen_on_one_half_and_judged_on_the_other() -> None:
    cells = list(S0.cells)
    random = np.random.default_rng(0)
    truth = random.normal(size=64)
    values = {"good": truth + 0.3 * random.normal(size=64), "bad": random.normal(size=64)}
    accuracies = pd.Series(truth, index=cells)
    found = winner.choose(*run(cells, **values), "mine:distilled", accuracies, S0)
    assert (found.driver, found.runner_up, found.significant) == ("good", "bad", True)
    assert found.chosen_on == found.judged_on == 32


@pytest.mark.parametrize("half", [True, False])
def test_a_proxy_scored_on_a_handful_of_cells_is_no_winner(half: bool) -> None:
    cells = list(S0.cells)
    random = np.random.default_rng(0)
    truth = random.normal(size=64)
    scores, records = run(cells, good=truth + 0.3 * random.normal(size=64), lucky=truth)
    side = np.array(cells)[winner.first_half(S0, np.array(cells))]
    few = side[:6] if half else [*side[:3], *sorted(set(cells) - set(side.tolist()))[:3]]
    scores = scores[(scores["proxy"] != "lucky") | scores["cell"].isin(few)]
    found = winner.choose(scores, records, "t", pd.Series(truth, index=cells), S0)
    assert (found.driver, found.runner_up) == ("good", None)


def test_the_second_half_has_no_part_in_the_choice() -> None:
    cells = list(S0.cells)
    random = np.random.default_rng(1)
    values = {name: random.normal(size=64) for name in ("one", "two", "three")}
    accuracies = pd.Series(random.normal(size=64), index=cells)
    before = winner.choose(*run(cells, **values), "t", accuracies, S0)
    first = winner.first_half(S0, np.array(cells))
    changed = accuracies.where(first, pd.Series(random.normal(size=64), index=cells))
    after = winner.choose(*run(cells, **values), "t", changed, S0)
    assert (after.driver, after.chosen, after.margin_p) == (before.driver, before.chosen, before.margin_p)
    assert after.judged != before.judged
    other = stats.spearmanr(values[after.driver][~first], changed[~first]).statistic
    assert after.judged == pytest.approx(other)


def test_cells_that_compute_the_same_function_are_on_one_side() -> None:
    cells = np.array(NB201.cells[:3000])
    first = winner.first_half(NB201, cells)
    sides: dict[int, set[bool]] = {}
    for cell, side in zip(cells.tolist(), first.tolist(), strict=True):
        sides.setdefault(NB201.representative(cell), set()).add(side)
    assert all(len(side) == 1 for side in sides.values())
    assert len(sides) < len(cells)
    assert sum(side == {True} for side in sides.values()) == len(sides) // 2


def test_choose_refuses_too_few_functions_and_constant_scores() -> None:
    cells = list(S0.cells)[:19]
    accuracies = pd.Series(np.arange(19.0), index=cells)
    with pytest.raises(
        InputError, match=r"at least 20 scored functions with an accuracy in t:x; there are 19\. Name a proxy"
    ):
        winner.choose(*run(cells, one=np.arange(19.0)), "t:x", accuracies, S0)
    every = list(S0.cells)
    with pytest.raises(InputError, match="no proxy has a correlation with t on half of the functions"):
        winner.choose(*run(every, one=np.ones(64)), "t", pd.Series(np.arange(64.0), index=every), S0)
