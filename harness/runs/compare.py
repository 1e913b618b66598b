"""Runs compared by pairs: the same proxies on the same cells, and what differs between how the scores were made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from diswot.benchmarks import spaces, tables
from diswot.benchmarks.errors import InputError, unknown
from diswot.benchmarks.spaces import Space
from diswot.harness.evidence import influence, intervals, panel
from diswot.harness.evidence.column import Column
from diswot.harness.evidence.influence import Estimates, Influence
from diswot.harness.evidence.metrics import influence_of
from diswot.harness.evidence.panel import Panel
from diswot.harness.evidence.table import counted
from diswot.harness.runs import results
from diswot.harness.runs.provenance import devices
from diswot.harness.runs.results import Results
from diswot.harness.runs.settings import Settings

#: The columns of `Comparison.proxies`.
COLUMNS = (
    *("first", "second", "space", "subset", "target", "metric", "proxy", "n", "n_functions", "value_first"),
    *("value_second", "difference", "low", "high", "p", "scores", "changed", "largest", "agreement"),
)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two runs side by side.

    Attributes:
        settings: what differs between how they were made: setting, first, second, as texts.
        proxies: one row a target and a proxy or ensemble that both have, with the columns `COLUMNS`. On the n cells
            that both have scored: the correlations of both, means over weight seeds; their difference, second minus
            first, with the 95 % interval over functions and its p-value, corrected by Holm for all proxies of the
            target; of how many ``scores`` how many ``changed``, and the ``largest`` change relative to the larger score
            of the two; the rank correlation of the defined scores with each other (``agreement``).
    """

    settings: pd.DataFrame
    proxies: pd.DataFrame


def compare(
    runs: Sequence[Path | str],
    targets: Sequence[str] = (),
    *,
    metric: str = "spearman",
    subset: str = "all",
    undefined: str = "worst",
) -> list[Comparison]:
    """Compare the first of some runs with each of the others; nothing is written into their folders.

    Scores of the same weight seed are paired; where two runs share no seed, every seed of one with every seed of the
    other.

    Args:
        runs: at least two: folders, or names of precomputed scores.
        targets: as `results.correlate` takes them; by default the space's own, as far as the common cells have them.
        metric: ``spearman`` or ``kendall``.
        subset: a subset of the space's cells.
        undefined: ``worst`` ranks undefined scores last, ``omit`` leaves their cells out, in both runs.

    Raises:
        InputError: if there is one run only, or two have different spaces, or no proxy or cell in common; or a target,
            metric or subset is not known, or has none of the cells.
    """
    if len(runs) < 2:
        raise InputError("run: two runs are compared, or more; one was given.")
    if undefined not in panel.UNDEFINED:
        raise unknown("undefined", undefined, panel.UNDEFINED)
    of = influence_of(metric)
    first, *others = map(results.scored, runs)
    found = []
    for second in others:
        space = _common_space(first, second)
        if subset not in space.subsets:
            raise unknown("subset", subset, space.subsets)
        pair = _panels(first, second, undefined)
        parts = [
            _compared(pair, target, accuracies, space, of)
            for target, accuracies in _accuracies(pair, targets, space, subset)
        ]
        known = {"first": str(first.folder), "second": str(second.folder), "space": space.name}
        frame = pd.concat(parts).assign(**known, subset=subset, metric=metric)
        found.append(Comparison(differences(first, second), frame[list(COLUMNS)].reset_index(drop=True)))
    return found


def differences(first: Results, second: Results) -> pd.DataFrame:
    """Return what differs between how two runs' scores were made: setting, first, second.

    Settings, seeds, number of cells, and of the proxies that both have version, direction and device; then what may
    explain other numbers under the same settings: instructions and threads, versions of packages, plug-ins, revision.
    """
    one, other = (_said(run) for run in (first, second))
    different = [name for name in one | other if one.get(name) != other.get(name)]
    chosen = [name for name in different if name not in Settings.consequences]
    if not set(chosen) & set(Settings.model_fields):
        chosen = different
    rows = [(name, _text(one.get(name)), _text(other.get(name))) for name in chosen]
    return pd.DataFrame(_of_proxies(first, second) + rows, columns=["setting", "first", "second"], dtype=object)


def _said(run: Results) -> dict[str, Any]:
    info = run.info
    return {
        **info.settings.stored(),
        "seeds": sorted(map(int, set(run.scores["seed"]))),
        "cells": run.scores["cell"].nunique(),
        **(info.arithmetic.stored() if info.arithmetic else {}),
        "threads": info.threads,
        **info.versions,
        **{path: value for path, value in info.hashes.items() if path != "batch"},
        "git_revision": info.git_revision,
    }


def _of_proxies(first: Results, second: Results) -> list[tuple[str, str, str]]:
    # Proxies that differ in the same way share a row.
    one, other = ({proxy.name: proxy for proxy in run.info.proxies} for run in (first, second))
    made, remade = (devices(run.info) for run in (first, second))
    together: dict[tuple[str, str, str], list[str]] = {}
    for name in (name for name in one if name in other):
        fields = {field: (getattr(one[name], field), getattr(other[name], field)) for field in ("version", "direction")}
        for field, (mine, its) in (fields | {"device": (made[name], remade[name])}).items():
            if mine != its:
                together.setdefault((field, str(mine), str(its)), []).append(name)
    return [
        (f"{field} of {', '.join(names) if len(names) < 4 else f'{len(names)} proxies'}", mine, its)
        for (field, mine, its), names in together.items()
    ]


def _text(value: object) -> str:
    return "not recorded" if value is None else str(value)


def _common_space(first: Results, second: Results) -> Space:
    one, other = first.info.space, second.info.space
    if one != other:
        raise InputError(f"run: {first.folder} is of {one}, {second.folder} of {other}; compare runs of one space.")
    return spaces.get(one)


def _panels(first: Results, second: Results, undefined: str) -> tuple[Panel, Panel]:
    # Of the same proxies and ensembles, and of seeds that belong together by their places.
    chosen = [run.scores for run in (first, second)]
    for column in ("cell", "proxy"):
        common = set(chosen[0][column]).intersection(chosen[1][column])
        if not common:
            where = " on the cells that both have" if column == "proxy" else ""
            raise InputError(f"run: {first.folder} and {second.folder} have no {column} in common{where}.")
        chosen = [frame[frame[column].isin(common)] for frame in chosen]
    order = [name for name in first.proxies["name"] if name in set(second.proxies["name"])]
    one, other = (
        panel.build(frame, run.proxies.set_index("name").loc[order].reset_index(), undefined=undefined)
        for frame, run in zip(chosen, (first, second), strict=True)
    )
    seeds = [(seed, seed) for seed in one.seeds if seed in other.seeds] or list(product(one.seeds, other.seeds))
    mine, its = zip(*seeds, strict=True)
    return _of_seeds(one, mine), _of_seeds(other, its)


def _of_seeds(one: Panel, seeds: Sequence[int]) -> Panel:
    places = [one.seeds.index(seed) for seed in seeds]
    return replace(one, seeds=tuple(seeds), scores=one.scores[:, places], failed=one.failed[:, places])


def _accuracies(
    pair: tuple[Panel, Panel], asked: Sequence[str], space: Space, subset: str
) -> Iterator[tuple[str, pd.Series]]:
    # By target, ascending by cell.
    cells = np.intersect1d(pair[0].cells, pair[1].cells).tolist()
    chosen = results.targets_of(space.name, tuple(asked) or results.default_targets(space.name, cells))
    results.say_fractions(chosen.values(), space.name)
    for name, target in chosen.items():
        one = results.target_of(name, target.column, tables.load(target.table, space.name).frame, cells, space)
        if one.accuracies.empty:
            raise InputError(f"targets: {name} has an accuracy for none of the {len(cells)} cells that both runs have.")
        known = counted(one, space).sort_index()
        known = known[space.subsets[subset].of(known.index.to_numpy())]
        if known.empty:
            raise InputError(f"subset: {subset} holds none of the cells that both runs have and {name} has.")
        yield name, known


def _compared(
    pair: tuple[Panel, Panel], target: str, accuracies: pd.Series, space: Space, of: Influence
) -> pd.DataFrame:
    cells = accuracies.index.to_numpy()
    one, other = (every.at(np.searchsorted(every.cells, cells)) for every in pair)
    lacking = np.isnan(one.scores) | np.isnan(other.scores)
    functions = np.unique([space.representative(int(cell)) for cell in cells], return_inverse=True)[1]
    both = [np.where(lacking, np.nan, every.scores) for every in (one, other)]
    first, second = (_mean_correlation(of, scores, accuracies.to_numpy(float), functions) for scores in both)
    difference = second - first
    low, high = intervals.of_difference(difference)
    chance = intervals.p_values(difference)
    compared = np.isfinite(chance)
    chance[compared] = intervals.holm(chance[compared])
    changed = (both[0] != both[1]) & ~lacking
    frame = pd.DataFrame(
        {
            "target": target,
            "proxy": one.proxies,
            "n": (~lacking).any(axis=1).sum(axis=1),
            "n_functions": difference.functions,
            "value_first": first.value,
            "value_second": second.value,
            "difference": difference.value,
            "low": low,
            "high": high,
            "p": chance,
            "scores": (~lacking).sum(axis=(1, 2)),
            "changed": changed.sum(axis=(1, 2)),
            "largest": _largest(*both),
            "agreement": _agreement(of, *both),
        }
    )
    return frame.sort_values(["value_first", "proxy"], ascending=[False, True], na_position="last", kind="stable")


def _mean_correlation(of: Influence, scores: np.ndarray, accuracies: np.ndarray, functions: np.ndarray) -> Estimates:
    found = influence.correlate(of, scores.reshape(-1, len(accuracies)), accuracies[None], functions)
    return influence.mean(found.reshaped(scores.shape[:2]), axis=1)


def _largest(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    # (P,), the largest change of scores (P, S, n) that both have; 0 where none changed.
    change, larger = np.zeros(one.shape), np.ones(one.shape)
    moved = np.isfinite(one) & np.isfinite(other) & (one != other)
    change[moved] = np.abs(one[moved] - other[moved])
    larger[moved] = np.maximum(np.abs(one[moved]), np.abs(other[moved]))
    largest: np.ndarray = (change / larger).max(axis=(1, 2))
    return largest


def _agreement(of: Influence, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    # (P,), means over seeds.
    found = np.full(one.shape[:2], np.nan)
    for place in np.ndindex(*found.shape):
        defined = np.isfinite(one[place]) & np.isfinite(other[place])
        x, y = one[place][defined], other[place][defined]
        if len(x) > 1 and np.ptp(x) > 0 and np.ptp(y) > 0:
            found[place] = of(Column.of(x), Column.of(y))[0]
    return panel.mean(found, axis=1)
