"""Training-free proxies on NAS-Bench-201, judged by distillation accuracies: the public names, loaded when used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diswot.harness.runs.results import load
    from diswot.proxies import register, score
    from diswot.proxies.adapt import adapt

__all__ = ["adapt", "load", "register", "score"]

_HOMES = {
    "adapt": "diswot.proxies.adapt",
    "load": "diswot.harness.runs.results",
    "register": "diswot.proxies",
    "score": "diswot.proxies",
}


def __getattr__(name: str) -> Any:
    # `import diswot` is cheap: torch, pandas and matplotlib are loaded by the first use of what needs them.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
