"""Which proxies say the same: their rank correlations with each other, alike ones side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from diswot.harness.evidence import panel
from diswot.reports.figures.drawing import Drawing
from diswot.reports.style import canvas, typography
from diswot.reports.style.numbers import counted
from diswot.reports.summary import conditions, undefined_of

if TYPE_CHECKING:
    from diswot.harness.runs.results import Results

FEWEST_CELLS = 3
LONGEST_NAME = 1.2
LARGEST, SMALLEST, WITH_NUMBER = 0.4, 0.118, 0.34
COLOUR_BAR, TOP = 0.72, 0.08
COLOURS, NOT_DEFINED = "RdBu_r", "#BBBBBB"


def drawings(results: Results) -> list[Drawing]:
    """Return the heat map of Spearman correlations between scores; nothing with fewer than 2 proxies or 3 cells."""
    scores = panel.build(results.scores, results.proxies, undefined=undefined_of(results))
    if scores.members < 2 or len(scores.cells) < FEWEST_CELLS:
        return []
    between = _clustered(agreement(scores))
    counts = f"{counted(len(scores.cells), 'cell')}, {counted(len(scores.seeds), 'seed')}"
    where = conditions(results)
    undefined = int(np.isneginf(scores.scores[: scores.members]).sum())
    parts = [counts, where, "mean over seeds" if len(scores.seeds) > 1 else ""]
    parts.append(f"{counted(undefined, 'score')} not defined, ranked worst" if undefined else "")
    parts.append("grey: not defined" if between.isna().any(axis=None) else "")
    words = "; ".join(part for part in parts if part)
    data = between.rename_axis("proxy").reset_index().melt("proxy", var_name="other", value_name="spearman")
    return [
        Drawing(
            "agreement",
            _figure(between, f"{words}."),
            data,
            "Spearman correlation of proxies' scores with each other, in the order of a hierarchical clustering "
            f"(average linkage of one minus the correlation); {words}.",
            f"Heat map of the rank correlations between {counted(scores.members, 'proxy', 'proxies')}",
        )
    ]


def agreement(scores: panel.Panel) -> pd.DataFrame:
    """Return Spearman's rho of every proxy's scores with every other's: the mean over seeds; NaN on too few cells."""
    names = list(scores.proxies[: scores.members])
    by_seed = []
    for seed in range(len(scores.seeds)):
        ranks = panel.ranked(scores.scores[: scores.members, seed])
        # Where scores are missing, pandas ranks each pair anew on the cells that it shares.
        method = "spearman" if np.isnan(ranks).any() else "pearson"
        by_seed.append(pd.DataFrame(ranks.T).corr(method=method, min_periods=FEWEST_CELLS).to_numpy())
    return pd.DataFrame(panel.mean(np.array(by_seed), axis=0), index=names, columns=names)


def _clustered(between: pd.DataFrame) -> pd.DataFrame:
    # A correlation that is not defined says nothing: the two are as far apart as scores that have nothing in common.
    distance = 1 - between.fillna(0).to_numpy(copy=True)
    distance = np.clip((distance + distance.T) / 2, 0, None)
    np.fill_diagonal(distance, 0)
    tree = hierarchy.linkage(squareform(distance, checks=False), "average", optimal_ordering=True)
    order = hierarchy.leaves_list(tree)
    return between.iloc[order, order]


def _figure(between: pd.DataFrame, note: str) -> Figure:
    count = len(between)
    names = [typography.elide(name, LONGEST_NAME) for name in between.index]
    longest = max(typography.width(name) for name in names) + 0.12
    available = canvas.DOUBLE_COLUMN - longest - COLOUR_BAR
    side = min(LARGEST, available / count)
    narrow = longest + side * count + COLOUR_BAR <= canvas.SINGLE_COLUMN
    across = canvas.SINGLE_COLUMN if narrow else canvas.DOUBLE_COLUMN
    # More names than fit side by side stand at the rows alone, which are in the same order and never too thin.
    named = side >= SMALLEST
    if not named:
        note = f"{note[:-1]}; columns in the order of the rows."
    lines = canvas.footnote_lines(note, across)
    bottom = canvas.foot_height(lines) + (longest if named else 0.1)
    height = max(side, SMALLEST) * count
    with canvas.style():
        figure = canvas.sheet(across, bottom + height + TOP)
        axes = canvas.axes_at(figure, longest, bottom, side * count, height)
        axes.set_facecolor(NOT_DEFINED)
        image = axes.imshow(between, vmin=-1, vmax=1, cmap=COLOURS, interpolation="nearest", aspect="auto")
        axes.set_yticks(range(count), names)
        axes.set_xticks(range(count) if named else [], names if named else [], rotation=90)
        axes.tick_params(length=0, pad=2)
        axes.spines[:].set_visible(False)
        if side >= WITH_NUMBER:
            _write_numbers(axes, between)
        bar = figure.colorbar(
            image, cax=canvas.axes_at(figure, longest + side * count + 0.1, bottom, 0.09, min(height, 2.4))
        )
        bar.set_ticks([-1, 0, 1] if height < 1 else [-1, -0.5, 0, 0.5, 1])
        bar.set_label("Spearman" if height < 1.2 else "Spearman correlation")
        bar.outline.set_visible(False)
        canvas.footnote(figure, lines)
    return figure


def _write_numbers(axes: Axes, between: pd.DataFrame) -> None:
    for (row, column), value in np.ndenumerate(between.to_numpy()):
        if np.isfinite(value):
            number = f"{value:.2f}".replace("-", "\N{MINUS SIGN}")
            axes.text(column, row, number, ha="center", va="center", color="white" if abs(value) > 0.6 else "black")
