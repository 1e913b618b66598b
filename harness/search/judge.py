"""What searches are worth: what picks cost and how accurate they are, beside optima and other ways to find them."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from diswot.benchmarks.spaces import Space
from diswot.harness.runs.stored_search import CURVE_COLUMNS, PICK_COLUMNS, SUMMARY_COLUMNS, TEACHER_COLUMNS, Costs
from diswot.harness.search import driver as drivers
from diswot.harness.search.driver import Driver, Scores
from diswot.harness.search.side_by_side import Trail

#: At how many numbers of evaluations curves are known.
_POINTS = 60


@dataclass(frozen=True, eq=False)
class Found:
    """All searches with one driver and one teacher.

    Attributes:
        teacher: its name.
        driver: what they followed.
        scores: what is known of the driver's members, of all cells that were scored.
        trails: by algorithm and seed.
        seconds: of one evaluation; None where not known.
        seconds_from: how that is known, or why not.
        cells: that may be searched.
    """

    teacher: str
    driver: Driver
    scores: Scores
    trails: Mapping[tuple[str, int], Trail]
    seconds: float | None
    seconds_from: str
    cells: tuple[int, ...]

    @cached_property
    def judgement(self) -> dict[int, float]:
        """How good each cell is that was scored and may be searched; an ensemble ranks them among each other."""
        return drivers.judged(self.driver, self.scores, [cell for cell in self.cells if cell in self.scores])

    @property
    def is_complete(self) -> bool:
        """Whether all cells that may be searched were scored, so that the best of them is known."""
        return len(self.judgement) == len(self.cells)

    def algorithms(self) -> dict[str, dict[int, Trail]]:
        """Return the trails by algorithm, then by seed."""
        found: dict[str, dict[int, Trail]] = {}
        for (algorithm, seed), trail in self.trails.items():
            found.setdefault(algorithm, {})[seed] = trail
        return found

    def best(self) -> list[int]:
        """Return the cells with the best score of all, which tie; none where not all were scored or defined."""
        highest = max(self.judgement.values(), default=-math.inf)
        if not self.is_complete or highest == -math.inf:
            return []
        return sorted(cell for cell, good in self.judgement.items() if good == highest)

    def score(self, cell: int | None) -> float:
        """Return a cell's score as the proxy gives it; NaN where there is none."""
        good = self.judgement.get(cell, -math.inf) if cell is not None else -math.inf
        if good == -math.inf:
            return math.nan
        return good if self.driver.ensemble else self.driver.signs[0] * good


@dataclass(frozen=True, eq=False)
class Truth:
    """What is known of the cells that may be searched.

    Attributes:
        space: of the cells.
        cells: that may be searched.
        classes: outputs of the networks.
        accuracies: percent by cell, by target; of these cells alone, finite.
        trainings: what a training takes, by target, where that is known.
        sources: by target, the table, or its file, and the column that it was read from.
        unknown_costs: by budget, of how many cells the cost is not known; these are not among ``cells``.
        costs: the second objective by cell; empty where there is none.
    """

    space: Space
    cells: tuple[int, ...]
    classes: int
    accuracies: Mapping[str, pd.Series]
    trainings: Mapping[str, Costs]
    sources: dict[str, str] = field(default_factory=dict)
    unknown_costs: dict[str, int] = field(default_factory=dict)
    costs: Mapping[int, float] = field(default_factory=dict)


def curves(found: Sequence[Found], truth: Truth) -> pd.DataFrame:
    """Return `CURVE_COLUMNS`: score and accuracies of the current pick by evaluation, over searches."""
    rows = []
    for one in found:
        for algorithm, trails in one.algorithms().items():
            grid = evaluation_grid(trails)
            picks = [[trail.pick(at) for at in grid] for trail in trails.values()]
            values = {"score": np.array([[one.score(cell) for cell in row] for row in picks])}
            for target, accuracies in truth.accuracies.items():
                known = accuracies.to_dict()
                values[target] = np.array([[known.get(cell, math.nan) for cell in row] for row in picks], float)
            for quantity, table in values.items():
                for at, column in zip(grid, table.T, strict=True):
                    defined = column[np.isfinite(column)]
                    if len(defined):
                        rows.append(curve_point(one, algorithm, quantity, at, defined))
    return pd.DataFrame(rows, columns=list(CURVE_COLUMNS))


def curve_point(study: Found, algorithm: str, quantity: str, at: int, values: np.ndarray) -> dict[str, Any]:
    """Return `CURVE_COLUMNS` after so many evaluations, of the values that searches have there."""
    return {
        "teacher": study.teacher,
        "driver": study.driver.name,
        "algorithm": algorithm,
        "quantity": quantity,
        "evaluation": at,
        "seconds": math.nan if study.seconds is None else study.seconds * at,
        **over_searches(values),
        "searches": len(values),
    }


def evaluation_grid(trails: Mapping[int, Trail]) -> list[int]:
    """Return the numbers of evaluations at which curves of some searches are known."""
    length = max(len(trail.cells) for trail in trails.values())
    return sorted({int(at) for at in np.linspace(1, length, _POINTS).round()})


def picks(found: Sequence[Found], truth: Truth) -> pd.DataFrame:
    """Return `PICK_COLUMNS` and the accuracies: the final pick of every search, and the optima."""
    rows = []
    for one in found:
        for (algorithm, seed), trail in one.trails.items():
            cell = trail.pick(len(trail.cells))
            if cell is not None:
                rows.append(
                    _pick(one.teacher, one.driver.name, algorithm, cell, truth)
                    | {"seed": seed, "evaluations": len(trail.cells), "found_at": trail.picks[-1][0]}
                    | {"score": one.score(cell)}
                )
        rows += [
            _pick(one.teacher, one.driver.name, "exhaustive", cell, truth)
            | {"evaluations": len(truth.cells), "score": one.score(cell)}
            for cell in one.best()
        ]
    for target, accuracies in truth.accuracies.items():
        best = int(accuracies.index.tolist()[int(accuracies.argmax())])
        rows.append(_pick(None, target, "oracle", best, truth) | {"evaluations": len(accuracies)})
    frame = pd.DataFrame(rows, columns=[*PICK_COLUMNS, *truth.accuracies])
    return frame.astype({"seed": "Int64", "evaluations": "Int64", "found_at": "Int64"})


def summary(found: Sequence[Found], picked: pd.DataFrame, truth: Truth) -> pd.DataFrame:
    """Return `SUMMARY_COLUMNS`: what the picks are worth by target."""
    rows = []
    driven = {(one.teacher, one.driver.name): one for one in found}
    for key, group in picked.groupby(["teacher", "driver", "algorithm"], dropna=False, sort=False):
        teacher, name, algorithm = map(str, key)
        one = driven.get((teacher, name))
        targets = truth.accuracies if one is not None else {name: truth.accuracies[name]}
        for target, accuracies in targets.items():
            rows.append(
                {"teacher": None if one is None else teacher, "driver": name, "algorithm": algorithm, "target": target}
                | _worth(group, target, accuracies, one, truth.trainings.get(target))
            )
    return pd.DataFrame(rows, columns=list(SUMMARY_COLUMNS))


def teachers(found: Sequence[Found]) -> pd.DataFrame:
    """Return `TEACHER_COLUMNS`: whether another teacher makes another score, and another choice."""
    rows = []
    for number, one in enumerate(found):
        for other in found[number + 1 :]:
            if other.driver.name != one.driver.name:
                continue
            cells = sorted(set(one.judgement) & set(other.judgement))
            scores = [[f.judgement[cell] for cell in cells] for f in (one, other)]
            seeds = [key for key in one.trails if key[0] == "evolution" and key in other.trails]
            same = [_last(one.trails[key]) == _last(other.trails[key]) for key in seeds]
            varied = all(len(set(values)) > 1 for values in scores)
            rows.append(
                {
                    "driver": one.driver.name,
                    "teacher": one.teacher,
                    "other": other.teacher,
                    "cells": len(cells),
                    "spearman": float(stats.spearmanr(*scores).statistic) if varied else math.nan,
                    "same_pick": float(np.mean(same)) if same else math.nan,
                    "searches": len(seeds),
                }
            )
    return pd.DataFrame(rows, columns=list(TEACHER_COLUMNS))


@cache
def bar_of(cells: int, evaluations: int) -> int:
    """Return how many of the best cells there are to be for random search to find one with a probability of a half.

    The worst of these is the bar by which searches are measured: when, at the median, do they have a cell as good? Of
    random search that is known without a single search (hypergeometric distribution, without repetition). How long it
    would take for a search's own pick would flatter every search that was lucky.
    """
    return _first_likely(range(1, cells + 1), lambda good: stats.hypergeom.sf(0, cells, good, evaluations))


@cache
def drawn_at_median(cells: int, good: int, evaluations: int) -> int:
    """Return how many of the cells random search takes until one of the good ones came with a probability of a half."""
    return _first_likely(range(1, evaluations + 1), lambda drawn: stats.hypergeom.sf(0, cells, good, drawn))


def _first_likely(counts: range, chance: Callable[[int], float]) -> int:
    # The chance rises with the count; to take it of every count of 15,625 takes seconds.
    return counts[bisect.bisect_left(counts, 0.5, key=chance)]


def cleared(one: Found, trail: Trail, bar: float) -> float:
    """Return after how many evaluations a search has a cell that is as good as the bar; infinity if it never has."""
    return next((at for at, cell in enumerate(trail.cells, start=1) if one.judgement[cell] >= bar), math.inf)


def expected_evaluations(total: int, good: int) -> float:
    """Return how many of ``total`` cells are drawn without repetition, on average, until one of the ``good`` comes.

    The mean of the negative hypergeometric distribution: (total + 1) / (good + 1).
    """
    return (total + 1) / (good + 1)


def _last(trail: Trail) -> int | None:
    return trail.pick(len(trail.cells))


def _pick(teacher: str | None, name: str, algorithm: str, cell: int, truth: Truth) -> dict[str, object]:
    costs = {cost: truth.space.costs[cost](cell, truth.classes) for cost in ("params", "flops")}
    known = {target: accuracies.get(cell, math.nan) for target, accuracies in truth.accuracies.items()}
    return {
        "teacher": teacher,
        "driver": name,
        "algorithm": algorithm,
        "cell": cell,
        "architecture": truth.space.describe(cell),
        **costs,
        **known,
    }


def _worth(
    group: pd.DataFrame, target: str, accuracies: pd.Series, one: Found | None, training: Costs | None
) -> dict[str, object]:
    searched = group["seed"].notna().any()
    reached = group[target].dropna().to_numpy(float)
    evaluations = int(group["evaluations"].max())
    seconds = math.nan if one is None or one.seconds is None else one.seconds * evaluations
    row: dict[str, object] = {
        "searches": len(group) if searched else math.nan,
        "picks": group["cell"].nunique(),
        "evaluations": evaluations,
        "seconds": seconds,
        "known": len(reached),
    }
    if len(reached):
        # Without a seed the rows are all cells that tie, and their mean is no estimate.
        over = over_searches(reached) if searched else over_searches(reached.mean(keepdims=True))
        highest = accuracies.max()
        row |= {
            "accuracy": over["mean"],
            "accuracy_std": over["std"],
            "accuracy_low": over["low"],
            "accuracy_high": over["high"],
            "regret": highest - over["mean"],
            "regret_low": highest - over["high"],
            "regret_high": highest - over["low"],
            "percentile": float(stats.percentileofscore(accuracies, reached, kind="mean").mean()),
        }
    if one is not None and searched:
        row |= _against_random(one, str(group["algorithm"].iloc[0]))
        row |= _against_training(reached, accuracies, training, seconds)
    return row


def _against_random(one: Found, algorithm: str) -> dict[str, float]:
    if not one.is_complete:
        return {}
    trails = one.algorithms()
    length = len(next(iter(trails[algorithm].values())).cells)
    bar = sorted(one.judgement.values(), reverse=True)[bar_of(len(one.cells), length) - 1]
    if bar == -math.inf:
        return {}
    # Of cells that tie with the last one all clear the bar, which helps random search too.
    drawn = drawn_at_median(len(one.cells), sum(good >= bar for good in one.judgement.values()), length)
    found = {"random_evaluations": float(drawn)}
    if algorithm == "random":
        return found
    taken = {seed: cleared(one, trail, bar) for seed, trail in trails[algorithm].items()}
    median = float(np.median(list(taken.values())))
    found["evaluations_saved"] = drawn / median if median < math.inf else math.nan
    pairs = sorted(set(taken) & set(trails.get("random", ())))
    if pairs:
        # One that never clears it counts as if it had done so with the next evaluation: too little, on either side.
        theirs = [min(cleared(one, trails["random"][seed], bar), length + 1) for seed in pairs]
        mine = [min(taken[seed], length + 1) for seed in pairs]
        fewer = over_searches(np.array(theirs, float) - np.array(mine, float))
        found |= {"fewer": fewer["mean"], "fewer_low": fewer["low"], "fewer_high": fewer["high"]}
    return found


def _against_training(
    reached: np.ndarray, accuracies: pd.Series, training: Costs | None, seconds: float
) -> dict[str, float]:
    if training is None or not len(reached):
        return {}
    evaluations = [expected_evaluations(len(accuracies), int((accuracies >= value).sum())) for value in reached]
    median = float(np.median(evaluations))
    return {
        "training_evaluations": median,
        "training_seconds": median * training.seconds,
        "seconds_saved": median * training.seconds / seconds if seconds > 0 else math.nan,
    }


def over_searches(values: np.ndarray) -> dict[str, float]:
    """Return mean, standard deviation and the 95 % interval of the mean, ``low`` to ``high``, by Student's t.

    One search has a mean alone.
    """
    mean = float(values.mean())
    if len(values) < 2:
        return {"mean": mean, "std": math.nan, "low": math.nan, "high": math.nan}
    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    return {"mean": mean, "std": float(values.std(ddof=1)), "low": mean - half, "high": mean + half}
