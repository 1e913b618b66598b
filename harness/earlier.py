"""Names of columns that version 0.2 wrote, so that its tables still open. Version 0.4 may drop this file."""

from __future__ import annotations

import re

_NOW = {
    "measure": "metric",
    "units": "relative_cost",
    "shared_units": "relative_cost_in_suite",
    "behind": "gap_to_best",
    "behind_low": "gap_to_best_low",
    "behind_high": "gap_to_best_high",
    "behind_p": "gap_to_best_p",
    "level_with_best": "not_significantly_different",
}


def current(column: str) -> str:
    """Return the name that a column has now."""
    return _NOW.get(column) or re.sub(r"^(\w+_)?deviation$", r"\1std", column)
