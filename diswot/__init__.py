"""Training-free proxies on NAS-Bench-201, judged by distillation accuracies: the public names, loaded when used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diswot import plot
    from diswot.harness.runs.results import load
    from diswot.proxies import register, score

__all__ = ["load", "plot", "register", "score"]

_HOMES = {
    "load": "diswot.harness.runs.results",
    "register": "diswot.proxies",
    "score": "diswot.proxies",
}
_MODULES = ("plot",)


def __getattr__(name: str) -> Any:
    # `import diswot` is cheap: torch, pandas and matplotlib are loaded by the first use of what needs them.
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
