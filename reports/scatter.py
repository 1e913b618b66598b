"""Rank of a proxy's score against rank of accuracy, one dot per cell and seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from reports import canvas, typography
from reports.numbers import counted, with_deviation
from reports.summary import column_of, conditions, on_all_cells, sample

if TYPE_CHECKING:
    from harness.results import Results

DENSE = 2000
TOP, LEFT, RIGHT, AXIS_LABELS = 0.44, 0.62, 0.12, 0.4
COLOUR_BAR = 0.62


def scatter_data(results: Results, proxy: str, target: str) -> pd.DataFrame:
    """Return one row per scored cell and seed: cell, seed, status, score, score_rank, accuracy, accuracy_rank.

    Ranks are taken within a seed, 1 is the best, ties share their mean rank, and a score that is undefined or not
    finite ranks worst. Failed units have no score and no row.

    Raises:
        ValueError: the run holds no correlation of that proxy with that target.
    """
    direction = _row(results, proxy, target)["direction"].iloc[0]
    scores = results.scores[(results.scores["proxy"] == proxy) & (results.scores["status"] != "failed")]
    accuracies = results.targets.loc[results.targets["target"] == target, ["cell", "accuracy"]].dropna()
    points = scores[["cell", "seed", "status", "value"]].merge(accuracies, on="cell")
    points = points.sort_values(["seed", "cell"], ignore_index=True)
    finite = np.isfinite(points["value"].to_numpy(dtype=float))
    sign = 1.0 if direction == "higher" else -1.0
    oriented = pd.Series(np.where(finite, sign * points["value"], -np.inf), index=points.index)
    return pd.DataFrame(
        {
            "cell": points["cell"],
            "seed": points["seed"],
            "status": np.where(finite, points["status"], "undefined"),
            "score": points["value"].where(finite),
            "score_rank": oriented.groupby(points["seed"]).rank(ascending=False),
            "accuracy": points["accuracy"],
            "accuracy_rank": points.groupby("seed")["accuracy"].rank(ascending=False),
        }
    )


def rank_scatter(results: Results, proxy: str, target: str) -> Figure:
    """Draw rank of score against rank of accuracy, all seeds in one picture; hexagons above 2,000 points.

    Raises:
        ValueError: the run holds no correlation of that proxy with that target.
    """
    points = scatter_data(results, proxy, target)
    row = _row(results, proxy, target)
    undefined = points[points["status"] == "undefined"]
    defined = points[points["status"] == "ok"]
    note = _note(results, row, target, len(undefined), len(points))
    lines = canvas.footnote_lines(note, canvas.SINGLE_COLUMN)
    foot = canvas.MARGIN + canvas.LINE * len(lines) + 0.05
    dense = len(defined) > DENSE
    side = canvas.SINGLE_COLUMN - LEFT - (COLOUR_BAR if dense else RIGHT)
    with canvas.style():
        figure = canvas.sheet(canvas.SINGLE_COLUMN, foot + AXIS_LABELS + side + TOP)
        axes = canvas.axes_at(figure, LEFT, foot + AXIS_LABELS, side, side)
        if dense:
            _draw_density(figure, axes, defined)
        else:
            _draw_dots(axes, defined)
        _draw_undefined(axes, undefined)
        _set_ranks(axes, points)
        axes.set_xlabel(typography.elide("Rank of score (1 = best)", side))
        axes.set_ylabel(typography.elide(f"Rank of {column_of(target)} accuracy (1 = best)", side + 0.3))
        _head(figure, proxy, row)
        canvas.footnote(figure, lines)
    return figure


def _row(results: Results, proxy: str, target: str) -> pd.DataFrame:
    frame = on_all_cells(results)
    rows = frame[(frame["proxy"] == proxy) & (frame["target"] == target)]
    if rows.empty:
        raise ValueError(f"the run holds no correlation of proxy {proxy!r} with target {target!r}")
    return rows


def _note(results: Results, row: pd.DataFrame, target: str, undefined: int, total: int) -> str:
    failed = int(row["failed"].iloc[0])
    parts = [f"{target}; {sample(row)}", conditions(results)]
    if undefined:
        parts.append(f"\N{MULTIPLICATION SIGN} not defined, ranked worst: {undefined:,} of {counted(total, 'score')}")
    if failed:
        parts.append(f"{counted(failed, 'unit')} failed, not drawn")
    return "; ".join(part for part in parts if part) + "."


def _draw_dots(axes: Axes, defined: pd.DataFrame) -> None:
    # Dots shrink as they become many, so that 2,000 of them still show their density.
    size, opacity = float(np.interp(len(defined), [10, 200, DENSE], [16, 9, 2.5])), 0.75 if len(defined) <= 200 else 0.5
    axes.scatter(
        defined["score_rank"],
        defined["accuracy_rank"],
        s=size,
        color="#0072B2",
        alpha=opacity,
        linewidths=0,
        clip_on=False,
    )


def _draw_density(figure: Figure, axes: Axes, defined: pd.DataFrame) -> None:
    hexagons = axes.hexbin(
        defined["score_rank"], defined["accuracy_rank"], gridsize=36, mincnt=1, cmap="Blues", linewidths=0.1
    )
    # Starting the scale below zero keeps a hexagon with a single cell visible on white.
    highest = max(float(np.max(np.asarray(hexagons.get_array()))), 2.0)
    hexagons.set_clim(-0.25 * highest, highest)
    left, bottom, width, height = axes.get_position().bounds
    bar_axes = figure.add_axes(
        (left + width + 0.06 / canvas.SINGLE_COLUMN, bottom, 0.08 / canvas.SINGLE_COLUMN, height)
    )
    bar = figure.colorbar(hexagons, cax=bar_axes)
    bar_axes.set_ylim(0, highest)
    bar.set_label("Points per hexagon")
    bar.locator = MaxNLocator(4, integer=True)
    bar.formatter = StrMethodFormatter("{x:,.0f}")
    bar.update_ticks()
    bar.outline.set_visible(False)


def _draw_undefined(axes: Axes, undefined: pd.DataFrame) -> None:
    if undefined.empty:
        return
    axes.scatter(
        undefined["score_rank"],
        undefined["accuracy_rank"],
        s=9 if len(undefined) <= 200 else 3,
        marker="x",
        color=canvas.UNDEFINED_COLOUR,
        linewidths=0.6 if len(undefined) <= 200 else 0.3,
        clip_on=False,
        # Tens of thousands of vector crosses make a PDF that no viewer likes.
        rasterized=len(undefined) > DENSE,
    )


def _set_ranks(axes: Axes, points: pd.DataFrame) -> None:
    cells = max(int(points.groupby("seed").size().max()) if len(points) else 1, 1)
    ticks = [1, *(int(tick) for tick in MaxNLocator(5, integer=True).tick_values(1, cells) if 1 < tick <= cells)]
    room = max(0.02 * cells, 0.3)
    for axis, limits in ((axes.xaxis, axes.set_xlim), (axes.yaxis, axes.set_ylim)):
        axis.set_ticks(sorted(set(ticks)))
        axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        # The best cells belong in the upper right corner, where readers look for them.
        limits(cells + room, 1 - room)


def _head(figure: Figure, proxy: str, row: pd.DataFrame) -> None:
    across, up = figure.get_size_inches()
    rho, tau = (
        with_deviation(row[measure].iloc[0], row[f"{measure}_deviation"].iloc[0]) for measure in ("spearman", "kendall")
    )
    left, room = canvas.MARGIN / across, across - 2 * canvas.MARGIN
    figure.text(left, 1 - 0.17 / up, typography.elide(proxy, room, size=8), size=8)
    # Greek letters would embed a second font in each of a run's many PDF files.
    figure.text(left, 1 - 0.32 / up, f"Spearman {rho}   Kendall {tau}", color=canvas.QUIET_COLOUR)
