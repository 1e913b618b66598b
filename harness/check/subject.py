"""What is checked: a proxy, named by its file or, where it is installed, by its name."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import InputError, unknown
from proxies import registry
from proxies.registry import Proxy


@dataclass(frozen=True)
class Subject:
    """A proxy and how the user named it.

    Attributes:
        proxy: its record.
        file: the plug-in file that it is from; None for one that is installed.
        text: what the user wrote.
        options: what else was asked for, and a repetition needs.
    """

    proxy: Proxy
    file: Path | None
    text: str
    options: tuple[str, ...] = ()

    @property
    def plugins(self) -> tuple[Path, ...]:
        """The files that workers load."""
        return () if self.file is None else (self.file.resolve(),)

    def command(self, *options: str) -> str:
        """Return a command that checks it."""
        return shlex.join(["diswot", "check", self.text, *self.options, *options])


def find(text: str, options: tuple[str, ...] = ()) -> Subject:
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
        raise unknown("FILE", text, registry.names(), hint="A file ends in .py; FILE.py:NAME picks one of its proxies.")
    try:
        found = registry.load_file(path)
    except InputError as error:
        raise InputError(f"FILE: {str(error).removeprefix('--plugin: ')}") from error
    if name and name not in found:
        raise unknown(f"FILE: {path}: proxy", name, found)
    if not name and len(found) > 1:
        raise InputError(
            f"FILE: {path} has {len(found)} proxies; name one, as {path}:{found[0]}, of {', '.join(found)}."
        )
    return Subject(registry.get(name or found[0]), path, text, options)
