"""A small network, a batch, and a teacher, for tests of proxies."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diswot.benchmarks import initialisation
from diswot.benchmarks.spaces import nb201
from diswot.proxies import passes
from diswot.proxies.registry import get
from diswot.proxies.scoring import Outcome, evaluate, trace_teacher
from diswot.proxies.trace import Trace

BATCH = tuple[Tensor, Tensor]


def make_batch(size: int = 8, classes: int = 10, pixels: int = 16, seed: int = 0) -> BATCH:
    """Noise images with labels."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(size, 3, pixels, pixels, generator=generator)
    return images, torch.randint(classes, (size,), generator=generator)


def make_network(cell: int = 6111, classes: int = 10, seed: object = 0, C: int = 4, N: int = 1) -> nn.Module:
    """A cell's network, small by default, with torch's default initialisation drawn from the seed."""
    return initialisation.drawn(lambda: nb201.build(cell, num_classes=classes, C=C, N=N), "default", seed)


@pytest.fixture
def batch() -> BATCH:
    """Eight noise images of 16x16 with labels of 10 classes."""
    return make_batch()


@pytest.fixture(scope="session")
def network() -> Callable[..., nn.Module]:
    """The maker of small networks."""
    return make_network


def evaluate_like_the_references(
    student: nn.Module,
    teacher: nn.Module,
    batches: Sequence[BATCH],
    chosen: Sequence[str],
    draw_signs: Callable[[Tensor], Tensor],
) -> dict[str, Outcome]:
    """Evaluate proxies where reference implementations ran: on given weights, with the same noise and signs.

    Args:
        student: whose weights are kept.
        teacher: likewise.
        batches: two; the images of the second are zen's noise.
        chosen: the proxies.
        draw_signs: makes AZ-NAS's random signs at a block's output, the last block's first.
    """

    def given() -> Mapping[str, Any]:
        trace = Trace(copy.deepcopy(student), *batches[0], noise=batches[1][0], needs=["perturbation"])
        return {
            "perturbation": trace.perturbation,
            "blocks": passes.blocks(trace.network, batches[0][0], draw_signs),
        }

    return evaluate(
        [get(name) for name in chosen],
        lambda: copy.deepcopy(student),
        batches,
        teacher=trace_teacher(copy.deepcopy(teacher), batches[0]),
        seed=0,
        given=given,
    )


@pytest.fixture(scope="session")
def like_the_references() -> Callable[..., dict[str, Outcome]]:
    """The evaluation that golden values are compared with."""
    return evaluate_like_the_references
