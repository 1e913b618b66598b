"""Cells as inline SVG: the drawing of a cell, or a form with every option from which a script shows a cell's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from markupsafe import Markup

from diswot.benchmarks import spaces
from diswot.benchmarks.spaces import nb201, s0
from diswot.reports.figures import cells

#: Pixels: between two nodes, the radius of a node, a block, and the room around.
STEP, NODE, BLOCK, GAP = 84, 12, (54, 12), 4

#: What the colours of an operation are called in the style sheet.
CLASSES = {"nor_conv_3x3": "conv3", "nor_conv_1x1": "conv1", "avg_pool_3x3": "pool", "skip_connect": "skip"}


def picture(space: str, cell: int | None = None) -> Markup:
    """Return a cell as SVG, its colours left to the style sheet; empty for a space whose cells are not drawn.

    Args:
        space: of the cell.
        cell: its number; None for the form: each option of each place is an element with the attributes
            ``data-place`` and ``data-option``, all hidden.
    """
    if space not in cells.DRAWN:
        return Markup("")
    places = None if cell is None else spaces.get(space).encode(cell)
    if space == "s0":
        return _svg(3 * (BLOCK[0] + 30), 7 * (BLOCK[1] + GAP) + 22, _stages(places))
    live = None if cell is None else nb201.Cell.from_index(cell).live_edges
    return _svg(3 * STEP + 40, 168, _graph(places, live))


def _svg(width: int, height: int, parts: Iterator[Markup]) -> Markup:
    form = '<svg class="cell" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
    return Markup(form).format(width, height, "The cell as a graph", Markup("").join(parts))


def _part(place: int, options: str, chosen: bool | None, classes: str, content: Markup) -> Markup:
    # Of a drawing only what is chosen; of the form everything, hidden.
    form = '<g class="{}" data-place="{}" data-option="{}"{}>{}</g>'
    return Markup(form).format(classes, place, options, Markup(" hidden" if chosen is None else ""), content)


def _graph(places: tuple[int, ...] | None, live: tuple[bool, ...] | None) -> Iterator[Markup]:
    nodes = [np.array([20.0 + number * STEP, 106.0]) for number in range(4)]
    for place, (source, target) in enumerate(nb201.EDGES):
        bow = cells.BOWS.get((source, target), 0.0) * STEP
        curve = cells.curve(nodes[source], nodes[target], -bow, NODE, NODE + 2)[::6]
        middle = (nodes[source] + nodes[target]) / 2 - (0, bow if bow else 9)
        for option, operation in enumerate(nb201.OPERATIONS):
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


def _stages(places: tuple[int, ...] | None) -> Iterator[Markup]:
    bottom = 7 * (BLOCK[1] + GAP)
    for place, channels in enumerate(cells.CHANNELS):
        left = 15 + place * (BLOCK[0] + 30)
        for block in range(s0.DEPTHS[-1]):
            options = [number for number, depth in enumerate(s0.DEPTHS) if depth > block]
            chosen = None if places is None else places[place] in options
            if chosen is not False:
                form = '<rect x="{}" y="{}" width="{}" height="{}"/>'
                rectangle = Markup(form).format(left, bottom - (block + 1) * (BLOCK[1] + GAP), *BLOCK)
                yield _part(place, " ".join(map(str, options)), chosen, f"stage{place}", rectangle)
        yield Markup('<text x="{}" y="{}">{}</text>').format(left + BLOCK[0] / 2, bottom + 14, f"{channels} ch.")
