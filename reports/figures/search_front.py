"""A search with two objectives: what a cell on the front is at most, by cost, and how the front grows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from diswot.benchmarks.errors import counted
from diswot.harness.runs.results import Results
from diswot.harness.runs.stored_search import Search
from diswot.reports.figures.drawing import Drawing
from diswot.reports.figures.search_curves import DOTTED, NUMBERS, draw_curve, number_evaluations
from diswot.reports.searches import ALGORITHMS, as_numbers, circumstances, drivers, of, with_teacher
from diswot.reports.style import canvas, file_names, scales, typography
from diswot.reports.style.wording import joined, left_out
from diswot.reports.summary import column_of

MOST, HEIGHT, POINTS = 3, 1.9, 120
#: How far below the best accuracy the axis reaches, in percent points.
DEPTH = 12.0
COLOURS = ("#0072B2", "#009E73", "#CC79A7", "#D55E00")
RANDOM, WHOLE = "#E69F00", "#333333"


def drawings(results: Results) -> list[Drawing]:
    """Return a figure a driver; nothing without a search that has two objectives."""
    search = results.search
    if search is None or search.fronts.empty:
        return []
    present = [name for name in drivers(search) if name in set(search.fronts["driver"])]
    return [_drawing(results, search, name, len(present)) for name in present[:MOST]]


def front_data(search: Search, driver: str, target: str | None) -> pd.DataFrame:
    """Return what the costliest affordable cell of a front is, by cost: one row an algorithm, quantity and cost.

    A search's choice at a cost is the cell of the best score on its front that costs no more. ``mean`` and its 95 %
    interval are over searches, at costs that each of them has a cell for.

    Args:
        search: with two objectives.
        driver: of the fronts.
        target: an accuracy; None where there is none.
    """
    own = of(with_teacher(search.fronts, search.info.teachers[0]), driver=driver)
    quantities = {"score": own.assign(value=100 * own["share"].astype(float))}
    if target is not None:
        best = of(search.fronts, driver=target, algorithm="oracle")
        quantities[target] = pd.concat([own, best]).assign(value=lambda frame: frame[target].astype(float))
    parts = [
        _chosen(front.dropna(subset=["value"])).assign(algorithm=algorithm, quantity=quantity)
        for quantity, frame in quantities.items()
        for algorithm, front in frame.groupby("algorithm", sort=False)
    ]
    return pd.concat(parts, ignore_index=True)


def _chosen(front: pd.DataFrame) -> pd.DataFrame:
    # The fronts of all cells have no seed, and are one front.
    searches = [part.sort_values("cost") for _, part in front.groupby("seed", dropna=False)]
    if not searches:
        return pd.DataFrame(columns=["cost", "mean", "low", "high", "searches"])
    first = max(part["cost"].min() for part in searches)
    costs = np.unique(front["cost"][front["cost"] >= first])
    costs = costs[np.unique(np.linspace(0, len(costs) - 1, POINTS).round().astype(int))]
    values = np.array(
        [part["value"].to_numpy()[np.searchsorted(part["cost"], costs, "right") - 1] for part in searches]
    )
    half = stats.sem(values) * stats.t.ppf(0.975, len(values) - 1) if len(values) > 1 else np.full(len(costs), np.nan)
    mean = values.mean(axis=0)
    return pd.DataFrame({"cost": costs, "mean": mean, "low": mean - half, "high": mean + half, "searches": len(values)})


def _drawing(results: Results, search: Search, driver: str, count: int) -> Drawing:
    target = next(iter(search.hypervolumes["quantity"][search.hypervolumes["quantity"] != "score"]), None)
    data = front_data(search, driver, target)
    cost = str(search.info.cost)
    words = joined(
        circumstances(results, search),
        "a step is the cell of the best score on the front that costs no more",
        "bands: 95 % interval of the mean" if data["low"].notna().any() else "",
        "ranks among all cells",
        left_out(count - MOST, "driver") if count > MOST else "",
    )
    return Drawing(
        file_names.stem("search-front", driver),
        _sheet(search, driver, target, data, f"{words}."),
        data,
        f"Fronts of {driver} and {cost}, and their hypervolume as a share of that of all cells; {words}.",
        f"Pareto fronts of {driver} and {cost} by {counted(len(search.info.options.algorithms), 'algorithm')}",
    )


def _sheet(search: Search, driver: str, target: str | None, data: pd.DataFrame, note: str) -> Figure:
    cost = str(search.info.cost)
    looks = _looks(search.info.options.algorithms)
    with canvas.style():
        quantities = list(dict.fromkeys(data["quantity"]))
        figure, sheet = canvas.sheet(
            canvas.DOUBLE_COLUMN, HEIGHT + canvas.AXIS_LABELS, note, columns=1 + len(quantities)
        )
        for axes, quantity in zip(sheet, quantities, strict=False):
            draw(axes, of(data, quantity=quantity), looks)
            axes.set_xlabel(typography.elide(column_of(cost), canvas.DOUBLE_COLUMN / 3 - 0.4))
            label = f"{driver}, cells no better, %" if quantity == "score" else f"{quantity}, %"
            axes.set_ylabel(typography.elide(label, HEIGHT), loc="top")
        curves = as_numbers(
            of(with_teacher(search.curves, search.info.teachers[0]), driver=driver, quantity="hypervolume"), *NUMBERS
        )
        _draw_growth(sheet[-1], curves, looks)
        handles, labels = sheet[-2].get_legend_handles_labels()
        canvas.legend(figure, len(labels), handles=handles, labels=labels)
    return figure


def _looks(algorithms: list[str]) -> dict[str, dict[str, Any]]:
    # Random search below the others, in the colour that it has in every figure; then the front of all cells.
    searched = [name for name in algorithms if name != "random"]
    looks: dict[str, dict[str, Any]] = {}
    if "random" in algorithms:
        looks["random"] = {"color": RANDOM, "linestyle": canvas.DASHES[1], "label": "Random search"}
    for number, name in enumerate(searched):
        called = {"nsga2": "NSGA-II"}.get(name, ALGORITHMS.get(name, name).capitalize())
        looks[name] = {"color": COLOURS[number % len(COLOURS)], "label": called}
    looks["exhaustive"] = {"color": WHOLE, "linestyle": DOTTED, "linewidth": 0.8, "label": "All cells, by score"}
    looks["oracle"] = {"color": "#888888", "linewidth": 0.8, "label": "All cells, by accuracy"}
    return looks


def draw(axes: Axes, data: pd.DataFrame, looks: Mapping[str, Mapping[str, Any]]) -> None:
    """Draw a step line an algorithm: the choice at every cost, as `front_data` makes it for one quantity."""
    axes.grid()
    for name, look in looks.items():
        front = of(data, algorithm=name)
        if front.empty:
            continue
        # The last choice holds for whatever more may be spent.
        extended = pd.concat([front, front.tail(1).assign(cost=data["cost"].max())])
        costs, mean, low, high = (extended[column].to_numpy(float) for column in ("cost", "mean", "low", "high"))
        axes.fill_between(costs, low, high, step="post", color=look["color"], alpha=0.2, linewidth=0)
        axes.step(costs, mean, where="post", **{"linewidth": 1.0} | dict(look))
    means = data["mean"].to_numpy(float)
    top, bottom = float(means.max()), float(means.min())
    # The cheapest cells may be useless, and it is the others that are looked at.
    foot = bottom if data["quantity"].iloc[0] == "score" else max(top - DEPTH, bottom)
    room = 0.03 * (top - foot) + 0.01
    axes.set_ylim(foot - room, top + room)
    canvas.number(axes, "x")
    canvas.number(axes, "y")


def _draw_growth(axes: Axes, curves: pd.DataFrame, looks: Mapping[str, Mapping[str, Any]]) -> None:
    axes.grid()
    axis = scales.fitting(
        curves.loc[curves["evaluation"] >= 0.1 * curves["evaluation"].max(), ["low", "high", "mean"]].to_numpy().ravel()
    )
    for name, look in looks.items():
        draw_curve(axes, of(curves, algorithm=name), "evaluation", axis, **dict(look) | {"label": None})
    axes.set_ylim(axis.low, axis.high)
    axes.set_yticks(axis.ticks, axis.labels)
    number_evaluations(axes, float(curves["evaluation"].max()))
    axes.set_xlabel("Evaluations")
    axes.set_ylabel("Hypervolume", loc="top")
