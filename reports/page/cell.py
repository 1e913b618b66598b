"""Cells as inline SVG: the drawing of a cell, or a form with every option from which a script shows a cell's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from markupsafe import Markup

from diswot.benchmarks import spaces
from diswot.benchmarks.spaces import Chain, Graph
from diswot.reports.figures import cells

#: Pixels: between two nodes, the radius of a node, a block, and the room around.
STEP, NODE, BLOCK, GAP = 84, 12, (54, 12), 4

#: What the colours of an operation are called in the style sheet.
CLASSES = {"nor_conv_3x3": "conv3", "nor_conv_1x1": "conv1", "avg_pool_3x3": "pool", "skip_connect": "skip"}


def svg(space: str, cell: int | None = None) -> Markup:
    """Return a cell as SVG, its colours left to the style sheet; empty for a space whose cells are not drawn.

    Args:
        space: of the cell.
        cell: its number; None for the form: each option of each place is an element with the attributes
            ``data-place`` and ``data-option``, all hidden.
    """
    known = spaces.SPACES.get(space)
    drawing = None if known is None else known.drawing
    places = None if known is None or cell is None else known.encode(cell)
    if isinstance(drawing, Chain):
        height = _up(max(block.position for block in drawing.blocks) + 1) + 22
        return _svg(len(drawing.channels) * (BLOCK[0] + 30), height, _stages(drawing, places))
    if isinstance(drawing, Graph):
        live = None if cell is None else drawing.live(cell)
        return _svg(3 * STEP + 40, 168, _graph(drawing, places, live))
    return Markup("")


def _svg(width: int, height: int, parts: Iterator[Markup]) -> Markup:
    form = '<svg class="cell" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
    return Markup(form).format(width, height, "The cell, drawn", Markup("").join(parts))


def _part(place: int, options: str, chosen: bool | None, classes: str, content: Markup) -> Markup:
    # Of a drawing only what is chosen; of the form everything, hidden.
    form = '<g class="{}" data-place="{}" data-option="{}"{}>{}</g>'
    return Markup(form).format(classes, place, options, Markup(" hidden" if chosen is None else ""), content)


def _graph(drawing: Graph, places: tuple[int, ...] | None, live: tuple[bool, ...] | None) -> Iterator[Markup]:
    nodes = [np.array([20.0 + number * STEP, 106.0]) for number in range(4)]
    for place, (source, target) in enumerate(drawing.edges):
        bow = cells.BOWS.get((source, target), 0.0) * STEP
        curve = cells.curve(nodes[source], nodes[target], -bow, NODE, NODE + 2)[::6]
        middle = (nodes[source] + nodes[target]) / 2 - (0, bow if bow else 9)
        for option, operation in enumerate(drawing.operations):
            chosen = None if places is None else places[place] == option
            if operation in CLASSES and chosen is not False:
                dead = " dead" if live is not None and not live[place] else ""
                yield _part(
                    place, str(option), chosen, f"edge {CLASSES[operation]}{dead}", _edge(curve, middle, operation)
                )
    for number, (across, up) in enumerate(nodes):
        form = '<circle class="node" cx="{}" cy="{}" r="{}"/><text x="{}" y="{}">{}</text>'
        yield Markup(form).format(across, up, NODE, across, up + 4, number)


def _edge(curve: np.ndarray, middle: np.ndarray, operation: str) -> Markup:
    end, along = curve[-1], curve[-1] - curve[-2]
    along = along / np.hypot(*along)
    side = np.array([-along[1], along[0]])
    head = [end, end - 8 * along + 4 * side, end - 8 * along - 4 * side]
    form = '<path d="M{}"/><polygon points="{}"/><text class="word" x="{:.1f}" y="{:.1f}">{}</text>'
    return Markup(form).format(
        _points(curve, "L"), _points(head, " "), middle[0], middle[1] + 4, cells.OPERATIONS[operation][0]
    )


def _points(places: np.ndarray | list[np.ndarray], between: str) -> str:
    return between.join(f"{across:.1f},{up:.1f}" for across, up in places)


def _stages(drawing: Chain, places: tuple[int, ...] | None) -> Iterator[Markup]:
    bottom = _up(max(block.position for block in drawing.blocks) + 1)
    lefts = [15 + stage * (BLOCK[0] + 30) for stage in range(len(drawing.channels))]
    for block in drawing.blocks if places is None else drawing.of(places):
        wide = block.width * BLOCK[0]
        form = '<rect x="{:g}" y="{}" width="{:g}" height="{}"/>'
        rectangle = Markup(form).format(
            round(lefts[block.stage] + (BLOCK[0] - wide) / 2, 1), bottom - _up(block.position + 1), wide, BLOCK[1]
        )
        chosen = None if places is None else True
        yield _part(block.place, " ".join(map(str, block.options)), chosen, f"stage{block.stage % 3}", rectangle)
    for left, channels in zip(lefts, drawing.channels, strict=True):
        yield Markup('<text x="{}" y="{}">{}</text>').format(left + BLOCK[0] / 2, bottom + 14, f"{channels} ch.")


def _up(blocks: int) -> int:
    return blocks * (BLOCK[1] + GAP)
