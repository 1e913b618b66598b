"""``diswot tables``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from diswot.benchmarks.errors import some
from diswot.harness.cli import Group, options


@click.group(cls=Group)
def command() -> None:
    """List the accuracy tables, show a card, fetch a published one, import official files, or model all cells."""


@command.command("list")
@options.as_json
def _list(as_json: bool) -> None:
    """List the built-in tables."""
    from diswot.benchmarks import tables

    rows = []
    for name in tables.names():
        table = tables.outline(name)
        rows.append(
            {
                "name": name,
                "state": "there" if tables.is_there(name) else "not fetched",
                "space": table.space,
                "cells": len(table.frame),
                "columns": list(table.frame.columns) if as_json else some(table.frame.columns),
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
    from diswot.benchmarks import tables
    from diswot.harness import files

    table = tables.load(name, space)
    card = {"name": table.name, "space": table.space, "cells": len(table.frame)} | asdict(table.card)
    columns = table.frame.agg(["count", "min", "median", "max"]).T.reset_index(names="column")
    if as_json:
        options.show_one(card | {"columns": json.loads(files.as_json(columns))}, as_json)
        return
    options.show_one(card, as_json)
    click.echo()
    options.show(columns, as_json)


@command.command()
@click.argument("name")
@options.mirror
def fetch(name: str, mirror: Path | None) -> None:
    """Fetch the table NAME into the cache folder.

    nb201: the 200-epoch accuracies of NAS-Bench-201, 7 MB. hw-nas-bench: latency and energy on six devices, 8 MB.
    nb201-robustness: CIFAR-10 accuracies under attack, 4 MB. Each has all 15,625 cells.

    $DISWOT_CACHE names another cache folder.
    """
    from diswot.benchmarks import tables
    from diswot.harness import fetch

    path = fetch.table(name, mirror)
    columns = list(tables.load(name).frame.columns)
    click.echo(f"{name} is there, in {path}; use it as --target {name}:COLUMN, with {some(columns)}")


@command.command("import")
@click.argument("file", type=options.PATH)
@click.option("--out", type=options.NEW_FILE, help="The .parquet to write.  [default: ./NAME.parquet]")
def _import(file: Path, out: Path | None) -> None:
    """Import FILE, accuracies of cells, as a Parquet table.

    FILE is the official NAS-Bench-201-v1_*.pth, an unpacked NATS-Bench-tss folder, nas-bench-macro_cifar10.json, or a
    pickled dictionary (.pkl) of cells' indices to accuracies. The first two take minutes. No code from the files runs.
    """
    from diswot.benchmarks.errors import InputError, counted
    from diswot.benchmarks.tables import dictionary, nas_bench_macro, official
    from diswot.harness import files, progress
    from diswot.harness.runs import run_folder

    published = {".json": nas_bench_macro, **dict.fromkeys(dictionary.SUFFIXES, dictionary)}.get(file.suffix, official)
    name = file.resolve().name if published is official else file.stem
    target = out or Path(f"{name.removesuffix('.pth')}.parquet")
    if target.suffix != ".parquet":
        raise InputError(f"--out: {target} must end in .parquet.")
    run_folder.refuse_kept("--out", target)
    with progress.shown(published.count(file), "cell", "read") as step:
        frame = files.write_with_card(target, lambda: published.read(file, step)).frame
    size = f"{counted(len(frame), 'cell')}, {counted(len(frame.columns), 'column')}"
    click.echo(f"wrote {target}, {size}, and its card beside it")
    click.echo(f"use it as --target {target}:COLUMN, such as {target}:{frame.columns[0]}")


@command.command()
@click.argument("table", metavar="TABLE[:COLUMN]", type=options.TEXT)
@click.option("--out", type=options.NEW_FILE, help="The .csv, .parquet or .json to write.  [default: ./NAME-model.csv]")
@click.option(
    "--classes",
    type=options.Whole(min=2),
    default=10,
    show_default=True,
    help="Classes of the images: a cell without a live path has the accuracy of chance.",
)
@options.as_json
def model(table: str, out: Path | None, classes: int, as_json: bool) -> None:
    """Model the accuracies of all 15,625 cells from those of some, and print how good the model is.

    TABLE is a built-in table of NAS-Bench-201, or the path of a file; without a column all its accuracies are modelled.
    The standard deviation of a prediction says how far another training of the cell may differ from it. The model is
    validated on functions left out of the fit. A modelled table is for judging searches and for drawing; correlate with
    measured accuracies.
    """
    from diswot.benchmarks.tables import model
    from diswot.harness import files, progress
    from diswot.harness.runs import run_folder

    measured, source = model.measured_in(table)
    path = out or Path(f"{source.name}-model.csv")
    files.check_table_path(path, "--out")
    run_folder.refuse_kept("--out", path)
    with progress.shown(model.FOLDS * len(measured), "fit", "made") as step:
        made = model.model(table, classes=classes, step=step)
    files.write_with_card(path, lambda: made.table)
    options.show(made.validation if as_json else made.validation.round(3), as_json)
    click.echo(f"wrote {path}, {len(made.table.frame)} cells, modelled, and its card beside it", err=True)
