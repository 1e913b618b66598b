"""Evolution against random search: the score of the current pick while a search goes on, a panel for every driver."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from diswot.benchmarks.errors import counted
from diswot.harness.runs.results import Results
from diswot.harness.runs.stored_search import Search
from diswot.reports.figures.drawing import Drawing
from diswot.reports.searches import as_numbers, circumstances, drivers, higher_is_better, of, with_teacher
from diswot.reports.style import canvas, scales, typography
from diswot.reports.style.wording import joined, left_out

MOST, ABREAST = 9, 3
#: The share of the evaluations after which curves are sure to be inside the axes.
START = 0.1
HEIGHT, ALONE = 1.3, 2.2
NUMBERS = ("evaluation", "seconds", "mean", "std", "low", "high")
DOTTED = (0, (1, 1.5))
LOOKS: dict[str, dict[str, Any]] = {
    "evolution": {"color": "#0072B2", "label": "Evolution"},
    "random": {"color": "#E69F00", "linestyle": (0, (4, 1.2)), "label": "Random search"},
}


def drawings(results: Results) -> list[Drawing]:
    """Return one figure with a panel a driver; nothing without a search, or where no driver has a score."""
    search = results.search
    data = pd.DataFrame() if search is None else score_data(search)
    if search is None or data.empty:
        return []
    shown = list(dict.fromkeys(data["driver"]))
    words = joined(
        circumstances(results, search),
        "bands: 95 % interval of the mean" if data[["low", "high"]].notna().all(axis=1).any() else "",
        "dotted: the best of all cells" if data["best"].notna().any() else "",
        f"axes hold what comes after the first {100 * START:.0f} % of the evaluations",
        left_out(len(set(drivers(search)) - set(shown)), "driver"),
    )
    count = counted(len(shown), "driver")
    return [
        Drawing(
            "search-scores",
            _sheet(data, shown, search, f"{words}."),
            data,
            f"Score of the current pick against the number of cells looked at, mean over searches, for {count}: "
            f"evolution against random search; {words}.",
            f"Evolution against random search: curves of the best score so far for {count}",
        )
    ]


def score_data(search: Search) -> pd.DataFrame:
    """Return the curves of the score for the most interesting drivers, with the best score of all cells beside them."""
    teacher = search.info.teachers[0]
    curves = as_numbers(of(with_teacher(search.curves, teacher), quantity="score"), *NUMBERS)
    curves = curves[curves["algorithm"].isin(list(LOOKS)) & np.isfinite(curves["mean"])]
    optima = (
        of(with_teacher(search.picks, teacher), algorithm="exhaustive").drop_duplicates("driver").set_index("driver")
    )
    present = set(curves["driver"])
    shown = [name for name in drivers(search) if name in present][:MOST]
    parts = [of(curves, driver=name).sort_values(["algorithm", "evaluation"], kind="stable") for name in shown]
    if not parts:
        return pd.DataFrame()
    data = pd.concat(parts, ignore_index=True)
    return data.assign(best=data["driver"].map(optima["score"].astype(float)).astype(float))


def _sheet(data: pd.DataFrame, shown: list[str], search: Search, note: str) -> Figure:
    abreast = 2 if len(shown) in (2, 4) else min(ABREAST, len(shown))
    across = canvas.SINGLE_COLUMN if len(shown) == 1 else canvas.DOUBLE_COLUMN
    lines = math.ceil(len(shown) / abreast)
    body = lines * (ALONE if len(shown) == 1 else HEIGHT) + canvas.AXIS_LABELS
    with canvas.style():
        figure, sheet = canvas.sheet(across, body, note, lines, abreast, sharex=True)
        for number, (axes, name) in enumerate(zip(sheet, shown, strict=False)):
            curves = of(data, driver=name)
            axis = scales.fitting(_values(curves))
            _draw(axes, curves, axis)
            arrow = "" if higher_is_better(search, name) else " (lower is better)"
            room = across / abreast - 0.5 - typography.width(arrow, 8)
            axes.set_title(typography.elide(name, room, 8) + arrow, loc="left", pad=3)
            axes.set_ylabel(f"Score{axis.word}")
            # Where no panel stands below, the axis is named.
            if number + abreast >= len(shown):
                axes.tick_params(labelbottom=True)
                axes.set_xlabel("Evaluations")
        number_evaluations(sheet[0], data["evaluation"].max())
        for spare in sheet[len(shown) :]:
            spare.remove()
        handles, labels = sheet[0].get_legend_handles_labels()
        canvas.legend(figure, len(labels), handles=handles, labels=labels)
    return figure


def _values(curves: pd.DataFrame) -> np.ndarray:
    # Searches begin far below where they end, and an interval of few of them may be far wider than anything that was
    # seen: the axis is for the means after the start.
    curves = curves[curves["evaluation"] >= START * curves["evaluation"].max()]
    means = curves["mean"].to_numpy()
    finite = means[np.isfinite(means)]
    room = np.ptp(finite / 4)
    bands = np.clip(curves[["low", "high"]].to_numpy(float), finite.min() - room, finite.max() + room)
    # A band that reaches beyond zero must not take a logarithmic axis along.
    if finite.min() > 0:
        bands = bands[bands > 0.5 * finite.min()]
    elif finite.max() < 0:
        bands = bands[bands < 0.5 * finite.max()]
    return np.concatenate([means, curves["best"].to_numpy(), bands.ravel()])


def _draw(axes: Axes, curves: pd.DataFrame, axis: scales.Scale) -> None:
    axes.grid()
    for name, look in LOOKS.items():
        draw_curve(axes, of(curves, algorithm=name), "evaluation", axis, **look)
    best = axis.shown(curves["best"].to_numpy()[:1])
    if np.isfinite(best).all():
        axes.axhline(best[0], color="black", linewidth=0.7, linestyle=DOTTED, zorder=2.5, label="Best of all cells")
    axes.set_ylim(axis.low, axis.high)
    axes.set_yticks(axis.ticks, axis.labels)


def number_evaluations(axes: Axes, last: float) -> None:
    """Write evaluations, which are whole, at a horizontal axis from 0 to the last."""
    axes.set_xlim(0, last)
    canvas.number(axes, "x", steps=[1, 2, 2.5, 5, 10], integer=True)
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def draw_curve(
    axes: Axes, curve: pd.DataFrame, across: str, axis: scales.Scale, opacity: float = 0.2, **look: Any
) -> None:
    """Draw a mean with its band: a line over a column, or a dot where there is one place only."""
    if curve.empty:
        return
    places = curve[across].to_numpy()
    mean, low, high = (axis.shown(curve[name].to_numpy(float)) for name in ("mean", "low", "high"))
    seen = np.isfinite(low) & np.isfinite(high)
    axes.fill_between(places[seen], low[seen], high[seen], color=look["color"], alpha=opacity, linewidth=0)
    axes.plot(places, mean, linewidth=1, marker="o" if len(places) == 1 else None, markersize=3, **look)
