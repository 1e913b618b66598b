"""What a search space is: whatever sweeps, searches and reports need to know of it, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from diswot.benchmarks.spaces.drawing import Chain, Graph

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Subset:
    """A subset of a space's cells.

    Attributes:
        summary: what it holds, in words.
        of: which of some cells, (n,), are in it: (n,), true or false.
    """

    summary: str
    of: Callable[[np.ndarray], np.ndarray]


def every(cells: np.ndarray) -> np.ndarray:
    """Return that all cells are in the subset, (n,)."""
    return np.ones(len(cells), bool)


def one_a_function(representative: Callable[[int], int]) -> Callable[[np.ndarray], np.ndarray]:
    """Return the subset of one cell a function: its representative, or the first of its cells where that is missing."""

    def of(cells: np.ndarray) -> np.ndarray:
        functions = np.array([representative(int(cell)) for cell in cells], int)
        order = np.lexsort([cells, functions != cells, functions])
        chosen = np.zeros(len(cells), bool)
        chosen[order[np.unique(functions[order], return_index=True)[1]]] = True
        return chosen

    return of


def itself(cell: int) -> int:
    """Return the cell, which in this space stands for none but itself."""
    return cell


@dataclass(frozen=True)
class Space:
    """A search space; its cells are known by whole numbers.

    Attributes:
        name: what it is called on the command line.
        cells: every cell's number, in the official order.
        parse: turns what a user writes into a number; raises `InputError`.
        describe: a cell's printed form.
        build: makes the network of a cell for a number of classes, with torch's default initialisation; the
            skeleton's C and N may be given, of which a space without a skeleton makes nothing.
        classes: how many classes its published accuracies have.
        costs: what a network may cost, by name, each from a cell and a number of classes: ``params``, and of one
            image ``flops``, multiply-accumulates; of all that is there, and ``live_params`` and ``live_flops`` of
            what is live.
        options: how many options there are at each place where a cell can be changed.
        encode: the option that a cell has at each place.
        decode: the cell with these options.
        live: the cell that has only the live edges of this one; the cell itself where nothing is dead.
        representative: the cell that stands for all that compute the same function as this one, given the same
            weights; it has no dead edges.
        canonical: the cell that stands for this one's isomorphism class, as the space's authors define it.
        teacher: the teacher unless something else is asked for; its feature maps have the shapes of this space's.
        has_skeleton: whether C and N change its networks.
        subsets: the subsets of cells for which results are compared, by name, all cells first.
        targets: ``table:column`` that scores are correlated with unless something else is asked for: a distilled
            accuracy first, then accuracies of every cell where those before do not know all that were evaluated.
        further_targets: by which searches are judged besides, where their tables are there.
        facts: what else is known of a cell, by name.
        text_drawing: a drawing of a cell, in letters.
        drawing: how figures and pages draw a cell; None where they do not.
    """

    name: str
    cells: range | tuple[int, ...]
    parse: Callable[[str], int]
    describe: Callable[[int], str]
    build: Callable[..., nn.Module]
    classes: int
    costs: Mapping[str, Callable[[int, int], int]]
    options: tuple[int, ...]
    encode: Callable[[int], tuple[int, ...]]
    decode: Callable[[tuple[int, ...]], int]
    live: Callable[[int], int] = itself
    representative: Callable[[int], int] = itself
    canonical: Callable[[int], int] = itself
    teacher: str = "resnet56"
    has_skeleton: bool = False
    subsets: Mapping[str, Subset] = field(default_factory=lambda: {"all": Subset("every network", every)})
    targets: tuple[str, ...] = ()
    further_targets: tuple[str, ...] = ()
    facts: Callable[[int], dict[str, Any]] = lambda cell: {}
    text_drawing: Callable[[int], str] = lambda cell: ""
    drawing: Graph | Chain | None = None
