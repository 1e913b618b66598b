"""NAS-Bench-Macro: its networks against the authors' figures, and its table against their file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from diswot.benchmarks import spaces, tables
from diswot.benchmarks.errors import InputError
from diswot.benchmarks.spaces import nbmacro
from diswot.benchmarks.tables import nas_bench_macro

SPACE = spaces.get("nbmacro")

#: What the published file says: weights, multiply-accumulates, mean accuracy.
PUBLISHED = {
    "00000211": (1479722, 29737472, 82.3133316040039),
    "02012100": (890666, 47327744, 89.19666544596355),
    "10000011": (1203722, 24932864, 75.32666524251302),
    "22222200": (1269610, 79266304, 93.07999928792317),
    "22222211": (2077034, 92070400, 92.85666402180989),
}


@pytest.mark.parametrize("layers", PUBLISHED)
def test_counts_are_the_published_ones(layers: str) -> None:
    params, flops, _ = PUBLISHED[layers]
    cell = SPACE.parse(layers)
    assert SPACE.describe(cell) == layers
    assert (SPACE.costs["params"](cell, 10), SPACE.costs["flops"](cell, 10)) == (params, flops)


@pytest.mark.parametrize("layers", ["00000000", "02012100", "22222222"])
def test_network_has_the_counted_weights_and_multiply_accumulates(layers: str) -> None:
    network = SPACE.build(SPACE.parse(layers), 7).eval()
    spent = []

    def count(module: Any, inputs: Any, output: torch.Tensor) -> None:
        spent.append(output[0].numel() * module.weight[0].numel())

    for module in network.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            module.register_forward_hook(count)
    network(torch.zeros(1, 3, 32, 32))
    weights = sum(parameter.numel() for parameter in network.parameters())
    assert nbmacro.counts(SPACE.parse(layers), 7) == (weights, sum(spent))


def test_space_has_6561_networks_and_3969_functions() -> None:
    assert len(set(SPACE.cells)) == 6561
    assert len({SPACE.representative(cell) for cell in SPACE.cells}) == 3969
    assert SPACE.describe(SPACE.representative(SPACE.parse("20100102"))) == "20100120"
    for cell in SPACE.cells:
        assert SPACE.representative(SPACE.representative(cell)) == SPACE.representative(cell)


@torch.no_grad()
@pytest.mark.parametrize("layers", ["00000001", "20100102", "01002002"])
def test_network_and_its_representative_compute_the_same_function(layers: str) -> None:
    cell = SPACE.parse(layers)
    network, trained = (SPACE.build(number, 10).train() for number in (cell, SPACE.representative(cell)))
    assert list(network.state_dict()) != list(trained.state_dict())
    trained.load_state_dict(dict(zip(trained.state_dict(), network.state_dict().values(), strict=True)))
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(trained(images), network(images), rtol=0, atol=0)


@pytest.mark.parametrize("text", ["3", "02012103", "102012100", "-1", "0201210x", ""])
def test_unknown_network_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not in NAS-Bench-Macro; its networks are named by eight digits"):
        SPACE.parse(text)


def test_shipped_accuracies_are_the_published_ones() -> None:
    frame = tables.load("nas-bench-macro").frame
    assert (len(frame), len({SPACE.representative(cell) for cell in frame.index})) == (430, 268)
    for layers, (_, _, mean) in PUBLISHED.items():
        # Published as the nearest float32 of hundredths of a percent.
        assert frame.loc[int(layers), "test"] == pytest.approx(mean, abs=1e-5)
    assert frame.loc[20100102].equals(frame.loc[20100120])


@pytest.fixture(scope="module")
def published() -> dict[str, dict[str, Any]]:
    """A file laid out as the published one, with accuracies that are made up."""
    content = {}
    for cell in SPACE.cells:
        params, flops = nbmacro.counts(cell)
        accuracies = [90 + params % 100 / 100 + seed for seed in range(3)]
        content[SPACE.describe(cell)] = {
            **{"test_acc": [float(torch.tensor(accuracy)) for accuracy in accuracies], "mean_acc": accuracies[1]},
            **{"std": 0.8, "params": params, "flops": flops},
        }
    return dict(reversed(content.items()))


def test_published_file_is_imported_whole(published: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    path = tmp_path / "nas-bench-macro_cifar10.json"
    path.write_text(json.dumps(published))
    seen: list[int] = []
    table = nas_bench_macro.read(path, lambda: seen.append(1))
    assert (table.name, table.space, table.card.licence) == ("nas-bench-macro_cifar10", "nbmacro", "Apache-2.0")
    assert len(seen) == nas_bench_macro.count(path) == len(table.frame) == 6561
    assert tuple(table.frame.index) == tuple(SPACE.cells)
    # 890,666 weights, so .66.
    assert table.frame.loc[2012100].tolist() == pytest.approx([91.66, 90.66, 91.66, 92.66], abs=1e-9)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda content: content.pop("02012100"), "no such network 02012100 as published"),
        (lambda content: content["02012100"].update(params=5), r"params and flops \(5, 47327744\)"),
        (lambda content: content["02012100"].update(test_acc=[90.0]), r"test_acc \[90.0\]"),
        (lambda content: content["02012100"].update(test_acc=[90.0, 101.0, 90.0]), "101.0"),
        (lambda content: content["02012100"].update(test_acc=["x", 1, 2]), "could not convert"),
        (lambda content: content.update({"02012100": 3}), "02012100"),
    ],
)
def test_other_file_is_refused(
    published: dict[str, dict[str, Any]], tmp_path: Path, change: Callable[[dict[str, Any]], object], told: str
) -> None:
    content = {layers: dict(record) for layers, record in published.items()}
    change(content)
    path = tmp_path / "other.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=told):
        nas_bench_macro.read(path)


@pytest.mark.parametrize("text", ["", "[]", "{", "3", "[" * 100_000])
def test_file_that_is_no_object_of_networks_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"other\.json' .*; what can be imported is the whole"):
        nas_bench_macro.read(path)
    with pytest.raises(InputError, match="there is no file"):
        nas_bench_macro.read(tmp_path / "gone.json")
