"""Names beside the axes, each at the end of a line from what it names, so that none covers another."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

from diswot.reports.style.typography import POINTS_PER_INCH

#: How far from the axes names begin, as a share of their width.
_AWAY = 1.05


def label(axes: Axes, places: Sequence[tuple[float, float]], texts: Sequence[str], colours: Sequence[str]) -> None:
    """Write texts to the right of the axes, after all else is drawn.

    Args:
        axes: where the places are.
        places: what the texts are about, in data, the lowest first.
        texts: as they are written.
        colours: of the lines.
    """
    axes.figure.canvas.figure.draw_without_rendering()  # so that the axes have their height and their limits
    line = 1.4 * mpl.rcParams["font.size"] / POINTS_PER_INCH
    gap = line / (axes.get_window_extent().height / axes.figure.dpi)
    wanted = axes.transAxes.inverted().transform(axes.transData.transform(np.asarray(places)))[:, 1]
    for place, text, colour, height in zip(places, texts, colours, spread(wanted, gap, 1.0), strict=True):
        axes.text(_AWAY, height, text, va="center", transform=axes.transAxes)
        line_to = {"arrowstyle": "-", "color": colour, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 0, "zorder": 1.2}
        axes.annotate(
            "", place, (_AWAY - 0.01, height), textcoords="axes fraction", annotation_clip=False, arrowprops=line_to
        )


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
