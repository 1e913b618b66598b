"""Names beside the axes, each at the end of a line from what it names, or beside dots, so that none covers another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TypeAlias

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

from diswot.reports.style import typography

#: How far from the axes names begin, as a share of their width.
_AWAY = 1.05
#: How many inches from its dot a name begins, and its colour.
_NEAR, _QUIET = 0.045, "#555555"


Place: TypeAlias = tuple[float, float]


def label(axes: Axes, places: Sequence[Place], texts: Sequence[str], colours: Sequence[str]) -> list[list[Place]]:
    """Write texts to the right of the axes, after all else is drawn, and return the lines to them, in data.

    Args:
        axes: where the places are.
        places: what the texts are about, in data, the lowest first.
        texts: as they are written.
        colours: of the lines.
    """
    axes.figure.canvas.figure.draw_without_rendering()  # so that the axes have their height and their limits
    line = 1.4 * mpl.rcParams["font.size"] / typography.POINTS_PER_INCH
    gap = line / (axes.get_window_extent().height / axes.figure.dpi)
    wanted = axes.transAxes.inverted().transform(axes.transData.transform(np.asarray(places)))[:, 1]
    to_data, lines = axes.transAxes - axes.transData, []
    for place, text, colour, height in zip(places, texts, colours, spread(wanted, gap, 1.0), strict=True):
        axes.text(_AWAY, height, text, va="center", transform=axes.transAxes)
        line_to = {"arrowstyle": "-", "color": colour, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 0, "zorder": 1.2}
        axes.annotate(
            "", place, (_AWAY - 0.01, height), textcoords="axes fraction", annotation_clip=False, arrowprops=line_to
        )
        lines.append([place, tuple(to_data.transform((_AWAY - 0.01, height)))])
    return lines


def label_dots(axes: Axes, places: Sequence[Place], texts: Sequence[str], lines: Iterable[Sequence[Place]]) -> None:
    """Write texts beside their places, those that cover no line, no other text and no end of the axes.

    Args:
        axes: where the places are.
        places: what the texts are about, in data, the most important first.
        texts: as they are written.
        lines: what is not to be covered, in data: the corners of lines; a dot is a single corner.
    """
    axes.figure.canvas.figure.draw_without_rendering()  # so that the axes have their size
    size = mpl.rcParams["font.size"]
    drawn = np.concatenate([_along(axes.transData.transform(np.asarray(line)) / axes.figure.dpi) for line in lines])
    frame = np.asarray(axes.get_window_extent().extents) / axes.figure.dpi
    covered: list[np.ndarray] = []
    for place, text in zip(places, texts, strict=True):
        across, up = axes.transData.transform(place) / axes.figure.dpi
        long, half = typography.width(text, size), 0.6 * size / typography.POINTS_PER_INCH
        for side, left in (("left", across + _NEAR), ("right", across - _NEAR - long)):
            low, high = np.array([left, up - half]), np.array([left + long, up + half])
            crossed = ((drawn >= low) & (drawn <= high)).all(axis=1).any()
            overlaps = any((low < box[2:]).all() and (box[:2] < high).all() for box in covered)
            if not crossed and not overlaps and (low >= frame[:2]).all() and (high <= frame[2:]).all():
                covered.append(np.concatenate([low, high]))
                offset = (_NEAR if side == "left" else -_NEAR) * typography.POINTS_PER_INCH
                axes.annotate(text, place, (offset, 0), textcoords="offset points", ha=side, va="center", color=_QUIET)
                break


def _along(corners: np.ndarray) -> np.ndarray:
    # Places along a line, closer to each other than a letter is high.
    parts = [np.linspace(start, end, 100) for start, end in pairwise(corners)]
    return np.concatenate([corners, *parts])


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
