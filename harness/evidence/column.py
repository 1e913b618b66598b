"""Values of cells and where each stands among the others, sorted once and used by every metric."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np


@dataclass(frozen=True, eq=False)
class Column:
    """Values of cells and where they stand among each other.

    Attributes:
        values: (cells,).
        above: how many values are higher.
        tied: how many are equal, itself included.
    """

    values: np.ndarray
    above: np.ndarray
    tied: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> Column:
        """Rank values, of which none is NaN."""
        return cls(values, *_before_and_tied(-values))

    @property
    def ranks(self) -> np.ndarray:
        """Ranks, 1 the highest, ties averaged."""
        ranks: np.ndarray = self.above + (self.tied + 1) / 2
        return ranks

    @property
    def is_constant(self) -> bool:
        """Whether all values are equal, or there are none."""
        return bool((self.tied == len(self.values)).all())

    def chance_in_top(self, count: int) -> np.ndarray:
        """Return how likely each is among the ``count`` highest when ties are broken at random."""
        return np.clip((count - self.above) / self.tied, 0, 1)

    def mean_at_places(self, by_place: np.ndarray) -> np.ndarray:
        """Return for every value the number of its place, the highest's first; tied values share the mean of theirs."""
        means: np.ndarray = self._sums(by_place) / self.tied
        return means

    def sum_above(self, weights: np.ndarray) -> np.ndarray:
        """Return for every value the sum of the weights of the higher ones; those of tied ones, its own too, half."""
        in_order = weights[np.argsort(self.above, kind="stable")]
        return np.concatenate([[0.0], np.cumsum(in_order)])[self.above] + self._sums(in_order) / 2

    def _sums(self, in_order: np.ndarray) -> np.ndarray:
        # For every value, the sum of numbers at the places, from the highest on, that it and those tied with it take.
        sums = np.concatenate([[0.0], np.cumsum(in_order)])
        total: np.ndarray = sums[self.above + self.tied] - sums[self.above]
        return total


@lru_cache(maxsize=1)  # both of Kendall's taus ask for the same pair
def concordance(x: Column, y: Column) -> np.ndarray:
    """Return for every cell how many others are in the same order in both columns, less how many are in the opposite.

    Half of the sum is the numerator of Kendall's tau. O(n log n). The array must not be changed.
    """
    cells = len(x.values)
    # Of the cells above in x, some are above in y, some tie and the rest is below; of those above in y likewise. Of the
    # nine ways to stand to a cell, four counts and the sums of rows and columns give all.
    in_x_first, tied_in_both = _before_and_tied(x.above * cells + y.above)
    in_y_first, _ = _before_and_tied(y.above * cells + x.above)
    tied_in_x_above_in_y, above_in_x_tied_in_y = in_x_first - x.above, in_y_first - y.above
    order = np.lexsort((-y.above, x.above))
    above_in_both = np.empty(cells, np.int64)
    above_in_both[order] = smaller_before(y.above[order])
    above_below = x.above - above_in_both - above_in_x_tied_in_y
    below_above = y.above - above_in_both - tied_in_x_above_in_y
    tied_below = x.tied - tied_in_both - tied_in_x_above_in_y
    below_in_both = (cells - y.above - y.tied) - above_below - tied_below
    counts: np.ndarray = above_in_both + below_in_both - above_below - below_above
    return counts


def smaller_before(values: np.ndarray) -> np.ndarray:
    """Return for every place how many smaller values stand before it; values are integers from 0. O(n log n).

    Two values differ first at one of their bits, counted from the highest. At every bit, the values that agree above it
    are together, in their old order; each with a 1 has the 0s before it as smaller ones.
    """
    cells, bits = len(values), int(values.max(initial=0)).bit_length()
    values = values.astype(np.uint16 if bits <= 16 else np.int64)  # numpy sorts 16 bits in linear time
    smaller, order = np.zeros(cells, np.int64), np.arange(cells)
    for bit in reversed(range(bits)):
        ordered = values[order]
        zeros = np.concatenate([[0], np.cumsum(ordered >> bit & 1 == 0)])
        first, size = _runs(ordered >> (bit + 1))
        smaller[order] += np.where(ordered >> bit & 1, zeros[1:] - np.repeat(zeros[first], size), 0)
        order = order[np.argsort(ordered >> bit, kind="stable")]
    return smaller


def _before_and_tied(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # For every value, how many are smaller, and how many are equal, itself included.
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - count)[place], count[place]


def _runs(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # Where runs of equal values begin, and how long they are.
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return first, np.diff(first, append=len(ordered))
