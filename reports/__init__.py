"""What is shown of stored results: figures, their data, and one self-contained HTML page."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from diswot.harness.runs.results import Results
    from diswot.reports.style.look import Look

__all__ = ["build", "figures_folder", "require"]


def require(
    folders: Sequence[Path],
    *,
    figures: Sequence[str] | None = None,
    proxies: Sequence[str] = (),
    labels: Collection[str] = (),
    targets: tuple[str, ...] = (),
    further: Sequence[str] = (),
) -> None:
    """Refuse what no table or figure of some runs can show, before anything is computed or written.

    Args:
        folders: of the runs.
        figures: names of kinds of figures.
        proxies: names of proxies and ensembles.
        labels: names of proxies, ensembles and targets.
        targets: that the runs are about to be correlated with; by default those of their stored answers.
        further: proxies that each run is about to get.

    Raises:
        diswot.benchmarks.errors.InputError: if a kind of figure or a label is not known, or a run has no such proxy or
            ensemble.
    """
    from diswot.benchmarks import spaces
    from diswot.benchmarks.errors import unknown
    from diswot.harness.evidence import ensembles
    from diswot.harness.runs import results, run_folder
    from diswot.reports import paper

    if figures is not None:
        from diswot.reports.figures.kinds import KINDS

        for name in figures:
            KINDS[name]  # which refuses one that is not known
    for folder in folders:
        info = run_folder.read_info(folder)
        own = [proxy.name for proxy in info.proxies] + list(further)
        known = [*own, *(one.name for one in ensembles.available(own))]
        for name in proxies:
            if name not in known:
                raise unknown("proxies", name, known)
        if labels:
            space = spaces.get(info.space)
            asked = results.targets_of(space.name, targets or space.targets)
            before = () if targets else results.load(folder).evidence["target"]
            paper.check_labels(labels, {*own, *asked, *before})


def build(
    results: Sequence[Results], folder: Path, figures: Sequence[str] | None = None, wanted: Look | None = None
) -> list[Path]:
    """Draw the figures of every run into a folder ``figures`` and write ``folder/report.html``.

    The figures lie in the run's folder where the page lies there too, or above it; else in ``folder/NAME/figures``,
    where NAME is that of the run's folder.

    A run without any correlation (no scored cell has an accuracy) gets the figures of its search alone; the page says
    so. Equal results give equal bytes.

    Args:
        results: the runs.
        folder: of the page.
        figures: names of kinds of figures, as in `diswot.reports.figures.kinds.KINDS`; all by default.
        wanted: the proxies, order, labels and width of the figures; the page shows these proxies in this order.

    Returns:
        The files written, the page first.

    Raises:
        ValueError: no results are given.
        diswot.benchmarks.errors.InputError: the name of a figure or proxy, or one that has a label, is not known, or a
            folder cannot be made or written to.
    """
    # Drawing and templates are heavy; a command line that only prints its help must not load them.
    from diswot.harness import files
    from diswot.reports import paper
    from diswot.reports.figures import gallery
    from diswot.reports.page import page
    from diswot.reports.style import look

    if not results:
        raise ValueError("a report needs at least one run")

    def address(figures: Path) -> str:
        # As a link in a page in the folder writes it.
        return quote(os.fsencode(Path(os.path.relpath(figures.resolve(), folder.resolve())).as_posix()))

    wanted = look.Look() if wanted is None else wanted
    paper.check_labels(wanted.labels, set().union(*map(paper.labelled, results)))
    results = [paper.chosen(run, wanted.proxies) for run in results]
    with look.using(wanted):
        drawn = [gallery.draw(run, figures_folder(run, folder), figures) for run in results]
        sections = [
            page.Section(run, groups, address(figures_folder(run, folder)))
            for run, (groups, _) in zip(results, drawn, strict=True)
        ]
        html = page.render(sections)
    content = html.encode(errors="backslashreplace")  # the name of a folder need not be UTF-8
    written = files.write(folder / "report.html", lambda temporary: temporary.write_bytes(content))
    return [written, *(path for _, paths in drawn for path in paths)]


def figures_folder(run: Results, folder: Path) -> Path:
    """Return where the figures of a run lie whose page lies in ``folder``."""
    page, own = folder.resolve(), run.folder.resolve()
    return (run.folder if page in (own, *own.parents) else folder / run.folder.name) / "figures"
