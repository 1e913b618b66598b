"""What a worker does: score one cell with one seed. Pure: the same task gives the same records, wherever it runs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from benchmarks import initialisation, spaces, teachers
from benchmarks.seeding import derive
from harness.settings import Settings
from harness.store import Record
from proxies import registry
from proxies.registry import Proxy
from proxies.scoring import Batch, Outcome, evaluate, trace_teacher

if TYPE_CHECKING:
    from torch import nn

    from proxies.trace import Trace


@dataclass(frozen=True)
class Context:
    """What all tasks of a sweep share; it travels with every task, so that any executor will do.

    Two contexts are equal if their settings are, which hold the hash of the batches.

    Attributes:
        settings: of the sweep.
        batches: two batches, each pictures (batch, 3, height, width) float32 and labels (batch,) int64.
        plugins: plug-in files to load.
    """

    settings: Settings
    batches: tuple[tuple[np.ndarray, np.ndarray], ...] = field(compare=False)
    plugins: tuple[Path, ...] = field(compare=False)


@dataclass(frozen=True)
class Task:
    """One cell, one seed, and the proxies that are missing there."""

    cell: int
    seed: int
    proxies: tuple[str, ...]


def score_cell(context: Context, task: Task) -> list[Record]:
    """Score a cell; every proxy gets a record, whatever becomes of it.

    Proxies that depend on live edges only are computed on the cell's live form. Networks with the same live form have
    the same weights on the edges that they share.
    """
    for plugin in context.plugins:
        registry.load_file(plugin)
    space = spaces.get(context.settings.space)
    live = space.live(task.cell)
    groups: dict[tuple[int, str], list[Proxy]] = {}
    for name in task.proxies:
        proxy = registry.get(name)
        groups.setdefault((live if proxy.live_edges_only else task.cell, proxy.init), []).append(proxy)
    outcomes: dict[str, Outcome] = {}
    key = derive("student", space.name, live, task.seed)
    for (form, init), group in groups.items():
        try:
            outcomes.update(_score_form(context, form, init, group, key, task.seed))
        except Exception as error:  # noqa: BLE001 - such as a lack of memory for the network; the rest goes on
            outcomes.update({proxy.name: Outcome(None, error, 0.0) for proxy in group})
    return [_record(context.settings, task, registry.get(name), outcomes[name]) for name in task.proxies]


def failed(context: Context, task: Task, cause: str) -> list[Record]:
    """Return the records of a task that could not be carried out at all."""
    outcome = Outcome(None, RuntimeError(cause), 0.0)
    return [_record(context.settings, task, registry.get(name), outcome) for name in task.proxies]


@functools.lru_cache(maxsize=2)
def batches_on_device(context: Context) -> tuple[Batch, ...]:
    """Return the batches as tensors on the context's device, in channels_last, which convolutions are fastest in."""
    return tuple(
        (
            torch.from_numpy(pictures).to(context.settings.device).contiguous(memory_format=torch.channels_last),
            torch.from_numpy(labels).to(context.settings.device),
        )
        for pictures, labels in context.batches
    )


def make_network(build: Callable[[], nn.Module], init: str, key: int, device: str) -> nn.Module:
    """Build a network and draw its weights; the same arguments give the same weights on every device."""
    with torch.device("meta"):  # the constructor's own draw would be thrown away
        network = build()
    network = network.to_empty(device=device)
    initialisation.BY_NAME[init](network, key)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _score_form(
    context: Context, form: int, init: str, group: Sequence[Proxy], key: int, seed: int
) -> dict[str, Outcome]:
    space = spaces.get(context.settings.space)
    build = functools.partial(space.build, form, context.settings.classes)
    make = functools.partial(make_network, build, init, key, context.settings.device)
    teacher = _teacher(context, seed, init) if any(proxy.needs_teacher for proxy in group) else None
    return evaluate(group, make, batches_on_device(context), teacher=teacher, seed=key)


@functools.lru_cache(maxsize=4)
def _teacher(context: Context, seed: int, init: str) -> Trace:
    settings = context.settings
    build = functools.partial(teachers.build, settings.teacher, num_classes=settings.classes)
    network = make_network(build, init, derive("teacher", settings.teacher, seed), context.settings.device)
    return trace_teacher(network, batches_on_device(context)[0])


def _record(settings: Settings, task: Task, proxy: Proxy, outcome: Outcome) -> Record:
    error = outcome.error
    named = error is not None and outcome.status == "failed"
    return Record(
        space=settings.space,
        cell=task.cell,
        proxy=proxy.name,
        version=proxy.version,
        settings=settings.hash,
        seed=task.seed,
        status=outcome.status,
        value=outcome.value,
        cause=None if error is None else (f"{type(error).__name__}: {error}" if named else str(error)),
        seconds=outcome.seconds,
    )
