"""Evolution against random search: the score of the current pick while a search goes on, a panel for every driver."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from diswot.reports.figures.drawing import Drawing
from diswot.reports.searches import beside, circumstances, drivers, higher_is_better, left_out, of, teachers
from diswot.reports.style import canvas, scales, typography
from diswot.reports.style.numbers import counted

if TYPE_CHECKING:
    from diswot.harness.runs.results import Results
    from diswot.harness.runs.stored_search import Search

Dashes: TypeAlias = str | tuple[float, tuple[float, ...]]

MOST, ABREAST = 9, 3
#: The share of the evaluations after which curves are sure to be inside the axes.
START = 0.1
HEIGHT, ALONE, AXIS_LABELS, TITLE, BETWEEN, RIGHT = 1.05, 1.8, 0.36, 0.2, 0.14, 0.16
LOOKS: dict[str, tuple[str, Dashes]] = {"evolution": ("#0072B2", "solid"), "random": ("#E69F00", (0, (4, 1.2)))}
LEGEND: dict[str, str] = {"evolution": "Evolution", "random": "Random search", "best": "Best of all cells"}


def drawings(results: Results) -> list[Drawing]:
    """Return one figure with a panel a driver; nothing without a search, or where no driver has a score."""
    search = results.search
    data = pd.DataFrame() if search is None else score_data(search)
    if search is None or data.empty:
        return []
    shown = list(dict.fromkeys(data["driver"]))
    hidden = [name for name in drivers(search) if name not in shown]
    bands = "bands: 95 % interval of the mean" if data[["low", "high"]].notna().all(axis=1).any() else ""
    best = "dotted: the best of all cells" if data["best"].notna().any() else ""
    cut = f"axes hold what comes after the first {START:.0%} of the evaluations".replace("%", " %")
    parts = [circumstances(results, search), bands, best, cut]
    words = "; ".join(part for part in parts if part) + left_out(hidden, "driver")
    count = counted(len(shown), "driver")
    return [
        Drawing(
            "search-scores",
            _figure(data, shown, search, f"{words}."),
            data,
            f"Score of the current pick against the number of cells looked at, mean over searches, for {count}: "
            f"evolution against random search; {words}.",
            f"Evolution against random search: curves of the best score so far for {count}",
        )
    ]


def score_data(search: Search) -> pd.DataFrame:
    """Return the curves of the score for the most interesting drivers, with the best score of all cells beside them."""
    teacher = teachers(search)[0]
    curves = of(beside(search.curves, teacher), quantity="score")
    curves = curves[curves["algorithm"].isin(list(LOOKS)) & np.isfinite(curves["mean"].astype(float))]
    optima = of(beside(search.picks, teacher), algorithm="exhaustive").set_index("driver")["score"].astype(float)
    present = set(curves["driver"])
    shown = [name for name in drivers(search) if name in present][:MOST]
    parts = [of(curves, driver=name).sort_values(["algorithm", "evaluation"], kind="stable") for name in shown]
    if not parts:
        return pd.DataFrame()
    data = pd.concat(parts, ignore_index=True)
    numbers = ["evaluation", "seconds", "mean", "deviation", "low", "high"]
    data[numbers] = data[numbers].astype(float)
    return data.assign(best=data["driver"].map(optima[~optima.index.duplicated()]).astype(float))


def _figure(data: pd.DataFrame, shown: list[str], search: Search, note: str) -> Figure:
    abreast = 2 if len(shown) in (2, 4) else min(ABREAST, len(shown))
    across = canvas.SINGLE_COLUMN if len(shown) == 1 else canvas.DOUBLE_COLUMN
    height = ALONE if len(shown) == 1 else HEIGHT
    axis = {name: scales.fitting(_values(of(data, driver=name))) for name in shown}
    longest = max((typography.width(label) for one in axis.values() for label in one.labels), default=0)
    left = longest + 0.28
    width = (across - RIGHT - abreast * left - (abreast - 1) * BETWEEN) / abreast
    lines = canvas.footnote_lines(note, across)
    foot = canvas.foot_height(lines) + AXIS_LABELS
    tall = -(-len(shown) // abreast)
    body = tall * (height + TITLE) + (tall - 1) * BETWEEN
    with canvas.style():
        figure = canvas.sheet(across, foot + body + canvas.LINE + 0.12)
        for number, name in enumerate(shown):
            line, place = divmod(number, abreast)
            bottom = foot + body - TITLE - height - line * (height + TITLE + BETWEEN)
            axes = canvas.axes_at(figure, left + place * (left + width + BETWEEN), bottom, width, height)
            _draw(axes, of(data, driver=name), axis[name])
            arrow = "" if higher_is_better(search, name) else " (lower is better)"
            room = width + 0.08 - typography.width(arrow, 8)
            axes.set_title(typography.elide(name, room, 8) + arrow, loc="left", pad=3)
            axes.set_xlim(0, data["evaluation"].max())
            number_evaluations(axes, width)
            axes.set_ylabel(f"Score{axis[name].word}")
            # Where no panel stands below, the axis is named.
            if number + abreast >= len(shown):
                axes.set_xlabel("Evaluations")
            else:
                axes.tick_params(labelbottom=False)
        _legend(figure, data)
        canvas.footnote(figure, lines)
    return figure


def _values(rows: pd.DataFrame) -> np.ndarray:
    # Searches begin far below where they end, and an interval of few of them may be far wider than anything that was
    # seen: the axis is for the means after the start.
    rows = rows[rows["evaluation"] >= START * rows["evaluation"].max()]
    means = rows["mean"].to_numpy()
    finite = means[np.isfinite(means)]
    room = np.ptp(finite / 4)
    bands = np.clip(rows[["low", "high"]].to_numpy(float), finite.min() - room, finite.max() + room)
    # One that reaches beyond zero must not take a logarithmic axis along.
    if finite.min() > 0:
        bands = bands[bands > 0.5 * finite.min()]
    elif finite.max() < 0:
        bands = bands[bands < 0.5 * finite.max()]
    return np.concatenate([means, rows["best"].to_numpy(), bands.ravel()])


def _draw(axes: Axes, rows: pd.DataFrame, axis: scales.Scale) -> None:
    axes.grid()
    for name, (colour, dashes) in LOOKS.items():
        curve = of(rows, algorithm=name)
        draw_curve(axes, curve["evaluation"].to_numpy(), curve, axis, colour, dashes)
    best = axis.shown(rows["best"].to_numpy()[:1])
    if np.isfinite(best).all():
        axes.axhline(best[0], color="black", linewidth=0.7, linestyle=(0, (1, 1.5)), zorder=2.5)
    axes.set_ylim(axis.low, axis.high)
    axes.set_yticks(axis.ticks, axis.labels)


def number_evaluations(axes: Axes, width: float) -> None:
    """Write evaluations, which are whole, at a horizontal axis of that many inches."""
    axes.xaxis.set_major_locator(MaxNLocator(max(2, int(width / 0.45)), steps=[1, 2, 2.5, 5, 10], integer=True))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def draw_curve(
    axes: Axes,
    across: np.ndarray,
    curve: pd.DataFrame,
    axis: scales.Scale,
    colour: str,
    dashes: Dashes = "solid",
    opacity: float = 0.2,
) -> None:
    """Draw a mean with its band: a line over what is on the horizontal axis, or a dot where there is one place only."""
    mean, low, high = (axis.shown(curve[name].to_numpy(float)) for name in ("mean", "low", "high"))
    seen = np.isfinite(low) & np.isfinite(high)
    axes.fill_between(across[seen], low[seen], high[seen], color=colour, alpha=opacity, linewidth=0)
    marker = "o" if len(across) == 1 else None
    axes.plot(across, mean, color=colour, linestyle=dashes, linewidth=1, marker=marker, markersize=3)


def _legend(figure: Figure, data: pd.DataFrame) -> None:
    across, up = figure.get_size_inches()
    there = [name for name in LOOKS if name in set(data["algorithm"])]
    looks = {**LOOKS, "best": ("black", (0, (1, 1.5)))}
    place = canvas.MARGIN + 0.04
    axes = canvas.axes_at(figure, 0, up - canvas.LINE - 0.06, across, canvas.LINE + 0.04)
    axes.set_axis_off()
    axes.set_xlim(0, across)
    axes.set_ylim(-1, 1)
    for name in [*there, *(["best"] if data["best"].notna().any() else [])]:
        colour, dashes = looks[name]
        axes.plot([place, place + 0.22], [0, 0], color=colour, linestyle=dashes, linewidth=1)
        axes.text(place + 0.27, 0, LEGEND[name], va="center_baseline")
        place += 0.27 + typography.width(LEGEND[name]) + 0.14
