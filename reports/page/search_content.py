"""What the page says about a run's search, as plain values; the template only arranges them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from diswot.harness.runs.results import Results
from diswot.harness.runs.stored_search import Search
from diswot.reports.page.search_findings import findings
from diswot.reports.page.tables import Column, Field, Row, Table, table, text, value
from diswot.reports.searches import (
    ALGORITHMS,
    budgets,
    circumstances,
    drivers,
    of,
    record_of,
    with_teacher,
)
from diswot.reports.style.wording import (
    UNKNOWN,
    Number,
    duration,
    estimate,
    finite,
    measured,
    number,
    percent,
    plain,
    stored_number,
    whole,
)
from diswot.reports.summary import arranged

#: Of how many different cells that a driver's searches end with a row is shown.
MOST_PICKS = 3

ORACLE = "the accuracy itself"


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
        "made_by": [plain(command) for command in search.info.commands],
    }


def _sampled(results: Results, search: Search) -> str:
    several = len(search.info.teachers)
    if several < 2:
        return f"{circumstances(results, search)}."
    return f"{circumstances(results, search, '')}; for each driver and algorithm, and with each of {several} teachers."


def summary_table(search: Search) -> Table:
    """Return what the picks reach: a row a driver, algorithm, target and teacher, the best drivers first."""
    fields = [
        *_who(search, text("Target", "target", choice=True)),
        value("Accuracy %", lambda row: estimate(row, "accuracy", std=True)),
        value("Picks known", _known),
        value("Regret", lambda row: estimate(row, "regret")),
        value("Better than %", percent, "percentile"),
        value("Evaluations", whole, "evaluations"),
        value("Seconds", measured, "seconds"),
        value("Searches", whole, "searches"),
        value("Different picks", whole, "picks"),
        value("Random search needs", measured, "random_evaluations"),
        value("Times as many", measured, "evaluations_saved"),
        value("Evaluations fewer", lambda row: estimate(row, "fewer")),
        value("Trainings needed", measured, "training_evaluations"),
        value("Their time", lambda seconds: measured(seconds, duration), "training_seconds"),
        value("Times as long", measured, "seconds_saved"),
    ]
    summary = arranged(search.summary, "algorithm", ALGORITHMS)
    for column, order in (
        ("driver", drivers(search)),
        ("teacher", search.info.teachers),
        ("target", search.info.targets),
    ):
        summary = arranged(summary.assign(**{column: summary[column].map(plain)}), column, order)
    return table("search-summary", "What the picks of the searches reach", summary.to_dict("records"), fields)


def _who(search: Search, *target: Field) -> list[Field]:
    # The driver, the algorithm, and the teacher where there are several.
    return [
        (Column("Driver"), lambda row: ORACLE if row["algorithm"] == "oracle" else plain(row["driver"])),
        (
            Column("Algorithm", choice=True),
            lambda row: ALGORITHMS.get(row["algorithm"], plain(row["algorithm"])),
        ),
        *target,
        *([text("Teacher", "teacher", choice=True)] if len(search.info.teachers) > 1 else []),
    ]


def _known(row: Row) -> Number:
    known, searches = row["known"], row["searches"]
    if not finite(known):
        return UNKNOWN
    return Number(known, f"{known:,.0f} of {searches:,.0f}" if finite(searches) else f"{known:,.0f}")


def pick_table(search: Search) -> Table:
    """Return the cells that searches end with, by driver and algorithm; of many, those that most searches end with."""
    fields = [
        *_who(search),
        value("Cell", lambda cell: Number(float(cell), str(int(cell))), "cell"),
        value("Searches", whole, "count"),
        value("Share %", percent, "share"),
        value("Score", measured, "score"),
        value("Params, M", _millions, "params"),
        value("FLOPs, M", _millions, "flops"),
        *(value(f"{name}, %", number, name) for name in search.info.targets if name in search.picks),
        text("Architecture", "architecture"),
    ]
    rows = [row for group in _groups(search) for row in group.head(MOST_PICKS).to_dict("records")]
    return table("search-picks", "The cells that searches end with", rows, fields)


def _millions(count: object) -> Number:
    return number(stored_number(count) / 1e6)


def picks_left_out(search: Search) -> str:
    """Return how many picks the table does not show, and where they are; empty where it shows all."""
    hidden = sum(max(0, len(group) - MOST_PICKS) for group in _groups(search))
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
    fields = [
        text("Driver", "driver"),
        text("Teacher", "teacher", choice=True),
        text("Other teacher", "other", choice=True),
        value("Spearman of scores", number, "spearman"),
        value("Cells", whole, "cells"),
        value("Equal picks %", lambda share: percent(100 * stored_number(share)), "same_pick"),
        value("Searches", whole, "searches"),
    ]
    rows = arranged(search.teachers, "driver", drivers(search)).to_dict("records")
    return table("search-teachers", "Scores and picks with two teachers", rows, fields)


def driver_table(search: Search) -> Table:
    """Return what drove the searches, and what one evaluation costs."""
    fields = [
        text("Driver", "name"),
        text("Kind", "kind", choice=True),
        (Column("Members"), lambda row: ", ".join(plain(name) for name in row["members"] if name != row["name"])),
        text("Better", "direction"),
        value("Seconds per evaluation", measured, "seconds_per_evaluation"),
        text("Measured", "seconds_from"),
    ]
    rows = [record_of(search, name).model_dump() for name in drivers(search)]
    return table("search-drivers", "What drove the searches", rows, fields, sortable=False)


def options(search: Search) -> list[tuple[str, str]]:
    """Return how the searches were done, as pairs of a name and a text; texts may be empty."""
    info = search.info
    chosen = {name.replace("_", " ").capitalize(): plain(value) for name, value in info.options.stored().items()}
    scores = {
        "stored": "replayed from the run's store",
        "live": "evaluated as the searches went on, beside those stored",
    }
    return [
        ("Scores", scores.get(info.scores, plain(info.scores))),
        ("Cells that could be searched", f"{info.cells:,}"),
        ("Budgets", ", ".join(budgets(search))),
        ("Second objective", plain(info.cost)),
        *chosen.items(),
        ("Seed of the weights", plain(info.weight_seed)),
        ("Teachers", ", ".join(filter(None, search.info.teachers))),
        ("Targets", ", ".join(search.info.targets)),
        *(
            (f"A training for {target}", f"{duration(cost.seconds)}: {plain(cost.source)}")
            for target, cost in info.trainings.items()
        ),
        ("Machine", plain(info.machine)),
        ("Made", plain(info.created)),
    ]


def reading(search: Search) -> list[str]:
    """Return what the columns of the summary mean, a sentence or two each."""
    trained = search.summary["training_evaluations"].notna().any()
    return [
        "A search looks at one cell after another and ends with the one that its driver scores best; no accuracy has a "
        "part in that. Evolution: each cell is a child of the best of a few, changed at one place. Random search: "
        "cells drawn without repetition. Best of all cells: the highest score of all that could be searched. Oracle: "
        "the highest accuracy.",
        "Accuracy: mean over the searches whose pick has an accuracy (picks known), ± standard deviation, and below it "
        "the 95 % interval of the mean over searches. It says nothing about other weights or other images: all "
        "searches see the same scores. Of cells that tie for the best score it is the mean over these.",
        "Regret: how many percentage points the oracle is higher. Better than: the share of the cells with an accuracy "
        "that the pick is better than, ties counting half.",
        "Random search needs: after how many evaluations half of all random searches have their median final score, by "
        "theory. Times as many: that number divided by the evaluations after which half of these searches have this "
        "score. Evaluations fewer: how much earlier evolution has it than random search from the same first cells; "
        "mean over pairs of searches, and its 95 % interval.",
        *(
            [
                "Trainings needed: how many cells a random search has to train on average for an accuracy as good. "
                "Their time: what these trainings take on the machine that is named below. Times as long: that time "
                "divided by the seconds of the search. The two machines may differ."
            ]
            if trained
            else []
        ),
    ]


def _groups(search: Search) -> Iterable[pd.DataFrame]:
    # The different picks of each teacher, driver and algorithm, the most frequent first.
    for teacher in search.info.teachers:
        picks = with_teacher(search.picks, teacher)
        for driver in drivers(search):
            for algorithm in ALGORITHMS:
                if algorithm != "oracle":
                    yield _different(of(picks, driver=driver, algorithm=algorithm))
    for target in search.info.targets:
        yield _different(of(search.picks, driver=target, algorithm="oracle"))


def _different(picks: pd.DataFrame) -> pd.DataFrame:
    # How often each is picked says something of searches alone.
    counts = picks["cell"].map(picks["cell"].value_counts()).where(picks["algorithm"].isin(["evolution", "random"]))
    once = picks.assign(count=counts, share=100 * counts / max(len(picks), 1)).drop_duplicates("cell")
    return once.sort_values(["count", "cell"], ascending=[False, True], kind="stable")
