"""A row a proxy, with a dot for CIFAR-10 images and one for noise; the scripts beside this file draw with it."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import pandas as pd

matplotlib.use("Agg")


def draw(cifar10: pd.Series, noise: pd.Series, label: str, path: Path) -> None:
    """Write the figure.

    Args:
        cifar10: a number by proxy, in the order of the rows.
        noise: likewise.
        label: of the axis.
        path: of the PNG file.
    """
    from matplotlib import pyplot as plt

    with plt.rc_context({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False}):
        figure, axes = plt.subplots(figsize=(5.2, 0.6 + 0.14 * len(cifar10)), layout="constrained")
        places = range(len(cifar10))
        axes.hlines(places, noise, cifar10, color="#b0b0b0", linewidth=1.2, zorder=1)
        axes.scatter(cifar10, places, s=18, color="#0072b2", marker="o", label="CIFAR-10 images", zorder=2)
        axes.scatter(noise, places, s=18, color="#d55e00", marker="D", label="noise", zorder=2)
        axes.set_yticks(places, cifar10.index)
        axes.invert_yaxis()
        axes.axvline(0, color="#606060", linewidth=0.6)
        axes.grid(axis="x", color="#e0e0e0", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_xlabel(label)
        axes.legend(loc="upper left", frameon=False)
        figure.savefig(path, dpi=160)
