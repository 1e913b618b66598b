"""Seeds derived from identities, so that order, sharding, workers and retries cannot change a random number."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def derive(*parts: object) -> int:
    """Return a 63-bit seed that depends on nothing but the texts of the parts and their order."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(*parts: object) -> torch.Generator:
    """Return a host generator seeded by `derive`."""
    import torch

    return torch.Generator().manual_seed(derive(*parts))
