"""Networks: official keys and shapes, counts, feature maps, initialisation, teachers, spaces."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest
import torch

from diswot.benchmarks import initialisation, spaces, teachers
from diswot.benchmarks.errors import InputError
from diswot.benchmarks.seeding import derive
from diswot.benchmarks.spaces import nb201, s0
from diswot.benchmarks.spaces.nb201 import Cell, counts
from diswot.benchmarks.spaces.nb201.network import InferCell

# All operations, dead edges of both kinds, the degenerate cell, skips only, the largest.
CELLS = [13, 284, 3613, 6111, Cell(("none",) * 6).index, Cell(("skip_connect",) * 6).index]
LARGEST = Cell(("nor_conv_3x3",) * 6).index

SOME_OF_EVERY_SPACE = [
    (name, space.cells[number]) for name, space in spaces.SPACES.items() for number in (0, len(space.cells) // 3, -1)
]


@pytest.mark.parametrize("index", [*CELLS, LARGEST])
@pytest.mark.parametrize("classes", [10, 120])
def test_the_network_has_the_counted_weights(index: int, classes: int) -> None:
    with torch.device("meta"):
        network = nb201.build(index, num_classes=classes)
    expected = counts.official(Cell.from_index(index), num_classes=classes).params
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


def test_the_contract_takes_a_cell_a_string_and_an_index() -> None:
    keys = [set(nb201.build(cell).state_dict()) for cell in (13, Cell.from_index(13), str(Cell.from_index(13)))]
    assert keys[0] == keys[1] == keys[2]
    small = nb201.build(13, num_classes=7, C=4, N=1)
    assert small(torch.zeros(2, 3, 16, 16)).shape == (2, 7)
    assert len(small.cells) == 5


@pytest.mark.parametrize("name", ["cell01", "cell04", "cell13", "diswot_teacher"])
def test_official_weights_load_and_give_the_official_logits(shared_data: Path, name: str) -> None:
    import json

    stored = torch.load(shared_data / "golden" / f"{name}.pt", weights_only=True)
    network = nb201.build(stored["arch"])
    kept = {key for key in network.state_dict() if "running_" not in key and "num_batches" not in key}
    assert kept == set(stored["state_dict"])
    network.load_state_dict({key: value.float() for key, value in stored["state_dict"].items()}, strict=False)
    scores = json.loads((shared_data / "golden" / "scores.json").read_text())
    if name.startswith("cell"):
        batch = torch.load(shared_data / "golden" / "batch.pt", weights_only=True)
        expected = torch.tensor(scores[str(int(name[4:]))]["logits_first2"])
        # Same operations in the same order: only the kernels of another machine may differ, in the last digits.
        torch.testing.assert_close(network(batch["x"])[:2], expected, rtol=1e-4, atol=1e-5)


def agreeing(one: Cell, other: Cell) -> bool:
    """Brute force: whether the convolutions of two cells can be paired so that equal weights give equal outputs."""
    source = torch.Generator().manual_seed(0)
    images = torch.randn(2, 2, 5, 5, generator=source, dtype=torch.float64)
    networks = [InferCell(cell.live, 2).double().train() for cell in (one, other)]
    mine, theirs = ([m for m in network.modules() if isinstance(m, torch.nn.Conv2d)] for network in networks)
    for convolution in mine:
        torch.nn.init.normal_(convolution.weight, generator=source)
    expected = networks[0](images)
    for order in itertools.permutations(mine):
        if [m.weight.shape for m in order] == [m.weight.shape for m in theirs]:
            for convolution, model in zip(theirs, order, strict=True):
                convolution.weight.data.copy_(model.weight)
            if torch.allclose(networks[1](images), expected):
                return True
    return False


@torch.no_grad()
@pytest.mark.parametrize("seed", range(40))
def test_cells_have_one_function_if_and_only_if_equal_weights_give_equal_outputs(seed: int) -> None:
    cell = Cell.from_index(random.Random(seed).randrange(nb201.SIZE))
    assert agreeing(cell, cell.representative)
    # Of the cells that the official string puts together, those of another function are the nearest misses.
    assert agreeing(cell, cell.canonical) == (cell.function == cell.canonical.function)


@torch.no_grad()
def test_one_convolution_used_twice_is_not_two_convolutions() -> None:
    twice = Cell(("nor_conv_3x3", "none", "skip_connect", "none", "skip_connect", "skip_connect"))
    two = Cell(("nor_conv_3x3", "nor_conv_3x3", "none", "none", "skip_connect", "skip_connect"))
    assert twice.isomorphism == two.isomorphism
    assert twice.function != two.function
    assert not agreeing(twice, two)


@pytest.mark.parametrize("index", CELLS)
@pytest.mark.parametrize("size", [16, 32])
def test_features_are_maps_and_then_the_pooled_vector(index: int, size: int) -> None:
    network = nb201.build(index, C=4, N=1).train()
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    features = network.features(images)
    assert [tuple(feature.shape) for feature in features] == [
        (2, 4, size, size),
        (2, 8, size // 2, size // 2),
        (2, 16, size // 4, size // 4),
        (2, 16),
    ]
    torch.testing.assert_close(features[-1], features[-2].mean((2, 3)))
    torch.testing.assert_close(network.classifier(features[-1]), network(images))


@pytest.mark.parametrize("index", CELLS)
def test_a_cell_and_its_live_form_compute_the_same_function(index: int) -> None:
    images = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    logits = []
    for form in (Cell.from_index(index), Cell.from_index(index).live):
        network = nb201.build(form, C=4, N=2).train()
        initialisation.default(network, "seed")
        logits.append(network(images))
    torch.testing.assert_close(*logits, rtol=0, atol=0)


@pytest.mark.parametrize(("number", "thousands"), [(713, 259.89), (333, 278.32)])
def test_s0_networks_have_the_paper_s_sizes(number: int, thousands: float) -> None:
    params = sum(parameter.numel() for parameter in s0.build(number).parameters())
    assert round(params / 1000, 2) == thousands


def test_s0_has_64_networks() -> None:
    assert len(set(s0.NUMBERS)) == 64
    assert s0.depths(713) == (7, 1, 3)
    with pytest.raises(InputError, match="712 is not in S0"):
        s0.depths(712)


@pytest.mark.parametrize("kind", sorted(initialisation.BY_NAME))
def test_weights_depend_on_seed_and_name_alone(kind: str) -> None:
    def weights(seed: object, cell: int) -> dict[str, torch.Tensor]:
        network = nb201.build(cell, C=4, N=1)
        initialisation.BY_NAME[kind](network, seed)
        return {name: value.clone() for name, value in network.state_dict().items()}

    one, again, other, another_cell = weights(0, 13), weights(0, 13), weights(1, 13), weights(0, 6111)
    for name, value in one.items():
        assert torch.equal(value, again[name])
        if name in another_cell and value.shape == another_cell[name].shape:
            assert torch.equal(value, another_cell[name])
    assert not torch.equal(one["stem.0.weight"], other["stem.0.weight"])
    network = nb201.build(13, C=4, N=1)
    before = torch.get_rng_state()
    initialisation.BY_NAME[kind](network, 0)
    assert torch.equal(before, torch.get_rng_state())


def test_the_default_initialisation_is_torch_s() -> None:
    # The same distribution as the constructors': uniform with the same bound, so the same spread on many weights.
    ours, theirs = (nb201.build(LARGEST) for _ in range(2))
    initialisation.default(ours, 0)
    for (name, one), (_, other) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        if one.dim() > 1 and one.numel() >= 1000:
            assert one.abs().max() <= one[0].numel() ** -0.5
            assert float(one.detach().std()) == pytest.approx(float(other.detach().std()), rel=0.15), (
                name
            )  # 1000 draws: 2 % each, 7 sigma
        if "bias" in name and one.numel() == 10:
            assert one.abs().max() <= 64**-0.5


def test_the_gaussian_initialisation_is_standard_normal() -> None:
    network = nb201.build(LARGEST)
    initialisation.gaussian(network, 0)
    weights = torch.cat([p.flatten() for name, p in network.named_parameters() if p.dim() > 1]).detach()
    assert float(weights.mean()) == pytest.approx(0, abs=0.01)  # some 10^6 draws: 0.001 each
    assert float(weights.std()) == pytest.approx(1, abs=0.01)
    assert not network.classifier.bias.any()


def test_the_kaiming_initialisation_is_torch_s() -> None:
    # The same distribution as torch's own for ReLU; the classifier's bias is zero, as in the reference.
    ours, theirs = (nb201.build(LARGEST) for _ in range(2))
    initialisation.kaiming(ours, 0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for (name, one), (_, other) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
            if one.numel() >= 1000 and one.dim() > 1:
                torch.nn.init.kaiming_normal_(other, mode="fan_in", nonlinearity="relu")
                # 1000 draws: 2 % each, so 5 standard deviations of the difference
                assert float(one.detach().std()) == pytest.approx(float(other.detach().std()), rel=0.15), name
                assert float(one.detach().mean()) == pytest.approx(0, abs=0.15 * float(other.detach().std())), name
    assert not ours.classifier.bias.any()


@pytest.mark.parametrize(("name", "cell"), SOME_OF_EVERY_SPACE)
def test_teacher_of_a_space_has_feature_maps_of_its_shapes(name: str, cell: int) -> None:
    space = spaces.get(name)
    with torch.device("meta"):
        networks = [space.build(cell, 10), teachers.build(space.teacher, num_classes=10)]
        features = [network.train().features(torch.zeros(2, 3, 32, 32)) for network in networks]
    assert [feature.shape for feature in features[0]] == [feature.shape for feature in features[1]]


def test_blocks_are_what_runs_one_after_another() -> None:
    for network, blocks in ((nb201.build(13, C=16, N=2), 9), (s0.build(135), 10)):
        ran: list[tuple[torch.nn.Module, torch.Size]] = []
        for block in network.blocks:
            block.register_forward_hook(lambda module, inputs, output, ran=ran: ran.append((module, output.shape)))
        network.train().features(torch.zeros(2, 3, 16, 16))
        assert [module for module, _ in ran] == network.blocks
        assert len(ran) == blocks
        assert ran[0][1] == (2, 16, 16, 16)
        assert ran[-1][1] == (2, 64, 4, 4)


def test_modules_that_cannot_be_initialised_are_named() -> None:
    with pytest.raises(InputError, match=r"a LayerNorm \(0\) cannot be initialised"):
        initialisation.default(torch.nn.Sequential(torch.nn.LayerNorm(3)), 0)


def test_seeds_derive_from_texts_alone() -> None:
    assert derive("a", 1) == derive("a", "1") != derive("a1")
    assert derive("a", "b") != derive("b", "a")
    assert 0 <= derive("x") < 2**63


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("resnet56", "resnet56"),
        ("nb201:13", "nb201:13"),
        (f"nb201:{Cell.from_index(13)}", "nb201:13"),
        (str(Cell.from_index(13)), "nb201:13"),
        ("s0:713", "s0:713"),
    ],
)
def test_teachers_have_one_name(name: str, canonical: str) -> None:
    assert teachers.canonical(name) == canonical
    with torch.device("meta"):
        assert teachers.build(name, num_classes=7).classifier.out_features == 7


@pytest.mark.parametrize("name", ["resnet57", "s0:712", "s0:x", "nb201:99999", "vgg"])
def test_unknown_teachers_are_refused(name: str) -> None:
    with pytest.raises(InputError):
        teachers.canonical(name)


@pytest.mark.parametrize("name", spaces.SPACES)
def test_spaces_know_their_cells(name: str) -> None:
    space = spaces.get(name)
    for cell in list(space.cells)[:: len(space.cells) // 7]:
        assert space.parse(str(cell)) == cell
        assert space.live(space.live(cell)) == space.live(cell)
        assert space.representative(space.live(cell)) == space.representative(cell)
        assert space.describe(cell)
    with torch.device("meta"):
        assert space.build(space.cells[0], space.classes).classifier.out_features == space.classes
    with pytest.raises(InputError):
        space.parse("neither")


@pytest.mark.parametrize("name", spaces.SPACES)
def test_a_cell_is_its_options_and_its_neighbours_differ_at_one_place(name: str) -> None:
    space = spaces.get(name)
    for cell in list(space.cells)[:300]:
        assert space.decode(space.encode(cell)) == cell
        near = spaces.neighbours(space, cell)
        assert len(set(near)) == len(near) == sum(count - 1 for count in space.options)
        for other in near:
            pairs = zip(space.encode(cell), space.encode(other), strict=True)
            assert sum(one != two for one, two in pairs) == 1
            assert cell in spaces.neighbours(space, other)


@pytest.mark.parametrize(("name", "cell"), SOME_OF_EVERY_SPACE)
def test_a_cell_costs_what_its_network_does(name: str, cell: int) -> None:
    space = spaces.get(name)
    with torch.device("meta"):
        network = space.build(cell, 20)
    assert space.costs["params"](cell, 20) == sum(parameter.numel() for parameter in network.parameters())
    assert space.costs["flops"](cell, 20) >= space.costs["live_flops"](cell, 20)


def test_an_unknown_space_is_refused() -> None:
    with pytest.raises(InputError, match="did you mean 'nb201'"):
        spaces.get("nb101")
