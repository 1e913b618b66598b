"""A row a proxy, with a dot a column, such as image sets; the scripts beside this file draw with it."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import pandas as pd

matplotlib.use("Agg")

#: How figures in these pages are drawn.
STYLE = {"font.size": 8, "axes.spines.top": False, "axes.spines.right": False}
COLOURS = ("#0072b2", "#d55e00", "#009e73")


def draw(values: pd.DataFrame, label: str, path: Path) -> None:
    """Write the figure.

    Args:
        values: a number by proxy, in the order of the rows; a column, named as in the legend, a dot (at most three).
        label: of the axis.
        path: of the PNG file.
    """
    from matplotlib import pyplot as plt

    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(5.2, 0.8 + 0.14 * len(values)), layout="constrained")
        places = range(len(values))
        axes.hlines(places, values.min(axis=1), values.max(axis=1), color="#b0b0b0", linewidth=1.2, zorder=1)
        for (column, dots), colour, marker in zip(values.items(), COLOURS, "oDs", strict=False):
            axes.scatter(dots, places, s=18, color=colour, marker=marker, label=column, zorder=2)
        axes.set_yticks(places, values.index)
        axes.invert_yaxis()
        axes.axvline(0, color="#606060", linewidth=0.6)
        axes.grid(axis="x", color="#e0e0e0", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_xlabel(label)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(COLOURS), frameon=False)
        figure.savefig(path, dpi=160)
        plt.close(figure)
