"""How numbers are written: three decimals, grouped thousands, and a word where nothing is defined."""

from __future__ import annotations

import math

NOT_DEFINED = "not defined"


def decimal(value: float) -> str:
    """Return a number with three decimals and a true minus sign, or ``not defined`` where it is not finite."""
    if not math.isfinite(value):
        return NOT_DEFINED
    rounded = round(value, 3) + 0.0  # adding zero turns -0.0 into 0.0
    return f"{rounded:.3f}".replace("-", "\N{MINUS SIGN}")


def with_deviation(mean: float, deviation: float) -> str:
    """Return ``mean ± deviation``, or the mean alone where there is no deviation (one seed)."""
    if not math.isfinite(mean) or not math.isfinite(deviation):
        return decimal(mean)
    return f"{decimal(mean)} ± {decimal(deviation)}"


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return ``1 cell``, ``15,625 cells``."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def span(lowest: int, highest: int) -> str:
    """Return ``64``, or ``60 to 64`` where the two differ."""
    return f"{lowest:,}" if lowest == highest else f"{lowest:,} to {highest:,}"
