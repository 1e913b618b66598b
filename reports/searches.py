"""What figures and page share of a search: its drivers, its teachers, and the words that state the sample."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pandas as pd

from diswot.reports.style.wording import counted, finite, joined, plain
from diswot.reports.summary import conditions

if TYPE_CHECKING:
    from diswot.harness.runs.results import Results
    from diswot.harness.runs.stored_search import Search

#: What an algorithm is called.
ALGORITHMS = {
    "evolution": "evolution",
    "random": "random search",
    "exhaustive": "best of all cells",
    "oracle": "oracle",
}


def teachers(search: Search) -> list[str]:
    """Return the teachers that the search was repeated for, in their order; one without a name where there is none."""
    return [plain(name) for name in search.info.get("teachers") or ()] or [""]


def with_teacher(frame: pd.DataFrame, teacher: str) -> pd.DataFrame:
    """Return the rows of one teacher."""
    return frame[frame["teacher"].map(plain) == teacher]


def of(frame: pd.DataFrame, **values: str) -> pd.DataFrame:
    """Return the rows that have a value in each of the named columns."""
    for column, value in values.items():
        frame = frame[frame[column] == value]
    return frame


def as_numbers(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Return the frame with columns that hold floating-point numbers; read from a file, they may hold objects."""
    return frame.astype(dict.fromkeys(columns, float))


def targets(search: Search) -> list[str]:
    """Return the accuracies that the search knows of, in its own order."""
    return [str(name) for name in search.info.get("targets") or ()]


def drivers(search: Search) -> list[str]:
    """Return the drivers: the winner, or where there is none the first asked for; then by the accuracy reached.

    The first one is what findings are about, so no accuracy has a part in which that is. The accuracy is the one that
    evolution ends with, of the first target that is known for any driver; those without it keep their own order.
    """
    names = [str(driver["name"]) for driver in search.info.get("drivers") or ()]
    found = of(with_teacher(search.summary, teachers(search)[0]), algorithm="evolution")
    ends: dict[str, float] = {}
    for target in targets(search):
        ends = of(found, target=target).set_index("driver")["accuracy"].dropna().astype(float).to_dict()
        if ends:
            break
    first = (search.info.get("winner") or {}).get("driver") or next(iter(names), None)
    return sorted(dict.fromkeys(names), key=lambda name: (name != first, -ends.get(name, -math.inf)))


def record_of(search: Search, driver: str) -> dict[str, Any]:
    """Return what is stored about a driver; nothing where it is not known."""
    return next((record for record in search.info.get("drivers") or () if record["name"] == driver), {})


def higher_is_better(search: Search, driver: str) -> bool:
    """Return whether a driver looks for a high score."""
    return record_of(search, driver).get("direction") != "lower"


def option(search: Search, name: str) -> int | None:
    """Return one of the search's options that is a whole number; None where it is not stored."""
    value = (search.info.get("options") or {}).get(name)
    return int(value) if finite(value) else None


def budgets(search: Search) -> list[str]:
    """Return the limits that every cell of the search keeps, in words, and of how many cells a cost is not known."""
    limits = search.info.get("budgets") or {}
    unknown = search.info.get("unknown_costs") or {}
    without = {name: f"not known of {counted(count, 'cell')}, left out" for name, count in unknown.items()}
    told = {name: f"{name} up to {value:,.6g}" for name, value in limits.items() if finite(value)}
    bounded = [f"{text} ({without[name]})" if name in without else text for name, text in told.items()]
    return bounded + [f"{name} {words}" for name, words in without.items() if name not in told]


def oracle(search: Search, target: str) -> dict[str, Any]:
    """Return the cell of the highest accuracy of a target as stored; nothing where it is not known."""
    return dict((search.info.get("oracles") or {}).get(target) or {})


def circumstances(results: Results, search: Search, teacher: str | None = None) -> str:
    """Return the searches, their length, the images, the batch and the teacher in a few words.

    Args:
        results: the run.
        search: of it.
        teacher: with which the searches were; the first one by default, none where it is empty.
    """
    searches, evaluations = option(search, "searches"), option(search, "evaluations")
    cells = search.info.get("cells")
    of_all = f" out of {counted(int(cells), 'cell')}" if finite(cells) else ""
    sample = [
        counted(searches, "search", "searches") if searches else "",
        f"{counted(evaluations, 'evaluation')} each{of_all}" if evaluations else "",
    ]
    name = teachers(search)[0] if teacher is None else teacher
    return joined(", ".join(filter(None, sample)), *budgets(search), conditions(results, name))


def seconds_from(search: Search) -> str:
    """Return where the seconds of an evaluation come from, each source once; empty where none are known."""
    records = search.info.get("drivers") or ()
    return joined(
        *dict.fromkeys(
            plain(record.get("seconds_from")) for record in records if finite(record.get("seconds_per_evaluation"))
        )
    )
