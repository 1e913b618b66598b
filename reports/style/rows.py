"""Sheets of one column with a row for every proxy: names at the left, a quantity to the right."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from diswot.reports.style import canvas, typography

LONGEST_NAME = 1.35
ROW = 0.15
AXIS_LABELS, HEAD, RIGHT = 0.36, 0.06, 0.16


def sheet(proxies: Sequence[str], label: str, note: str) -> tuple[Figure, Axes]:
    """Return a figure and its axes: proxy number n at height n, the first on top.

    Args:
        proxies: their names.
        label: of the horizontal axis.
        note: at the foot.
    """
    names = [typography.elide(name, LONGEST_NAME) for name in proxies]
    left = max(typography.width(name) for name in names) + 0.16
    lines = canvas.footnote_lines(note, canvas.SINGLE_COLUMN)
    foot = canvas.foot_height(lines)
    body = ROW * len(names) + 0.06
    width = canvas.SINGLE_COLUMN - left - RIGHT
    figure = canvas.sheet(canvas.SINGLE_COLUMN, foot + AXIS_LABELS + body + HEAD)
    axes = canvas.axes_at(figure, left, foot + AXIS_LABELS, width, body)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5 + 0.03 / ROW, -0.5 - 0.03 / ROW)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.xaxis.set_major_locator(MaxNLocator(max(2, int(width / 0.4)), steps=[1, 2, 5, 10]))
    # A label at the right end may be as long as axes and names together.
    axes.set_xlabel(typography.elide(label, left + width - 0.1), loc="right")
    canvas.footnote(figure, lines)
    return figure, axes
