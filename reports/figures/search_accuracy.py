"""How accurate the current pick is while a search goes on, against evaluations and against seconds."""

from __future__ import annotations

import math
from itertools import cycle, islice
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from diswot.reports.figures.cost import spread
from diswot.reports.figures.drawing import Drawing
from diswot.reports.figures.search_curves import Dashes, draw_curve, number_evaluations
from diswot.reports.searches import (
    beside,
    circumstances,
    drivers,
    finite,
    left_out,
    of,
    option,
    seconds_from,
    targets,
    teachers,
)
from diswot.reports.style import canvas, names, scales, typography
from diswot.reports.style.numbers import counted

if TYPE_CHECKING:
    from diswot.harness.runs.results import Results
    from diswot.harness.runs.stored_search import Search

MOST, MOST_TARGETS = 7, 3
#: The share of searches in which an accuracy is known, below which a curve would be about something else.
ENOUGH = 0.5
RIGHT, AXIS_LABELS, TOP, LEADER = 0.16, 0.36, 0.1, 0.16
HEIGHT, LONGEST_NAME = 2.1, 1.2
DASHES: tuple[Dashes, ...] = (
    "solid",
    (0, (5, 1.2)),
    (0, (2, 1)),
    (0, (6, 1, 1, 1)),
    (0, (1, 1)),
    (0, (8, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
)
RANDOM, ORACLE = "#888888", "#333333"


def drawings(results: Results) -> list[Drawing]:
    """Return one figure for each of the first targets that enough of the searches know; nothing without a search."""
    search = results.search
    if search is None:
        return []
    known = [(target, data) for target in targets(search) if not (data := accuracy_data(search, target)).empty]
    return [_drawing(results, search, target, data) for target, data in known[:MOST_TARGETS]]


def accuracy_data(search: Search, target: str) -> pd.DataFrame:
    """Return the curves of evolution for the most interesting drivers, and that of random search by the first of them.

    Points at which fewer than half of the searches know the accuracy are left out, and drivers whose last point is.
    """
    curves = of(beside(search.curves, teachers(search)[0]), quantity=target)
    most = search.curves["searches"].max()
    total = option(search, "searches") or (int(most) if finite(most) else 0)
    curves = curves[(curves["searches"] >= ENOUGH * total) & np.isfinite(curves["mean"].astype(float))]
    curves = curves.sort_values("evaluation", kind="stable")
    last = of(search.curves, quantity="score")["evaluation"].max()
    parts: list[pd.DataFrame] = []
    for name in drivers(search):
        curve = of(curves, driver=name, algorithm="evolution")
        if len(parts) < MOST and len(curve) and not curve["evaluation"].iloc[-1] < last:
            parts.append(curve)
    if not parts:
        return pd.DataFrame()
    data = pd.concat([*parts, of(curves, driver=parts[0]["driver"].iloc[0], algorithm="random")], ignore_index=True)
    numbers = ["evaluation", "seconds", "mean", "deviation", "low", "high"]
    data[numbers] = data[numbers].astype(float)
    return data.assign(target=target, searches_of=total)


def _drawing(results: Results, search: Search, target: str, data: pd.DataFrame) -> Drawing:
    shown = list(dict.fromkeys(data["driver"]))
    hidden = [name for name in drivers(search) if name not in shown]
    timed = bool((data["seconds"] > 0).any())
    last = data.groupby(["driver", "algorithm"], sort=False)["searches"].last()
    some = int(last.min()) < int(data["searches_of"].max())
    parts = [
        circumstances(results, search),
        "bands: 95 % interval of the mean" if data[["low", "high"]].notna().all(axis=1).any() else "",
        f"means over the searches whose pick has an accuracy, at the end at least {int(last.min())}" if some else "",
        f"grey: random search by {shown[0]}" if (data["algorithm"] == "random").any() else "",
        f"seconds: {seconds_from(search)}" if timed and seconds_from(search) else "",
    ]
    words = "; ".join(part for part in parts if part) + left_out(hidden, "driver")
    count = counted(len(shown), "driver")
    against = "evaluations and seconds" if timed else "evaluations"
    return Drawing(
        names.stem("search-accuracy", target),
        _figure(search, target, data, f"{words}."),
        data,
        f"Accuracy ({target}) of the current pick of evolution against {against}, for {count}; {words}.",
        f"Curves of the accuracy of the current pick against {against} for {count}",
    )


def _figure(search: Search, target: str, data: pd.DataFrame, note: str) -> Figure:
    curves = [(name, of(data, driver=name, algorithm="evolution")) for name in dict.fromkeys(data["driver"])]
    random = of(data, algorithm="random")
    oracle = _oracle(search, target)
    ends = [(name, curve["mean"].iloc[-1]) for name, curve in curves]
    ends += [("random search", random["mean"].iloc[-1])] if len(random) else []
    ends += [("oracle", oracle)] if finite(oracle) else []
    ends.sort(key=lambda end: end[1])
    labels = {name: typography.elide(name, LONGEST_NAME) for name, _ in ends}
    axis = scales.fitting(_range(data, oracle), most=int(HEIGHT / 0.35))
    left = 0.28 + max(map(typography.width, axis.labels), default=0)
    beside_it = LEADER + max(map(typography.width, labels.values())) + 0.08
    timed = bool((data["seconds"] > 0).any())
    across = canvas.DOUBLE_COLUMN if timed else canvas.SINGLE_COLUMN
    height = max(HEIGHT, canvas.LINE * 1.05 * len(ends))
    width = (across - left - beside_it - RIGHT) / 2 if timed else across - left - beside_it
    lines = canvas.footnote_lines(note, across)
    bottom = canvas.foot_height(lines) + AXIS_LABELS
    with canvas.style():
        colours = _colours(curves)
        figure = canvas.sheet(across, bottom + height + TOP)
        axes = canvas.axes_at(figure, left, bottom, width, height)
        axes.set_xlim(0, data["evaluation"].max())
        number_evaluations(axes, width)
        axes.set_xlabel("Evaluations")
        axes.set_ylabel(typography.elide(f"{target}, %", height + AXIS_LABELS - 0.08), loc="top")
        _draw(axes, curves, random, oracle, axis, data["evaluation"].max())
        axes.set_yticks(axis.ticks, axis.labels)
        _label(axes, ends, labels, colours, axis, width, height)
        if timed:
            right = canvas.axes_at(figure, left + width + beside_it, bottom, width, height)
            _draw_seconds(right, curves, random, oracle, axis, width)
        canvas.footnote(figure, lines)
    return figure


def _oracle(search: Search, target: str) -> float:
    best = (search.info.get("oracles") or {}).get(target) or {}
    return float(best["accuracy"]) if finite(best.get("accuracy")) else math.nan


def _range(data: pd.DataFrame, oracle: float) -> np.ndarray:
    # Searches begin far below where they end, and it is the end that is looked at.
    ends = data.groupby(["driver", "algorithm"])["mean"].last()
    top = float(np.nanmax([oracle, data["mean"].max()]))
    low = max(float(data["mean"].min()), top - max(2.2 * (top - float(ends.min())), 0.5))
    bands = np.clip(data[["low", "high"]].to_numpy(float), low, None).ravel()
    return np.array([low, top, *bands[bands <= top + 0.3 * (top - low)]])


def _colours(curves: list[tuple[str, pd.DataFrame]]) -> dict[str, str]:
    colours = islice(cycle(matplotlib.rcParams["axes.prop_cycle"].by_key()["color"]), len(curves))
    named = dict(zip([name for name, _ in curves], colours, strict=True))
    return {"random search": RANDOM, "oracle": ORACLE} | named


def _draw(
    axes: Axes,
    curves: list[tuple[str, pd.DataFrame]],
    random: pd.DataFrame,
    oracle: float,
    axis: scales.Scale,
    end: float,
    horizontal: str = "evaluation",
) -> None:
    axes.grid()
    colours = _colours(curves)
    for (name, curve), dashes in zip([("random search", random), *curves], ["solid", *DASHES], strict=False):
        draw_curve(axes, curve[horizontal].to_numpy(), curve, axis, colours[name], dashes, 0.1)
        if horizontal == "seconds" and len(curve):
            axes.plot(curve[horizontal].iloc[-1], axis.shown(curve["mean"].to_numpy()[-1]), "o", color=colours[name])
            axes.lines[-1].set(markersize=3, markeredgewidth=0)
    if math.isfinite(oracle):
        axes.axhline(float(axis.shown(np.float64(oracle))), color=ORACLE, linewidth=0.7, linestyle=(0, (1, 1.5)))
    axes.set_ylim(axis.low, axis.high)


def _draw_seconds(
    axes: Axes,
    curves: list[tuple[str, pd.DataFrame]],
    random: pd.DataFrame,
    oracle: float,
    axis: scales.Scale,
    width: float,
) -> None:
    def timed(curve: pd.DataFrame) -> pd.DataFrame:
        there = curve[curve["seconds"] > 0]
        return there.assign(seconds=np.log10(there["seconds"].astype(float)))

    shown = [(name, timed(curve)) for name, curve in curves]
    chance = timed(random)
    seconds = 10 ** pd.concat([chance, *(curve for _, curve in shown)])["seconds"].to_numpy(float)
    along = scales.fitting(seconds, most=max(2, int(width / 0.4)), logarithmic=True)
    _draw(axes, shown, chance, oracle, axis, along.high, "seconds")
    axes.set_xlim(along.low, along.high)
    axes.set_xticks(along.ticks, along.labels)
    axes.set_yticks(axis.ticks, [""] * len(axis.ticks))
    axes.set_xlabel("Seconds")


def _label(
    axes: Axes,
    ends: list[tuple[str, float]],
    labels: dict[str, str],
    colours: dict[str, str],
    axis: scales.Scale,
    width: float,
    height: float,
) -> None:
    # Names stand beside the axes in the order in which the curves end, each at the end of a line from its curve.
    high = axes.get_xlim()[1]
    start = high * (1 + LEADER * 0.85 / width)
    ended = axis.shown(np.array([end for _, end in ends]))
    wanted = (ended - axis.low) / (axis.high - axis.low) * height
    for (name, _), there, inches in zip(ends, ended, spread(wanted, canvas.LINE, height), strict=True):
        up = axis.low + inches / height * (axis.high - axis.low)
        axes.plot([high, start], [there, up], color=colours[name], linewidth=0.6, clip_on=False, zorder=1.2)
        axes.text(high * (1 + LEADER / width), up, labels[name], va="center_baseline")
