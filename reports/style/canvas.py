"""What every figure shares: the paper's style, the sheet with a note at its foot, and how it becomes files."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from diswot.harness import files
from diswot.reports.style import look, typography

STYLE = Path(__file__).parent / "paper.mplstyle"
SINGLE_COLUMN = 3.3
DOUBLE_COLUMN = 6.9
MARGIN = 0.06
LINE = 0.135
#: A row of a figure with a proxy a row, and what stands above and below them, in inches.
ROW, AXIS_LABELS = 0.15, 0.46
UNDEFINED_COLOUR = "#D55E00"
QUIET_COLOUR = "#555555"
DASHES: tuple[Any, ...] = (
    "solid",
    (0, (5, 1.2)),
    (0, (2, 1)),
    (0, (6, 1, 1, 1)),
    (0, (1, 1)),
    (0, (8, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
)

_ENDINGS: dict[str, dict[str, Any]] = {
    "png": {"dpi": 300, "metadata": {"Software": None}},
    "pdf": {"metadata": {"CreationDate": None, "Creator": None, "Producer": None}},
    "svg": {"metadata": {"Date": None, "Creator": None}},
}


@contextmanager
def style() -> Iterator[None]:
    """Draw or save in the paper's style, whatever the user's own matplotlib settings are."""
    with matplotlib.style.context(["default", str(STYLE)]):
        yield


def sheet(
    across: float, body: float, note: str = "", rows: int = 1, columns: int = 1, pad: float = 0.05, **options: Any
) -> tuple[Figure, list[Axes]]:
    """Return a new figure that belongs to no global state, and its axes row by row.

    Args:
        across: the figure's width in inches.
        body: the height in inches of all that stands above the note.
        note: small text at the foot, unless the look in use is without.
        rows: of axes.
        columns: of axes.
        pad: the empty inches around axes.
        options: of `matplotlib.figure.Figure.subplots`.
    """
    lines = typography.wrap(note.split(), across - 2 * MARGIN) if look.current().caption else []
    foot = MARGIN + LINE * len(lines) + 0.02 if lines else 0.0
    up = foot + body
    engine = ConstrainedLayoutEngine(w_pad=pad, h_pad=0.8 * pad, rect=(0, foot / up, 1, body / up))
    figure = Figure(figsize=(across, up), layout=engine)
    for above, line in enumerate(reversed(lines)):
        height = (MARGIN + 0.03 + above * LINE) / up
        figure.text(MARGIN / across, height, line, color=QUIET_COLOUR, va="baseline").set_in_layout(False)
    return figure, list(figure.subplots(rows, columns, squeeze=False, **options).flat)


def short(names: Iterable[str], room: float = 1.35) -> dict[str, str]:
    """Return by name what it is called, elided where that is wider than that many inches."""
    called = look.current().called
    return {name: typography.elide(called(name), room) for name in names}


def column(usual: float) -> float:
    """Return the width of a figure in inches that the look in use asks for, or the usual one."""
    return {"single": SINGLE_COLUMN, "double": DOUBLE_COLUMN}.get(look.current().width, usual)


def list_proxies(axes: Axes, proxies: Sequence[str]) -> None:
    """Write proxies at the vertical axis, number n at height n, the first on top, with a grid for the values."""
    axes.set_yticks(range(len(proxies)), proxies)
    axes.set_ylim(len(proxies) - 0.35, -0.65)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(axis="x")
    number(axes, "x")


def number(axes: Axes, which: str, **options: Any) -> None:
    """Write as many round numbers at an axis, ``x`` or ``y``, as have room; options are those of `MaxNLocator`."""
    box = axes.get_window_extent()
    inches = (box.width if which == "x" else box.height) / axes.figure.dpi
    most = int(np.clip(inches / (0.45 if which == "x" else 0.35), 2, 8))
    getattr(axes, f"{which}axis").set_major_locator(MaxNLocator(most, **{"steps": [1, 2, 5, 10]} | options))


def legend(owner: Axes | Figure, columns: int, **options: Any) -> None:
    """Put a legend above the axes, or at the top of a whole figure."""
    place: dict[str, Any] = {"loc": "outside upper left"}
    if isinstance(owner, Axes):
        place = {"loc": "lower left", "bbox_to_anchor": (0, 1), "alignment": "left"}
    tight = {"borderaxespad": 0.1, "borderpad": 0.1, "handletextpad": 0.4, "columnspacing": 1, "labelspacing": 0.25}
    owner.legend(ncols=columns, **place | tight | options)


def fit(figure: Figure) -> None:
    """Move labels and titles that are too long to the end of their axes, and elide those that still are.

    The constrained layout makes no room for their length: they would stand out of the figure, or cover each other.
    """
    figure.draw_without_rendering()
    page = figure.bbox.padded(-MARGIN * figure.dpi)
    for axes in figure.axes:
        ends = axes.get_window_extent()
        across, up = (page.x0, page.x1, ends.x1), (ends.y0 - MARGIN * figure.dpi, page.y1, ends.y1)
        for text, along, (low, high, end) in (
            (axes.title, "x", across),
            (axes.xaxis.label, "x", across),
            (axes.yaxis.label, "y", up),
        ):
            extent = text.get_window_extent()
            if getattr(extent, f"{along}0") < low or getattr(extent, f"{along}1") > high:
                text.set(horizontalalignment="right", **{along: 1.0})
                elided = partial(typography.elide, available=(end - low) / figure.dpi, size=float(text.get_fontsize()))
                text.set_text("\n".join(map(elided, text.get_text().split("\n"))))


def settle(axes: Axes) -> None:
    """Make ticks that are drawn later look as the style says that is in use now."""
    style = mpl.rcParams
    axes.tick_params(
        color=style["xtick.color"],
        labelcolor=style["xtick.color"],
        labelsize=style["xtick.labelsize"],
        width=style["xtick.major.width"],
        length=style["xtick.major.size"],
        grid_color=style["grid.color"],
        grid_linewidth=style["grid.linewidth"],
    )


def content(figure: Figure, ending: str, **options: Any) -> bytes:
    """Return the figure as a PNG, PDF or SVG file, text kept as text, without a date."""
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format=ending, **_ENDINGS[ending] | options)
    return buffer.getvalue()


def save(figure: Figure, folder: Path, stem: str, data: pd.DataFrame) -> list[Path]:
    """Write ``stem.png`` (300 dpi), ``.pdf``, ``.svg`` and the drawn data as ``.csv``; equal input gives equal bytes.

    Raises:
        diswot.benchmarks.errors.InputError: the folder cannot be made or written to.
        OSError: a file cannot be written; none is left half written.
    """
    with style():
        figure.draw_without_rendering()
    figure.set_layout_engine("none")  # laying out takes as long as drawing; the first time is enough
    contents = {ending: content(figure, ending) for ending in _ENDINGS}
    contents["csv"] = data.to_csv(index=False, lineterminator="\n").encode()
    return [
        files.write(folder / f"{stem}.{ending}", partial(Path.write_bytes, data=written))
        for ending, written in contents.items()
    ]
