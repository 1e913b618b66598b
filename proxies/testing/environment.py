"""Small networks and images, on which many questions can be asked of a proxy within a second."""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from diswot.benchmarks import initialisation
from diswot.benchmarks.seeding import derive, generator
from diswot.benchmarks.spaces import nb201
from diswot.benchmarks.spaces.nb201 import Cell
from diswot.proxies.registry import Proxy
from diswot.proxies.scoring import Outcome, evaluate, trace_teacher
from diswot.proxies.trace import Trace

DEGENERATE = Cell(("none",) * 6).index
SKIPS = Cell(("skip_connect",) * 6).index
POOLS = Cell(("avg_pool_3x3",) * 6).index
LARGEST = Cell(("nor_conv_3x3",) * 6).index

#: Cells on which a score may have no value, as long as the proxy says why.
SPECIAL = {"degenerate": DEGENERATE, "skip-only": SKIPS, "pooling-only": POOLS}


@dataclass(frozen=True)
class Environment:
    """What a proxy is asked on. The defaults take milliseconds a score.

    Attributes:
        C: channels of the stem.
        N: cells a stage.
        batch_size: images in a batch.
        pixels: of a side.
        classes: outputs of the network.
        dtype: of weights and images.
        memory_format: of the same; the sweep computes in channels_last.
        cells: how many random cells, beside the largest.
        seed: of everything random.
    """

    C: int = 4
    N: int = 1
    batch_size: int = 8
    pixels: int = 16
    classes: int = 10
    dtype: torch.dtype = torch.float32
    memory_format: torch.memory_format = torch.channels_last
    cells: int = 4
    seed: int = 0


@dataclass(frozen=True)
class Look:
    """One evaluation of a proxy, and what was seen of it.

    Attributes:
        outcome: as the harness sees it.
        returned: what the function returned; None where it raised.
        finished: whether the function returned at all.
        read: the passes that it read.
    """

    outcome: Outcome
    returned: object
    finished: bool
    read: frozenset[str]


class _Read:
    # Stands before a trace and remembers which of its attributes were asked for.
    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self.names: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.names.add(name)
        return getattr(self._trace, name)


def look(
    proxy: Proxy, cell: int, environment: Environment, others: Sequence[Proxy] = (), weights_of: int | None = None
) -> Look:
    """Score the network of a cell, as the harness would, beside other proxies on the same trace.

    Args:
        proxy: what to score with.
        cell: whose network.
        environment: what else it depends on.
        others: proxies that are computed before it.
        weights_of: another cell of the same function, whose weights the network gets; None for its own.
    """
    returned: list[object] = []
    read: set[str] = set()

    @functools.wraps(proxy.function)
    def watched(trace: Trace) -> Any:
        reader = _Read(trace)
        try:
            value = proxy.function(reader)  # type: ignore[arg-type]
        finally:
            read.update(reader.names)
        returned.append(value.detach() if isinstance(value, Tensor) else value)  # a graph would hold the whole network
        return value

    origin = cell if weights_of is None else weights_of
    key = derive("student", "nb201", Cell.from_index(origin).live.index, environment.seed)
    teacher = None
    if any(one.needs_teacher for one in (proxy, *others)):
        teacher = _teacher(environment, proxy.init)
    found = evaluate(
        [*others, replace(proxy, function=watched)],
        lambda: _with_weights_of(origin, network(cell, proxy.init, key, environment), proxy.init, key, environment),
        batches(environment),
        teacher=teacher,
        seed=key,
        watch_built_ins=True,
    )
    return Look(found[proxy.name], returned[0] if returned else None, bool(returned), frozenset(read))


def network(cell: int, init: str, key: object, environment: Environment) -> nn.Module:
    """Make the network of a cell with weights drawn from a key."""
    build = functools.partial(nb201.build, cell, num_classes=environment.classes, C=environment.C, N=environment.N)
    made = initialisation.drawn(build, init, key)
    return made.to(dtype=environment.dtype, memory_format=environment.memory_format)  # type: ignore[call-overload]


def _with_weights_of(origin: int, made: Any, init: str, key: object, environment: Environment) -> nn.Module:
    if origin != made.cell.index:
        original: Any = network(origin, init, key, environment)
        pairs = list(zip(made.cell.convolutions, original.cell.convolutions, strict=True))
        for mine, theirs in zip(made.cells, original.cells, strict=True):
            for edge, other in pairs if hasattr(mine, "layers") else ():
                mine.layers[edge].load_state_dict(theirs.layers[other].state_dict())
    return cast("nn.Module", made)


@functools.lru_cache(maxsize=32)
def batches(environment: Environment) -> tuple[tuple[Tensor, Tensor], ...]:
    """Return two batches of noise with labels."""
    shape = (environment.batch_size, 3, environment.pixels, environment.pixels)
    source = generator("pictures", environment.seed)
    return tuple(
        (
            torch.randn(shape, generator=source).to(dtype=environment.dtype, memory_format=environment.memory_format),
            torch.randint(environment.classes, shape[:1], generator=source),
        )
        for _ in range(2)
    )


@functools.lru_cache(maxsize=64)
def _teacher(environment: Environment, init: str) -> Trace:
    made = network(LARGEST, init, derive("teacher", environment.seed), environment)
    return trace_teacher(made, batches(environment)[0])


@functools.lru_cache(maxsize=8)
def ordinary(count: int, seed: int) -> tuple[int, ...]:
    """Return the largest cell and seeded random ones, in all of which a convolution is live."""
    return (LARGEST, *_drawn(count, seed, lambda cell: bool(cell.live_convolutions)))


@functools.lru_cache(maxsize=8)
def with_dead_edges(count: int, seed: int) -> tuple[int, ...]:
    """Return seeded random cells of which a live convolution and an edge without an effect are part."""
    return _drawn(count, seed, lambda cell: bool(cell.live_convolutions) and cell.live != cell)


@functools.lru_cache(maxsize=8)
def isomorphic_pairs(count: int, seed: int) -> tuple[tuple[int, int], ...]:
    """Return pairs of different cells that compute the same function, given the same weights."""
    cells = _drawn(count, seed, lambda cell: cell.representative != cell)
    return tuple((cell, representative(cell)) for cell in cells)


def representative(cell: int) -> int:
    """Return the cell that stands for all of a cell's function."""
    return Cell.from_index(cell).representative.index


@functools.lru_cache(maxsize=8)
def with_pooling_to_spare(count: int, seed: int) -> tuple[int, ...]:
    """Return seeded random cells with a live convolution whose function takes fewer poolings than they have."""
    return _drawn(
        count,
        seed,
        lambda cell: bool(cell.live_convolutions) and _poolings(cell.live) > _poolings(cell.representative),
    )


def _drawn(count: int, seed: int, holds: Callable[[Cell], bool]) -> tuple[int, ...]:
    order = list(range(nb201.SIZE))
    random.Random(seed).shuffle(order)
    chosen = filter(holds, map(Cell.from_index, order))
    return tuple(cell.index for cell in itertools.islice(chosen, count))


def _poolings(cell: Cell) -> int:
    return cell.operations.count("avg_pool_3x3")
