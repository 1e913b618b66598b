"""What is shown of stored results: figures, their data, and one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.results import Results

__all__ = ["build"]


def build(results: Sequence[Results], folder: Path, figures: Sequence[str] | None = None) -> list[Path]:
    """Draw the figures of every run into its ``figures`` folder and write ``folder/report.html``.

    A run without any correlation (no scored cell has an accuracy) gets the figures of its search alone; the page says
    so. Equal results give equal bytes.

    Args:
        results: the runs.
        folder: of the page.
        figures: names of kinds of figures, as in `reports.figures.KINDS`; all by default.

    Returns:
        The files written, the page first.

    Raises:
        ValueError: no results are given.
        benchmarks.errors.InputError: a figure's name is not known, or a folder cannot be made or written to.
    """
    # Drawing and templates are heavy; a command line that only prints its help must not load them.
    from harness import files
    from reports import gallery, page

    if not results:
        raise ValueError("a report needs at least one run")
    drawn = [gallery.draw(run, run.folder / "figures", figures) for run in results]
    html = page.render([page.Section(run, groups) for run, (groups, _) in zip(results, drawn, strict=True)])
    written = files.write(
        folder / "report.html", lambda temporary: temporary.write_bytes(html.encode("utf-8", "backslashreplace"))
    )
    return [written, *(path for _, paths in drawn for path in paths)]
