"""Which proxies say the same: their rank correlations with each other, alike ones side by side."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from diswot.benchmarks.errors import counted
from diswot.harness.evidence import panel
from diswot.harness.runs.results import Results
from diswot.reports.figures import heatmap
from diswot.reports.figures.drawing import Drawing
from diswot.reports.style import canvas, typography
from diswot.reports.style.wording import joined
from diswot.reports.summary import conditions

FEWEST_CELLS = 3
LARGEST, SMALLEST, COLOUR_BAR = 0.4, 0.118, 0.72
LABEL = "Spearman correlation"


def drawings(results: Results) -> list[Drawing]:
    """Return the heat map of Spearman correlations between scores; nothing with fewer than 2 proxies or 3 cells."""
    scores = panel.build(results.scores, results.proxies, undefined=results.method.undefined)
    if scores.members < 2 or len(scores.cells) < FEWEST_CELLS:
        return []
    between = clustered(agreement(scores))
    undefined = int(np.isneginf(scores.scores[: scores.members]).sum())
    words = joined(
        f"{counted(len(scores.cells), 'cell')}, {counted(len(scores.seeds), 'seed')}",
        conditions(results),
        "mean over seeds" if len(scores.seeds) > 1 else "",
        f"{counted(undefined, 'score')} not defined, ranked worst" if undefined else "",
        "grey: not defined" if between.isna().any(axis=None) else "",
    )
    return [
        Drawing(
            "agreement",
            _sheet(between, words),
            between.rename_axis("proxy").reset_index().melt("proxy", var_name="other", value_name="spearman"),
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


def clustered(between: pd.DataFrame) -> pd.DataFrame:
    """Return a table of at least two proxies by proxies in an order in which alike ones are neighbours."""
    # A correlation that is not defined says nothing: the two are as far apart as scores that have nothing in common.
    distance = 1 - between.fillna(0).to_numpy(copy=True)
    distance = np.clip((distance + distance.T) / 2, 0, None)
    np.fill_diagonal(distance, 0)
    tree = hierarchy.linkage(squareform(distance, checks=False), "average", optimal_ordering=True)
    order = hierarchy.leaves_list(tree)
    return between.iloc[order, order]


def _sheet(between: pd.DataFrame, words: str) -> Figure:
    names = list(canvas.short(between.index, 1.2).values())
    longest = max(map(typography.width, names)) + 0.12
    side = min(LARGEST, (canvas.DOUBLE_COLUMN - longest - COLOUR_BAR) / len(names))
    narrow = longest + side * len(names) + COLOUR_BAR <= canvas.SINGLE_COLUMN
    # More names than fit side by side stand at the rows alone, which are in the same order and never too thin.
    named = side >= SMALLEST
    note = f"{words}." if named else f"{words}; columns in the order of the rows."
    body = max(side, SMALLEST) * len(names) + (longest if named else 0) + 0.1
    with canvas.style():
        figure, (axes,) = canvas.sheet(canvas.SINGLE_COLUMN if narrow else canvas.DOUBLE_COLUMN, body, note)
        heatmap.draw(axes, between, (names, names if named else []), LABEL if body > 1.6 else "Spearman")
    return figure
