"""The Hessian times the weights is what two backward passes make, and the dual pass has the plain one's numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diswot.benchmarks.spaces import nb201, s0
from diswot.proxies import hessian
from diswot.proxies.passes import gradient
from diswot.proxies.trace import WEIGHTED, Trace


def plain(*middle: nn.Module) -> nn.Sequential:
    """A convolution, what is under test, and a classifier."""
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), *middle, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5))


class Featured(nn.Module):
    """A sequence whose last module is the classifier."""

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        self.body, self.classifier = layers[:-1], layers[-1]

    def features(self, images: Tensor) -> list[Tensor]:
        return [self.body(images)]


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "every operation": lambda: nb201.build(1462, C=4, N=1, num_classes=5),
    "dead edges": lambda: nb201.build(14, C=4, N=1, num_classes=5),
    "no path": lambda: nb201.build(0, C=4, N=1, num_classes=5),
    "s0": lambda: s0.build(111),
    "bias before a normalisation": lambda: plain(nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 6, 1)),
    "groups, stride, dilation": lambda: plain(nn.Conv2d(6, 6, 3, 2, (2, 1), dilation=(2, 1), groups=3)),
    "no statistics": lambda: plain(nn.BatchNorm2d(6, track_running_stats=False), nn.ReLU(inplace=True)),
    "a normalised vector": lambda: nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.AvgPool2d(6), nn.Flatten(), nn.Linear(6, 6), nn.BatchNorm1d(6), nn.Linear(6, 5)
    ),
}

#: Layers without an exact rule.
OTHERS: dict[str, Callable[[], nn.Module]] = {
    "a padding in words": lambda: nn.Conv2d(6, 6, 3, padding="same"),
    "no weight in the normalisation": lambda: nn.BatchNorm2d(6, affine=False),
    "silu": nn.SiLU,
    "groups": lambda: nn.GroupNorm(2, 6),
    "max pooling": lambda: nn.MaxPool2d(3, 2, 1),
}


def batch(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Six images of 8 pixels a side and their labels; S0 needs no more."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(6, 3, 8, 8, generator=generator, dtype=dtype), torch.tensor([0, 1, 2, 3, 4, 0])


def made(name: str, dtype: torch.dtype) -> tuple[nn.Module, list[nn.Module], list[Tensor]]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = NETWORKS[name]().to(dtype).train()
    modules = [module for module in network.modules() if isinstance(module, WEIGHTED)]
    return network, modules, [module.weight for module in modules]


def differentiated(
    network: nn.Module, modules: Sequence[nn.Module], images: Tensor, labels: Tensor
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    with hessian.moving_weights(modules) as rules:
        with rules:
            logits = network(images)
        return hessian.differentiate(logits, lambda z: F.cross_entropy(z, labels), [m.weight for m in modules])


@pytest.mark.parametrize("name", NETWORKS)
def test_products_are_those_of_two_backward_passes(name: str) -> None:
    network, modules, weights = made(name, torch.float64)
    images, labels = batch(torch.float64)
    _, products = differentiated(network, modules, images, labels)
    gradients = gradient(F.cross_entropy(network(images), labels), weights, create_graph=True)
    total = torch.stack([(g * w.detach()).sum() for g, w in zip(gradients, weights, strict=True)]).sum()
    for product, expected in zip(products, gradient(total, weights), strict=True):
        torch.testing.assert_close(product, expected, rtol=1e-9, atol=1e-11)  # float64's rounding, in another order


@pytest.mark.parametrize("name", OTHERS)
def test_trace_has_products_of_every_network(name: str) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Featured(plain(OTHERS[name]()).double())
    images, labels = batch(torch.float64)
    modules = [module for module in network.modules() if isinstance(module, WEIGHTED)]
    with pytest.raises(hessian.NoRuleError), hessian.moving_weights(modules) as rules, rules:
        network.features(images)
    trace = Trace(network, images, labels, needs=["gradients", "weights", "hessian_products", "hessian_weights"])
    # H is symmetric.
    first = sum((g * h).sum() for g, h in zip(trace.gradients, trace.hessian_weights, strict=True))
    second = sum((w * h).sum() for w, h in zip(trace.weights, trace.hessian_products, strict=True))
    torch.testing.assert_close(first, second, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=["nchw", "nhwc"])
@pytest.mark.parametrize("name", NETWORKS)
def test_logits_gradients_and_statistics_are_the_plain_pass_s(name: str, memory_format: torch.memory_format) -> None:
    images, labels = batch(torch.float32)
    images = images.contiguous(memory_format=memory_format)
    network, modules, _ = made(name, torch.float32)
    network.to(memory_format=memory_format)  # type: ignore[call-overload]
    with hessian.moving_weights(modules) as rules:
        with rules:
            logits = network(images)
        found, _ = hessian.differentiate(
            logits, lambda z: F.cross_entropy(z, labels), [module.weight for module in modules]
        )
    again, _, weights = made(name, torch.float32)
    again.to(memory_format=memory_format)  # type: ignore[call-overload]
    expected = again(images)
    assert torch.equal(logits, expected)
    for one, other in zip(found, gradient(F.cross_entropy(expected, labels), weights), strict=True):
        assert torch.equal(one, other)
    for one, other in zip(network.buffers(), again.buffers(), strict=True):
        assert torch.equal(one, other)


def test_weights_are_back_after_an_error() -> None:
    network, modules, weights = made("every operation", torch.float32)
    order = [name for name, _ in network.named_parameters()]
    with pytest.raises(RuntimeError), hessian.moving_weights(modules) as rules, rules:
        network(torch.zeros(2, 4, 8, 8))
    assert [name for name, _ in network.named_parameters()] == order
    assert all(module.weight is weight for module, weight in zip(modules, weights, strict=True))
