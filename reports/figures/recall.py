"""How many of the truly best cells a proxy puts first, for every number of cells that a user may want."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import StrMethodFormatter

from diswot.benchmarks.errors import counted
from diswot.harness.evidence.column import Column
from diswot.harness.evidence.metrics import oriented, share_found
from diswot.harness.runs.results import Results
from diswot.reports.figures import choice
from diswot.reports.figures.drawing import Drawing
from diswot.reports.style import canvas, look
from diswot.reports.style.wording import joined
from diswot.reports.summary import conditions, targets_of, toward

MOST, POINTS = 6, 120
HEIGHT = 2.1


def drawings(results: Results) -> list[Drawing]:
    """Return the curves of the best proxies for the first target; nothing where no score is defined.

    A look that names its proxies gets a curve of each.
    """
    target = targets_of(results)[0]
    seed = int(results.scores["seed"].min())
    most = None if look.current().proxies else MOST
    data, same = recall_data(results, target, seed, toward(results, target)["proxy"], most)
    if data.empty:
        return []
    first = data.drop_duplicates("proxy")
    undefined = int(first["undefined"].sum())
    proxies = counted(len(first), "proxy", "proxies")
    words = joined(f"{target}; {counted(int(first['cells'].max()), 'cell')}, seed {seed}", conditions(results), same)
    worst = f"; {counted(undefined, 'score')} not defined, ranked worst" if undefined else ""
    columns = min(2, len(first) + 1)
    labels = canvas.short(first["proxy"], canvas.SINGLE_COLUMN / columns - 0.5)
    body = HEIGHT + canvas.AXIS_LABELS + canvas.LINE * -(-(len(first) + 1) // columns)
    with canvas.style():
        figure, (axes,) = canvas.sheet(canvas.SINGLE_COLUMN, body, f"{words}{worst}.")
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


def recall_data(
    results: Results, target: str, seed: int, proxies: Iterable[str], most: int | None = None
) -> tuple[pd.DataFrame, str]:
    """Return proxy, k, share (k of the cells), recall, cells and undefined by proxy and k; and words on what is absent.

    Scores of one seed only; cells whose score failed are left out, as are undefined scores where correlations do so.

    Args:
        results: the run.
        target: whose cells are to be found.
        seed: of the scores.
        proxies: in drawing order; those without a defined score are left out.
        most: how many of them; then proxies that rank the cells as one before are left out, which the words name.
    """
    truth = choice.accuracies_of(results, target)
    scores = choice.scores_on(results, truth.index, seed)
    accuracies = truth.reindex(scores.cells).to_numpy(float)
    values = {name: scores.scores[scores.proxies.index(name), 0] for name in proxies if name in scores.proxies}
    shown = choice.chosen(scores, [name for name in values if np.isfinite(values[name]).any()], most)
    parts = []
    for name in shown:
        there = ~np.isnan(values[name])
        parts.append(_curve(name, values[name][there], accuracies[there]))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(), joined(*shown.values())


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
    for number, (proxy, curve) in enumerate(data.groupby("proxy", sort=False)):
        dashes = canvas.DASHES[(number + number // 7) % len(canvas.DASHES)]
        label = labels.get(str(proxy), str(proxy))
        axes.plot(100 * curve["share"], curve["recall"], color=f"C{number}", linestyle=dashes, linewidth=1, label=label)
    axes.plot(100 * shares, shares, color="#AAAAAA", linewidth=1.2, label="chance", zorder=1.9)
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
