"""``diswot cell``."""

from __future__ import annotations

from typing import Any

import click

from diswot.harness.cli import options


@click.command(cls=options.Command)
@click.argument("cell")
@options.space
@options.as_json
def command(cell: str, space: str, as_json: bool) -> int:
    """Show one cell: an index, an architecture string, in s0 three depths such as 713, in nbmacro 02012100."""
    from diswot.benchmarks import spaces
    from diswot.benchmarks.tables import Target, units

    chosen = spaces.get(space)
    number = chosen.parse(cell)
    record: dict[str, Any] = {"space": space, "cell": number, "string": chosen.describe(number)}
    record |= chosen.facts(number)
    record["accuracies"] = _accuracies(space, number)
    if as_json:
        options.show_one(record, as_json)
        return 0
    accuracies = record.pop("accuracies")
    options.show_one(record, as_json)
    click.echo(chosen.text_drawing(number))
    width = max(map(len, accuracies), default=0)
    for name, value in accuracies.items():
        unit = units.of(Target.named(name).column)
        click.echo(f"{name:<{width}}  {'unknown' if value is None else f'{value:.2f} {unit}'.rstrip()}")
    return 0


def _accuracies(space: str, number: int) -> dict[str, float | None]:
    import pandas as pd

    from diswot.benchmarks import tables

    found: dict[str, float | None] = {}
    for name in tables.names():
        table = tables.outline(name)
        if table.space == space and tables.is_there(name):
            row = table.frame.reindex([number]).iloc[0]
            found |= {f"{name}:{column}": None if pd.isna(value) else float(value) for column, value in row.items()}
    return found
