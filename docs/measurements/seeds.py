"""How far scores depend on the draw of the weights: `python docs/measurements/seeds.py RUN_NOISE RUN_CIFAR10`.

The runs hold weight seeds 1 and 2 of the same sampled cells, as docs/measurements.md makes them; seed 0 is in the
precomputed sets. Of the S0 networks the sets hold five seeds. Writes docs/measurements/seeds.csv and
docs/figures/seeds.png.
"""

from __future__ import annotations

import sys
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib
import pandas as pd

import diswot
from diswot.benchmarks import tables
from diswot.harness.runs import run_folder
from diswot.harness.runs.precomputed import sets
from diswot.proxies import registry

matplotlib.use("Agg")

TARGETS = {"nb201": "analog-nasbench:baseline", "s0": "s0-diswot:distilled"}
DOCS = Path(__file__).parents[1]


def main(noise: str, cifar10: str) -> None:
    """Write the table and the figure."""
    samples = {
        "nb201 noise": _scores("nb201-noise", noise),
        "nb201 cifar10": _scores("nb201-cifar10", cifar10),
        "s0 noise": _scores("s0-noise"),
        "s0 cifar100": _scores("s0-cifar100"),
    }
    table = pd.concat([_stability(name, scores) for name, scores in samples.items()])
    wide = table.pivot(index="proxy", columns="sample", values="between_seeds")
    order = wide[["nb201 noise", "nb201 cifar10"]].mean(axis=1).sort_values(ascending=False).index
    place = {proxy: number for number, proxy in enumerate(order)}
    table = table.sort_values(["sample", "proxy"], key=lambda of: of.map(place) if of.name == "proxy" else of)
    table.round(4).to_csv(DOCS / "measurements" / "seeds.csv", index=False)
    _draw(wide.loc[order], DOCS / "figures" / "seeds.png")
    print(
        table.pivot(index="proxy", columns="sample", values=["between_seeds", "deviation"])
        .loc[order]
        .round(3)
        .to_string()
    )


def _scores(name: str, run: str | None = None) -> pd.DataFrame:
    # Scores by cell; columns proxy and seed. Undefined ones are NaN.
    with TemporaryDirectory() as folder:
        scores = diswot.load(run_folder.show(sets.load(name), Path(folder))).scores
    if run is not None:
        further = diswot.load(run).scores
        scores = pd.concat([scores[scores["cell"].isin(further["cell"])], further])
    return scores.drop_duplicates(["proxy", "seed", "cell"]).pivot(
        index="cell", columns=["proxy", "seed"], values="value"
    )


def _stability(sample: str, scores: pd.DataFrame) -> pd.DataFrame:
    space = sample.split()[0]
    table, column = tables.parse_target(TARGETS[space])
    accuracies = tables.load(table, space).frame[column].reindex(scores.index)
    rows = []
    for proxy in scores.columns.get_level_values("proxy").unique():
        of = scores[proxy].dropna(how="all", axis=1)
        if of.shape[1] < 2:
            continue
        sign = -1 if registry.get(proxy).direction == "lower" else 1
        pairs = [of[one].corr(of[other], method="spearman") for one, other in combinations(of, 2)]
        with_accuracy = sign * of.corrwith(accuracies, method="spearman")
        rows.append(
            {
                "proxy": proxy,
                "sample": sample,
                "cells": len(of),
                "seeds": of.shape[1],
                "between_seeds": pd.Series(pairs).mean(),
                "correlation": with_accuracy.mean(),
                "deviation": with_accuracy.std(),
                "undefined": int(of.isna().sum().sum()),
            }
        )
    return pd.DataFrame(rows)


def _draw(wide: pd.DataFrame, path: Path) -> None:
    from matplotlib import pyplot as plt

    with plt.rc_context({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False}):
        figure, axes = plt.subplots(figsize=(5.2, 6.4), layout="constrained")
        places = range(len(wide))
        both = wide[["nb201 noise", "nb201 cifar10"]]
        axes.hlines(places, both.min(axis=1), both.max(axis=1), color="#b0b0b0", linewidth=1.2, zorder=1)
        for column, colour, marker, label in (
            ("nb201 cifar10", "#0072b2", "o", "CIFAR-10 images"),
            ("nb201 noise", "#d55e00", "D", "noise"),
        ):
            axes.scatter(wide[column], places, s=18, color=colour, marker=marker, label=label, zorder=2)
        axes.set_yticks(places, wide.index)
        axes.invert_yaxis()
        axes.grid(axis="x", color="#e0e0e0", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_xlabel("Spearman correlation of scores between two draws of weights")
        axes.legend(loc="upper left", frameon=False)
        figure.savefig(path, dpi=160)


if __name__ == "__main__":
    main(*sys.argv[1:])
