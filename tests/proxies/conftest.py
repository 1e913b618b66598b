"""A small network, a batch, and a teacher, for tests of proxies."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from diswot.benchmarks import initialisation
from diswot.benchmarks.spaces import nb201

BATCH = tuple[Tensor, Tensor]


def make_batch(size: int = 8, classes: int = 10, pixels: int = 16, seed: int = 0) -> BATCH:
    """Noise pictures with labels."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(size, 3, pixels, pixels, generator=generator)
    return images, torch.randint(classes, (size,), generator=generator)


def make_network(cell: int = 6111, classes: int = 10, seed: object = 0, C: int = 4, N: int = 1) -> nn.Module:
    """A cell's network, small by default, with torch's default initialisation drawn from the seed."""
    with torch.random.fork_rng():  # the constructor's own draw is thrown away
        network = nb201.build(cell, num_classes=classes, C=C, N=N)
    initialisation.default(network, seed)
    return network


@pytest.fixture
def batch() -> BATCH:
    """Eight noise pictures of 16x16 with labels of 10 classes."""
    return make_batch()


@pytest.fixture
def network() -> Callable[..., nn.Module]:
    """The maker of small networks."""
    return make_network
