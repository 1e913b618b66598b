"""Pareto fronts of a score and a cost: what searches leave undominated, and how much of the plane it covers.

Both objectives count as the share of all cells that a cell is at least as good as: a score's scale has no meaning, and
a cost's unit plays no part. The hypervolume is the area that a front dominates in this unit square, divided by that of
the front of all cells: 1 is the whole front.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from diswot.harness.runs.stored_search import CURVE_COLUMNS, FRONT_COLUMNS, HYPERVOLUME_COLUMNS
from diswot.harness.search.judge import Found, Truth, curve_point, evaluation_grid, over_searches


def efficient(cells: Iterable[int], good: Mapping[int, float], costs: Mapping[int, float]) -> list[int]:
    """Return the cells that no cell dominates, cheapest first; of cells that tie in both objectives the lowest.

    Args:
        cells: to choose from; those without a value in either, or with minus infinity, are left out.
        good: by cell, higher is better.
        costs: by cell, lower is better.
    """
    known = [cell for cell in set(cells) if good.get(cell, -math.inf) > -math.inf and cell in costs]
    front: list[int] = []
    for cell in sorted(known, key=lambda cell: (costs[cell], -good[cell], cell)):
        if not front or good[cell] > good[front[-1]]:
            front.append(cell)
    return front


def shares(values: Mapping[int, float], lower_is_better: bool = False) -> dict[int, float]:
    """Return by cell the share of all cells, 0 to 1, that it is at least as good as."""
    numbers = np.array(list(values.values()), float)
    ranks = stats.rankdata(-numbers if lower_is_better else numbers, "max")
    return dict(zip(values, (ranks / len(ranks)).tolist(), strict=True))


def hypervolume(points: Sequence[tuple[float, float]]) -> float:
    """Return the area that points dominate, of which both coordinates are better if higher and at least 0."""
    area = height = 0.0
    for across, up in sorted(points, reverse=True):
        if up > height:
            area += across * (up - height)
            height = up
    return area


def fronts(studies: Sequence[Found], truth: Truth) -> pd.DataFrame:
    """Return `FRONT_COLUMNS` and the accuracies: the front of every search, of all cells by score and by accuracy."""
    records: list[dict[str, Any]] = []
    for study in studies:
        share = shares(study.judgement)
        chosen = {key: efficient(trail.cells, study.judgement, truth.costs) for key, trail in study.trails.items()}
        whole = efficient(study.judgement, study.judgement, truth.costs)
        for (algorithm, seed), front in [*chosen.items(), (("exhaustive", None), whole)]:
            shared = {"teacher": study.teacher, "driver": study.driver.name, "algorithm": algorithm, "seed": seed}
            for cell in front:
                records.append(_point(cell, truth) | shared | {"score": study.score(cell), "share": share[cell]})
    for target, accuracies in truth.accuracies.items():
        good = _by_cell(accuracies)
        front = efficient(good, good, truth.costs)
        records += [_point(cell, truth) | {"driver": target, "algorithm": "oracle"} for cell in front]
    frame = pd.DataFrame(records, columns=[*FRONT_COLUMNS, *truth.accuracies])
    return frame.astype({"seed": "Int64"})


def _point(cell: int, truth: Truth) -> dict[str, Any]:
    accuracies = {target: known.get(cell, math.nan) for target, known in truth.accuracies.items()}
    return {"cell": cell, "architecture": truth.space.describe(cell), "cost": truth.costs[cell]} | accuracies


def hypervolumes(studies: Sequence[Found], truth: Truth) -> pd.DataFrame:
    """Return `HYPERVOLUME_COLUMNS`: the hypervolume of the searches' fronts, by score and by accuracy.

    A front is chosen by the score alone. Its hypervolume by an accuracy is that of its cells' accuracies, for targets
    that are known of every cell.
    """
    complete = {name: known for name, known in truth.accuracies.items() if len(known) == len(truth.cells)}
    records: list[dict[str, Any]] = []
    for study in studies:
        chosen = {key: efficient(trail.cells, study.judgement, truth.costs) for key, trail in study.trails.items()}
        judged = {"score": study.judgement} | {name: _by_cell(known) for name, known in complete.items()}
        for quantity, good in judged.items():
            plane = _Plane(good, truth.costs)
            covered = {key: plane.covered(front) for key, front in chosen.items()}
            for algorithm in study.algorithms():
                seeds = [seed for name, seed in covered if name == algorithm]
                values = np.array([covered[algorithm, seed] for seed in seeds])
                shared = {"teacher": study.teacher, "driver": study.driver.name, "algorithm": algorithm}
                over = over_searches(values)
                records.append(
                    shared
                    | {"quantity": quantity, "searches": len(seeds), "hypervolume": over.pop("mean")}
                    | over
                    | _over_random(covered, algorithm)
                )
    return pd.DataFrame(records, columns=list(HYPERVOLUME_COLUMNS))


def _over_random(covered: Mapping[tuple[str, int], float], algorithm: str) -> dict[str, float]:
    # How much more hypervolume than random search with the same seed.
    pairs = [seed for name, seed in covered if name == algorithm and ("random", seed) in covered]
    if algorithm == "random" or not pairs:
        return {}
    more = over_searches(np.array([covered[algorithm, seed] - covered["random", seed] for seed in pairs]))
    return {"over_random": more["mean"], "over_random_low": more["low"], "over_random_high": more["high"]}


def _by_cell(accuracies: pd.Series) -> dict[int, float]:
    return dict(zip(accuracies.index.tolist(), accuracies.tolist(), strict=True))


def curves(studies: Sequence[Found], truth: Truth) -> pd.DataFrame:
    """Return `CURVE_COLUMNS` with the quantity ``hypervolume``: that of the front by score, over searches."""
    records = [record for study in studies for record in _curves(study, truth)]
    return pd.DataFrame(records, columns=list(CURVE_COLUMNS))


def _curves(study: Found, truth: Truth) -> Iterator[dict[str, Any]]:
    plane = _Plane(study.judgement, truth.costs)
    for algorithm, trails in study.algorithms().items():
        for at in evaluation_grid(trails):
            values = np.array([plane.covered(trail.cells[:at]) for trail in trails.values()])
            yield curve_point(study, algorithm, "hypervolume", at, values)


class _Plane:
    """The unit square of two objectives, and the hypervolume of the front of all its cells."""

    def __init__(self, good: Mapping[int, float], costs: Mapping[int, float]) -> None:
        known = {cell: value for cell, value in good.items() if cell in costs}
        defined = {cell for cell, value in known.items() if value > -math.inf}
        up, across = shares(known), shares({cell: costs[cell] for cell in known}, lower_is_better=True)
        self._points = {cell: (across[cell], up[cell]) for cell in defined}
        self._whole = hypervolume(list(self._points.values()))

    def covered(self, cells: Iterable[int]) -> float:
        """Return the share of the whole front's hypervolume that some cells dominate."""
        return hypervolume([self._points[cell] for cell in cells if cell in self._points]) / self._whole
