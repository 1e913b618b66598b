"""How many of the truly best cells a proxy puts first, for every number of cells that one may want."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from diswot.harness.evidence import panel
from diswot.harness.evidence.measures import Column, oriented, share_found
from diswot.reports.figures.drawing import Drawing
from diswot.reports.style import canvas, typography
from diswot.reports.style.numbers import counted
from diswot.reports.summary import conditions, targets_of, toward, undefined_of

if TYPE_CHECKING:
    from diswot.harness.runs.results import Results

MOST, POINTS = 6, 120
LEFT, RIGHT, AXIS_LABELS, TOP = 0.5, 0.16, 0.36, 0.06
HEIGHT = 2.1
DASHES = ("solid", (0, (5, 1.2)), (0, (2, 1)), (0, (6, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))


def drawings(results: Results) -> list[Drawing]:
    """Return the curves of the best proxies for the first target; nothing where no score is defined."""
    target = targets_of(results)[0]
    seed = int(results.scores["seed"].min())
    data = recall_data(results, target, seed)
    if data.empty:
        return []
    first = data.groupby("proxy", sort=False)["cells"].first()
    cells, proxies = counted(int(first.max()), "cell"), counted(len(first), "proxy", "proxies")
    words = "; ".join(part for part in (f"{target}; {cells}, seed {seed}", conditions(results)) if part)
    undefined = int(data.groupby("proxy", sort=False)["undefined"].first().sum())
    worst = f"; {counted(undefined, 'score')} not defined, ranked worst" if undefined else ""
    return [
        Drawing(
            "recall",
            _figure(data, f"{words}; grey: chance{worst}."),
            data,
            f"Share of the truly best k cells that are among the k best by score, for the best {proxies}; ties count "
            f"by expectation; the grey line is chance; {words}{worst}.",
            f"Top-k recall of {proxies} against k as a share of the cells",
        )
    ]


def recall_data(results: Results, target: str, seed: int) -> pd.DataFrame:
    """Return proxy, k, share (k of the cells), recall, cells and undefined for the best proxies, best first.

    Scores of one seed only; cells whose unit failed are left out, as are undefined scores where correlations do so.
    """
    chosen = results.scores[results.scores["seed"] == seed]
    scores = panel.build(chosen, results.proxies, undefined=undefined_of(results))
    truth = results.targets[results.targets["target"] == target].set_index("cell")["accuracy"].dropna()
    known = np.isin(scores.cells, truth.index)
    if not known.any():
        return pd.DataFrame()
    scores = scores.at(np.flatnonzero(known))
    accuracies = truth.reindex(scores.cells).to_numpy(float)
    parts: list[pd.DataFrame] = []
    for proxy in toward(results, target)["proxy"]:
        if len(parts) == MOST or proxy not in scores.proxies:
            continue
        values = scores.scores[scores.proxies.index(proxy), 0]
        there = ~np.isnan(values)
        if np.isfinite(values).any():
            parts.append(_curve(proxy, values[there], accuracies[there]))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _curve(proxy: str, values: np.ndarray, accuracies: np.ndarray) -> pd.DataFrame:
    scores, truth, cells = oriented(values), Column.of(accuracies), len(values)
    depths = np.unique(np.geomspace(1, cells, POINTS).round().astype(int))
    recall = [share_found(scores, truth, int(k)) for k in depths]
    return pd.DataFrame(
        {
            "proxy": proxy,
            "k": depths,
            "share": depths / cells,
            "recall": recall,
            "cells": cells,
            "undefined": int((~np.isfinite(values)).sum()),
        }
    )


def _figure(data: pd.DataFrame, note: str) -> Figure:
    width = canvas.SINGLE_COLUMN - LEFT - RIGHT
    proxies = list(dict.fromkeys(data["proxy"]))
    columns = min(2, len(proxies))
    labels = [typography.elide(name, (width + LEFT) / columns - 0.45) for name in proxies]
    head = canvas.LINE * 1.05 * -(-len(proxies) // columns) + 0.08
    lines = canvas.footnote_lines(note, canvas.SINGLE_COLUMN)
    bottom = canvas.foot_height(lines) + AXIS_LABELS
    with canvas.style():
        figure = canvas.sheet(canvas.SINGLE_COLUMN, bottom + HEIGHT + head + TOP)
        axes = canvas.axes_at(figure, LEFT, bottom, width, HEIGHT)
        axes.grid()
        shares = np.unique(data["share"])
        axes.plot(100 * shares, shares, color="#AAAAAA", linewidth=1.2)
        for number, (proxy, label) in enumerate(zip(proxies, labels, strict=True)):
            curve = data[data["proxy"] == proxy]
            axes.plot(100 * curve["share"], curve["recall"], linestyle=DASHES[number], linewidth=1, label=label)
        axes.set_xscale("log")
        axes.minorticks_off()
        # One cell alone is all the cells there are, and a scale must not have the same two ends.
        axes.set_xlim(min(100 * shares[0], 50), 100)
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        if 100 * shares[0] > 10:
            axes.set_xticks([tick for tick in (20, 50, 100) if tick >= min(100 * shares[0], 50)])
        axes.set_ylim(-0.02, 1.02)
        axes.set_xlabel("k in percent of the cells")
        axes.set_ylabel("Share of the best k found")
        axes.legend(
            loc="lower right",
            bbox_to_anchor=(1, 1.02),
            ncols=columns,
            borderaxespad=0,
            borderpad=0,
            handlelength=2.2,
            handletextpad=0.4,
            columnspacing=0.8,
            labelspacing=0.25,
        )
        canvas.footnote(figure, lines)
    return figure
