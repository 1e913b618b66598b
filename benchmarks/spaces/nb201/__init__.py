"""NAS-Bench-201: its cells, their counts and their network. Importing this loads no torch."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

from diswot.benchmarks.parsing import whole_number
from diswot.benchmarks.spaces.nb201 import counts
from diswot.benchmarks.spaces.nb201.cell import EDGES, OPERATIONS, SIZE, Cell

if TYPE_CHECKING:
    from diswot.benchmarks.spaces.nb201.network import Network

__all__ = ["EDGES", "OPERATIONS", "SIZE", "Cell", "as_cell", "build", "counts"]


def as_cell(cell: Cell | str | int) -> Cell:
    """Return the cell that a `Cell`, an official string, or an index (also as digits) stands for.

    Raises:
        InputError: if it stands for none.
    """
    if isinstance(cell, Cell):
        return cell
    if not isinstance(cell, str):
        return Cell.from_index(operator.index(cell))
    index = whole_number(cell)
    return Cell.from_string(cell.strip()) if index is None else Cell.from_index(index)


def build(cell: Cell | str | int, *, num_classes: int = 10, C: int = 16, N: int = 5) -> Network:
    """Build the official network (``infer.tiny``) of a cell, with torch's default initialisation.

    Args:
        cell: a `Cell`, an official architecture string or an official index.
        num_classes: outputs of the classifier.
        C: channels of the stem; the stages have C, 2C and 4C.
        N: cells per stage.

    Returns:
        An ``nn.Module`` whose ``state_dict`` has the official keys and shapes.
    """
    from diswot.benchmarks.spaces.nb201.network import Network

    return Network(as_cell(cell), num_classes=num_classes, C=C, N=N)
