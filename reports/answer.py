"""The answer of a run in sentences: which proxy predicts best, and what a search by it finds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from diswot.benchmarks.errors import InputError
from diswot.harness.evidence.ensembles import ENSEMBLES
from diswot.harness.evidence.intervals import FEWEST_FUNCTIONS
from diswot.harness.evidence.metrics import METRICS
from diswot.harness.evidence.table import leading
from diswot.harness.runs.results import Results
from diswot.harness.runs.stored_search import Search, percentile_of


@dataclass(frozen=True)
class Pick:
    """The cell that most searches of the first driver end with.

    Attributes:
        cell: its number.
        architecture: how it is written.
        driver: what drove the searches.
        count: how many searches end with it.
        searches: how many there were.
        target: the accuracies that judge it.
        accuracy: of these, in percent.
        percentile: the share of the known cells that it is better than, in percent; None where the table is gone.
        gap: to the best known cell, in percentage points.
        known: how many cells have an accuracy.
        accuracies: in percent, by target, where they are known.
    """

    cell: int
    architecture: str
    driver: str
    count: int
    searches: int
    target: str
    accuracy: float
    percentile: float | None
    gap: float
    known: int
    accuracies: dict[str, float]


def sentences(results: Results) -> list[str]:
    """Return which proxy predicts the first target best, which are as good, and what a search by it finds."""
    first = pick_of(results.search)
    answer = [*_prediction(results.evidence), *_search(results, first)]
    if first is not None and chosen_by(first.driver) and results.search is not None:
        drivers = [name for name, _ in by_driver(results.search) if not chosen_by(name)]
        answer += _search(results, pick_of(results.search, drivers[0]) if drivers else None)
    return answer


def in_short(results: Results) -> list[str]:
    """Return the two of these `sentences` that answer the question: the best proxy, and the pick of its searches."""
    return [*_prediction(results.evidence)[:1], *_search(results, pick_of(results.search))]


def _ranked(evidence: pd.DataFrame) -> pd.DataFrame:
    # The rows of the first target that have a correlation on enough functions, best first.
    decisive = leading(evidence)
    first = decisive[decisive["target"].eq(decisive["target"].iloc[0])] if len(decisive) else decisive
    known = first[first["n_functions"] >= FEWEST_FUNCTIONS]
    metric = str(known["metric"].iloc[0]) if len(known) else "spearman"
    return known.dropna(subset=metric).sort_values(metric, ascending=False)


def _prediction(evidence: pd.DataFrame) -> list[str]:
    ranked = _ranked(evidence)
    if ranked.empty:
        return []
    first = ranked.iloc[0]
    metric = str(first["metric"])
    chosen = chosen_by(str(first["proxy"]))
    same = ranked.loc[ranked["not_significantly_different"] == 1, "proxy"]
    alike = [str(name) for name in same if name != first["proxy"]]
    if first["proxy"] != first["best"]:
        compared = f"The best of all is {first['best']}, which is not shown."
    else:
        compared = f"Not significantly worse: {', '.join(alike)}." if alike else "All others are significantly worse."
    return [
        f"{first['proxy']} predicts {first['target']} best: {METRICS[metric].label} {first[metric]:.3f} "
        f"[{first['low']:.2f}, {first['high']:.2f}] on {int(first['n_functions'])} functions.",
        *([f"{first['proxy']} is an ensemble, whose members this project chose by {chosen}."] if chosen else []),
        compared,
    ]


def chosen_by(name: str) -> str:
    """Return by which accuracies the members of an ensemble were chosen; nothing for others and for proxies."""
    return ENSEMBLES[name].chosen_by if name in ENSEMBLES else ""


def marked(name: str) -> str:
    """Return the name of a proxy or ensemble, with a mark where the members of the ensemble were chosen."""
    return f"{name} \N{DOUBLE DAGGER}" if chosen_by(name) else name


def notes_on_marks(
    names: Iterable[str], means: str = "an ensemble of proxies; this project chose its members by {}"
) -> list[str]:
    """Return what the mark of `marked` means for these names, a sentence for each accuracy that chose members."""
    accuracies = sorted(set(map(chosen_by, names)) - {""})
    return [f"\N{DOUBLE DAGGER} {means.format(accuracy)}." for accuracy in accuracies]


def percent(percentile: float) -> str:
    """Return a percentile rounded down to one decimal, since 100.0 would say that no cell is better."""
    return f"{math.floor(round(percentile * 10, 6)) / 10:.1f}"


def _search(results: Results, pick: Pick | None) -> list[str]:
    if pick is None or results.search is None:
        return []
    ranked, winner = _ranked(results.evidence), results.search.info.winner
    won = winner is not None and winner.driver == pick.driver and pick.driver not in [*ranked["proxy"][:1]]
    why = ", the best on the half of the functions that chooses the driver," if won else ""
    better = "" if pick.percentile is None else f"better than {percent(pick.percentile)} % of {pick.known:,} cells, "
    often = "" if pick.searches == 1 else f" most often ({pick.count} of {pick.searches})"
    return [
        f"Searches by {pick.driver}{why}{often} end with cell {pick.cell}, whose accuracy in {pick.target} is "
        f"{pick.accuracy:.2f} %: {better}{pick.gap:.2f} points below the best."
    ]


def pick_of(search: Search | None, wanted: str | None = None) -> Pick | None:
    """Return the pick of a driver, by default the first; None without a search, or where its accuracy is not known."""
    target = None if search is None else judging(search)
    groups = [] if search is None else by_driver(search)
    if search is None or target is None or not groups:
        return None
    driver, group = next((one for one in groups if wanted in (None, one[0])), groups[0])
    cell, count = most_frequent(group["cell"])
    row = group[group["cell"] == cell].iloc[0]
    if pd.isna(row[target]):
        return None
    accuracy, oracle = float(row[target]), search.info.oracles[target]
    return Pick(
        cell=cell,
        architecture=str(row["architecture"]),
        driver=driver,
        count=count,
        searches=len(group),
        target=target,
        accuracy=accuracy,
        percentile=_percentile(search, target, accuracy),
        gap=float(oracle.accuracy) - accuracy,
        known=int(oracle.known),
        accuracies={name: float(row[name]) for name in search.info.targets if pd.notna(row[name])},
    )


def most_frequent(cells: pd.Series) -> tuple[int, int]:
    """Return the cell that is there most often, of several the one with the lowest number, and how often it is."""
    cell = int(cells.mode().iloc[0])  # ascending where several are equally frequent
    return cell, int((cells == cell).sum())


def _percentile(search: Search, target: str, accuracy: float) -> float | None:
    try:
        return percentile_of(accuracy, search.accuracies(target))
    except InputError:  # a table of the user's may have gone since the search
        return None


def judging(search: Search) -> str | None:
    """Return the target that knows the most cells, by which most picks have an accuracy; None where none knows any."""
    known = {name: record.known for name, record in search.info.oracles.items()}
    return max(known, key=lambda name: known[name], default=None)


def by_driver(search: Search) -> list[tuple[str, pd.DataFrame]]:
    """Return the picks of each driver's searches: by evolution, or by the other algorithm without evolution."""
    made = search.picks[search.picks["seed"].notna()]
    evolved = made[made["algorithm"] == "evolution"]
    chosen = evolved if len(evolved) else made
    return [(str(name), group) for name, group in chosen.groupby("driver", sort=False)]
