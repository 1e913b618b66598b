"""What `diswot run` prints: the leading proxies, the picks of the searches, and the answer in sentences.

No line is wider than the terminal: a narrower one gets fewer columns.
"""

from __future__ import annotations

import math
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence

import pandas as pd
from tabulate import tabulate

from diswot.harness.evidence.intervals import FEWEST_FUNCTIONS
from diswot.harness.evidence.table import by_evidence, leading
from diswot.harness.runs.results import Results
from diswot.harness.runs.stored_search import Search, percentile_of
from diswot.reports.answer import by_driver, chosen_by, judging, percent, sentences

#: How many proxies the table shows; `--full` shows all.
LEADING = 12

#: Columns of what is no terminal, and the most that is used of a wide one.
_WIDTH = 100

#: What a table's column is called on the screen.
_SHORT = {
    "analog-nasbench:baseline": "200 epochs",
    "nb201-kd-model:distilled": "distilled (modelled)",
    "nb201-kd-model:vanilla": "vanilla (modelled)",
}


def width() -> int:
    """Return how many columns there are to print to."""
    return min(shutil.get_terminal_size((_WIDTH, 24)).columns if sys.stdout.isatty() else _WIDTH, _WIDTH)


def leaderboard(results: Results, columns: int) -> str:
    """Return the leading proxies by the first target, those of the user's own always among them.

    Args:
        results: with their evidence.
        columns: how wide a line may be.
    """
    evidence = leading(results.evidence)
    known = evidence[evidence["n_functions"] >= FEWEST_FUNCTIONS]
    if known.empty:
        most = int(evidence["n_functions"].max()) if len(evidence) else 0
        return f"No correlation: it needs {FEWEST_FUNCTIONS} different functions, and {most} have an accuracy."
    targets = list(dict.fromkeys(known["target"]))
    measure = str(known["measure"].iloc[0])
    own = set(results.proxies.loc[results.proxies["family"] == "plug-in", "name"])
    order = by_evidence(known)
    shown = [name for place, name in enumerate(order) if place < LEADING or name in own]
    rows = [_row(known[known["proxy"] == name].set_index("target"), targets, measure, own) for name in shown]
    hidden = len(order) - len(shown)
    counts = ", ".join(
        f"{_short(name)} {int(known.loc[known['target'] == name, 'n_functions'].max()):,}" for name in targets
    )
    notes = [
        f"{measure} with {targets[0]}; in brackets the 95 % interval over functions. Functions: {counts}.",
        "* not significantly different from the best (5 %, Holm-corrected). given size: controlling for FLOPs.",
    ]
    notes += [f"{hidden} more proxies and ensembles: --full."] if hidden else []
    notes += ["> your own proxy."] if own & set(shown) else []
    notes += [f"‡ members chosen by {text}." for text in sorted({chosen_by(name) for name in shown} - {""})]
    return "\n".join([fitting(rows, columns), *_wrapped(notes, columns)])


def _row(of: pd.DataFrame, targets: Sequence[str], measure: str, own: set[str]) -> dict[str, str]:
    first = of.loc[targets[0]] if targets[0] in of.index else None
    name = str(of["proxy"].iloc[0])
    row = {"proxy": f"> {name}" if name in own else _marked(name), _short(targets[0]): "-"}
    if first is not None and pd.notna(first[measure]):
        star = "*" if first["level_with_best"] is True or first["level_with_best"] == 1 else ""
        row[_short(targets[0])] = f"{first[measure]:+.3f} [{first['low']:+.2f}, {first['high']:+.2f}]{star}"
    row["given size"] = "-" if first is None or pd.isna(first["partial"]) else f"{first['partial']:+.2f}"
    for target in targets[1:]:
        value = float(of[measure].get(target, math.nan))
        row[_short(target)] = "-" if math.isnan(value) else f"{value:+.3f}"
    row["undefined"] = str(int(of["undefined"].max()))
    return row


def _marked(name: str) -> str:
    return f"{name} ‡" if chosen_by(name) else name


def _short(target: str) -> str:
    return _SHORT.get(target, target.rpartition(":")[2])


def picks(search: Search, columns: int) -> str:
    """Return what evolution picks by each driver, beside a random cell and the best one.

    Args:
        search: of one teacher.
        columns: how wide a line may be.
    """
    target = judging(search)
    if target is None:
        return "No pick has an accuracy."
    accuracies = search.accuracies(target)
    rows = [_picked(group, driver, target, accuracies, search) for driver, group in by_driver(search)]
    best = accuracies.sort_values().index[-1]
    rows.append({"driver": "a random cell", "percentile": "50.0", **_reached(accuracies.mean(), accuracies)})
    rows.append(
        {"driver": "the best cell", "pick": str(best), "percentile": "100", **_reached(accuracies.max(), accuracies)}
    )
    made = search.info["options"]
    notes = [
        f"Among {search.info['cells']:,} cells, {made['evaluations']} evaluations a search, {made['searches']} "
        f"searches a row: mean ± standard deviation of {target} in percent. pick: what most searches end with.",
        "percentile: the share of all cells that the mean is better than. regret: points below the best cell.",
    ]
    return "\n".join([fitting(rows, columns), *_wrapped(notes, columns)])


def _picked(group: pd.DataFrame, driver: str, target: str, accuracies: pd.Series, search: Search) -> dict[str, str]:
    cell, count = next(iter(group["cell"].value_counts().items()))
    reached = group[target].dropna()
    row = {"driver": _marked(driver), "pick": f"{cell} ({count} of {len(group)})", "percentile": "-"}
    if len(reached):
        row["percentile"] = percent(percentile_of(float(reached.mean()), accuracies))
        row |= _reached(float(reached.mean()), accuracies, float(reached.std()))
    for name in search.info["targets"]:
        if name != target and group[name].notna().any():
            row[_short(name)] = f"{group[name].mean():.2f}"
    return row


def _reached(accuracy: float, accuracies: pd.Series, spread: float | None = None) -> dict[str, str]:
    around = "" if spread is None or pd.isna(spread) else f" ± {spread:.2f}"
    return {"accuracy": f"{accuracy:.2f}{around}", "regret": f"{accuracies.max() - accuracy:.2f}"}


def answer(results: Results, columns: int) -> str:
    """Return the answer in sentences: which proxy predicts best, and what a search by it finds."""
    return "\n".join(_wrapped([" ".join(sentences(results))], columns))


def fitting(rows: Sequence[Mapping[str, str]], columns: int) -> str:
    """Return a table without the last columns that a line has no room for."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    while True:
        body = tabulate(
            [[row.get(name, "-") for name in names] for row in rows],
            headers=names,
            tablefmt="simple",
            disable_numparse=True,
        )
        if len(names) <= 2 or max(map(len, body.splitlines())) <= columns:
            return body
        names = names[:-1]


def _wrapped(sentences: Sequence[str], columns: int) -> list[str]:
    return [line for text in sentences for line in textwrap.wrap(text, columns, break_long_words=False)]
