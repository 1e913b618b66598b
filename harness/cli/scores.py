"""``diswot scores``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from diswot.harness.cli import Group, options

if TYPE_CHECKING:
    from diswot.harness.runs.settings import Settings


@click.group(cls=Group)
def command() -> None:
    """List the precomputed scores, or show how they were made.

    Their name stands for a run's folder: `diswot correlate NAME`, `diswot report NAME`, `diswot search NAME`.
    """


@command.command("list")
@options.as_json
def _list(as_json: bool) -> None:
    """List the precomputed scores."""
    from diswot.harness.runs.precomputed import catalogue

    found = list(map(catalogue.load, catalogue.names()))
    if not found and not as_json:
        click.echo("this version has no precomputed scores")
        return
    rows = [
        {
            "name": one.name,
            "space": one.card.space,
            "cells": one.card.cells,
            "seeds": one.card.seeds if as_json else _seeds(one.card.seeds),
            "proxies": list(one.versions) if as_json else len(one.versions),
            "settings": one.card.settings.stored() if as_json else _in_words(one.card.settings),
            "settings_hash": one.card.settings_hash,
        }
        for one in found
    ]
    options.show(rows, as_json)


def _seeds(seeds: list[int]) -> str:
    # How many, and which.
    return f"{len(seeds)} ({'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))})"


def _in_words(settings: Settings) -> str:
    # The others follow from these, or are seldom changed.
    shown = ("images", "batch_size", "batch_seed", "teacher", "device")
    return ", ".join(f"{key} {getattr(settings, key)}" for key in shown)


@command.command()
@click.argument("name")
@options.as_json
def show(name: str, as_json: bool) -> None:
    """Show the card of NAME: settings, machine, versions, undefined scores, licence, hash."""
    from diswot.harness.runs.precomputed import catalogue

    one = catalogue.load(name)
    if as_json:
        options.show_one(one.card.stored(), as_json)
        return
    shown = one.card.stored() | {"proxies": [f"{proxy} {version}" for proxy, version in one.versions.items()]}
    flat: dict[str, Any] = {}
    for key, value in shown.items():
        flat |= {f"{key} {inner}": each for inner, each in value.items()} if isinstance(value, dict) else {key: value}
    options.show_one(flat, as_json)


@command.command(hidden=True)
@click.argument("run", type=options.PATH)
@click.argument("name")
@click.option("--proxies", help="Pack only these proxies: name,name.  [default: all of RUN]")
def pack(run: Path, name: str, proxies: str | None) -> None:
    """Write the scores of RUN, complete for built-in proxies, and their evidence into the package as NAME."""
    from diswot.harness.runs import packing

    one = packing.pack(run, name, None if proxies is None else [part.strip() for part in proxies.split(",")])
    click.echo(f"wrote {one.path}, {one.card.scores} scores, {one.path.stat().st_size / 2**20:.2f} MiB, and its card")
    _keep(name)


@command.command(hidden=True)
@click.argument("name")
def judge(name: str) -> None:
    """Correlate NAME again after a change of a table, a metric or the code, and store the answer."""
    _keep(name)


def _keep(name: str) -> None:
    from diswot.harness.runs import packing
    from diswot.harness.runs.precomputed import catalogue

    done = packing.keep_evidence(name)
    click.echo(f"wrote the evidence in {catalogue.folder(name)}" if done else f"the evidence of {name} is up to date")
