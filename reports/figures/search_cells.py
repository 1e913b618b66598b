"""The cells that searches end with, drawn, beside the best by score and the best by accuracy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from diswot.benchmarks import spaces
from diswot.benchmarks.errors import counted
from diswot.benchmarks.spaces import Graph, Space
from diswot.harness.runs.results import Results
from diswot.harness.runs.stored_search import Search
from diswot.reports.answer import most_frequent
from diswot.reports.figures import cells
from diswot.reports.figures.drawing import Drawing
from diswot.reports.searches import circumstances, drivers, of, with_teacher
from diswot.reports.style import canvas, typography
from diswot.reports.style.wording import finite, joined, left_out
from diswot.reports.summary import column_of, table_of

MOST, ABREAST, MOST_TARGETS = 12, 3, 6
GAP, HEAD, BETWEEN = 0.2, 0.2, 0.16


@dataclass
class Pick:
    """A cell and who picks it.

    Attributes:
        row: of the table of picks.
        evolution: drivers whose evolution ends with it more often than with any other cell, and the share of searches.
        best: drivers that score no cell higher.
        oracle: targets of which no cell is more accurate.
    """

    row: dict[str, Any]
    evolution: dict[str, float] = field(default_factory=dict)
    best: list[str] = field(default_factory=list)
    oracle: list[str] = field(default_factory=list)


def drawings(results: Results) -> list[Drawing]:
    """Return one figure of the final cells; nothing without a search, or in a space whose cells cannot be drawn."""
    search = results.search
    space = None if search is None else spaces.SPACES.get(search.info.space)
    if search is None or space is None or space.drawing is None:
        return []
    found = final_cells(search)
    shown = found[:MOST]
    if not shown:
        return []
    words = joined(
        circumstances(results, search),
        left_out(len(found) - MOST, "cell"),
        left_out(len(search.info.targets) - MOST_TARGETS, "target"),
    )
    kinds = f"{space.drawing.legend}; share: of the searches by evolution that end with the cell"
    count = counted(len(shown), "cell")
    return [
        Drawing(
            "search-cells",
            _sheet(shown, search, space, f"{words}; {kinds}."),
            _tidy(shown, search),
            "The cell that evolution ends with most often, by driver; the best of all cells by each driver's score; "
            f"and the most accurate cells (oracle); {words}; {kinds}.",
            f"{count} drawn, with who picks them, their size and their accuracies",
        )
    ]


def final_cells(search: Search) -> list[Pick]:
    """Return the cells to draw: every driver's most frequent pick, then the oracles, then the best by score.

    Of picks that are equally frequent, that with the lower number is taken; of cells that tie for the best score, one
    that is there already, else the one with the lowest number.
    """
    picks = with_teacher(search.picks, search.info.teachers[0])
    found: dict[int, Pick] = {}

    def at(rows: pd.DataFrame, cell: int) -> Pick:
        return found.setdefault(cell, Pick(rows[rows["cell"] == cell].iloc[0].to_dict()))

    names = drivers(search)
    for name in names:
        mine = of(picks, driver=name, algorithm="evolution")
        if len(mine):
            cell, count = most_frequent(mine["cell"])
            at(mine, cell).evolution[name] = count / len(mine)
    for target in search.info.targets:
        mine = of(search.picks, driver=target, algorithm="oracle")
        if len(mine):
            at(mine, int(mine["cell"].iloc[0])).oracle.append(target)
    for name in names:
        mine = of(picks, driver=name, algorithm="exhaustive")
        if len(mine):
            tied = {int(cell) for cell in mine["cell"]}
            at(mine, next((cell for cell in found if cell in tied), min(tied))).best.append(name)
    return list(found.values())


def _tidy(shown: list[Pick], search: Search) -> pd.DataFrame:
    columns = ["cell", "architecture", "params", "flops", *search.info.targets]
    return pd.DataFrame(
        [
            {
                **{name: one.row.get(name) for name in columns},
                "evolution": "; ".join(f"{name} {share:.2f}" for name, share in one.evolution.items()),
                "best": "; ".join(one.best),
                "oracle": "; ".join(one.oracle),
            }
            for one in shown
        ]
    )


def _sheet(shown: list[Pick], search: Search, space: Space, note: str) -> Figure:
    abreast = min(ABREAST, len(shown))
    width = (canvas.DOUBLE_COLUMN - 2 * canvas.MARGIN - (ABREAST - 1) * GAP) / ABREAST
    across = canvas.SINGLE_COLUMN if abreast == 1 else canvas.DOUBLE_COLUMN
    texts = [_lines(pick, search, width) for pick in shown]
    strips = [range(start, min(start + abreast, len(shown))) for start in range(0, len(shown), abreast)]
    tallest = [max(cells.height(space, int(shown[number].row["cell"])) for number in strip) for strip in strips]
    written = [canvas.LINE * max(sum(map(len, texts[number])) for number in strip) + 0.06 for strip in strips]
    up = sum(tallest) + sum(written) + (HEAD + BETWEEN) * len(strips)
    with canvas.style():
        figure, (axes,) = canvas.sheet(across, up, note, pad=0)
        axes.set_axis_off()
        axes.set(xlim=(0, across), ylim=(0, up))
        top = up - 0.08
        for strip, drawn, lines in zip(strips, tallest, written, strict=True):
            for place, number in enumerate(strip):
                left = canvas.MARGIN + place * (width + GAP)
                cell = int(shown[number].row["cell"])
                axes.text(left, top - 0.13, typography.elide(_title(space, cell), width, 8), fontsize=8)
                cells.draw(axes, space, cell, left, top - HEAD - drawn, width, drawn)
                _write(axes, *texts[number], left, top - HEAD - drawn - 0.06)
            top -= HEAD + drawn + lines + BETWEEN
    return figure


def _title(space: Space, cell: int) -> str:
    return f"Cell {cell}" if isinstance(space.drawing, Graph) else f"Network {cell}"


def _lines(one: Pick, search: Search, width: float) -> tuple[list[str], list[str]]:
    # Who picks the cell, and what it is.
    shares = [f"{name} ({100 * share:.0f} %)" for name, share in one.evolution.items()]
    roles = (("Evolution:", shares), ("Best score:", one.best), ("Oracle:", one.oracle))
    known = [name for name in search.info.targets[:MOST_TARGETS] if finite(one.row.get(name))]
    by_table: dict[str, list[str]] = {}
    for name in known:
        by_table.setdefault(table_of(name), []).append(f"{column_of(name)} {one.row[name]:.2f}")
    facts = [("", _size(one.row)), *((f"{table}, %:", values) for table, values in by_table.items())]
    said, found = ([line for head, items in parts for line in _wrapped(head, items, width)] for parts in (roles, facts))
    return said, found


def _wrapped(head: str, items: list[str], width: float) -> list[str]:
    # Items stay whole, unless one alone is too long.
    pieces = [*(f"{item}," for item in items[:-1]), *items[-1:]]
    return typography.wrap([head, *pieces] if head and items else pieces, width)


def _size(row: dict[str, Any]) -> list[str]:
    sizes = [(row.get("params"), "M params", 3), (row.get("flops"), "M FLOPs", 1)]
    return [f"{value / 1e6:.{decimals}f} {unit}" for value, unit, decimals in sizes if finite(value)]


def _write(axes: Axes, said: list[str], found: list[str], left: float, top: float) -> None:
    for number, line in enumerate([*said, *found], start=1):
        colour = "black" if number <= len(said) else canvas.QUIET_COLOUR
        axes.text(left, top - number * canvas.LINE + 0.03, line, color=colour)
