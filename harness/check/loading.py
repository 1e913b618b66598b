"""What is checked: a proxy, named by its file or, where it is installed, by its name."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from diswot.benchmarks.errors import InputError, named, unknown
from diswot.harness.runs import members
from diswot.proxies import registry
from diswot.proxies.registry import Proxy

_SCORED = frozenset({"conformance", "workers", "worth", "regression"})

#: The stages and questions in which an option of a check plays a part; any other option plays one in all of them.
PARTS = {
    "--against": frozenset({"worth"}),
    "--margin": frozenset({"worth", "regression"}),
    "--target": frozenset({"worth", "regression"}),
    "--baseline": frozenset({"regression"}),
    "--fail-on": frozenset({"regression"}),
    "--with": _SCORED,
    "--image-dir": _SCORED,
    "--out": _SCORED,
}


@dataclass(frozen=True)
class Subject:
    """A proxy and how the user named it.

    Attributes:
        proxy: its record.
        file: the plug-in file that it is from; None for one that is installed.
        text: what the user wrote.
        options: what else was asked for, and a repetition needs: each an option and its value, if it has one.
    """

    proxy: Proxy
    file: Path | None
    text: str
    options: tuple[tuple[str, ...], ...] = ()

    @property
    def plugins(self) -> tuple[Path, ...]:
        """The files that workers load."""
        return () if self.file is None else (self.file.resolve(),)

    def command(self, option: str, value: str) -> str:
        """Return a command that checks it with one more option, and with those of its own that then play a part."""
        only = value if option == "--only" else None
        own = (word for words in self.options if plays_a_part(words[0], only) for word in words)
        return shlex.join(["diswot", "check", self.text, *own, option, value])


def plays_a_part(option: str, only: str | None) -> bool:
    """Return whether an option of a check plays a part where one question or stage is asked alone; None for all."""
    return only is None or only in PARTS.get(option, {only})


def find(text: str, options: tuple[tuple[str, ...], ...] = ()) -> Subject:
    """Return what ``FILE``, ``FILE:NAME`` or the name of an installed proxy stands for.

    Raises:
        InputError: if it stands for nothing, the file cannot be loaded, or it has several proxies and none is named.
    """
    if text in registry.names():
        return Subject(registry.get(text), None, text, options)
    path, name = Path(text), ""
    if not path.is_file() and ":" in text:
        before, _, name = text.rpartition(":")
        path = Path(before)
    if not path.is_file():
        if path.suffix == ".py":
            raise InputError(f"FILE: {path} is not a file; `diswot proxies new NAME` writes one to begin with.")
        members.refuse("FILE", [text])
        raise unknown("FILE", text, registry.names(), hint="A file ends in .py; FILE.py:NAME picks one of its proxies.")
    with named("FILE", "plugins"):
        found = registry.load_file(path)
    if name and name not in found:
        raise unknown(f"FILE: {path}: proxy", name, found)
    if not name and len(found) > 1:
        raise InputError(
            f"FILE: {path} has {len(found)} proxies; name one, as {path}:{found[0]}, of {', '.join(found)}."
        )
    return Subject(registry.get(name or found[0]), path, text, options)
