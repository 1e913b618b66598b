"""Scoring: the contract of `proxies.score`, and what becomes of proxies that misbehave."""

from __future__ import annotations

import copy
import math
import random
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from diswot import proxies
from diswot.benchmarks.errors import InputError, printable
from diswot.benchmarks.spaces.nb201 import Cell
from diswot.proxies import registry
from diswot.proxies.registry import Proxy, UndefinedScore, get, names
from diswot.proxies.scoring import Outcome, evaluate, trace_teacher
from diswot.proxies.trace import Trace

Maker = Callable[..., nn.Module]
Batch = tuple[Tensor, Tensor]

DEGENERATE = Cell(("none",) * 6).index
SKIPS = Cell(("skip_connect",) * 6).index
POOLS = Cell(("avg_pool_3x3",) * 6).index
LARGEST = Cell(("nor_conv_3x3",) * 6).index
DEAD_EDGES = 13
DEAD_BRANCH = Cell(("nor_conv_3x3", *("none",) * 5)).index  # a convolution runs and leads nowhere
ONE_DEAD = Cell(("nor_conv_3x3", "none", "none", "nor_conv_1x1", "none", "none")).index  # and one beside it is live
ALL = names()


IMAGES, LABELS = torch.zeros(8, 3, 16, 16), torch.zeros(8, dtype=torch.long)


def teacher_trace(network: Maker, batch: Batch) -> Trace:
    """The trace of a small teacher."""
    return trace_teacher(network(seed=1), batch)


def score_each(
    student: nn.Module, batch: Batch, teacher: nn.Module, chosen: Iterable[str] = ALL, **options: Any
) -> dict[str, float | str]:
    """Every score, each computed alone, or the reason why there is none."""
    found: dict[str, float | str] = {}
    for name in chosen:
        try:
            found |= proxies.score(student, *batch, [name], teacher=teacher, **options)
        except UndefinedScore as error:
            found[name] = str(error)
    return found


def score_all(student: nn.Module, batch: Batch, teacher: nn.Module, **options: Any) -> dict[str, float | str]:
    """The same, computed together as far as they are defined, which takes a tenth of the time."""
    together = proxies.score(student, *batch, ALL, teacher=teacher, undefined="nan", **options)
    undefined = [name for name, value in together.items() if math.isnan(value)]
    return together | score_each(student, batch, teacher, undefined, **options)


@pytest.fixture(scope="module", params=[LARGEST, DEAD_EDGES, DEGENERATE, SKIPS, POOLS])
def of_a_cell(network: Maker, request: pytest.FixtureRequest) -> tuple[int, dict[str, Outcome]]:
    """A cell, and the outcomes of all proxies on its network, computed together."""
    generator = torch.Generator().manual_seed(0)
    batch = torch.randn(8, 3, 16, 16, generator=generator), torch.randint(10, (8,), generator=generator)
    teacher = teacher_trace(network, batch)
    chosen = [get(name) for name in ALL]
    return request.param, evaluate(chosen, lambda: network(request.param), [batch], teacher=teacher, seed=0)


@pytest.mark.parametrize("init", ["keep", "default"])
def test_together_alone_or_in_another_order_the_numbers_are_the_same(network: Maker, batch: Batch, init: Any) -> None:
    student, teacher = network(), network(seed=1)
    together = proxies.score(student, *batch, ALL, teacher=teacher, init=init)
    backwards = proxies.score(student, *batch, ALL[::-1], teacher=teacher, init=init)
    alone = score_each(student, batch, teacher, init=init)
    assert list(together) == list(ALL)
    assert list(backwards) == list(ALL[::-1])
    assert together == backwards == alone


@pytest.mark.parametrize("name", ALL)
def test_every_score_is_finite_or_properly_undefined(of_a_cell: tuple[int, dict[str, Outcome]], name: str) -> None:
    cell, outcomes = of_a_cell
    outcome = outcomes[name]
    assert outcome.status == "ok" or (outcome.status == "undefined" and cell in (DEGENERATE, SKIPS, POOLS))
    assert outcome.value is None or (type(outcome.value) is float and math.isfinite(outcome.value))
    assert str(outcome.error or "a reason")


@pytest.mark.parametrize(("classes", "pixels", "size"), [(120, 32, 2), (100, 16, 7), (10, 16, 64)])
def test_other_classes_sizes_and_batches(network: Maker, classes: int, pixels: int, size: int) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(size, 3, pixels, pixels, generator=generator)
    labels = torch.randint(classes, (size,), generator=generator)
    scores = score_all(network(classes=classes), (images, labels), network(classes=classes, seed=1), init="default")
    undefined = {name for name, value in scores.items() if isinstance(value, str)}
    # Two images can have the same signs, or no pair a class, and rbflex compares three.
    assert undefined <= {"nwot", "zico", "epe_nas", "rbflex"}, scores


def test_what_depends_on_live_edges_only_says_so_truthfully(network: Maker, batch: Batch) -> None:
    teacher = network(seed=1)
    cells = map(Cell.from_index, (DEAD_EDGES, DEAD_BRANCH, ONE_DEAD))
    forms = [[score_all(network(form), batch, teacher, init="default") for form in (cell, cell.live)] for cell in cells]

    def is_same(full: float | str, live: float | str) -> bool:
        # Sums over the same terms with zeros in between: only the order of backward sums can differ.
        return full == (live if isinstance(live, str) else pytest.approx(live, rel=1e-4, abs=1e-7))

    same = {name for name in ALL if all(is_same(full[name], live[name]) for full, live in forms)}
    assert same == {name for name in ALL if get(name).live_edges_only}


@pytest.mark.parametrize("training", [True, False])
def test_nothing_is_different_after_the_call(network: Maker, batch: Batch, training: bool) -> None:
    student, teacher = network().train(training), network(seed=1).train(training)
    student.stem.register_forward_hook(lambda module, inputs, output: None)
    for one in (student, teacher):
        one.classifier.weight.grad = torch.ones_like(one.classifier.weight)
        one.stem[0].weight.requires_grad_(False)
    before = [copy.deepcopy(one.state_dict()) for one in (student, teacher)]
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    images, labels = batch[0].clone(), batch[1].clone()
    for init in ("keep", "default"):
        proxies.score(student, *batch, ALL, teacher=teacher, init=init)  # type: ignore[arg-type]
    for one, saved in zip((student, teacher), before, strict=True):
        assert all(torch.equal(value, saved[key]) for key, value in one.state_dict().items())
        assert all(module.training is training for module in one.modules())
        assert [name for name, p in one.named_parameters() if p.grad is not None] == ["classifier.weight"]
        assert torch.equal(one.classifier.weight.grad, torch.ones_like(one.classifier.weight))
        assert not one.stem[0].weight.requires_grad
    assert [len(m._forward_hooks) for m in student.modules()].count(1) == 1
    assert torch.equal(states[0], torch.get_rng_state())
    assert states[2] == random.getstate()
    assert all(np.array_equal(a, b) for a, b in zip(states[1], np.random.get_state(), strict=True))
    assert torch.equal(images, batch[0])
    assert torch.equal(labels, batch[1])
    assert not batch[0].requires_grad


def test_the_seed_decides_and_nothing_else(network: Maker, batch: Batch) -> None:
    def scores(seed: int) -> dict[str, float]:
        torch.manual_seed(random.randrange(1000))
        return proxies.score(network(), *batch, ALL, teacher=network(seed=1), init="default", seed=seed)

    first, again, other = scores(0), scores(0), scores(1)
    assert first == again
    different = {name for name, value in other.items() if value != first[name]}
    counts = {"params", "flops", "live_params", "live_flops", "live_convs"}
    # Eight images are few: each is in a region of its own, and all 256 codes occur.
    saturated = {"linear_regions", "swap", "reg_swap"}
    assert set(ALL) - different == counts | saturated


def test_keep_initialises_nothing(network: Maker, batch: Batch) -> None:
    one, other = network(seed=0), network(seed=5)
    teacher = network(seed=1)
    kept = [proxies.score(n, *batch, ["zen", "diswot"], teacher=teacher) for n in (one, other)]
    drawn = [proxies.score(n, *batch, ["zen", "diswot"], teacher=teacher, init="default") for n in (one, other)]
    assert kept[0] != kept[1]
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"names": ["nwott"]}, "proxy: 'nwott' is not known; did you mean 'nwot'?"),
        ({"init": "kaiming"}, "init: 'kaiming' is not known; allowed: keep, default."),
        ({"undefined": "zero"}, "undefined: 'zero' is not known; allowed: raise, nan."),
        ({"names": ["diswot"], "teacher": None}, "teacher: the proxy compares with a teacher and none was given."),
        ({"names": "nwot"}, "names: 'nwot' is a text; give a list of names, such as ['nwot']."),
        ({"labels": torch.zeros(3, dtype=torch.long)}, "images, labels: shapes"),
        ({"images": torch.zeros(0, 3, 16, 16), "labels": LABELS[:0]}, "images, labels: shapes (0, 3, 16, 16) and (0,)"),
        (
            {"images": [IMAGES] * 2},
            "images, labels: give a tensor each, or a pair of tensors each, not a list of 2 and a",
        ),
        (
            {"images": [], "labels": []},
            "images, labels: give a tensor each, or a pair of tensors each, not a list of 0",
        ),
        ({"images": [IMAGES] * 2, "labels": [LABELS]}, "images, labels: give a tensor each, or a pair of tensors each"),
        ({"images": [IMAGES] * 3, "labels": [LABELS] * 3}, "images, labels: give a tensor each, or a pair of tensors"),
        ({"images": [IMAGES.numpy()], "labels": [LABELS]}, "images, labels: give a tensor each, or a pair of tensors"),
        ({"labels": LABELS.float()}, "labels: torch.float32 holds no class numbers; give integers."),
        ({"names": ["snip"], "labels": LABELS - 1}, "labels: -1 is not a class of a network with 10 outputs."),
        ({"names": ["snip"], "labels": LABELS - 100}, "labels: -100 is not a class of a network with 10 outputs."),
        ({"names": ["gradsign"], "labels": LABELS + 10}, "labels: 10 is not a class of a network with 10 outputs."),
    ],
)
def test_wrong_arguments_get_one_sentence(
    network: Maker, batch: Batch, arguments: dict[str, Any], message: str
) -> None:
    defaults = {"images": batch[0], "labels": batch[1], "names": ["params"], "teacher": network(seed=1)}
    with pytest.raises(InputError) as raised:
        proxies.score(network(), **(defaults | arguments))
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("dtype", [torch.int32, torch.uint8])
def test_class_numbers_may_be_of_any_integer_type(network: Maker, batch: Batch, dtype: torch.dtype) -> None:
    images, labels = batch
    chosen = ["snip", "epe_nas", "zico", "gradsign"]
    assert proxies.score(network(), images, labels.to(dtype), chosen) == proxies.score(network(), *batch, chosen)


@pytest.mark.parametrize("init", ["keep", "default"])
def test_in_inference_mode_the_numbers_are_the_same(network: Maker, batch: Batch, init: Any) -> None:
    def scores() -> dict[str, float]:
        images, labels = ([one.clone(), one.clone()] for one in batch)
        return proxies.score(network(), images, labels, ALL, teacher=network(seed=1), init=init)

    with torch.inference_mode():
        found = scores()
        assert torch.is_inference_mode_enabled()
    assert found == scores()


def test_inside_autocast_the_numbers_are_the_same(network: Maker, batch: Batch) -> None:
    def scores() -> dict[str, float]:
        return proxies.score(network(), *batch, ALL, teacher=network(seed=1))

    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = scores()
        assert torch.is_autocast_enabled("cpu")
    assert found == scores()


WITHOUT_IMAGES = {name for name in ALL if get(name).needs <= {"weights", "layers"}}


@pytest.mark.parametrize("where", ["images", "second images", "weights", "teacher"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_has_no_score(network: Maker, batch: Batch, where: str, bad: float) -> None:
    images, labels = batch
    spoilt = images.clone()
    spoilt[3, 0, 5, 5] = bad
    student, teacher = network(), network(seed=1)
    if where in ("weights", "teacher"):
        (student if where == "weights" else teacher).classifier.bias.data[2] = bad
    given = [spoilt if where == "images" else images, spoilt if where == "second images" else images]
    found = proxies.score(student, given, [labels, labels], ALL, teacher=teacher, undefined="nan")
    with_teacher = {name for name in ALL if get(name).needs_teacher}
    undefined = {name for name, value in found.items() if math.isnan(value)}
    assert undefined == (with_teacher if where == "teacher" else set(ALL) - WITHOUT_IMAGES)
    for name in ("meco", "zico", "gradsign", "swap", "linear_regions", "ntk_cond", "vkdnw", "kdsvd"):
        if name in undefined:
            with pytest.raises(UndefinedScore, match=r"(images|logits) are not finite$"):
                proxies.score(student, given, [labels, labels], [name], teacher=teacher)


def test_an_activation_that_is_not_finite_has_no_score_either(network: Maker, batch: Batch) -> None:
    student: Any = network(DEGENERATE)  # the logits are the classifier's bias
    student.stem[1].weight.data[0] = math.nan
    with pytest.raises(UndefinedScore, match=r"^meco: a map of the first image is not finite$"):
        proxies.score(student, *batch, ["meco"])


def test_an_undefined_score_can_leave_the_others_alone(network: Maker, batch: Batch) -> None:
    student, chosen = network(DEGENERATE), ["params", "jacov", "snip", "zen"]
    found = proxies.score(student, *batch, chosen, undefined="nan")
    assert list(found) == chosen
    assert {name for name, value in found.items() if math.isnan(value)} == {"jacov", "zen"}
    assert found["params"] == proxies.score(student, *batch, ["params"])["params"]
    with pytest.raises(UndefinedScore, match=r'^jacov: .*; undefined="nan" gives NaN for it and keeps the other score'):
        proxies.score(student, *batch, chosen)
    with pytest.raises(UndefinedScore, match=r"^jacov: [^;]*$"):
        proxies.score(student, *batch, ["jacov"])


class TwoNames(nn.Module):
    """A network that holds modules under two names."""

    def __init__(self, twice: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU())
        self.classifier = nn.Linear(6, 10)
        if twice:
            self.stem, self.head = self.body[0], self.classifier

    def features(self, images: Tensor) -> list[Tensor]:
        maps = self.body(images)
        return [maps, maps.mean((2, 3))]


def test_a_module_under_two_names_is_one_module(batch: Batch) -> None:
    once, twice = TwoNames(False), TwoNames(True)
    twice.load_state_dict(once.state_dict(), strict=False)
    found = proxies.score(twice, *batch, ALL_ALONE, undefined="nan")
    assert found == pytest.approx(proxies.score(once, *batch, ALL_ALONE, undefined="nan"), nan_ok=True, rel=1e-12)
    assert math.isfinite(found["params"])
    assert math.isfinite(found["synflow"])


ALL_ALONE = [name for name in ALL if not get(name).needs_teacher]


class Functional(nn.Module):
    """A network whose activations are functions, or modules."""

    def __init__(self, activate: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.second = (nn.Sequential(nn.Conv2d(c, 8, 3), nn.BatchNorm2d(8)) for c in (3, 8))
        self.classifier = nn.Linear(8, 10)
        self.activate = activate

    def features(self, images: Tensor) -> list[Tensor]:
        maps = [self.activate(self.first(images))]
        maps.append(self.activate(self.second(maps[0])))
        return [*maps, maps[-1].mean((2, 3))]


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "F.relu": nn.functional.relu,
    "torch.relu": torch.relu,
    "Tensor.relu": lambda x: x.relu(),
    "by name": lambda x: nn.functional.relu(input=x),
    "in place": lambda x: nn.functional.relu(x, inplace=True),
    "in place, by method": lambda x: x.relu_(),
    "a module with a function": nn.ReLU(inplace=True),
}


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_activations_that_are_functions_are_seen_like_modules(batch: Batch, kind: str) -> None:
    modules, functions = Functional(nn.ReLU()), Functional(FUNCTIONS[kind])
    functions.load_state_dict(modules.state_dict())
    chosen = ["meco", "nwot", "swap", "reg_swap", "linear_regions", "snip"]
    assert proxies.score(functions, *batch, chosen) == proxies.score(modules, *batch, chosen)


def test_a_network_without_the_interface_is_refused_in_a_sentence(network: Maker, batch: Batch) -> None:
    whole: Any = network()

    def refused(names: list[str], student: nn.Module, teacher: nn.Module | None = None) -> str:
        with pytest.raises(InputError) as raised:
            proxies.score(student, *batch, names, teacher=teacher)
        assert "\n" not in str(raised.value)
        return str(raised.value)

    plain = nn.Sequential(nn.Flatten(), nn.Linear(768, 10))
    assert refused(["params"], plain).startswith(
        "network: a Sequential has no features and no classifier; a network has"
    )
    assert refused(["kd"], whole, plain).startswith("teacher: a Sequential has no features and no classifier")
    one_map: Any = nn.Module()
    one_map.features, one_map.classifier = nn.Sequential(whole.stem, nn.Flatten()), whole.classifier
    for name in ("params", "snip", "zico", "gradsign", "ntk_cond", "vkdnw", "nwot"):
        assert refused([name], one_map).startswith(
            "network: features(images) of a Module returns a Tensor, not a list of feature maps"
        )
    deep: Any = network()
    deep.classifier = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 10))
    for student, teacher, argument in ((deep, whole, "network"), (whole, deep, "teacher")):
        assert refused(["nwot", "diswot_semantic"], student, teacher).startswith(
            f"{argument}: diswot_semantic reads classifier.weight, and the classifier is a Sequential without one"
        )
        assert math.isfinite(proxies.score(student, *batch, ["kd"], teacher=teacher)["kd"])


class Tied(nn.Module):
    """Two linear layers that share a weight, in front of the classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3)
        self.one, self.two = nn.Linear(6, 6), nn.Linear(6, 6)
        self.two.weight = self.one.weight
        self.classifier = nn.Linear(6, 10)

    def features(self, images: Tensor) -> list[Tensor]:
        maps = self.stem(images)
        return [maps, self.two(self.one(maps.mean((2, 3))))]


def test_a_weight_that_two_layers_share_counts_once(batch: Batch) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        tied = Tied()
    scores = proxies.score(tied, *batch, ["params", "live_params", "synflow"])
    assert scores["params"] == scores["live_params"] == sum(p.numel() for p in tied.parameters())
    absolute: Any = copy.deepcopy(tied).double()
    for parameter in absolute.parameters():
        parameter.data.abs_()
    absolute.classifier(absolute.features(torch.ones(1, 3, 16, 16, dtype=torch.float64))[-1]).sum().backward()
    weights = [absolute.stem.weight, absolute.one.weight, absolute.classifier.weight]
    assert scores["synflow"] == pytest.approx(sum(float((w.detach() * w.grad).sum()) for w in weights))


def test_a_teacher_of_another_shape_is_refused_by_those_that_need_one(network: Maker, batch: Batch) -> None:
    teacher = network(seed=1, classes=20)
    with pytest.raises(InputError, match="kd needs equal shapes"):
        proxies.score(network(), *batch, ["kd"], teacher=teacher)
    assert math.isfinite(proxies.score(network(), *batch, ["sp"], teacher=teacher)["sp"])


def test_a_teacher_with_fewer_classes_than_labels_is_named_where_it_matters(network: Maker, batch: Batch) -> None:
    teacher = network(seed=1, classes=2)
    assert math.isfinite(proxies.score(network(), *batch, ["sp"], teacher=teacher)["sp"])
    with pytest.raises(InputError, match=r"labels: \d is not a class of a network with 2 outputs"):
        proxies.score(network(), *batch, ["diswot_semantic"], teacher=teacher)


def test_a_wider_teacher_is_refused_by_name(network: Maker, batch: Batch) -> None:
    teacher = network(seed=1, C=8)
    for name in ("diswot_semantic", "ickd", "kdsvd", "fsp", "fitnet", "cc"):
        with pytest.raises(InputError, match=f"teacher: {name} needs equal shapes, and the student has"):
            proxies.score(network(), *batch, [name], teacher=teacher)
    free = proxies.score(network(), *batch, ["sp", "at", "nst", "rkd", "pkt", "rmi", "kd"], teacher=teacher)
    assert all(math.isfinite(value) for value in free.values())


class Offers(nn.Module):
    """A network that offers only the last of another's feature maps."""

    def __init__(self, whole: Any, maps: int) -> None:
        super().__init__()
        self.whole, self.classifier, self.maps = whole, whole.classifier, maps

    def features(self, images: Tensor) -> list[Tensor]:
        offered: list[Tensor] = self.whole.features(images)[-self.maps - 1 :]
        return offered


@pytest.mark.parametrize(("name", "least"), [("at", 2), ("nst", 2), ("kdsvd", 3), ("fsp", 2), ("rmi", 1)])
def test_too_few_feature_maps_are_no_perfect_score(network: Maker, batch: Batch, name: str, least: int) -> None:
    for maps in range(least):
        student, teacher = (Offers(network(seed=seed), maps) for seed in (0, 1))
        with pytest.raises(UndefinedScore, match=f"^{name}: the network has too few feature maps: "):
            proxies.score(student, *batch, [name], teacher=teacher)
    student, teacher = (Offers(network(seed=seed), least) for seed in (0, 1))
    assert proxies.score(student, *batch, [name], teacher=teacher)[name] < 0


@pytest.mark.parametrize("name", ["at", "nst", "kdsvd", "fsp", "rmi"])
def test_a_teacher_with_other_feature_maps_is_refused_by_the_proxy_s_name(
    network: Maker, batch: Batch, name: str
) -> None:
    with pytest.raises(InputError, match=f"^teacher: {name} compares feature by feature"):
        proxies.score(network(), *batch, [name], teacher=Offers(network(seed=1), 2))


COMPARES_IMAGES = ("sp", "pkt", "cc", "rkd", "kdsvd", "rmi", "diswot_relation", "diswot", "jacov", "ntk_cond")


@pytest.mark.parametrize("name", COMPARES_IMAGES)
def test_one_image_has_nothing_to_be_compared_with(network: Maker, name: str) -> None:
    image = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with pytest.raises(UndefinedScore, match=f"^{name}: it compares images, and the batch has one$"):
        proxies.score(network(), image, torch.tensor([3]), [name], teacher=network(seed=1))


@pytest.mark.parametrize("cell", [6111, LARGEST, SKIPS, DEAD_EDGES, 284, 1462])
@pytest.mark.parametrize("C", [4, 16])
def test_a_batch_with_a_image_twice_has_no_nwot(network: Maker, cell: int, C: int) -> None:
    images = torch.randn(64, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    labels = torch.zeros(64, dtype=torch.long)
    assert math.isfinite(proxies.score(network(cell, C=C), images, labels, ["nwot"])["nwot"])
    images[40] = images[3]
    with pytest.raises(UndefinedScore, match="nwot: the kernel of ReLU signs is singular"):
        proxies.score(network(cell, C=C), images, labels, ["nwot"])


def test_one_image_is_enough_or_too_few(network: Maker) -> None:
    generator = torch.Generator().manual_seed(0)
    image, label = torch.randn(1, 3, 16, 16, generator=generator), torch.tensor([3])
    teacher = trace_teacher(network(seed=1), (image, label))
    found = evaluate([get(name) for name in ALL], network, [(image, label)], teacher=teacher, seed=0)
    assert {o.status for o in found.values()} == {"ok", "undefined"}, {n: o.error for n, o in found.items()}
    assert found["jacov"].status == "undefined"
    assert found["snip"].status == "ok"


def test_a_teacher_serves_many_students_unchanged(network: Maker, batch: Batch) -> None:
    chosen = [get(name) for name in ALL if get(name).needs_teacher]

    def spoils(trace: Any) -> float:
        for feature in trace.teacher.features:
            feature.numpy()[:] = 0
        return 1.0

    teacher = teacher_trace(network, batch)
    values = []
    for others in ([], [plugin(spoils, ("teacher",))], []):
        found = evaluate([*others, *chosen], network, [batch], teacher=teacher, seed=0)
        values.append({proxy.name: found[proxy.name].value for proxy in chosen})
    assert values[0] == values[1] == values[2]


class OfTheUser(nn.Module):
    """A network that is not ours: dropout, another normalisation, a linear layer over tokens, an activation kept."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 8, 3, padding=1)
        self.normalisation = nn.GroupNorm(2, 8)
        self.relu = nn.ReLU()
        self.tokens = nn.Linear(8, 6)
        self.dropout = nn.Dropout(0.5)
        self.classifier = nn.Linear(6, 10)
        self.kept: Tensor | None = None

    def features(self, images: Tensor) -> list[Tensor]:
        maps = self.relu(self.normalisation(self.convolution(images)))
        self.kept = self.tokens(maps.flatten(2).transpose(1, 2))
        last = self.dropout(self.kept).transpose(1, 2).reshape(len(images), 6, *images.shape[2:])
        return [maps, last, last.mean((2, 3))]


def test_a_network_of_the_user_s_own(batch: Batch) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        student = OfTheUser()
    chosen = ["snip", "fisher", "params", "flops", "live_params", "nwot", "jacov", "grad_norm", "synflow"]
    scores = proxies.score(student, *batch, chosen)
    assert scores == proxies.score(student, *batch, chosen[::-1])
    assert scores["params"] == scores["live_params"] == sum(p.numel() for p in student.parameters())
    pixels = 16 * 16
    assert scores["flops"] == pixels * (8 * 27 + 8) + pixels * (8 * 6 + 6) + 10 * 7


def plugin(function: Callable[[Any], Any], needs: tuple[str, ...] = ("weights",)) -> Proxy:
    """A record that is not registered."""
    return Proxy(
        *(function.__name__, function, "1", "higher", "plug-in", frozenset(needs), "default", False, True, "", "")
    )


def mutates(trace: Any) -> float:
    next(trace.network.parameters()).data.mul_(2)
    return 1.0


def flips_mode(trace: Any) -> float:
    trace.network.eval()
    return 1.0


def leaves_hook(trace: Any) -> float:
    trace.network.stem.register_forward_hook(lambda module, inputs, output: None)
    return 1.0


def leaves_gradients(trace: Any) -> float:
    trace.network(trace.images).sum().backward()
    return 1.0


def draws_globally(trace: Any) -> float:
    return float(torch.rand(()))


def draws_with_numpy(trace: Any) -> float:
    return float(np.random.rand())


def writes_to_the_trace(trace: Any) -> float:
    trace.weights[0].mul_(1.0)
    return 1.0


def writes_to_the_teacher(trace: Any) -> float:
    trace.teacher.features[-1].sub_(trace.teacher.features[-1].mean())
    return 1.0


def pops_a_feature(trace: Any) -> float:
    trace.weights.pop()
    return 1.0


def writes_past_the_counter(trace: Any) -> float:
    for weight in trace.weights:
        weight.numpy()[:] = 0
    return 1.0


def trains_the_teacher(trace: Any) -> float:
    trace.teacher.network(trace.images).sum().backward()
    return 1.0


def replaces_forward(trace: Any) -> float:
    for module in trace.network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.forward = lambda x: x  # type: ignore[method-assign]
    return 1.0


def changes_momentum(trace: Any) -> float:
    for module in trace.network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.1
    return 1.0


def freezes(trace: Any) -> float:
    trace.network.requires_grad_(False)
    return 1.0


def changes_threads(trace: Any) -> float:
    torch.set_num_threads(torch.get_num_threads() + 1)
    return 1.0


def exits(trace: Any) -> float:
    raise SystemExit(3)


def raises(trace: Any) -> float:
    raise KeyError("no such layer")


def returns_text(trace: Any) -> str:
    return "1.0"


def returns_vector(trace: Any) -> Tensor:
    return torch.ones(3)


def returns_nothing(trace: Any) -> None:
    return None


def returns_a_complex_number(trace: Any) -> Any:
    return np.complex128(1 + 2j)


def returns_nan(trace: Any) -> float:
    return math.nan


def returns_infinity(trace: Any) -> Tensor:
    return torch.tensor(math.inf)


@contextmanager
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def returns_minus_infinity(trace: Any) -> float:
    return -math.inf


def returns_a_whole_number_without_end(trace: Any) -> int:
    return 10**400


def returns_a_meta_tensor(trace: Any) -> Tensor:
    return torch.empty((), device="meta")


def returns_a_quantised_tensor(trace: Any) -> Tensor:
    with _no_warnings():
        return torch.quantize_per_tensor(torch.tensor(1.0), 0.1, 0, torch.quint8)


def returns_a_sparse_tensor(trace: Any) -> Tensor:
    with _no_warnings():
        return torch.sparse_coo_tensor(size=())


def returns_a_nested_tensor(trace: Any) -> Tensor:
    with _no_warnings():
        return torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])


def returns_a_complex_tensor(trace: Any) -> Tensor:
    return torch.tensor(1j)


def interrupts(trace: Any) -> float:
    raise GeneratorExit


class OfItsOwn(BaseException):
    """What is no Exception."""


def raises_a_base_exception(trace: Any) -> float:
    raise OfItsOwn("out of here")


class MuteError(ValueError):
    """An exception without a text."""

    def __str__(self) -> str:
        raise KeyError("no text")


def raises_without_a_text(trace: Any) -> float:
    raise MuteError


def takes_the_network_apart(trace: Any) -> float:
    trace.network = None
    return 1.0


def turns_mkldnn_off(trace: Any) -> float:
    torch.backends.mkldnn.enabled = False  # type: ignore[assignment]
    return 1.0


def replaces_a_function(trace: Any) -> float:
    nn.functional.cross_entropy = None  # type: ignore[assignment]
    return 1.0


def replaces_a_method(trace: Any) -> float:
    nn.Conv2d.forward = lambda self, images: images  # type: ignore[method-assign]
    return 1.0


def hides_a_method(trace: Any) -> float:
    Tensor.relu = Tensor.exp  # type: ignore[method-assign]
    return 1.0


def hooks_all_modules(trace: Any) -> float:
    nn.modules.module.register_module_forward_hook(lambda module, inputs, output: None)
    return 1.0


def leaves_a_mode(trace: Any) -> float:
    torch.set_default_device("meta")
    return 1.0


def reads_undeclared(trace: Any) -> float:
    return float(trace.logits.sum())


BAD = {
    mutates: ("failed", "it changes the network's weights"),
    flips_mode: ("failed", "it changes the network's mode"),
    leaves_hook: ("failed", "it leaves a hook on the network"),
    leaves_gradients: ("failed", "it leaves gradients on the network"),
    draws_globally: ("failed", "it draws from the global random state"),
    draws_with_numpy: ("failed", "it draws from the global random state"),
    writes_to_the_trace: ("failed", "it writes to a tensor of the trace"),
    writes_to_the_teacher: ("failed", "it writes to a tensor of the trace"),
    pops_a_feature: ("failed", "no attribute 'pop'"),
    writes_past_the_counter: ("failed", "it changes the network's weights"),
    trains_the_teacher: ("failed", "no attribute 'network'"),
    replaces_forward: ("failed", "it replaces a module of the network, its forward or its settings"),
    changes_momentum: ("failed", "it replaces a module of the network, its forward or its settings"),
    freezes: ("failed", "it changes which weights are trainable"),
    changes_threads: ("failed", "it changes torch's number of threads"),
    exits: ("failed", "it calls sys.exit(3)"),
    raises: ("failed", "no such layer"),
    returns_text: ("failed", "it returned a str, not one number"),
    returns_vector: ("failed", "it returned a Tensor of shape (3,), not one number"),
    returns_nothing: ("failed", "it returned a NoneType, not one number"),
    returns_a_complex_number: ("failed", "it returned a complex128, not one number"),
    returns_nan: ("undefined", "the score is nan"),
    returns_infinity: ("undefined", "the score is +inf: it overflowed"),
    returns_minus_infinity: ("undefined", "the score is -inf"),
    returns_a_whole_number_without_end: ("undefined", "the score is +inf: it overflowed"),
    returns_a_meta_tensor: ("failed", "it returned a meta tensor, not one number"),
    returns_a_quantised_tensor: ("failed", "it returned a quantised tensor, not one number"),
    returns_a_sparse_tensor: ("failed", "it returned a sparse tensor, not one number"),
    returns_a_nested_tensor: ("failed", "it returned a nested tensor, not one number"),
    returns_a_complex_tensor: ("failed", "it returned a complex tensor, not one number"),
    interrupts: ("failed", "it raises GeneratorExit"),
    raises_a_base_exception: ("failed", "it raises OfItsOwn: out of here"),
    raises_without_a_text: ("failed", "a MuteError whose text cannot be made"),
    takes_the_network_apart: ("failed", "it leaves the trace in a state that cannot be compared: AttributeError"),
    turns_mkldnn_off: ("failed", "it changes torch.backends.mkldnn.enabled, from True to False"),
    replaces_a_function: ("failed", "it replaces torch.nn.functional.cross_entropy"),
    replaces_a_method: ("failed", "it replaces torch's Conv2d.forward"),
    hides_a_method: ("failed", "it replaces torch's Tensor.relu"),
    hooks_all_modules: ("failed", "it changes torch's global module hooks"),
    leaves_a_mode: ("failed", "it changes torch's default device, from None to meta"),
    reads_undeclared: ("failed", "it reads trace.logits without declaring it in needs"),
}


def test_built_ins_change_nothing_which_is_why_a_sweep_does_not_watch_them(network: Maker, batch: Batch) -> None:
    teacher = teacher_trace(network, batch)

    def evaluated(*chosen: Proxy, **options: Any) -> dict[str, Outcome]:
        return evaluate(chosen, network, [batch], teacher=teacher, seed=0, **options)

    unwatched = evaluated(*map(get, ALL))
    for name in ALL:
        watched = evaluated(get(name), watch_built_ins=True)[name]
        assert watched.status == "ok", (name, watched.error)
        assert watched.value == unwatched[name].value
    for function in (leaves_hook, draws_globally, writes_to_the_trace):
        tampered = replace(get("l2_norm"), function=function)
        assert evaluated(tampered, watch_built_ins=True)["l2_norm"].status == "failed"
    assert evaluated(replace(get("l2_norm"), function=leaves_hook))["l2_norm"].status == "ok"  # nobody looks


@pytest.mark.parametrize("bad", BAD, ids=lambda function: function.__name__)
def test_a_bad_proxy_fails_alone(network: Maker, batch: Batch, bad: Callable[[Any], Any]) -> None:
    good = [get("snip"), get("nwot"), get("fitnet"), get("zico")]
    teacher = teacher_trace(network, batch)
    expected = evaluate(good, network, [batch], teacher=teacher, seed=0)
    states = torch.get_rng_state(), np.random.get_state()
    needs = ("weights", "teacher") if bad in (writes_to_the_teacher, trains_the_teacher) else ("weights",)
    found = evaluate([good[0], plugin(bad, needs), *good[1:]], network, [batch], teacher=teacher, seed=0)
    outcome = found.pop(bad.__name__)
    status, cause = BAD[bad]
    assert outcome.status == status
    assert cause in printable(outcome.error)
    assert {n: o.value for n, o in found.items()} == {n: o.value for n, o in expected.items()}
    assert torch.equal(states[0], torch.get_rng_state())
    assert np.array_equal(states[1][1], np.random.get_state()[1])
    again = evaluate(good, network, [batch], teacher=teacher_trace(network, batch), seed=0)
    assert {n: o.value for n, o in again.items()} == {n: o.value for n, o in expected.items()}


WRITES: dict[str, Callable[[Tensor], object]] = {
    "numpy": lambda tensor: tensor.numpy().fill(0),
    "numpy, in another order": lambda tensor: tensor.numpy().sort(),
    "data": lambda tensor: tensor.data.neg_(),
    "data of one element": lambda tensor: tensor.data[0, :1].mul_(2),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("whose", ["student", "teacher"])
def test_a_write_that_no_counter_sees_ends_with_the_plug_in_that_writes(
    network: Maker, batch: Batch, write: Callable[[Tensor], object], whose: str
) -> None:
    def features(trace: Any) -> Any:
        return (trace if whose == "student" else trace.teacher).features

    def reads(trace: Any) -> Tensor:
        return (features(trace)[-1].double() * torch.arange(1, 17)).sum()

    def writes(trace: Any) -> float:
        write(features(trace)[-1])
        return 1.0

    def reads_again(trace: Any) -> Tensor:
        return reads(trace)

    plugins = [plugin(one, ("features", "teacher")) for one in (reads, writes, reads_again)]
    found = evaluate([get("cc"), *plugins], network, [batch], teacher=teacher_trace(network, batch), seed=0)
    assert "it writes to a tensor of the trace" in str(found["writes"].error)
    assert found["reads_again"].value == found["reads"].value is not None
    assert {found[name].status for name in ("cc", "reads", "reads_again")} == {"ok"}


def test_an_interrupt_from_the_keyboard_stops_the_call(network: Maker, batch: Batch) -> None:
    def interrupted(trace: Any) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate([plugin(interrupted)], network, [batch], teacher=None, seed=0)


def test_an_interrupt_in_a_worker_which_heeds_none_is_the_plug_in_s(network: Maker, batch: Batch) -> None:
    def interrupted(trace: Any) -> float:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        found = evaluate([get("params"), plugin(interrupted)], network, [batch], teacher=None, seed=0)
    finally:
        signal.signal(signal.SIGINT, before)
    assert found["params"].status == "ok"
    assert str(found["interrupted"].error) == "it raises KeyboardInterrupt: "


def test_a_score_that_overflows_to_the_worse_end_is_no_overflow(network: Maker, batch: Batch) -> None:
    overflowing = [replace(plugin(one), direction="lower") for one in (returns_infinity, returns_minus_infinity)]
    found = evaluate(overflowing, network, [batch], teacher=None, seed=0)
    assert [str(outcome.error) for outcome in found.values()] == [
        "the score is +inf",
        "the score is -inf: it overflowed",
    ]


def test_what_a_plug_in_prints_is_no_output_of_ours(
    network: Maker, batch: Batch, capsys: pytest.CaptureFixture[str]
) -> None:
    def talks(trace: Any) -> float:
        print("scoring")
        return 1.0

    stdout = sys.stdout
    assert evaluate([plugin(talks)], network, [batch], teacher=None, seed=0)["talks"].value == 1.0
    assert capsys.readouterr() == ("", "scoring\n")
    assert sys.stdout is stdout


@pytest.mark.parametrize("number", [3, 3.0, np.int64(3), np.float32(3)])
def test_a_number_of_python_or_numpy_is_a_number(network: Maker, batch: Batch, number: Any) -> None:
    def constant(trace: Any) -> Any:
        return number

    (outcome,) = evaluate([plugin(constant)], network, [batch], teacher=None, seed=0).values()
    assert outcome.value == 3.0


def test_a_scalar_tensor_is_a_number(network: Maker, batch: Batch) -> None:
    def scalar(trace: Any) -> Tensor:
        return torch.tensor(3)

    (outcome,) = evaluate([plugin(scalar)], network, [batch], teacher=None, seed=0).values()
    assert outcome == Outcome(3.0, None, outcome.seconds)


@pytest.fixture
def clean_registry() -> Iterator[None]:
    """Forget what a test registers."""
    before = dict(registry._registered) if names() else {}
    yield
    registry._registered.clear()
    registry._registered.update(before)


@pytest.mark.usefixtures("clean_registry")
def test_a_registered_function_is_a_proxy(network: Maker, batch: Batch) -> None:
    @proxies.register(needs=["weights"], source="this test")
    def count_tensors(trace: Any) -> int:
        """Count the weight tensors."""
        return len(trace.weights)

    record = get("count_tensors")
    assert record.summary == "Count the weight tensors."
    assert len(record.version) == 8
    assert record.direction == "higher"
    weighted = [m for m in network().modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert proxies.score(network(), *batch, ["count_tensors"]) == {"count_tensors": len(weighted)}
