"""How the networks of a space are drawn: as data, so that figures and pages need not know the space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Graph:
    """A cell as NAS-Bench-201 has them: four nodes, an operation on every edge, written ``|OPERATION~SOURCE|+...``.

    Attributes:
        legend: what a reader must know of the drawing.
        edges: the nodes, 0 to 3, that every edge leads from and to; edge e is place e of the cell.
        operations: the operation of every option.
        live: which edges of a cell are live.
    """

    legend: str
    edges: tuple[tuple[int, int], ...]
    operations: tuple[str, ...]
    live: Callable[[int], tuple[bool, ...]]


@dataclass(frozen=True)
class Block:
    """A box of a `Chain`, which a network has by the option at one of its places.

    Attributes:
        stage: of the box, from 0 at the left.
        position: in the stage, from 0 at the bottom.
        place: of the network that decides.
        options: with which the network has the box.
        width: of the box, as a share of the stage's width.
    """

    stage: int
    position: int
    place: int
    options: tuple[int, ...]
    width: float = 1.0


@dataclass(frozen=True)
class Chain:
    """Stages of blocks, one after another.

    Attributes:
        legend: what a reader must know of the drawing.
        channels: of each stage.
        blocks: every box that some network has.
    """

    legend: str
    channels: tuple[int, ...]
    blocks: tuple[Block, ...]

    def of(self, options: tuple[int, ...]) -> list[Block]:
        """Return the boxes of the network with these options."""
        return [block for block in self.blocks if options[block.place] in block.options]
