"""The proxy or ensemble that ranks best: chosen on one half of the functions, judged on the other."""

from __future__ import annotations

import random

import numpy as np
import pandas as pd

from diswot.benchmarks.seeding import derive
from diswot.benchmarks.spaces import Space
from diswot.harness.evidence import intervals, panel
from diswot.harness.evidence.table import DISTINCT, SIGNIFICANCE, TargetAccuracies, by_evidence, tables
from diswot.harness.runs.stored_search import Winner
from diswot.harness.search.plan import NoSearchError

#: By which the winner is chosen.
METRIC = "spearman"

#: A half of fewer functions has no intervals.
FEWEST_FUNCTIONS = 2 * intervals.FEWEST_FUNCTIONS


def choose(scores: pd.DataFrame, proxies: pd.DataFrame, target: str, accuracies: pd.Series, space: Space) -> Winner:
    """Choose the winner.

    Args:
        scores: as `diswot.harness.runs.results.Results.scores`.
        proxies: their records.
        target: what the accuracies are called.
        accuracies: percent by cell, finite.
        space: of the cells.

    Raises:
        NoSearchError: if too few functions have a score and an accuracy, or nothing correlates.
    """
    whole = panel.build(scores, proxies)
    known = np.flatnonzero(np.isin(whole.cells, accuracies.index))
    if DISTINCT in space.subsets:
        known = known[space.subsets[DISTINCT].of(whole.cells[known])]
    if len(known) < FEWEST_FUNCTIONS:
        raise NoSearchError(
            f"driver: the winner is chosen on one half of the functions and judged on the other, which takes at least "
            f"{FEWEST_FUNCTIONS} scored functions with an accuracy in {target}; there are {len(known)}. "
            "Name a proxy instead."
        )
    chooses = first_half(space, whole.cells[known])
    truth = [TargetAccuracies(target, accuracies, pd.DataFrame(index=accuracies.index))]
    chosen, judged = (
        tables(whole.at(known[side]), proxies, truth, space, METRIC)[1].query("subset == 'all'").set_index("proxy")
        for side in (chooses, ~chooses)
    )
    compared = set(chosen.index[chosen["gap_to_best"].notna()]) & set(judged.index)
    ranking = [name for name in by_evidence(chosen.reset_index()) if name in compared]
    if not ranking:
        raise NoSearchError(
            f"driver: no proxy has a correlation with {target} on half of the functions; name one instead."
        )
    best, second = ranking[0], ranking[1] if len(ranking) > 1 else None
    chance = None if second is None else _number(chosen.loc[second, "gap_to_best_p"])
    return Winner(
        driver=best,
        proxy=next((name for name in ranking if name in set(proxies["name"])), None),
        target=target,
        metric=METRIC,
        chosen_on=int(chooses.sum()),
        chosen=float(chosen.loc[best, METRIC]),
        undefined=int(chosen.loc[best, "undefined"]),
        runner_up=second,
        margin=None if second is None else float(chosen.loc[best, METRIC] - chosen.loc[second, METRIC]),
        margin_p=chance,
        significant=chance is not None and chance < SIGNIFICANCE,
        judged_on=int((~chooses).sum()),
        judged=float(judged.loc[best, METRIC]),
        judged_low=float(judged.loc[best, "low"]),
        judged_high=float(judged.loc[best, "high"]),
    )


def first_half(space: Space, cells: np.ndarray) -> np.ndarray:
    """Return for every cell, (n,), whether it is on the side on which the winner is chosen.

    Cells that compute the same function are on the same side, so that the other one is new to the choice. The sides
    depend on the functions alone.
    """
    functions = np.array([space.representative(int(cell)) for cell in cells])
    order = sorted(set(functions.tolist()))
    random.Random(derive("halves")).shuffle(order)
    return np.isin(functions, order[: len(order) // 2])


def _number(value: object) -> float | None:
    return None if pd.isna(value) else float(value)  # type: ignore[arg-type, call-overload]
