"""The sentences and tables that commands print."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from diswot import reports
from diswot.benchmarks import spaces, tables
from diswot.benchmarks.errors import counted
from diswot.harness.evidence.table import LITTLE
from diswot.harness.runs.results import ENOUGH_CELLS, Results
from diswot.harness.runs.stored_search import Info, Search
from diswot.proxies.declarations import OVERFLOWED
from diswot.reports.answer import most_frequent
from diswot.reports.searches import budgets

#: What is said of a target whose accuracies a model predicts.
MODELLED = " (modelled, not measured)"


def failures(found: Search) -> str:
    """Say what could not be scored on the way of a search, a line each; nothing where all could."""
    return "".join(
        f"  failed {counted(one.scores, 'time')}: {one.proxy}: {one.cause}\n" for one in found.info.failed[:10]
    )


def modelled(results: Results, targets: Sequence[str]) -> list[str]:
    """Return the targets that a model predicts."""
    known = {name for name, card in results.cards.items() if card.is_modelled}
    return [target for target in targets if tables.Target.named(target).table in known]


def origin(results: Results) -> list[str]:
    """Say so where the correlations came with precomputed scores."""
    if not results.method.kept:
        return []
    name = results.info.shipped.name if results.info.shipped is not None else ""
    return [f"Computed with the precomputed scores {name}, of the same scores, accuracies and code, and kept with it."]


def overflows(results: Results) -> list[str]:
    """Name the proxies with infinite scores."""
    # An infinite score ranks worst, and turns the sign of a correlation, though it stands for a very good cell.
    infinite = results.scores[results.scores["cause"].astype(str).str.endswith(OVERFLOWED)]
    return [
        f"{proxy}: {counted(len(rows), 'score')} overflowed and rank{'s' if len(rows) == 1 else ''} worst; "
        "take a logarithm in the proxy."
        for proxy, rows in infinite.groupby("proxy", sort=False)
    ]


def undistilled(space: str, cells: Sequence[int]) -> str:
    """Say why the usual targets of some cells lack the distilled accuracy, and which cells have one; else nothing."""
    usual = spaces.get(space).targets
    if not usual:
        return ""
    name, column = tables.parse_target(usual[0])
    known = tables.load(name, space).frame[column].dropna().index.isin(cells).sum()
    needed = min(ENOUGH_CELLS, len(cells))
    if known >= needed:
        return ""
    return (
        f"no {column} accuracy: {name} has one for {known} of these {counted(len(cells), 'cell')}, and {needed} are "
        f"needed; `diswot evaluate --cells {name}:100` takes 100 cells that have one."
    )


def agreement(evidence: pd.DataFrame) -> list[str]:
    """Say how far the noise of the trainings limits a correlation with each target."""
    notes = []
    known = evidence.groupby("target", sort=False)[["reliability", "ceiling"]].first()
    for target, limit in known["ceiling"].dropna().items():
        notes.append(f"{target}: the noise between training seeds allows a correlation of about {limit:.2f} at most.")
    for target, reliability in known["reliability"].dropna().items():
        if reliability < LITTLE:
            notes.append(f"{target}: two training seeds agree by {reliability:.2f} only, so it decides little.")
    return notes


def written(paths: Sequence[Path], results: Sequence[Results], data: Sequence[str] = ()) -> str:
    """Name what was written: the page, and for every run the folder of its figures, and files of its own folder.

    Args:
        paths: of the page and the figures.
        results: of the runs.
        data: the files of a run's folder that the command wrote, as far as the run has them.
    """
    page, *figures = paths
    lines = [f"wrote {page}"]
    for one in results:
        folder = reports.figures_folder(one, page.parent)
        own = [path for path in figures if path.parent == folder]
        lines.append(f"      {counted(len(own), 'file')} of figures and their data in {folder}")
        own = [one.folder / name for name in data if (one.folder / name).is_file()]
        lines += [f"      {', '.join(map(str, own))}"] if own else []
    return "\n".join(lines)


#: How many cells of a front are printed.
_MOST_POINTS = 10


def fronts(search: Search, tabled: Callable[[Sequence[Mapping[str, str]]], str]) -> list[str]:
    """Return hypervolumes, and what all searches of the first algorithm leave undominated together.

    Args:
        search: with a second objective, or nothing is returned.
        tabled: writes records as a table.
    """
    info, table = search.info, search.hypervolumes
    if table.empty:
        return []
    compared = []
    for (teacher, driver, algorithm), group in table.groupby(["teacher", "driver", "algorithm"], sort=False):
        by_quantity = group.set_index("quantity")
        record = {"teacher": str(teacher)} if len(info.teachers) > 1 else {}
        record |= {"driver": str(driver), "by": str(algorithm)}
        record |= {"over random\nsearch": _mean(by_quantity.loc["score"], "over_random")}
        compared.append(record | {f"hypervolume\n{name}": _mean(volume) for name, volume in by_quantity.iterrows()})
    driver, algorithm = info.drivers[0].name, info.options.algorithms[0]
    front = search.front(driver, algorithm)
    chosen = front.iloc[sorted({round(place) for place in np.linspace(0, len(front) - 1, _MOST_POINTS)})]
    points = [
        {"cell": str(point["cell"]), str(info.cost): f"{point['cost']:.4g}", "score": f"{point['score']:.4g}"}
        | {name: "-" if pd.isna(point[name]) else f"{point[name]:.2f}" for name in info.targets}
        for _, point in chosen.iterrows()
    ]
    return [
        "",
        f"two objectives: the score, and {info.cost}, of which less is better",
        tabled(compared),
        "hypervolume: area that the front dominates, both objectives as ranks, over that of all cells' front.",
        "By score or by an accuracy; the score chose the cells on the front. over random search: by score.",
        "",
        f"front of all searches with {driver} by {algorithm}, {len(chosen)} of {counted(len(front), 'cell')}:",
        tabled(points),
    ]


def _mean(volume: pd.Series, name: str = "hypervolume") -> str:
    low, high, sign = ("low", "high", "") if name == "hypervolume" else (f"{name}_low", f"{name}_high", "+")
    if pd.isna(volume[name]):
        return "-"
    interval = "" if pd.isna(volume[low]) else f" [{volume[low]:{sign}.3f}, {volume[high]:{sign}.3f}]"
    return f"{volume[name]:{sign}.3f}{interval}"


def picked(found: Search) -> list[str]:
    """Describe the cell with which most searches end, by driver."""
    lines = []
    searched = found.picks[found.picks["seed"].notna()]
    several = len(found.info.teachers) > 1
    for (teacher, driver, algorithm), group in searched.groupby(["teacher", "driver", "algorithm"], sort=False):
        if algorithm != found.info.options.algorithms[0]:
            continue
        cell, count = most_frequent(group["cell"])
        one = group[group["cell"] == cell].iloc[0]
        of = counted(len(group), "search", "searches")
        with_teacher = f" with {teacher}" if several else ""
        lines.append(
            f"{driver}{with_teacher} picks {one['architecture']} ({cell}), {count} of {of} by {algorithm}: "
            f"{one['params']:,} weights, {one['flops']:,} multiply-accumulates"
        )
    return lines


def searched(search: Search) -> str:
    """Say how searches were made."""
    info, made = search.info, search.info.options
    limits = "".join(f", {limit}" for limit in budgets(search))
    return (
        f"{info.space}: {counted(made.searches, 'search', 'searches')} a row among {info.cells} cells{limits}"
        f", {made.evaluations} evaluations each, population {made.population}, tournament {made.tournament}, "
        f"weight seed {info.weight_seed}, scores {info.scores}"
    )


def further(info: Info) -> list[str]:
    """Say what the columns mean that only a full table has."""
    notes = [
        "known: how many picks have an accuracy. No search looks at it.",
        "evaluations saved: when random search has a score that half of all random searches reach, by theory, divided "
        "by when this search has it, at the median.",
    ]
    unknown = [one.seconds_from for one in info.drivers if one.seconds_per_evaluation is None]
    notes += [f"seconds: {unknown[0]}."] if unknown else []
    if info.trainings:
        target, one = next(iter(info.trainings.items()))  # the first target, as in the column
        notes.append(
            f"seconds saved: random search that trains each cell, {one.seconds:.0f} s ({one.source}), until one "
            f"is as good in {target}, against this search's seconds on {info.machine}."
        )
    return notes


def decimal(value: float, digits: int) -> str:
    """Return a number with its sign, or a dash where it is not known."""
    return "-" if pd.isna(value) else f"{value:+.{digits}f}"
