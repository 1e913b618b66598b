"""The sentences and tables that commands print."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from tabulate import tabulate

from diswot import reports
from diswot.benchmarks import spaces, tables
from diswot.benchmarks.errors import counted
from diswot.harness.compute import devices
from diswot.harness.evidence.intervals import FEWEST_FUNCTIONS
from diswot.harness.evidence.table import LITTLE, by_evidence, leading
from diswot.harness.runs import run_folder, suites
from diswot.harness.runs.results import ENOUGH_CELLS, Results
from diswot.harness.runs.stored_search import Info, Search
from diswot.proxies.declarations import OVERFLOWED
from diswot.reports.searches import budgets

if TYPE_CHECKING:
    # At run time these would load torch, which a command that only shows need not wait for.
    from diswot.harness.distillation.sweep import Plan as DistillationPlan


#: What is said of a target whose accuracies a model predicts.
MODELLED = " (modelled, not measured)"


def failures(found: Search) -> str:
    """Say what could not be scored on the way of a search, a line each; nothing where all could."""
    return "".join(f"{_failed(one.proxy, one.cause, one.scores)}\n" for one in found.info.failed[:10])


def _failed(name: str, cause: str, count: int) -> str:
    return f"  failed {counted(count, 'time')}: {name}: {cause}"


def distillation_plan(plan: DistillationPlan, folder: Path) -> str:
    """Say what a distillation will do."""
    return (
        f"{plan.space}: {counted(len(plan.cells), 'class', 'classes')} x {counted(len(plan.seeds), 'seed')} x "
        f"{', '.join(plan.distillers)}; {plan.images}, teacher {plan.teacher}, "
        f"{devices.described(plan.devices, plan.workers, plan.scheduler)}, into {folder}"
    )


def measured(figures: dict[str, str]) -> str:
    """Return figures by name, one a line."""
    return tabulate(list(figures.items()), tablefmt="plain", disable_numparse=True)


def correlations(results: Results, subset: str | None = None, suite: str | None = None) -> str:
    """Return the sorted table of a run's correlations, with n, functions, undefined scores and a hash of it all.

    Args:
        results: with their evidence.
        subset: which cells; None for the rows that decide, in which each function counts once, beside the
            correlation over all cells where these are more.
        suite: the one that was asked for, which the last line names.
    """
    everything = results.evidence
    evidence = leading(everything) if subset is None else everything[everything["subset"] == subset]
    if evidence.empty:
        return no_cells(results, subset)
    targets = list(dict.fromkeys(evidence["target"]))
    agree = (evidence.groupby("proxy")[["n", "n_functions", "undefined", "failed"]].nunique() <= 1).all(axis=None)
    copies = (evidence["n"] != evidence["n_functions"]).any()
    counts = ["n", *(["n_functions"] if copies else []), "undefined", *(["failed"] if evidence["failed"].any() else [])]
    metric = str(evidence["metric"].iloc[0])
    on_all_cells = everything[everything["subset"] == "all"].set_index(["proxy", "target"])[metric]
    has_copies = set(evidence.loc[evidence["subset"] != "all", "target"]) if subset is None else set()
    rows = []
    for proxy in by_evidence(evidence):
        by_target = evidence[evidence["proxy"] == proxy].set_index("target")
        row: dict[str, object] = {"proxy": proxy}
        for number, target in enumerate(targets, start=1):
            mark = f" [{number}]" if len(targets) > 1 else ""
            if target not in by_target.index:
                continue
            found = by_target.loc[target]
            for name in counts:
                # One column does for all targets where they agree, as they do for two columns of one table.
                row[name if agree else name + mark] = int(found[name])
            if found["n_functions"] < FEWEST_FUNCTIONS:
                row[metric + mark] = "-"
                continue
            star = "*" if found["not_significantly_different"] == 1 else ""
            row[metric + mark] = _interval(found, metric) + star
            row["partial" + mark] = decimal(found["partial"], 2)
            if target in has_copies:
                row["all cells" + mark] = decimal(on_all_cells.get((proxy, target), math.nan), 2)
        rows.append(row)
    predicted = modelled(results, targets)
    keys = [
        f"[{number}] {target}{MODELLED if target in predicted else ''}"
        for number, target in enumerate(targets, start=1)
    ]
    columns = dict.fromkeys(column for row in rows for column in row)
    body = tabulate(
        {column: [row.get(column, "-") for row in rows] for column in columns},
        headers="keys",
        tablefmt="simple",
        disable_numparse=True,
    )
    notes = _notes(evidence, bool(has_copies)) + overflows(results) + origin(results)
    return "\n".join([_conditions(results, evidence, subset), *keys, "", body, "", *notes, suites.line(results, suite)])


def modelled(results: Results, targets: Sequence[str]) -> list[str]:
    """Return the targets that a model predicts."""
    known = {name for name, card in results.cards.items() if card.is_modelled}
    return [target for target in targets if target.rpartition(":")[0] in known]


def no_cells(results: Results, subset: str | None) -> str:
    """Say why a subset has no correlations."""
    whole = "the same cells as all" if subset is None or _holds(results, subset) else "none of the cells"
    return f"{results.info.space}: the subset {subset} holds {whole}."


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


def _holds(results: Results, subset: str) -> bool:
    chosen = spaces.get(results.info.space).subsets[subset]
    return bool(chosen.of(results.targets["cell"].unique()).any())


def _conditions(results: Results, evidence: pd.DataFrame, subset: str | None) -> str:
    settings = results.info.settings
    cells = "" if subset in (None, "all") else f", {subset} cells"
    return (
        f"{results.info.space}{cells}, {settings.images} images, batch {settings.batch_size}, "
        f"seeds {_listed(results.correlations['seed'])}"
    )


def _notes(evidence: pd.DataFrame, has_copies: bool) -> list[str]:
    notes = []
    few = evidence[evidence["n_functions"] < FEWEST_FUNCTIONS]
    if not few.empty:
        notes.append(
            f"A correlation needs at least {FEWEST_FUNCTIONS} different functions; "
            f"here are {int(few['n_functions'].min())}."
        )
    if evidence["low"].notna().any():
        notes.append("In brackets: the 95 % interval over functions. Copies of a cell are no new evidence.")
    if (evidence["seeds"] > 1).any():
        notes.append("±: standard deviation over weight seeds; undefined is summed over seeds.")
    if evidence["gap_to_best_p"].notna().any():
        notes.append("*: not significantly different from the best (5 %, Holm-corrected for all pairs).")
    if evidence["partial"].notna().any():
        notes.append("partial: the partial correlation, controlling for live_flops.")
    if has_copies:
        notes.append("all cells: the correlation over all cells, copies included, as publications report it.")
    return notes + agreement(evidence)


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


def written(paths: Sequence[Path], results: Sequence[Results]) -> str:
    """Name what a report wrote: the page, and for every run its scores and the folder of its figures."""
    page, *figures = paths
    lines = [f"wrote {page}"]
    for one in results:
        folder = reports.figures_folder(one, page.parent)
        own = [path for path in figures if path.parent == folder]
        lines.append(f"      {counted(len(own), 'file')} of figures and their data in {folder}")
        shipped = run_folder.shipped(one.folder, one.info)
        scores = run_folder.store_path(one.folder) if shipped is None else shipped.path
        correlations = one.folder / "correlations.csv"
        lines.append(f"      {scores}{f', {correlations}' if correlations.is_file() else ''}")
    return "\n".join(lines)


#: How many cells of a front are printed.
_MOST_POINTS = 10


def search(found: Search) -> str:
    """Return what searches found: how the driver was chosen, a row a driver and algorithm, what the columns mean."""
    info = found.info
    several = len(info.teachers) > 1
    rows = []
    for key, group in found.summary.groupby(["teacher", "driver", "algorithm"], sort=False, dropna=False):
        teacher, driver, algorithm = ("-" if part is None or part != part else str(part) for part in key)
        first = group.iloc[0]
        row: dict[str, object] = {"teacher": teacher} if several else {}
        row |= {"driver": driver, "by": algorithm, "evaluations": int(first["evaluations"])}
        row["seconds"] = "-" if pd.isna(first["seconds"]) else f"{first['seconds']:.3g}"
        by_target = group.set_index("target")
        for number, target in enumerate(info.targets, start=1):
            row |= _reached(by_target.loc[target] if target in by_target.index else None, f" [{number}]")
        row |= {f"{what} saved": _factor(group[f"{what}_saved"]) for what in ("evaluations", "seconds")}
        rows.append(row)
    body = _whole(rows)
    keys = [
        f"[{number}] {target}{MODELLED if target in found.modelled else ''}"
        for number, target in enumerate(info.targets, start=1)
    ]
    parts = [searched(found), *won(info), *keys, "", body, "", *picked(found), *fronts(found, _whole), ""]
    return "\n".join([*parts, *_search_notes(info)])


def _whole(rows: Sequence[Mapping[str, object]]) -> str:
    return tabulate(rows, headers="keys", tablefmt="simple", disable_numparse=True)


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
        | {target: _percent(point[target]) for target in info.targets}
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


def _percent(value: float) -> str:
    return "-" if pd.isna(value) else f"{value:.2f}"


def _reached(found: pd.Series | None, mark: str) -> dict[str, str]:
    if found is None or pd.isna(found["accuracy"]):
        return {f"{name}{mark}": "-" for name in ("accuracy", "known", "regret")}
    std = "" if pd.isna(found["accuracy_std"]) else f" ± {found['accuracy_std']:.2f}"
    of = found["picks"] if pd.isna(found["searches"]) else found["searches"]
    return {
        f"accuracy{mark}": f"{found['accuracy']:.2f}{std}",
        f"known{mark}": f"{int(found['known'])} of {int(of)}",
        f"regret{mark}": f"{round(found['regret'], 2) + 0.0:.2f}",
    }


def picked(found: Search) -> list[str]:
    """Describe the cell with which most searches end, by driver."""
    lines = []
    searched = found.picks[found.picks["seed"].notna()]
    several = len(found.info.teachers) > 1
    for (teacher, driver, algorithm), group in searched.groupby(["teacher", "driver", "algorithm"], sort=False):
        if algorithm != found.info.options.algorithms[0]:
            continue
        cell, count = next(iter(group["cell"].value_counts().items()))
        one = group[group["cell"] == cell].iloc[0]
        of = counted(len(group), "search", "searches")
        with_teacher = f" with {teacher}" if several else ""
        lines.append(
            f"{driver}{with_teacher} picks {one['architecture']} ({cell}), {count} of {of} by {algorithm}: "
            f"{one['params']:,} weights, {one['flops']:,} multiply-accumulates"
        )
    return lines


def _factor(values: pd.Series) -> str:
    known = values.dropna()
    return f"x {known.iloc[0]:.3g}" if len(known) else "-"


def searched(search: Search) -> str:
    """Say how searches were made."""
    info, made = search.info, search.info.options
    limits = "".join(f", {limit}" for limit in budgets(search))
    return (
        f"{info.space}: {counted(made.searches, 'search', 'searches')} a row among {info.cells} cells{limits}"
        f", {made.evaluations} evaluations each, population {made.population}, tournament {made.tournament}, "
        f"weight seed {info.weight_seed}, scores {info.scores}"
    )


def won(info: Info) -> list[str]:
    """Say how the winner was chosen, where there is one."""
    won = info.winner
    if won is None:
        return []
    lead = "no other proxy has a correlation"
    if won.runner_up is not None:
        sure = "significant" if won.significant else "not significant"
        lead = f"{won.margin:.3f} ahead of {won.runner_up}, {sure}"
    return [
        f"winner: {won.driver}, {won.metric} {won.chosen:+.3f} with {won.target} on {won.chosen_on} "
        f"functions ({lead}); on the other {won.judged_on} {won.judged:+.3f} [{won.judged_low:+.2f}, "
        f"{won.judged_high:+.2f}]"
    ]


def _search_notes(info: Info) -> list[str]:
    oracles = [f"{name} {one.accuracy:.2f} % ({one.known} known)" for name, one in info.oracles.items()]
    notes = [
        "accuracy: mean ± standard deviation over searches, percent; known: picks with one. No search looks at it.",
        f"regret: points below the best accuracy of the cells that may be searched: {', '.join(oracles) or 'none'}.",
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


def _interval(found: pd.Series, metric: str) -> str:
    if pd.isna(found[metric]):
        return "-"
    std = found[f"{metric}_std"]
    spread = "" if pd.isna(std) else f" ± {std:.3f}"
    if pd.isna(found["low"]):
        return f"{found[metric]:+.3f}{spread}"
    return f"{found[metric]:+.3f}{spread} [{found['low']:+.2f}, {found['high']:+.2f}]"


def decimal(value: float, digits: int) -> str:
    """Return a number with its sign, or a dash where it is not known."""
    return "-" if pd.isna(value) else f"{value:+.{digits}f}"


def _listed(seeds: pd.Series) -> str:
    return ", ".join(str(seed) for seed in sorted(set(seeds)))
