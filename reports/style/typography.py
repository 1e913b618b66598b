"""Text that fits: widths are measured with the figure's own font, never guessed from the number of characters."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

POINTS_PER_INCH = 72
FAMILY = "DejaVu Sans"
# Drawn text may be wider than measured text, since low resolutions round each letter's width.
SLACK = 1.05


@lru_cache(maxsize=8192)
def width(text: str, size: float = 7) -> float:
    """Return how wide one line of text is, in inches, at a font size in points."""
    font = FontProperties(family=FAMILY, size=size)
    points, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return SLACK * float(points) / POINTS_PER_INCH


def elide(text: str, available: float, size: float = 7) -> str:
    """Shorten a text in its middle until it fits into the available inches; names differ most at their ends."""
    line = " ".join(text.split())
    if width(line, size) <= available:
        return line
    for kept in range(len(line) - 1, 0, -1):
        short = f"{line[: math.ceil(kept / 2)]}…{line[len(line) - kept // 2 :]}"
        if width(short, size) <= available:
            return short
    return "…"


def wrap(pieces: Iterable[str], available: float) -> list[str]:
    """Put pieces of a text, such as words, into lines that fit into the available inches; a longer piece is elided."""
    lines: list[str] = []
    for piece in (elide(piece, available) for piece in pieces):
        if lines and width(f"{lines[-1]} {piece}") <= available:
            lines[-1] = f"{lines[-1]} {piece}"
        else:
            lines.append(piece)
    return lines
