"""Conformance: the shipped kit's properties, asked of one proxy, and whether a worker sees the same numbers."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterator, Sequence

import pandas as pd

from diswot.harness.check import reference
from diswot.harness.check.answer import Answer
from diswot.harness.check.loading import Subject
from diswot.harness.check.reference import Conditions
from diswot.harness.compute import sweep
from diswot.harness.compute.task import score_cell
from diswot.proxies.testing import PROPERTIES, Environment, Finding, Nonconformity, as_declared, conform
from diswot.proxies.testing.cost import relative_memory

STAGE = "conformance"

#: Without these nothing else can be said of a proxy.
FIRST = ("side_effects", "one_number")

#: Small networks; more cells where there is time.
QUICK, WHOLE = Environment(), Environment(cells=12)

#: The network of the sweep, on which the numbers are looked at again where there is time.
FULL_SIZE = Environment(C=16, N=5, pixels=32, cells=4)

_AT_FULL_SIZE = ("one_number", "special_cells", "float64", "memory_format")


def answers(subject: Subject, quick: bool, asked: Collection[str]) -> Iterator[Answer]:
    """Ask for properties, quickest first; those of `FIRST` alone where one of them fails.

    Args:
        subject: the proxy.
        quick: whether to ask on small networks alone.
        asked: names out of `names`.
    """
    for name in PROPERTIES:
        if name in asked:
            answer = _ask(subject, name, name, QUICK if quick else WHOLE)
            yield answer
            if name == FIRST[-1] and answer.verdict == "fail":
                return
    if not quick:
        for name in _AT_FULL_SIZE:
            if f"{name}-full-size" in asked:
                yield _ask(subject, name, f"{name}-full-size", FULL_SIZE)


def names(quick: bool) -> tuple[str, ...]:
    """Return the names of all questions of this stage."""
    return (*PROPERTIES, "cost", *(() if quick else (f"{name}-full-size" for name in _AT_FULL_SIZE)), "workers")


def cost(subject: Subject, times: Sequence[float]) -> Answer:
    """Say what the proxy costs, of which times were measured already."""
    memory = relative_memory(subject.proxy)
    figure = f"{statistics.median(times):.2f} passes, median of {len(times)}; {memory:.2f} times the memory of one"
    return Answer(STAGE, "cost", "pass", figure, subject.command("--only", "cost"), decides=False)


def workers(subject: Subject, conditions: Conditions, scores: pd.DataFrame) -> Answer:
    """Score two cells in this process and compare with what workers of their own found."""
    plan = reference.plan(conditions, (subject.proxy,), reference.cells(quick=True)[:2], subject.plugins, workers=1)
    context = sweep.prepare(plan)
    stored = scores.set_index("cell")
    verdict, figure = "pass", f"{len(plan.cells)} cells score the same here and in a worker process"
    for cell in plan.cells:
        (here,) = score_cell(context, cell, 0, (subject.proxy.name,))
        there = stored.loc[cell]
        value = None if pd.isna(there["value"]) else float(there["value"])
        if (here.status, here.value) != (there["status"], value):
            verdict = "fail"
            figure = f"cell {cell} scores {_said(here.value)} here and {_said(value)} in a worker process"
            break
    seen = as_declared(subject.proxy, "workers", Finding(verdict, figure))
    return _answer(subject, "workers", seen)


def _ask(subject: Subject, name: str, called: str, environment: Environment) -> Answer:
    try:
        seen = conform(subject.proxy, name, environment, check=called)
    except Nonconformity as error:
        seen = Finding("fail", str(error))
    return _answer(subject, called, seen)


def _answer(subject: Subject, name: str, seen: Finding) -> Answer:
    return Answer(STAGE, name, seen.verdict, seen.figure, subject.command("--only", name))


def _said(value: float | None) -> str:
    return "nothing" if value is None else repr(value)
