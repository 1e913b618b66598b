"""What figures and page share of a search: its drivers, its teachers, and the words that state the sample."""

from __future__ import annotations

import math

import pandas as pd

from diswot.benchmarks.errors import counted
from diswot.harness.runs.results import Results
from diswot.harness.runs.stored_search import DriverRecord, Search
from diswot.reports.style.wording import joined, plain
from diswot.reports.summary import conditions

#: What an algorithm is called.
ALGORITHMS = {
    "evolution": "evolution",
    "random": "random search",
    "exhaustive": "best of all cells",
    "oracle": "oracle",
}


def with_teacher(frame: pd.DataFrame, teacher: str) -> pd.DataFrame:
    """Return the rows of one teacher; without a teacher its name is empty, which a file holds as a missing value."""
    return frame[frame["teacher"].map(plain) == teacher]


def of(frame: pd.DataFrame, **values: str) -> pd.DataFrame:
    """Return the rows that have a value in each of the named columns."""
    for column, value in values.items():
        frame = frame[frame[column] == value]
    return frame


def as_numbers(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Return the frame with columns that hold floating-point numbers; read from a file, they may hold objects."""
    return frame.astype(dict.fromkeys(columns, float))


def drivers(search: Search) -> list[str]:
    """Return the drivers: the winner, or where there is none the first asked for; then by the accuracy reached.

    The first one is what findings are about, so no accuracy has a part in which that is. The accuracy is the one that
    evolution ends with, of the first target that is known for any driver; those without it keep their own order.
    """
    names = [driver.name for driver in search.info.drivers]
    found = of(with_teacher(search.summary, search.info.teachers[0]), algorithm="evolution")
    ends: dict[str, float] = {}
    for target in search.info.targets:
        ends = of(found, target=target).set_index("driver")["accuracy"].dropna().astype(float).to_dict()
        if ends:
            break
    first = search.info.winner.driver if search.info.winner is not None else names[0]
    return sorted(dict.fromkeys(names), key=lambda name: (name != first, -ends.get(name, -math.inf)))


def record_of(search: Search, driver: str) -> DriverRecord:
    """Return what is stored about a driver."""
    return next(record for record in search.info.drivers if record.name == driver)


def higher_is_better(search: Search, driver: str) -> bool:
    """Return whether a driver looks for a high score."""
    return record_of(search, driver).direction != "lower"


def budgets(search: Search) -> list[str]:
    """Return the limits that every cell of the search keeps, in words, and of how many cells a cost is not known."""
    limits, unknown = search.info.budgets, search.info.unknown_costs
    without = {name: f"not known of {counted(count, 'cell')}, left out" for name, count in unknown.items()}
    told = {name: f"{name} up to {value:,.6g}" for name, value in limits.items()}
    bounded = [f"{text} ({without[name]})" if name in without else text for name, text in told.items()]
    return bounded + [f"{name} {words}" for name, words in without.items() if name not in told]


def highest(search: Search, target: str) -> float:
    """Return the highest accuracy of a target; NaN where none is known."""
    oracle = search.info.oracles.get(target)
    return math.nan if oracle is None else oracle.accuracy


def circumstances(results: Results, search: Search, teacher: str | None = None) -> str:
    """Return the searches, their length, the images, the batch and the teacher in a few words.

    Args:
        results: the run.
        search: of it.
        teacher: with which the searches were; the first one by default, none where it is empty.
    """
    made = search.info.options
    sample = (
        f"{counted(made.searches, 'search', 'searches')}, {counted(made.evaluations, 'evaluation')} each out of "
        f"{counted(search.info.cells, 'cell')}"
    )
    name = search.info.teachers[0] if teacher is None else teacher
    return joined(sample, *budgets(search), conditions(results, name))


def seconds_from(search: Search) -> str:
    """Return where the seconds of an evaluation come from, each source once; empty where none are known."""
    known = [record.seconds_from for record in search.info.drivers if record.seconds_per_evaluation is not None]
    alone, summed = ", computed alone", ", summed over the members, each computed alone"
    is_alone, is_summed = (any(text.endswith(end) for text in known) for end in (" computed alone", summed))
    return joined(
        *dict.fromkeys(text.removesuffix(summed).removesuffix(alone) for text in known),
        "each proxy computed alone" * is_alone + ", an ensemble as the sum of its members" * is_summed,
    )
