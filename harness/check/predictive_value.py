"""What a proxy is worth: its correlations on the fixed cells, beside the stored scores of the built-ins there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from diswot.benchmarks import spaces, tables
from diswot.benchmarks.errors import InputError, unknown
from diswot.harness.check import comparison, reference
from diswot.harness.check.answer import Answer
from diswot.harness.check.loading import Subject
from diswot.harness.check.reference import Reference
from diswot.harness.evidence import intervals, panel
from diswot.harness.evidence.ensembles import Ensemble, mean_rank
from diswot.harness.evidence.table import DISTINCT
from diswot.harness.runs import results
from diswot.proxies.registry import Proxy

STAGE = "worth"

#: What stands for the built-in with the highest correlation.
BEST = "best"

_SIZE = "live_flops"

#: What a proxy is compared with where nothing else is asked for; then the comparison does not decide.
DEFAULT_AGAINST = (BEST, _SIZE)


def targets(asked: Sequence[str], cells: Sequence[int]) -> pd.DataFrame:
    """Return accuracies in percent: a row for each of the cells that all targets know, a column a target.

    Of cells that compute the same function there is one, since copies are no new evidence. Where a table has both,
    asking for a distilled accuracy brings the vanilla one along. The first column decides.

    Raises:
        InputError: if a target is not known, or too few cells have an accuracy.
    """
    chosen = results.targets_of(reference.SPACE, tuple(asked) or spaces.get(reference.SPACE).targets[:1])
    results.say_fractions(chosen.values(), reference.SPACE)
    columns = {name: tables.load(target.table, reference.SPACE).frame[target.column] for name, target in chosen.items()}
    known = pd.DataFrame(columns).reindex(list(cells)).dropna()
    known = known[spaces.get(reference.SPACE).subsets[DISTINCT].of(known.index.to_numpy())]
    if len(known) < intervals.FEWEST_FUNCTIONS:
        raise InputError(
            f"targets: {', '.join(columns)} has an accuracy for {len(known)} functions among the {len(cells)} cells "
            f"of a check, and {intervals.FEWEST_FUNCTIONS} are the fewest."
        )
    for name, accuracies in known.items():
        if accuracies.nunique() == 1:
            raise InputError(f"targets: {name} is the same for all of the {len(known)} cells of a check.")
    return known


def baselines(against: Sequence[str], stored: Reference) -> tuple[str, ...]:
    """Return the names that ``--against`` stands for, or the default, as far as the reference has it; see `BEST`.

    Raises:
        InputError: if one is no built-in.
    """
    known = (*stored.proxies["name"], BEST)
    asked = tuple(part.strip() for text in against for part in text.split(",") if part.strip())
    for name in asked:
        if name not in known:
            raise unknown("against", name, known)
    return asked or tuple(name for name in DEFAULT_AGAINST if name in known)


def answers(
    subject: Subject,
    scores: pd.DataFrame,
    stored: Reference,
    accuracies: pd.DataFrame,
    against: Sequence[str],
    margin: float,
) -> Iterator[Answer]:
    """Judge a proxy's scores.

    Args:
        subject: the proxy.
        scores: its own, on the fixed cells; as `Reference.scores`.
        stored: the built-ins'.
        accuracies: as `targets` returns them.
        against: what the user wants it compared with; nothing for `DEFAULT_AGAINST`, which does not decide.
        margin: the allowed gap to a baseline, as a difference of correlations.
    """

    command = subject.command("--only", STAGE)
    name, first = subject.proxy.name, str(accuracies.columns[0])
    failed = scores[scores["status"] == "failed"]
    if not failed.empty:
        one = failed.iloc[0]
        figure = f"{len(failed)} of {len(scores)} cells failed; cell {one['cell']}: {one['cause']}"
        yield Answer(STAGE, "scores", "fail", figure, command)
        return
    undefined = int((scores["status"] == "undefined").sum())
    yield Answer(STAGE, "scores", "pass", f"{len(scores)} cells, {undefined} of them undefined", command)
    others = _resolved(baselines(against, stored), name, stored, accuracies)
    found = compared(
        pd.concat([stored.scores[stored.scores["proxy"].isin(others)], scores], ignore_index=True),
        pd.concat(
            [
                stored.proxies[stored.proxies["name"].isin(others)],
                pd.DataFrame({"name": [name], "direction": [subject.proxy.direction]}),
            ]
        ),
        accuracies,
        [Ensemble(_with(other, name), (other, name), mean_rank, "diswot check") for other in others],
    )
    for t, target in enumerate(accuracies.columns):
        verdict, figure = _direction(found.correlation(name, t), found.counts(name), subject.proxy)
        yield Answer(STAGE, f"direction {target}", verdict, figure, command, decides=t == 0)
    for t, target in enumerate(accuracies.columns):
        held = found.partial_correlation(name, t)
        figure = f"{held}, controlling for live_flops"
        yield Answer(STAGE, f"partial {target}", comparison.positive(held), figure, command, decides=False)
    for other in others:
        gap = found.lead(other, name, 0)
        figure = f"{other} has {found.correlation(other, 0)}, ahead by {gap}; margin {margin:g}, {first}"
        verdict = comparison.within(gap, margin)
        yield Answer(STAGE, f"gap_to {other}", verdict, figure, command, decides=bool(against))
    for other in others:
        both = _with(other, name)
        gained = found.lead(both, other, 0)
        figure = f"mean rank of both {found.correlation(both, 0)}, minus {other} alone: {gained}; {first}"
        yield Answer(STAGE, f"adds_to {other}", comparison.positive(gained), figure, command, decides=False)


def compared(
    scores: pd.DataFrame,
    proxies: pd.DataFrame,
    accuracies: pd.DataFrame,
    others: Sequence[Ensemble],
) -> comparison.Comparison:
    """Compare proxies, and ensembles of them, on the cells that have both scores and accuracies.

    Args:
        scores: as `Reference.scores`.
        proxies: columns name and direction.
        accuracies: as `targets` returns them.
        others: the ensembles.
    """
    one = panel.build(scores[scores["cell"].isin(accuracies.index)], proxies, others=others)
    space = spaces.get(reference.SPACE)
    sizes = np.array([space.costs["live_flops"](int(cell), space.classes) for cell in one.cells], float)
    truth = accuracies.loc[one.cells].to_numpy(float).T
    return comparison.compare(one, truth, sizes, np.arange(len(one.cells)))


def _resolved(asked: Sequence[str], name: str, stored: Reference, accuracies: pd.DataFrame) -> tuple[str, ...]:
    chosen = [_best(name, stored, accuracies) if other == BEST else other for other in asked]
    return tuple(dict.fromkeys(other for other in chosen if other != name))


def _best(name: str, stored: Reference, accuracies: pd.DataFrame) -> str:
    found = compared(stored.scores, stored.proxies[stored.proxies["name"] != name], accuracies, ())
    values = {other: found.correlation(other, 0).value for other in found.names if other in set(stored.proxies["name"])}
    defined = [other for other in values if not np.isnan(values[other])]
    if not defined:
        raise InputError(f"against: no built-in of the reference has a correlation with {accuracies.columns[0]}.")
    # Of those with the same ranks the size, which is compared with anyway.
    return max(defined, key=lambda other: (values[other], other == _SIZE))


def _direction(estimate: comparison.Estimate, counts: str, proxy: Proxy) -> tuple[str, str]:
    verdict = comparison.positive(estimate)
    figure = f"Spearman {estimate}, {counts}"
    if verdict == "fail":
        other = "lower" if proxy.direction == "higher" else "higher"
        figure += f"; {proxy.direction!r} is declared as the better direction, and {other!r} is"
    return verdict, figure


def _with(other: str, name: str) -> str:
    return f"{other} with {name}"
