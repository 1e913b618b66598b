"""What a worker does: score one network with one seed. Pure: the same task gives the same records, wherever it runs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
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
    """One network, one seed, and what is wanted of it.

    Attributes:
        network: the cell whose network it is.
        seed: of the weights.
        wanted: names of proxies, each with the cells that get the score.
    """

    network: int
    seed: int
    wanted: tuple[tuple[str, tuple[int, ...]], ...]


def tasks(space: str, lacking: Iterable[tuple[int, int, Sequence[str]]]) -> list[Task]:
    """Return the tasks that give cells the scores that they lack, each network once a seed.

    A proxy that depends on live edges only is computed on the cell that stands for all of the same function, once for
    all of these: with weights drawn by position in that form they have the same score, exactly. Any other proxy is
    computed on the cell itself.

    Args:
        space: the search space's name.
        lacking: cells, seeds and the names of the proxies that are lacking there.
    """
    representative = spaces.get(space).representative
    wanted: dict[tuple[int, int], dict[str, list[int]]] = {}
    for cell, seed, names in lacking:
        for name in names:
            network = representative(cell) if registry.get(name).live_edges_only else cell
            wanted.setdefault((network, seed), {}).setdefault(name, []).append(cell)
    return [
        Task(network, seed, tuple((name, tuple(cells)) for name, cells in scores.items()))
        for (network, seed), scores in wanted.items()
    ]


def score_network(context: Context, task: Task) -> list[Record]:
    """Score a network; every proxy gets a record for each of its cells, whatever becomes of it."""
    for plugin in context.plugins:
        registry.load_file(plugin)
    groups: dict[str, list[Proxy]] = {}
    for name, _ in task.wanted:
        groups.setdefault(registry.get(name).init, []).append(registry.get(name))
    outcomes: dict[str, Outcome] = {}
    for init, group in groups.items():
        try:
            outcomes.update(_score_group(context, task, init, group))
        except Exception as error:  # noqa: BLE001 - such as a lack of memory for the network; the rest goes on
            outcomes.update({proxy.name: Outcome(None, error, 0.0) for proxy in group})
    return _records(context.settings, task, outcomes)


def score_cell(context: Context, cell: int, seed: int, names: Sequence[str]) -> list[Record]:
    """Score one cell in this process: a record a proxy, in their order."""
    records = [
        record
        for task in tasks(context.settings.space, [(cell, seed, names)])
        for record in score_network(context, task)
    ]
    return sorted(records, key=lambda record: names.index(record.proxy))


def failed(context: Context, task: Task, cause: str) -> list[Record]:
    """Return the records of a task that could not be carried out at all."""
    outcome = Outcome(None, RuntimeError(cause), 0.0)
    return _records(context.settings, task, {name: outcome for name, _ in task.wanted})


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


def student_key(space: str, network: int, seed: int) -> int:
    """Return what the weights of a cell's network derive from."""
    return derive("student", space, network, seed)


def make_network(build: Callable[[], nn.Module], init: str, key: int, device: str) -> nn.Module:
    """Build a network and draw its weights; the same arguments give the same weights on every device."""
    with torch.device("meta"):  # the constructor's own draw would be thrown away
        network = build()
    network = network.to_empty(device=device)
    initialisation.BY_NAME[init](network, key)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _score_group(context: Context, task: Task, init: str, group: Sequence[Proxy]) -> dict[str, Outcome]:
    settings = context.settings
    space = spaces.get(settings.space)
    key = student_key(space.name, task.network, task.seed)
    build = functools.partial(space.build, task.network, settings.classes)
    make = functools.partial(make_network, build, init, key, settings.device)
    teacher = _teacher(context, task.seed, init) if any(proxy.needs_teacher for proxy in group) else None
    return evaluate(group, make, batches_on_device(context), teacher=teacher, seed=key)


@functools.lru_cache(maxsize=4)
def _teacher(context: Context, seed: int, init: str) -> Trace:
    settings = context.settings
    build = functools.partial(teachers.build, settings.teacher, num_classes=settings.classes)
    network = make_network(build, init, derive("teacher", settings.teacher, seed), context.settings.device)
    return trace_teacher(network, batches_on_device(context)[0])


def _records(settings: Settings, task: Task, outcomes: Mapping[str, Outcome]) -> list[Record]:
    return [
        Record(
            space=settings.space,
            cell=cell,
            proxy=name,
            version=registry.get(name).version,
            settings=settings.hash,
            seed=task.seed,
            status=outcomes[name].status,
            value=outcomes[name].value,
            cause=_cause(outcomes[name]),
            seconds=outcomes[name].seconds,
        )
        for name, cells in task.wanted
        for cell in cells
    ]


def _cause(outcome: Outcome) -> str | None:
    error = outcome.error
    if error is None:
        return None
    return f"{type(error).__name__}: {error}" if outcome.status == "failed" else str(error)
