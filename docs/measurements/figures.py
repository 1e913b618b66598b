"""Draw the figures of docs/findings from files that are there: `python docs/measurements/figures.py`.

The other scripts draw the figures of what they measure. These are of the CSV files in this folder, of docs/calibration/
and of the precomputed scores; they go to docs/figures/.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import dots
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from scipy import stats

import diswot
from diswot.benchmarks import tables
from diswot.harness.runs import published, run_folder
from diswot.harness.runs.precomputed import catalogue

HERE = Path(__file__).parent
FIGURES = HERE.parent / "figures"
TRAININGS = HERE.parent / "calibration" / "nb201-kd-trainings.csv"


def main() -> None:
    """Write all figures."""
    with plt.rc_context(dots.STYLE):
        _published()
        _all_cells()
        _s0()
        _teachers()
        _distillers()
        _distillation()
        _ensembles()
    _cost()


def _published() -> None:
    table = pd.read_csv(HERE / "published.csv")
    table = table[table["metric"] == table["space"].map({"nb201": "spearman", "s0": "kendall"})]
    large = table["difference"].abs() > published.LARGE
    figure, axes = plt.subplots(figsize=(4.4, 4.2), layout="constrained")
    axes.axline((0, 0), slope=1, color="#606060", linewidth=0.6)
    for part, colour, marker, label in (
        (table[~large], dots.COLOURS[0], "o", f"within {published.LARGE:g}: {(~large).sum()}"),
        (table[large], dots.COLOURS[1], "D", f"differ by more: {large.sum()}"),
    ):
        axes.scatter(part["published"], part["ours"], s=14, color=colour, marker=marker, alpha=0.8, label=label)
    for proxy, of in table[large].groupby("proxy"):
        extreme = of.loc[of["difference"].abs().idxmax()]
        if abs(extreme["difference"]) > 0.1:
            left = extreme["published"] > 0 and extreme["difference"] > 0  # away from the line
            offset, side = ((-5, -3), "right") if left else ((5, -3), "left")
            axes.annotate(proxy, (extreme["published"], extreme["ours"]), offset, textcoords="offset points", ha=side)
    axes.set_xlabel("published correlation")
    axes.set_ylabel("correlation measured here")
    axes.legend(loc="lower right", frameon=False)
    _save(figure, "published")


def _all_cells() -> None:
    table = pd.read_csv(HERE / "nb201-cifar10.csv")
    wide = table.pivot(index="proxy", columns="target", values="spearman")
    shown = wide[["ACCURACIES:c10_test200_nats", "nb201-kd:distilled"]].dropna()
    shown = shown.set_axis(["200 epochs, all 15,625 cells", "distilled, 567 functions"], axis=1)
    label = "Spearman correlation with CIFAR-10 accuracy"
    dots.draw(shown.sort_values(shown.columns[0], ascending=False), label, FIGURES / "all-cells.png")


def _s0() -> None:
    table = pd.read_csv(HERE / "s0-cifar100.csv")
    table["target"] = table["target"].str.rpartition(":")[2]
    wide = table.groupby(["proxy", "target"])["kendall"].mean().unstack()[["distilled", "vanilla"]]
    label = "Kendall correlation with CIFAR-100 accuracy of 64 ResNets"
    dots.draw(wide.sort_values("distilled", ascending=False), label, FIGURES / "s0.png")


def _teachers() -> None:
    table = pd.read_csv(HERE / "s0-search-teachers.csv")
    names = ["resnet20", "resnet32", "resnet44", "resnet56", "s0:777", "nb201:9930"]
    figure, sheets = plt.subplots(1, 2, figsize=(7, 3.2), layout="constrained", sharey=True)
    for axes, driver in zip(sheets, ("diswot", "diswot_relation"), strict=True):
        pairs = table[table["driver"] == driver].pivot(index="teacher", columns="other", values="spearman")
        agreement = pairs.reindex(index=names, columns=names).to_numpy()
        agreement = np.where(np.isnan(agreement), agreement.T, agreement)
        np.fill_diagonal(agreement, 1)
        image = axes.imshow(agreement, cmap="RdBu", vmin=-1, vmax=1)
        for (line, column), value in np.ndenumerate(agreement):
            colour = "white" if abs(value) > 0.6 else "black"
            axes.text(column, line, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=7)
        axes.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_title(driver)
    figure.colorbar(image, ax=sheets, label="Spearman correlation of the scores")
    _save(figure, "teachers")


def _distillers() -> None:
    table = pd.read_csv(TRAININGS)
    shared = set(table.loc[table["distiller"] == "sp", "cell"])
    means = table[table["cell"].isin(shared)].pivot_table(index="cell", columns="distiller", values="accuracy")
    gains = means.drop(columns="none").sub(means["none"], axis=0)
    order = gains.mean().sort_values(ascending=False).index
    half = stats.t.ppf(0.975, len(gains) - 1) * gains.sem()
    figure, axes = plt.subplots(figsize=(5.2, 2.4), layout="constrained")
    axes.errorbar(gains[order].mean(), order, xerr=half[order], fmt="o", color=dots.COLOURS[0], capsize=2)
    axes.axvline(0, color="#606060", linewidth=0.6)
    axes.invert_yaxis()
    axes.set_xlabel(f"points above the vanilla student, 95 % interval over {len(gains)} classes")
    _save(figure, "distillers")


def _distillation() -> None:
    accuracies = tables.load("nb201-kd").frame[["vanilla", "distilled"]].dropna().drop_duplicates()
    figure, axes = plt.subplots(figsize=(4.4, 4.2), layout="constrained")
    axes.axline((60, 60), slope=1, color="#606060", linewidth=0.6)
    axes.scatter(accuracies["vanilla"], accuracies["distilled"], s=8, alpha=0.5, color=dots.COLOURS[0])
    axes.set_xlabel("vanilla accuracy, percent")
    axes.set_ylabel("distilled accuracy, percent")
    _save(figure, "distillation")


def _ensembles() -> None:
    table = pd.read_csv(HERE / "drivers.csv")
    table = table[(table["subset"] == "other half") & (table["target"] == table["target"].iloc[0])].set_index("proxy")
    shown = table.sort_values("spearman", ascending=False)[["spearman", "precision_1"]]
    shown = shown.set_axis(["Spearman correlation", "precision at the top 1 %"], axis=1)
    dots.draw(shown, "CIFAR-10 accuracy, cells that did not choose the members", FIGURES / "ensembles.png")


def _cost() -> None:
    with TemporaryDirectory() as folder:
        run = diswot.load(run_folder.show(catalogue.load("nb201-cifar10"), Path(folder)))
        run.correlate()
        axes = diswot.plot.cost(run, target="analog-nasbench:baseline")
    _save(axes.figure, "cost")


def _save(figure: plt.Figure, name: str) -> None:
    figure.savefig(FIGURES / f"{name}.png", dpi=160)
    plt.close(figure)


if __name__ == "__main__":
    main()
