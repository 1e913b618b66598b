"""``diswot tables``."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from harness.cli import Group, options


@click.group(cls=Group)
def command() -> None:
    """List the accuracy tables, or show one's card."""


@command.command("list")
@options.as_json
def _list(as_json: bool) -> None:
    """List the built-in tables."""
    from benchmarks import tables

    rows = []
    for name in tables.names():
        table = tables.load(name)
        rows.append(
            {
                "name": name,
                "space": table.space,
                "cells": len(table.frame),
                "columns": list(table.frame.columns) if as_json else ", ".join(table.frame.columns),
                "source": table.card.source,
            }
        )
    options.show(rows, as_json)


@command.command()
@click.argument("name")
@click.option("--space", help="Search space of a file's cells.  [default: nb201]")
@options.as_json
def show(name: str, space: str | None, as_json: bool) -> None:
    """Show the card of NAME, a built-in table or the path of a CSV, Parquet or JSON file, and its columns' ranges."""
    from benchmarks import tables
    from harness import files

    table = tables.load(name, space)
    card = {"name": table.name, "space": table.space, "cells": len(table.frame)} | asdict(table.card)
    columns = table.frame.agg(["count", "min", "median", "max"]).T.reset_index(names="column")
    if as_json:
        options.show_one(card | {"columns": json.loads(files.as_json(columns))}, as_json)
        return
    options.show_one(card, as_json)
    click.echo()
    options.show(columns, as_json)
