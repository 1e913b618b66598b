"""The figures of one run: drawn, saved, and as small copies for the page."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from diswot.harness import progress
from diswot.harness.runs.results import Results
from diswot.reports.figures.drawing import Drawing
from diswot.reports.figures.kinds import KINDS
from diswot.reports.style import canvas
from diswot.reports.summary import on_all_cells, targets_of

PAGE_COLOURS = 96


@dataclass(frozen=True)
class Thumbnail:
    """A figure as the page shows it; width and height are the pixels of the PNG."""

    stem: str
    alternative: str
    caption: str
    png: bytes
    width: int
    height: int


@dataclass(frozen=True)
class Group:
    """All figures of one kind, of which there is at least one; see `diswot.reports.figures.kinds.Kind`."""

    name: str
    title: str
    thumbnails: tuple[Thumbnail, ...]
    of_search: bool = False


def draw(results: Results, folder: Path, names: Sequence[str] | None = None) -> tuple[tuple[Group, ...], list[Path]]:
    """Draw and save the figures of a run; one without any correlation gets those of its search alone.

    Args:
        results: the run.
        folder: where they are written.
        names: of kinds of figures, in the order of the page whatever theirs; all by default.

    Returns:
        The figures by kind, without the kinds that the run has nothing to show of, and the files written.

    Raises:
        diswot.benchmarks.errors.InputError: a name is not known, or the folder cannot be made or written to.
    """
    asked = None if names is None else [KINDS[name] for name in names]
    groups: list[Group] = []
    written: list[Path] = []
    correlated = bool(targets_of(results)) and not on_all_cells(results).empty
    possible = [
        kind
        for kind in KINDS.values()
        if (asked is None or kind in asked) and (results.search is not None if kind.of_search else correlated)
    ]
    with progress.shown(len(possible), "figure kind", f"figures of {results.folder.name}") as step:
        for kind in possible:
            thumbnails = []
            for drawing in kind.draw(results):
                paths = canvas.save(drawing.figure, folder, drawing.stem, drawing.data)
                thumbnails.append(_thumbnail(drawing, paths[0]))
                written += paths
            if thumbnails:
                groups.append(Group(kind.name, kind.title, tuple(thumbnails), kind.of_search))
            step()
    return tuple(groups), written


def _thumbnail(drawing: Drawing, large: Path) -> Thumbnail:
    # Half the size is enough for a screen, and a palette keeps forty images small enough for one page.
    with Image.open(large) as image:
        small = image.convert("RGB").reduce(2).quantize(PAGE_COLOURS, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    small.save(buffer, format="PNG", optimize=True)
    return Thumbnail(drawing.stem, drawing.alternative, drawing.caption, buffer.getvalue(), small.width, small.height)
