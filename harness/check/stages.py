"""A whole check: its stages one after the other, quickest first, each answer as soon as it is there."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from benchmarks.errors import InputError, unknown
from harness import run_folder
from harness.check import conformance, reference, regression, worth
from harness.check.answer import Answer
from harness.check.subject import Subject
from proxies.testing.cost import time_in_units

#: How often the time is measured: as often as a test needs to tell ten times from chance, and more.
_REPEATS, _REPEATS_QUICK = 11, 5


@dataclass(frozen=True)
class Request:
    """What is asked of a proxy.

    Attributes:
        subject: the proxy.
        quick: whether to use fewer cells and smaller networks.
        against: built-ins that it must not be behind; none to show the difference to the usual ones.
        margin: how far behind it may be.
        targets: what its scores are correlated with, as ``--target`` takes them; none for the space's own.
        save: where its baseline is to be written; None for nowhere.
        baseline: its baseline; None for the one beside its file, where there is one.
        tolerance: of a baseline that is saved.
        only: one question of conformance, or one stage; None for everything.
        workers: processes.
        out: a run's folder to keep the scores in; None for none.
    """

    subject: Subject
    quick: bool
    against: tuple[str, ...]
    margin: float
    targets: tuple[str, ...]
    save: Path | None
    baseline: Path | None
    tolerance: float
    only: str | None
    workers: int
    out: Path | None


def answers(request: Request) -> Iterator[Answer]:
    """Carry out a check, with one thread in this process, as in a worker.

    Raises:
        InputError: if the request cannot be met; it is said before anything takes time.
    """
    carry_out = _prepared(request)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield from carry_out()
    finally:
        torch.set_num_threads(threads)


def _prepared(request: Request) -> Callable[[], Iterator[Answer]]:
    subject, only = request.subject, request.only
    questions = conformance.names(request.quick)
    stages = (conformance.STAGE, worth.STAGE, regression.STAGE)
    if only is not None and only not in (*questions, *stages):
        raise unknown("--only", only, (*questions, *stages))
    asked = {name for name in questions if only in (None, name, conformance.STAGE)}
    path = request.baseline or regression.default_path(subject)
    if only == regression.STAGE and path is None:
        raise InputError(f"--only: there is no baseline of {subject.proxy.name}; --save FILE writes one.")
    if request.out is not None and run_folder.store_path(request.out).exists():
        raise InputError(f"--out: {request.out} holds a run already, and a check scores anew; choose another folder.")
    cells = reference.cells(request.quick)
    settings = reference.settings_of(reference.plan((subject.proxy,), cells, (), request.workers))
    accuracies = worth.targets(request.targets, cells)
    stored = reference.load() if only in (None, worth.STAGE) else None
    if stored is not None:
        worth.baselines(request.against, stored)
    compares = path is not None and only in (None, regression.STAGE)
    old = regression.read(path, subject, settings) if path is not None and compares else None

    def carry_out() -> Iterator[Answer]:
        for answer in conformance.answers(subject, request.quick, asked):
            yield answer
            if answer.name in conformance.FIRST and answer.verdict == "fail":
                return
        times = _times(request) if "cost" in asked or old is not None or request.save else []
        if "cost" in asked:
            yield conformance.cost(subject, times)
        if not ("workers" in asked or stored is not None or old is not None or request.save):
            return
        scores = _scores(request, cells)
        if "workers" in asked:
            yield conformance.workers(subject, scores)
        if stored is not None and settings.hash != stored.settings_hash:
            different = ", ".join(settings.differences(stored.settings))
            figure = f"the reference was made with other settings: {different}"
            yield Answer(worth.STAGE, "reference", "undecided", figure, "diswot check --refresh-reference")
        elif stored is not None:
            yield from worth.answers(subject, scores, stored, accuracies, request.against, request.margin)
        if old is not None:
            yield from regression.answers(subject, old, scores, times, accuracies, request.margin)
        if request.save is not None:
            yield regression.save(request.save, subject, scores, times, settings, request.tolerance)

    return carry_out


def _times(request: Request) -> list[float]:
    return time_in_units(request.subject.proxy, _REPEATS_QUICK if request.quick else _REPEATS)


def _scores(request: Request, cells: Sequence[int]) -> pd.DataFrame:
    subject = request.subject
    with tempfile.TemporaryDirectory() as folder:  # never one with scores: a proxy may change and keep its version
        place = request.out or Path(folder)
        return reference.measure((subject.proxy,), cells, subject.plugins, request.workers, place)
