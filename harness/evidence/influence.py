"""How much each function of cells moves a rank correlation: what intervals and comparisons are made of.

A rank correlation is a smooth function of a few averages over cells and pairs of cells. Its influence function says, to
first order, by how much the correlation changes with the weight of one cell (Hampel, "The influence curve and its role
in robust estimation", JASA 1974; Croux and Dehon, "Influence functions of the Spearman and Kendall correlation
measures", 2010). Cells that compute the same function are one observation, so their influences are added. The sum of
the squares over functions is the variance of the correlation (the infinitesimal jackknife, Efron and Tibshirani, An
Introduction to the Bootstrap, 1993, section 21.3). No resampling is needed, so equal input gives equal intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

#: From values of cells x (n,) and y (n,), neither constant, to their correlation and the influence of every cell, (n,),
#: of mean 0.
Influence = Callable[[np.ndarray, np.ndarray], tuple[float, np.ndarray]]


@dataclass(frozen=True, eq=False)
class Estimates:
    """Estimates of any shape, and by how much each of F functions of cells moves them.

    Attributes:
        value: (...), NaN where undefined.
        influence: (..., F); the sum of squares over F is the variance of the value.
        functions: (...), how many functions entered.
    """

    value: np.ndarray
    influence: np.ndarray
    functions: np.ndarray

    def __sub__(self, other: Estimates) -> Estimates:
        """Return the paired difference, of estimates from the same functions."""
        fewer = np.minimum(self.functions, other.functions)
        return Estimates(self.value - other.value, self.influence - other.influence, fewer)

    def __getitem__(self, place: Any) -> Estimates:
        """Return some of the estimates, indexed as `value` is."""
        return Estimates(self.value[place], self.influence[place], self.functions[place])

    def reshaped(self, shape: tuple[int, ...]) -> Estimates:
        """Return the estimates in another shape."""
        influence = self.influence.reshape(*shape, self.influence.shape[-1])
        return Estimates(self.value.reshape(shape), influence, self.functions.reshape(shape))


def spearman(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Return Spearman's rho, ties averaged, and the influence of every cell.

    Rho is the covariance of the ranks over the root of the product of their variances. A cell contributes by its own
    ranks, and it moves the ranks of all cells above it.
    """
    u, v = _centred_ranks(x), _centred_ranks(y)
    covariance, x_variance, y_variance = (u * v).mean(), (u * u).mean(), (v * v).mean()
    above_x, above_y = _Above(x), _Above(y)
    moved = u * v + above_x.mean(v) + above_y.mean(u)
    x_moved = u * u + 2 * above_x.mean(u)
    y_moved = v * v + 2 * above_y.mean(v)
    return _ratio(covariance, x_variance, y_variance, moved, x_moved, y_moved)


def kendall(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Return Kendall's tau-b and the influence of every cell.

    Tau-b is the mean over pairs of cells of sign(x_i - x_j) sign(y_i - y_j), over the root of the product of the shares
    of pairs that do not tie in x and in y.
    """
    cells = len(x)
    below_x, tied_x = _below_and_tied(x)
    below_y, tied_y = _below_and_tied(y)
    both_below, below_in_x_tied_in_y, tied_in_x_below_in_y, tied_in_both = _dominated(x, y)
    above_in_x = cells - below_x - tied_x
    # Of the cells above in x: those below in y, and those tied in y; the rest is above in both.
    above_below = below_y - both_below - tied_in_x_below_in_y
    above_tied = tied_y - below_in_x_tied_in_y - tied_in_both
    both_above = above_in_x - above_below - above_tied
    below_above = below_x - both_below - below_in_x_tied_in_y
    # Each cell enters as either one of a pair.
    moved = 2 * (both_below + both_above - above_below - below_above) / cells
    x_moved, y_moved = 2 * (cells - tied_x) / cells, 2 * (cells - tied_y) / cells
    return _ratio(moved.mean() / 2, x_moved.mean() / 2, y_moved.mean() / 2, moved, x_moved, y_moved)


def stacked(rows: Sequence[Estimates]) -> Estimates:
    """Return estimates of shape (1, T), one below the other."""
    return Estimates(
        np.concatenate([row.value for row in rows]),
        np.concatenate([row.influence for row in rows]),
        np.concatenate([row.functions for row in rows]),
    )


def correlate(influence_of: Influence, scores: np.ndarray, accuracies: np.ndarray, functions: np.ndarray) -> Estimates:
    """Correlate every row of scores with every row of accuracies.

    Args:
        influence_of: the rank correlation.
        scores: (R, n), -inf where undefined, NaN where there is none: such a cell is left out of its row.
        accuracies: (T, n), finite.
        functions: (n,), the number of every cell's function, 0 to F - 1.

    Returns:
        Estimates of shape (R, T).
    """
    count = int(functions.max(initial=-1)) + 1
    value = np.full((len(scores), len(accuracies)), np.nan)
    influence = np.zeros((*value.shape, count))
    entered = np.zeros(value.shape, np.int64)
    for row, target in np.ndindex(*value.shape):
        kept = ~np.isnan(scores[row])
        x, y = scores[row][kept], accuracies[target][kept]
        entered[row, target] = len(np.unique(functions[kept]))
        if len(x) > 1 and (x != x[0]).any() and (y != y[0]).any():
            value[row, target], of_cells = influence_of(x, y)
            influence[row, target] = np.bincount(functions[kept], of_cells / len(x), minlength=count)
    return Estimates(value, influence, entered)


def partial(xy: Estimates, xz: Estimates, yz: Estimates) -> Estimates:
    """Return the partial rank correlation of x and y, controlling for z.

    (r_xy - r_xz r_yz) / sqrt((1 - r_xz^2)(1 - r_yz^2)); of Kendall's tau the same (Kendall, 1942). NaN where z decides
    x or y.
    """
    left = np.maximum(0, (1 - xz.value**2) * (1 - yz.value**2))
    root = np.sqrt(np.where(left > 1e-12, left, np.nan))
    value = (xy.value - xz.value * yz.value) / root
    moved = xy.influence - xz.value[..., None] * yz.influence - yz.value[..., None] * xz.influence
    shrunk = (xz.value / (1 - np.where(xz.value**2 < 1, xz.value**2, np.nan)))[..., None] * xz.influence
    shrunk = shrunk + (yz.value / (1 - np.where(yz.value**2 < 1, yz.value**2, np.nan)))[..., None] * yz.influence
    fewest = np.minimum(np.minimum(xy.functions, xz.functions), yz.functions)
    return Estimates(value, moved / root[..., None] + value[..., None] * shrunk, fewest)


def mean(estimates: Estimates, axis: int) -> Estimates:
    """Return the mean over an axis of `value`, such as weight seeds, where it is defined; NaN where it never is."""
    defined = np.isfinite(estimates.value)
    count = defined.sum(axis=axis)
    weight = np.divide(1.0, count, out=np.full(count.shape, np.nan), where=count > 0)
    value = np.where(defined, estimates.value, 0).sum(axis=axis) * weight
    influence = np.where(defined[..., None], estimates.influence, 0).sum(axis=axis) * weight[..., None]
    return Estimates(value, influence, estimates.functions.max(axis=axis, initial=0))


class _Above:
    """For every cell, what lies above it in x; a tied cell, itself included, counts half."""

    def __init__(self, x: np.ndarray) -> None:
        self.order = np.argsort(x, kind="stable")
        ordered = x[self.order]
        self.first, self.last = np.searchsorted(ordered, x, "left"), np.searchsorted(ordered, x, "right")

    def mean(self, weights: np.ndarray) -> np.ndarray:
        """Return the sum of the weights above every cell, over the number of cells."""
        sums = np.concatenate([[0.0], np.cumsum(weights[self.order])])
        total: np.ndarray = (sums[-1] - (sums[self.first] + sums[self.last]) / 2) / len(weights)
        return total


def _centred_ranks(values: np.ndarray) -> np.ndarray:
    ranks: np.ndarray = stats.rankdata(values) / len(values)
    return ranks - ranks.mean()


def _ratio(
    top: float, x_scale: float, y_scale: float, moved: np.ndarray, x_moved: np.ndarray, y_moved: np.ndarray
) -> tuple[float, np.ndarray]:
    # The delta method for top / sqrt(x_scale * y_scale).
    root = np.sqrt(x_scale * y_scale)
    value = top / root
    influence = moved / root - value / 2 * (x_moved / x_scale + y_moved / y_scale)
    return float(value), influence - influence.mean()


def _below_and_tied(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # For every cell, how many lie below it and how many tie with it, itself included.
    ordered = np.sort(x)
    first, last = np.searchsorted(ordered, x, "left"), np.searchsorted(ordered, x, "right")
    return first, last - first


def _dominated(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    # For every cell, how many others are: below in both; below in x and tied in y; tied in x and below in y; tied in
    # both, itself included.
    x, y = stats.rankdata(x, "dense").astype(np.int64), stats.rankdata(y, "dense").astype(np.int64)
    x_then_y, y_then_x = x * (y.max() + 1) + y, y * (x.max() + 1) + x
    tied_in_both = _below_and_tied(x_then_y)[1]
    tied_in_x_below_in_y = _below_and_tied(x_then_y)[0] - _below_and_tied(x)[0]
    below_in_x_tied_in_y = _below_and_tied(y_then_x)[0] - _below_and_tied(y)[0]
    # Ascending in x and, where x ties, descending in y: whatever stands before and is smaller in y is smaller in both.
    order = np.lexsort([-y, x])
    both_below = np.empty(len(x), np.int64)
    both_below[order] = _smaller_before(y[order])
    return both_below, below_in_x_tied_in_y, tied_in_x_below_in_y, tied_in_both


def _smaller_before(values: np.ndarray) -> np.ndarray:
    """Return for every place how many smaller values stand before it, by merging sorted blocks: O(n log^2 n)."""
    length = 1 << max(len(values) - 1, 0).bit_length()
    # Padding is larger than everything and stands last, so it counts for nothing.
    padded = np.concatenate([values, np.full(length - len(values), values.max(initial=0) + 1)])
    smaller = np.zeros(length, np.int64)
    places = np.arange(length)
    width = 1
    while width < length:
        # Blocks of two sorted halves; of equal values the right half's come first, since only smaller ones count.
        blocks, at = padded.reshape(-1, 2 * width), places.reshape(-1, 2 * width)
        from_left = np.arange(2 * width) < width
        order = np.argsort(2 * blocks + from_left, axis=1, kind="stable")
        left_before = np.cumsum(from_left[order], axis=1)
        padded, places = np.take_along_axis(blocks, order, 1).ravel(), np.take_along_axis(at, order, 1).ravel()
        right = ~from_left[order]
        smaller[places.reshape(-1, 2 * width)[right]] += left_before[right]
        width *= 2
    return smaller[: len(values)]
