"""`diswot.score`: the proxies' own, which also knows ensembles."""

from __future__ import annotations

from collections.abc import Sequence
from functools import wraps
from typing import Any

from diswot import proxies
from diswot.harness.runs import members


@wraps(proxies.score)
def score(network: Any, images: Any, labels: Any, names: Sequence[str], **options: Any) -> dict[str, float]:
    """Score one network on one batch, as `diswot.proxies.score` does."""
    members.refuse("names", () if isinstance(names, str) else names)
    return proxies.score(network, images, labels, names, **options)
