"""Measure costs in seconds, and relative to one forward and backward pass of the same network, batch and machine."""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from diswot.benchmarks import spaces
from diswot.benchmarks.errors import InputError
from diswot.benchmarks.seeding import derive
from diswot.harness import earlier, files
from diswot.harness.compute import devices, task
from diswot.harness.compute.costs import MACHINE
from diswot.harness.compute.task import Context
from diswot.proxies import registry

if TYPE_CHECKING:
    import pandas as pd

    from diswot.harness.compute.plan import Plan


#: On how many cells a run measures what its proxies cost; the figure needs no more than the order of magnitude.
_CELLS_OF_A_RUN = 2


@dataclass(frozen=True)
class Cost:
    """The cost of something, each the median over cells.

    Attributes:
        name: a proxy, or what the row is.
        seconds: computed alone, network and trace included.
        relative_cost: the same relative to one pass, cell by cell.
        relative_cost_in_suite: what it adds inside the suite, where the passes of earlier proxies are there already.
    """

    name: str
    seconds: float
    relative_cost: float
    relative_cost_in_suite: float


def costs_of(context: Context, names: Sequence[str], cells: Sequence[int], seed: int) -> list[Cost]:
    """Measure each proxy alone, and all of them as a suite, in one run: everything is taken in turn, cell by cell.

    Args:
        context: of a sweep.
        names: the proxies.
        cells: which cells; the first is also used to warm up.
        seed: of the weights.

    Returns:
        A row a proxy, dearest first; then ``suite``, the whole as a sweep computes it; ``suite, one by one``, the sum
        of the proxies alone; ``pass``, one forward and backward in torch's default memory format; and the same in
        channels_last, which the suite computes in.

    Raises:
        InputError: if a proxy fails.
    """
    suite = tuple(names)
    single = context.settings.model_copy(update={"vectorised_seeds": 1})  # a group of seeds would be computed for one
    context = replace(context, settings=single)
    _seconds(lambda: task.score_cell(context, cells[0], seed, suite))
    rows = (*names, "suite", "suite, one by one", "pass", "pass, channels_last")
    alone: dict[str, list[tuple[float, float]]] = {name: [] for name in rows}
    shared: dict[str, list[float]] = {name: [] for name in names}
    for cell in cells:
        plain = _seconds_of_pass(context, cell, seed, torch.contiguous_format)
        faster = _seconds_of_pass(context, cell, seed, torch.channels_last)
        singles = 0.0
        for name in names:
            seconds = _seconds(functools.partial(task.score_cell, context, cell, seed, (name,)))
            alone[name].append((seconds, seconds / plain))
            singles += seconds
        start = time.perf_counter()
        records = task.score_cell(context, cell, seed, suite)
        whole = time.perf_counter() - start
        alone["suite"].append((whole, whole / plain))
        alone["suite, one by one"].append((singles, singles / plain))
        alone["pass"].append((plain, 1.0))
        alone["pass, channels_last"].append((faster, faster / plain))
        for record in records:
            if record.status == "failed":
                raise InputError(f"bench: {record.proxy} fails on cell {cell}: {record.cause}.")
            shared[record.proxy].append(record.seconds / plain)
    costs = [
        Cost(
            name=name,
            seconds=statistics.median(seconds for seconds, _ in pairs),
            relative_cost=statistics.median(relative for _, relative in pairs),
            relative_cost_in_suite=statistics.median(shared[name]) if name in shared else float("nan"),
        )
        for name, pairs in alone.items()
    ]
    by_cost = sorted(costs[: len(names)], key=lambda cost: -cost.relative_cost)
    return by_cost + costs[len(names) :]


def as_table(costs: Sequence[Cost]) -> pd.DataFrame:
    """Return costs as a frame, one row each, with the machine that they were measured on: this one."""
    import pandas as pd

    versions = [registry.get(cost.name).version if cost.name in registry.names() else None for cost in costs]
    return pd.DataFrame([vars(cost) for cost in costs]).assign(version=versions, **{MACHINE: devices.machine()})


def keep(context: Context, plan: Plan, run: Path) -> None:
    """Measure the cost of a sweep's proxies on its first cells, on one thread, unless its folder has it already.

    It has, if it has the cost of every proxy in its present version.

    Raises:
        InputError: if a proxy fails; then nothing is kept.
    """
    import pandas as pd

    from diswot.harness.compute import costs

    path = costs.path_of(run)
    versions = {proxy.name: proxy.version for proxy in plan.proxies}
    before = None
    if costs.read(path) is not None:
        before = pd.read_csv(path, dtype={"version": str}).rename(columns=earlier.current)
        if "version" in before and versions.items() <= before.set_index("name")["version"].to_dict().items():
            return
    with one_thread():
        measured = costs_of(context, list(versions), plan.cells[:_CELLS_OF_A_RUN], plan.seeds[0])
    table = as_table(measured)
    if before is not None:
        table = pd.concat([table, before[~before["name"].isin(table["name"])]], ignore_index=True)
    files.write_table(path, table)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread inside the block."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _seconds_of_pass(context: Context, cell: int, seed: int, memory_format: torch.memory_format) -> float:
    settings = context.settings
    build = functools.partial(spaces.get(settings.space).build, cell, settings.classes)
    network = task.make_network(build, "default", derive("pass", cell, seed), settings.device)
    network = network.to(memory_format=memory_format).train()  # type: ignore[call-overload]
    images, labels = context.batches[0]
    x = torch.from_numpy(images).to(settings.device).contiguous(memory_format=memory_format)
    y = torch.from_numpy(labels).to(settings.device)

    def plain() -> None:
        F.cross_entropy(network(x), y).backward()

    plain()
    return min(_seconds(plain) for _ in range(3))


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start
