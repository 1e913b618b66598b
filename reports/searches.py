"""What figures and page share of a search: its drivers, its teachers, and the words that state the sample."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeGuard

import pandas as pd

from diswot.reports.page.tables import plain
from diswot.reports.style.numbers import counted
from diswot.reports.summary import setting

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


def stored_number(value: object) -> float:
    """Return a stored number; NaN where there is none."""
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan


def finite(value: object) -> TypeGuard[float]:
    """Return whether a number is stored, and is neither NaN nor infinite."""
    return math.isfinite(stored_number(value))


def teachers(search: Search) -> list[str]:
    """Return the teachers that the search was repeated for, in their order; one without a name where there is none."""
    return [plain(name) for name in search.info.get("teachers") or ()] or [""]


def beside(rows: pd.DataFrame, teacher: str) -> pd.DataFrame:
    """Return the rows of one teacher."""
    return rows[rows["teacher"].map(plain) == teacher]


def of(rows: pd.DataFrame, **values: str) -> pd.DataFrame:
    """Return the rows that have a value in each of the named columns."""
    for column, value in values.items():
        rows = rows[rows[column] == value]
    return rows


def targets(search: Search) -> list[str]:
    """Return the accuracies that the search knows of, in its own order."""
    return [str(name) for name in search.info.get("targets") or ()]


def drivers(search: Search) -> list[str]:
    """Return the drivers: the winner, or where there is none the first asked for; then by the accuracy reached.

    The first one is what findings are about, so no accuracy has a part in which that is. The accuracy is the one that
    evolution ends with, of the first target that is known for any driver; those without it keep their own order.
    """
    names = [str(driver["name"]) for driver in search.info.get("drivers") or ()]
    found = of(beside(search.summary, teachers(search)[0]), algorithm="evolution")
    ends: dict[str, float] = {}
    for target in targets(search):
        ends = of(found, target=target).set_index("driver")["accuracy"].dropna().astype(float).to_dict()
        if ends:
            break
    first = (search.info.get("winner") or {}).get("driver") or next(iter(names), None)
    return sorted(dict.fromkeys(names), key=lambda name: (name != first, -ends.get(name, -math.inf)))


def record_of(search: Search, driver: str) -> dict[str, Any]:
    """Return what is stored about a driver; nothing where it is not known."""
    return next((one for one in search.info.get("drivers") or () if one["name"] == driver), {})


def higher_is_better(search: Search, driver: str) -> bool:
    """Return whether a driver looks for a high score."""
    return record_of(search, driver).get("direction") != "lower"


def option(search: Search, name: str) -> int | None:
    """Return one of the search's options that is a whole number; None where it is not stored."""
    value = (search.info.get("options") or {}).get(name)
    return int(value) if finite(value) else None


def budgets(search: Search) -> list[str]:
    """Return the limits that every cell of the search keeps, in words."""
    limits = (search.info.get("budgets") or {}).items()
    return [f"{name} up to {value:,.6g}" for name, value in limits if finite(value)]


def circumstances(results: Results, search: Search, teacher: str | None = None) -> str:
    """Return the searches, their length, the pictures, the batch and the teacher in a few words.

    Args:
        results: the run.
        search: of it.
        teacher: beside which the searches were; the first one by default, none where it is empty.
    """
    searches, evaluations = option(search, "searches"), option(search, "evaluations")
    cells = search.info.get("cells")
    images, batch = setting(results, "images"), setting(results, "batch_size")
    name = teachers(search)[0] if teacher is None else teacher
    of_all = f" out of {counted(int(cells), 'cell')}" if finite(cells) else ""
    sample = [
        counted(searches, "search", "searches") if searches else "",
        f"{counted(evaluations, 'evaluation')} each{of_all}" if evaluations else "",
    ]
    where = [f"{images} images" if images else "", f"batch of {batch}" if batch else "", f"teacher {name}"]
    parts = [", ".join(filter(None, sample)), *budgets(search), ", ".join(filter(None, where[: 3 if name else 2]))]
    return "; ".join(part for part in parts if part)


def seconds_from(search: Search) -> str:
    """Return where the seconds of an evaluation come from, each source once; empty where none are known."""
    known = [one for one in search.info.get("drivers") or () if finite(one.get("seconds_per_evaluation"))]
    sources = (plain(one.get("seconds_from")) for one in known)
    return "; ".join(dict.fromkeys(source for source in sources if source))


def left_out(hidden: Iterable[Any], noun: str, plural: str = "", why: str = "") -> str:
    """Return how many things are not shown, to follow other words; empty where all are."""
    count = len(list(hidden))
    return f"; {counted(count, noun, plural)} {why} left out".replace("  ", " ") if count else ""
