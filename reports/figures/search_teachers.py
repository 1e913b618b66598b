"""Whether another teacher changes the choice: scores and picks between teachers, and how accurate the picks are."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from diswot.benchmarks.errors import counted
from diswot.harness.runs.results import Results
from diswot.harness.runs.stored_search import Search
from diswot.reports.figures import heatmap
from diswot.reports.figures.drawing import Drawing
from diswot.reports.searches import as_numbers, circumstances, drivers, highest, of
from diswot.reports.style import canvas, file_names, typography
from diswot.reports.style.wording import finite, joined, left_out, plain, span
from diswot.reports.summary import arranged

MOST_PAIRS, MOST_TEACHERS, MOST_TARGETS = 12, 7, 3
COLOUR_BAR, HEAD, ROW = 0.52, 0.27, 0.17
MAPS = {"spearman": ("Spearman of scores", "RdBu_r", -1.0), "same_pick": ("Share of equal picks", "Blues", 0.0)}
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
THIN = 0.075


def drawings(results: Results) -> list[Drawing]:
    """Return the heat maps between teachers and the accuracies by teacher; nothing with fewer than two teachers."""
    search = results.search
    if search is None or len(search.info.teachers) < 2:
        return []
    between = pair_data(search)
    found = [] if between.empty else [_between(results, search, between)]
    known = [(target, data) for target in search.info.targets if not (data := accuracy_data(search, target)).empty]
    return found + [_by_teacher(results, search, target, data) for target, data in known[:MOST_TARGETS]]


def pair_data(search: Search) -> pd.DataFrame:
    """Return what is known between teachers, drivers in their order; of many teachers only pairs with the first."""
    known = search.teachers[search.teachers["driver"].isin(drivers(search))]
    known = as_numbers(known.assign(teacher=known["teacher"].map(plain), other=known["other"].map(plain)), *MAPS)
    known["pair"] = (known["teacher"] + " \N{EN DASH} " + known["other"]).astype(object)
    if known["pair"].nunique() > MOST_PAIRS:
        known = known[known["teacher"] == search.info.teachers[0]]
        known = known[known["pair"].isin(list(known["pair"].drop_duplicates()[:MOST_PAIRS]))]
    return arranged(known, "driver", drivers(search))


def accuracy_data(search: Search, target: str) -> pd.DataFrame:
    """Return the accuracies that evolution ends with, by driver and teacher; nothing where none is known."""
    numbers = ["accuracy", "accuracy_low", "accuracy_high"]
    known = of(search.summary, algorithm="evolution", target=target)
    known = as_numbers(known[["teacher", "driver", "searches", "known", *numbers]], *numbers)
    known = known.assign(teacher=known["teacher"].map(plain).astype(object)).dropna(subset="accuracy")
    shown = known["driver"].isin(drivers(search)) & known["teacher"].isin(search.info.teachers[:MOST_TEACHERS])
    return arranged(known[shown], "driver", drivers(search))


def _between(results: Results, search: Search, data: pd.DataFrame) -> Drawing:
    pairs, count = data["pair"].nunique(), len(search.info.teachers)
    words = joined(
        circumstances(results, search, ""),
        left_out(count * (count - 1) // 2 - pairs, "pair"),
        "grey: not defined" if data[list(MAPS)].isna().any(axis=None) else "",
        f"scores of {span(int(data['cells'].min()), int(data['cells'].max()))} cells",
    )
    return Drawing(
        "search-teachers",
        _maps(data, f"{words}."),
        data,
        "Left: Spearman correlation of a driver's scores of the same cells with two teachers; right: share of "
        f"searches with equal seeds that end with the same pick; {words}.",
        f"Two heat maps of {counted(data['driver'].nunique(), 'driver')} by {counted(pairs, 'pair')} of teachers",
    )


def _maps(data: pd.DataFrame, note: str) -> Figure:
    shown, pairs = list(dict.fromkeys(data["driver"])), data.drop_duplicates("pair")
    heads = list(canvas.short(shown).values())
    left = max(map(typography.width, heads)) + 0.12
    side = (canvas.DOUBLE_COLUMN - left - 2 * COLOUR_BAR) / 2 / len(pairs)
    columns = [f"{teacher}\n{other}" for teacher, other in zip(pairs["teacher"], pairs["other"], strict=True)]
    below = 2 * canvas.LINE
    # The two teachers stand below each other where they fit, upright else.
    if max(typography.width(name) for name in [*pairs["teacher"], *pairs["other"]]) > side - 0.1:
        columns = [typography.elide(name, 1.6) for name in pairs["pair"]]
        below = max(map(typography.width, columns))
    with canvas.style():
        body = max(ROW * len(shown), 0.5) + below + HEAD + 0.12
        figure, sheet = canvas.sheet(canvas.DOUBLE_COLUMN, body, note, columns=2)
        for axes, (name, (title, colours, low)) in zip(sheet, MAPS.items(), strict=True):
            table = data.pivot_table(index="driver", columns="pair", values=name, dropna=False, aggfunc="first")
            table = table.reindex(index=shown, columns=pairs["pair"])
            heatmap.draw(axes, table, (heads, columns), "", low=low, colours=colours)
            axes.set_title(title, loc="left", pad=6)
        sheet[1].tick_params(labelleft=False)
    return figure


def _by_teacher(results: Results, search: Search, target: str, data: pd.DataFrame) -> Drawing:
    shown = [name for name in search.info.teachers if name in set(data["teacher"])]
    fewest = int(data["known"].min())
    some = fewest < int(data["searches"].max())
    best = highest(search, target)
    words = joined(
        circumstances(results, search, ""),
        "whiskers: 95 % interval of the mean" if data["accuracy_low"].notna().any() else "",
        f"means over the searches whose pick has an accuracy, at least {fewest}" if some else "",
        "dotted: the oracle" if finite(best) else "",
        left_out(len(search.info.teachers) - len(shown), "teacher"),
    )
    count = counted(data["driver"].nunique(), "driver")
    return Drawing(
        file_names.stem("search-teachers", target),
        _dots(target, data, shown, best, f"{words}."),
        data,
        f"Accuracy ({target}) that evolution ends with, by driver and teacher; {words}.",
        f"Accuracies of the picks of {count} with {counted(len(shown), 'teacher')}",
    )


def _dots(target: str, data: pd.DataFrame, shown: list[str], best: object, note: str) -> Figure:
    proxies = list(dict.fromkeys(data["driver"]))
    across = canvas.SINGLE_COLUMN
    columns = max(1, min(len(shown), int((across - 0.1) / (max(map(typography.width, shown)) + 0.3))))
    row = max(THIN * len(shown) + 0.05, 0.15)
    body = row * len(proxies) + canvas.AXIS_LABELS + canvas.LINE * -(-len(shown) // columns) + 0.1
    with canvas.style():
        figure, (axes,) = canvas.sheet(across, body, note)
        canvas.list_proxies(axes, list(canvas.short(proxies).values()))
        for number, teacher in enumerate(shown):
            found = of(data, teacher=teacher).drop_duplicates("driver").set_index("driver").reindex(proxies)
            heights = np.arange(len(proxies)) + (number - (len(shown) - 1) / 2) * THIN / row
            _draw_dots(axes, found, heights, number, typography.elide(teacher, across / columns - 0.3))
        if finite(best):
            axes.axvline(best, color="black", linewidth=0.7, linestyle=(0, (1, 1.5)))
        for edge in range(1, len(proxies)):
            axes.axhline(edge - 0.5, color="#DDDDDD", linewidth=0.4)
        axes.margins(x=0.06)
        axes.ticklabel_format(axis="x", useOffset=False, style="plain")
        axes.set_xlabel(typography.elide(f"{target}, %", across - 0.3), loc="right")
        canvas.legend(figure, columns, handlelength=1)
    return figure


def _draw_dots(axes: Axes, found: pd.DataFrame, heights: np.ndarray, number: int, label: str) -> None:
    mean, low, high = (found[name].to_numpy(float) for name in ("accuracy", "accuracy_low", "accuracy_high"))
    seen = np.isfinite(low) & np.isfinite(high)
    axes.hlines(heights[seen], low[seen], high[seen], color=f"C{number}", linewidth=0.8)
    axes.plot(mean, heights, MARKERS[number], markersize=3, markeredgewidth=0, color=f"C{number}", label=label)
