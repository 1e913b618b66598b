"""One run's scores against its targets: correlations by seed, and what they are worth, in two tidy tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from diswot.benchmarks.errors import InputError
from diswot.benchmarks.spaces import Space
from diswot.benchmarks.tables import Target
from diswot.benchmarks.tables.targets import DISTILLED, VANILLA
from diswot.harness import pool, progress
from diswot.harness.evidence import ceiling, influence, intervals
from diswot.harness.evidence.column import Column
from diswot.harness.evidence.influence import Estimates
from diswot.harness.evidence.metrics import METRICS, influence_of, judge, oriented
from diswot.harness.evidence.panel import Panel

#: The columns of correlations by seed.
CORRELATION_COLUMNS = (
    *("space", "proxy", "family", "direction", "target", "seed", "n", "undefined", "failed", "pearson_n"),
    *METRICS,
)

_UNCERTAINTY = (
    *("metric", "low", "high", "n_functions"),
    *("partial", "partial_low", "partial_high", "reliability", "ceiling"),
    *("best", "gap_to_best", "gap_to_best_low", "gap_to_best_high", "gap_to_best_p", "not_significantly_different"),
    *("over_vanilla", "over_vanilla_low", "over_vanilla_high"),
)

#: The columns of the evidence.
EVIDENCE_COLUMNS = (
    *("space", "subset", "target", "proxy", "family", "direction"),
    *("seeds", "n", "scores", "undefined", "failed"),
    *(name + suffix for name in METRICS for suffix in ("", "_std", "_seeds")),
    *_UNCERTAINTY,
)

#: Up to so many scores the work is done before processes would have been started.
_SMALL = 1_000_000

#: The subset in which each function counts once.
DISTINCT = "distinct"

#: Of a target whose training seeds agree less, correlations decide little.
LITTLE = 0.5

#: The level of a significant difference from the best proxy.
SIGNIFICANCE = 0.05


@dataclass(frozen=True, eq=False)
class TargetAccuracies:
    """Accuracies that scores are correlated with.

    Attributes:
        name: ``table:column``.
        accuracies: percent by cell, finite.
        seeds: the same by training seed, a column each, for the ceiling; without columns where they are not known.
        by_function: whether one training serves all cells that compute the same function, as in ``nb201-kd``. Copies
            of a cell are no new evidence then, and each function counts once.
    """

    name: str
    accuracies: pd.Series
    seeds: pd.DataFrame
    by_function: bool = False


def tables(
    panel: Panel, proxies: pd.DataFrame, targets: Sequence[TargetAccuracies], space: Space, metric: str = "spearman"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the correlations by seed on all cells, and the evidence by subset.

    Args:
        panel: the scores.
        proxies: columns name, family and direction; a score without a row here is an ensemble's.
        targets: what to correlate with; those on the same cells are compared with each other.
        space: knows subsets, functions and sizes.
        metric: the rank correlation that intervals, comparisons and the order of proxies are about; one of
            `metrics.METRICS` that has an influence.

    Returns:
        Two frames: `CORRELATION_COLUMNS`, one row a proxy, target and seed; and `EVIDENCE_COLUMNS`, one row a subset,
        target and proxy: means and standard deviations over seeds, with a divisor of one less than the seeds. Both
        in the order of subsets, proxies, targets and seeds. A subset that is the same as all cells has no rows of its
        own, nor has one without cells.
    """
    records = proxies.set_index("name")[["family", "direction"]].to_dict("index")
    described = {name: records.get(name, {"family": "ensemble", "direction": "higher"}) for name in panel.proxies}
    parts = _judge_all(_groups(panel, targets, space), metric) if panel.proxies else []
    by_seed = [found for found, part in parts if (part["subset"] == "all").any()]
    evidence = [part for _, part in parts]
    return (
        _arranged(by_seed, CORRELATION_COLUMNS, ["proxy", "target", "seed"], panel, targets, described, space),
        _arranged(evidence, EVIDENCE_COLUMNS, ["subset", "proxy", "target"], panel, targets, described, space),
    )


def counted(target: TargetAccuracies, space: Space) -> pd.Series:
    """Return the accuracies of a target that count: all, or one a function where a training serves all its cells."""
    if not target.by_function or DISTINCT not in space.subsets:
        return target.accuracies
    return target.accuracies[space.subsets[DISTINCT].of(target.accuracies.index.to_numpy())]


def leading(evidence: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that decide: of every target the subset in which each function counts once.

    That is ``distinct``, and ``all`` where it holds no cell twice.
    """
    has_distinct = evidence.loc[evidence["subset"] == DISTINCT, "target"].unique()
    deciding = np.where(evidence["target"].isin(has_distinct), DISTINCT, "all")
    in_order = evidence.loc[evidence["subset"] == "all", ["proxy", "target"]]
    return in_order.merge(evidence[evidence["subset"] == deciding], on=["proxy", "target"])[list(evidence.columns)]


def by_evidence(evidence: pd.DataFrame) -> list[str]:
    """Return the proxies, best first by the first target on the first subset; those without a correlation last."""
    if evidence.empty:
        return []
    place = evidence[["target", "subset"]].iloc[0]
    first = evidence[(evidence[["target", "subset"]] == place).all(axis=1)]
    metric = str(first["metric"].iloc[0])
    ranked = first.sort_values([metric, "proxy"], ascending=[False, True], na_position="last", kind="stable")
    names = [*ranked["proxy"], *evidence["proxy"]]
    return [str(name) for name in dict.fromkeys(names)]


@dataclass(frozen=True, eq=False)
class _Group:
    """Targets on the same cells of one subset, and the scores there.

    Accuracies are (targets, n), sizes (n,). Functions are (n,), numbers from 0.
    """

    subset: str
    panel: Panel
    targets: tuple[TargetAccuracies, ...]
    accuracies: np.ndarray
    sizes: np.ndarray
    functions: np.ndarray


def _judge_all(groups: Sequence[_Group], metric: str) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    judge_one = partial(_judge, metric=metric)
    if sum(group.panel.scores.size for group in groups) < _SMALL:
        return [judge_one(group) for group in groups]
    found = pool.run(
        judge_one,
        sorted(
            groups, key=lambda group: -group.panel.scores.size
        ),  # the largest would keep everybody waiting at the end
        make_executor=pool.plain,
        workers=pool.default_workers(),
        on_death=_refuse,
    )
    by_group = {}
    with progress.shown(len(groups), "comparison", "judged") as step:  # a subset with the targets on the same cells
        for group, parts in found:
            by_group[id(group)] = parts
            step()
    return [by_group[id(group)] for group in groups]


def _refuse(group: _Group) -> tuple[pd.DataFrame, pd.DataFrame]:
    raise InputError(
        f"correlate: the worker died that judged {len(group.panel.cells)} cells of the subset {group.subset}; "
        "was there too little memory?"
    )


def _judge(group: _Group, metric: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    found = _by_seed(group)
    evidence = _summary(found).merge(_uncertainty(group, found, metric), on=["proxy", "target"])
    return found, evidence.assign(subset=group.subset)


def _groups(panel: Panel, targets: Sequence[TargetAccuracies], space: Space) -> list[_Group]:
    together: dict[tuple[int, ...], list[TargetAccuracies]] = {}
    for target in targets:
        counting = counted(replace(target, accuracies=target.accuracies.reindex(panel.cells).dropna()), space)
        known = np.flatnonzero(np.isin(panel.cells, counting.index.to_numpy()))
        together.setdefault(tuple(known), []).append(target)
    sizes = np.array([space.costs["live_flops"](int(cell), space.classes) for cell in panel.cells], float)
    functions = np.array([space.representative(int(cell)) for cell in panel.cells])
    groups = []
    for places, sharing in together.items():
        known = np.array(places, int)
        for name, subset in space.subsets.items():
            # Of the cells with an accuracy: the one that represents a function may have none.
            chosen = known[subset.of(panel.cells[known])]
            if name == "all" or 0 < len(chosen) < len(known):
                accuracies = [target.accuracies.loc[panel.cells[chosen]].to_numpy(float) for target in sharing]
                groups.append(
                    _Group(
                        subset=name,
                        panel=panel.at(chosen),
                        targets=tuple(sharing),
                        accuracies=np.array(accuracies),
                        sizes=sizes[chosen],
                        functions=np.unique(functions[chosen], return_inverse=True)[1],
                    )
                )
    return groups


def _by_seed(group: _Group) -> pd.DataFrame:
    rows = []
    panel = group.panel
    ranked = [Column.of(accuracies) for accuracies in group.accuracies]
    for number, seed in np.ndindex(len(panel.proxies), len(panel.seeds)):
        scores, failed = panel.scores[number, seed], int(panel.failed[number, seed].sum())
        settled = ~np.isnan(scores)
        if not settled.any() and not failed:
            continue
        known, defined = int(settled.sum()), int(np.isfinite(scores).sum())
        column = oriented(scores[settled])
        for target, accuracies in zip(group.targets, ranked, strict=True):
            rows.append(
                {
                    "proxy": panel.proxies[number],
                    "target": target.name,
                    "seed": panel.seeds[seed],
                    "n": known,
                    "undefined": known - defined,
                    "failed": failed,
                    "pearson_n": defined,
                    **judge(column, accuracies if settled.all() else Column.of(accuracies.values[settled])),
                }
            )
    columns = [name for name in CORRELATION_COLUMNS if name not in ("space", "family", "direction")]
    return pd.DataFrame(rows, columns=columns)


def _summary(by_seed: pd.DataFrame) -> pd.DataFrame:
    groups = by_seed.groupby(["proxy", "target"], sort=False)
    counted = groups.agg(
        seeds=("seed", "nunique"),
        n=("n", "min"),
        scores=("n", "sum"),
        undefined=("undefined", "sum"),
        failed=("failed", "sum"),
    )
    measured = [
        groups[name].agg(["mean", "std", "count"]).set_axis([name, f"{name}_std", f"{name}_seeds"], axis=1)
        for name in METRICS
    ]
    return pd.concat([counted, *measured], axis=1).reset_index()


def _uncertainty(group: _Group, by_seed: pd.DataFrame, metric: str) -> pd.DataFrame:
    panel = group.panel
    names = [target.name for target in group.targets]
    correlation, partial = estimates(panel, group.accuracies, group.sizes, group.functions, metric)
    low, high = intervals.of_correlation(correlation)
    partial_low, partial_high = intervals.of_correlation(partial)
    vanilla = _vanilla_of(names)
    rows = []
    for t, target in enumerate(group.targets):
        by_training_seed = target.seeds.reindex(panel.cells)
        limit = ceiling.of(by_training_seed) if metric == "spearman" else np.nan
        columns = {
            "metric": metric,
            "low": low[:, t],
            "high": high[:, t],
            "n_functions": correlation.functions[:, t],
            "partial": partial.value[:, t],
            "partial_low": partial_low[:, t],
            "partial_high": partial_high[:, t],
            "reliability": ceiling.reliability(by_training_seed),
            # Cells that have several seeds may differ less than all do; what a proxy exceeds is no ceiling.
            "ceiling": np.nan if (low[:, t] > limit).any() else limit,
            **_compared_with_best(correlation[:, t], panel.proxies),
        }
        if t in vanilla:
            columns |= _over(correlation[:, t] - correlation[:, vanilla[t]])
        rows.append(pd.DataFrame({"proxy": panel.proxies, "target": target.name, **columns}))
    return pd.concat(rows, ignore_index=True).reindex(columns=["proxy", "target", *_UNCERTAINTY])


def estimates(
    panel: Panel, accuracies: np.ndarray, sizes: np.ndarray, functions: np.ndarray, metric: str
) -> tuple[Estimates, Estimates]:
    """Return every proxy's correlation with every target, means over weight seeds, and the same controlling for size.

    An ensemble's scores are taken as they are: that they would be ranked otherwise among other cells moves its
    interval too little to matter, as the simulation of `docs/measurements/coverage.py` shows.

    Args:
        panel: the scores of P proxies.
        accuracies: (T, n), percent.
        sizes: (n,), what partial correlations control for.
        functions: (n,), numbers from 0.
        metric: as `tables` has it.

    Returns:
        Two estimates of shape (P, T).
    """
    scores = panel.scores.reshape(-1, len(panel.cells))
    influence_on = influence_of(metric)
    xy, xz = (influence.correlate(influence_on, scores, known, functions) for known in (accuracies, sizes[None]))
    of_size = influence.correlate(influence_on, sizes[None], accuracies, functions)
    # Where a proxy lacks cells, the size is correlated with the accuracies on those that it has.
    yz = [
        influence.correlate(influence_on, np.where(lacking, np.nan, sizes)[None], accuracies, functions)
        if lacking.any()
        else of_size
        for lacking in np.isnan(scores)
    ]
    controlled = influence.partial(xy, xz, influence.concatenated(yz))
    shape = (len(panel.proxies), len(panel.seeds), len(accuracies))
    correlation, partial = (influence.mean(found.reshaped(shape), axis=1) for found in (xy, controlled))
    return correlation, partial


def _compared_with_best(correlation: Estimates, proxies: Sequence[str]) -> dict[str, Any]:
    # A correlation on a handful of functions is not the best one, unless all are.
    value = correlation.value
    enough = np.isfinite(value) & (correlation.functions >= intervals.FEWEST_FUNCTIONS)
    judged = np.where(enough, value, np.nan) if enough.any() else value
    if not np.isfinite(judged).any():
        return {}
    best = int(np.nanargmax(judged))
    gap = correlation[[best]] - correlation
    gap_low, gap_high = intervals.of_difference(gap)
    chance = intervals.compared_with_best(correlation, best)
    return {
        "best": proxies[best],
        "gap_to_best": np.where(np.isfinite(judged), gap.value, np.nan),
        "gap_to_best_low": gap_low,
        "gap_to_best_high": gap_high,
        "gap_to_best_p": chance,
        "not_significantly_different": [bool(p > SIGNIFICANCE) if np.isfinite(p) else np.nan for p in chance],
    }


def _over(difference: Estimates) -> dict[str, np.ndarray]:
    low, high = intervals.of_difference(difference)
    return {"over_vanilla": difference.value, "over_vanilla_low": low, "over_vanilla_high": high}


def _vanilla_of(names: Sequence[str]) -> dict[int, int]:
    # By the position of a distilled accuracy, that of the vanilla one of the same table.
    targets = list(map(Target.named, names))
    return {
        place: targets.index(target.with_column(VANILLA))
        for place, target in enumerate(targets)
        if target.column == DISTILLED and target.with_column(VANILLA) in targets
    }


def _arranged(
    parts: Sequence[pd.DataFrame],
    columns: Sequence[str],
    keys: Sequence[str],
    panel: Panel,
    targets: Sequence[TargetAccuracies],
    described: Mapping[str, Mapping[str, str]],
    space: Space,
) -> pd.DataFrame:
    filled = [part for part in parts if not part.empty]
    if not filled:
        return pd.DataFrame(columns=list(columns))
    whole = pd.concat(filled, ignore_index=True)
    whole["space"] = space.name
    for name in ("family", "direction"):
        whole[name] = [described[proxy][name] for proxy in whole["proxy"]]
    orders: dict[str, list[Any]] = {
        "subset": list(space.subsets),
        "proxy": list(panel.proxies),
        "target": [target.name for target in targets],
        "seed": list(panel.seeds),
    }
    places = [whole[key].map({value: place for place, value in enumerate(orders[key])}) for key in keys]
    order = np.lexsort([place.to_numpy() for place in reversed(places)])
    return whole.iloc[order].reset_index(drop=True)[list(columns)]
