"""What a proxy costs against what it predicts: its cost alone against its correlation, and the front of both."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from diswot.benchmarks.errors import counted
from diswot.harness.compute import costs
from diswot.harness.runs.results import Results
from diswot.reports.figures.drawing import Drawing
from diswot.reports.style import canvas, ends, typography
from diswot.reports.style.wording import joined, left_out
from diswot.reports.summary import circumstances, metric_of, targets_of, toward, troubles

LOWEST = 2.1


def drawings(results: Results) -> list[Drawing]:
    """Return the figure for the first target, from the costs that `diswot bench` measures, kept beside the run.

    Nothing without ``costs.csv``, or where no proxy has both a cost and a correlation. The seconds of the scores
    themselves would not do: there a pass that proxies share counts for the one that asked first.

    Raises:
        InputError: the file cannot be read as costs.
    """
    known_costs = costs.of_run(results.folder, results.info)
    if known_costs is None:
        return []
    target, metric = targets_of(results)[0], metric_of(results.evidence)
    evidence = toward(results, target)
    data = cost_data(known_costs["relative_cost"], evidence, metric)
    if data.empty:
        return []
    known = evidence[evidence["proxy"].isin(data["proxy"])]
    hidden = int(evidence["proxy"].isin(results.scores["proxy"]).sum()) - len(data)
    words = joined(
        circumstances(results, known),
        "each proxy computed alone",
        left_out(hidden, "proxy", "proxies", "without a correlation or a cost"),
    )
    label = f"{metric.capitalize()} correlation with {target}"
    body = max(LOWEST, canvas.LINE * 1.2 * int(_always_named(data).sum())) + canvas.AXIS_LABELS
    with canvas.style():
        figure, (axes,) = canvas.sheet(canvas.SINGLE_COLUMN, body, f"{words}.")
        draw(axes, data, canvas.short(data["proxy"], 1.15))
        axes.set_ylabel(typography.elide(f"{metric.capitalize()} with {target}", body - 0.1), loc="top")
    return [
        Drawing(
            "cost",
            figure,
            data,
            f"Cost relative to one forward and backward pass, and {label}; the line is the front of proxies that no "
            f"cheaper one beats; {words}{troubles(known)}.",
            f"Cost against correlation of {counted(len(data), 'proxy', 'proxies')}, with the Pareto front",
        )
    ]


def cost_data(relative_cost: pd.Series, evidence: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return one row a proxy, cheapest first: its relative cost, its correlation, and whether no cheaper is as good.

    Args:
        relative_cost: by proxy.
        evidence: rows of one target.
        metric: the column of the correlation.
    """
    data = evidence[["proxy", "family"]].assign(
        relative_cost=evidence["proxy"].map(relative_cost).astype(float),
        correlation=evidence[metric].astype(float),
    )
    # A logarithmic scale has no place for zero.
    data = data[(data["relative_cost"] > 0) & data["correlation"].notna()]
    data = data.sort_values(["relative_cost", "correlation"], ascending=[True, False], kind="stable", ignore_index=True)
    best_before = data["correlation"].cummax().shift(fill_value=-math.inf)
    return data.assign(front=data["correlation"] > best_before)


def _always_named(data: pd.DataFrame) -> pd.Series:
    # The front, and what a user added.
    return data["front"] | (data["family"] == "plug-in")


def draw(axes: Axes, data: pd.DataFrame, labels: Mapping[str, str]) -> None:
    """Draw a dot a proxy, and the front as a line; data as `cost_data` makes them.

    Names stand at the right for the front and for the user's own proxies, and beside other dots where there is room.
    """
    front, others = data[data["front"]], data[~data["front"]]
    exponents = np.log10(data["relative_cost"].to_numpy())
    # At least a decade wide, so that at least one power of ten stands below the axis.
    room = 0.15 + max(0.0, 1.0 - float(np.ptp(exponents))) / 2
    low, high = exponents.min() - room, exponents.max() + room
    axes.set_xscale("log")
    axes.minorticks_off()
    axes.set_xlim(10.0**low, 10.0**high)
    powers = range(math.ceil(low), math.floor(high) + 1)
    ticks = [10.0**power for power in powers[:: math.ceil(len(powers) / 5)]]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    lowest, highest = data["correlation"].min(), data["correlation"].max()
    above = max(0.05 * (highest - lowest), 0.02)
    axes.set_ylim(lowest - above, highest + above)
    axes.grid()
    axes.plot(others["relative_cost"], others["correlation"], "o", color="#888888", markersize=2.6, markeredgewidth=0)
    steps = np.repeat([*front["relative_cost"], 10.0**high], 2)[1:-1], np.repeat(front["correlation"], 2)
    axes.plot(*steps, color="#0072B2")
    axes.plot(front["relative_cost"], front["correlation"], "o", color="#0072B2", markersize=4, markeredgewidth=0)
    canvas.number(axes, "y")
    axes.set_xlabel("Cost relative to one forward and backward pass", loc="left")
    always = _always_named(data)
    named, spare = data[always].sort_values("correlation", kind="stable"), data[~always]
    lines = ends.label(axes, _places(named), _texts(named, labels), ["#999999"] * len(named))
    best = spare.sort_values("correlation", ascending=False, kind="stable")
    lines += [list(zip(*steps, strict=True)), *([dot] for dot in _places(data))]
    ends.label_dots(axes, _places(best), _texts(best, labels), lines)


def _places(data: pd.DataFrame) -> list[tuple[float, float]]:
    return list(zip(data["relative_cost"], data["correlation"], strict=True))


def _texts(data: pd.DataFrame, labels: Mapping[str, str]) -> list[str]:
    return [labels.get(name, name) for name in data["proxy"]]
