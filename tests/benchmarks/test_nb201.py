"""Cells: names, indices, graphs and counts, over all 15,625 where it is cheap enough."""

from __future__ import annotations

import time
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from diswot.benchmarks.errors import InputError
from diswot.benchmarks.spaces.nb201 import EDGES, OPERATIONS, SIZE, Cell, as_cell, counts

ALL = [Cell.from_index(index) for index in range(SIZE)]
cells = st.tuples(*[st.sampled_from(OPERATIONS)] * len(EDGES)).map(Cell)


def paths(cell: Cell) -> list[tuple[int, ...]]:
    """Every path from input to output that no ``none`` interrupts, as edge numbers: the brute-force oracle."""

    def from_node(node: int) -> list[tuple[int, ...]]:
        if node == 3:
            return [()]
        return [
            (edge, *rest)
            for edge, (source, target) in enumerate(EDGES)
            if source == node and cell.operations[edge] != "none"
            for rest in from_node(target)
        ]

    return from_node(0)


def test_every_index_and_string_round_trips() -> None:
    assert [cell.index for cell in ALL] == list(range(SIZE))
    assert [Cell.from_string(str(cell)) for cell in ALL] == ALL
    assert [Cell.from_naslib(cell.to_naslib()) for cell in ALL] == ALL
    assert len(set(ALL)) == SIZE == 15_625


def test_the_index_is_the_official_one(shared_data: Path) -> None:
    published = pd.read_csv(shared_data / "nb201_200ep.csv.gz")
    assert list(published["arch_str"]) == [str(cell) for cell in ALL]


def test_known_indices_stand_for_the_published_cells() -> None:
    # DisWOT release, models/candidates/nb201_cifar_model_zoo.py, and the optimum of CIFAR-10.
    assert Cell.from_index(2246).operations == (
        *("skip_connect", "nor_conv_3x3", "nor_conv_1x1"),
        *("nor_conv_1x1", "nor_conv_3x3", "nor_conv_3x3"),
    )
    assert str(Cell.from_index(0)) == (
        "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
    )


@given(cells)
def test_strings_are_read_as_the_official_package_reads_them(cell: Cell) -> None:
    from nas_201_api import NASBench201API

    official = NASBench201API.str2lists(str(cell))
    assert [(op, source) for node in official for op, source in node] == [
        (op, source) for op, (source, _) in zip(cell.operations, EDGES, strict=True)
    ]


def test_the_classes_have_their_published_sizes() -> None:
    assert len({cell.isomorphism for cell in ALL}) == 6_466
    assert sum(cell.is_degenerate for cell in ALL) == 341
    assert sum(not cell.has_unreachable_operation for cell in ALL) == 9_445
    assert sum(cell.live_convolutions > 0 for cell in ALL) == 13_642
    assert len({cell.live for cell in ALL}) == 9_445


@given(cells)
def test_an_edge_is_live_if_and_only_if_a_path_uses_it(cell: Cell) -> None:
    used = {edge for path in paths(cell) for edge in path}
    assert cell.live_edges == tuple(edge in used for edge in range(len(EDGES)))
    assert cell.is_degenerate == (not paths(cell))
    assert cell.live.live == cell.live


def test_isomorphic_cells_have_the_same_live_paths() -> None:
    def signature(cell: Cell) -> tuple[tuple[str, ...], ...]:
        kept = [[cell.operations[edge] for edge in path] for path in paths(cell)]
        return tuple(sorted(tuple(op for op in path if op != "skip_connect") for path in kept))

    of_class: dict[str, tuple[tuple[str, ...], ...]] = {}
    for cell in ALL:
        assert of_class.setdefault(cell.isomorphism, signature(cell)) == signature(cell)


def test_the_functions_are_counted() -> None:
    functions = {cell: cell.function for cell in ALL}
    assert len(set(functions.values())) == 5_260
    strings: dict[str, set[str]] = {}
    for cell, function in functions.items():
        strings.setdefault(cell.isomorphism, set()).add(function)
    assert sum(len(found) > 1 for found in strings.values()) == 430  # classes that hold cells of different functions


@given(cells)
def test_the_representative_is_the_cheapest_of_its_function(cell: Cell) -> None:
    chosen = cell.representative
    assert chosen.function == cell.function == cell.live.function
    assert chosen == chosen.live == chosen.representative
    assert counts.live(chosen) == counts.live(cell)
    pooled = [one.operations.count("avg_pool_3x3") for one in (chosen, cell.live)]
    assert pooled[0] <= pooled[1]


@given(cells)
def test_the_canonical_cell_is_the_first_of_its_class(cell: Cell) -> None:
    assert cell.canonical.isomorphism == cell.isomorphism
    assert cell.canonical.index <= cell.index
    assert cell.canonical.canonical == cell.canonical


@pytest.mark.parametrize(
    ("index", "params", "flops"),
    # NATS-Bench-tss, arch 0, 11 and 284, million FLOPs and parameters on CIFAR-10.
    [(0, 0.129306, 15.64737), (11, 0.802426, 113.95137), (284, 0.101306, 11.71521)],
)
def test_counts_are_the_published_ones(index: int, params: float, flops: float) -> None:
    found = counts.official(ALL[index])
    assert found.params == round(params * 1e6)
    assert found.flops == round(flops * 1e6)


def test_counts_of_other_data_sets_are_the_published_ones() -> None:
    assert counts.official(ALL[0], num_classes=100).flops == 15_653_220
    found = counts.official(ALL[0], num_classes=120, size=16)
    assert (found.params, found.flops) == (136_456, 3_919_480)


def test_counts_have_28_levels() -> None:
    assert len({counts.official(cell).params for cell in ALL}) == 28
    assert len({counts.official(cell).flops for cell in ALL}) == 28


@given(cells)
def test_live_counts_leave_out_exactly_the_dead_edges(cell: Cell) -> None:
    live, official = counts.live(cell), counts.official(cell)
    if cell.is_degenerate:
        assert live == counts.Counts(650, 650)
    else:
        assert live == counts.official(cell.live)
    assert (live == official) == (live.params == official.params)


def test_counts_correlate_with_accuracy_as_published(shared_data: Path) -> None:
    # The figures that a separate count gave on the four subsets, to the two digits in which papers state them.
    accuracy = pd.read_csv(shared_data / "nb201_200ep.csv.gz")["c10_test200_nats"]
    flops = pd.Series([counts.official(cell).flops for cell in ALL])
    subsets = {
        0.75: [True] * SIZE,
        0.76: [not cell.is_degenerate for cell in ALL],
        0.80: [not cell.has_unreachable_operation for cell in ALL],
        0.73: [cell.live_convolutions > 0 for cell in ALL],
    }
    for published, chosen in subsets.items():
        assert spearmanr(flops[chosen], accuracy[chosen]).statistic == pytest.approx(published, abs=0.005)


@pytest.mark.parametrize(
    ("given_cell", "message"),
    [
        (15_625, "index 15625 is out of range"),
        (-1, "index -1 is out of range"),
        ("banana", "'banana' is not an architecture string"),
        ("|none~0|+|none~0|none~1|+|none~0|none~1|none~1|", "is not an architecture string"),
        (
            "|nor_conv_3x4~0|+|none~0|none~1|+|none~0|none~1|none~2|",
            "'nor_conv_3x4' is not known; did you mean 'nor_conv_3x3'",
        ),
    ],
)
def test_what_is_no_cell_is_refused_in_one_sentence(given_cell: str | int, message: str) -> None:
    with pytest.raises(InputError, match=message.replace("|", r"\|")):
        as_cell(given_cell)


@given(st.text(max_size=60))
def test_any_text_is_a_cell_or_an_input_error(text: str) -> None:
    try:
        cell = as_cell(text)
    except InputError:
        return
    assert 0 <= cell.index < SIZE


@pytest.mark.parametrize("numbers", [(0, 1, 2), (0, 1, 2, 3, 4, 5), (0, 0, 0, 0, 0, -1)])
def test_what_is_no_naslib_tuple_is_refused(numbers: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="NASLib tuple"):
        Cell.from_naslib(numbers)


def test_every_class_has_one_cell_that_stands_for_it() -> None:
    standing = {cell.canonical for cell in ALL}
    assert len(standing) == 6_466
    assert all(cell.canonical == cell for cell in standing)


def test_from_string_refuses_a_long_text_at_once() -> None:
    start = time.process_time()
    with pytest.raises(InputError, match="is not an architecture string"):
        Cell.from_string("x" * 50_000)
    assert time.process_time() - start < 1  # a minute, where the search goes through all of it
