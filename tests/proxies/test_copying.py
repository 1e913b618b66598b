"""A network that its owner has used scores like one that was not."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

from diswot import proxies
from diswot.benchmarks.errors import InputError
from diswot.proxies.copying import copied

Batch = tuple[Tensor, Tensor]
NAMES = ["params", "synflow", "snip", "zico", "nwot", "meco", "zen", "fisher", "vkdnw", "grasp", "l2_norm"]


class Keeps(nn.Module):
    """A network that keeps its feature map, in several places."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
        self.classifier = nn.Linear(8, 10)
        self.kept: Any = None

    def features(self, images: Tensor) -> list[Tensor]:
        last = self.body(images)
        self.kept = {"maps": [last], "last": last}
        return [last, last.mean((2, 3))]

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(images)[-1])
        return logits


def made() -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Keeps()


@pytest.mark.parametrize("inference", [False, True])
def test_a_used_network_scores_like_an_unused_one(batch: Batch, inference: bool) -> None:
    unused, used = made().eval(), made().eval()
    with torch.inference_mode(inference):
        used(batch[0])
    kept = used.kept["last"]
    assert proxies.score(used, *batch, NAMES) == proxies.score(unused, *batch, NAMES)
    assert used.kept["last"] is kept
    assert used.kept["maps"][0] is kept


def test_a_copy_keeps_what_is_the_same_object_the_same(batch: Batch) -> None:
    used = made()
    used(batch[0])
    copy: Any = copied("network", used)
    assert copy.kept["maps"][0] is copy.kept["last"]
    assert copy.kept["last"].is_leaf
    assert torch.equal(copy.kept["last"], used.kept["last"])


def old_weight_norm(module: nn.Module) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        nn.utils.weight_norm(module)


REPARAMETRIZE: dict[str, Callable[[nn.Module], object]] = {
    "weight_norm": old_weight_norm,
    "weight_norm, parametrized": parametrizations.weight_norm,
    "spectral_norm": nn.utils.spectral_norm,
    "spectral_norm, parametrized": parametrizations.spectral_norm,
    "pruned": lambda module: prune.l1_unstructured(module, "weight", amount=0.5),
    "pruned twice": lambda module: [prune.random_unstructured(module, "weight", amount=0.3) for _ in range(2)],
}


@pytest.mark.parametrize("kind", REPARAMETRIZE)
@pytest.mark.parametrize("is_used", [False, True])
def test_a_weight_that_is_computed_scores_like_a_plain_one(batch: Batch, kind: str, is_used: bool) -> None:
    network, used = (made().eval() for _ in range(2))
    for one in (network, used):
        with torch.random.fork_rng():
            torch.manual_seed(1)
            for module in (one.body[0], one.classifier):
                REPARAMETRIZE[kind](module)
    used(batch[0])
    network = used if is_used else network
    keys = set(network.state_dict())
    plain = made()
    with torch.no_grad():
        for ours, theirs in ((plain.body[0], used.body[0]), (plain.classifier, used.classifier)):
            ours.weight.copy_(theirs.weight)
            ours.bias.copy_(theirs.bias)
    assert proxies.score(network, *batch, NAMES) == pytest.approx(proxies.score(plain, *batch, NAMES), rel=1e-5)
    drawn = proxies.score(network, *batch, NAMES, init="default")
    assert drawn == proxies.score(plain, *batch, NAMES, init="default")
    assert set(network.state_dict()) == keys


def test_a_network_that_cannot_be_copied_is_refused_by_its_argument(batch: Batch) -> None:
    locked = made()
    locked.lock = threading.Lock()
    for student, teacher, argument in ((locked, made(), "network"), (made(), locked, "teacher")):
        with pytest.raises(InputError, match=f"^{argument}: a Keeps cannot be copied, and a score is of a copy: TypeE"):
            proxies.score(student, *batch, ["kd"], teacher=teacher)
