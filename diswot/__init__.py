"""Training-free proxies on NAS-Bench-201, judged by distillation accuracies: the public names, loaded when used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diswot import plot, tables
    from diswot.benchmarks.spaces.nb201 import as_cell as cell
    from diswot.proxies import Proxy, UndefinedScore, register, score
    from diswot.proxies.adapt import adapt
    from diswot.run import Run, evaluate, load

__all__ = [
    "Proxy",
    "Run",
    "UndefinedScore",
    "adapt",
    "cell",
    "evaluate",
    "load",
    "plot",
    "register",
    "score",
    "tables",
]

#: Where each public name is defined: a module, or a module and a name in it.
_HOMES = {
    "Proxy": "diswot.proxies:Proxy",
    "Run": "diswot.run:Run",
    "UndefinedScore": "diswot.proxies:UndefinedScore",
    "adapt": "diswot.proxies.adapt:adapt",
    "cell": "diswot.benchmarks.spaces.nb201:as_cell",
    "evaluate": "diswot.run:evaluate",
    "load": "diswot.run:load",
    "plot": "diswot.plot",
    "register": "diswot.proxies:register",
    "score": "diswot.scoring:score",
    "tables": "diswot.tables",
}


def __getattr__(name: str) -> Any:
    # `import diswot` is cheap: torch, pandas and matplotlib are loaded by the first use of what needs them.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    home = importlib.import_module(module)
    return getattr(home, attribute) if attribute else home


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
