"""Files that are either whole or not there."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

LONGEST = 80


def write(path: Path, content: bytes) -> Path:
    """Write a file through a temporary neighbour and a rename, and return its path.

    Raises:
        OSError: the folder cannot be made or written to; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def stem(*parts: str) -> str:
    """Return a file name's stem made of names that may hold any character; different names give different stems."""
    name = "_".join(parts)
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", name.replace(":", "-")).strip(".-")[:LONGEST]
    if plain == name.replace(":", "-"):
        return plain
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
