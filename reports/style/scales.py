"""Axes for numbers of any size: what is drawn is transformed, so that no axis overflows, and ticks are plain text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from matplotlib.ticker import MaxNLocator

Kind: TypeAlias = Literal["linear", "log", "symlog"]

#: Numbers of one sign with ends this many powers of ten apart stand on a logarithmic axis.
_WIDE = 2.0

#: Numbers of both signs whose largest is this many powers beyond their median stand on an axis logarithmic both ways.
_WIDER = 3.0

_LOGARITHMIC: tuple[Kind, float] = ("log", 1.0)

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Scale:
    """A linear, logarithmic or both ways logarithmic axis.

    Attributes:
        kind: of the axis.
        unit: what a linear axis divides by; the sign of a logarithmic one's numbers; or where one that is logarithmic
            both ways begins to be so.
        low: the axis' lower end, in what is drawn.
        high: its upper end.
        ticks: where its ticks are, in what is drawn.
        labels: what is written at them.
    """

    kind: Kind
    unit: float
    low: float
    high: float
    ticks: tuple[float, ...]
    labels: tuple[str, ...]

    @property
    def word(self) -> str:
        """Return what follows the axis' name: the power of ten that its labels leave out; empty where none."""
        return "" if self.unit == 1 or self.kind != "linear" else f" / {power(round(math.log10(self.unit)))}"

    def shown(self, values: np.ndarray) -> np.ndarray:
        """Return what is drawn for values; NaN stays NaN, and what a logarithm has no place for is beyond the axis."""
        return _transformed(values, self.kind, self.unit, self.low - 1 if self.unit > 0 else self.high + 1)


def fitting(values: np.ndarray, most: int = 4, logarithmic: bool = False) -> Scale:
    """Return the scale that fits values; those that are not finite are left out.

    Args:
        values: what the axis is to hold.
        most: how many ticks there may be, about.
        logarithmic: whether the axis is logarithmic however close the values; those up to zero are then left out.
    """
    known = np.asarray(values, float)
    known = known[np.isfinite(known) & ((known > 0) | (not logarithmic))]
    if not len(known):
        return Scale("linear", 1.0, 0.0, 1.0, (), ())
    kind, unit = _LOGARITHMIC if logarithmic else _kind(known)
    drawn = _transformed(known, kind, unit, 0.0)
    low, high = float(drawn.min()), float(drawn.max())
    if kind == "linear":
        room = max(0.06 * (high - low), 1e-4 * max(abs(low), abs(high)), 1e-12)
        low, high = low - room, high + room
        return Scale(kind, unit, low, high, *_even_ticks(low, high, most))
    # At least a decade, so that a power of ten stands at the axis.
    room = max(0.06 * (high - low), (1.02 - (high - low)) / 2)
    low, high = low - room, high + room
    return Scale(kind, unit, low, high, *_power_ticks(kind, unit, low, high, most))


def power(exponent: int) -> str:
    """Return a power of ten in plain letters, such as ``10⁶``."""
    return f"10{str(exponent).translate(_SUPERSCRIPTS)}"


def _kind(known: np.ndarray) -> tuple[Kind, float]:
    sizes = np.log10(np.abs(known[known != 0]))
    if not len(sizes):
        return "linear", 1.0
    one_sign = known.min() > 0 or known.max() < 0
    if one_sign and np.ptp(sizes) >= _WIDE:
        return "log", math.copysign(1.0, known.max())
    if not one_sign and sizes.max() - np.median(sizes) >= _WIDER:
        return "symlog", 10.0 ** max(-300, math.floor(np.quantile(sizes, 0.1)))
    exponent = math.floor(sizes.max())
    # Powers by threes, and none where the numbers can be written as they are.
    return "linear", 1.0 if -2 <= exponent < 4 else 10.0 ** (exponent // 3 * 3)


def _transformed(values: np.ndarray, kind: str, unit: float, beyond: float) -> np.ndarray:
    numbers = np.asarray(values, float)
    if kind == "linear":
        return numbers / unit
    if kind == "log":
        sizes = unit * numbers
        found = np.where(sizes > 0, unit * np.log10(np.where(sizes > 0, sizes, 1.0)), beyond)
        return np.where(np.isnan(numbers), np.nan, found)
    with np.errstate(divide="ignore", invalid="ignore"):  # the logarithm of zero, and NaN
        return np.sign(numbers) * _beyond_one(np.log(np.abs(numbers)) - math.log(unit))


def _beyond_one(logarithm: np.ndarray) -> np.ndarray:
    # log10(1 + exp(logarithm)), which no ratio of two numbers makes overflow.
    return np.logaddexp(0, logarithm) / math.log(10)


def _even_ticks(low: float, high: float, most: int) -> tuple[tuple[float, ...], tuple[str, ...]]:
    found = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    step = found[1] - found[0]
    decimals = max(0, -math.floor(math.log10(step)))
    if abs(step * 10**decimals - round(step * 10**decimals)) > 1e-6:  # steps of 2.5
        decimals += 1
    ticks = [float(tick) for tick in found if low <= tick <= high]
    return tuple(ticks), tuple(_signed(f"{tick + 0.0:.{decimals}f}") for tick in ticks)


def _power_ticks(
    kind: str, unit: float, low: float, high: float, most: int
) -> tuple[tuple[float, ...], tuple[str, ...]]:
    if kind == "log":
        powers = range(math.ceil(low), math.floor(high) + 1)
        chosen = powers[:: math.ceil(len(powers) / most)]
        names = _powers([round(unit * exponent) for exponent in chosen])
        return tuple(map(float, chosen)), tuple(name if unit > 0 else _signed(f"-{name}") for name in names)
    first, furthest = round(math.log10(unit)), math.floor(max(abs(low), abs(high)))
    powers = range(first + 1, first + furthest + 1)
    chosen = powers[:: math.ceil(max(len(powers), 1) / max(most // 2, 1))]
    pairs = [(0.0, "0")]
    for exponent, name in zip(chosen, _powers(chosen), strict=True):
        there = float(_beyond_one(np.float64((exponent - first) * math.log(10))))
        # What is too near to zero to be written beside it is left out.
        if there >= (high - low) / (2 * most):
            pairs += [(there, name), (-there, _signed(f"-{name}"))]
    seen = sorted(pair for pair in pairs if low <= pair[0] <= high)
    return tuple(tick for tick, _ in seen), tuple(label for _, label in seen)


def _powers(exponents: Sequence[int]) -> list[str]:
    # All as figures or none.
    if all(-3 < exponent < 4 for exponent in exponents):
        return [f"{10.0**exponent:g}" for exponent in exponents]
    return ["1" if exponent == 0 else power(exponent) for exponent in exponents]


def _signed(label: str) -> str:
    return label.replace("-", "\N{MINUS SIGN}")
