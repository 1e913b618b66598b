"""What every figure shares: the style, the sheet laid out in inches, and how it becomes files."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib.style
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from diswot.harness import files
from diswot.reports.style import typography

STYLE = Path(__file__).parent / "paper.mplstyle"
SINGLE_COLUMN = 3.3
DOUBLE_COLUMN = 6.9
MARGIN = 0.06
LINE = 0.135
UNDEFINED_COLOUR = "#D55E00"
QUIET_COLOUR = "#555555"


@contextmanager
def style() -> Iterator[None]:
    """Draw or save in the paper's style, whatever the user's own matplotlib settings are."""
    with matplotlib.style.context(["default", str(STYLE)]):
        yield


def sheet(width: float, height: float) -> Figure:
    """Return an empty figure, in inches, that belongs to no global state."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def axes_at(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Add axes whose place and size are given in inches from the lower left corner."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


def footnote(figure: Figure, lines: list[str]) -> None:
    """Write lines of small text at the foot of the figure."""
    across, up = figure.get_size_inches()
    for above, line in enumerate(reversed(lines)):
        figure.text(MARGIN / across, (MARGIN + 0.03 + above * LINE) / up, line, color=QUIET_COLOUR, va="baseline")


def footnote_lines(text: str, width: float) -> list[str]:
    """Return a footnote's lines for a figure of that many inches."""
    return typography.wrap(text, width - 2 * MARGIN)


def foot_height(lines: list[str]) -> float:
    """Return how many inches a footnote takes."""
    return MARGIN + LINE * len(lines) + 0.05


def png(figure: Figure, dpi: int) -> bytes:
    """Return the figure as a PNG file that holds no date."""
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def pdf(figure: Figure) -> bytes:
    """Return the figure as a PDF file with text kept as text and without a date."""
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format="pdf", metadata={"CreationDate": None, "Creator": None, "Producer": None})
    return buffer.getvalue()


def svg(figure: Figure) -> bytes:
    """Return the figure as an SVG file with text kept as text and without a date."""
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def save(figure: Figure, folder: Path, stem: str, data: pd.DataFrame) -> list[Path]:
    """Write ``stem.png`` (300 dpi), ``.pdf``, ``.svg`` and the drawn data as ``.csv``; equal input gives equal bytes.

    Raises:
        diswot.benchmarks.errors.InputError: the folder cannot be made or written to.
        OSError: a file cannot be written; none is left half written.
    """
    contents = {
        "png": png(figure, dpi=300),
        "pdf": pdf(figure),
        "svg": svg(figure),
        "csv": data.to_csv(index=False, lineterminator="\n").encode(),
    }
    return [_write(folder / f"{stem}.{ending}", content) for ending, content in contents.items()]


def _write(path: Path, content: bytes) -> Path:
    return files.write(path, lambda temporary: temporary.write_bytes(content))
