"""How many of the truly best cells a proxy puts first, for every number of cells that a user may want."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import StrMethodFormatter

from diswot.harness.evidence import panel
from diswot.harness.evidence.column import Column
from diswot.harness.evidence.metrics import oriented, share_found
from diswot.harness.runs.results import Results
from diswot.reports.figures.drawing import Drawing
from diswot.reports.style import canvas
from diswot.reports.style.wording import counted, joined
from diswot.reports.summary import conditions, targets_of, toward, undefined_of

MOST, POINTS = 6, 120
HEIGHT = 2.1


def drawings(results: Results) -> list[Drawing]:
    """Return the curves of the best proxies for the first target; nothing where no score is defined."""
    target = targets_of(results)[0]
    seed = int(results.scores["seed"].min())
    data = recall_data(results, target, seed)
    if data.empty:
        return []
    first = data.drop_duplicates("proxy")
    undefined = int(first["undefined"].sum())
    proxies = counted(len(first), "proxy", "proxies")
    words = joined(f"{target}; {counted(int(first['cells'].max()), 'cell')}, seed {seed}", conditions(results))
    worst = f"; {counted(undefined, 'score')} not defined, ranked worst" if undefined else ""
    columns = min(2, len(first))
    labels = canvas.short(first["proxy"], canvas.SINGLE_COLUMN / columns - 0.5)
    body = HEIGHT + canvas.AXIS_LABELS + canvas.LINE * -(-len(first) // columns)
    with canvas.style():
        figure, (axes,) = canvas.sheet(canvas.SINGLE_COLUMN, body, f"{words}; grey: chance{worst}.")
        draw(axes, data, labels)
        canvas.legend(figure, columns, handlelength=2.2)
    return [
        Drawing(
            "recall",
            figure,
            data,
            f"Share of the truly best k cells that are among the k best by score, for the best {proxies}; ties count "
            f"by expectation; the grey line is chance; {words}{worst}.",
            f"Top-k recall of {proxies} against k as a share of the cells",
        )
    ]


def recall_data(results: Results, target: str, seed: int, proxies: Sequence[str] | None = None) -> pd.DataFrame:
    """Return proxy, k, share (k of the cells), recall, cells and undefined by proxy and k.

    Scores of one seed only; cells whose score failed are left out, as are undefined scores where correlations do so.

    Args:
        results: the run.
        target: whose cells are to be found.
        seed: of the scores.
        proxies: in drawing order; the best ones that have a defined score by default, best first.
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
    for proxy in toward(results, target)["proxy"] if proxies is None else proxies:
        if (proxies is None and len(parts) == MOST) or proxy not in scores.proxies:
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
    undefined = int((~np.isfinite(values)).sum())
    curve = {"k": depths, "share": depths / cells, "recall": recall, "cells": cells, "undefined": undefined}
    return pd.DataFrame({"proxy": proxy, **curve})


def draw(axes: Axes, data: pd.DataFrame, labels: Mapping[str, str]) -> None:
    """Draw a curve a proxy, and chance in grey; data as `recall_data` makes them."""
    shares = np.unique(data["share"])
    axes.grid()
    axes.plot(100 * shares, shares, color="#AAAAAA", linewidth=1.2)
    for number, (proxy, curve) in enumerate(data.groupby("proxy", sort=False)):
        dashes = canvas.DASHES[(number + number // 7) % len(canvas.DASHES)]
        label = labels.get(str(proxy), str(proxy))
        axes.plot(100 * curve["share"], curve["recall"], color=f"C{number}", linestyle=dashes, linewidth=1, label=label)
    axes.set_xscale("log")
    axes.minorticks_off()
    # A single cell is all the cells there are, and a scale must not have the same two ends.
    first = min(100 * shares[0], 50)
    axes.set_xlim(first, 100)
    if first > 10:
        axes.set_xticks([tick for tick in (20, 50, 100) if tick >= first])
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("k in percent of the cells")
    axes.set_ylabel("Share of the best k found")
