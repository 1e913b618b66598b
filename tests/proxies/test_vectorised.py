"""Passes of several networks at once are those of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diswot.benchmarks import initialisation
from diswot.benchmarks.spaces import nb201, s0
from diswot.benchmarks.spaces.nb201 import Cell
from diswot.proxies import registry, vectorised
from diswot.proxies.trace import Trace

SEEDS = (3, 4, 5)

BUILD: dict[str, Callable[[], nn.Module]] = {
    "every operation": lambda: nb201.build(1462, C=4, N=1),
    "dead edges": lambda: nb201.build(14, C=4, N=1),
    "no path": lambda: nb201.build(Cell(("none",) * 6), C=4, N=1),
    "s0": lambda: s0.build(111),
}


@pytest.fixture(scope="module")
def batches() -> list[tuple[Tensor, Tensor]]:
    source = torch.Generator().manual_seed(0)
    return [(torch.randn(6, 3, 16, 16, generator=source), torch.randint(10, (6,), generator=source)) for _ in range(2)]


def tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    else:
        for item in vars(value).values() if hasattr(value, "__dict__") else value:
            yield from tensors(item)


def network(kind: str, seed: int) -> nn.Module:
    made = BUILD[kind]()
    initialisation.default(made, seed)
    return made


@pytest.mark.parametrize("kind", BUILD)
def test_every_pass_is_that_of_each_network(kind: str, batches: list[tuple[Tensor, Tensor]]) -> None:
    found = vectorised.passes(
        [network(kind, seed) for seed in SEEDS],
        *batches[0],
        second_batch=batches[1],
        seeds=SEEDS,
        needs=frozenset(vectorised.PASSES),
    )
    for seed, given in zip(SEEDS, found, strict=True):
        plain = Trace(network(kind, seed), *batches[0], second_batch=batches[1], seed=seed)
        assert tuple(given) == vectorised.PASSES
        for name in vectorised.PASSES:
            pairs = list(zip(tensors(given[name]), tensors(getattr(plain, name)), strict=True))
            assert pairs
            for mine, expected in pairs:
                # Another kernel adds up in another order; a gradient that cancels to nothing is known to float32's
                # rounding of what it is made of, hence the absolute part. Products with the Hessian are sums of terms
                # that cancel: one of 432 is off by 2.5e-5 of the largest.
                scale = float(expected.abs().max()) if expected.numel() else 0.0
                atol = (5e-5 if "hessian" in name else 1e-5) * scale + 1e-7
                torch.testing.assert_close(mine, expected, rtol=1e-4, atol=atol, msg=name)


def test_only_what_is_needed_is_computed(batches: list[tuple[Tensor, Tensor]]) -> None:
    found = vectorised.passes(
        [network("s0", seed) for seed in SEEDS],
        *batches[0],
        second_batch=batches[1],
        seeds=SEEDS,
        needs=frozenset({"logits", "layers"}),
    )
    assert [tuple(given) for given in found] == [("logits",)] * len(SEEDS)


def test_the_passes_are_those_of_a_trace() -> None:
    assert set(vectorised.PASSES) <= set(registry.PASSES)
