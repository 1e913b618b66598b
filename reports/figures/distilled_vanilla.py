"""What distillation changes: every cell's distilled accuracy against its vanilla one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from diswot.harness.evidence import measures
from diswot.reports.figures.drawing import Drawing
from diswot.reports.figures.scatter import DENSE, draw_density
from diswot.reports.style import canvas, names, typography
from diswot.reports.style.numbers import counted, decimal
from diswot.reports.summary import table_of, vanilla_of

if TYPE_CHECKING:
    from diswot.harness.runs.results import Results

LEFT, RIGHT, AXIS_LABELS, HEAD = 0.52, 0.12, 0.36, 0.34
COLOUR_BAR = 0.62
FENCE = 3
BEST = {"vanilla": ("D", "#D55E00", 5.5), "distilled": ("o", "#009E73", 8.0)}


def drawings(results: Results) -> list[Drawing]:
    """Return one figure for every table of which both accuracies are targets."""
    found = (_drawing(results, table_of(distilled)) for distilled in vanilla_of(results))
    return [drawing for drawing in found if drawing is not None]


def _drawing(results: Results, table: str) -> Drawing | None:
    cells = pair(results.targets, table)
    if cells.empty:
        return None
    columns = (measures.Column.of(cells[name].to_numpy(float)) for name in ("vanilla", "distilled"))
    rho = decimal(measures.spearman(*columns))
    gain = (cells["distilled"] - cells["vanilla"]).mean()
    low, high = _limits(cells)
    below = int((cells[["vanilla", "distilled"]].min(axis=1) < low).sum())
    words = f"{table}; {counted(len(cells), 'cell')}; Spearman {rho}"
    note = f"{words}; line: equal accuracy" + (
        f"; {counted(below, 'cell')} below {low:g} %, not drawn" if below else ""
    )
    return Drawing(
        names.stem("distilled-vanilla", table),
        _figure(cells, (low, high), f"{note}."),
        cells,
        f"Distilled against vanilla accuracy of the cells of {note}; distilled students are {decimal(float(gain))} "
        f"points better in the mean; the best cell is {_best(cells, 'vanilla')} when trained alone and "
        f"{_best(cells, 'distilled')} when distilled.",
        f"Distilled against vanilla accuracy of {counted(len(cells), 'cell')}",
    )


def pair(targets: pd.DataFrame, table: str) -> pd.DataFrame:
    """Return cell, vanilla, distilled (percent) and the rank of each, 1 the best, of the cells that have both."""
    columns = {
        name: targets[targets["target"] == f"{table}:{name}"].set_index("cell")["accuracy"].astype(float)
        for name in ("vanilla", "distilled")
    }
    cells = pd.DataFrame(columns).dropna().sort_index()
    ranks = cells.rank(ascending=False).add_suffix("_rank")
    return pd.concat([cells, ranks], axis=1).rename_axis("cell").reset_index()


def _best(cells: pd.DataFrame, column: str) -> int:
    return int(cells["cell"].to_numpy()[int(cells[column].to_numpy().argmax())])


def _limits(cells: pd.DataFrame) -> tuple[float, float]:
    values = cells[["vanilla", "distilled"]].to_numpy()
    # A few cells that learn nothing would leave all others a corner: these lie outside Tukey's outer fence.
    lower, upper = np.quantile(values, [0.25, 0.75])
    low, high = max(values.min(), lower - FENCE * (upper - lower)), values.max()
    room = max(0.04 * (high - low), 0.1)
    return round(float(low - room), 1), round(float(high + room), 1) + 0.1


def _figure(cells: pd.DataFrame, limits: tuple[float, float], note: str) -> Figure:
    dense = len(cells) > DENSE
    side = canvas.SINGLE_COLUMN - LEFT - (COLOUR_BAR if dense else RIGHT)
    lines = canvas.footnote_lines(note, canvas.SINGLE_COLUMN)
    bottom = canvas.foot_height(lines) + AXIS_LABELS
    with canvas.style():
        figure = canvas.sheet(canvas.SINGLE_COLUMN, bottom + side + HEAD)
        axes = canvas.axes_at(figure, LEFT, bottom, side, side)
        axes.plot(limits, limits, color="#333333", linewidth=0.6, zorder=3)
        if dense:
            seen = cells[cells[["vanilla", "distilled"]].min(axis=1) >= limits[0]]
            draw_density(figure, axes, seen["vanilla"], seen["distilled"], "Cells per hexagon")
        else:
            size = float(np.interp(len(cells), [10, 200, DENSE], [14, 8, 2.5]))
            axes.scatter(cells["vanilla"], cells["distilled"], s=size, color="#0072B2", alpha=0.6, linewidths=0)
        _mark(axes, cells)
        axes.set_xlim(*limits)
        axes.set_ylim(*limits)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.set_xlabel("Vanilla accuracy (%)")
        axes.set_ylabel("Distilled accuracy (%)")
        canvas.footnote(figure, lines)
    return figure


def _mark(axes: Axes, cells: pd.DataFrame) -> None:
    for column, (marker, colour, size) in BEST.items():
        cell = _best(cells, column)
        row = cells[cells["cell"] == cell].iloc[0]
        ranks = f"rank {row['vanilla_rank']:,.0f} vanilla, {row['distilled_rank']:,.0f} distilled"
        axes.plot(
            [row["vanilla"]],
            [row["distilled"]],
            marker,
            markersize=size,
            markerfacecolor="none",
            markeredgecolor=colour,
            markeredgewidth=1.1,
            zorder=4,
            label=typography.elide(f"best {column}: cell {cell} ({ranks})", canvas.SINGLE_COLUMN - 0.35),
        )
    left = -(LEFT - 0.1) / (axes.get_window_extent().width / axes.figure.dpi)
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(left, 1.01),
        borderaxespad=0,
        borderpad=0,
        handlelength=1,
        handletextpad=0.4,
        labelspacing=0.25,
    )
