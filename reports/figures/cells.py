"""Cells as drawings: the graph of a cell, or the stages of a network, as its space says; all sizes in inches."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle
from matplotlib.path import Path

from diswot.benchmarks.spaces import Block, Chain, Graph, Space

#: What an operation is called, and its colour.
OPERATIONS = {
    "nor_conv_3x3": ("3\N{MULTIPLICATION SIGN}3", "#0072B2"),
    "nor_conv_1x1": ("1\N{MULTIPLICATION SIGN}1", "#56B4E9"),
    "avg_pool_3x3": ("pool", "#E69F00"),
    "skip_connect": ("skip", "#333333"),
}
DEAD, DEAD_TEXT = "#BBBBBB", "#8A8A8A"

#: How high above (or below) the nodes an edge goes by at most, as a share of the distance between neighbours.
BOWS = {(0, 2): 0.46, (0, 3): 0.98, (1, 3): -0.46}
NODE, LETTERS = 0.082, 0.11
BLOCK, STAGE, BLOCK_GAP = 0.1, 0.36, 0.025
STAGES = ("#56B4E9", "#0072B2", "#004C77")


def height(space: Space, cell: int) -> float:
    """Return how high a cell's drawing is, in the width of a third of both columns."""
    if isinstance(space.drawing, Chain):
        highest = max((block.position + 1 for block in space.drawing.of(space.encode(cell))), default=1)
        return highest * (BLOCK + BLOCK_GAP) + 0.18
    return 1.08


def draw(axes: Axes, space: Space, cell: int, left: float, bottom: float, width: float, height: float) -> None:
    """Draw a cell of a space that has a drawing into a box of axes whose data are inches."""
    options = space.encode(cell)
    if isinstance(space.drawing, Graph):
        operations = [space.drawing.operations[option] for option in options]
        edges = list(zip(space.drawing.edges, operations, space.drawing.live(cell), strict=True))
        _draw_graph(axes, edges, left, bottom, width, height)
    if isinstance(space.drawing, Chain):
        _draw_stages(axes, space.drawing.channels, space.drawing.of(options), left, bottom)


def _draw_graph(
    axes: Axes,
    edges: list[tuple[tuple[int, int], str, bool]],
    left: float,
    bottom: float,
    width: float,
    height: float,
) -> None:
    step = min(0.62, (width - 2 * NODE - 0.1) / 3)
    first = left + (width - 3 * step) / 2
    # The highest bow is twice as far from the nodes as the lowest.
    line = bottom + LETTERS / 2 + 0.46 * step + (height - 1.44 * step - LETTERS) / 2
    nodes = [np.array([first + number * step, line]) for number in range(4)]
    # The dead ones first, so that they lie below.
    for edge, operation, live in sorted(edges, key=lambda one: one[2]):
        if operation != "none":
            _draw_edge(axes, nodes, edge, operation, live, step)
    for number, (across, up) in enumerate(nodes):
        axes.add_patch(Circle((across, up), NODE, facecolor="white", edgecolor="#333333", linewidth=0.8, zorder=4))
        axes.text(across, up, str(number), ha="center", va="center_baseline", zorder=5)


def _draw_edge(
    axes: Axes, nodes: list[np.ndarray], edge: tuple[int, int], operation: str, live: bool, step: float
) -> None:
    word, colour = OPERATIONS[operation]
    bow = BOWS.get(edge, 0.0) * step
    start, end = nodes[edge[0]], nodes[edge[1]]
    axes.add_patch(
        FancyArrowPatch(
            path=Path(curve(start, end, bow, NODE, NODE + 0.015)),
            arrowstyle="-|>",
            mutation_scale=5.5,
            color=colour if live else DEAD,
            linewidth=1.1 if live else 0.8,
            linestyle="solid" if live else (0, (2.5, 1.5)),
            capstyle="butt",
            shrinkA=0,
            shrinkB=0,
            zorder=3 if live else 2,
        )
    )
    middle = (start + end) / 2 + (0, bow if bow else 0.085)
    box: dict[str, Any] | None = {"facecolor": "white", "edgecolor": "none", "pad": 0.8} if bow else None
    written = axes.text(middle[0], middle[1], word, ha="center", va="center_baseline", bbox=box)
    written.set(color="black" if live else DEAD_TEXT, zorder=3.5 if live else 2.5)


def curve(start: np.ndarray, end: np.ndarray, bow: float, from_start: float, from_end: float) -> np.ndarray:
    """Return the points, (n, 2), of an edge that goes by a height above its nodes, without what is near to these."""
    # A cubic with steep ends, so that bows leave and reach their nodes apart from each other.
    along = np.linspace(0, 1, 161)[:, None]
    lift, reach = np.array([0.0, bow * 4 / 3]), 0.12 * (end - start)
    near, far = start + reach + lift, end - reach + lift
    points = (
        start * (1 - along) ** 3
        + 3 * near * along * (1 - along) ** 2
        + 3 * far * along**2 * (1 - along)
        + end * along**3
    )
    inside = (np.hypot(*(points - start).T) > from_start) & (np.hypot(*(points - end).T) > from_end)
    shown: np.ndarray = points[inside]
    return shown


def _draw_stages(axes: Axes, channels: tuple[int, ...], blocks: list[Block], left: float, bottom: float) -> None:
    lefts = [left + 0.05 + stage * (STAGE + 0.2) for stage in range(len(channels))]
    for block in blocks:
        wide = block.width * STAGE
        across = lefts[block.stage] + (STAGE - wide) / 2
        up = bottom + 0.16 + block.position * (BLOCK + BLOCK_GAP)
        axes.add_patch(Rectangle((across, up), wide, BLOCK, facecolor=STAGES[block.stage % len(STAGES)], linewidth=0))
    for across, written in zip(lefts, channels, strict=True):
        axes.text(across + STAGE / 2, bottom + 0.03, str(written), ha="center")
    for across in lefts[1:]:
        there = bottom + 0.16 + BLOCK / 2
        arrow = FancyArrowPatch(
            (across - 0.17, there), (across - 0.02, there), arrowstyle="-|>", mutation_scale=5, shrinkA=0, shrinkB=0
        )
        arrow.set(color="#333333", linewidth=0.8)
        axes.add_patch(arrow)
