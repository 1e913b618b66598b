"""What commands print: correlations, the picks of searches, and the answer in sentences.

No line is wider than the terminal: a narrower one gets fewer columns. With `--full` there are no bounds.
"""

from __future__ import annotations

import math
import shutil
import sys
import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd
from tabulate import tabulate

from diswot.benchmarks.errors import counted
from diswot.benchmarks.tables import Target
from diswot.harness.cli import output
from diswot.harness.compute import costs
from diswot.harness.evidence.ensembles import ENSEMBLES
from diswot.harness.evidence.intervals import FEWEST_FUNCTIONS
from diswot.harness.evidence.table import by_evidence, leading
from diswot.harness.runs import suites
from diswot.harness.runs.results import Results, of_subset
from diswot.harness.runs.stored_search import Oracle, Search, percentile_of
from diswot.harness.search.judge import expected_evaluations
from diswot.reports.answer import by_driver, judging, marked, most_frequent, notes_on_marks, percent, sentences
from diswot.reports.page.search_findings import winner

#: How many proxies `diswot run` shows of the first space, and half as many of others; `--full` shows all.
LEADING = 10

#: Columns of what is no terminal, and the most that is used of a wide one.
_WIDTH = 100

#: What a table's column is called on the screen.
_SHORT = {
    "analog-nasbench:baseline": "200 epochs",
    "nb201-kd-model:distilled": "distilled (model)",
    "nb201-kd-model:vanilla": "vanilla (model)",
}


def width() -> int:
    """Return how many columns there are to print to."""
    return min(shutil.get_terminal_size((_WIDTH, 24)).columns if sys.stdout.isatty() else _WIDTH, _WIDTH)


def heading(results: Results) -> str:
    """Say of what the correlations are."""
    settings = results.info.settings
    return (
        f"{results.info.space}: {results.scores['cell'].nunique():,} cells, {settings.images} images, batch "
        f"{settings.batch_size}, {counted(results.scores['seed'].nunique(), 'weight seed')}"
    )


@dataclass(frozen=True)
class Shown:
    """A table, and the sentences below it.

    Attributes:
        table: no wider than was asked for.
        notes: a sentence or two each.
    """

    table: str
    notes: tuple[str, ...] = ()

    def text(self, columns: int | None, said: Collection[str] = ()) -> str:
        """Return the table and its notes, without those that were said before."""
        return "\n".join([self.table, *_wrapped([note for note in self.notes if note not in said], columns)])


def correlations(
    results: Results,
    columns: int | None,
    subset: str | None = None,
    *,
    most: int | None = None,
    proxies: Collection[str] = (),
    suite: str | None = None,
) -> Shown:
    """Return the correlations with the first target in full, and those with the other targets as numbers.

    Args:
        results: with their evidence.
        columns: how wide a line may be; None for all columns, of every target.
        subset: which cells; None for the rows that decide, in which each function counts once.
        most: how many proxies, beside those of the user's own, which are always shown; all by default.
        proxies: which proxies and ensembles; all by default. Stars and intervals stay as they are among all.
        suite: that was asked for; None to look for one that is equal.
    """
    everything = results.evidence
    evidence = leading(everything) if subset is None else of_subset(results, subset)
    if evidence.empty:
        return Shown(f"{results.info.space}: the subset {subset} holds none of the cells with an accuracy.")
    among = f" of all {evidence['proxy'].nunique()} proxies and ensembles" if proxies else ""
    evidence = evidence[evidence["proxy"].isin(proxies)] if proxies else evidence
    known = evidence[evidence["n_functions"] >= FEWEST_FUNCTIONS] if columns else evidence
    if known.empty:
        found = int(evidence["n_functions"].max())
        have = "has" if found == 1 else "have"
        none = f"No correlation: it needs {FEWEST_FUNCTIONS} different functions, and {found} {have} an accuracy."
        return Shown(none, tuple(_caveats(results, evidence)))
    targets = list(dict.fromkeys(known["target"]))
    metric = str(known["metric"].iloc[0])
    own = set(results.proxies.loc[results.proxies["family"] == "plug-in", "name"])
    order = by_evidence(known)
    shown = [name for place, name in enumerate(order) if most is None or place < most or name in own]
    priced = costs.of_run(results.folder, results.info)
    of_all = everything[everything["subset"] == "all"].set_index(["proxy", "target"])[metric]
    rows = []
    for name in shown:
        of = known[known["proxy"] == name].set_index("target")
        row = {"proxy": f"> {name}" if name in own else marked(name)}
        for place, target in enumerate(targets):
            entry = of.loc[target] if target in of.index else None
            row |= _correlation(entry, _short(target, targets), metric, place == 0, None if columns else of_all)
            row |= {} if place or priced is None else {"cost": _cost(name, priced)}
        rows.append(row)
    table, heads = _fitted(rows, columns)
    hidden = len(order) - len(shown)
    counts = ", ".join(
        f"{_short(name, targets)} {int(known.loc[known['target'] == name, 'n_functions'].max()):,}"
        for name in targets
        if _short(name, targets) in heads
    )
    of = "" if subset is None else f" on {subset} cells"
    notes = [
        f"{metric} with {targets[0]}{of}; in brackets the 95 % interval over functions. Functions: {counts}.",
        f"* not significantly different from the best{among} (5 %, Holm-corrected)."
        + (" partial: controlling for FLOPs." if "partial" in heads else ""),
    ]
    notes += [] if columns else [f"Targets: {', '.join(targets)}."]
    notes += ["cost: in passes, forward and backward, of the same network; computed alone."] if "cost" in heads else []
    notes += [f"{hidden} more proxies and ensembles: --full."] if hidden else []
    notes += ["> your own proxy."] if own & set(shown) else []
    notes += notes_on_marks(shown)
    notes += [f"{target} is modelled, not measured." for target in output.modelled(results, targets)]
    notes += _caveats(results, known[known["proxy"].isin(shown)])
    notes.append(suites.line(results, suite))
    return Shown(table, tuple(notes))


def limits(results: Results, columns: int | None) -> str:
    """Say how far the noise of the trainings limits a correlation, and where the correlations are from."""
    return "\n".join(_wrapped([*output.agreement(leading(results.evidence)), *output.origin(results)], columns))


def _caveats(results: Results, evidence: pd.DataFrame) -> list[str]:
    lost = evidence.groupby("proxy", sort=False)[["undefined", "failed"]].max()
    listed = {what: ", ".join(f"{name} {count}" for name, count in lost[what].items() if count) for what in lost}
    return [*(f"{what} scores: {of}." for what, of in listed.items() if of), *output.overflows(results)]


def _correlation(
    entry: pd.Series | None, target: str, metric: str, is_first: bool, of_all: pd.Series | None
) -> dict[str, str]:
    # The columns of one target: of the first its interval and the partial correlation too, and all with ``of_all``.
    if entry is None or entry["n_functions"] < FEWEST_FUNCTIONS or pd.isna(entry[metric]):
        row = {target: "-", **({"partial": "-"} if is_first else {})}
    elif not is_first and of_all is None:
        row = {target: output.decimal(entry[metric], 3)}
    else:
        std = math.nan if of_all is None else entry[f"{metric}_std"]
        spread = "" if pd.isna(std) else f" ± {std:.3f}"
        star = "*" if entry["not_significantly_different"] == 1 else ""
        row = {target: f"{entry[metric]:+.3f}{spread} [{entry['low']:+.2f}, {entry['high']:+.2f}]{star}"}
        row[f"partial{'' if is_first else f' {target}'}"] = output.decimal(entry["partial"], 2)
    if entry is not None and of_all is not None:
        counts = {name: str(int(entry[name])) for name in ("n", "n_functions", "undefined", "failed")}
        counts["all cells"] = output.decimal(of_all.get((entry["proxy"], entry.name), math.nan), 2)
        row |= {f"{name} {target}": value for name, value in counts.items()}
    return row


def _cost(name: str, priced: pd.DataFrame) -> str:
    members = ENSEMBLES[name].members if name in ENSEMBLES else (name,)
    return f"{priced.loc[list(members), 'relative_cost'].sum():.1f}" if set(members) <= set(priced.index) else "-"


def _short(target: str, targets: Sequence[str]) -> str:
    # Without the table, unless columns of two tables have one name.
    same = [other for other in targets if Target.named(other).column == Target.named(target).column]
    return _SHORT.get(target, Target.named(target).column if len(same) < 2 else target)


def searched(search: Search, columns: int | None) -> str:
    """Return how searches were made, what they pick, by every driver and algorithm, and what the picks are.

    Args:
        search: the search.
        columns: how wide a line may be; None for all columns.
    """
    won = [] if search.info.winner is None else [f"winner: {winner(search.info.winner)}"]
    head = _wrapped([output.searched(search), *won], columns)
    made = search.picks[search.picks["seed"].notna() | (search.picks["algorithm"] == "exhaustive")]
    has_several = made["teacher"].nunique() > 1
    groups = [
        ({"driver": str(driver), **({"teacher": str(teacher)} if has_several else {}), "by": str(by)}, group)
        for (teacher, driver, by), group in made.groupby(["teacher", "driver", "algorithm"], sort=False)
    ]
    table, described = _table(search, groups, columns).text(columns), _wrapped(output.picked(search), columns)
    return "\n".join([*head, "", table, "", *described, *output.fronts(search, partial(fitting, columns=columns))])


def picks(search: Search, columns: int | None) -> Shown:
    """Return what evolution picks by each driver, beside a random cell and the best one.

    Args:
        search: of one teacher.
        columns: how wide a line may be.
    """
    return _table(search, [({"driver": driver}, group) for driver, group in by_driver(search)], columns)


#: What the columns of `_table` mean.
_LEGEND = {
    "pick": "what most searches end with, and the share of these",
    "percentile": "the share of all cells that the mean is better than",
    "regret": "points below the best cell",
    "trainings": "how many random cells are trained, on average, until one is as accurate as the median pick",
}


def _table(search: Search, groups: Sequence[tuple[dict[str, str], pd.DataFrame]], columns: int | None) -> Shown:
    target = judging(search)
    if target is None:
        return Shown("No pick has an accuracy.")
    accuracies = search.accuracies(target)
    rows = [
        _picked(head, group, target, accuracies, search) | ({} if columns else _further(search, group))
        for head, group in groups
    ]
    best = search.info.oracles[target]  # of the cells that may be searched, by budgets and --cells too
    of_all = " of all" if best.known < len(accuracies) else ""
    rows.append({"driver": f"a random cell{of_all}", "percentile": "50.0", **_reached(accuracies.mean(), best)})
    share = "100" if best.accuracy == accuracies.max() else percent(percentile_of(best.accuracy, accuracies))
    rows.append(
        {"driver": "the best cell", "pick": str(best.cell), "percentile": share, **_reached(best.accuracy, best)}
    )
    table, heads = _fitted(rows, columns)
    made = search.info.options
    said = output.MODELLED if target in search.modelled else ""
    notes = [
        f"Among {search.info.cells:,} cells, {made.evaluations} evaluations a search, {made.searches} "
        f"searches a row: mean ± standard deviation of {target}{said} in percent.",
        " ".join(f"{head}: {text}." for head, text in _LEGEND.items() if head in heads),
        *notes_on_marks((head["driver"] for head, _ in groups), "an ensemble chosen by {}; these favour it"),
    ]
    return Shown(table, (*notes, *([] if columns else output.further(search.info))))


def _picked(
    head: dict[str, str], group: pd.DataFrame, target: str, accuracies: pd.Series, search: Search
) -> dict[str, str]:
    cell, count = most_frequent(group["cell"])
    reached = group[target].dropna()
    row = {**head, "driver": marked(head["driver"]), "pick": f"{cell} ({count / len(group):.0%})", "percentile": "-"}
    if len(reached):
        row["percentile"] = percent(percentile_of(float(reached.mean()), accuracies))
        row |= _reached(float(reached.mean()), search.info.oracles[target], float(reached.std()))
        as_good = int((accuracies >= reached.median()).sum())
        row["trainings"] = f"{expected_evaluations(len(accuracies), as_good):,.0f}"
    for name in search.info.targets:
        if name != target and group[name].notna().any():
            row[_short(name, search.info.targets)] = f"{group[name].mean():.2f}"
    return row


def _further(search: Search, group: pd.DataFrame) -> dict[str, str]:
    # What a full table says besides: of each target how many picks are known and what they lack, and what is saved.
    keys = ["teacher", "driver", "algorithm"]
    of = search.summary[(search.summary[keys] == group[keys].iloc[0]).all(axis=1)].set_index("target")
    seconds = of["seconds"].iloc[0]
    row = {"evaluations": str(int(of["evaluations"].max())), "seconds": "-" if pd.isna(seconds) else f"{seconds:.3g}"}
    for target, entry in of.iterrows():
        searches = entry["picks"] if pd.isna(entry["searches"]) else entry["searches"]
        row[f"known {_short(str(target), search.info.targets)}"] = f"{int(entry['known'])} of {int(searches)}"
        row[f"regret {_short(str(target), search.info.targets)}"] = output.decimal(entry["regret"], 2).lstrip("+")
    saved = {f"{what} saved": of[f"{what}_saved"].dropna() for what in ("evaluations", "seconds")}
    return row | {name: f"x {known.iloc[0]:.3g}" if len(known) else "-" for name, known in saved.items()}


def _reached(accuracy: float, best: Oracle, spread: float | None = None) -> dict[str, str]:
    around = "" if spread is None or pd.isna(spread) else f" ± {spread:.2f}"
    return {"accuracy": f"{accuracy:.2f}{around}", "regret": f"{best.accuracy - accuracy:.2f}"}


def answer(results: Results, columns: int) -> str:
    """Return the answer in sentences: which proxy predicts best, and what a search by it finds."""
    return "\n".join(_wrapped([" ".join(sentences(results))], columns))


def fitting(rows: Sequence[Mapping[str, str]], columns: int | None) -> str:
    """Return a table without the last columns that a line has no room for; None bounds no line."""
    return _fitted(rows, columns)[0]


def _fitted(rows: Sequence[Mapping[str, str]], columns: int | None) -> tuple[str, list[str]]:
    # The table, and the heads of its columns.
    names = list(dict.fromkeys(name for row in rows for name in row))
    while True:
        body = tabulate(
            [[row.get(name, "-") for name in names] for row in rows],
            headers=names,
            tablefmt="simple",
            disable_numparse=True,
        )
        if columns is None or len(names) <= 2 or max(map(len, body.splitlines())) <= columns:
            return body, names
        names = names[:-1]


def _wrapped(sentences: Sequence[str], columns: int | None) -> list[str]:
    if columns is None:
        return list(sentences)
    return [
        line
        for text in sentences
        for line in textwrap.wrap(text, columns, break_long_words=False, break_on_hyphens=False)
    ]
