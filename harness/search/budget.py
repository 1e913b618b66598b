"""What a cell may cost, for every cell that a search may score."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from diswot.benchmarks import tables
from diswot.benchmarks.errors import InputError, named, unknown
from diswot.benchmarks.spaces import Space


def parse(text: str) -> tuple[str, float]:
    """Return the name of the cost, and the most of it, that ``params=500000`` or ``FILE.csv:latency=3.5`` stands for.

    Raises:
        InputError: if it is none.
    """
    name, equals, value = text.rpartition("=")
    try:
        most = float(value)
    except ValueError:
        most = math.nan
    if not equals or not name or not math.isfinite(most):
        raise InputError(f"budgets: {text!r} is not NAME=NUMBER, such as params=500000 or latency.csv:gpu=3.5.")
    return name.strip(), most


@named("budgets", "table", "targets")
def held(space: Space, cells: Sequence[int], budgets: Mapping[str, float], classes: int) -> tuple[int, ...]:
    """Return the cells that hold all budgets, in their order; one whose cost is not known holds none.

    Raises:
        InputError: if a cost is not known, or no cell holds the budgets.
    """
    for name, most in budgets.items():
        costs = costs_of(space, cells, name, classes)
        cells = [cell for cell in cells if costs.get(cell, math.inf) <= most]
        if not cells:
            known = [cost for cost in costs.values() if math.isfinite(cost)]
            least = f"the least there is {min(known):g}" if known else "it is known of none of them"
            raise InputError(f"budgets: no cell that may be scored has {name} of {most:g} or less; {least}.")
    return tuple(cells)


@named("budgets", "table", "targets")
def unknown_costs(space: Space, cells: Sequence[int], budgets: Iterable[str], classes: int) -> dict[str, int]:
    """Return by budget how many of the cells have no known cost; budgets of which every cost is known are left out."""
    counts = {
        name: len(cells) - len(costs_of(space, cells, name, classes)) for name in budgets if name not in space.costs
    }
    return {name: count for name, count in counts.items() if count}


def costs_of(space: Space, cells: Sequence[int], name: str, classes: int) -> dict[int, float]:
    """Return what cells cost, as far as it is known, by cell in their order.

    Args:
        space: of the cells.
        cells: to look up.
        name: one of the space's costs, or ``table:column``.
        classes: outputs of the networks.

    Raises:
        InputError: if there is no such cost.
    """
    if name in space.costs:
        return {cell: space.costs[name](cell, classes) for cell in cells}
    table, column = tables.parse_target(name)
    if column is None and table not in tables.names():
        hint = "A column of a table is TABLE:COLUMN or FILE:COLUMN."
        raise unknown("budgets", name, space.costs, hint)
    frame = tables.load(table, space.name).frame
    if column not in frame.columns:
        raise unknown(f"budgets: the column of {table}", column or "", frame.columns)
    known = frame[column].reindex(list(cells)).dropna()
    return dict(zip(known.index.tolist(), known.tolist(), strict=True))
