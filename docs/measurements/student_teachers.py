"""Compare students of a plain and of a student-oriented teacher: `python docs/measurements/student_teachers.py FOLDER`.

FOLDER is a distillation with ``--teacher-recipe soteacher``. The plain teacher is that of nb201-kd, whose students are
in docs/calibration/nb201-kd-trainings.csv: the same recipe, initial weights, batches and views. Writes
docs/measurements/student-oriented-teachers.csv and docs/figures/student-oriented-teachers.png.
"""

from __future__ import annotations

from pathlib import Path

import dots
import matplotlib
import numpy as np
import pandas as pd
import stratified

matplotlib.use("Agg")

import click

from diswot.benchmarks import spaces, tables
from diswot.harness.distillation import accuracies, teacher

DOCS = Path(__file__).parents[1]
RESAMPLES = 10_000


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def main(folder: Path) -> None:
    """Write the table and the figure, and print the differences with their intervals."""
    made = teacher.load(folder / "teacher.pt", "cpu")
    print(f"teacher: {made.accuracy:.2f} test, {made.train_accuracy:.2f} training images, {made.seconds:.0f} s")
    pairs = paired(accuracies.trainings(folder))
    pairs.round(4).to_csv(DOCS / "measurements" / "student-oriented-teachers.csv")
    print(pairs.round(2).to_string())
    good = pairs.index.isin(stratified.better())
    for name, part in {"all": pairs, "better half": pairs[good], "same weights": pairs[pairs["same weights"]]}.items():
        for one, other in (("student-oriented", "plain"), ("student-oriented", "vanilla"), ("plain", "vanilla")):
            difference = (part[one] - part[other]).to_numpy()
            low, high = interval(difference)
            more = f"{(difference > 0).sum()} of {len(part)} above 0, standard deviation {difference.std(ddof=1):.2f}"
            print(f"{name}: {one} - {other} {difference.mean():+.2f} (95 % interval {low:+.2f} to {high:+.2f}); {more}")
    print(pairs[["vanilla", "plain", "student-oriented"]].agg(["mean", "std"]).round(2).to_string())
    print(pairs.corr("spearman").round(2).to_string())
    draw(pairs)


def paired(trained: pd.DataFrame) -> pd.DataFrame:
    """Return accuracies in percent by function: 200 epochs, vanilla, and distilled by either teacher.

    A function may have been trained by cells of two isomorphism classes. Then the initial weights of a pair differ,
    which the column ``same weights`` says, or an accuracy is the mean of two.
    """
    space = spaces.get("nb201")
    other = pd.read_csv(DOCS / "calibration" / "nb201-kd-trainings.csv")
    columns = {
        "vanilla": other[other["distiller"] == "none"],
        "plain": other[other["distiller"] == "kd"],
        "student-oriented": trained[(trained["distiller"] == "kd") & (trained["status"] == "ok")],
    }
    by_cell = {name: found[found["seed"] == 0].set_index("cell")["accuracy"] for name, found in columns.items()}
    frame = pd.DataFrame({name: of.groupby(space.representative).mean() for name, of in by_cell.items()}).dropna()
    same = by_cell["student-oriented"].index.intersection(by_cell["plain"].index).map(space.representative)
    frame.insert(0, "200 epochs", tables.load(stratified.TABLE).frame[stratified.COLUMN].loc[frame.index])
    return frame.assign(**{"same weights": frame.index.isin(same)}).rename_axis("function").sort_values("200 epochs")


def interval(values: np.ndarray) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the mean over functions."""
    chosen = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.percentile(values[chosen].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def draw(pairs: pd.DataFrame) -> None:
    """Write the figure: both distilled accuracies of each function against its vanilla accuracy."""
    from matplotlib import pyplot as plt

    with plt.rc_context(dots.STYLE):
        figure, axes = plt.subplots(figsize=(3.6, 3.2), layout="constrained")
        ends = [pairs["vanilla"].min() - 1, pairs["vanilla"].max() + 1]
        axes.plot(ends, ends, color="#b0b0b0", linewidth=0.8, zorder=1)
        axes.vlines(
            pairs["vanilla"], pairs["plain"], pairs["student-oriented"], color="#d0d0d0", linewidth=0.8, zorder=1
        )
        for name, colour, marker in zip(("plain", "student-oriented"), dots.COLOURS, "oD", strict=False):
            axes.scatter(
                pairs["vanilla"], pairs[name], s=14, color=colour, marker=marker, label=f"{name} teacher", zorder=2
            )
        axes.set_xlabel("vanilla accuracy, %")
        axes.set_ylabel("distilled accuracy, %")
        axes.legend(frameon=False)
        figure.savefig(DOCS / "figures" / "student-oriented-teachers.png", dpi=160)
        plt.close(figure)


if __name__ == "__main__":
    main()
