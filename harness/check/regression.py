"""Regression: a proxy against its own stored baseline, in the repository of its author."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pandas as pd
from pydantic import Field
from scipy import stats

from diswot.benchmarks.errors import InputError, named, unknown
from diswot.harness import files, records
from diswot.harness.check import comparison, predictive_value
from diswot.harness.check.answer import Answer
from diswot.harness.check.loading import Subject
from diswot.harness.compute import devices
from diswot.harness.records import Document, Whole
from diswot.harness.runs import arithmetic, run_folder
from diswot.harness.runs.provenance import Made
from diswot.harness.runs.settings import Settings

STAGE = "regression"

#: Slower is: by this factor and by so many passes, and less likely by chance than this. A smaller factor would find
#: other machines, on which a pass takes its time elsewhere than a proxy.
_FACTOR, _PASSES, _SIGNIFICANCE = 2.0, 0.1, 0.01

_NUMBER = r"([0-9]{1,9}(?:\.[0-9]{1,9})?)"

#: How the limit of a metric is written: a difference of correlations, and percent.
_FORMS = {"spearman": re.compile(_NUMBER), "cost": re.compile(_NUMBER + "%")}

_ROW = ("cell", "seed", "status", "value", "cause")


class Row(Document):
    """A score, as the store has it."""

    cell: Whole
    seed: Whole
    status: str
    value: float | None
    cause: str | None


class Baseline(Made):
    """What a proxy was when it was saved.

    Attributes:
        settings: of the sweep that made the scores.
        name: of the proxy.
        version: of the proxy.
        direction: of the proxy.
        tolerance: relative, within which scores are the same.
        scores: one row a cell: cell, seed, status, value, cause.
        times: relative to one forward and backward pass, one a repeat.
        device: the machine that it was saved on; None where an older version saved it.
    """

    settings: Settings
    name: str
    version: str
    direction: str
    tolerance: float
    times: Annotated[list[float], Field(min_length=1)]
    scores: list[Row]

    @property
    def frame(self) -> pd.DataFrame:
        """The scores, one row a cell: cell, seed, status, value, cause."""
        return pd.DataFrame(map(dict, self.scores), columns=list(_ROW)).astype({"value": float})


@dataclass(frozen=True)
class Limits:
    """How much worse than its baseline a proxy may be, where the user says so.

    Attributes:
        spearman: by how much lower its correlation may be; None for the margin, and only under another version.
        cost: by which share of itself its time may be longer; None for twice, and for what is short anyway.
    """

    spearman: float | None = None
    cost: float | None = None


def limits(texts: Sequence[str]) -> Limits:
    """Return the limits that texts such as ``spearman:0.02`` and ``cost:10%`` stand for.

    Raises:
        InputError: if a metric is not known, is there twice, or its limit is not a number above 0.
    """
    found: dict[str, float] = {}
    for text in texts:
        name, _, limit = text.partition(":")
        if name not in _FORMS:
            raise unknown("fail_on", name, _FORMS)
        if name in found:
            raise InputError(f"fail_on: {name} is there twice; give one limit.")
        matched = _FORMS[name].fullmatch(limit)
        number = float(matched.group(1)) if matched else 0.0
        if not 0 < number < math.inf:
            raise InputError(f"fail_on: {text!r:.80} has no limit above 0; write spearman:0.02 or cost:10%.")
        found[name] = number / 100 if name == "cost" else number
    return Limits(**found)


def default_path(subject: Subject, precomputed: str | None) -> Path | None:
    """Return where a baseline is looked for, if there is one there: beside the file, under the proxy's name.

    Args:
        subject: the proxy.
        precomputed: name of the scores that it is compared with. The file's name then contains it, since their images
            make another baseline.
    """
    if subject.file is None:
        return None
    name = subject.proxy.name if precomputed is None else f"{subject.proxy.name}.{precomputed}"
    path = subject.file.with_name(f"{name}.baseline.json")
    return path if path.is_file() else None


def read(path: Path, subject: Subject) -> Baseline:
    """Read a baseline, which must be this proxy's.

    Raises:
        InputError: if it is missing or damaged, or of another schema or proxy; the sentence says which.
    """
    if not path.is_file():
        raise InputError(f"baseline: {path} is not a file; --save {path} writes it.")
    baseline = records.read(Baseline, path, "baseline")
    if baseline.name != subject.proxy.name:
        raise InputError(f"baseline: {path} is of the proxy {baseline.name}, not of {subject.proxy.name}.")
    return baseline


def save(
    path: Path, subject: Subject, scores: pd.DataFrame, times: Sequence[float], settings: Settings, tolerance: float
) -> Answer:
    """Write a baseline, scores on the fixed cells and times, unless the proxy failed somewhere; say which.

    Raises:
        InputError: if the folder cannot be written to.
    """
    command = subject.command("--save", str(path))
    failed = int((scores["status"] == "failed").sum())
    if failed:
        return Answer(STAGE, "baseline", "fail", f"not saved: {failed} cells failed", command, decides=False)
    values = scores["value"].astype(object).where(scores["value"].notna(), None)
    baseline = Baseline(
        **run_folder.environment(devices.machine(), arithmetic.here(settings.device)),
        settings=settings,
        settings_hash=settings.hash,
        name=subject.proxy.name,
        version=subject.proxy.version,
        direction=subject.proxy.direction,
        tolerance=tolerance,
        times=list(times),
        scores=[Row(**row) for row in scores.assign(value=values)[list(_ROW)].to_dict("records")],
    )
    with named("save", "out"):
        files.write_json(path, baseline.stored())
    return Answer(STAGE, "baseline", "pass", f"saved in {path}", command, decides=False)


def not_saved(path: Path, subject: Subject, broken: Sequence[str]) -> Answer:
    """Say that a baseline which the proxy has just failed is kept: with a new one nobody would see it any more."""
    figure = f"not saved: {', '.join(broken)} failed; what is meant takes another version, or the old file's removal"
    return Answer(STAGE, "baseline", "fail", figure, subject.command("--save", str(path)), decides=False)


def answers(
    subject: Subject,
    old: Baseline,
    scores: pd.DataFrame,
    times: Sequence[float],
    accuracies: pd.DataFrame,
    margin: float,
    allowed: Limits = Limits(),
) -> Iterator[Answer]:
    """Compare with a baseline: values where the version is the same, correlations where it is another; times always.

    With a limit of the correlation, correlations are compared under the same version too.

    Args:
        subject: the proxy as it is.
        old: as it was.
        scores: as it scores now.
        times: as they are now, relative to one forward and backward pass.
        accuracies: as `worth.targets` returns them.
        margin: how much lower the correlation may have become.
        allowed: the limits that the user gives instead.
    """
    command = subject.command("--only", STAGE)
    same = old.version == subject.proxy.version
    if same:
        yield Answer(STAGE, "version", "pass", f"{old.version}, as the baseline's", command)
        yield Answer(STAGE, "values", *_values(old, scores), command)
    else:
        figure = (
            f"the baseline is of version {old.version}, this is {subject.proxy.version}: correlations are compared, "
            "not values; --save renews it"
        )
        yield Answer(STAGE, "version", "undecided", figure, command, decides=False)
    if not same or allowed.spearman is not None:
        limit = margin if allowed.spearman is None else allowed.spearman
        yield Answer(STAGE, "correlation", *_correlation(subject, old, scores, accuracies, limit), command)
    yield Answer(STAGE, "time", *_time(old, times, allowed.cost), command)


def _values(old: Baseline, scores: pd.DataFrame) -> tuple[str, str]:
    both = old.frame.merge(scores, on=["cell", "seed"], suffixes=("_old", ""))
    if both.empty:
        return "undecided", "the baseline has none of the cells"
    pairs = zip(both["status_old"], both["value_old"], both["status"], both["value"], strict=True)
    changed = [not _same(old.tolerance, *pair) for pair in pairs]
    if not any(changed):
        return "pass", f"{len(both)} cells score as they did, within {old.tolerance:g} of each score"
    first = both[changed].iloc[0]
    return "fail", (
        f"{sum(changed)} of {len(both)} cells score otherwise under the same version {old.version}: "
        f"cell {first['cell']} scored {_said(first['value_old'])}, now {_said(first['value'])}; "
        "bump the version if that is meant"
    )


def _same(tolerance: float, old_status: str, old: float, status: str, value: float) -> bool:
    if status != old_status or status != "ok":
        return status == old_status
    return math.isclose(old, value, rel_tol=tolerance)


def _correlation(
    subject: Subject, old: Baseline, scores: pd.DataFrame, accuracies: pd.DataFrame, margin: float
) -> tuple[str, str]:
    before, after = "before", "after"
    shared = set(old.frame["cell"]) & set(scores["cell"])
    both = pd.concat([old.frame.assign(proxy=before), scores.assign(proxy=after)], ignore_index=True)
    records = pd.DataFrame({"name": [before, after], "direction": [old.direction, subject.proxy.direction]})
    found = predictive_value.compared(both[both["cell"].isin(shared)], records, accuracies, ())
    gap = found.lead(before, after, 0)
    figure = (
        f"{found.correlation(before, 0)} before, {found.correlation(after, 0)} now, lower by {gap}; "
        f"margin {margin:g}, {found.counts(after)}, {accuracies.columns[0]}"
    )
    return comparison.within(gap, margin), figure


def _time(old: Baseline, new: Sequence[float], limit: float | None) -> tuple[str, str]:
    before, now = statistics.median(old.times), statistics.median(new)
    chance = float(stats.mannwhitneyu(new, old.times, alternative="greater").pvalue)
    figure = (
        f"{before:.2f} passes before, {now:.2f} now, medians of {len(old.times)} and {len(new)}; "
        f"Mann-Whitney p {chance:.3g}"
    )
    factor, least = (_FACTOR, _PASSES) if limit is None else (1 + limit, 0.0)
    if now <= factor * before or now - before <= least:
        return "pass", figure
    figure += (
        f"; slower by more than {_FACTOR:g} times" if limit is None else f"; slower by more than {100 * limit:g} %"
    )
    here = devices.machine()
    if old.device != here and now <= _FACTOR * before:
        # Elsewhere a pass takes its time in other places than a proxy, so a small difference is of the machines.
        saved_on = "a machine that is not recorded" if old.device is None else old.device
        return "undecided", f"{figure}; saved on {saved_on}, this is {here}: save it where the checks run"
    return ("fail" if chance < _SIGNIFICANCE else "undecided"), figure


def _said(value: float) -> str:
    return "nothing" if math.isnan(value) else f"{value:.9g}"
