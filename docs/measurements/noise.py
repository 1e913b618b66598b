"""Compare noise with CIFAR-10 images on all cells: `python docs/measurements/noise.py`.

Both precomputed sets have one batch of 64 images and the same weights (seed 0), so that only the images differ. The
accuracies are those of 200 epochs on CIFAR-10. Writes docs/measurements/noise.csv and docs/figures/noise.png.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib
import pandas as pd

import diswot
from diswot.harness.runs import run_folder
from diswot.harness.runs.precomputed import sets

matplotlib.use("Agg")

SETS = {"noise": "nb201-noise", "cifar10": "nb201-cifar10"}
TARGET = "analog-nasbench:baseline"
DOCS = Path(__file__).parents[1]


def main() -> None:
    """Write the table and the figure."""
    tables, scores = {}, {}
    with TemporaryDirectory() as folder:
        for images, name in SETS.items():
            run = diswot.load(run_folder.show(sets.load(name), Path(folder)))
            correlations = run.correlate()
            of_target = correlations[correlations["target"] == TARGET].set_index("proxy")
            tables[images] = of_target[["value", "low", "high", "n", "n_functions", "undefined"]]
            scores[images] = run.scores.pivot(index="cell", columns="proxy", values="value")
    both = tables["noise"].merge(tables["cifar10"], on="proxy", suffixes=("_noise", "_cifar10"))
    both["difference"] = both["value_noise"] - both["value_cifar10"]
    # Of the two images' scores with each other; undefined scores are left out, and an ensemble has no scores.
    both["agreement"] = scores["noise"].corrwith(scores["cifar10"], method="spearman")
    both = both.sort_values("value_cifar10", ascending=False)
    both.round(4).to_csv(DOCS / "measurements" / "noise.csv")
    _draw(both, DOCS / "figures" / "noise.png")
    print(both[["value_noise", "value_cifar10", "difference", "agreement"]].round(3).to_string())


def _draw(both: pd.DataFrame, path: Path) -> None:
    from matplotlib import pyplot as plt

    with plt.rc_context({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False}):
        figure, axes = plt.subplots(figsize=(5.2, 7.2), layout="constrained")
        places = range(len(both))
        axes.hlines(places, both["value_noise"], both["value_cifar10"], color="#b0b0b0", linewidth=1.2, zorder=1)
        for images, colour, marker in (("cifar10", "#0072b2", "o"), ("noise", "#d55e00", "D")):
            label = {"cifar10": "CIFAR-10 images", "noise": "noise"}[images]
            axes.scatter(both[f"value_{images}"], places, s=18, color=colour, marker=marker, label=label, zorder=2)
        axes.set_yticks(places, both.index)
        axes.invert_yaxis()
        axes.axvline(0, color="#606060", linewidth=0.6)
        axes.grid(axis="x", color="#e0e0e0", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_xlabel("Spearman correlation with the CIFAR-10 accuracy of all 15,625 cells")
        axes.legend(loc="upper left", frameon=False)
        figure.savefig(path, dpi=160)


if __name__ == "__main__":
    main()
