"""What a study of searches is asked to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from diswot.benchmarks.errors import InputError
from diswot.harness.compute.plan import Plan as SweepPlan

#: The driver that stands for the one that ranks best.
WINNER = "winner"

#: The driver that stands for the best that is no ensemble: this project chose nothing about it by accuracies.
WINNING_PROXY = "winning-proxy"


class NoSearchError(InputError):
    """A search has nothing to follow or to be judged by: no winner, no score that is defined, no accuracy."""


@dataclass(frozen=True)
class Plan:
    """Everything that a study is asked to do.

    Attributes:
        run: the folder of the run whose scores are taken; the study is kept in it.
        drivers: proxies, ensembles, `WINNER` or `WINNING_PROXY`.
        algorithms: of `diswot.harness.search.algorithms.ALGORITHMS`.
        evaluations: how many cells a search may score; None for what suits the number of cells.
        population: how many evolution keeps; likewise.
        tournament: of how many the best is a parent; likewise.
        crossover: how likely a child has two parents.
        searches: how many, with seeds from 0, for every driver and algorithm.
        cells: that may be searched; None for all that may be scored.
        budgets: the most that each of them may cost, by the names of the costs.
        cost: the second objective, of which less is better, named as a budget is; None for a search by score alone.
        targets: accuracies to judge picks by; empty for the space's own.
        weight_seed: of the weights whose scores are followed.
        teachers: the study is done with each; empty for the run's own.
        live: how to score what the run does not know; None to search among what it knows.
    """

    run: Path
    drivers: tuple[str, ...]
    algorithms: tuple[str, ...] = ("evolution", "random")
    evaluations: int | None = None
    population: int | None = None
    tournament: int | None = None
    crossover: float = 0.0
    searches: int = 10
    cells: tuple[int, ...] | None = None
    budgets: Mapping[str, float] = field(default_factory=dict)
    cost: str | None = None
    targets: tuple[str, ...] = ()
    weight_seed: int = 0
    teachers: tuple[str, ...] = ()
    live: SweepPlan | None = None
