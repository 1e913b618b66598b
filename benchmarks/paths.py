"""Paths as users write them."""

from __future__ import annotations

from pathlib import Path

from diswot.benchmarks.errors import InputError


def expanded(argument: str, path: str | Path) -> Path:
    """Return a path whose leading ``~`` or ``~user`` is the home folder that it stands for.

    Args:
        argument: what the path was given for, as the user wrote it (``--image-dir``, ``table``).
        path: what was given.

    Raises:
        InputError: if nobody of that name has a home folder, or the path holds a NUL character.
    """
    if "\0" in str(path):
        raise InputError(f"{argument}: {str(path)!r} holds a NUL character, which no path has.")
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        home = Path(path).parts[0]
        raise InputError(
            f"{argument}: '{path}' begins with {home}, for which there is no home folder; write the folder out."
        ) from error
