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
    """Show one cell: an index, an architecture string, or for S0 three depths such as 713."""
    from diswot.benchmarks import spaces

    chosen = spaces.get(space)
    number = chosen.parse(cell)
    record: dict[str, Any] = {"space": space, "cell": number, "string": chosen.describe(number)}
    drawing = ""
    if space == "nb201":
        record |= _nb201(number)
        drawing = _drawing(number)
    record["accuracies"] = _accuracies(space, number)
    if as_json:
        options.show_one(record, as_json)
        return 0
    accuracies = record.pop("accuracies")
    options.show_one(record, as_json)
    click.echo(drawing)
    for name, value in accuracies.items():
        click.echo(f"{name:<26}  {'unknown' if value is None else f'{value:.2f} %'}")
    return 0


def _nb201(index: int) -> dict[str, Any]:
    from diswot.benchmarks.spaces.nb201 import Cell, counts

    cell = Cell.from_index(index)
    official, live = counts.official(cell), counts.live(cell)
    return {
        "naslib": list(cell.to_naslib()),
        "live": str(cell.live),
        "isomorphism": cell.isomorphism,
        "canonical_index": cell.canonical.index,
        "representative_index": cell.representative.index,
        "degenerate": cell.is_degenerate,
        "unreachable_operation": cell.has_unreachable_operation,
        "params": official.params,
        "flops": official.flops,
        "live_params": live.params,
        "live_flops": live.flops,
        "live_convolutions": cell.live_convolutions,
    }


def _drawing(index: int) -> str:
    from diswot.benchmarks.spaces.nb201 import EDGES, Cell

    cell = Cell.from_index(index)
    lines = ["", "node 0 is the input, node 3 the output:"]
    for operation, (source, target), live in zip(cell.operations, EDGES, cell.live_edges, strict=True):
        dead = "" if live or operation == "none" else "  (dead: on no path from input to output)"
        arrow = "·" * 16 if operation == "none" else f"─{operation:─<14}>"
        lines.append(f"  {source} {arrow} {target}{dead}")
    return "\n".join([*lines, ""])


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
