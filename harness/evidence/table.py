"""One run's scores against its targets: correlations by seed, and what they are worth, in two tidy tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.errors import InputError
from benchmarks.spaces import Space
from harness import pool
from harness.evidence import bootstrap, ceiling
from harness.evidence.measures import MEASURES, Column, judge, oriented
from harness.evidence.panel import Panel

#: The columns of correlations by seed.
CORRELATION_COLUMNS = (
    *("space", "proxy", "family", "direction", "target", "seed", "n", "undefined", "failed", "pearson_n"),
    *MEASURES,
)

_UNCERTAINTY = (
    *("measure", "draws", "low", "high", "classes", "class_low", "class_high"),
    *("partial", "partial_low", "partial_high", "ceiling"),
    *("best", "behind", "behind_low", "behind_high", "behind_p", "level_with_best"),
    *("over_vanilla", "over_vanilla_low", "over_vanilla_high"),
)

#: The columns of the evidence.
EVIDENCE_COLUMNS = (
    *("space", "subset", "target", "proxy", "family", "direction"),
    *("seeds", "n_lowest", "n_highest", "scores", "undefined", "failed"),
    *(name + suffix for name in MEASURES for suffix in ("", "_deviation", "_seeds")),
    *_UNCERTAINTY,
)

#: What takes too long to be computed again for every subset; it is left empty there, as are intervals over classes.
_ON_ALL_CELLS_ONLY = frozenset({"weighted_kendall"})

#: Up to so many scores the work is done before processes would have been started.
_SMALL = 1_000_000

#: A proxy is told from the best where such a difference would come about by chance less often than this.
SIGNIFICANCE = 0.05


@dataclass(frozen=True, eq=False)
class Target:
    """Accuracies that scores are correlated with.

    Attributes:
        name: ``table:column``.
        accuracies: percent by cell, finite.
        seeds: the same by training seed, a column each, for the ceiling; without columns where they are not known.
    """

    name: str
    accuracies: pd.Series
    seeds: pd.DataFrame


@dataclass(frozen=True)
class Method:
    """How uncertainty is measured.

    Attributes:
        measure: what intervals, comparisons and the order of proxies are about; one of `bootstrap.STATISTICS`.
        draws: of the bootstrap; None for `bootstrap.default_draws`.
        seed: of the draws.
    """

    measure: str = "spearman"
    draws: int | None = None
    seed: int = 0


def tables(
    panel: Panel, proxies: pd.DataFrame, targets: Sequence[Target], space: Space, method: Method
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the correlations by seed on all cells, and the evidence by subset.

    Args:
        panel: the scores.
        proxies: columns name, family and direction; what is not in it is an ensemble.
        targets: what to correlate with; those on the same cells are compared with each other.
        space: knows subsets, classes and sizes.
        method: of measuring uncertainty.

    Returns:
        Two frames: `CORRELATION_COLUMNS`, one row a proxy, target and seed; and `EVIDENCE_COLUMNS`, one row a subset,
        target and proxy: means and deviations over seeds, the deviation's divisor being one less than the seeds. Both
        in the order of subsets, proxies, targets and seeds. A subset that is the same as all cells has no rows of its
        own, nor has one without cells.
    """
    records = proxies.set_index("name")[["family", "direction"]].to_dict("index")
    described = {name: records.get(name, {"family": "ensemble", "direction": "higher"}) for name in panel.proxies}
    parts = _judge_all(_groups(panel, targets, space), method) if panel.proxies else []
    by_seed = [found for found, part in parts if (part["subset"] == "all").any()]
    evidence = [part for _, part in parts]
    return (
        _arranged(by_seed, CORRELATION_COLUMNS, ["proxy", "target", "seed"], panel, targets, described, space),
        _arranged(evidence, EVIDENCE_COLUMNS, ["subset", "proxy", "target"], panel, targets, described, space),
    )


def by_evidence(evidence: pd.DataFrame) -> list[str]:
    """Return the proxies, best first by the first target on the first subset; those without a correlation last.

    The first subset is ``all``, unless the rows are of another one.
    """
    if evidence.empty:
        return []
    leading = evidence[["target", "subset"]].iloc[0]
    first = evidence[(evidence[["target", "subset"]] == leading).all(axis=1)]
    measure = str(first["measure"].iloc[0])
    ranked = first.sort_values([measure, "proxy"], ascending=[False, True], na_position="last", kind="stable")
    names = [*ranked["proxy"], *evidence["proxy"]]
    return [str(name) for name in dict.fromkeys(names)]


@dataclass(frozen=True, eq=False)
class _Group:
    """Targets on the same cells of one subset, and the scores there.

    Accuracies are (targets, n); sizes and classes, the numbers of the cells that stand for them, are (n,).
    """

    subset: str
    panel: Panel
    targets: tuple[Target, ...]
    accuracies: np.ndarray
    sizes: np.ndarray
    classes: np.ndarray


def _judge_all(groups: Sequence[_Group], method: Method) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    judge_one = partial(_judge, method=method)
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
    by_group = {id(group): parts for group, parts in found}
    return [by_group[id(group)] for group in groups]


def _refuse(group: _Group) -> tuple[pd.DataFrame, pd.DataFrame]:
    raise InputError(
        f"correlate: the worker died that judged {len(group.panel.cells)} cells of the subset {group.subset}; "
        "was there too little memory?"
    )


def _judge(group: _Group, method: Method) -> tuple[pd.DataFrame, pd.DataFrame]:
    found = _by_seed(group)
    evidence = _summary(found).merge(_uncertainty(group, found, method), on=["proxy", "target"])
    return found, evidence.assign(subset=group.subset)


def _groups(panel: Panel, targets: Sequence[Target], space: Space) -> list[_Group]:
    together: dict[tuple[int, ...], list[Target]] = {}
    for target in targets:
        known = np.isin(panel.cells, target.accuracies.index.to_numpy())
        together.setdefault(tuple(np.flatnonzero(known)), []).append(target)
    inside = {
        name: np.array([subset.holds(int(cell)) for cell in panel.cells], bool)
        for name, subset in space.subsets.items()
    }
    sizes = np.array([space.costs["live_flops"](int(cell), space.classes) for cell in panel.cells], float)
    classes = np.array([space.representative(int(cell)) for cell in panel.cells])
    found = []
    for places, group in together.items():
        for name in space.subsets:
            chosen = np.array(places, int)[inside[name][list(places)]]
            if name == "all" or 0 < len(chosen) < len(places):
                cells = panel.cells[chosen]
                accuracies = np.array([target.accuracies.loc[cells].to_numpy(float) for target in group])
                found.append(_Group(name, panel.at(chosen), tuple(group), accuracies, sizes[chosen], classes[chosen]))
    return found


def _by_seed(group: _Group) -> pd.DataFrame:
    rows = []
    panel = group.panel
    left_out = frozenset() if group.subset == "all" else _ON_ALL_CELLS_ONLY
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
                    **judge(column, accuracies if settled.all() else Column.of(accuracies.values[settled]), left_out),
                }
            )
    columns = [name for name in CORRELATION_COLUMNS if name not in ("space", "family", "direction")]
    return pd.DataFrame(rows, columns=columns)


def _summary(by_seed: pd.DataFrame) -> pd.DataFrame:
    groups = by_seed.groupby(["proxy", "target"], sort=False)
    counted = groups.agg(
        seeds=("seed", "nunique"),
        n_lowest=("n", "min"),
        n_highest=("n", "max"),
        scores=("n", "sum"),
        undefined=("undefined", "sum"),
        failed=("failed", "sum"),
    )
    measured = [
        groups[name].agg(["mean", "std", "count"]).set_axis([name, f"{name}_deviation", f"{name}_seeds"], axis=1)
        for name in MEASURES
    ]
    return pd.concat([counted, *measured], axis=1).reset_index()


def _uncertainty(group: _Group, by_seed: pd.DataFrame, method: Method) -> pd.DataFrame:
    panel = group.panel
    names = [target.name for target in group.targets]
    mean = by_seed.groupby(["proxy", "target"])[method.measure].mean()
    found = mean.unstack().reindex(index=list(panel.proxies), columns=names).to_numpy(float)  # (P, T)
    draws = method.draws or bootstrap.default_draws(len(panel.cells))
    over = bootstrap.draw(panel, group.accuracies, group.sizes, measure=method.measure, draws=draws, seed=method.seed)
    low, high = bootstrap.interval(over.correlation)
    held = _partials(panel, group.accuracies, group.sizes, method.measure)
    held_low, held_high = bootstrap.interval(over.partial)
    count = len(np.unique(group.classes))
    class_low, class_high = low, high
    if count < len(group.classes) and group.subset != "all":
        class_low = class_high = np.full(low.shape, np.nan)
    elif count < len(group.classes):
        together = bootstrap.draw(
            panel, group.accuracies, None, measure=method.measure, draws=draws, seed=method.seed, groups=group.classes
        )
        class_low, class_high = bootstrap.interval(together.correlation)
    vanilla = _vanilla_of(names)
    rows = []
    for t, target in enumerate(group.targets):
        # A correlation on a handful of cells is not the best one, unless all are.
        judged = np.where(bootstrap.comparable(found[:, t], over.correlation[:, :, t]), found[:, t], np.nan)
        judged = judged if np.isfinite(judged).any() else found[:, t]
        best = int(np.nanargmax(judged)) if np.isfinite(judged).any() else None
        if best is not None:
            behind_low, behind_high = bootstrap.interval(over.correlation[:, [best], t] - over.correlation[:, :, t])
            chance = bootstrap.compared_with_best(found[:, t], over.correlation[:, :, t], best)
        if t in vanilla:
            other = vanilla[t]
            over_low, over_high = bootstrap.interval(over.correlation[:, :, t] - over.correlation[:, :, other])
        limit = ceiling.of(target.seeds.reindex(panel.cells)) if method.measure == "spearman" else np.nan
        # Cells that have several seeds may differ less than all do; what a proxy exceeds is no ceiling.
        limit = np.nan if (low[:, t] > limit).any() else limit
        for p, proxy in enumerate(panel.proxies):
            row = {
                "proxy": proxy,
                "target": target.name,
                "measure": method.measure,
                "draws": draws,
                "low": low[p, t],
                "high": high[p, t],
                "classes": count,
                "class_low": class_low[p, t],
                "class_high": class_high[p, t],
                "partial": held[p, t],
                "partial_low": held_low[p, t],
                "partial_high": held_high[p, t],
                "ceiling": limit,
            }
            if best is not None:
                row |= {
                    "best": panel.proxies[best],
                    "behind": judged[best] - judged[p],
                    "behind_low": behind_low[p],
                    "behind_high": behind_high[p],
                    "behind_p": chance[p],
                    "level_with_best": bool(chance[p] > SIGNIFICANCE) if np.isfinite(chance[p]) else np.nan,
                }
            if t in vanilla:
                row |= {
                    "over_vanilla": found[p, t] - found[p, other],
                    "over_vanilla_low": over_low[p],
                    "over_vanilla_high": over_high[p],
                }
            rows.append(row)
    return pd.DataFrame(rows, columns=["proxy", "target", *_UNCERTAINTY])


def _partials(panel: Panel, accuracies: np.ndarray, size: np.ndarray, measure: str) -> np.ndarray:
    found = np.array(
        [bootstrap.partial(panel.scores[:, seed], accuracies, size, measure) for seed in range(len(panel.seeds))]
    )
    return bootstrap.mean(found, axis=0)


def _vanilla_of(names: Sequence[str]) -> dict[int, int]:
    # By the position of a distilled accuracy, that of the vanilla one of the same table.
    return {
        place: names.index(name[: -len("distilled")] + "vanilla")
        for place, name in enumerate(names)
        if name.endswith(":distilled") and name[: -len("distilled")] + "vanilla" in names
    }


def _arranged(
    parts: Sequence[pd.DataFrame],
    columns: Sequence[str],
    keys: Sequence[str],
    panel: Panel,
    targets: Sequence[Target],
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
