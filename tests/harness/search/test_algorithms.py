"""Searches on objectives with a known optimum, against theory, brute force, and objectives that must change nothing."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from diswot.benchmarks import spaces
from diswot.benchmarks.errors import InputError
from diswot.benchmarks.spaces import Space, nb201, neighbours
from diswot.harness.evidence.ensembles import ENSEMBLES
from diswot.harness.search.algorithms import ALGORITHMS, Options, Search, check
from diswot.harness.search.driver import Driver, Scores, judged
from diswot.harness.search.side_by_side import Trail, conduct

S0, NB201 = spaces.get("s0"), spaces.get("nb201")
OPTIONS = Options(evaluations=24, population=6, tournament=3, crossover=0.0)
PROXY = Driver("mine", ("mine",), (1.0,), None)


def search(
    values: dict[int, float],
    seeds: Iterable[int] = (0,),
    *,
    options: Options = OPTIONS,
    algorithm: str = "evolution",
    space: Space = S0,
    cells: tuple[int, ...] | None = None,
) -> list[Trail]:
    """The trails of searches for the highest value."""
    searches = {seed: ALGORITHMS[algorithm](space, cells or tuple(space.cells), options, seed) for seed in seeds}
    scores = {cell: (value,) for cell, value in values.items()}
    return list(conduct(searches, PROXY, scores, refuse).values())


def refuse(cells: list[int]) -> None:
    raise AssertionError(f"{cells} have a score already")


def hill(space: Space = S0) -> dict[int, float]:
    """A value that rises with every option towards one cell, a little unevenly, so that no two are equal."""
    weights = [1 + 0.1 * place for place in range(len(space.options))]
    return {
        cell: sum(weight * option for weight, option in zip(weights, space.encode(cell), strict=True)) + 1e-6 * number
        for number, cell in enumerate(space.cells)
    }


def rugged(seed: int = 0) -> dict[int, float]:
    values = np.random.default_rng(seed).normal(size=len(S0.cells))
    return dict(zip(S0.cells, values.tolist(), strict=True))


@given(
    seed=st.integers(0, 10**6),
    evaluations=st.integers(1, 64),
    population=st.integers(1, 64),
    tournament=st.integers(1, 64),
    crossover=st.sampled_from([0.0, 0.5, 1.0]),
    most=st.integers(200_000, 700_000),
)
def test_a_search_scores_distinct_cells_of_the_budget_and_as_many_as_it_may(
    seed: int, evaluations: int, population: int, tournament: int, crossover: float, most: int
) -> None:
    cells = tuple(cell for cell in S0.cells if S0.costs["params"](cell, 100) <= most)
    evaluations = min(evaluations, len(cells))
    population = min(population, evaluations)
    options = Options(evaluations, population, min(tournament, population), crossover)
    check(options, cells)
    for algorithm in ("evolution", "random"):  # tpe, which is slower, has a test of its own
        (trail,) = search(rugged(), [seed], options=options, algorithm=algorithm, cells=cells)
        assert len(set(trail.cells)) == len(trail.cells) == evaluations
        assert set(trail.cells) <= set(cells)
        assert trail.pick(evaluations) == max(trail.cells, key=rugged().__getitem__)


def test_both_algorithms_begin_with_the_same_distinct_cells() -> None:
    for seed in range(20):
        one, other = (search(hill(), [seed], algorithm=name)[0].cells[:6] for name in ("evolution", "random"))
        assert one == other
        assert len(set(one)) == 6
    assert len({search(hill(), [seed])[0].cells[:6] for seed in range(20)}) == 20


def test_a_child_differs_from_a_cell_of_the_population_at_one_place() -> None:
    (trail,) = search(hill())
    for number in range(6, 24):
        population = trail.cells[number - 6 : number]
        assert any(trail.cells[number] in neighbours(S0, parent) for parent in population)


def test_the_parent_is_the_best_of_the_tournament_and_the_oldest_leaves() -> None:
    # With a tournament of the whole population every child is a neighbour of the best cell among the last ones.
    values = hill(NB201)
    options = Options(evaluations=60, population=8, tournament=8, crossover=0.0)
    (trail,) = search(values, options=options, space=NB201)
    for number in range(8, 60):
        best = max(trail.cells[number - 8 : number], key=values.__getitem__)
        assert trail.cells[number] in neighbours(NB201, best)


def test_a_child_of_two_parents_takes_every_option_from_either() -> None:
    options = Options(evaluations=60, population=30, tournament=2, crossover=1.0)
    (trail,) = search(hill(NB201), options=options, space=NB201)
    crossed = 0
    for number in range(30, 60):
        population = [NB201.encode(cell) for cell in trail.cells[number - 30 : number]]
        child = NB201.encode(trail.cells[number])
        crossed += any(
            all(option in pair for option, pair in zip(child, zip(one, other, strict=True), strict=True))
            for one, other in itertools.combinations(population, 2)
        )
    assert crossed >= 28  # a child that is not new is mutated instead


def test_where_nothing_near_is_new_or_allowed_a_search_still_goes_on() -> None:
    far = (
        "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    )
    cells = tuple(nb201.Cell.from_string(text).index for text in far)
    options = Options(evaluations=2, population=1, tournament=1, crossover=0.0)
    (trail,) = search(dict.fromkeys(cells, 1.0), options=options, space=NB201, cells=cells)
    assert sorted(trail.cells) == sorted(cells)


@pytest.mark.parametrize(
    "change", [lambda x: 3 * x + 7, lambda x: x**3, math.atan, lambda x: math.exp(5 * x)], ids=lambda _: ""
)
def test_a_monotone_transform_of_the_score_changes_nothing(change: Callable[[float], float]) -> None:
    changed = {cell: change(value) for cell, value in rugged().items()}
    assert search(changed, range(50)) == search(rugged(), range(50))


def test_a_score_of_which_lower_is_better_is_searched_like_its_negative() -> None:
    lower = Driver("mine", ("mine",), (-1.0,), None)
    frame_values = {cell: -value for cell, value in rugged().items()}
    from diswot.harness.search.driver import oriented

    scores = {cell: oriented(lower, [value]) for cell, value in frame_values.items()}
    searches = {seed: ALGORITHMS["evolution"](S0, tuple(S0.cells), OPTIONS, seed) for seed in range(50)}
    assert list(conduct(searches, lower, scores, refuse).values()) == search(rugged(), range(50))


def optimum_found(values: dict[int, float], seeds: Iterable[int], options: Options = OPTIONS) -> list[bool]:
    best = max(values, key=values.__getitem__)
    return [best in trail.cells for trail in search(values, seeds, options=options)]


def test_on_a_permuted_objective_no_search_is_better_than_drawing_lots() -> None:
    # Wolpert and Macready, 1997: over all permutations every search that does not repeat itself finds the optimum of
    # M cells within k evaluations with probability k / M.
    values = hill()
    found = []
    for seed in range(600):
        shuffled = list(values.values())
        random.Random(seed).shuffle(shuffled)
        found += optimum_found(dict(zip(values, shuffled, strict=True)), [seed])
    assert stats.binomtest(sum(found), len(found), OPTIONS.evaluations / len(values)).pvalue > 0.001
    assert np.mean(optimum_found(values, range(600))) > 0.6  # whereas the objective itself can be climbed


def test_renamed_options_leave_the_rate_alone() -> None:
    # A permutation of options and places maps neighbours to neighbours, so that evolution cannot know the difference.
    values = hill()
    renamed = {}
    for cell, value in values.items():
        a, b, c = S0.encode(cell)
        renamed[S0.decode(((3 - c) % 4, (a + 1) % 4, (b + 2) % 4))] = value
    counts = [
        [sum(found), len(found) - sum(found)]
        for found in (optimum_found(values, range(800)), optimum_found(renamed, range(800, 1600)))
    ]
    assert stats.fisher_exact(counts).pvalue > 0.001


def brute_force(values: dict[int, float], evaluations: int) -> float:
    """The exact probability that evolution with a population of two and a tournament of two finds the optimum."""
    best = max(values, key=values.__getitem__)

    def chance(population: tuple[int, int], seen: frozenset[int], left: int) -> float:
        if best in seen:
            return 1.0
        if left == 0:
            return 0.0
        parent = max(population, key=values.__getitem__)
        new = [cell for cell in neighbours(S0, parent) if cell not in seen]
        return sum(chance((population[1], child), seen | {child}, left - 1) for child in new) / len(new)

    pairs = list(itertools.permutations(S0.cells, 2))
    return sum(chance(pair, frozenset(pair), evaluations - 2) for pair in pairs) / len(pairs)


@pytest.mark.parametrize("objective", [hill, rugged], ids=["hill", "rugged"])
def test_the_optimum_is_found_at_the_rate_that_brute_force_predicts(objective: Callable[[], dict[int, float]]) -> None:
    values = objective()
    options = Options(evaluations=4, population=2, tournament=2, crossover=0.0)
    found = optimum_found(values, range(6000), options)
    assert stats.binomtest(sum(found), len(found), brute_force(values, 4)).pvalue > 0.001


def test_noise_costs_what_it_hides_of_the_optimum() -> None:
    # A search knows the noisy score alone: it ends at the true optimum as often as that one is the noisy optimum too,
    # counted draw by draw, and is found.
    values = hill()
    best = max(values, key=values.__getitem__)
    hits = predicted = 0.0
    clean = np.mean(optimum_found(values, range(600)))
    for seed in range(600):
        noise = np.random.default_rng(seed).normal(scale=0.3, size=len(values))
        noisy = {cell: value + one for (cell, value), one in zip(values.items(), noise, strict=True)}
        (trail,) = search(noisy, [seed])
        hits += trail.pick(OPTIONS.evaluations) == best
        predicted += max(noisy, key=noisy.__getitem__) == best
    assert stats.binomtest(int(hits), 600, predicted / 600 * clean).pvalue > 0.001


@pytest.mark.parametrize("name", ["params", "flops", "live_flops"])
def test_evolution_beats_random_search_in_evaluations(name: str) -> None:
    # Evaluations until a cell of the best half percent, in pairs of searches that begin alike; 100 seeds.
    values = {cell: float(NB201.costs[name](cell, 10)) for cell in NB201.cells}
    bar = np.quantile(list(values.values()), 0.995)
    options = Options(evaluations=200, population=20, tournament=5, crossover=0.0)
    taken = [
        [
            next((at for at, cell in enumerate(trail.cells, 1) if values[cell] >= bar), options.evaluations + 1)
            for trail in search(values, range(100), options=options, algorithm=algorithm, space=NB201)
        ]
        for algorithm in ("random", "evolution")
    ]
    fewer = np.subtract(*taken)
    assert stats.ttest_1samp(fewer, 0).confidence_interval().low > 0


def test_an_ensemble_ranks_the_cells_that_the_search_has_seen() -> None:
    ensemble = ENSEMBLES["diswot_rank"]
    driver = Driver("diswot_rank", ensemble.members, (1.0, 1.0), ensemble)
    one, other = rugged(1), rugged(2)
    scores: Scores = {cell: (one[cell], other[cell]) for cell in S0.cells}
    searches = {0: ALGORITHMS["evolution"](S0, tuple(S0.cells), OPTIONS, 0)}
    trail = conduct(searches, driver, scores, refuse)[0]
    for at in range(1, OPTIONS.evaluations + 1):
        seen = trail.cells[:at]
        ranks = [stats.rankdata([values[cell] for cell in seen]) for values in (one, other)]
        mean = np.mean(ranks, axis=0)
        assert mean[seen.index(trail.pick(at))] == mean.max()  # type: ignore[arg-type]


def test_searches_side_by_side_are_those_alone() -> None:
    ensemble = ENSEMBLES["diswot_log_rank"]
    driver = Driver(ensemble.name, ensemble.members, (1.0, 1.0), ensemble)
    values = rugged(1), rugged(2) | dict.fromkeys(S0.cells[::3], -math.inf)
    scores: Scores = {cell: (values[0][cell], values[1][cell]) for cell in S0.cells}
    asked = [(name, seed) for name in ("evolution", "random") for seed in range(4)]

    def begun(name: str, seed: int) -> Search:
        return ALGORITHMS[name](S0, tuple(S0.cells), Options(20 + seed, 5 + seed % 2, 3, 0.0), seed)

    together = conduct({key: begun(*key) for key in asked}, driver, scores, refuse)
    assert together == {key: conduct({0: begun(*key)}, driver, scores, refuse)[0] for key in asked}


def test_a_cell_is_undefined_to_an_ensemble_where_all_its_members_are() -> None:
    ensemble = ENSEMBLES["diswot_rank"]
    driver = Driver("diswot_rank", ensemble.members, (1.0, 1.0), ensemble)
    scores: Scores = {1: (-math.inf, -math.inf), 2: (-math.inf, 3.0), 3: (1.0, 2.0)}
    good = judged(driver, scores, [1, 2, 3])
    assert good[1] == -math.inf
    assert math.isfinite(good[2])
    assert math.isfinite(good[3])


def test_there_is_no_pick_while_every_score_is_undefined() -> None:
    values = dict.fromkeys(S0.cells, -math.inf) | {777: 1.0}
    (trail,) = search(values, options=Options(64, 6, 3, 0.0))
    at = trail.cells.index(777) + 1
    assert trail.pick(at - 1) is None
    assert trail.pick(64) == 777
    assert search(dict.fromkeys(S0.cells, -math.inf))[0].picks == ()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (Options(65, 6, 3, 0.0), "evaluations: 65 cells were asked for; 64 may be scored here"),
        (Options(20, 21, 3, 0.0), "population: 21 cells are more than the 20 that may be scored"),
        (Options(20, 6, 7, 0.0), "tournament: 7 cells cannot be drawn from a population of 6"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: Options, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        check(options, tuple(S0.cells))
