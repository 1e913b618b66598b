"""An adapted module scores as the network that it is, and what cannot be adapted is refused in a sentence."""

from __future__ import annotations

import ast
import math
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import diswot
from diswot import proxies
from diswot.benchmarks import initialisation
from diswot.benchmarks.errors import InputError
from diswot.benchmarks.spaces import s0
from diswot.proxies import registry, vectorised
from diswot.proxies.adapt import adapt
from diswot.proxies.losses import ANY_SHAPE
from diswot.proxies.registry import get, is_built_in

Maker = Callable[..., nn.Module]
Batch = tuple[Tensor, Tensor]

ALL = [name for name in registry.names() if is_built_in(get(name))]
WITH_TEACHER = [name for name in ALL if get(name).needs_teacher]

#: Where a network of a space has its maps and its blocks.
CELL: dict[str, Any] = {
    "features": ["cells.0", "cells.2", "lastact"],
    "classifier": "classifier",
    "blocks": ["stem", *(f"cells.{number}" for number in range(5))],
}
RESNET: dict[str, Any] = {
    "features": ["layer1", "layer2", "layer3"],
    "classifier": "classifier",
    "blocks": ["relu", "layer1.0", "layer2.0", "layer3.0"],
}


def resnet(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        network = s0.build(111, num_classes=10)
    initialisation.default(network, seed)
    return network


class Plain(nn.Module):
    """A network that offers nothing but a forward."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.inner = network

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.inner(images)
        return logits


def within(where: dict[str, Any]) -> dict[str, Any]:
    """The same names inside a `Plain`."""
    return {
        "features": [f"inner.{name}" for name in where["features"]],
        "classifier": f"inner.{where['classifier']}",
        "blocks": [f"inner.{name}" for name in where["blocks"]],
    }


@pytest.mark.parametrize("kind", ["cell 6111", "skips and poolings", "resnet"])
def test_adapt_scores_a_plain_module_as_the_network_itself(network: Maker, batch: Batch, kind: str) -> None:
    cells = {"cell 6111": 6111, "skips and poolings": 2}
    make, where = (resnet, RESNET) if kind == "resnet" else (lambda seed: network(cells[kind], seed=seed), CELL)
    student, teacher = make(seed=0), make(seed=1)
    own = proxies.score(student, *batch, ALL, teacher=teacher, undefined="nan")
    plain, plain_teacher = (adapt(Plain(whole), **within(where)) for whole in (student, teacher))
    found = proxies.score(plain, *batch, ALL, teacher=plain_teacher, undefined="nan")
    assert found == pytest.approx(own, rel=0, abs=0, nan_ok=True)


def test_adapt_draws_the_weights_that_the_network_itself_would_get(network: Maker, batch: Batch) -> None:
    student, teacher = network(), network(seed=1)
    own = proxies.score(student, *batch, ALL, teacher=teacher, init="default", undefined="nan")
    adapted, adapted_teacher = (adapt(whole, **CELL) for whole in (student, teacher))
    found = proxies.score(adapted, *batch, ALL, teacher=adapted_teacher, init="default", undefined="nan")
    assert found == pytest.approx(own, rel=0, abs=0, nan_ok=True)


def test_adapt_runs_in_vectorised_networks(network: Maker, batch: Batch) -> None:
    images, labels = batch
    needs = frozenset(vectorised.PASSES)

    def passes(adapted: bool) -> list[dict[str, Any]]:
        networks = [network(seed=seed) for seed in (0, 1)]
        if adapted:
            networks = [adapt(student, **CELL) for student in networks]
        return vectorised.passes(networks, images, labels, second_batch=batch, seeds=[0, 1], needs=needs)

    for plain, adapted in zip(passes(False), passes(True), strict=True):
        torch.testing.assert_close(adapted["logits"], plain["logits"], rtol=0, atol=0)
        torch.testing.assert_close(adapted["gradients"], plain["gradients"], rtol=0, atol=0)
        torch.testing.assert_close(adapted["channel_saliency"], plain["channel_saliency"], rtol=0, atol=0)


def test_adapt_leaves_the_module_as_it_was(network: Maker, batch: Batch) -> None:
    module = network().train()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    attributes = {name: set(vars(part)) for name, part in module.named_modules()}
    adapted = adapt(module, **CELL)
    adapted.features(batch[0])
    proxies.score(adapted, *batch, ["snip", "meco", "zen"])
    for part in (*module.modules(), *adapted.modules()):
        assert not part._forward_hooks
        assert not part._forward_pre_hooks
    assert all(part.training for part in module.modules())
    assert {name: set(vars(part)) for name, part in module.named_modules()} == attributes
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
    assert torch.equal(adapted(batch[0]), module(batch[0]))


class Small(nn.Module):
    """A network as a user would write it."""

    def __init__(
        self, *, width: int = 8, normalised: bool = False, functions: bool = False, pooled: bool = True
    ) -> None:
        super().__init__()
        self.functions, self.pooled = functions, pooled
        self.first, self.second = nn.Conv2d(3, width, 3, padding=1), nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(width) if normalised else nn.Identity()
        self.relu, self.pool = nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(width * (1 if pooled else 64), 10)

    def forward(self, images: Tensor) -> Tensor:
        x = self.first(images)
        x = self.norm(self.second(x.relu() if self.functions else self.relu(x)))
        x = torch.nn.functional.relu(x) if self.functions else self.relu(input=x)
        if self.pooled:
            x = x.mean((2, 3), keepdim=True) if self.functions else self.pool(x)
        logits: Tensor = self.fc(input=x.flatten(1))
        return logits.softmax(1)  # what comes after the classifier is not read


def small(seed: int = 0, **options: Any) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return adapt(Small(**options), features=["first", "second"], classifier="fc", blocks=["first", "second"])


@pytest.mark.parametrize("options", [{}, {"functions": True}, {"normalised": True}, {"pooled": False}], ids=str)
def test_adapt_makes_small_networks_of_all_kinds_scorable(batch: Batch, options: dict[str, bool]) -> None:
    found = proxies.score(small(**options), *batch, ALL, teacher=small(1, **options), undefined="nan")
    undefined = {
        "kdsvd",
        "eznas",
    }  # kdsvd compares three maps; eznas needs a ReLU, a convolution and a BatchNorm in a row
    undefined |= {"wrcor"} if "functions" in options else set()  # sees ReLU modules alone
    assert {name for name, value in found.items() if value != value} == undefined


def test_adapt_gives_maps_and_logits_of_the_module(batch: Batch) -> None:
    images, _ = batch
    with torch.random.fork_rng():
        module = Small()
    adapted = adapt(module, ["first", "second"], "fc")
    first, second, pooled = adapted.features(images)
    assert torch.equal(first, module.first(images))  # also where the ReLU behind it works in place
    assert torch.equal(second, module.second(first.relu()))
    assert torch.equal(pooled, second.relu().mean((2, 3)))
    assert torch.equal(adapted.classifier(pooled).softmax(1), module(images))


def test_adapt_takes_either_name_of_a_module_that_has_two(batch: Batch) -> None:
    with torch.random.fork_rng():
        module: Any = Small()
    expected = proxies.score(adapt(module, ["second"], "fc"), *batch, ["params", "flops", "live_flops", "synflow"])
    module.head, module.last = module.fc, module.second
    twice = adapt(module, ["last"], "head")
    assert proxies.score(twice, *batch, ["params", "flops", "live_flops", "synflow"]) == expected
    assert proxies.score(twice, *batch, ["snip", "zen", "vkdnw"], undefined="nan").keys() == {"snip", "zen", "vkdnw"}


def test_a_teacher_of_another_shape_is_told_what_compares_any(batch: Batch) -> None:
    student, teacher = small(), small(1, width=12)
    for name in WITH_TEACHER:
        if name in ANY_SHAPE:
            assert proxies.score(student, *batch, [name], teacher=teacher)[name] < 0
        elif name not in ("kd", "autodas_nb101", "kdsvd"):  # whose shapes agree here, and which has too few maps
            with pytest.raises(InputError, match=r"needs equal shapes.*any shape \(at, diswot_relation, nst, pkt,"):
                proxies.score(student, *batch, [name], teacher=teacher)


def test_a_teacher_of_another_shape_leaves_the_other_scores(batch: Batch) -> None:
    student, teacher = small(), small(1, width=12)
    with pytest.warns(UserWarning, match=r"fitnet is NaN: teacher: fitnet needs equal shapes") as warned:
        found = diswot.score(student, *batch, ["snip", "fitnet", "rkd"], teacher=teacher, undefined="nan")
    assert warned[0].filename == __file__
    assert math.isnan(found.pop("fitnet"))
    assert found == proxies.score(student, *batch, ["snip", "rkd"], teacher=teacher)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"features": ["frist"]}, r"^features: 'frist' is not known; did you mean 'first'\? Allowed: first, second, "),
        ({"classifier": "fcc"}, r"^classifier: 'fcc' is not known; did you mean 'fc'\?"),
        ({"classifier": ""}, r"^classifier: '' is not known"),
        ({"blocks": ["secnd"]}, r"^blocks: 'secnd' is not known; did you mean 'second'\?"),
        ({"classifier": "pool"}, r"^classifier: 'pool' is a AdaptiveAvgPool2d and not an nn.Linear\. Allowed: fc\."),
        ({"features": "first"}, r"^features: 'first' is not allowed; give a list of names of modules\."),
        ({"features": [1]}, r"^features: \[1\] is not allowed"),
        ({"features": []}, r"^features: the list is empty"),
        ({"module": {}}, r"^module: a dict is no torch module"),
    ],
)
def test_adapt_refuses_what_it_cannot_name(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        adapt(**{"module": Small(), "features": ["first"], "classifier": "fc", **arguments})


@pytest.mark.parametrize(
    ("features", "pooled", "sentence"),
    [
        (["pool"], False, r"^features: pool does not run when a Small is called; name a module that does\.$"),
        (["fc"], True, r"^features: fc puts out \(8, 10\), and not maps \(batch, channels, height, width\)\.$"),
    ],
)
def test_adapt_names_a_module_that_puts_out_no_maps(
    batch: Batch, features: list[str], pooled: bool, sentence: str
) -> None:
    adapted = adapt(Small(pooled=pooled), features, "fc")
    with pytest.raises(InputError, match=sentence):
        proxies.score(adapted, *batch, ["snip"])
    assert not any(part._forward_hooks for part in adapted.modules())


def test_adapt_needs_a_package_for_the_name_of_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("timm", "torchvision", "torchvision.models"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=r"^module: 'resnet18' would be a network of timm or torchvision, and neither"):
        adapt("resnet18", ["layer1"], "fc")


@pytest.mark.parametrize("package", ["timm", "torchvision"])
def test_adapt_makes_the_network_that_a_package_has_by_name(
    monkeypatch: pytest.MonkeyPatch, batch: Batch, package: str
) -> None:
    asked: list[tuple[str, dict[str, object]]] = []

    def make(name: str, **options: object) -> nn.Module:
        asked.append((name, options))
        return Small()

    library = SimpleNamespace(list_models=lambda: ["small18", "small34"], create_model=make, get_model=make)
    for name in ("timm", "torchvision", "torchvision.models"):
        monkeypatch.setitem(sys.modules, name, library if name.partition(".")[0] == package else None)
    state = torch.get_rng_state()
    adapted = adapt("small18", ["first"], "fc")
    assert torch.equal(state, torch.get_rng_state())
    assert asked == [("small18", {"timm": {"pretrained": False}, "torchvision": {"weights": None}}[package])]
    assert proxies.score(adapted, *batch, ["params"])["params"] == sum(p.numel() for p in Small().parameters())
    with pytest.raises(InputError, match=rf"^module: 'small81' is not known; did you mean 'small18'\?.*in {package}\."):
        adapt("small81", ["first"], "fc")


def test_the_page_on_own_networks_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "own-networks.md").read_text()
    exec(page.split("```python\n")[1].split("```")[0], {})
    scores = ast.literal_eval(capsys.readouterr().out)
    assert list(scores) == ["params", "nwot", "diswot_relation", "kd"]
    for name in ANY_SHAPE:
        assert f"`{name}`" in page


def test_adapt_is_a_public_name() -> None:
    assert diswot.adapt is adapt
    assert "adapt" in diswot.__all__
