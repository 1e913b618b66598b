"""The kinds of figures that a run can get: a registry, in the order of the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from diswot.benchmarks.registry import Registry
from diswot.harness.runs.results import Results
from diswot.reports.figures import (
    agreement,
    bars,
    cost,
    distilled_vanilla,
    over_vanilla,
    recall,
    relations,
    scatter,
    search_accuracy,
    search_cells,
    search_curves,
    search_front,
    search_teachers,
    seeds,
)
from diswot.reports.figures.drawing import Drawing


@dataclass(frozen=True)
class Kind:
    """A kind of figure.

    Attributes:
        name: as the user asks for it.
        title: above its figures on the page.
        draw: from a run to its figures; none where the run lacks what they need.
        of_search: whether it shows what a search found; the others are only drawn of a run that holds correlations.
    """

    name: str
    title: str
    draw: Callable[[Results], list[Drawing]]
    of_search: bool = False


_ALL = [
    Kind("bars", "Correlations", bars.drawings),
    Kind("two-targets", "Distilled against vanilla correlation", over_vanilla.drawings),
    Kind("seeds", "Spread over seeds", seeds.drawings),
    Kind("cost", "Cost against correlation", cost.drawings),
    Kind("recall", "Finding the best cells", recall.drawings),
    Kind("agreement", "Agreement between proxies", agreement.drawings),
    Kind("distilled-vanilla", "What distillation changes", distilled_vanilla.drawings),
    Kind("relations", "What DisWOT compares", relations.drawings),
    Kind("scatters", "Rank scatters", scatter.drawings),
    Kind("search", "Evolution against random search", search_curves.drawings, of_search=True),
    Kind("search-accuracy", "Accuracy while searching", search_accuracy.drawings, of_search=True),
    Kind("search-front", "Score and cost together", search_front.drawings, of_search=True),
    Kind("search-cells", "Final cells", search_cells.drawings, of_search=True),
    Kind("search-teachers", "Does the teacher change the choice?", search_teachers.drawings, of_search=True),
]

#: Every kind of figure by its name.
KINDS: Registry[Kind] = Registry(Kind, "figures", "diswot.figures", {kind.name: kind for kind in _ALL})
