"""All correlations of a run as sorted bars: proxies from top to bottom, a table's targets beside each other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import cycle, islice
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from diswot.reports.figures.drawing import Drawing
from diswot.reports.style import canvas, typography
from diswot.reports.style.numbers import counted, span
from diswot.reports.summary import best_first, circumstances, column_of, measure_of, table_of, targets_of, vanilla_of

if TYPE_CHECKING:
    from diswot.harness.runs.results import Results

ABREAST = 3
LONGEST_NAME = 1.35
BAR, THICKEST_BAR, THINNEST_ROW = 0.062, 0.11, 0.145
AXIS_LABELS, TITLE, GAP = 0.36, 0.2, 0.14


@dataclass(frozen=True)
class Panel:
    """One table's targets, drawn beside each other; sizes in inches."""

    table: str
    targets: list[str]
    labels: list[str]
    legend_columns: int

    @property
    def head(self) -> float:
        """Return the height of the title and the legend."""
        return TITLE + canvas.LINE * math.ceil(len(self.targets) / self.legend_columns)


def drawings(results: Results) -> list[Drawing]:
    """Return the bars of all targets in one figure."""
    data = bar_data(results)
    shown = ", ".join(dict.fromkeys(data["target"]))
    measure = measure_of(results.evidence).capitalize()
    proxies = counted(data["proxy"].nunique(), "proxy", "proxies")
    return [
        Drawing(
            "correlations",
            correlation_bars(results),
            data,
            f"Mean {measure} correlation over seeds of every proxy with {shown}; {_note(results, data)}",
            f"Bars of the {measure} correlation of {proxies} with {shown}; the table above holds the numbers.",
        )
    ]


def bar_data(results: Results) -> pd.DataFrame:
    """Return the rows of the bars in drawing order: the evidence that decides, best proxy first.

    Gains are left out where both accuracies are there: a correlation with a difference has a scale of its own.
    """
    targets = targets_of(results)
    both = {table_of(target) for target in vanilla_of(results)}
    shown = [target for target in targets if column_of(target) != "gain" or table_of(target) not in both]
    summary = best_first(results)
    return summary[summary["target"].isin(shown)].reset_index(drop=True)


def correlation_bars(results: Results) -> Figure:
    """Draw the mean correlation of every proxy with every target; whiskers are intervals over functions.

    One panel per accuracy table, at most three abreast. Proxies are sorted by the first target.

    Raises:
        ValueError: the run holds no correlation.
    """
    data = bar_data(results)
    if data.empty:
        raise ValueError("the run holds no correlation: no scored cell has an accuracy in the targets asked for")
    proxies = list(dict.fromkeys(data["proxy"]))
    names = [typography.elide(_label(name, data), LONGEST_NAME) for name in proxies]
    left = max(typography.width(name) for name in names) + 0.16
    targets = list(dict.fromkeys(data["target"]))
    tables = list(dict.fromkeys(table_of(target) for target in targets))
    abreast = min(len(tables), ABREAST)
    across = canvas.SINGLE_COLUMN if len(tables) == 1 else canvas.DOUBLE_COLUMN
    width = (across - left - 0.14 - GAP * (abreast - 1)) / abreast
    panels = [_panel(table, targets, width) for table in tables]
    row = max(THINNEST_ROW, BAR * max(len(panel.targets) for panel in panels) + 0.04)
    body = row * len(proxies) + 0.06
    strips = [panels[start : start + abreast] for start in range(0, len(panels), abreast)]
    lines = canvas.footnote_lines(_note(results, data), across)
    foot = canvas.foot_height(lines)
    heads = [max(panel.head for panel in strip) for strip in strips]
    measure = measure_of(results.evidence)
    limits = _limits(data, measure)
    with canvas.style():
        figure = canvas.sheet(across, foot + sum(heads) + len(strips) * (AXIS_LABELS + body))
        top = figure.get_size_inches()[1]
        for strip, head in zip(strips, heads, strict=True):
            bottom = top - head - body
            for place, panel in enumerate(strip):
                axes = canvas.axes_at(figure, left + place * (width + GAP), bottom, width, body)
                _draw_panel(axes, panel, data, proxies, row, measure)
                _dress(axes, panel, limits, measure)
                axes.set_yticks(range(len(proxies)), names if place == 0 else [""] * len(proxies))
            top = bottom - AXIS_LABELS
        canvas.footnote(figure, lines)
    return figure


def _label(proxy: str, data: pd.DataFrame) -> str:
    # The dagger goes first, where eliding a long name does not take it away.
    undefined = int(data.loc[data["proxy"] == proxy, "undefined"].sum())
    return f"† {proxy}" if undefined else proxy


def _panel(table: str, targets: list[str], width: float) -> Panel:
    mine = [target for target in targets if table_of(target) == table]
    labels = [typography.elide(column_of(target), width - 0.25) for target in mine]
    widest = max(typography.width(label) for label in labels)
    return Panel(table, mine, labels, max(1, min(len(mine), int(width / (widest + 0.3)))))


def _limits(data: pd.DataFrame, measure: str) -> tuple[float, float]:
    shown = data[[measure, "low", "high"]].to_numpy(float)
    lowest, highest = float(np.fmin.reduce(shown, axis=None)), float(np.fmax.reduce(shown, axis=None))
    if data["ceiling"].notna().any():
        highest = float(np.fmax(highest, data["ceiling"].astype(float).max()))
    # A bar that starts anywhere but at zero, or a scale that a single small value stretches, would mislead.
    low = min(0.0, math.floor(lowest * 10) / 10) if math.isfinite(lowest) else 0.0
    high = max(0.5, math.ceil(highest * 10) / 10) if math.isfinite(highest) else 1.0
    return low - 0.02, high + 0.02


def _draw_panel(axes: Axes, panel: Panel, data: pd.DataFrame, proxies: list[str], row: float, measure: str) -> None:
    thickness = min((row - 0.04) / len(panel.targets), THICKEST_BAR) / row
    colours = list(islice(cycle(matplotlib.rcParams["axes.prop_cycle"].by_key()["color"]), len(panel.targets)))
    for number, target in enumerate(panel.targets):
        rows = data[data["target"] == target].set_index("proxy").reindex(proxies)
        middle = np.arange(len(proxies)) + (number - (len(panel.targets) - 1) / 2) * thickness
        # Hatching tells a second round of the colours from the first.
        bars = axes.barh(
            middle,
            rows[measure].astype(float).fillna(0),
            thickness * 0.92,
            color=colours[number],
            hatch="////" * (number // 7),
        )
        bars.set_label(panel.labels[number])
        _draw_whiskers(axes, middle, rows, measure)
        if rows["ceiling"].notna().any():
            limit = float(rows["ceiling"].astype(float).max())
            axes.axvline(limit, color=colours[number], linewidth=0.8, linestyle=(0, (4, 2)), zorder=0.9)
    axes.set_ylim(len(proxies) - 0.5 + 0.03 / row, -0.5 - 0.03 / row)


def _draw_whiskers(axes: Axes, middle: np.ndarray, rows: pd.DataFrame, measure: str) -> None:
    mean, low, high = (rows[name].to_numpy(float) for name in (measure, "low", "high"))
    seen = np.isfinite(low) & np.isfinite(high)
    # An interval of a correlation is not symmetric about it, so it is drawn around its own middle.
    axes.errorbar(
        ((low + high) / 2)[seen],
        middle[seen],
        xerr=((high - low) / 2)[seen],
        fmt="none",
        ecolor="black",
        elinewidth=0.5,
        capsize=1.0,
        capthick=0.5,
    )
    level = rows["level_with_best"].eq(True).to_numpy(bool) & np.isfinite(mean)
    axes.plot(mean[level], middle[level], "o", color="black", markersize=2.4, markeredgewidth=0)
    missing = np.isnan(mean) & rows["seeds"].notna().to_numpy()
    zero = np.zeros(int(missing.sum()))
    axes.plot(zero, middle[missing], "x", color=canvas.UNDEFINED_COLOUR, markersize=3, markeredgewidth=0.7)


def _dress(axes: Axes, panel: Panel, limits: tuple[float, float], measure: str) -> None:
    inches = axes.get_window_extent().width / axes.figure.dpi
    axes.set_xlim(*limits)
    axes.xaxis.set_major_locator(MaxNLocator(max(2, int(inches / 0.36)), steps=[1, 2, 5, 10]))
    axes.set_xlabel(f"{measure.capitalize()} correlation")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.axvline(0, color="#333333", linewidth=0.5)
    axes.grid(axis="x")
    title = typography.elide(panel.table, inches, 8)
    axes.set_title(title, loc="left", pad=3 + typography.POINTS_PER_INCH * (panel.head - TITLE))
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=panel.legend_columns,
        borderaxespad=0.1,
        borderpad=0.1,
        handlelength=1,
        handleheight=0.6,
        handletextpad=0.4,
        columnspacing=1,
        labelspacing=0.25,
    )


def _note(results: Results, data: pd.DataFrame) -> str:
    measure = measure_of(results.evidence)
    parts = [circumstances(results, data)]
    if data[["low", "high"]].notna().all(axis=1).any():
        parts.append("whiskers: 95 % interval over functions")
    if data["level_with_best"].eq(True).any():
        parts.append("dots: not significantly different from the best (p > 0.05, Holm)")
    if data["ceiling"].notna().any():
        parts.append("dashed: ceiling set by the noise of the accuracies")
    if data[measure].isna().any():
        parts.append("\N{MULTIPLICATION SIGN} correlation not defined")
    some = data[data["undefined"] > 0]
    if len(some):
        counts = span(int(some["undefined"].min()), int(some["undefined"].max()))
        scores = span(int(some["scores"].min()), int(some["scores"].max()))
        parts.append(f"† with scores that are not defined ({counts} of {scores}), ranked worst")
    # A failed unit stands in the rows of every target; it is one unit all the same.
    failed = int(data.groupby("proxy")["failed"].max().sum())
    if failed:
        parts.append(f"{counted(failed, 'unit')} failed, left out")
    return "; ".join(part for part in parts if part) + "."
