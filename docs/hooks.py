"""Pages of the site that docs/ does not hold: the README and its like, the notebook, and pages made from registries."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import pandas as pd
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import diswot
from diswot.benchmarks import spaces, tables
from diswot.harness.cli import _diswot
from diswot.harness.compute import costs
from diswot.harness.evidence.ensembles import ENSEMBLES
from diswot.harness.evidence.metrics import METRICS
from diswot.harness.runs.precomputed import catalogue
from diswot.proxies import registry
from diswot.proxies.registry import Proxy

DOCS = Path(__file__).parent
ROOT = DOCS.parent

#: Files beside docs/ that its pages link to.
ROOT_FILES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "CITATION.cff", "LICENSE")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in docs/."""
    for name in ROOT_FILES:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    pages = {
        "notebook.md": notebook,
        "reference/commands.md": commands,
        "reference/python.md": interface,
        "reference/proxies.md": proxies,
        "reference/tables.md": accuracy_tables,
        "reference/spaces.md": search_spaces,
        "reference/metrics.md": metrics,
    }
    for name, make in pages.items():
        files.append(File.generated(config, name, content="\n".join(make())))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links between the repository's pages lead to those of the site, where they all lie in one folder."""
    if "/" in page.file.src_uri:
        return markdown
    return re.sub(r"\]\((?:docs/|\.\./)?([^):]+)\)", lambda link: f"]({link[1]})".replace(".ipynb", ".md"), markdown)


def notebook() -> Iterator[str]:
    """Write the cells of the notebook, and what they printed."""
    for cell in json.loads((DOCS / "notebook.ipynb").read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        yield source + "\n" if cell["cell_type"] == "markdown" else f"```python\n{source}\n```\n"
        for data in (output.get("data", {}) for output in cell.get("outputs", [])):
            if "image/png" in data:
                yield f"![Figure](data:image/png;base64,{data['image/png'].strip()})\n"
            elif "text/plain" in data:
                yield f"```text\n{''.join(data['text/plain'])}\n```\n"


def commands() -> Iterator[str]:
    """Write what every command's `--help` prints."""
    yield "# Commands\n"
    yield from _helps(_diswot, "diswot", None)


def _helps(command: click.Command | None, called: str, parent: click.Context | None) -> Iterator[str]:
    assert command is not None  # it is in its group's own list
    context = click.Context(command, info_name=called.split()[-1], parent=parent, terminal_width=100)
    yield f"## {called}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            yield from _helps(command.get_command(context, name), f"{called} {name}", context)


def interface() -> Iterator[str]:
    """Write the public names; mkdocstrings fills in their docstrings."""
    yield f"# Python interface\n\n{diswot.__doc__}\n"
    for name in sorted(diswot.__all__, key=lambda name: inspect.ismodule(getattr(diswot, name))):
        shown = "public" if inspect.ismodule(getattr(diswot, name)) else '["!^_"]'
        options = ("options:", f"  heading: diswot.{name}", f"  toc_label: {name}", f"  filters: {shown}")
        yield "\n    ".join([f"::: diswot.{name}", *options]) + "\n"


def proxies() -> Iterator[str]:
    """Write the list of the built-in proxies, and a card each."""
    known = [proxy for proxy in map(registry.get, registry.names()) if registry.is_built_in(proxy)]
    measured = _costs()
    yield f"# Proxies\n\nAll {len(known)} built-in proxies, as `diswot proxies list` knows them.\n"
    yield "Cost: relative to one forward and backward pass, each proxy alone; the link says how it was measured.\n"
    yield _table(
        {
            "proxy": f"[{proxy.name}](#{proxy.name})",
            "definition and source": f"{_text(proxy.summary)}<br><small>{_text(proxy.source)}</small>",
            "better": proxy.direction,
            "cost": measured.get(proxy.name, "not measured"),
        }
        for proxy in known
    )
    for family in dict.fromkeys(proxy.family for proxy in known):
        yield f"## Family {family.replace('_', ' ')}\n"
        for proxy in known:
            if proxy.family == family:
                yield f"### {proxy.name} {{ #{proxy.name} }}\n\n{_text(inspect.getdoc(proxy.function) or '')}\n"
                yield _list(_card(proxy) | {"cost": measured.get(proxy.name, "not measured")})


def _card(proxy: Proxy) -> dict[str, str]:
    facts = {
        "better": proxy.direction,
        "version": proxy.version,
        "in the fast suite": "yes" if proxy.fast else "no",
        "needs": ", ".join(sorted(proxy.needs)),
        "initialisation": proxy.init,
        "depends on live edges only": "yes" if proxy.live_edges_only else "no",
        "independent of": ", ".join(sorted(proxy.independent_of)),
        "source": proxy.source,
        "differences from the reference": proxy.differences,
        "expected to fail": "; ".join(f"{check}: {reason}" for check, reason in proxy.expected_failed_checks.items()),
        "defined in": f"proxies/{Path(registry.origin(proxy).rpartition(':')[0]).name}",
    }
    return {name: _text(fact) for name, fact in facts.items()}


def _costs() -> dict[str, str]:
    # The measured relative costs by proxy, each with a link to the page that says how they were measured.
    measured = costs.read(catalogue.FOLDER / "nb201-cifar10.costs.csv")
    assert measured is not None  # the package ships it
    return {proxy: f"[{cost:.2f}](../findings/cost.md)" for proxy, cost in measured["relative_cost"].items()}


def accuracy_tables() -> Iterator[str]:
    """Write the list of the built-in accuracy tables, and a card each."""
    known = [tables.outline(name) for name in tables.names()]
    yield "# Accuracy tables\n\nThe built-in tables, as `diswot tables list` knows them. Accuracies are in percent.\n"
    yield _table(
        {
            "table": f"[{table.name}](#{table.name})",
            "space": table.space,
            "cells": f"{len(table.frame):,}",
            "columns": ", ".join(table.frame.columns),
        }
        for table in known
    )
    for table in known:
        yield f"## {table.name} {{ #{table.name} }}\n"
        card = {name.replace("_", " "): _text(value) for name, value in asdict(table.card).items()}
        yield _list(card | {"measured": "\n    - ".join(["", *card["measured"].split("; ")])})
        measured = table.frame.dropna(axis=1, how="all")
        if len(measured.columns):
            ranges = measured.agg(["count", "min", "median", "max"]).round(2).T.reset_index(names="column")
            yield _table(ranges.astype({"count": int}).astype(str).to_dict("records"))


def search_spaces() -> Iterator[str]:
    """Write what is known of every search space."""
    yield "# Search spaces\n"
    for name, space in spaces.SPACES.items():
        yield f"## {name}\n"
        yield _list(
            {
                "cells": f"{len(space.cells):,}",
                "example": f"`{space.describe(space.cells[-1])}`, cell {space.cells[-1]}",
                "options at each place": ", ".join(map(str, space.options)),
                "costs, which budgets limit": ", ".join(space.costs),
                "default targets": ", ".join(space.targets),
            }
        )
        yield _table({"subset": key, "cells in it": subset.summary} for key, subset in space.subsets.items())


def metrics() -> Iterator[str]:
    """Write the list of the metrics and of the ensembles."""
    yield "# Metrics and ensembles\n\n## Metrics\n"
    yield _table(
        {
            "metric": f"`{name}`",
            "called": _text(metric.label),
            "definition": _text(metric.summary),
            "better": "higher" if metric.higher_is_better else "lower",
            "has intervals": "yes" if metric.influence else "no",
        }
        for name, metric in METRICS.items()
    )
    yield "## Ensembles\n"
    yield _table(
        {
            "ensemble": f"`{name}`",
            "members": ", ".join(ensemble.members),
            "source": _text(ensemble.source),
            "members chosen by": _text(ensemble.chosen_by),
            "differences": _text(ensemble.differences),
        }
        for name, ensemble in ENSEMBLES.items()
    )


def _text(text: str) -> str:
    # Plain text as Markdown: every character stands for itself.
    return re.sub(r"([\\*_|\[\]#])", r"\\\1", text).replace("&", "&amp;").replace("<", "&lt;")


def _list(facts: dict[str, Any]) -> str:
    return "\n".join(f"- **{name}**: {fact}" for name, fact in facts.items() if fact) + "\n"


def _table(records: Any) -> str:
    return pd.DataFrame(records).to_markdown(index=False, disable_numparse=True) + "\n"
