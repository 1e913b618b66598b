"""Rank of a proxy's score against rank of accuracy, one dot per cell and seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from diswot.benchmarks.errors import counted
from diswot.harness.evidence.panel import Panel
from diswot.harness.runs.results import Results
from diswot.reports.figures import choice
from diswot.reports.figures.drawing import Drawing
from diswot.reports.style import canvas, ends, file_names, look, typography
from diswot.reports.style.wording import joined, left_out, with_std
from diswot.reports.summary import circumstances, column_of, on_all_cells, targets_of, troubles

#: Of how many of the best proxies there is a figure.
MOST = 6
#: Above how many points these are drawn as hexagons.
DENSE = 2000
STRIP, STRIP_COLOUR, BINS = 0.1, "#9AA5AD", 40
MANY, OUTER = 100, 0.01


def drawings(results: Results) -> list[Drawing]:
    """Return a figure for each of the best proxies, and of the user's own, against the first target, best first.

    Of proxies that rank all cells alike only the first gets one. A look that names its proxies gets a figure of each.
    The page shows the scatters of all proxies itself.
    """
    target = targets_of(results)[0]
    evidence = on_all_cells(results)
    evidence = evidence[evidence["target"] == target]
    accuracies = choice.accuracies_of(results, target)
    scores = choice.scores_on(results, accuracies.index)
    best = choice.chosen(scores, evidence["proxy"], None if look.current().proxies else MOST)
    own = evidence.loc[(evidence["family"] == "plug-in") & evidence["proxy"].isin(scores.proxies), "proxy"]
    shown = evidence[evidence["proxy"].isin([*best, *own])]
    return [
        _drawing(results, row, scatter_data(scores, accuracies, row), best.get(row["proxy"], ""))
        for _, row in shown.iterrows()
    ]


def scatter_data(scores: Panel, accuracies: pd.Series, row: pd.Series) -> pd.DataFrame:
    """Return one row per scored cell and seed: cell, seed, status, score, score_rank, accuracy, accuracy_rank.

    Ranks are taken within a seed, 1 is the best, ties share their mean rank, and a score that is undefined or not
    finite ranks worst, or has no row where correlations leave it out. Failed scores have no value and no row.

    Args:
        scores: on cells that have an accuracy.
        accuracies: by cell.
        row: of the evidence; its proxy and direction count.
    """
    values = scores.scores[scores.proxies.index(row["proxy"])]
    seed, cell = np.nonzero(~np.isnan(values))
    oriented = values[seed, cell]
    defined = np.isfinite(oriented)
    points = pd.DataFrame({"cell": scores.cells[cell], "seed": np.array(scores.seeds, int)[seed]})
    points["status"] = np.where(defined, "ok", "undefined")
    points["score"] = np.where(defined, -oriented if row["direction"] == "lower" else oriented, np.nan)
    points["score_rank"] = pd.Series(oriented).groupby(points["seed"]).rank(ascending=False)
    points["accuracy"] = accuracies.loc[points["cell"]].to_numpy(float)
    points["accuracy_rank"] = points.groupby("seed")["accuracy"].rank(ascending=False)
    return points


def correlations(row: pd.Series) -> str:
    """Return the rank correlations of a row of the evidence in words: ``Spearman 0.812   Kendall 0.617``."""
    # Greek letters would embed a second font in each of a run's many PDF files.
    metrics = ("spearman", "kendall")
    return "   ".join(f"{name.capitalize()} {with_std(row[name], row[f'{name}_std'])}" for name in metrics)


def _drawing(results: Results, row: pd.Series, points: pd.DataFrame, same: str) -> Drawing:
    proxy, target = str(row["proxy"]), str(row["target"])
    rho = with_std(row["spearman"], row["spearman_std"])
    evidence = row.to_frame().T
    wanted = look.current()
    marks = "circled: the most accurate cells" if wanted.annotate else "margins: histograms, best at right and top"
    undefined = int((points["status"] == "undefined").sum())
    cross = f"\N{MULTIPLICATION SIGN} not defined, ranked worst: {undefined:,} of {counted(len(points), 'score')}"
    note = joined(
        target,
        circumstances(results, evidence),
        marks,
        cross if undefined else "",
        left_out(int(row["failed"]), "score", why="failed,"),
        same,
    )
    across = canvas.column(canvas.SINGLE_COLUMN)
    with canvas.style():
        figure, (axes,) = canvas.sheet(across, across + 0.2, f"{note}.")
        called = wanted.called(target, f"{column_of(target)} accuracy")
        draw(axes, points, typography.elide(called, 1.7), wanted.annotate)
        if not wanted.annotate:  # whose numbers stand where the margins do
            draw_margins(axes, points, row["direction"])
        title = typography.elide(wanted.called(proxy), across - 2 * canvas.MARGIN, 8)
        figure.suptitle(f"{title}\n{correlations(row)}", x=canvas.MARGIN / across, ha="left", fontsize=8)
    return Drawing(
        file_names.stem("scatter", proxy, target),
        figure,
        points,
        f"Rank of {proxy} against rank of {target} accuracy, one point a cell and seed: Spearman {rho}; "
        f"{circumstances(results, evidence)}{troubles(evidence)}; "
        f"{joined(marks, same)}.",
        f"Rank of {proxy} score against rank of {target} accuracy",
    )


def draw(axes: Axes, points: pd.DataFrame, called: str, annotate: int = 0) -> None:
    """Draw rank of score against rank of accuracy, all seeds in one image; hexagons above 2,000 points.

    Args:
        axes: where to draw; square.
        points: as `scatter_data` makes them.
        called: what is on the vertical axis.
        annotate: how many of the most accurate cells are marked and numbered.
    """
    undefined, defined = (points[points["status"] == status] for status in ("undefined", "ok"))
    axes.set_box_aspect(1)
    if len(defined) > DENSE:
        draw_density(axes, defined["score_rank"], defined["accuracy_rank"], "Points per hexagon")
    else:
        # Dots shrink as they become many, so that 2,000 of them still show their density.
        size = float(np.interp(len(defined), [10, 200, DENSE], [16, 9, 2.5]))
        look: dict[str, Any] = {"color": "#0072B2", "alpha": 0.75 if len(defined) <= 200 else 0.5, "linewidths": 0}
        axes.scatter(defined["score_rank"], defined["accuracy_rank"], s=size, clip_on=False, **look)
    if len(undefined):
        many = len(undefined) > 200
        axes.scatter(
            undefined["score_rank"],
            undefined["accuracy_rank"],
            s=3 if many else 9,
            marker="x",
            color=canvas.UNDEFINED_COLOUR,
            linewidths=0.3 if many else 0.6,
            clip_on=False,
            # Tens of thousands of vector crosses make a PDF that no viewer likes.
            rasterized=len(undefined) > DENSE,
        )
    _set_ranks(axes, points)
    axes.set_xlabel("Rank of score (1 = best)")
    axes.set_ylabel(f"Rank of {called} (1 = best)")
    if annotate:
        _annotate(axes, points, annotate)


def _annotate(axes: Axes, points: pd.DataFrame, count: int) -> None:
    best = points[points["seed"] == points["seed"].min()].nsmallest(count, "accuracy_rank")[::-1]
    axes.plot(best["score_rank"], best["accuracy_rank"], "o", color="#D55E00", markersize=4, markerfacecolor="none")
    places = list(zip(best["score_rank"], best["accuracy_rank"], strict=True))
    ends.label(axes, places, [str(cell) for cell in best["cell"]], ["#D55E00"] * len(best))


def draw_margins(axes: Axes, points: pd.DataFrame, direction: str) -> None:
    """Draw histograms of scores and accuracies beside the axes, best at the right and at the top, as the ranks are."""
    defined = points[points["status"] == "ok"]
    above = axes.inset_axes((0, 1.02, 1, STRIP))
    right = axes.inset_axes((1.02, 0, STRIP, 1))
    sign = 1.0 if direction == "higher" else -1.0
    above.stairs(_histogram(sign * defined["score"].to_numpy(float)), fill=True, color=STRIP_COLOUR)
    accuracies = points.drop_duplicates("cell")["accuracy"].to_numpy(float)
    right.stairs(_histogram(accuracies), fill=True, color=STRIP_COLOUR, orientation="horizontal")
    above.set_xlim(0, BINS)
    right.set_ylim(0, BINS)
    for margin in (above, right):
        margin.set_axis_off()


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


def draw_density(axes: Axes, across: pd.Series, up: pd.Series, label: str) -> None:
    """Draw points as hexagons, and their scale of colours beside the axes."""
    hexagons = axes.hexbin(across, up, gridsize=36, mincnt=1, cmap="Blues", linewidths=0.1)
    # Starting the scale below zero keeps a hexagon with a single cell visible on white.
    highest = max(float(np.max(np.asarray(hexagons.get_array()))), 2.0)
    hexagons.set_clim(-0.25 * highest, highest)
    bar = axes.figure.colorbar(hexagons, ax=axes, aspect=30, pad=0.02, fraction=0.05)
    bar.ax.set_ylim(0, highest)
    bar.set_label(label)
    bar.locator = MaxNLocator(4, integer=True)
    bar.formatter = StrMethodFormatter("{x:,.0f}")
    bar.update_ticks()
    bar.outline.set_visible(False)


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
