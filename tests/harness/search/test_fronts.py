"""Fronts and hypervolumes against their definitions."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from diswot.harness.search import fronts


def values(seed: int, count: int = 40) -> tuple[dict[int, float], dict[int, float]]:
    """Scores and costs by cell, with ties, undefined scores, and cells without a cost."""
    draw = random.Random(seed)
    good = {cell: draw.choice([-math.inf, *map(float, range(9))]) for cell in range(count)}
    costs = {cell: float(draw.randrange(9)) for cell in range(count) if draw.random() < 0.9}
    return good, costs


@pytest.mark.parametrize("seed", range(20))
def test_efficient_returns_the_cells_that_no_cell_dominates(seed: int) -> None:
    good, costs = values(seed)
    front = fronts.efficient(good, good, costs)
    known = [cell for cell in costs if good[cell] > -math.inf]

    def dominates(first: int, second: int) -> bool:
        no_worse = good[first] >= good[second] and costs[first] <= costs[second]
        return no_worse and (good[first], costs[first]) != (good[second], costs[second])

    undominated = [cell for cell in known if not any(dominates(rival, cell) for rival in known)]
    points = {(costs[cell], good[cell]) for cell in undominated}
    assert [(costs[cell], good[cell]) for cell in front] == sorted(points)
    assert set(front) <= set(undominated)
    assert front == fronts.efficient(reversed(list(good)), good, costs)  # whatever the order


@pytest.mark.parametrize("seed", range(20))
def test_hypervolume_is_the_area_that_the_points_dominate(seed: int) -> None:
    draw = random.Random(seed)
    points = [(draw.randrange(12), draw.randrange(12)) for _ in range(draw.randrange(1, 9))]
    squares = itertools.product(range(12), repeat=2)
    area = sum(any(x < across and y < up for across, up in points) for x, y in squares)
    assert fronts.hypervolume([(float(x), float(y)) for x, y in points]) == area


def test_hypervolume_of_nothing_is_0() -> None:
    assert fronts.hypervolume([]) == 0


def test_shares_count_the_cells_that_are_no_better() -> None:
    costs = {1: 5.0, 2: 7.0, 3: 5.0, 4: 9.0}
    assert fronts.shares(costs) == {1: 0.5, 2: 0.75, 3: 0.5, 4: 1.0}
    assert fronts.shares(costs, lower_is_better=True) == {1: 1.0, 2: 0.5, 3: 1.0, 4: 0.25}


def test_a_plane_gives_the_whole_front_1_and_its_parts_less() -> None:
    good, costs = values(3)
    plane = fronts._Plane(good, costs)
    front = fronts.efficient(good, good, costs)
    assert plane.covered(good) == plane.covered(front) == 1
    parts = [plane.covered(front[:count]) for count in range(len(front) + 1)]
    assert parts[0] == 0
    assert parts == sorted(parts)
    assert parts[-2] < 1
