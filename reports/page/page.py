"""One self-contained HTML page: nothing in it is loaded from anywhere else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import pandas as pd
from markupsafe import Markup

from diswot.reports.page import content, search_content, tables

if TYPE_CHECKING:
    from diswot.harness.runs.results import Results
    from diswot.reports.figures.gallery import Group, Picture

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Section:
    """One run and its figures."""

    results: Results
    groups: tuple[Group, ...]


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
        "breakable": tables.breakable,
        "data_address": _data_address,
        "finite": pd.notna,
        "linked": tables.linked,
    }
    style, script = ((TEMPLATES / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    return environment.get_template("report.html.j2").render(
        runs=[_run(number, section) for number, section in enumerate(sections, start=1)],
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def _run(number: int, section: Section) -> dict[str, Any]:
    results = section.results
    run = {
        "anchor": f"run-{number}",
        "title": content.title(results),
        "sampled": content.sampled(results),
        "overview": content.overview(results),
        "findings": content.findings(results),
        "correlations": content.correlation_table(results),
        "reading": content.reading(results),
        "distilled": content.distilled_tables(results),
        "subsets": content.subset_table(results),
        "subset_summaries": content.subset_summaries(results),
        "measures": content.measure_table(results),
        "measure_summaries": content.measure_summaries(),
        "search": search_content.section(results),
        "groups": [group for group in section.groups if group.pictures and not group.of_search],
        "search_groups": [group for group in section.groups if group.pictures and group.of_search],
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


def _parts(run: dict[str, Any]) -> Iterable[tuple[str, str]]:
    yield "correlations", "Correlations"
    if run["distilled"]:
        yield "distilled", "Distilled against vanilla"
    if run["subsets"]:
        yield "subsets", "Subsets"
    if run["measures"].rows:
        yield "measures", "Other measures"
    yield "figures", "Figures"
    if run["search"]:
        yield "search", "Search"
    yield "problems", "Undefined and failed"
    yield "reproduce", "Reproduce"
    yield "settings", "Settings"
    yield "sources", "Sources"


def _data_address(picture: Picture) -> str:
    return "data:image/png;base64," + base64.b64encode(picture.png).decode()


def _hash(text: str) -> str:
    # The policy in the page's head lets exactly this text run, so that nothing slipped into a name ever can.
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
