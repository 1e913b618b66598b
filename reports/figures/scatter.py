"""Rank of a proxy's score against rank of accuracy, one dot per cell and seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from diswot.reports.figures.drawing import Drawing
from diswot.reports.style import canvas, names, typography
from diswot.reports.style.numbers import counted, with_deviation
from diswot.reports.summary import circumstances, column_of, on_all_cells, targets_of, troubles, undefined_of

if TYPE_CHECKING:
    from diswot.harness.runs.results import Results

DENSE = 2000
TOP, LEFT, RIGHT, AXIS_LABELS = 0.44, 0.62, 0.12, 0.4
COLOUR_BAR = 0.62
STRIP, STRIP_GAP, STRIP_COLOUR, BINS = 0.26, 0.05, "#9AA5AD", 40
MANY, OUTER = 100, 0.01


def drawings(results: Results) -> list[Drawing]:
    """Return one figure for every proxy against the first target, best proxy first.

    An ensemble has no scores of its own, and no figure.
    """
    target = targets_of(results)[0]
    accuracies = results.targets.loc[results.targets["target"] == target, ["cell", "accuracy"]].dropna()
    # Taking the rows of one proxy from a frame of millions, once per proxy, would take longer than drawing.
    scores = dict(iter(results.scores.groupby("proxy", sort=False)))
    return [
        _drawing(
            results,
            row,
            scatter_data(scores[row["proxy"]], accuracies, row["direction"], undefined_of(results)),
        )
        for _, row in on_all_cells(results).query("target == @target").iterrows()
        if row["proxy"] in scores
    ]


def scatter_data(
    scores: pd.DataFrame, accuracies: pd.DataFrame, direction: str, undefined: str = "worst"
) -> pd.DataFrame:
    """Return one row per scored cell and seed: cell, seed, status, score, score_rank, accuracy, accuracy_rank.

    Ranks are taken within a seed, 1 is the best, ties share their mean rank, and a score that is undefined or not
    finite ranks worst or, with ``omit``, has no row. Failed units have no score and no row.

    Args:
        scores: of one proxy; columns cell, seed, status and value.
        accuracies: columns cell and accuracy.
        direction: ``higher`` or ``lower``, whichever is better.
        undefined: one of `diswot.harness.evidence.panel.UNDEFINED`.
    """
    kept = scores["status"] != "failed" if undefined == "worst" else np.isfinite(scores["value"].astype(float))
    points = scores.loc[kept, ["cell", "seed", "status", "value"]].merge(accuracies, on="cell")
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


def _drawing(results: Results, row: pd.Series, points: pd.DataFrame) -> Drawing:
    proxy, target = str(row["proxy"]), str(row["target"])
    rho = with_deviation(row["spearman"], row["spearman_deviation"])
    rows = row.to_frame().T
    return Drawing(
        names.stem("scatter", proxy, target),
        rank_scatter(results, row, points),
        points,
        f"Rank of {proxy} against rank of {target} accuracy, one point a cell and seed: Spearman {rho}; "
        f"{circumstances(results, rows)}{troubles(rows)}; margins: distributions of the scores and accuracies.",
        f"Rank of {proxy} score against rank of {target} accuracy",
    )


def rank_scatter(results: Results, row: pd.Series, points: pd.DataFrame) -> Figure:
    """Draw rank of score against rank of accuracy, all seeds in one picture; hexagons above 2,000 points.

    Histograms of the scores and of the accuracies stand at the margins, best at the right and at the top, as the ranks
    are; they have scales of their own.

    Args:
        results: the run.
        row: of the evidence on all cells.
        points: as `scatter_data` makes them.
    """
    target = str(row["target"])
    undefined = points[points["status"] == "undefined"]
    defined = points[points["status"] == "ok"]
    note = _note(results, row, len(undefined), len(points))
    lines = canvas.footnote_lines(note, canvas.SINGLE_COLUMN)
    foot = canvas.foot_height(lines)
    dense = len(defined) > DENSE
    side = canvas.SINGLE_COLUMN - LEFT - STRIP - (COLOUR_BAR if dense else RIGHT)
    with canvas.style():
        figure = canvas.sheet(canvas.SINGLE_COLUMN, foot + AXIS_LABELS + side + STRIP + TOP)
        axes = canvas.axes_at(figure, LEFT, foot + AXIS_LABELS, side, side)
        if dense:
            draw_density(figure, axes, defined["score_rank"], defined["accuracy_rank"], "Points per hexagon", STRIP)
        else:
            _draw_dots(axes, defined)
        _draw_undefined(axes, undefined)
        _set_ranks(axes, points)
        axes.set_xlabel(typography.elide("Rank of score (1 = best)", side))
        axes.set_ylabel(typography.elide(f"Rank of {column_of(target)} accuracy (1 = best)", side + 0.3))
        sign = 1.0 if row["direction"] == "higher" else -1.0
        above = canvas.axes_at(figure, LEFT, foot + AXIS_LABELS + side + STRIP_GAP, side, STRIP - STRIP_GAP)
        heights = _histogram(sign * defined["score"].to_numpy(float))
        above.stairs(heights, fill=True, color=STRIP_COLOUR)
        beside = canvas.axes_at(figure, LEFT + side + STRIP_GAP, foot + AXIS_LABELS, STRIP - STRIP_GAP, side)
        heights = _histogram(points.drop_duplicates("cell")["accuracy"].to_numpy(float))
        beside.stairs(heights, fill=True, color=STRIP_COLOUR, orientation="horizontal")
        above.set_xlim(0, BINS)
        beside.set_ylim(0, BINS)
        for margin in (above, beside):
            margin.set_axis_off()
        _head(figure, str(row["proxy"]), row)
        canvas.footnote(figure, lines)
    return figure


def _histogram(values: np.ndarray) -> np.ndarray:
    # A few far values, as gradients that explode, would leave all others one bar: they stand in the bars at the ends.
    if not len(values):
        return np.zeros(BINS)
    low, high = np.quantile(values, [OUTER, 1 - OUTER]) if len(values) >= MANY else (values.min(), values.max())
    size = max(abs(low), abs(high))
    if not size or not low < high:
        return np.bincount([BINS // 2], [1.0], BINS)
    # Divided first, so that the difference of two huge values stays finite.
    share = (np.clip(values, low, high) / size - low / size) / (high / size - low / size)
    counts: np.ndarray = np.bincount(np.minimum((share * BINS).astype(int), BINS - 1), minlength=BINS)
    return counts / counts.max()


def _note(results: Results, row: pd.Series, undefined: int, total: int) -> str:
    failed = int(row["failed"])
    parts = [str(row["target"]), circumstances(results, row.to_frame().T), "margins: histograms, best at right and top"]
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


def draw_density(figure: Figure, axes: Axes, across: pd.Series, up: pd.Series, label: str, away: float = 0.0) -> None:
    """Draw points as hexagons, and their scale of colours that many inches to the right of the axes."""
    hexagons = axes.hexbin(across, up, gridsize=36, mincnt=1, cmap="Blues", linewidths=0.1)
    # Starting the scale below zero keeps a hexagon with a single cell visible on white.
    highest = max(float(np.max(np.asarray(hexagons.get_array()))), 2.0)
    hexagons.set_clim(-0.25 * highest, highest)
    left, bottom, width, height = axes.get_position().bounds
    inches = figure.get_size_inches()[0]
    bar_axes = figure.add_axes((left + width + (0.06 + away) / inches, bottom, 0.08 / inches, height))
    bar = figure.colorbar(hexagons, cax=bar_axes)
    bar_axes.set_ylim(0, highest)
    bar.set_label(label)
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
    # Five-digit ranks need more room.
    most = 5 if cells < 10_000 else 4
    ticks = [1, *(int(tick) for tick in MaxNLocator(most, integer=True).tick_values(1, cells) if 1 < tick <= cells)]
    room = max(0.02 * cells, 0.3)
    for axis, limits in ((axes.xaxis, axes.set_xlim), (axes.yaxis, axes.set_ylim)):
        axis.set_ticks(sorted(set(ticks)))
        axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        # The best cells belong in the upper right corner, where readers look for them.
        limits(cells + room, 1 - room)


def _head(figure: Figure, proxy: str, row: pd.Series) -> None:
    across, up = figure.get_size_inches()
    rho, tau = (with_deviation(row[measure], row[f"{measure}_deviation"]) for measure in ("spearman", "kendall"))
    left, room = canvas.MARGIN / across, across - 2 * canvas.MARGIN
    figure.text(left, 1 - 0.17 / up, typography.elide(proxy, room, size=8), size=8)
    # Greek letters would embed a second font in each of a run's many PDF files.
    figure.text(left, 1 - 0.32 / up, f"Spearman {rho}   Kendall {tau}", color=canvas.QUIET_COLOUR)
