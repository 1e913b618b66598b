"""The file that ``diswot proxies new`` writes: a small proxy with comments, that passes a check."""

from __future__ import annotations

import keyword
from pathlib import Path

from diswot.benchmarks.errors import InputError
from diswot.harness import files
from diswot.proxies import registry

_TEMPLATE = Path(__file__).with_name("data") / "starting_file.txt"


def write(name: str, folder: Path) -> Path:
    """Write ``NAME.py`` into a folder.

    Raises:
        InputError: if the name can be no proxy's, is taken, or the file is there already.
    """
    if not name.isidentifier() or keyword.iskeyword(name) or name in registry.SUITES:
        raise InputError(f"NAME: {name!r} can be no proxy's name; take a Python identifier such as my_metric.")
    if name in registry.names():
        raise InputError(f"NAME: the proxy {name!r} is there already, in {registry.origin(registry.get(name))}.")
    path = folder / f"{name}.py"
    if path.exists():
        raise InputError(f"NAME: {path} is there already; choose another name or remove the file.")
    return files.write(path, lambda temporary: temporary.write_text(text(name), encoding="utf-8"))


def text(name: str) -> str:
    """Return the file's text."""
    return _TEMPLATE.read_text(encoding="utf-8").replace("NAME", name)
