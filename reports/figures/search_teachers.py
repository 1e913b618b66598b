"""Whether another teacher changes the choice: scores and picks between teachers, and how accurate the picks are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from diswot.reports.figures.drawing import Drawing
from diswot.reports.page.tables import plain
from diswot.reports.searches import circumstances, drivers, finite, left_out, of, targets, teachers
from diswot.reports.style import canvas, names, typography
from diswot.reports.style.numbers import counted

if TYPE_CHECKING:
    from diswot.harness.runs.results import Results
    from diswot.harness.runs.stored_search import Search

MOST_PAIRS, MOST_TEACHERS, MOST_TARGETS = 12, 7, 3
LONGEST_NAME = 1.3
LARGEST, WITH_NUMBER, ROW = 0.72, 0.3, 0.17
GAP, COLOUR_BAR, HEAD, RIGHT, AXIS_LABELS = 0.14, 0.52, 0.27, 0.16, 0.36
NOT_DEFINED = "#BBBBBB"
MAPS = {"spearman": ("Spearman of scores", "RdBu_r", -1.0), "same_pick": ("Share of equal picks", "Blues", 0.0)}
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
THIN = 0.075


def drawings(results: Results) -> list[Drawing]:
    """Return the heat maps between teachers and the accuracies by teacher; nothing with fewer than two teachers."""
    search = results.search
    if search is None or len(teachers(search)) < 2:
        return []
    between = pair_data(search)
    found = [] if between.empty else [_between(results, search, between)]
    known = [(target, data) for target in targets(search) if not (data := accuracy_data(search, target)).empty]
    return found + [_by_teacher(results, search, target, data) for target, data in known[:MOST_TARGETS]]


def pair_data(search: Search) -> pd.DataFrame:
    """Return what is known between teachers, drivers in their order; of many teachers only pairs with the first."""
    place = {name: number for number, name in enumerate(drivers(search))}
    rows = search.teachers[search.teachers["driver"].isin(list(place))]
    pairs = rows["teacher"].map(plain) + " \N{EN DASH} " + rows["other"].map(plain)
    rows = rows.assign(pair=pairs.astype(object))
    if rows["pair"].nunique() > MOST_PAIRS:
        rows = rows[rows["teacher"].map(plain) == teachers(search)[0]]
        rows = rows[rows["pair"].isin(list(rows["pair"].drop_duplicates()[:MOST_PAIRS]))]
    rows = rows.sort_values("driver", key=lambda drivers: drivers.map(place), kind="stable", ignore_index=True)
    return rows.astype({"spearman": float, "same_pick": float})


def accuracy_data(search: Search, target: str) -> pd.DataFrame:
    """Return the accuracies that evolution ends with, by driver and teacher; nothing where none is known."""
    columns = ["teacher", "driver", "searches", "known", "accuracy", "accuracy_low", "accuracy_high"]
    rows = of(search.summary, algorithm="evolution", target=target)[columns]
    numbers = {name: float for name in columns if name.startswith("accuracy")}
    rows = rows.astype(numbers)
    rows = rows[rows["accuracy"].notna() & rows["driver"].isin(drivers(search))]
    place = {name: number for number, name in enumerate(drivers(search))}
    rows = rows.assign(teacher=rows["teacher"].map(plain).astype(object))
    rows = rows[rows["teacher"].isin(teachers(search)[:MOST_TEACHERS])]
    return rows.sort_values("driver", key=lambda drivers: drivers.map(place), kind="stable", ignore_index=True)


def _between(results: Results, search: Search, data: pd.DataFrame) -> Drawing:
    pairs, shown = data["pair"].nunique(), data["driver"].nunique()
    all_pairs = len(teachers(search)) * (len(teachers(search)) - 1) // 2
    words = circumstances(results, search, "") + left_out(range(all_pairs - pairs), "pair")
    if data[list(MAPS)].isna().any(axis=None):
        words += "; grey: not defined"
    fewest = int(data["cells"].min())
    most = int(data["cells"].max())
    cells = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
    return Drawing(
        "search-teachers",
        _maps(data, f"{words}; scores of {cells} cells."),
        data,
        "Left: Spearman correlation of a driver's scores of the same cells beside two teachers; right: share of "
        f"searches with equal seeds that end with the same pick; {words}; scores of {cells} cells.",
        f"Two heat maps of {counted(shown, 'driver')} by {counted(pairs, 'pair')} of teachers",
    )


def _maps(data: pd.DataFrame, note: str) -> Figure:
    shown, pairs = list(dict.fromkeys(data["driver"])), list(dict.fromkeys(data["pair"]))
    rows = [typography.elide(name, LONGEST_NAME) for name in shown]
    left = max(map(typography.width, rows)) + 0.12
    side = min(LARGEST, (canvas.DOUBLE_COLUMN - left - 2 * COLOUR_BAR - GAP) / 2 / len(pairs))
    block = max(side * len(pairs) + COLOUR_BAR, max(typography.width(title, 8) for title, _, _ in MAPS.values()))
    across = canvas.SINGLE_COLUMN if left + 2 * block + GAP <= canvas.SINGLE_COLUMN else canvas.DOUBLE_COLUMN
    columns, below = _heads(data, side)
    lines = canvas.footnote_lines(note, across)
    bottom = canvas.foot_height(lines) + below
    height = max(ROW * len(shown), 0.5)
    with canvas.style():
        figure = canvas.sheet(across, bottom + height + HEAD)
        for place, (name, (title, colours, low)) in enumerate(MAPS.items()):
            start = left + place * (block + GAP)
            table = data.pivot_table(index="driver", columns="pair", values=name, dropna=False, aggfunc="first")
            table = table.reindex(index=shown, columns=pairs)
            axes = canvas.axes_at(figure, start, bottom, side * len(pairs), height)
            axes.set_facecolor(NOT_DEFINED)
            image = axes.imshow(table.to_numpy(float), vmin=low, vmax=1, cmap=colours, aspect="auto")
            axes.set_yticks(range(len(shown)), rows if place == 0 else [""] * len(rows))
            axes.set_xticks(range(len(pairs)), columns, rotation=0 if "\n" in columns[0] else 90)
            axes.tick_params(length=0, pad=2)
            axes.spines[:].set_visible(False)
            axes.set_title(title, loc="left", pad=6)
            if side >= WITH_NUMBER:
                _write_numbers(axes, table.to_numpy(float))
            place_of_bar = start + side * len(pairs) + 0.08
            bar = figure.colorbar(image, cax=canvas.axes_at(figure, place_of_bar, bottom, 0.09, height))
            bar.set_ticks([low, 1] if height < 0.8 else [low, (1 + low) / 2, 1])
            bar.outline.set_visible(False)
        canvas.footnote(figure, lines)
    return figure


def _heads(data: pd.DataFrame, side: float) -> tuple[list[str], float]:
    # The two teachers one below the other where they fit, upright else; and how high that is.
    pairs = data.drop_duplicates("pair")
    both = list(zip(pairs["teacher"].map(plain), pairs["other"].map(plain), strict=True))
    if max(typography.width(name) for pair in both for name in pair) <= side - 0.06:
        return ["\n".join(pair) for pair in both], 2 * canvas.LINE + 0.12
    heads = [typography.elide(name, 1.6) for name in pairs["pair"]]
    return heads, max(map(typography.width, heads)) + 0.12


def _write_numbers(axes: Axes, table: np.ndarray) -> None:
    for (row, column), value in np.ndenumerate(table):
        if np.isfinite(value):
            text = f"{value:.2f}".replace("-", "\N{MINUS SIGN}")
            axes.text(
                column, row, text, ha="center", va="center_baseline", color="white" if abs(value) > 0.6 else "black"
            )


def _by_teacher(results: Results, search: Search, target: str, data: pd.DataFrame) -> Drawing:
    shown = [name for name in teachers(search) if name in set(data["teacher"])]
    hidden = [name for name in teachers(search) if name not in shown]
    some = int(data["known"].min()) < int(data["searches"].max())
    parts = [
        circumstances(results, search, ""),
        "whiskers: 95 % interval of the mean" if data["accuracy_low"].notna().any() else "",
        f"means over the searches whose pick has an accuracy, at least {int(data['known'].min())}" if some else "",
        "dotted: the oracle" if _oracle(search, target) else "",
    ]
    words = "; ".join(part for part in parts if part) + left_out(hidden, "teacher")
    count = counted(data["driver"].nunique(), "driver")
    return Drawing(
        names.stem("search-teachers", target),
        _dots(search, target, data, shown, f"{words}."),
        data,
        f"Accuracy ({target}) that evolution ends with, by driver and teacher; {words}.",
        f"Accuracies of the picks of {count} beside {counted(len(shown), 'teacher')}",
    )


def _oracle(search: Search, target: str) -> list[float]:
    best = ((search.info.get("oracles") or {}).get(target) or {}).get("accuracy")
    return [float(best)] if finite(best) else []


def _dots(search: Search, target: str, data: pd.DataFrame, shown: list[str], note: str) -> Figure:
    names_of = list(dict.fromkeys(data["driver"]))
    rows = [typography.elide(name, LONGEST_NAME) for name in names_of]
    left = max(map(typography.width, rows)) + 0.16
    across = canvas.SINGLE_COLUMN
    width = across - left - RIGHT
    columns = max(1, min(len(shown), int((across - 0.1) / (max(map(typography.width, shown)) + 0.3))))
    labels = [typography.elide(name, across / columns - 0.3) for name in shown]
    row = max(THIN * len(shown) + 0.05, 0.15)
    head = canvas.LINE * 1.05 * -(-len(shown) // columns) + 0.1
    body = row * len(names_of) + 0.06
    lines = canvas.footnote_lines(note, across)
    bottom = canvas.foot_height(lines) + AXIS_LABELS
    with canvas.style():
        figure = canvas.sheet(across, bottom + body + head)
        axes = canvas.axes_at(figure, left, bottom, width, body)
        for number, (teacher, label) in enumerate(zip(shown, labels, strict=True)):
            mine = of(data, teacher=teacher).drop_duplicates("driver").set_index("driver").reindex(names_of)
            heights = np.arange(len(names_of)) + (number - (len(shown) - 1) / 2) * THIN / row
            _draw_dots(axes, mine, heights, number, label)
        for best in _oracle(search, target):
            axes.axvline(best, color="black", linewidth=0.7, linestyle=(0, (1, 1.5)))
        for edge in range(1, len(names_of)):
            axes.axhline(edge - 0.5, color="#DDDDDD", linewidth=0.4)
        axes.set_yticks(range(len(names_of)), rows)
        axes.set_ylim(len(names_of) - 0.5 + 0.03 / row, -0.5 - 0.03 / row)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
        axes.margins(x=0.06)
        axes.xaxis.set_major_locator(MaxNLocator(max(2, int(width / 0.45)), steps=[1, 2, 5, 10]))
        axes.ticklabel_format(axis="x", useOffset=False, style="plain")
        axes.set_xlabel(typography.elide(f"{target}, %", left + width - 0.1), loc="right")
        figure.legend(
            *axes.get_legend_handles_labels(),
            loc="upper left",
            bbox_to_anchor=(0.0, 1.0),
            ncols=columns,
            borderaxespad=0.4,
            borderpad=0.1,
            handlelength=1,
            handletextpad=0.4,
            columnspacing=1,
            labelspacing=0.25,
        )
        canvas.footnote(figure, lines)
    return figure


def _draw_dots(axes: Axes, rows: pd.DataFrame, heights: np.ndarray, number: int, label: str) -> None:
    mean, low, high = (rows[name].to_numpy(float) for name in ("accuracy", "accuracy_low", "accuracy_high"))
    seen = np.isfinite(low) & np.isfinite(high)
    colour = f"C{number}"
    axes.hlines(heights[seen], low[seen], high[seen], color=colour, linewidth=0.8)
    axes.plot(
        mean,
        heights,
        linestyle="none",
        marker=MARKERS[number],
        markersize=3,
        markeredgewidth=0,
        color=colour,
        label=label,
    )
