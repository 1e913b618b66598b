"""What a worker does: score one network. Pure: the same task gives the same records, wherever it runs."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from diswot.benchmarks import initialisation, spaces, teachers
from diswot.benchmarks.errors import described, printable
from diswot.benchmarks.seeding import derive
from diswot.harness.runs.settings import Settings
from diswot.harness.runs.store import Record
from diswot.proxies import by_value, registry, vectorised
from diswot.proxies.registry import Proxy
from diswot.proxies.scoring import Batch, Outcome, all_needs, evaluate, trace_teacher
from diswot.proxies.trace import Trace


@dataclass(frozen=True)
class Context:
    """What all tasks of a sweep share; it travels with every task, so that any executor will do.

    Two contexts are equal if their settings are, which hold the hash of the batches.

    Attributes:
        settings: of the sweep.
        batches: two batches, each images (batch, 3, height, width) float32 and labels (batch,) int64.
        plugins: plug-in files to load.
        modules: modules to import, which register proxies too.
        packed: proxies that are defined in a session or script, as `proxies.by_value.pack` makes them.
    """

    settings: Settings
    batches: tuple[tuple[np.ndarray, np.ndarray], ...] = field(compare=False)
    plugins: tuple[Path, ...] = field(compare=False)
    modules: tuple[str, ...] = field(compare=False, default=())
    packed: tuple[bytes, ...] = field(compare=False, default=())


@dataclass(frozen=True)
class Task:
    """One network, and what is wanted of it.

    Attributes:
        network: the number of the cell whose network it is.
        seeds: of the weights: one, or those that are computed in one pass.
        wanted: names of proxies, each with a seed and the cells that get the score.
    """

    network: int
    seeds: tuple[int, ...]
    wanted: tuple[tuple[str, int, tuple[int, ...]], ...]


def tasks(settings: Settings, lacking: Iterable[tuple[int, int, Sequence[str]]]) -> list[Task]:
    """Return the tasks that give cells the scores that they lack: one a network and seed, or group of vectorised seeds.

    A proxy that depends on live edges only is computed on the cell that stands for all of the same function, once for
    all of these: with weights drawn by position in that form they have the same score, exactly. Any other proxy is
    computed on the cell itself. A group holds the same seeds whichever of them are lacking: from 0 to one below
    ``vectorised_seeds``, and so on.

    Args:
        settings: of the sweep.
        lacking: cells, seeds and the names of the proxies that are lacking there.
    """
    representative = spaces.get(settings.space).representative
    wanted: dict[tuple[int, int], dict[tuple[str, int], list[int]]] = {}
    for cell, seed, names in lacking:
        for name in names:
            network = representative(cell) if registry.get(name).live_edges_only else cell
            first = seed - seed % settings.vectorised_seeds
            wanted.setdefault((network, first), {}).setdefault((name, seed), []).append(cell)
    return [
        Task(
            network,
            tuple(range(first, first + settings.vectorised_seeds)),
            tuple((name, seed, tuple(cells)) for (name, seed), cells in scores.items()),
        )
        for (network, first), scores in wanted.items()
    ]


def score_network(context: Context, task: Task) -> list[Record]:
    """Score a network; every proxy gets a record for each of its seeds and cells, whatever becomes of it."""
    for plugin in context.plugins:
        registry.load_file(plugin)
    for module in context.modules:
        registry.load_module(module)
    for packed in context.packed:
        by_value.unpack(packed)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = context.settings.tf32
    torch.backends.cudnn.deterministic = context.settings.deterministic
    groups: dict[str, dict[int, list[Proxy]]] = {}
    for name, seed, _ in task.wanted:
        proxy = registry.get(name)
        groups.setdefault(proxy.init, {}).setdefault(seed, []).append(proxy)
    outcomes: dict[tuple[str, int], Outcome] = {}
    for init, of_seed in groups.items():
        found = _score_group(context, task, init, of_seed)
        outcomes |= {(name, seed): outcome for seed, named in found.items() for name, outcome in named.items()}
    return _records(context.settings, task, outcomes)


def score_cell(context: Context, cell: int, seed: int, names: Sequence[str]) -> list[Record]:
    """Score one cell in this process: a record a proxy, in their order."""
    records = [
        record for task in tasks(context.settings, [(cell, seed, names)]) for record in score_network(context, task)
    ]
    return sorted(records, key=lambda record: names.index(record.proxy))


def failed(context: Context, task: Task, cause: str) -> list[Record]:
    """Return the records of a task that could not be carried out at all."""
    outcome = Outcome(None, RuntimeError(cause), 0.0)
    return _records(context.settings, task, {(name, seed): outcome for name, seed, _ in task.wanted})


@functools.lru_cache(maxsize=2)
def batches_on_device(context: Context) -> tuple[Batch, ...]:
    """Return the batches as tensors on the context's device, in channels_last, which convolutions are fastest in."""
    return tuple(
        (
            torch.from_numpy(pixels).to(context.settings.device).contiguous(memory_format=torch.channels_last),
            torch.from_numpy(labels).to(context.settings.device),
        )
        for pixels, labels in context.batches
    )


def student_key(space: str, network: int, seed: int) -> int:
    """Return what the weights of a cell's network derive from."""
    return derive("student", space, network, seed)


def make_network(build: Callable[[], nn.Module], init: str, key: int, device: str) -> nn.Module:
    """Build a network and draw its weights; the same arguments give the same weights on every device."""
    network = initialisation.drawn(build, init, key)
    return network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def _score_group(
    context: Context, task: Task, init: str, of_seed: Mapping[int, Sequence[Proxy]]
) -> dict[int, dict[str, Outcome]]:
    by_seed: dict[int, Mapping[str, Any]] = {}
    seconds = 0.0  # a network's share of its group of seeds

    def given(seed: int) -> Mapping[str, Any]:
        nonlocal seconds
        if len(task.seeds) > 1 and seed not in by_seed:  # a second time where a proxy has tampered with the first
            needs = all_needs([proxy for proxies in of_seed.values() for proxy in proxies])
            start = time.perf_counter()
            by_seed.update(_vectorised(context, task, init, needs))
            seconds = (time.perf_counter() - start) / len(task.seeds)
        return by_seed.pop(seed, {})

    outcomes = {}
    for seed, proxies in of_seed.items():
        try:
            taught = any(proxy.needs_teacher for proxy in proxies)
            teacher = _teachers(context, task.seeds, init)[seed] if taught else None
            outcomes[seed] = evaluate(
                proxies,
                functools.partial(_student, context, task.network, init, seed),
                batches_on_device(context),
                teacher=teacher,
                seed=student_key(context.settings.space, task.network, seed),
                given=functools.partial(given, seed),
            )
            first = next((proxy.name for proxy in proxies if proxy.needs & set(vectorised.PASSES)), proxies[0].name)
            charged = outcomes[seed][first]
            outcomes[seed][first] = replace(charged, seconds=charged.seconds + seconds)
        except Exception as error:  # noqa: BLE001 - such as a lack of memory for the network; the rest goes on
            outcomes[seed] = {proxy.name: Outcome(None, error, 0.0) for proxy in proxies}
    return outcomes


def _student(context: Context, network: int, init: str, seed: int) -> nn.Module:
    settings = context.settings
    build = functools.partial(spaces.get(settings.space).build, network, settings.classes)
    return make_network(build, init, student_key(settings.space, network, seed), settings.device)


def _vectorised(context: Context, task: Task, init: str, needs: frozenset[str]) -> dict[int, Mapping[str, Any]]:
    first, second = batches_on_device(context)
    found = vectorised.passes(
        [_student(context, task.network, init, seed) for seed in task.seeds],
        *first,
        second_batch=second,
        seeds=[student_key(context.settings.space, task.network, seed) for seed in task.seeds],
        needs=needs,
    )
    return dict(zip(task.seeds, found, strict=True))


@functools.lru_cache(maxsize=4)  # one for every initialisation; those of earlier seeds would fill the memory
def _teachers(context: Context, seeds: tuple[int, ...], init: str) -> dict[int, Trace]:
    settings = context.settings
    build = functools.partial(teachers.build, settings.teacher, num_classes=settings.classes)
    return {
        seed: trace_teacher(
            make_network(build, init, derive("teacher", settings.teacher, seed), settings.device),
            batches_on_device(context)[0],
        )
        for seed in seeds
    }


def _records(settings: Settings, task: Task, outcomes: Mapping[tuple[str, int], Outcome]) -> list[Record]:
    return [
        Record(
            space=settings.space,
            cell=cell,
            proxy=name,
            version=registry.get(name).version,
            settings=settings.hash,
            seed=seed,
            status=outcomes[name, seed].status,
            value=outcomes[name, seed].value,
            cause=_cause(outcomes[name, seed]),
            seconds=outcomes[name, seed].seconds,
        )
        for name, seed, cells in task.wanted
        for cell in cells
    ]


def _cause(outcome: Outcome) -> str | None:
    error = outcome.error
    if error is None:
        return None
    return described(error) if outcome.status == "failed" else printable(error)
