"""The one error that a user can mend: what was given, what is allowed, and the nearest match."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Wrong usage, bad input or a missing file. Its text is one clear sentence; the command line exits with 2."""


def unknown(argument: str, value: object, allowed: Iterable[object], hint: str = "") -> InputError:
    """Return the error for a value that is not among the allowed ones.

    Args:
        argument: what the value was given for, as the user wrote it (``--proxies``, ``table``).
        value: the value that was given.
        allowed: every value that would have been accepted.
        hint: how to see the allowed values, where they are too many to print.
    """
    names = [str(name) for name in allowed]
    nearest = difflib.get_close_matches(str(value), names, n=1, cutoff=0.5)
    text = f"{argument}: {str(value)!r} is not known"
    if nearest:
        text += f"; did you mean {nearest[0]!r}?"
    listed = f" Allowed: {', '.join(names)}." if len(names) <= 40 else ""
    return InputError(text + ("" if nearest else ".") + listed + (f" {hint}" if hint else ""))
