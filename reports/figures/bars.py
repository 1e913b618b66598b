"""All correlations of a run as sorted bars: proxies from top to bottom, a table's targets beside each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from diswot.benchmarks.errors import counted
from diswot.harness.runs.results import Results
from diswot.reports.figures.drawing import Drawing
from diswot.reports.style import canvas, look, typography
from diswot.reports.style.wording import joined, left_out, span
from diswot.reports.summary import best_first, circumstances, column_of, metric_of, table_of, targets_of, vanilla_of

ABREAST = 3
BAR, THINNEST_ROW = 0.062, 0.145


def drawings(results: Results) -> list[Drawing]:
    """Return the bars of all targets in one figure: a panel a table, at most three abreast; nothing without a bar."""
    data = bar_data(results)
    if data.empty:
        return []
    shown = ", ".join(dict.fromkeys(data["target"]))
    metric = metric_of(data).capitalize()
    note = _note(results, data)
    return [
        Drawing(
            "correlations",
            _sheet(data, note),
            data,
            f"Mean {metric} correlation over seeds of every proxy with {shown}; {note}",
            f"Bars of the {metric} correlation of {counted(data['proxy'].nunique(), 'proxy', 'proxies')} with "
            f"{shown}; the table above holds the numbers.",
        )
    ]


def bar_data(results: Results) -> pd.DataFrame:
    """Return the rows of the bars in drawing order: the evidence that decides, best proxy first.

    Gains are left out where both accuracies are there: a correlation with a difference has a scale of its own.
    """
    both = {table_of(target) for target in vanilla_of(results)}
    shown = [target for target in targets_of(results) if column_of(target) != "gain" or table_of(target) not in both]
    evidence = best_first(results)
    return evidence[evidence["target"].isin(shown)].reset_index(drop=True)


def draw(axes: Axes, data: pd.DataFrame, labels: Mapping[str, str]) -> None:
    """Draw the mean correlation of every proxy with every target; whiskers are intervals over functions.

    Args:
        axes: where to draw.
        data: rows of the evidence, proxies and targets in drawing order.
        labels: what proxies and targets are called, where not by their names.
    """
    proxies, targets = (list(dict.fromkeys(data[name])) for name in ("proxy", "target"))
    metric = metric_of(data)
    canvas.list_proxies(axes, [labels.get(name, name) for name in proxies])
    axes.axvline(0, color="#333333", linewidth=0.5)
    axes.set_xlim(*_limits(data, metric))
    axes.set_xlabel(f"{metric.capitalize()} correlation")
    thickness = min(0.8 / len(targets), 0.7)
    for number, target in enumerate(targets):
        found = data[data["target"] == target].set_index("proxy").reindex(proxies)
        middle = np.arange(len(proxies)) + (number - (len(targets) - 1) / 2) * thickness
        # Hatching marks the second round of the colours.
        bars = axes.barh(
            middle,
            found[metric].astype(float).fillna(0),
            thickness * 0.92,
            color=f"C{number}",
            hatch="////" * (number // len(mpl.rcParams["axes.prop_cycle"])),
            label=labels.get(target, column_of(target)),
        )
        _draw_whiskers(axes, middle, found, metric)
        if found["ceiling"].notna().any():
            limit = float(found["ceiling"].astype(float).max())
            axes.axvline(limit, color=bars[0].get_facecolor(), linewidth=0.8, linestyle=(0, (4, 2)), zorder=0.9)


def _limits(data: pd.DataFrame, metric: str) -> tuple[float, float]:
    ends = data[[metric, "low", "high", "ceiling"]].to_numpy(float)
    lowest, highest = (float(extreme(ends, axis=None)) for extreme in (np.fmin.reduce, np.fmax.reduce))
    # A bar that starts anywhere but at zero, or a scale that a single small value stretches, would mislead.
    low = min(0.0, math.floor(lowest * 10) / 10) if math.isfinite(lowest) else 0.0
    high = max(0.5, math.ceil(highest * 10) / 10) if math.isfinite(highest) else 1.0
    return low - 0.02, high + 0.02


def _draw_whiskers(axes: Axes, middle: np.ndarray, found: pd.DataFrame, metric: str) -> None:
    mean, low, high = (found[name].to_numpy(float) for name in (metric, "low", "high"))
    seen = np.isfinite(low) & np.isfinite(high)
    # An interval of a correlation is not symmetric about it, so it is drawn around its own middle.
    centre, half = (low + high)[seen] / 2, (high - low)[seen] / 2
    thin: dict[str, Any] = {"elinewidth": 0.5, "capsize": 1.0, "capthick": 0.5}
    axes.errorbar(centre, middle[seen], xerr=half, fmt="none", ecolor="black", **thin)
    alike = (found["not_significantly_different"] == 1).to_numpy() & np.isfinite(mean)
    axes.plot(mean[alike], middle[alike], "o", color="black", markersize=2.4, markeredgewidth=0)
    missing = middle[np.isnan(mean) & found["seeds"].notna().to_numpy()]
    axes.plot(np.zeros(len(missing)), missing, "x", color=canvas.UNDEFINED_COLOUR, markersize=3, markeredgewidth=0.7)


def _sheet(data: pd.DataFrame, note: str) -> Figure:
    called = look.current().called
    # The dagger goes first, where eliding a long name does not take it away.
    undefined = set(data.loc[data["undefined"] > 0, "proxy"])
    names = {name: typography.elide(f"{'† ' * (name in undefined)}{called(name)}", 1.35) for name in data["proxy"]}
    tables = dict.fromkeys(table_of(target) for target in data["target"])
    across = canvas.column(canvas.SINGLE_COLUMN if len(tables) == 1 else canvas.DOUBLE_COLUMN)
    abreast = 1 if across == canvas.SINGLE_COLUMN else min(len(tables), ABREAST)
    width = (across - max(map(typography.width, names.values())) - 0.3) / abreast - 0.2
    panels = {table: data[data["target"].map(table_of) == table] for table in tables}
    targets = {table: list(dict.fromkeys(panel["target"])) for table, panel in panels.items()}
    labels = names | {name: typography.elide(called(name, column_of(name)), width - 0.3) for name in data["target"]}
    abreast_of = {table: columns([labels[name] for name in found], width) for table, found in targets.items()}
    lines = max(math.ceil(len(found) / abreast_of[table]) for table, found in targets.items())
    row = max(THINNEST_ROW, BAR * max(map(len, targets.values())) + 0.04)
    body = row * len(names) + canvas.AXIS_LABELS + canvas.LINE * lines + 0.25
    strips = math.ceil(len(tables) / abreast)
    with canvas.style():
        figure, axes = canvas.sheet(across, strips * body, note, strips, abreast, sharex=True, sharey=True)
        for panel, (table, found) in zip(axes, panels.items(), strict=False):
            draw(panel, found, labels)
            canvas.legend(panel, abreast_of[table], title=typography.elide(table, width, 8), handlelength=1)
        axes[0].set_xlim(*_limits(data, metric_of(data)))
        for spare in axes[len(panels) :]:
            spare.remove()
    return figure


def columns(labels: Sequence[str], width: float) -> int:
    """Return how many columns of a legend fit side by side into that many inches."""
    return max(1, min(len(labels), int(width / (max(map(typography.width, labels)) + 0.3))))


def _note(results: Results, data: pd.DataFrame) -> str:
    some = data[data["undefined"] > 0]
    undefined = ""
    if len(some):
        counts, scores = (span(int(some[name].min()), int(some[name].max())) for name in ("undefined", "scores"))
        undefined = f"† with scores that are not defined ({counts} of {scores}), ranked worst"
    alike = data["not_significantly_different"] == 1
    marks = {
        "whiskers: 95 % interval over functions": data[["low", "high"]].notna().all(axis=1).any(),
        "dots: not significantly different from the best (p > 0.05, Holm)": alike.any(),
        "dashed: ceiling set by the noise of the accuracies": data["ceiling"].notna().any(),
        "\N{MULTIPLICATION SIGN} correlation not defined": data[metric_of(data)].isna().any(),
    }
    # A failed score stands in the rows of every target; it is one score all the same.
    failed = int(data.groupby("proxy")["failed"].max().sum())
    shown = [words for words, there in marks.items() if there]
    return joined(circumstances(results, data), *shown, undefined, left_out(failed, "score", why="failed,")) + "."
