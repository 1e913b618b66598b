"""What the page says about a run's search, as plain values; the template only arranges them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from diswot.reports.page.search_findings import findings
from diswot.reports.page.tables import Column, Table
from diswot.reports.searches import (
    ALGORITHMS,
    beside,
    budgets,
    circumstances,
    drivers,
    of,
    targets,
    teachers,
)
from diswot.reports.style.wording import (
    NOT_DEFINED,
    Number,
    duration,
    finite,
    measured,
    number,
    plain,
    stored_number,
    whole,
)

if TYPE_CHECKING:
    from diswot.harness.runs.results import Results
    from diswot.harness.runs.stored_search import Search

#: Of how many different cells that a driver's searches end with a row is shown.
MOST_PICKS = 3

ORACLE = "the accuracy itself"
UNKNOWN = Number(math.nan, NOT_DEFINED)


def section(results: Results) -> dict[str, Any] | None:
    """Return all that the section on the search holds, by name; None where there was no search."""
    search = results.search
    if search is None:
        return None
    return {
        "sampled": _sampled(results, search),
        "findings": findings(search),
        "reading": reading(search),
        "summary": summary_table(search),
        "picks": pick_table(search),
        "picks_left_out": picks_left_out(search),
        "teachers": teacher_table(search),
        "drivers": driver_table(search),
        "options": options(search),
        "made_by": [plain(command) for command in search.info.get("commands") or ()],
    }


def _sampled(results: Results, search: Search) -> str:
    several = len(teachers(search))
    if several < 2:
        return f"{circumstances(results, search)}."
    return (
        f"{circumstances(results, search, '')}; for each driver and algorithm, and beside each of {several} teachers."
    )


def summary_table(search: Search) -> Table:
    """Return what the picks are worth: a row a driver, algorithm, target and teacher, the best drivers first."""
    several = len(teachers(search)) > 1
    columns = (
        Column("Driver"),
        Column("Algorithm", choice=True),
        Column("Target", choice=True),
        *((Column("Teacher", choice=True),) if several else ()),
        *(Column(label, numeric=True) for label in ("Accuracy %", "Picks known", "Regret", "Better than %")),
        *(Column(label, numeric=True) for label in ("Evaluations", "Seconds", "Searches", "Different picks")),
        *(Column(label, numeric=True) for label in ("Random search needs", "Times as many", "Evaluations fewer")),
        *(Column(label, numeric=True) for label in ("Trainings needed", "Their time", "Times as long")),
    )
    rows: list[list[Number | str]] = [
        [
            ORACLE if row["algorithm"] == "oracle" else plain(row["driver"]),
            ALGORITHMS.get(row["algorithm"], plain(row["algorithm"])),
            plain(row["target"]),
            *([plain(row["teacher"])] if several else []),
            _value(row, "accuracy", deviation=True),
            _known(row),
            _value(row, "regret"),
            _percent(row["percentile"]),
            _whole(row["evaluations"]),
            measured(stored_number(row["seconds"])),
            _whole(row["searches"]),
            _whole(row["picks"]),
            measured(stored_number(row["random_evaluations"])),
            measured(stored_number(row["evaluations_saved"])),
            _value(row, "fewer"),
            measured(stored_number(row["training_evaluations"])),
            _duration(row["training_seconds"]),
            measured(stored_number(row["seconds_saved"])),
        ]
        for row in _arranged(search, search.summary).to_dict("records")
    ]
    return Table("search-summary", "What the picks of the searches are worth", columns, rows)


def pick_table(search: Search) -> Table:
    """Return the cells that searches end with, by driver and algorithm; of many, those that most searches end with."""
    several, names = len(teachers(search)) > 1, targets(search)
    columns = (
        Column("Driver"),
        Column("Algorithm", choice=True),
        *((Column("Teacher", choice=True),) if several else ()),
        *(Column(label, numeric=True) for label in ("Cell", "Searches", "Share %", "Score")),
        *(Column(label, numeric=True) for label in ("Params, M", "FLOPs, M")),
        *(Column(f"{name}, %", numeric=True) for name in names),
        Column("Architecture"),
    )
    rows: list[list[Number | str]] = []
    for group, total in _groups(search):
        for row in group.head(MOST_PICKS).to_dict("records"):
            searched = row["algorithm"] in ("evolution", "random")
            rows.append(
                [
                    ORACLE if row["algorithm"] == "oracle" else plain(row["driver"]),
                    ALGORITHMS.get(row["algorithm"], plain(row["algorithm"])),
                    *([plain(row["teacher"])] if several else []),
                    Number(float(row["cell"]), str(int(row["cell"]))),
                    _whole(row["count"]) if searched else UNKNOWN,
                    _percent(100 * row["count"] / total) if searched else UNKNOWN,
                    measured(stored_number(row["score"])),
                    *(number(stored_number(row[name]) / 1e6) for name in ("params", "flops")),
                    *(number(stored_number(row.get(name))) for name in names),
                    plain(row["architecture"]),
                ]
            )
    return Table("search-picks", "The cells that searches end with", columns, rows)


def picks_left_out(search: Search) -> str:
    """Return how many picks the table does not show, and where they are; empty where it shows all."""
    hidden = sum(max(0, len(group) - MOST_PICKS) for group, _ in _groups(search))
    if not hidden:
        return ""
    rows = "row" if hidden == 1 else "rows"
    return (
        f"For each driver and algorithm the {MOST_PICKS} cells that most searches end with, or the first {MOST_PICKS} "
        f"of those that tie; {hidden:,} more {rows} would hold the rest, which stands in search/picks.csv."
    )


def teacher_table(search: Search) -> Table | None:
    """Return how alike scores and picks are between teachers; None with fewer than two."""
    if search.teachers.empty:
        return None
    place = {name: number for number, name in enumerate(drivers(search))}
    found = search.teachers.sort_values(
        "driver", key=lambda names: names.map(place).fillna(len(place)), kind="stable", ignore_index=True
    )
    columns = (
        Column("Driver"),
        Column("Teacher", choice=True),
        Column("Other teacher", choice=True),
        *(Column(label, numeric=True) for label in ("Spearman of scores", "Cells", "Equal picks %", "Searches")),
    )
    rows: list[list[Number | str]] = [
        [
            *(plain(row[name]) for name in ("driver", "teacher", "other")),
            number(stored_number(row["spearman"])),
            _whole(row["cells"]),
            _percent(100 * stored_number(row["same_pick"])),
            _whole(row["searches"]),
        ]
        for row in found.to_dict("records")
    ]
    return Table("search-teachers", "Scores and picks beside one teacher and another", columns, rows)


def driver_table(search: Search) -> Table:
    """Return what drove the searches, and what one evaluation costs."""
    columns = (
        Column("Driver"),
        Column("Kind", choice=True),
        Column("Members"),
        Column("Better"),
        Column("Seconds per evaluation", numeric=True),
        Column("Measured"),
    )
    by_name = {plain(one["name"]): one for one in search.info.get("drivers") or ()}
    rows: list[list[Number | str]] = []
    for name in drivers(search):
        one = by_name[name]
        members = [plain(member) for member in one.get("members") or () if plain(member) != name]
        rows.append(
            [
                *(name, plain(one.get("kind")), ", ".join(members), plain(one.get("direction"))),
                measured(stored_number(one.get("seconds_per_evaluation"))),
                plain(one.get("seconds_from")),
            ]
        )
    return Table("search-drivers", "What drove the searches", columns, rows, sortable=False)


def options(search: Search) -> list[tuple[str, str]]:
    """Return how the searches were done, as pairs of a name and a text; texts may be empty."""
    info = search.info
    chosen = {name.replace("_", " ").capitalize(): plain(value) for name, value in (info.get("options") or {}).items()}
    scores = {
        "stored": "replayed from the run's store",
        "live": "evaluated as the searches went on, beside those stored",
    }
    return [
        ("Scores", scores.get(plain(info.get("scores")), plain(info.get("scores")))),
        ("Cells that could be searched", f"{int(info['cells']):,}" if finite(info.get("cells")) else ""),
        ("Budgets", ", ".join(budgets(search))),
        *chosen.items(),
        ("Seed of the weights", plain(info.get("weight_seed"))),
        ("Teachers", ", ".join(filter(None, teachers(search)))),
        ("Targets", ", ".join(targets(search))),
        *(
            (f"A training for {target}", f"{duration(stored_number(one.get('seconds')))}: {plain(one.get('source'))}")
            for target, one in (info.get("trainings") or {}).items()
        ),
        ("Machine", plain(info.get("machine"))),
        ("Made", plain(info.get("created"))),
    ]


def reading(search: Search) -> list[str]:
    """Return what the columns of the summary mean, a sentence or two each."""
    trained = search.summary["training_evaluations"].notna().any()
    return [
        "A search looks at one cell after another and ends with the one that its driver scores best; no accuracy has a "
        "part in that. Evolution: children of the best of a few cells, each differing at one place; random search: "
        "cells drawn without repetition; best of all cells: the highest score of all that could be searched; oracle: "
        "the highest accuracy.",
        "Accuracy: mean over the searches whose pick has an accuracy (picks known), ± standard deviation, and below it "
        "the 95 % interval of the mean over searches. It says nothing about other weights or other pictures: all "
        "searches see the same scores. Of cells that tie for the best score it is the mean over these.",
        "Regret: how many percentage points the oracle is higher. Better than: the share of the cells with an accuracy "
        "that the pick is better than, ties counting half.",
        "Random search needs: within how many evaluations half of all random searches reach a score, by theory; the "
        "highest one that they can within the evaluations of a search. Times as many: that number divided by when half "
        "of these searches reach it. Evaluations fewer: how much earlier evolution reaches it than random search that "
        "began alike, mean over pairs of searches and its 95 % interval.",
        *(
            [
                "Trainings needed: how many of the cells a random search would have to train on average for an "
                "accuracy as good; their time: what these trainings take on the machine that is named below; times as "
                "long: that time divided by the seconds of the search. It compares two measurements on machines that "
                "may differ."
            ]
            if trained
            else []
        ),
    ]


def _arranged(search: Search, rows: pd.DataFrame) -> pd.DataFrame:
    # By target, then teacher, then driver, the oracle last.
    places = {
        "target": {name: place for place, name in enumerate(targets(search))},
        "teacher": {name: place for place, name in enumerate(teachers(search))},
        "driver": {name: place for place, name in enumerate(drivers(search))},
        "algorithm": {name: place for place, name in enumerate(ALGORITHMS)},
    }
    present = [name for name in places if name in rows]
    return rows.sort_values(
        present,
        key=lambda column: column.map(plain).map(places[str(column.name)]).fillna(len(places[str(column.name)])),
        kind="stable",
        ignore_index=True,
    )


def _groups(search: Search) -> Iterable[tuple[pd.DataFrame, int]]:
    # The different picks of each teacher, driver and algorithm, the most frequent first, and how many searches these
    # are.
    searched = [name for name in ALGORITHMS if name != "oracle"]
    for teacher in teachers(search):
        mine = beside(search.picks, teacher)
        for driver in drivers(search):
            for algorithm in searched:
                yield _different(of(mine, driver=driver, algorithm=algorithm))
    for target in targets(search):
        yield _different(of(search.picks, driver=target, algorithm="oracle"))


def _different(rows: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    counts = rows["cell"].map(rows["cell"].value_counts())
    once = rows.assign(count=counts).drop_duplicates("cell")
    return once.sort_values(["count", "cell"], ascending=[False, True], kind="stable"), len(rows)


def _value(row: Mapping[Any, Any], name: str, deviation: bool = False) -> Number:
    spread = stored_number(row[f"{name}_deviation"]) if deviation else math.nan
    low, high = stored_number(row[f"{name}_low"]), stored_number(row[f"{name}_high"])
    return number(stored_number(row[name]), deviation=spread, low=low, high=high)


def _known(row: Mapping[Any, Any]) -> Number:
    known, searches = stored_number(row["known"]), stored_number(row["searches"])
    if not math.isfinite(known):
        return UNKNOWN
    return Number(known, f"{known:,.0f} of {searches:,.0f}" if math.isfinite(searches) else f"{known:,.0f}")


def _whole(value: object) -> Number:
    return whole(stored_number(value)) if finite(value) else UNKNOWN


def _percent(value: object) -> Number:
    share = stored_number(value)
    return Number(share, f"{share:.1f}") if math.isfinite(share) else UNKNOWN


def _duration(value: object) -> Number:
    seconds = stored_number(value)
    return Number(seconds, duration(seconds)) if math.isfinite(seconds) else UNKNOWN
