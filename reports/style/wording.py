"""How values are written: numbers with three decimals, grouped thousands, counts, and stored values of any type."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, TypeGuard

import pandas as pd

from diswot.benchmarks.errors import counted

NOT_DEFINED = "not defined"

#: The smallest probability that is written as it is.
_SMALLEST = 0.001


@dataclass(frozen=True)
class Number:
    """A number in a table.

    Attributes:
        value: what rows are sorted by; NaN where nothing is defined.
        text: what is read.
        spread: what stands beside it, smaller.
        aside: what stands below it, smaller.
        best: whether it is the best of its column.
    """

    value: float
    text: str
    spread: str = ""
    aside: str = ""
    best: bool = False


#: A number that is not known, or not defined.
UNKNOWN = Number(math.nan, NOT_DEFINED)


def decimal(value: float) -> str:
    """Return a number with three decimals and a true minus sign, or ``not defined`` where it is not finite."""
    if not math.isfinite(value):
        return NOT_DEFINED
    rounded = round(value, 3) + 0.0  # adding zero turns -0.0 into 0.0
    return f"{rounded:.3f}".replace("-", "\N{MINUS SIGN}")


def with_std(mean: float, std: float) -> str:
    """Return ``mean ± std``, or the mean alone where there is no standard deviation (one seed)."""
    if not math.isfinite(mean) or not math.isfinite(std):
        return decimal(mean)
    return f"{decimal(mean)} ± {decimal(std)}"


def interval(low: float, high: float) -> str:
    """Return ``[low, high]``; empty where an end is not finite."""
    return f"[{decimal(low)}, {decimal(high)}]" if math.isfinite(low) and math.isfinite(high) else ""


def with_interval(value: float, low: float, high: float) -> str:
    """Return ``value [low, high]``, or the value alone where there is no interval."""
    return f"{decimal(value)} {interval(low, high)}".rstrip() if math.isfinite(value) else NOT_DEFINED


def number(value: object, *, std: object = None, low: object = None, high: object = None) -> Number:
    """Return a stored number with three decimals, its standard deviation next to it and its interval below."""
    if not finite(value):
        return UNKNOWN
    spread = f"± {decimal(std)}" if finite(std) else ""
    return Number(float(value), decimal(value), spread, interval(stored_number(low), stored_number(high)))


def estimate(row: Mapping[Any, Any], name: str, std: bool = False) -> Number:
    """Return what a row holds in a column and its neighbours ``NAME_low``, ``NAME_high`` and ``NAME_std``."""
    spread = row.get(f"{name}_std") if std else None
    return number(row.get(name), std=spread, low=row.get(f"{name}_low"), high=row.get(f"{name}_high"))


def estimated(row: Mapping[Any, Any], name: str) -> str:
    """Return `estimate` as `with_interval` writes it."""
    return with_interval(*(stored_number(row.get(f"{name}{end}")) for end in ("", "_low", "_high")))


def whole(value: object) -> Number:
    """Return a stored whole number."""
    return Number(float(value), f"{int(value):,}") if finite(value) else UNKNOWN


def probability(value: object) -> Number:
    """Return a p-value with three decimals; below .001 only that."""
    if not finite(value):
        return UNKNOWN
    return Number(float(value), decimal(value) if value >= _SMALLEST else f"< {_SMALLEST}")


def percent(value: object) -> Number:
    """Return a percentage with one decimal."""
    return Number(float(value), f"{value:.1f}") if finite(value) else UNKNOWN


def rough(value: float) -> str:
    """Return a number of any size in at least three figures: ``1,234``, ``12.3``, ``0.00123``, ``1.23e+09``."""
    if not math.isfinite(value):
        return NOT_DEFINED
    text = f"{value:,.0f}" if 100 <= abs(value) < 1e7 else f"{value:.3g}"
    return text.replace("-", "\N{MINUS SIGN}") if value < 0 else text


def duration(seconds: float) -> str:
    """Return seconds in the unit that suits them: ``0.12 s``, ``3.4 min``, ``5.6 h``, ``7.8 days``."""
    for unit, size, most in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172800)):
        if seconds < most:
            return f"{rough(seconds / size)} {unit}"
    return f"{rough(seconds / 86400)} days" if math.isfinite(seconds) else NOT_DEFINED


def measured(value: object, written: Callable[[float], str] = rough) -> Number:
    """Return a stored number as `rough` or `duration` writes it."""
    return Number(float(value), written(value)) if finite(value) else UNKNOWN


def span(lowest: int, highest: int) -> str:
    """Return ``64``, or ``60 to 64`` where the two differ."""
    return f"{lowest:,}" if lowest == highest else f"{lowest:,} to {highest:,}"


def joined(*parts: str) -> str:
    """Return the parts that are not empty, with semicolons between them."""
    return "; ".join(part for part in parts if part)


def left_out(count: int, noun: str, plural: str = "", why: str = "") -> str:
    """Return how many things are not shown; empty where all are."""
    return f"{counted(count, noun, plural)} {why} left out".replace("  ", " ") if count > 0 else ""


def plain(value: object) -> str:
    """Return a stored value in words; empty where nothing is stored."""
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(map(plain, value)) if isinstance(value, (set, frozenset)) else map(plain, value)
        return ", ".join(items)
    return str(value)


def stored_number(value: object) -> float:
    """Return a stored number; NaN where there is none."""
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan


def finite(value: object) -> TypeGuard[float]:
    """Return whether a number is stored, and is neither NaN nor infinite."""
    return math.isfinite(stored_number(value))
