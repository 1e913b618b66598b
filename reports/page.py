"""One self-contained HTML page: nothing in it is loaded from anywhere else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import pandas as pd
from markupsafe import Markup

from reports import content, numbers
from reports.gallery import Picture, Pictures
from reports.summary import conditions, targets_of

if TYPE_CHECKING:
    from harness.results import Results

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Section:
    """One run and its figures."""

    results: Results
    pictures: Pictures


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
        "breakable": content.breakable,
        "data_address": _data_address,
        "decimal": numbers.decimal,
        "finite": pd.notna,
        "linked": content.linked,
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
    return {
        "anchor": f"run-{number}",
        "title": content.title(results),
        "conditions": conditions(results),
        "targets": targets_of(results),
        "overview": content.overview(results),
        "findings": content.findings(results),
        "correlations": content.correlation_rows(results),
        "bars": section.pictures.bars,
        "scatters": section.pictures.scatters,
        "accuracies": content.accuracy_rows(results),
        "problems": content.problem_rows(results),
        "provenance": content.provenance(results),
        "command": content.command(results),
        "proxies": content.proxy_rows(results),
        "cards": content.card_rows(results),
    }


def _data_address(picture: Picture) -> str:
    return "data:image/png;base64," + base64.b64encode(picture.png).decode()


def _hash(text: str) -> str:
    # The policy in the page's head lets exactly this text run, so that nothing slipped into a name ever can.
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
