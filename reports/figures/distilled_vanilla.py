"""What distillation changes: every cell's distilled accuracy against its vanilla one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from diswot.benchmarks.errors import counted
from diswot.harness.evidence import metrics
from diswot.harness.evidence.column import Column
from diswot.harness.runs.results import Results
from diswot.reports.figures.drawing import Drawing
from diswot.reports.figures.scatter import DENSE, draw_density
from diswot.reports.style import canvas, file_names, typography
from diswot.reports.style.wording import decimal
from diswot.reports.summary import table_of, vanilla_of

FENCE = 3
BEST: dict[str, dict[str, Any]] = {
    "vanilla": {"marker": "D", "color": "#D55E00", "markersize": 5.5},
    "distilled": {"marker": "o", "color": "#009E73", "markersize": 8.0},
}
MARK: dict[str, Any] = {"linestyle": "none", "markerfacecolor": "none", "markeredgewidth": 1.1, "zorder": 4}


def drawings(results: Results) -> list[Drawing]:
    """Return one figure for every table of which both accuracies are targets."""
    found = (_drawing(results, table_of(distilled)) for distilled in vanilla_of(results))
    return [drawing for drawing in found if drawing is not None]


def _drawing(results: Results, table: str) -> Drawing | None:
    cells = pair(results.targets, table)
    if cells.empty:
        return None
    columns = (Column.of(cells[name].to_numpy(float)) for name in ("vanilla", "distilled"))
    rho = decimal(metrics.spearman(*columns))
    gain = (cells["distilled"] - cells["vanilla"]).mean()
    low, high = _limits(cells)
    below = int((cells[["vanilla", "distilled"]].min(axis=1) < low).sum())
    words = f"{table}; {counted(len(cells), 'cell')}; Spearman {rho}"
    note = f"{words}; line: equal accuracy" + (
        f"; {counted(below, 'cell')} below {low:g} %, not drawn" if below else ""
    )
    return Drawing(
        file_names.stem("distilled-vanilla", table),
        _sheet(cells, (low, high), f"{note}."),
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


def _sheet(cells: pd.DataFrame, limits: tuple[float, float], note: str) -> Figure:
    across = canvas.SINGLE_COLUMN
    with canvas.style():
        figure, (axes,) = canvas.sheet(across, across + 0.1, note)
        axes.set_box_aspect(1)
        axes.plot(limits, limits, color="#333333", linewidth=0.6, zorder=3)
        if len(cells) > DENSE:
            seen = cells[cells[["vanilla", "distilled"]].min(axis=1) >= limits[0]]
            draw_density(axes, seen["vanilla"], seen["distilled"], "Cells per hexagon")
        else:
            size = float(np.interp(len(cells), [10, 200, DENSE], [14, 8, 2.5]))
            axes.scatter(cells["vanilla"], cells["distilled"], s=size, color="#0072B2", alpha=0.6, linewidths=0)
        for column, look in BEST.items():
            row = cells[cells["cell"] == _best(cells, column)].iloc[0]
            ranks = f"rank {row['vanilla_rank']:,.0f} vanilla, {row['distilled_rank']:,.0f} distilled"
            label = typography.elide(f"best {column}: cell {row['cell']:.0f} ({ranks})", across - 0.35)
            axes.plot(row["vanilla"], row["distilled"], **look, **MARK, label=label)
        axes.set(xlim=limits, ylim=limits, xlabel="Vanilla accuracy (%)", ylabel="Distilled accuracy (%)")
        canvas.number(axes, "x")
        canvas.number(axes, "y")
        canvas.legend(figure, 1, handlelength=1)
    return figure
