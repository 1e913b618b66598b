"""Any optimiser as a search: what it is asked and told, and optuna's sampler as one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from diswot.benchmarks import spaces
from diswot.benchmarks.errors import InputError
from diswot.benchmarks.spaces import Space
from diswot.harness.search import ask_and_tell, fronts
from diswot.harness.search.algorithms import ALGORITHMS, Options, Search

SPACE = spaces.get("s0")
OPTIONS = Options(evaluations=4, population=2, tournament=1, crossover=0.0)


class Listed:
    """Asks for the cells of a list, again and again, and remembers what it is told."""

    def __init__(self, cells: Sequence[int]) -> None:
        self.cells = cells
        self.asked = 0
        self.told: list[tuple[int, float]] = []

    def ask(self) -> Sequence[int]:
        self.asked += 1
        return SPACE.encode(self.cells[(self.asked - 1) % len(self.cells)])

    def tell(self, chosen: Sequence[int], good: float) -> None:
        self.told.append((SPACE.decode(tuple(chosen)), good))


def run(search: Search, fitness: Callable[[Sequence[int]], Sequence[float]]) -> list[int]:
    """Return the cells that a search asks for, in order."""
    wanted = next(search)
    scored = list(wanted)
    try:
        while True:
            wanted = search.send(fitness)
            scored += wanted
    except StopIteration:
        return scored


def numbers(cells: Sequence[int]) -> list[float]:
    return [float(cell) for cell in cells]


def searched(optimiser: Listed, cells: Sequence[int] = SPACE.cells, seed: int = 0) -> list[int]:
    def make(space: Space, seed: int) -> Listed:
        return optimiser

    return run(ask_and_tell.search_by(make)(SPACE, cells, OPTIONS, seed), numbers)


def test_an_optimiser_gets_what_it_asks_for_and_is_told_its_score() -> None:
    optimiser = Listed([333, 111, 131, 311])
    assert searched(optimiser) == [333, 111, 131, 311]
    assert optimiser.told == [(333, 333.0), (111, 111.0), (131, 131.0), (311, 311.0)]


def test_a_cell_is_scored_once_and_told_again() -> None:
    optimiser = Listed([333, 333, 111, 131, 311])
    assert searched(optimiser) == [333, 111, 131, 311]
    assert optimiser.told[:2] == [(333, 333.0), (333, 333.0)]


def test_cells_outside_the_budget_are_told_to_be_worthless() -> None:
    optimiser = Listed([333, 111, 131, 311, 113])
    assert searched(optimiser, [111, 131, 311, 113, 133]) == [111, 131, 311, 113]
    assert optimiser.told[0] == (333, float("-inf"))


def test_an_optimiser_without_new_cells_gets_random_ones() -> None:
    scored = [searched(Listed([333]), seed=seed) for seed in (0, 0, 1)]
    assert scored[0] == scored[1] != scored[2]
    assert len(set(scored[0])) == OPTIONS.evaluations
    assert scored[0][0] == 333


def test_tpe_finds_better_cells_than_random_search() -> None:
    space = spaces.get("nb201")
    options = Options(evaluations=60, population=10, tournament=3, crossover=0.0)

    def fitness(cells: Sequence[int]) -> list[float]:
        return [float(sum(place == 3 for place in space.encode(cell))) for cell in cells]  # how many places are 3

    def best(name: str, seed: int) -> float:
        return max(fitness(run(ALGORITHMS[name](space, space.cells, options, seed), fitness)))

    seeds = range(3)
    assert sum(best("tpe", seed) for seed in seeds) > sum(best("random", seed) for seed in seeds)


def test_tpe_scores_distinct_cells_of_the_budget_and_repeats_itself() -> None:
    scored = [run(ALGORITHMS["tpe"](SPACE, SPACE.cells[:9], OPTIONS, seed), numbers) for seed in (0, 0, 1)]
    assert scored[0] == scored[1] != scored[2]
    assert all(len(set(cells)) == len(cells) == OPTIONS.evaluations for cells in scored)
    assert set(scored[0]) <= set(SPACE.cells[:9])


def test_tpe_without_optuna_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.setitem(sys.modules, "optuna.samplers", None)
    with pytest.raises(InputError, match=r"tpe is a sampler of optuna, .*`pip install optuna`"):
        next(ALGORITHMS["tpe"](SPACE, SPACE.cells, OPTIONS, 0))


def test_nsga2_finds_a_better_front_than_random_search() -> None:
    space = spaces.get("nb201")
    places = {cell: space.encode(cell) for cell in space.cells}
    good = {cell: float(sum(place == 3 for place in encoded[:4])) for cell, encoded in places.items()}
    costs = {cell: float(sum(place != 0 for place in encoded[2:])) for cell, encoded in places.items()}
    options = Options(evaluations=100, population=10, tournament=3, crossover=0.0, costs=costs)
    plane = fronts._Plane(good, costs)

    def covered(name: str, seed: int) -> float:
        search = ALGORITHMS[name](space, space.cells, options, seed)
        return plane.covered(run(search, lambda cells: [good[cell] for cell in cells]))

    seeds = range(3)
    assert sum(covered("nsga2", seed) for seed in seeds) > sum(covered("random", seed) for seed in seeds)


def test_nsga2_scores_distinct_cells_of_the_budget_and_repeats_itself() -> None:
    options = replace(OPTIONS, costs={cell: float(cell % 7) for cell in SPACE.cells[:9]})
    scored = [run(ALGORITHMS["nsga2"](SPACE, SPACE.cells[:9], options, seed), numbers) for seed in (0, 0, 1)]
    assert scored[0] == scored[1] != scored[2]
    assert all(len(set(cells)) == len(cells) == OPTIONS.evaluations for cells in scored)
    assert set(scored[0]) <= set(SPACE.cells[:9])


def test_nsga2_without_a_cost_is_one_sentence() -> None:
    with pytest.raises(InputError, match=r"algorithms: nsga2 has two objectives; name the second one by --cost"):
        ALGORITHMS["nsga2"](SPACE, SPACE.cells, OPTIONS, 0)


def test_the_command_line_knows_tpe(cli: Callable[..., Any]) -> None:
    said = cli("search", "s0-noise", "--proxy", "params", "--algorithm", "tpe,random", "--evaluations", "12")
    assert said.status == 0, said.sentence
    assert "tpe" in said.out
