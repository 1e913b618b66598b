"""A trace: passes computed once, declared reads, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diswot.benchmarks.spaces.nb201 import Cell, counts
from diswot.proxies.declarations import PASSES, UndeclaredPassError
from diswot.proxies.registry import get, names
from diswot.proxies.trace import Pass, Trace

Maker = Callable[..., nn.Module]
Batch = tuple[Tensor, Tensor]

CELLS = [13, 284, 3613, 6111, Cell(("none",) * 6).index, Cell(("skip_connect",) * 6).index]


def test_every_pass_is_an_attribute() -> None:
    assert {name for name, value in vars(Trace).items() if isinstance(value, Pass)} == set(PASSES)


def test_passes_run_once(network: Maker, batch: Batch) -> None:
    calls = []
    student = network()
    student.stem.register_forward_hook(lambda module, inputs, output: calls.append(len(output)))
    trace = Trace(student, *batch, teacher=Trace(network(seed=1), *batch))
    for name in names():
        get(name).function(trace)
    # The batch, its perturbed copy, its blocks, its tangent kernel and its Fisher information, and once each for near,
    # wrcor, eznas and ntk_trace; the two halves that zico reads; synflow's image of ones, the one image of meco,
    # each of the eight that gradsign passes alone, dextr's circle, rbflex's three images and autodas_nb101's ones.
    assert sorted(calls) == [*(1,) * 15, 4, 4, *(8,) * 9]


def test_gradients_are_autograd_s(network: Maker, batch: Batch) -> None:
    trace = Trace(network(), *batch)
    oracle = network().train()
    F.cross_entropy(oracle(batch[0]), batch[1]).backward()
    expected = [m.weight.grad for m in oracle.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    for found, reference in zip(trace.gradients, expected, strict=True):
        torch.testing.assert_close(found, reference)


def test_input_gradients_are_the_jacobian_of_the_summed_logits(network: Maker, batch: Batch) -> None:
    trace = Trace(network(), *batch)
    images = batch[0].clone().requires_grad_()
    network().train()(images).sum().backward()
    assert images.grad is not None
    torch.testing.assert_close(trace.input_gradients, images.grad.flatten(1))


def test_hessian_products_are_finite_differences_of_the_gradient(network: Maker) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(4, 3, 8, 8, generator=generator, dtype=torch.float64)
    labels = torch.tensor([0, 1, 2, 3])
    trace = Trace(network().double(), images, labels)
    step = 1e-6

    def gradients(sign: int) -> list[Tensor]:
        moved = network().double()
        with torch.no_grad():
            weighted = [m for m in moved.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
            for module, direction in zip(weighted, trace.gradients, strict=True):
                module.weight += sign * step * direction
        return Trace(moved, images, labels).gradients

    for found, plus, minus in zip(trace.hessian_products, gradients(1), gradients(-1), strict=True):
        # Central differences with rounding / step of some 1e-9, times the gradients' scale; entries are up to 1.
        torch.testing.assert_close(found, (plus - minus) / (2 * step), rtol=1e-3, atol=1e-5)


def test_channel_saliency_is_output_times_gradient(network: Maker, batch: Batch) -> None:
    trace = Trace(network(), *batch)
    _ = trace.input_gradients  # another backward pass before and after must not matter
    found = trace.channel_saliency
    oracle = network().train()
    outputs: dict[nn.Module, Tensor] = {}

    def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        output.retain_grad()
        outputs[module] = output

    weighted = [module for module in oracle.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    for module in weighted:
        module.register_forward_hook(keep)
    F.cross_entropy(oracle(batch[0]), batch[1]).backward()
    for module, saliency in zip(weighted, found, strict=True):
        output = outputs[module]
        product = output.detach() * (torch.zeros_like(output) if output.grad is None else output.grad)
        expected = product.sum((2, 3)) if product.dim() == 4 else product
        torch.testing.assert_close(saliency.expand_as(expected), expected, rtol=1e-4, atol=1e-6)


def test_classifier_gradient_is_the_full_network_s(network: Maker, batch: Batch) -> None:
    trace = Trace(network(), *batch, needs=["features", "classifier_gradient"])
    oracle = network().train()
    F.cross_entropy(oracle(batch[0]), batch[1]).backward()
    torch.testing.assert_close(trace.classifier_gradient, oracle.classifier.weight.grad)


@pytest.mark.parametrize("index", CELLS)
def test_the_structural_pass_counts_what_arithmetic_counts(network: Maker, index: int) -> None:
    trace = Trace(network(index, C=16, N=5), *(torch.zeros(1, 3, 32, 32), torch.zeros(1, dtype=torch.long)))
    cell = Cell.from_index(index)
    official, live = counts.official(cell), counts.live(cell)
    assert sum(layer.params for layer in trace.layers) == official.params
    assert sum(layer.multiply_accumulates for layer in trace.layers) == official.flops
    assert sum(layer.params for layer in trace.layers if layer.live) == live.params
    assert sum(layer.multiply_accumulates for layer in trace.layers if layer.live) == live.flops
    skeleton = 0 if cell.is_degenerate else 7
    assert get("live_convs").function(trace) == 15 * cell.live_convolutions + skeleton


def test_the_second_batch_is_given_or_half_of_the_first(network: Maker, batch: Batch) -> None:
    images, labels = batch
    halves = Trace(network(), images, labels).second_batch_gradients
    given = Trace(network(), images[:4], labels[:4], second_batch=(images[4:], labels[4:])).second_batch_gradients
    for one, other in zip([*halves[0], *halves[1]], [*given[0], *given[1]], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_reading_a_pass_that_is_not_declared_is_an_error(network: Maker, batch: Batch) -> None:
    trace = Trace(network(), *batch)
    with trace.reading(["logits"]):
        assert trace.logits.shape == (8, 10)
        with pytest.raises(UndeclaredPassError, match=r"reads trace\.features without declaring it"):
            _ = trace.features
    assert len(trace.features) == 4


@pytest.mark.parametrize(
    "needs",
    [
        *(["features"], ["relu_outputs"], ["perturbation"], ["gradients", "channel_saliency"], ["blocks"]),
        *(["tangent_kernel"], ["gradient_signs"], ["image_maps"], ["fisher_information"]),
    ],
)
def test_fewer_passes_give_the_same_numbers(network: Maker, batch: Batch, needs: list[str]) -> None:
    full, part = Trace(network(), *batch), Trace(network(), *batch, needs=needs)
    _ = full.input_gradients, full.second_batch_gradients

    def values(trace: Trace) -> list[Tensor]:
        found = getattr(trace, needs[-1])
        if needs == ["perturbation"]:
            return [found.distance, *found.running_variances]
        return [one for part in found for one in part] if needs == ["blocks"] else list(found)

    for one, other in zip(values(full), values(part), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
