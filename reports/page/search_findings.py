"""What a search found, in sentences: the winner, what evolution ends with, and whether the teacher matters."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from diswot.benchmarks.errors import counted, some
from diswot.harness.evidence.metrics import METRICS
from diswot.harness.runs.stored_search import Oracle, Search, Winner
from diswot.reports.searches import (
    drivers,
    higher_is_better,
    of,
    record_of,
    with_teacher,
)
from diswot.reports.style.wording import decimal, duration, estimated, finite, plain, probability, rough, stored_number


def findings(search: Search) -> list[tuple[str, str]]:
    """Return what was found, as pairs of what it is about and sentences."""
    with_first = f" (teacher {search.info.teachers[0]})" if len(search.info.teachers) > 1 else ""
    found = [
        ("Winner", "" if search.info.winner is None else winner(search.info.winner)),
        (f"Best score{with_first}", _best_score(search)),
        *((f"{target}{with_first}", _reached(search, target)) for target in search.info.targets),
        ("Other teachers", _teachers(search)),
    ]
    return [(about, sentences) for about, sentences in found if sentences]


def winner(record: Winner) -> str:
    """Return how a winner was chosen on one half of the functions, and how it did on the other, in sentences."""
    metric = METRICS.get(record.metric)
    label = metric.label if metric else plain(record.metric)
    sentences = [
        f"{record.driver} ranks best with {plain(record.target)} on {counted(record.chosen_on, 'cell')}, one half of "
        f"those that have an accuracy: {label} correlation {decimal(record.chosen)}.",
    ]
    if record.undefined > 0:
        sentences.append(f"Of its scores there {record.undefined:,} are not defined, and rank worst.")
    if record.runner_up:
        p = stored_number(record.margin_p)
        said = probability(p).text
        chance = f" (p {said if said.startswith('<') else f'= {said}'})" if math.isfinite(p) else ""
        verdict = "which is significant" if record.significant else "which is not significant"
        margin = decimal(stored_number(record.margin))
        sentences.append(f"The second, {record.runner_up}, has a gap of {margin}, {verdict}{chance}.")
    sentences.append(
        f"On the other {counted(record.judged_on, 'cell')}, which had no part in the choice, its correlation is "
        f"{estimated(record.model_dump(), 'judged')}."
    )
    return " ".join(sentences)


def _best_score(search: Search) -> str:
    names = drivers(search)
    if not names:
        return ""
    lead = names[0]
    sentences = [_hits(search, lead)]
    sentences += [_evaluations_saved(_row(search, lead, "evolution")), _scores_compared(search)]
    return " ".join(sentence for sentence in sentences if sentence)


def _hits(search: Search, lead: str) -> str:
    picks = of(with_teacher(search.picks, search.info.teachers[0]), driver=lead)
    best = of(picks, algorithm="exhaustive")["score"].dropna()
    mine = {name: of(picks, algorithm=name) for name in ("evolution", "random")}
    if best.empty or mine["evolution"].empty:
        return ""
    hits = {name: int((rows["score"].astype(float) == float(best.iloc[0])).sum()) for name, rows in mine.items()}
    evolution = counted(len(mine["evolution"]), "search", "searches")
    of_all = f"all {counted(search.info.cells, 'cell')}"
    words = f"Evolution driven by {lead} ends with the best score of {of_all} in {hits['evolution']:,} of {evolution}"
    if len(mine["random"]):
        words += f", random search in {hits['random']:,} of {len(mine['random']):,}"
    found = mine["evolution"]["found_at"].astype(float).median()
    after = (
        f" Evolution first scores its pick after {rough(found)} evaluations (median)." if math.isfinite(found) else ""
    )
    return f"{words}.{after}"


def _evaluations_saved(row: dict[str, Any]) -> str:
    needed, saved = stored_number(row.get("random_evaluations")), stored_number(row.get("evaluations_saved"))
    fewer, *ends = (stored_number(row.get(name)) for name in ("fewer", "fewer_low", "fewer_high"))
    sentences = []
    bar = "random search's median final score"
    if math.isfinite(needed) and saved > 0:
        sentences.append(
            f"Evolution reaches {bar} after {rough(needed / saved)} evaluations (median), random search after "
            f"{rough(needed)} (by theory): a factor of {rough(saved)}."
        )
    if math.isfinite(fewer):
        interval = f" [{', '.join(map(rough, ends))}]" if all(map(math.isfinite, ends)) else ""
        reaches = "is there" if sentences else f"reaches {bar}"
        sentences.append(
            f"From the same first cells, evolution {reaches} {rough(fewer)}{interval} evaluations earlier on average."
        )
    return " ".join(sentences)


def _scores_compared(search: Search) -> str:
    # By the last points of the curves; intervals that do not touch.
    curves = of(with_teacher(search.curves, search.info.teachers[0]), quantity="score").sort_values(
        "evaluation", kind="stable"
    )
    better = worse = judged = 0
    for name in drivers(search):
        ends = [of(curves, driver=name, algorithm=algorithm).tail(1) for algorithm in ("evolution", "random")]
        bounds = [end[["low", "high"]].astype(float).to_numpy().ravel() for end in ends]
        if all(len(bound) and np.isfinite(bound).all() for bound in bounds):
            judged += 1
            one, other = bounds if higher_is_better(search, name) else (-bounds[0][::-1], -bounds[1][::-1])
            better, worse = better + int(one[0] > other[1]), worse + int(one[1] < other[0])
    if judged < 2:
        return ""
    return (
        "By 95 % intervals, evolution ends with better scores than random search for "
        f"{better} of {counted(judged, 'driver')}, and with worse ones for {worse}."
    )


def _reached(search: Search, target: str) -> str:
    names = [name for name in drivers(search) if finite(_row(search, name, "evolution", target).get("accuracy"))]
    if not names:
        return "no search with evolution ends with a cell that has an accuracy."
    lead = names[0]
    row = _row(search, lead, "evolution", target)
    sentences = [_ends(row, lead, search.info.oracles.get(target))]
    chance = _row(search, lead, "random", target)
    if finite(chance.get("accuracy")):
        sentences.append(f"Random search by the same scores ends at {_accuracy(chance)}.")
    best = _row(search, lead, "exhaustive", target)
    if finite(best.get("accuracy")):
        sentences.append(f"The best of all cells by the score has {_accuracy(best)}.")
    sentences += [_drivers_compared(search, target, names), _saved(search, target, row, lead)]
    return " ".join(sentence for sentence in sentences if sentence)


def _ends(row: dict[str, Any], lead: str, most: Oracle | None) -> str:
    known, searches = int(row["known"]), stored_number(row.get("searches"))
    of_all = f" of {counted(int(searches), 'search', 'searches')}" if math.isfinite(searches) else ""
    where = f"{known:,}{of_all} whose pick has an accuracy" if known < searches else f"mean{of_all}" if of_all else ""
    sentences = [f"Evolution driven by {lead} ends at {_accuracy(row)}{f' ({where})' if where else ''}."]
    if finite(row.get("regret")):
        oracle = (
            ""
            if most is None
            else (f": cell {most.cell}, {decimal(most.accuracy)} %, the best of {counted(most.known, 'cell')}")
        )
        sentences.append(f"That is {estimated(row, 'regret')} points below the oracle{oracle}.")
    if finite(row.get("percentile")):
        sentences.append(f"Its picks are better than {row['percentile']:.1f} % of the cells with an accuracy.")
    return " ".join(sentences)


def _accuracy(row: dict[str, Any]) -> str:
    return f"{estimated(row, 'accuracy')} %"


def _drivers_compared(search: Search, target: str, names: list[str]) -> str:
    if len(names) < 2:
        return ""
    rows = {name: _row(search, name, "evolution", target) for name in names}
    top = max(names, key=lambda name: float(rows[name]["accuracy"]))
    words = f"Of {counted(len(names), 'driver')} {top} ends highest"
    words += f", at {_accuracy(rows[top])}" if top != names[0] else ""
    better, worse, judged = [], [], 0
    for name in names:
        one, other = rows[name], _row(search, name, "random", target)
        ends = [stored_number(row.get(f"accuracy_{end}")) for row in (one, other) for end in ("low", "high")]
        if np.isfinite(ends).all():
            judged += 1
            better += [name] if ends[0] > ends[3] else []
            worse += [name] if ends[1] < ends[2] else []
    if not judged:
        return f"{words}."
    names_of_worse = f" ({some(worse)})" if worse else ""
    return (
        f"{words}. By 95 % intervals, evolution ends above random search for {len(better)} of "
        f"{judged}, and below it for {len(worse)}{names_of_worse}."
    )


def _saved(search: Search, target: str, row: dict[str, Any], lead: str) -> str:
    # No ratio without what both sides were measured on.
    training = search.info.trainings.get(target)
    needed, seconds = stored_number(row.get("training_evaluations")), stored_number(row.get("training_seconds"))
    if training is None or not math.isfinite(needed):
        return ""
    sentences = [
        f"For such an accuracy, a random search that trains its cells needs {rough(needed)} trainings on average."
    ]
    if math.isfinite(seconds):
        each = f"{duration(seconds / needed)} each ({training.source})"
        sentences.append(f"They take {duration(seconds)}, at {each}.")
        sentences += _compared_with_trainings(search, row, lead)
    return " ".join(sentences)


def _compared_with_trainings(search: Search, row: dict[str, Any], lead: str) -> list[str]:
    took, saved = stored_number(row.get("seconds")), stored_number(row.get("seconds_saved"))
    measured = f"{plain(record_of(search, lead).seconds_from)}; {plain(search.info.machine)}"
    sentences = [f"A search by {lead} takes {duration(took)} ({measured})."] if math.isfinite(took) else []
    ratio = f"The ratio, {rough(saved)}, belongs to these two measurements alone."
    return [*sentences, ratio] if sentences and math.isfinite(saved) else sentences


def _teachers(search: Search) -> str:
    count = len(search.info.teachers)
    rows = search.teachers
    if count < 2 or rows.empty:
        return ""
    by_driver = {
        name: (mine["spearman"].astype(float), mine["same_pick"].astype(float))
        for name in drivers(search)
        if len(mine := of(rows, driver=name))
    }
    same = [name for name, (spearman, _) in by_driver.items() if (spearman > 1 - 1e-9).all()]
    moved = {name: pair for name, pair in by_driver.items() if name not in same and pair[0].notna().any()}
    sentences = (
        [f"With each of {count} teachers, {some(same)} {'scores' if len(same) == 1 else 'score'} every cell alike."]
        if same
        else []
    )
    for name, (spearman, picks) in sorted(moved.items(), key=lambda one: one[1][0].min())[:3]:
        sentences.append(f"The scores of {name} correlate at {_range(spearman, 3)} (Spearman) between teachers.")
        if picks.notna().any():
            sentences.append(f"{_range(100 * picks, 0)} % of its searches with equal seeds end with the same pick.")
    if len(moved) > 3:
        sentences.insert(bool(same), f"Of {counted(len(moved), 'driver')} these three change most.")
    return " ".join([*sentences, _teachers_matter(search)]).strip()


def _teachers_matter(search: Search) -> str:
    # The widest gap between two teachers' picks, among those whose intervals do not touch.
    gaps = []
    for target in search.info.targets:
        rows = of(search.summary, algorithm="evolution", target=target)
        for name in drivers(search):
            mine = of(rows, driver=name).dropna(subset=["accuracy", "accuracy_low", "accuracy_high"]).to_dict("records")
            gaps += [
                (one["accuracy"] - other["accuracy"], name, target, one["teacher"], other["teacher"])
                for one in mine
                for other in mine
                if one["accuracy_low"] > other["accuracy_high"]
            ]
    if not gaps:
        return "No driver's picks differ clearly between two teachers: all intervals of their accuracies overlap."
    gap, name, target, one, other = max(gaps, key=lambda found: float(found[0]))
    return (
        f"The largest clear difference between two teachers' picks is {decimal(float(gap))} points of {target}: "
        f"{name}, {one} above {other}. Their intervals lie apart."
    )


def _range(values: pd.Series, decimals: int) -> str:
    ends = sorted({f"{value:.{decimals}f}" for value in (values.min(), values.max())}, key=float)
    return " to ".join(ends).replace("-", "\N{MINUS SIGN}")


def _row(search: Search, driver: str, algorithm: str, target: str | None = None) -> dict[str, Any]:
    rows = of(with_teacher(search.summary, search.info.teachers[0]), driver=driver, algorithm=algorithm)
    if target is not None:
        rows = of(rows, target=target)
    return rows.head(1).to_dict("records")[0] if len(rows) else {}
