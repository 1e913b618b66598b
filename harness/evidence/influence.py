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

from diswot.harness.evidence.column import Column, concordance

#: From columns of cells x and y, neither constant, to their correlation and the influence of every cell, (n,), of
#: mean 0.
Influence = Callable[[Column, Column], tuple[float, np.ndarray]]


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


def spearman(x: Column, y: Column) -> tuple[float, np.ndarray]:
    """Return Spearman's rho, ties averaged, and the influence of every cell.

    Rho is the covariance of the ranks over the root of the product of their variances. A cell contributes by its own
    ranks, and it moves the ranks of all cells above it.
    """
    cells = len(x.values)
    u, v = (((cells + 1) / 2 - column.ranks) / cells for column in (x, y))
    covariance, x_variance, y_variance = (u * v).mean(), (u * u).mean(), (v * v).mean()
    moved = u * v + (x.sum_above(v) + y.sum_above(u)) / cells
    x_moved = u * u + 2 * x.sum_above(u) / cells
    y_moved = v * v + 2 * y.sum_above(v) / cells
    return _ratio(covariance, x_variance, y_variance, moved, x_moved, y_moved)


def kendall(x: Column, y: Column) -> tuple[float, np.ndarray]:
    """Return Kendall's tau-b and the influence of every cell.

    Tau-b is the mean over pairs of cells of sign(x_i - x_j) sign(y_i - y_j), over the root of the product of the shares
    of pairs that do not tie in x and in y.
    """
    cells = len(x.values)
    # Each cell enters as either one of a pair.
    moved = 2 * concordance(x, y) / cells
    x_moved, y_moved = 2 * (cells - x.tied) / cells, 2 * (cells - y.tied) / cells
    return _ratio(moved.mean() / 2, x_moved.mean() / 2, y_moved.mean() / 2, moved, x_moved, y_moved)


def concatenated(rows: Sequence[Estimates]) -> Estimates:
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
    whole = [Column.of(known) for known in accuracies]
    for row, of_row in enumerate(scores):
        settled = ~np.isnan(of_row)
        x = Column.of(of_row[settled])
        columns = whole if settled.all() else [Column.of(known[settled]) for known in accuracies]
        entered[row] = len(np.unique(functions[settled]))
        for target, y in enumerate(columns):
            if not x.is_constant and not y.is_constant:
                value[row, target], of_cells = influence_of(x, y)
                influence[row, target] = np.bincount(functions[settled], of_cells / len(of_cells), minlength=count)
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


def _ratio(
    top: float, x_scale: float, y_scale: float, moved: np.ndarray, x_moved: np.ndarray, y_moved: np.ndarray
) -> tuple[float, np.ndarray]:
    # The delta method for top / sqrt(x_scale * y_scale).
    root = np.sqrt(x_scale * y_scale)
    value = top / root
    influence = moved / root - value / 2 * (x_moved / x_scale + y_moved / y_scale)
    return float(value), influence - influence.mean()
