"""Which proxies see distillation: how much better each predicts the distilled accuracy than the vanilla one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from diswot.reports.figures.drawing import Drawing
from diswot.reports.style import canvas, names, rows
from diswot.reports.style.numbers import counted
from diswot.reports.summary import circumstances, measure_of, targets_of, toward, troubles

if TYPE_CHECKING:
    from diswot.harness.runs.results import Results

CLEAR, UNCLEAR = "#0072B2", "#777777"


def drawings(results: Results) -> list[Drawing]:
    """Return one figure for every distilled target that the run also has the vanilla accuracy of."""
    found = (_drawing(results, target) for target in targets_of(results))
    return [drawing for drawing in found if drawing is not None]


def _drawing(results: Results, target: str) -> Drawing | None:
    evidence = toward(results, target)
    columns = ["over_vanilla", "over_vanilla_low", "over_vanilla_high"]
    evidence = evidence.assign(**{name: evidence[name].astype(float) for name in columns})
    known = evidence.dropna(subset="over_vanilla")
    if known.empty:
        return None
    known = known.sort_values("over_vanilla", ascending=False, kind="stable", ignore_index=True)
    data = known[["proxy", "family", "target", *columns]]
    hidden = len(evidence) - len(known)
    left_out = f"; {counted(hidden, 'proxy', 'proxies')} without a correlation left out" if hidden else ""
    marks = "whiskers: 95 % interval over cells, paired; filled: the interval excludes zero"
    note = f"{target}; {circumstances(results, known)}; {marks}{left_out}."
    measure = measure_of(results.evidence).capitalize()
    with canvas.style():
        figure, axes = rows.sheet(list(known["proxy"]), f"{measure}, distilled minus vanilla", note)
        axes.axvline(0, color="#333333", linewidth=0.6, zorder=0.9)
        for height, (middle, low, high) in enumerate(known[columns].to_numpy()):
            clear = bool(low > 0 or high < 0)
            colour = CLEAR if clear else UNCLEAR
            if np.isfinite(low) and np.isfinite(high):
                axes.plot([low, high], [height, height], color=colour, linewidth=0.8)
            axes.plot(
                [middle],
                [height],
                marker="o",
                markersize=3.2,
                color=colour,
                markerfacecolor=colour if clear else "white",
                markeredgewidth=0.7,
            )
    return Drawing(
        names.stem("over-vanilla", target),
        figure,
        data,
        f"How much higher the {measure} correlation of every proxy is with {target} than with the vanilla accuracy of "
        f"the same table; {circumstances(results, known)}; {marks}{left_out}{troubles(known)}.",
        f"Differences between the correlations of {counted(len(known), 'proxy', 'proxies')} with distilled and with "
        "vanilla accuracy, with intervals",
    )
