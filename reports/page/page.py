"""One self-contained HTML page: nothing in it is loaded from anywhere else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from diswot.harness.runs.results import Results
from diswot.reports import answer
from diswot.reports.figures.gallery import Group, Thumbnail
from diswot.reports.page import board, cell, content, explorer, search_content, tables

TEMPLATES = Path(__file__).parent / "templates"
STYLES = ("uPlot.min.css", "report.css")
SCRIPTS = ("uPlot.min.js", "tables.js", "explorer.js", "page.js")

#: The kinds of figures in the part on distillation; the others of correlations stand with the proxies.
OF_DISTILLATION = ("two-targets", "distilled-vanilla", "relations")


@dataclass(frozen=True)
class Section:
    """One run, its figures, and the address of their folder as seen from the page's."""

    results: Results
    groups: tuple[Group, ...]
    address: str = "figures"


def render(sections: Sequence[Section]) -> str:
    """Return the page as HTML text; equal sections give equal text."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": answer.percent,
        "breakable": tables.breakable,
        "data_address": _data_address,
        "finite": pd.notna,
        "linked": tables.linked,
    }
    style, script = ("\n".join(map(_read, files)) for files in (STYLES, SCRIPTS))
    return environment.get_template("report.html.j2").render(
        runs=[_run(number, section) for number, section in enumerate(sections, start=1)],
        style=Markup(style),
        script=Markup(script),
        script_hash=_hash(script),
    )


def _read(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _run(number: int, section: Section) -> dict[str, Any]:
    results = section.results
    groups = [group for group in section.groups if group.thumbnails]
    leaderboard = board.board(results)
    space, pick = results.info.space, answer.pick_of(results.search)
    in_short = answer.in_short(results)
    run = {
        "anchor": f"run-{number}",
        "figures": section.address,
        "title": content.title(results),
        "answer": in_short,
        "further": [sentence for sentence in answer.sentences(results) if sentence not in in_short],
        "board": leaderboard,
        "lines": {line.proxy: line for line in leaderboard.lines} if leaderboard else {},
        "pick": pick,
        "pick_drawing": cell.svg(results.search.info.space, pick.cell) if pick and results.search else "",
        "cell_form": cell.svg(space),
        "explorer": explorer.data(results),
        "sampled": content.sampled(results),
        "sample": content.sample(results),
        "overview": content.overview(results),
        "findings": content.findings(results),
        "correlations": content.correlation_table(results),
        "reading": content.reading(results),
        "distilled": content.distilled_tables(results),
        "subsets": content.subset_tables(results),
        "subset_summaries": content.subset_summaries(results),
        "metrics": content.metric_tables(results),
        "metric_summaries": content.metric_summaries(),
        "search": search_content.section(results),
        "groups": [one for one in groups if not one.of_search and one.name not in OF_DISTILLATION],
        "distillation_groups": [one for one in groups if one.name in OF_DISTILLATION],
        "search_groups": [one for one in groups if one.of_search],
        "problems": content.problem_table(results),
        "made_by": content.made_by(results),
        "rebuilt_by": content.rebuilt_by(results),
        "settings": content.provenance(results),
        "targets": content.accuracy_table(results),
        "cards": content.card_rows(results),
        "proxies": content.proxy_table(results),
        "ensembles": content.ensemble_table(results),
        "citations": content.citations(results),
    }
    return run | {"parts": list(_parts(run))}


def _parts(run: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "overview", "Overview"
    if run["correlations"].rows:
        yield "proxies", "Proxies"
    if run["explorer"]:
        yield "explorer", "Explorer"
    if run["search"]:
        yield "search", "Search"
    if run["distilled"] or run["distillation_groups"]:
        yield "distillation", "Distillation"
    yield "methods", "Data and methods"


def _data_address(thumbnail: Thumbnail) -> str:
    return "data:image/png;base64," + base64.b64encode(thumbnail.png).decode()


def _hash(text: str) -> str:
    # The policy in the page's head lets exactly this text run, so that nothing slipped into a name ever can.
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
