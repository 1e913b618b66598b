"""Numbers in what a user wrote."""

from __future__ import annotations

#: What a store's integers hold; Python itself refuses thousands of digits with an error of its own.
MOST_DIGITS = 18


def whole_number(text: str) -> int | None:
    """Return the whole number that a text of decimal digits stands for, or None if it is anything else."""
    text = text.strip()
    return int(text) if text.isdecimal() and len(text) <= MOST_DIGITS else None
