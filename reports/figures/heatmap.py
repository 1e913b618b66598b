"""Heat maps with names at rows and columns, as several figures draw them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

NOT_DEFINED = "#BBBBBB"
#: Above how many rows or columns no number is written into the cells.
MOST_NUMBERED = 16


def draw(
    axes: Axes,
    table: pd.DataFrame,
    heads: tuple[Sequence[str], Sequence[str]],
    label: str,
    *,
    low: float = -1.0,
    colours: str = "RdBu_r",
) -> None:
    """Draw a table of numbers up to 1: grey where one is not defined, and a scale of colours beside it.

    Args:
        axes: where to draw.
        table: of the numbers.
        heads: what rows and columns are called; no columns where these are not written.
        label: of the scale.
        low: the lowest number there may be.
        colours: of the scale.
    """
    axes.set_facecolor(NOT_DEFINED)
    axes.grid(False)
    image = axes.imshow(table.to_numpy(float), vmin=low, vmax=1, cmap=colours, interpolation="nearest", aspect="auto")
    axes.set_yticks(range(len(heads[0])), heads[0])
    upright = not any("\n" in head for head in heads[1])
    axes.set_xticks(range(len(heads[1])), heads[1], rotation=90 if upright else 0)
    axes.tick_params(length=0, pad=2)
    axes.spines[:].set_visible(False)
    bar = axes.figure.colorbar(image, ax=axes, aspect=25, pad=0.02, fraction=0.05)
    bar.set_ticks([low, (1 + low) / 2, 1])
    bar.set_label(label)
    bar.outline.set_visible(False)
    if max(table.shape) <= MOST_NUMBERED:
        _write_numbers(axes, table.to_numpy(float))


def _write_numbers(axes: Axes, table: np.ndarray) -> None:
    for (row, column), value in np.ndenumerate(table):
        if np.isfinite(value):
            text = f"{round(value, 2) + 0.0:.2f}".replace("-", "\N{MINUS SIGN}")  # which has no minus zero
            colour = "white" if abs(value) > 0.6 else "black"
            axes.text(column, row, text, ha="center", va="center_baseline", color=colour)
