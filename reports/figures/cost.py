"""What a proxy costs against what it is worth: its cost alone against its correlation, and the front of both."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from diswot.harness.compute import costs
from diswot.reports.figures.drawing import Drawing
from diswot.reports.style import canvas, typography
from diswot.reports.style.numbers import counted
from diswot.reports.summary import circumstances, measure_of, targets_of, toward, troubles

if TYPE_CHECKING:
    from diswot.harness.runs.results import Results

LONGEST_NAME = 1.15
LEFT, AXIS_LABELS, TOP, LEADER = 0.5, 0.36, 0.1, 0.16
LOWEST = 2.1
COST = "each proxy computed alone"


def drawings(results: Results) -> list[Drawing]:
    """Return the figure for the first target, from the costs that `diswot bench` measures, kept beside the run.

    Nothing without ``costs.csv``, or where no proxy has both a cost and a correlation. The seconds of the scores
    themselves would not do: there a pass that proxies share counts for the one that asked first.

    Raises:
        InputError: the file cannot be read as costs.
    """
    known_costs = costs.read(results.folder)
    if known_costs is None:
        return []
    target, measure = targets_of(results)[0], measure_of(results.evidence)
    evidence = toward(results, target)
    data = cost_data(known_costs["units"], evidence, measure)
    if data.empty:
        return []
    known = evidence[evidence["proxy"].isin(data["proxy"])]
    scored = set(results.scores["proxy"])
    hidden = sum(name in scored for name in evidence["proxy"]) - len(data)
    left_out = f"; {counted(hidden, 'proxy', 'proxies')} without a correlation or a cost left out" if hidden else ""
    words = f"{circumstances(results, known)}; {COST}{left_out}"
    measure = measure.capitalize()
    return [
        Drawing(
            "cost",
            _figure(data, f"{measure} with {target}", f"{words}."),
            data,
            f"Cost, in units of one forward and backward pass, and {measure} correlation with {target}; the line is "
            f"the front of proxies that no cheaper one beats; {words}{troubles(known)}.",
            f"Cost against correlation of {counted(len(data), 'proxy', 'proxies')}, with the Pareto front",
        )
    ]


def cost_data(units: pd.Series, evidence: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Return one row a proxy, cheapest first: its cost in units, its correlation, and whether no cheaper is as good.

    Args:
        units: by proxy.
        evidence: rows of one target.
        measure: the column of the correlation.
    """
    data = pd.DataFrame(
        {
            "proxy": evidence["proxy"],
            "family": evidence["family"],
            "units": evidence["proxy"].map(units).astype(float),
            "correlation": evidence[measure].astype(float),
        }
    )
    # A logarithmic scale has no place for zero.
    data = data[(data["units"] > 0) & data["correlation"].notna()]
    data = data.sort_values(["units", "correlation"], ascending=[True, False], kind="stable", ignore_index=True)
    best_before = data["correlation"].cummax().shift(fill_value=-math.inf)
    return data.assign(front=data["correlation"] > best_before)


def _figure(data: pd.DataFrame, label: str, note: str) -> Figure:
    front = data[data["front"]]
    names = [typography.elide(name, LONGEST_NAME) for name in front["proxy"]]
    right = LEADER + max(typography.width(name) for name in names) + 0.08
    lines = canvas.footnote_lines(note, canvas.SINGLE_COLUMN)
    bottom = canvas.foot_height(lines) + AXIS_LABELS
    width, height = canvas.SINGLE_COLUMN - LEFT - right, max(LOWEST, canvas.LINE * 1.05 * len(front))
    with canvas.style():
        figure = canvas.sheet(canvas.SINGLE_COLUMN, bottom + height + TOP)
        axes = canvas.axes_at(figure, LEFT, bottom, width, height)
        _set_limits(axes, data, width, height)
        axes.grid()
        others = data[~data["front"]]
        axes.plot(others["units"], others["correlation"], "o", color="#888888", markersize=2.6, markeredgewidth=0)
        axes.step(
            [*front["units"], axes.get_xlim()[1]],
            [*front["correlation"], front["correlation"].iloc[-1]],
            where="post",
            color="#0072B2",
        )
        axes.plot(front["units"], front["correlation"], "o", color="#0072B2", markersize=4, markeredgewidth=0)
        _label(axes, front, names, width, height)
        axes.set_xlabel("Units of one forward and backward")
        axes.set_ylabel(typography.elide(label, height + AXIS_LABELS - 0.08), loc="top")
        canvas.footnote(figure, lines)
    return figure


def _set_limits(axes: Axes, data: pd.DataFrame, width: float, height: float) -> None:
    exponents = np.log10(data["units"].to_numpy())
    # At least a decade wide, so that at least one power of ten stands below the axis.
    missing = max(0.0, 1.0 - float(np.ptp(exponents)))
    low, high = exponents.min() - 0.15 - missing / 2, exponents.max() + 0.15 + missing / 2
    axes.set_xscale("log")
    axes.minorticks_off()
    axes.set_xlim(10.0**low, 10.0**high)
    powers = range(math.ceil(low), math.floor(high) + 1)
    ticks = powers[:: math.ceil(len(powers) / max(1, int(width / 0.45)))]
    axes.set_xticks([10.0**tick for tick in ticks], [f"{10.0**tick:g}" for tick in ticks])
    values = data["correlation"]
    room = max(0.05 * (values.max() - values.min()), 0.02)
    axes.set_ylim(values.min() - room, values.max() + room)
    axes.yaxis.set_major_locator(MaxNLocator(max(2, int(height / 0.3)), steps=[1, 2, 5, 10]))


def _label(axes: Axes, front: pd.DataFrame, names: list[str], width: float, height: float) -> None:
    # Names stand beside the axes in the order of their dots, each at the end of a line from its dot: however close
    # the dots lie, no name covers another.
    low, high = axes.get_ylim()
    left, right = (math.log10(limit) for limit in axes.get_xlim())
    start = 10 ** (right + LEADER * 0.85 / width * (right - left))
    wanted = (front["correlation"].to_numpy() - low) / (high - low) * height
    for (_, row), name, inches in zip(front.iterrows(), names, spread(wanted, canvas.LINE, height), strict=True):
        there = low + inches / height * (high - low)
        axes.plot(
            [row["units"], 10**right, start],
            [row["correlation"], there, there],
            color="#999999",
            linewidth=0.4,
            clip_on=False,
            zorder=1.2,
        )
        axes.text(start * 10 ** (0.02 / width * (right - left)), there, name, va="center_baseline")


def spread(wanted: np.ndarray, gap: float, highest: float) -> np.ndarray:
    """Return ascending positions moved as little as it takes to be a gap apart and, where they fit, not above one."""
    found = wanted.astype(float)
    for place in range(1, len(found)):
        found[place] = max(found[place], found[place - 1] + gap)
    limit = highest
    for place in reversed(range(len(found))):
        found[place] = min(found[place], limit)
        limit = found[place] - gap
    return found
