"""Names of columns that version 0.2 wrote, so that its tables still open. Version 0.4 may drop this file."""

from __future__ import annotations

_NOW = {"measure": "metric"}


def current(column: str) -> str:
    """Return the name that a column has now."""
    return _NOW.get(column, column)
