"""How accurate the current pick is while a search goes on, against evaluations and against seconds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from diswot.benchmarks.errors import counted
from diswot.harness.runs.results import Results
from diswot.harness.runs.stored_search import Search
from diswot.reports.figures.drawing import Drawing
from diswot.reports.figures.search_curves import DOTTED, NUMBERS, draw_curve, number_evaluations
from diswot.reports.searches import (
    as_numbers,
    circumstances,
    drivers,
    highest,
    of,
    seconds_from,
    with_teacher,
)
from diswot.reports.style import canvas, ends, file_names, scales, typography
from diswot.reports.style.wording import finite, joined, left_out

MOST, MOST_TARGETS = 7, 3
#: The share of searches in which an accuracy is known, below which a curve would be about something else.
ENOUGH = 0.5
HEIGHT = 2.1
RANDOM, ORACLE = ("random search", "#888888"), ("oracle", "#333333")


def drawings(results: Results) -> list[Drawing]:
    """Return one figure for each of the first targets that enough of the searches know; nothing without a search."""
    search = results.search
    if search is None:
        return []
    known = [(target, data) for target in search.info.targets if not (data := accuracy_data(search, target)).empty]
    return [_drawing(results, search, target, data) for target, data in known[:MOST_TARGETS]]


def accuracy_data(search: Search, target: str, chosen: list[str] | None = None) -> pd.DataFrame:
    """Return the curves of evolution for the most interesting drivers, and that of random search by the first of them.

    Points at which fewer than half of the searches know the accuracy are left out, and drivers whose last point is.

    Args:
        search: of a run.
        target: the accuracy.
        chosen: drivers in drawing order; the most interesting ones by default.
    """
    curves = as_numbers(of(with_teacher(search.curves, search.info.teachers[0]), quantity=target), *NUMBERS)
    total = search.info.options.searches
    curves = curves[(curves["searches"] >= ENOUGH * total) & np.isfinite(curves["mean"])]
    curves = curves.sort_values("evaluation", kind="stable")
    last = of(search.curves, quantity="score")["evaluation"].max()
    parts: list[pd.DataFrame] = []
    for name in drivers(search) if chosen is None else chosen:
        curve = of(curves, driver=name, algorithm="evolution")
        if (chosen or len(parts) < MOST) and len(curve) and not curve["evaluation"].iloc[-1] < last:
            parts.append(curve)
    if not parts:
        return pd.DataFrame()
    parts.append(of(curves, driver=parts[0]["driver"].iloc[0], algorithm="random"))
    return pd.concat(parts, ignore_index=True).assign(target=target, searches_of=total)


def _drawing(results: Results, search: Search, target: str, data: pd.DataFrame) -> Drawing:
    shown = list(dict.fromkeys(data["driver"]))
    timed = bool((data["seconds"] > 0).any())
    fewest = int(data.groupby(["driver", "algorithm"], sort=False)["searches"].last().min())
    some = fewest < int(data["searches_of"].max())
    words = joined(
        circumstances(results, search),
        "bands: 95 % interval of the mean" if data[["low", "high"]].notna().all(axis=1).any() else "",
        f"means over the searches whose pick has an accuracy, at the end at least {fewest}" if some else "",
        f"grey: random search by {shown[0]}" if (data["algorithm"] == "random").any() else "",
        f"seconds: {seconds_from(search)}" if timed and seconds_from(search) else "",
        "accuracies that a model predicts" if target in search.modelled else "",
        left_out(len(set(drivers(search)) - set(shown)), "driver"),
    )
    count = counted(len(shown), "driver")
    against = "evaluations and seconds" if timed else "evaluations"
    return Drawing(
        file_names.stem("search-accuracy", target),
        _sheet(data, highest(search, target), f"{words}."),
        data,
        f"Accuracy ({target}) of the current pick of evolution against {against}, for {count}; {words}.",
        f"Curves of the accuracy of the current pick against {against} for {count}",
    )


def _sheet(data: pd.DataFrame, best: float, note: str) -> Figure:
    shown = dict.fromkeys(data["driver"])
    timed = bool((data["seconds"] > 0).any())
    body = max(HEIGHT, canvas.LINE * 1.2 * (len(shown) + 2)) + canvas.AXIS_LABELS
    with canvas.style():
        across = canvas.DOUBLE_COLUMN if timed else canvas.SINGLE_COLUMN
        figure, (axes, *right) = canvas.sheet(across, body, note, columns=1 + timed, sharey=True)
        draw(axes, data, best, canvas.short(shown, 1.2))
        axes.set_ylabel(typography.elide(axes.get_ylabel(), body - 0.2), loc="top")
        for axes_of_seconds in right:
            _draw_seconds(axes_of_seconds, data, best)
    return figure


def draw(axes: Axes, data: pd.DataFrame, best: float, labels: Mapping[str, str]) -> None:
    """Draw accuracy against evaluations: a curve a driver, random search in grey, and names where curves end.

    Args:
        axes: where to draw.
        data: as `accuracy_data` makes them.
        best: the oracle's accuracy in percent; NaN where it is not known.
        labels: what drivers are called, where not by their names.
    """
    axis = _scale(data, best)
    _draw_curves(axes, data, best, axis, "evaluation")
    axes.set_ylim(axis.low, axis.high)
    axes.set_yticks(axis.ticks, axis.labels)
    number_evaluations(axes, data["evaluation"].max())
    axes.set_xlabel("Evaluations")
    axes.set_ylabel(f"{data['target'].iloc[0]}, %")
    curves = list(_curves(data))
    found = [(float(curve["mean"].iloc[-1]), labels.get(name, name), colour) for name, colour, _, curve in curves]
    found += [(best, *ORACLE)] if finite(best) else []
    heights, texts, colours = zip(*sorted(found), strict=True)
    last = axes.get_xlim()[1]
    ends.label(axes, [(last, float(axis.shown(np.float64(height)))) for height in heights], texts, colours)


def _curves(data: pd.DataFrame) -> Iterator[tuple[str, str, Any, pd.DataFrame]]:
    # Name, colour, dashes and points; random search first, so that it lies below.
    random = of(data, algorithm="random")
    if len(random):
        yield *RANDOM, "solid", random
    evolution = of(data, algorithm="evolution")
    for number, name in enumerate(dict.fromkeys(evolution["driver"])):
        yield name, f"C{number}", canvas.DASHES[number % len(canvas.DASHES)], of(evolution, driver=name)


def _draw_curves(axes: Axes, data: pd.DataFrame, best: float, axis: scales.Scale, across: str) -> None:
    axes.grid()
    for _, colour, dashes, curve in _curves(data):
        draw_curve(axes, curve, across, axis, opacity=0.1, color=colour, linestyle=dashes)
    if math.isfinite(best):
        axes.axhline(float(axis.shown(np.float64(best))), color=ORACLE[1], linewidth=0.7, linestyle=DOTTED)


def _scale(data: pd.DataFrame, best: float) -> scales.Scale:
    # Searches begin far below where they end, and it is the end that is looked at.
    last = data.groupby(["driver", "algorithm"])["mean"].last()
    top = float(np.nanmax([best, data["mean"].max()]))
    low = max(float(data["mean"].min()), top - max(2.2 * (top - float(last.min())), 0.5))
    bands = np.clip(data[["low", "high"]].to_numpy(float), low, None).ravel()
    return scales.fitting(np.array([low, top, *bands[bands <= top + 0.3 * (top - low)]]), most=6)


def _draw_seconds(axes: Axes, data: pd.DataFrame, best: float) -> None:
    timed = data[data["seconds"] > 0]
    along = scales.fitting(timed["seconds"].to_numpy(float), most=5, logarithmic=True)
    timed = timed.assign(seconds=np.log10(timed["seconds"]))
    _draw_curves(axes, timed, best, _scale(data, best), "seconds")
    for _, colour, _, curve in _curves(timed):
        last = curve.iloc[-1]
        axes.plot(last["seconds"], float(_scale(data, best).shown(np.float64(last["mean"]))), "o", color=colour)
        axes.lines[-1].set(markersize=3, markeredgewidth=0)
    axes.set_xlim(along.low, along.high)
    axes.set_xticks(along.ticks, along.labels)
    axes.set_xlabel("Seconds")
