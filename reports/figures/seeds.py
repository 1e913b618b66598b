"""How much a correlation depends on the weights that were drawn: a box over seeds for every proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from diswot.reports.figures.drawing import Drawing
from diswot.reports.style import canvas, rows
from diswot.reports.style.numbers import counted
from diswot.reports.summary import circumstances, measure_of, targets_of, toward, troubles

if TYPE_CHECKING:
    from diswot.harness.runs.results import Results

BOX = 0.62


def drawings(results: Results) -> list[Drawing]:
    """Return the box plot over seeds for the first target; nothing where no proxy has two seeds that are defined."""
    target, measure = targets_of(results)[0], measure_of(results.evidence)
    evidence = toward(results, target)
    by_seed = results.correlations[results.correlations["target"] == target]
    data = by_seed[["proxy", "seed", measure]].dropna().rename(columns={measure: "correlation"})
    # Read back from a file, the column may hold objects.
    data["correlation"] = data["correlation"].astype(float)
    if data.empty or data.groupby("proxy").size().max() < 2:
        return []
    seen = set(data["proxy"])
    proxies = [name for name in evidence["proxy"] if name in seen]
    place = {name: number for number, name in enumerate(proxies)}
    data = data.sort_values("proxy", key=lambda names: names.map(place), kind="stable", ignore_index=True)
    hidden = len(evidence) - len(proxies)
    left_out = f"; {counted(hidden, 'proxy', 'proxies')} without a correlation left out" if hidden else ""
    boxes = "dots: single seeds; boxes: quartiles and median over seeds, lines to the extremes"
    note = f"{circumstances(results, evidence)}; {boxes}{left_out}."
    with canvas.style():
        figure, axes = rows.sheet(proxies, f"{measure.capitalize()} correlation with {target}", note)
        for number, name in enumerate(proxies):
            _draw(axes, number, data.loc[data["proxy"] == name, "correlation"].to_numpy())
        if data["correlation"].min() < 0 < data["correlation"].max():
            axes.axvline(0, color="#333333", linewidth=0.5, zorder=0.9)
    what = f"{measure.capitalize()} correlation of every proxy with {target}, seed by seed"
    return [
        Drawing(
            "seeds",
            figure,
            data,
            f"{what}; {circumstances(results, evidence)}; {boxes}{left_out}{troubles(evidence)}.",
            f"Box plot over seeds of the {measure.capitalize()} correlation of "
            f"{counted(len(proxies), 'proxy', 'proxies')} with {target}",
        )
    ]


def _draw(axes: Axes, height: int, values: np.ndarray) -> None:
    lower, median, upper = np.quantile(values, [0.25, 0.5, 0.75])
    axes.plot([values.min(), values.max()], [height, height], color="#333333", linewidth=0.6, zorder=1.5)
    axes.barh(height, upper - lower, BOX, left=lower, color="#CFE3F1", edgecolor="#333333", linewidth=0.5, zorder=2)
    axes.plot([median, median], [height - BOX / 2, height + BOX / 2], color="#333333", linewidth=1.0, zorder=3)
    axes.plot(
        values,
        np.full(len(values), height),
        linestyle="none",
        marker="o",
        markersize=2.4,
        color="#0072B2",
        markeredgewidth=0,
        zorder=4,
    )
