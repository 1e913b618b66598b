"""Ensembles where proxies are listed, and where a user names one in place of its members."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from diswot.benchmarks.errors import InputError
from diswot.harness.evidence.ensembles import ENSEMBLES
from diswot.proxies import registry


def names() -> tuple[str, ...]:
    """Return the names of all ensembles, but for those that a proxy has."""
    return tuple(name for name in ENSEMBLES if name not in registry.names())


def describe(name: str) -> dict[str, Any]:
    """Return what an ensemble is: its members, its source, and where it differs from it."""
    one = ENSEMBLES[name]
    return {
        "name": name,
        "family": "ensemble",
        "direction": "higher",
        "summary": f"An ensemble of {_joined(one.members)}.",
        "members": list(one.members),
        "source": one.source,
        "differences": one.differences,
        "chosen_by": one.chosen_by,
    }


def refuse(argument: str, asked: Iterable[object]) -> None:
    """Refuse ensembles where proxies are computed.

    Raises:
        InputError: if a name is an ensemble's; it says of what.
    """
    ensembles = names()
    for name in asked:
        if name in ensembles:
            members = _joined(ENSEMBLES[str(name)].members)
            raise InputError(f"{argument}: {name} is an ensemble of {members}; name these instead.")


def _joined(members: tuple[str, ...]) -> str:
    return f"{', '.join(members[:-1])} and {members[-1]}"
