"""A whole check: its stages one after the other, quickest first, each answer as soon as it is there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from diswot.benchmarks.errors import InputError, named, unknown
from diswot.harness.check import conformance, predictive_value, reference, regression
from diswot.harness.check.answer import Answer
from diswot.harness.check.loading import Subject
from diswot.harness.check.reference import Conditions, Reference
from diswot.harness.check.regression import Baseline, Limits
from diswot.harness.compute import bench
from diswot.harness.runs import run_folder
from diswot.harness.runs.precomputed import catalogue
from diswot.harness.runs.settings import Settings
from diswot.proxies.testing import PROPERTIES
from diswot.proxies.testing.cost import relative_times

#: How often the time is measured: enough for a test to find a factor of ten significant, and more.
_REPEATS, _REPEATS_QUICK = 11, 5


@dataclass(frozen=True)
class Request:
    """What is asked of a proxy.

    Attributes:
        subject: the proxy.
        quick: whether to use fewer cells and smaller networks.
        against: built-ins to which it must have no gap; none to show the difference to the usual ones.
        margin: the allowed gap.
        allowed: how much worse than its baseline it may be, where the user says so.
        targets: what its scores are correlated with, as ``--target`` takes them; none for the space's own.
        save: where its baseline is to be written; None for nowhere.
        baseline: its baseline; None for the one beside its file, where there is one.
        tolerance: of a baseline that is saved.
        only: one question of conformance, or one stage; None for everything.
        workers: processes.
        precomputed: name of precomputed scores that it is compared with; None for the stored scores of noise.
        image_dir: the folder of their images; None for the cache.
        out: a run's folder to keep the scores in; None for none.
    """

    subject: Subject
    quick: bool
    against: tuple[str, ...]
    margin: float
    allowed: Limits
    targets: tuple[str, ...]
    save: Path | None
    baseline: Path | None
    tolerance: float
    only: str | None
    workers: int
    precomputed: str | None
    image_dir: Path | None
    out: Path | None


def answers(request: Request) -> Iterator[Answer]:
    """Carry out a check, with one thread in this process, as in a worker.

    Raises:
        InputError: if the request cannot be met; it is said before anything takes time.
    """
    subject, only = request.subject, request.only
    asked = _asked(request)
    cells = reference.cells(request.quick)
    conditions = _conditions(request)
    settings = reference.settings_of(reference.plan(conditions, (subject.proxy,), cells, (), request.workers))
    accuracies = predictive_value.targets(request.targets, cells)
    stored = _stored(request) if only in (None, predictive_value.STAGE) else None
    if stored is not None:
        predictive_value.baselines(request.against, stored)
        if request.precomputed is not None and stored.settings.hash != settings.hash:
            different = ", ".join(settings.differences(stored.settings))
            raise InputError(f"with: a check has other settings than {request.precomputed}: {different}.")
    old = _baseline(request, settings)
    with bench.one_thread():
        for answer in conformance.answers(subject, request.quick, asked):
            yield answer
            if answer.name in conformance.FIRST and answer.verdict == "fail":
                return
        timed = "cost" in asked or old is not None or request.save
        repeats = _REPEATS_QUICK if request.quick else _REPEATS
        times = relative_times(subject.proxy, repeats) if timed else []
        if "cost" in asked:
            yield conformance.cost(subject, times)
        if not ("workers" in asked or stored is not None or old is not None or request.save):
            return
        scores = _scores(request, conditions, cells)
        if "workers" in asked:
            yield conformance.workers(subject, conditions, scores)
        if stored is not None and settings.hash != stored.settings.hash:
            different = ", ".join(settings.differences(stored.settings))
            figure = f"the reference was made with other settings: {different}"
            yield Answer(predictive_value.STAGE, "reference", "undecided", figure, "diswot check --refresh-reference")
        elif stored is not None:
            yield from predictive_value.answers(subject, scores, stored, accuracies, request.against, request.margin)
        compared = []
        if old is not None:
            compared = list(
                regression.answers(subject, old, scores, times, accuracies, request.margin, request.allowed)
            )
            yield from compared
        broken = [answer.name for answer in compared if answer.decides and answer.verdict == "fail"]
        if request.save is not None and broken:
            yield regression.not_saved(request.save, subject, broken)
        elif request.save is not None:
            yield regression.save(request.save, subject, scores, times, settings, request.tolerance)


@named("with", "scores")
def _conditions(request: Request) -> Conditions:
    if request.precomputed is not None:
        return reference.conditions_of(catalogue.load(request.precomputed), request.image_dir)
    if request.image_dir is not None:
        raise InputError("image_dir: a check uses noise, and images only with precomputed scores: --with NAME.")
    return reference.OWN


@named("with", "scores")
def _stored(request: Request) -> Reference:
    one = request.precomputed
    return reference.load() if one is None else reference.of_precomputed(catalogue.load(one))


def _asked(request: Request) -> set[str]:
    # The questions of conformance; the other stages are asked whole.
    questions = conformance.names(request.quick)
    stages = (conformance.STAGE, predictive_value.STAGE, regression.STAGE)
    if request.only is not None and request.only not in (*questions, *stages):
        raise unknown("only", request.only, (*questions, *stages))
    if request.only in PROPERTIES and not PROPERTIES[request.only].applies(request.subject.proxy):
        raise InputError(
            f"only: {request.only} is asked of proxies that declare it, and {request.subject.proxy.name} does not."
        )
    if request.out is not None and run_folder.store_path(request.out).exists():
        raise InputError(f"out: {request.out} holds a run already, and a check scores anew; choose another folder.")
    if request.out is not None and (request.out / "cells.txt").exists():
        raise InputError(f"out: {request.out} holds cells.txt, which a check would write over; choose another folder.")
    return {name for name in questions if request.only in (None, name, conformance.STAGE)}


def _baseline(request: Request, settings: Settings) -> Baseline | None:
    path = request.baseline or regression.default_path(request.subject, request.precomputed)
    saved = request.save if request.save is not None and request.save.is_file() else None
    asked = request.only in (None, regression.STAGE)
    path = path or saved
    if saved is not None and not (asked and path is not None and saved.resolve() == path.resolve()):
        compared = f"--baseline {path}" if asked else f"--only {request.only}"
        raise InputError(
            f"save: {saved} is there, and with {compared} nothing is compared with it; leave that out, or remove "
            "the file."
        )
    if not asked:
        return None
    if path is None:
        if request.allowed != Limits():
            raise InputError(
                f"fail_on: it compares with a baseline, and {request.subject.proxy.name} has none; --save FILE without "
                "--fail-on writes one."
            )
        if request.only is None:
            return None
        raise InputError(f"only: there is no baseline of {request.subject.proxy.name}; --save FILE writes one.")
    baseline = regression.read(path, request.subject)
    if baseline.settings.hash == settings.hash:
        return baseline
    if saved is not None:  # it is renewed, and nothing can be compared with it
        return None
    different = ", ".join(settings.differences(baseline.settings))
    raise InputError(f"baseline: {path} was made with other settings: {different}; --save {path} renews it.")


def _scores(request: Request, conditions: Conditions, cells: Sequence[int]) -> pd.DataFrame:
    subject = request.subject
    with tempfile.TemporaryDirectory() as folder:  # never one with scores: a proxy may change and keep its version
        place = request.out or Path(folder)
        scores = reference.evaluate(conditions, (subject.proxy,), cells, subject.plugins, request.workers, place)
        if request.out is not None:  # for `diswot evaluate --cells`, which puts built-ins beside it
            (request.out / "cells.txt").write_text("".join(f"{cell}\n" for cell in cells))
        return scores
