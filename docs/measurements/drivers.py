"""Choose ensembles on one half of the functions by one target, and measure drivers on subsets by all targets.

Run: ``python docs/measurements/drivers.py ACCURACIES.csv:c10 ACCURACIES.csv:c100 ACCURACIES.csv:in16``. It takes the
shipped scores `nb201-cifar10`; the first target chooses. The table goes to docs/measurements/drivers.csv. Of the
subsets, ``other half`` holds the functions that had no part in the choice, and ``better half`` the cells above the
median accuracy. The script takes about three minutes on two cores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import click
import numpy as np
import pandas as pd
from scipy import stats

import diswot
from diswot.benchmarks import spaces, tables
from diswot.harness.evidence import panel
from diswot.harness.evidence.panel import Panel
from diswot.harness.evidence.table import TargetAccuracies
from diswot.harness.evidence.table import tables as correlated
from diswot.harness.search.winner import first_half

SPACE = spaces.get("nb201")
DRIVERS = ("live_flops", "meco", "az_nas", "jacov_flops", "jacov_meco_flops", "log_rank_6", "log_rank_8")
COLUMNS = ["n", "n_functions", "spearman", "low", "high", "kendall", "precision_1", "precision_5", "regret"]

#: What ranks as another proxy does, or ties nearly all cells.
ALIKE = ("params", "live_params", "flops", "synflow", "diswot", "linear_regions")

#: How many ensembles of each size are grown.
WIDTH = 40


@click.command()
@click.argument("targets", nargs=-1, required=True)
@click.option("--largest", default=9, show_default=True, help="Members of the largest ensemble; 0 chooses none.")
@click.option("--out", default="docs/measurements/drivers.csv", show_default=True)
def main(targets: Sequence[str], largest: int, out: str) -> None:
    """Print the best ensemble of each size on the first half, and write what the drivers reach elsewhere."""
    run = diswot.load("nb201-cifar10")
    records = pd.DataFrame(run.info["proxies"])
    whole = panel.build(run.scores, records)
    accuracies = {spec: _accuracies(spec, whole.cells) for spec in targets}
    chooses = first_half(SPACE, whole.cells)
    for pool in ("all", "without a teacher, cheap") if largest else ():
        dear = () if pool == "all" else ("gradsign", "ntk_cond", "grasp", *_with_teacher(records))
        candidates = [name for name in whole.proxies[: whole.members] if name not in (*ALIKE, *dear)]
        for members, value in chosen(whole, candidates, accuracies[targets[0]], chooses, largest):
            click.echo(f"{pool}: {len(members)} members, {value:.4f}: {', '.join(members)}")
    measured = []
    for spec, values in accuracies.items():
        subsets = {name: SPACE.subsets[name].of(whole.cells) for name in ("all", "reachable", "distinct")}
        subsets |= {"better half": values > np.median(values), "other half": ~chooses}
        for name, chosen_cells in subsets.items():
            part = whole.at(np.flatnonzero(chosen_cells))
            measured.append(_measured(part, records, spec, values[chosen_cells]).assign(subset=name))
            click.echo(f"{spec} on {name}: {len(part.cells)} cells")
    pd.concat(measured)[["proxy", "target", "subset", *COLUMNS]].to_csv(out, index=False, float_format="%.4f")


def chosen(
    whole: Panel, candidates: Sequence[str], accuracies: np.ndarray, chooses: np.ndarray, largest: int
) -> list[tuple[tuple[str, ...], float]]:
    """Return the best ensemble of each size, and its mean Spearman correlation over all and over distinct cells.

    Sums of log ranks; each size is grown from the `WIDTH` best of the size before.
    """
    parts = []
    for part in (chooses, chooses & SPACE.subsets["distinct"].of(whole.cells)):
        logarithms = np.log(stats.rankdata(whole.scores[: whole.members, 0][:, part], axis=1))
        parts.append((dict(zip(whole.proxies, logarithms, strict=False)), stats.rankdata(accuracies[part])))

    def value(members: Sequence[str]) -> float:
        sums = ((sum(of[name] for name in members), truth) for of, truth in parts)
        return float(np.mean([np.corrcoef(stats.rankdata(total), truth)[0, 1] for total, truth in sums]))

    beam = sorted(((value(pair), pair) for pair in combinations(candidates, 2)), reverse=True)[:WIDTH]
    best = [beam[0]]
    while len(beam[0][1]) < largest:
        grown = {tuple(sorted({*members, name})) for _, members in beam for name in candidates if name not in members}
        beam = sorted(((value(members), members) for members in grown), reverse=True)[:WIDTH]
        best.append(beam[0])
    return [(members, correlation) for correlation, members in best]


def _measured(part: Panel, records: pd.DataFrame, spec: str, values: np.ndarray) -> pd.DataFrame:
    called = tables.targets(spec, SPACE.name)[0].name
    target = TargetAccuracies(called, pd.Series(values, part.cells), pd.DataFrame(index=part.cells))
    places = [part.proxies.index(driver) for driver in DRIVERS]
    drivers = replace(part, proxies=DRIVERS, members=len(DRIVERS), ensembles=(), scores=part.scores[places])
    drivers = replace(drivers, failed=part.failed[places])
    only_all = replace(SPACE, subsets={"all": SPACE.subsets["all"]})
    return correlated(drivers, records, [target], only_all)[1]


def _accuracies(spec: str, cells: np.ndarray) -> np.ndarray:
    (target,) = tables.targets(spec, SPACE.name)
    return tables.load(target.table, SPACE.name).frame[target.column].loc[cells].to_numpy(float)


def _with_teacher(records: pd.DataFrame) -> list[str]:
    return [record["name"] for record in records.to_dict("records") if "teacher" in record["needs"]]


if __name__ == "__main__":
    main()
