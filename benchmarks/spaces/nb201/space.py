"""NAS-Bench-201 as a search space."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from diswot.benchmarks.spaces.drawing import Graph
from diswot.benchmarks.spaces.nb201 import EDGES, OPERATIONS, SIZE, Cell, as_cell, build, counts
from diswot.benchmarks.spaces.space import Space, Subset, every, one_a_function


def _where(holds: Callable[[Cell], bool]) -> Callable[[np.ndarray], np.ndarray]:
    # The cells of which something holds.
    return lambda cells: np.array([holds(Cell.from_index(int(cell))) for cell in cells], bool)


def _facts(index: int) -> dict[str, Any]:
    cell = Cell.from_index(index)
    return {
        "naslib": list(cell.to_naslib()),
        "live": str(cell.live),
        "isomorphism": cell.isomorphism,
        "canonical_index": cell.canonical.index,
        "representative_index": cell.representative.index,
        "degenerate": cell.is_degenerate,
        "unreachable_operation": cell.has_unreachable_operation,
        **{name: cost(index, SPACE.classes) for name, cost in SPACE.costs.items()},
        "live_convolutions": cell.live_convolutions,
    }


def _text_drawing(index: int) -> str:
    cell = Cell.from_index(index)
    lines = ["", "node 0 is the input, node 3 the output:"]
    for operation, (source, target), live in zip(cell.operations, EDGES, cell.live_edges, strict=True):
        dead = "" if live or operation == "none" else "  (dead: on no path from input to output)"
        arrow = "·" * 16 if operation == "none" else f"─{operation:─<14}>"
        lines.append(f"  {source} {arrow} {target}{dead}")
    return "\n".join([*lines, ""])


SPACE = Space(
    name="nb201",
    cells=range(SIZE),
    parse=lambda text: as_cell(text).index,
    describe=lambda index: str(Cell.from_index(index)),
    build=lambda index, classes, **skeleton: build(index, num_classes=classes, **skeleton),
    classes=10,
    costs={
        "params": lambda index, classes: counts.official(Cell.from_index(index), num_classes=classes).params,
        "flops": lambda index, classes: counts.official(Cell.from_index(index), num_classes=classes).flops,
        "live_params": lambda index, classes: counts.live(Cell.from_index(index), num_classes=classes).params,
        "live_flops": lambda index, classes: counts.live(Cell.from_index(index), num_classes=classes).flops,
    },
    options=(len(OPERATIONS),) * len(EDGES),
    encode=lambda index: tuple(map(OPERATIONS.index, Cell.from_index(index).operations)),
    decode=lambda places: Cell(tuple(OPERATIONS[place] for place in places)).index,
    live=lambda index: Cell.from_index(index).live.index,
    representative=lambda index: Cell.from_index(index).representative.index,
    canonical=lambda index: Cell.from_index(index).canonical.index,
    has_skeleton=True,
    subsets={
        "all": Subset("every cell", every),
        "connected": Subset(
            "without the 341 cells in which no path leads from input to output",
            _where(lambda cell: not cell.is_degenerate),
        ),
        "reachable": Subset(
            "the 9,445 cells in which no operation is cut off; one of them is not connected",
            _where(lambda cell: not cell.has_unreachable_operation),
        ),
        "distinct": Subset(
            "one cell of each function; of all cells 5,260",
            one_a_function(lambda index: Cell.from_index(index).representative.index),
        ),
        "live-convolution": Subset(
            "the 13,642 cells with a convolution on a live edge",
            _where(lambda cell: cell.live_convolutions > 0),
        ),
    },
    targets=("nb201-kd:distilled", "analog-nasbench:baseline"),
    further_targets=("analog-nasbench:baseline", "nb201:cifar10-valid-test", "nb201:cifar100-test"),
    facts=_facts,
    text_drawing=_text_drawing,
    drawing=Graph(
        "3\N{MULTIPLICATION SIGN}3 and 1\N{MULTIPLICATION SIGN}1: convolutions, pool: 3\N{MULTIPLICATION SIGN}3 "
        "average pooling, skip: identity; node 0 is the cell's input, 3 its output; edges with none are not drawn, "
        "dashed ones lie on no path from input to output",
        EDGES,
        OPERATIONS,
        lambda index: Cell.from_index(index).live_edges,
    ),
)
