"""Things by name: this project's own, and those that installed distributions bring. Loads nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from diswot.benchmarks.errors import InputError, unknown

T = TypeVar("T")


@dataclass(frozen=True)
class _Lazy:
    # Of its own class, since another package may give `entry_points` a class of entry points of its own.
    entry: EntryPoint


class Registry(Mapping[str, T]):
    """Things of one kind by name, in the order of registration; those of installed distributions come last.

    A thing may stand for itself as ``"module:object"``: then it is imported when it is first asked for, as those of
    entry points are. An entry point's name is the name of the thing.
    """

    def __init__(self, kind: type, argument: str, group: str | None, own: Mapping[str, T | str]) -> None:
        """Begin a registry.

        Args:
            kind: what its things are instances of.
            argument: what a name is given for, as the user types it (``--space``).
            group: of entry points, such as ``diswot.spaces``; None where nothing can be plugged in.
            own: this project's own things by name.
        """
        self._kind = kind
        self._argument = argument
        self._group = group
        self._entries: dict[str, T | _Lazy] = {}
        for name, thing in own.items():
            self.add(name, thing)

    def add(self, name: str, thing: T | str) -> None:
        """Register a thing, or its ``"module:object"``.

        Raises:
            InputError: if the name is taken.
        """
        if name in self._entries:
            raise InputError(f"{self._argument}: {name!r} is registered already.")
        self._entries[name] = _Lazy(EntryPoint(name, thing, "")) if isinstance(thing, str) else thing

    def __getitem__(self, name: str) -> T:
        """Return the thing of a name.

        Raises:
            InputError: if there is none, or the distribution that brings it is broken.
        """
        entries = self._with_installed()
        if name not in entries:
            raise unknown(self._argument, name, entries)
        thing = entries[name]
        if isinstance(thing, _Lazy):
            thing = entries[name] = self._loaded(thing.entry)
        return thing

    def get(self, name: object, default: Any = None) -> Any:
        """Return the thing of a name, or the default where there is none."""
        return self[str(name)] if name in self else default

    def __contains__(self, name: object) -> bool:
        """Return whether there is a thing of that name."""
        return name in self._with_installed()

    def __iter__(self) -> Iterator[str]:
        """Return the names."""
        return iter(self._with_installed())

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._with_installed())

    def _with_installed(self) -> dict[str, T | _Lazy]:
        if self._group is not None:
            entries = dict(self._entries)
            for plugin in entry_points(group=self._group):
                if plugin.name in entries:
                    raise refusal(plugin, f"brings a name for {self._argument} that is taken")
                entries[plugin.name] = _Lazy(plugin)
            self._entries, self._group = entries, None
        return self._entries

    def _loaded(self, entry: EntryPoint) -> T:
        thing: T = entry.load() if entry.dist is None else load(entry)
        if not isinstance(thing, self._kind):
            raise refusal(entry, f"is a {type(thing).__name__}, and must be a {self._kind.__name__}")
        if getattr(thing, "name", entry.name) != entry.name:
            raise refusal(entry, f"calls itself {thing.name!r}")  # type: ignore[attr-defined]
        return thing


def load(plugin: EntryPoint) -> Any:
    """Load what an installed distribution brings, apart from everything else; see `diswot.benchmarks.isolation`.

    Raises:
        InputError: if it cannot be loaded; the sentence names the distribution.
    """
    from diswot.benchmarks.isolation import apart  # which needs torch, and only plug-ins need it

    try:
        return apart(plugin.load)
    except InputError as error:
        raise refusal(plugin, str(error)) from error


def refusal(plugin: EntryPoint, cause: str) -> InputError:
    """Return the error for an entry point that cannot be used."""
    owner = plugin.dist.name if plugin.dist is not None else "without a name"
    return InputError(
        f"the plug-in {plugin.name!r} ({plugin.value}) of the installed distribution {owner} {cause.rstrip('.')}; "
        "mend or uninstall it."
    )
