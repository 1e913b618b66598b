"""Compare noise with CIFAR-10 images on all cells: `python docs/measurements/noise.py`.

Both precomputed sets have one batch of 64 images and the same weights (seed 0), so that only the images differ. The
accuracies are those of 200 epochs on CIFAR-10. Writes docs/measurements/noise.csv and docs/figures/noise.png.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import dots

import diswot
from diswot.harness.runs import run_folder
from diswot.harness.runs.precomputed import catalogue

SETS = {"noise": "nb201-noise", "cifar10": "nb201-cifar10"}
TARGET = "analog-nasbench:baseline"
DOCS = Path(__file__).parents[1]


def main() -> None:
    """Write the table and the figure."""
    tables, scores = {}, {}
    with TemporaryDirectory() as folder:
        for images, name in SETS.items():
            run = diswot.load(run_folder.show(catalogue.load(name), Path(folder)))
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
    label = "Spearman correlation with the CIFAR-10 accuracy of all 15,625 cells"
    shown = both[["value_cifar10", "value_noise"]].set_axis(["CIFAR-10 images", "noise"], axis=1)
    dots.draw(shown, label, DOCS / "figures" / "noise.png")
    print(both[["value_noise", "value_cifar10", "difference", "agreement"]].round(3).to_string())


if __name__ == "__main__":
    main()
