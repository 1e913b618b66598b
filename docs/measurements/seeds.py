"""How far scores depend on the weight seed: `python docs/measurements/seeds.py RUN_NOISE RUN_CIFAR10`.

The runs hold weight seeds 1 and 2 of the same sampled cells, as docs/findings/seeds.md makes them; seed 0 is in the
precomputed sets. Of the S0 networks the sets hold five seeds. Writes docs/measurements/seeds.csv and
docs/figures/seeds.png.
"""

from __future__ import annotations

import sys
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import dots
import pandas as pd

import diswot
from diswot.benchmarks import tables
from diswot.harness.runs import run_folder
from diswot.harness.runs.precomputed import catalogue
from diswot.proxies import registry

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
    label = "Spearman correlation of scores between two weight seeds"
    shown = wide.loc[order, ["nb201 cifar10", "nb201 noise"]].set_axis(["CIFAR-10 images", "noise"], axis=1)
    dots.draw(shown, label, DOCS / "figures" / "seeds.png")
    print(table.pivot(index="proxy", columns="sample", values=["between_seeds", "std"]).loc[order].round(3).to_string())


def _scores(name: str, run: str | None = None) -> pd.DataFrame:
    # Scores by cell; columns proxy and seed. Undefined ones are NaN.
    with TemporaryDirectory() as folder:
        scores = diswot.load(run_folder.show(catalogue.load(name), Path(folder))).scores
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
                "std": with_accuracy.std(),
                "undefined": int(of.isna().sum().sum()),
            }
        )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
