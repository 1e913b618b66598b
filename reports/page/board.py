"""The leaderboard as a figure: a row a proxy, a dot and its interval a target, in percent of the figure's width."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from diswot.harness.runs.results import Results
from diswot.reports.answer import marked, notes_on_marks
from diswot.reports.style.file_names import stem
from diswot.reports.style.wording import decimal, with_interval
from diswot.reports.summary import best_first, column_of, metric_of, targets_of, vanilla_of


@dataclass(frozen=True)
class Dot:
    """A correlation; places are percent of the width, and without an interval both ends are the dot's.

    Attributes:
        place: of the dot.
        low: of the interval's lower end.
        high: of its upper end.
        alike: whether it is the best one, or not significantly different from it.
        words: the number and its interval.
    """

    place: float
    low: float
    high: float
    alike: bool
    words: str


@dataclass(frozen=True)
class Line:
    """A proxy and its dots by target, None where a correlation is not known.

    Attributes:
        proxy: its name.
        called: the name with the mark of an ensemble whose members were chosen.
        row: what its row of the table is called in an address.
        own: whether it is the user's.
        scored: whether the explorer has its scores; an ensemble has none of its own.
        dots: by target.
    """

    proxy: str
    called: str
    row: str
    own: bool
    scored: bool
    dots: tuple[Dot | None, ...]


@dataclass(frozen=True)
class Board:
    """The figure: ``ticks`` are places and labels, ``targets`` what the dots of a line are about."""

    metric: str
    targets: tuple[str, ...]
    called: tuple[str, ...]
    ticks: tuple[tuple[float, str], ...]
    zero: float
    lines: tuple[Line, ...]
    notes: tuple[str, ...]


def board(results: Results) -> Board | None:
    """Return the leaderboard by the first target, with the vanilla accuracy of a distilled one beside it."""
    evidence = best_first(results)
    targets = targets_of(results)[:1]
    targets += [name for name in [vanilla_of(results).get(targets[0]) if targets else None] if name]
    shown = evidence[evidence["target"].isin(targets)]
    metric = metric_of(shown)
    known = shown[shown[metric].notna()]
    if known.empty:
        return None
    ends = known[[metric, "low", "high"]].to_numpy(float)
    ends = ends[pd.notna(ends)]
    low, high = math.floor(min(0.0, ends.min()) * 5) / 5, math.ceil(max(0.2, ends.max()) * 5) / 5
    own = set(results.proxies.loc[results.proxies["family"] == "plug-in", "name"]) if len(results.proxies) else set()
    scored = set(results.scores["proxy"])
    count = round((high - low) * 5)
    ticks = [low + (high - low) * number / count for number in range(count + 1)]
    by_key = known.set_index(["proxy", "target"]).to_dict("index")

    def place(value: float) -> float:
        return round(100 * (value - low) / (high - low), 2)

    def dot(proxy: str, target: str) -> Dot | None:
        row = by_key.get((proxy, target))
        if row is None:
            return None
        value = float(row[metric])
        below, above = (float(row[end]) if pd.notna(row[end]) else value for end in ("low", "high"))
        alike = proxy == row["best"] or row["not_significantly_different"] == 1
        return Dot(place(value), place(below), place(above), bool(alike), with_interval(value, row["low"], row["high"]))

    proxies = list(dict.fromkeys(shown["proxy"]))
    return Board(
        metric=metric.capitalize(),
        targets=tuple(targets),
        called=tuple(map(column_of, targets)),
        ticks=tuple((place(tick), decimal(tick)[:-2]) for tick in ticks),
        zero=place(0),
        lines=tuple(
            Line(
                proxy=name,
                called=marked(name),
                row=stem(name),
                own=name in own,
                scored=name in scored,
                dots=tuple(dot(name, target) for target in targets),
            )
            for name in proxies
        ),
        notes=tuple(notes_on_marks(proxies)),
    )
