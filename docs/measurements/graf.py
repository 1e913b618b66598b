"""What training-free scores are worth in accuracies: `python docs/measurements/graf.py`.

A random forest on GRAF's features of a cell (Kadlecova et al., ICML 2024; gabikadlecova/GRAF) is fitted to the CIFAR-10
accuracies of 32 to 1,024 cells, alone and with the scores of the precomputed set, and predicts all other functions.
Ours differ from GRAF's in one thing: cells that compute a function of the training sample are left out of the test.
Writes docs/measurements/graf.csv and docs/figures/graf.png.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor

import diswot
from diswot.benchmarks import spaces, tables
from diswot.benchmarks.spaces.nb201 import EDGES, OPERATIONS

matplotlib.use("Agg")

TARGET = "analog-nasbench:baseline"
SIZES = (32, 64, 128, 256, 512, 1024)
SPLITS = 20
DRIVERS = ("log_rank_8", "jacov_meco_flops", "meco", "az_nas", "live_flops")
DOCS = Path(__file__).parents[1]


def main() -> None:
    """Write the table and the figure."""
    space = spaces.get("nb201")
    table, column = tables.parse_target(TARGET)
    accuracies = tables.load(table, "nb201").frame[column]
    run = diswot.load("nb201-cifar10")
    scores = run.scores.pivot(index="cell", columns="proxy", values="value").replace([np.inf, -np.inf], np.nan)
    inputs = {"GRAF": np.array([list(features(cell)) for cell in accuracies.index], float)}
    ranks = scores.loc[accuracies.index].rank(
        na_option="top"
    )  # an undefined score ranks worst, as a high one is better
    inputs["GRAF and proxies"] = np.hstack([inputs["GRAF"], ranks.to_numpy()])
    functions = np.array([space.representative(int(cell)) for cell in accuracies.index])
    subsets = {
        "all": np.ones(len(accuracies), bool),
        "reachable": space.subsets["reachable"].of(accuracies.index.to_numpy()),
    }
    rows = []
    for size in SIZES:
        for split in range(SPLITS):
            chosen = np.random.default_rng([size, split]).choice(len(accuracies), size, replace=False)
            unseen = ~np.isin(functions, functions[chosen])
            for name, values in inputs.items():
                forest = RandomForestRegressor(random_state=split, n_jobs=2).fit(
                    values[chosen], accuracies.iloc[chosen]
                )
                predicted = pd.Series(forest.predict(values[unseen]), accuracies.index[unseen])
                for subset, held in subsets.items():
                    of = predicted[held[unseen]]
                    rho = of.corr(accuracies[of.index], method="spearman")
                    rows.append({"input": name, "accuracies": size, "split": split, "subset": subset, "spearman": rho})
        print(size, flush=True)
    found = pd.DataFrame(rows).groupby(["input", "accuracies", "subset"])["spearman"].agg(["mean", "std"]).reset_index()
    correlations = run.correlate([TARGET], subset="all").set_index("proxy")["value"]
    lines = pd.DataFrame(
        [{"input": name, "accuracies": 0, "subset": "all", "mean": correlations[name]} for name in DRIVERS]
    )
    pd.concat([found, lines]).round(4).to_csv(DOCS / "measurements" / "graf.csv", index=False)
    _draw(found[found["subset"] == "all"], correlations, DOCS / "figures" / "graf.png")
    print(found.pivot(index="accuracies", columns=["input", "subset"], values="mean").round(3).to_string())


def features(cell: int) -> Iterator[float]:
    """Yield GRAF's features of a cell: 5 counts, and of each of the 31 sets of operations the paths and degrees.

    Of the edges with these operations: the length of the shortest path from the input to the output, 6 where there is
    none; of the longest, 0 where there is none; how many leave the input and enter the output; and the mean number of
    edges that enter, and leave, an inner node.
    """
    options = spaces.get("nb201").encode(cell)
    chosen = [OPERATIONS[option] for option in options]
    yield from (chosen.count(operation) for operation in OPERATIONS)
    for allowed in chain.from_iterable(combinations(OPERATIONS, size) for size in range(1, len(OPERATIONS) + 1)):
        edges = [edge for edge, operation in zip(EDGES, chosen, strict=True) if operation in allowed]
        lengths = list(_lengths(edges, 0))
        yield min(lengths, default=6)
        yield max(lengths, default=0)
        yield sum(start == 0 for start, _ in edges)
        yield sum(end == 3 for _, end in edges)
        yield sum(end in (1, 2) for _, end in edges) / 2
        yield sum(start in (1, 2) for start, _ in edges) / 2


def _lengths(edges: list[tuple[int, int]], node: int) -> Iterator[int]:
    if node == 3:
        yield 0
    for start, end in edges:
        if start == node:
            yield from (length + 1 for length in _lengths(edges, end))


def _draw(found: pd.DataFrame, correlations: pd.Series, path: Path) -> None:
    from matplotlib import pyplot as plt

    with plt.rc_context({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False}):
        figure, axes = plt.subplots(figsize=(5.2, 3.4), layout="constrained")
        for (name, rows), colour, marker in zip(found.groupby("input"), ("#0072b2", "#d55e00"), "oD", strict=True):
            axes.fill_between(
                rows["accuracies"],
                rows["mean"] - rows["std"],
                rows["mean"] + rows["std"],
                color=colour,
                alpha=0.15,
                lw=0,
            )
            axes.plot(rows["accuracies"], rows["mean"], color=colour, marker=marker, ms=4, lw=1.4, label=name)
        for name in DRIVERS:
            axes.axhline(correlations[name], color="#606060", linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
            axes.annotate(
                name,
                (1, correlations[name]),
                (3, 0),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                va="center",
                color="#404040",
            )
        axes.set_xscale("log", base=2)
        axes.set_xticks(SIZES, [f"{size:,}" for size in SIZES])
        axes.minorticks_off()
        axes.set_xlabel("Accuracies used, of trained networks")
        axes.set_ylabel("Spearman correlation with CIFAR-10 accuracy")
        axes.legend(loc="lower right", frameon=False)
        figure.savefig(path, dpi=160)


if __name__ == "__main__":
    main()
