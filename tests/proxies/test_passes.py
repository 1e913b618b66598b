"""The longer passes and the proxies that read them, against loops written from the papers' definitions.

Everything is computed in float64, so that an oracle which adds in another order differs by rounding alone.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diswot.benchmarks import initialisation
from diswot.benchmarks.spaces.nb201 import Cell
from diswot.proxies import passes
from diswot.proxies.registry import UndefinedScore, get
from diswot.proxies.trace import Trace

Maker = Callable[..., nn.Module]
Batch = tuple[Tensor, Tensor]

DEGENERATE = Cell(("none",) * 6).index
IDENTITY = Cell(("none", "none", "none", "skip_connect", "none", "none")).index
CELLS = [13, 284, 6111]


@pytest.fixture(params=CELLS)
def made(request: pytest.FixtureRequest, network: Maker) -> Callable[[], Any]:
    """The maker of a small network in float64, normalisation in training mode."""

    def make() -> Any:
        one = network(request.param)
        initialisation.kaiming(one, "made")
        return one.double().train()

    return make


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    """Six noise images in float64, with labels."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(6, 3, 16, 16, generator=generator, dtype=torch.float64), torch.tensor([0, 1, 2, 3, 4, 5])


def score(name: str, network: nn.Module, batch: Batch) -> float:
    return float(get(name).function(Trace(network, *batch)))


def test_expressivity_is_the_entropy_of_principal_components(made: Callable[[], Any], batch: Batch) -> None:
    network, images = made(), batch[0]
    entropies = []
    maps = network.stem(images)
    for block in (None, *network.cells):
        maps = maps if block is None else block(maps)
        pixels = maps.detach().movedim(1, -1).flatten(0, 2).numpy()
        shares = np.linalg.eigvalsh(np.cov(pixels.T, bias=True))
        shares = shares / shares.sum()
        entropies.append(-sum(share * math.log(share) for share in shares if share > 0))
    assert score("az_expressivity", made(), batch) == pytest.approx(sum(entropies), rel=1e-9)
    steps = [after - before for before, after in itertools.pairwise(entropies)]
    assert score("az_progressivity", made(), batch) == pytest.approx(min(steps), rel=1e-9)


def test_trainability_averages_outer_products_over_pixels(made: Callable[[], Any], batch: Batch) -> None:
    blocks = Trace(made(), *batch).blocks
    scores = []
    for received, returned in zip(blocks.received, blocks.returned, strict=True):
        assert set(received.unique().tolist()) == {-1.0, 1.0}
        stride = returned.shape[2] // received.shape[2]
        mean = torch.zeros(returned.shape[1] * stride**2, received.shape[1], dtype=torch.float64)
        image, _, height, width = received.shape
        for n, y, x in itertools.product(range(image), range(height), range(width)):
            before = returned[n, :, y * stride : (y + 1) * stride, x * stride : (x + 1) * stride].flatten()
            mean += torch.outer(before, received[n, :, y, x]) / (image * height * width)
        norm = float(torch.linalg.matrix_norm(mean, 2))
        scores.append(-norm - 1 / (norm + 1e-6) + 2)
    assert score("az_trainability", made(), batch) == pytest.approx(sum(scores) / len(scores), rel=1e-9)


def test_what_returns_from_a_block_is_its_own_backward_pass(made: Callable[[], Any], batch: Batch) -> None:
    network = made()
    blocks = Trace(made(), *batch).blocks
    for block, before, received, returned in zip(
        network.cells, blocks.outputs, blocks.received, blocks.returned, strict=False
    ):
        leaf = before.clone().requires_grad_()
        (block(leaf) * received).sum().backward()
        assert leaf.grad is not None
        torch.testing.assert_close(returned, leaf.grad)


def test_a_block_that_is_the_identity_or_constant_has_no_score(network: Maker, batch: Batch) -> None:
    images, labels = batch[0].float(), batch[1]
    with pytest.raises(UndefinedScore, match="a block is the identity"):
        score("az_trainability", network(IDENTITY), (images, labels))
    with pytest.raises(UndefinedScore, match="no gradient comes back through a block"):
        score("az_trainability", network(DEGENERATE), (images, labels))
    with pytest.raises(UndefinedScore, match="the map of a block is constant"):
        score("az_expressivity", network(DEGENERATE), (images, labels))


def test_a_network_without_blocks_is_told_so(batch: Batch) -> None:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 4, 3)
            self.classifier = nn.Linear(4, 10)

        def features(self, images: Tensor) -> list[Tensor]:
            maps = self.stem(images)
            return [maps, maps.mean((2, 3))]

    plain: Any = Plain().double()
    with pytest.raises(UndefinedScore, match="the network offers no `blocks`"):
        score("az_expressivity", plain, batch)
    plain.blocks = [plain.stem]
    with pytest.raises(UndefinedScore, match="`blocks` are not two or more modules"):
        score("az_expressivity", plain, batch)


def test_the_tangent_kernel_is_that_of_single_backward_passes(made: Callable[[], Any], batch: Batch) -> None:
    network = made()
    logits = network(batch[0])
    rows = []
    for image in range(len(logits)):
        network.zero_grad()
        logits[image].sum().backward(retain_graph=True)
        named = network.named_parameters()
        rows.append(torch.cat([p.grad.flatten() for name, p in named if "weight" in name and p.grad is not None]))
    jacobian = torch.stack(rows)
    trace = Trace(made(), *batch)
    torch.testing.assert_close(trace.tangent_kernel, jacobian @ jacobian.T)
    # A ratio of the squares of singular values, whose relative precision is that of the smallest one.
    expected = float(np.linalg.cond(jacobian.numpy())) ** 2
    assert float(get("ntk_cond").function(trace)) == pytest.approx(expected, rel=1e-6)


def test_the_tangent_kernel_is_of_the_first_16_images_passed_by_themselves(network: Maker, batch: Batch) -> None:
    images, labels = (torch.cat([part] * 4)[:20] for part in batch)
    images = (images * torch.linspace(1, 2, 20).reshape(-1, 1, 1, 1)).float()
    of_all, of_some = (Trace(network(), images[:n], labels[:n]).tangent_kernel for n in (20, 16))
    assert of_all.shape == (16, 16)
    torch.testing.assert_close(of_all, of_some, rtol=0, atol=0)


def test_a_singular_tangent_kernel_has_no_condition_number(network: Maker, batch: Batch) -> None:
    images, labels = batch
    twice = torch.cat([images, images]).float()
    with pytest.raises(UndefinedScore, match="the tangent kernel is singular"):
        score("ntk_cond", network(), (twice, torch.cat([labels, labels])))


def test_gradient_signs_are_those_of_images_passed_alone(made: Callable[[], Any], batch: Batch) -> None:
    network = made()
    total: dict[str, Tensor] = {}
    for image in range(len(batch[0])):
        network.zero_grad()
        F.cross_entropy(network(batch[0][[image]]), batch[1][[image]]).backward()
        for name, module in network.named_modules():
            if isinstance(module, nn.Conv2d | nn.Linear) and module.weight.grad is not None:
                total[name] = total.get(name, torch.zeros_like(module.weight)) + module.weight.grad.sign()
    expected = sum(float(one.abs().sum()) for one in total.values())
    assert score("gradsign", made(), batch) == expected


def test_meco_sums_the_smallest_eigenvalues_of_maps(made: Callable[[], Any], batch: Batch) -> None:
    network = made()
    put_out: list[Tensor] = []
    smallest = []

    def look(module: nn.Module, inputs: Any, output: Any) -> None:
        hands_on = list(module.children()) and any(output is other for other in put_out)
        put_out.append(output)
        if hands_on or isinstance(module, nn.Identity) or output[0][0].numel() == 1:
            return
        with np.errstate(invalid="ignore"):
            correlations = np.nan_to_num(np.corrcoef(output[0].detach().flatten(1).numpy()))
        smallest.append(np.linalg.eigvals(correlations).real.min())

    for module in network.modules():
        module.register_forward_hook(look)
    network.features(batch[0][:1])
    # Where channels outnumber pixels the eigenvalue is rounding around zero, some 1e-16 a map.
    assert score("meco", made(), batch) == pytest.approx(sum(smallest), rel=1e-9, abs=1e-12)


def test_maps_are_kept_as_they_were_before_something_wrote_in_place(made: Callable[[], Any], batch: Batch) -> None:
    network = made()
    normalised, activated = passes.image_maps(network, batch[0][:1])[-3:-1]
    assert (normalised < 0).any()
    torch.testing.assert_close(activated, normalised.relu())


def test_fisher_information_is_that_of_jacobians_by_autograd(made: Callable[[], Any], batch: Batch) -> None:
    network = made().eval()
    named = list(network.named_parameters())[: passes.FISHER_WEIGHTS]
    total = torch.zeros(len(named), len(named), dtype=torch.float64)
    for image in batch[0]:
        logits = network(image[None])[0]
        p = 0.95 * logits.detach().softmax(0) + 0.05 / len(logits)
        rows = []
        for logit in logits:
            found = torch.autograd.grad(logit, [one for _, one in named], retain_graph=True, allow_unused=True)
            rows.append(torch.stack([torch.zeros(()).double() if g is None else g.flatten()[0] for g in found]))
        jacobian = torch.stack(rows)
        total += jacobian.T @ (torch.diag(p) - torch.outer(p, p)) @ jacobian / len(batch[0])
    trace = Trace(made(), *batch)
    _ = trace.logits  # leaves batch statistics behind, which evaluation mode must not see
    torch.testing.assert_close(trace.fisher_information, total)
    deciles = np.quantile(np.linalg.svd(total.numpy(), compute_uv=False), np.arange(1, 10) / 10)
    shares = deciles / deciles.sum()
    entropy = -sum(share * math.log(share) for share in shares if share > 0)
    count = len(list(network.parameters()))
    # Of the eigenvalues beside zero only rounding is left, which weighs nothing beside the others.
    assert score("vkdnw", made(), batch) == pytest.approx(count + entropy, rel=1e-9)


class Small(nn.Module):
    """A convolution, an activation, and two linear layers."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, bias=False)
        self.activation = activation
        self.first = nn.Linear(4, 4)
        self.classifier = nn.Linear(4, 4)

    def features(self, images: Tensor) -> list[Tensor]:
        maps = self.activation(self.stem(images))
        return [maps, self.first(maps.mean((2, 3)))]


def test_the_fisher_information_of_a_weight_that_two_layers_share(batch: Batch) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        small: Any = Small(nn.ReLU()).double()
    small.classifier.weight = small.first.weight
    parameters = list(small.parameters())
    total = torch.zeros(len(parameters), len(parameters), dtype=torch.float64)
    for image in batch[0]:
        logits = small.classifier(small.features(image[None])[-1])[0]
        p = 0.95 * logits.detach().softmax(0) + 0.05 / len(logits)
        rows = [torch.autograd.grad(logit, parameters, retain_graph=True, allow_unused=True) for logit in logits]
        jacobian = torch.stack(
            [
                torch.stack([(o * 0 if g is None else g).flatten()[0] for o, g in zip(parameters, row, strict=True)])
                for row in rows
            ]
        )
        total += (jacobian.T @ (torch.diag(p) - torch.outer(p, p)) @ jacobian / len(batch[0])).detach()
    torch.testing.assert_close(passes.fisher_information(small, batch[0]), total)


def test_fisher_information_is_not_taken_where_a_module_may_not_be_affine_in_its_parameters(batch: Batch) -> None:
    with pytest.raises(UndefinedScore, match=r"^activation\.weight is a parameter of a PReLU, and only convolutions"):
        score("vkdnw", Small(nn.PReLU()).double(), batch)
    own = Small(nn.ReLU()).double()
    own.scale = nn.Parameter(torch.ones(1))
    with pytest.raises(UndefinedScore, match=r"^scale is a parameter of a Small, and only convolutions"):
        score("vkdnw", own, batch)


def test_swap_counts_the_codes_of_neurons(made: Callable[[], Any], batch: Batch) -> None:
    codes = set()
    trace = Trace(made(), *batch)
    for output in trace.relu_outputs:
        codes |= {tuple(column) for column in (output > 0).flatten(1).T.tolist()}
    assert score("swap", made(), batch) == len(codes)
    assert score("swap", made(), batch) > 20
    size = sum(p.numel() for p in made().parameters()) / 1000
    factor = math.exp(-(((size - 1532) / 1532) ** 2))
    assert score("reg_swap", made(), batch) == pytest.approx(len(codes) * factor)


def test_swap_takes_sixteen_images(network: Maker) -> None:
    images = torch.randn(20, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    trace = Trace(network(), images, torch.zeros(20, dtype=torch.long))
    codes = {tuple(c) for output in trace.relu_outputs for c in (output[:16] > 0).flatten(1).T.tolist()}
    assert get("swap").function(trace) == len(codes)


@pytest.mark.parametrize("copies", [1, 2, 3])
def test_linear_regions_counts_images_that_differ(made: Callable[[], Any], batch: Batch, copies: int) -> None:
    images, labels = (torch.cat([part[:4]] * copies) for part in batch)
    trace = Trace(made(), images, labels)
    rows = {tuple((torch.cat([o[n].flatten() for o in trace.relu_outputs]) > 0).tolist()) for n in range(len(images))}
    assert get("linear_regions").function(trace) == len(rows) == 4


def test_linear_regions_of_a_network_without_a_signal_is_one(network: Maker, batch: Batch) -> None:
    assert score("linear_regions", network(DEGENERATE), (batch[0].float(), batch[1])) == 1
