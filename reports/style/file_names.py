"""Names of files, made of names that may hold any character."""

from __future__ import annotations

import hashlib
import re

LONGEST = 80


def stem(*parts: str) -> str:
    """Return a file name's stem made of several names; different names give different stems."""
    name = "_".join(parts)
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", name.replace(":", "-")).strip(".-")[:LONGEST]
    if plain == name.replace(":", "-"):
        return plain
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
