"""Which proxies see distillation: how much better each predicts the distilled accuracy than the vanilla one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from diswot.benchmarks.errors import counted
from diswot.harness.runs.results import Results
from diswot.reports.figures.drawing import Drawing
from diswot.reports.style import canvas, file_names
from diswot.reports.style.wording import joined, left_out
from diswot.reports.summary import circumstances, metric_of, targets_of, toward, troubles

COLUMNS = ["over_vanilla", "over_vanilla_low", "over_vanilla_high"]
CLEAR, UNCLEAR = "#0072B2", "#777777"


def drawings(results: Results) -> list[Drawing]:
    """Return one figure for every distilled target that the run also has the vanilla accuracy of."""
    found = (_drawing(results, target) for target in targets_of(results))
    return [drawing for drawing in found if drawing is not None]


def difference_data(evidence: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of one target's evidence that have a difference, the largest first."""
    known = evidence.astype(dict.fromkeys(COLUMNS, float)).dropna(subset="over_vanilla")
    return known.sort_values("over_vanilla", ascending=False, kind="stable", ignore_index=True)


def draw(axes: Axes, data: pd.DataFrame, labels: Mapping[str, str]) -> None:
    """Draw a row a proxy: the difference and its interval, filled where the interval excludes zero.

    Args:
        axes: where to draw.
        data: as `difference_data` returns them, in drawing order.
        labels: what proxies are called, where not by their names.
    """
    canvas.list_proxies(axes, [labels.get(name, name) for name in data["proxy"]])
    axes.set_xlabel(f"{metric_of(data).capitalize()}, distilled minus vanilla", loc="right")
    axes.axvline(0, color="#333333", linewidth=0.6, zorder=0.9)
    for height, (middle, low, high) in enumerate(data[COLUMNS].to_numpy()):
        clear = bool(low > 0 or high < 0)
        colour = CLEAR if clear else UNCLEAR
        if np.isfinite(low) and np.isfinite(high):
            axes.plot([low, high], [height, height], color=colour, linewidth=0.8)
        filled = colour if clear else axes.get_facecolor()
        axes.plot(middle, height, "o", markersize=3.2, color=colour, markerfacecolor=filled, markeredgewidth=0.7)


def _drawing(results: Results, target: str) -> Drawing | None:
    evidence = toward(results, target)
    data = difference_data(evidence)
    if data.empty:
        return None
    words = joined(
        circumstances(results, data),
        "whiskers: 95 % interval over cells, paired; filled: the interval excludes zero",
        left_out(len(evidence) - len(data), "proxy", "proxies", "without a correlation"),
    )
    with canvas.style():
        figure, (axes,) = canvas.sheet(
            canvas.SINGLE_COLUMN, canvas.ROW * len(data) + canvas.AXIS_LABELS, f"{target}; {words}."
        )
        draw(axes, data, canvas.short(data["proxy"]))
    return Drawing(
        file_names.stem("over-vanilla", target),
        figure,
        data[["proxy", "family", "target", *COLUMNS]],
        f"How much higher the {metric_of(data).capitalize()} correlation of every proxy is with {target} than with "
        f"the vanilla accuracy of the same table; {words}{troubles(data)}.",
        f"Differences between the correlations of {counted(len(data), 'proxy', 'proxies')} with distilled and with "
        "vanilla accuracy, with intervals",
    )
