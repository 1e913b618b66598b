"""The one error that a user can mend: what was given, what is allowed, and the nearest match; and texts for people."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

#: The longest value that a message repeats whole.
_LONGEST_QUOTE = 80


class InputError(ValueError):
    """Wrong usage, bad input or a missing file. Its text is one clear sentence; the command line exits with 2.

    The text is ``argument: message``. A library writes the name of its own parameter, and `named` puts what the user
    typed in its place.
    """


@contextmanager
def named(typed: str, *arguments: str) -> Iterator[None]:
    """Name the argument that the user typed in errors that name the parameter of a library.

    Args:
        typed: the argument as the user typed it, such as ``--target`` or ``RUN``.
        arguments: the names that libraries have for it, such as ``table``; errors of other arguments stay as they are.
    """
    try:
        yield
    except InputError as error:
        argument, _, message = str(error).partition(": ")
        if argument not in arguments:
            raise
        raise type(error)(f"{typed}: {message}") from error


def quoted(value: object) -> str:
    """Return a value in quotes, as a message repeats it: without the middle where it is long."""
    return repr(elided(str(value), _LONGEST_QUOTE))


def elided(text: str, longest: int) -> str:
    """Return a text without its middle where it has more characters than ``longest``."""
    kept = (longest - 3) // 2
    return text if len(text) <= longest else f"{text[:kept]}...{text[-kept:]}"


def unknown(argument: str, value: object, allowed: Iterable[object], hint: str = "") -> InputError:
    """Return the error for a value that is not among the allowed ones.

    Args:
        argument: what the value was given for, as the user wrote it (``--proxies``, ``table``).
        value: the value that was given.
        allowed: every value that would have been accepted.
        hint: how to see the allowed values, where they are too many to print.
    """
    names = [elided(str(name), _LONGEST_QUOTE) for name in allowed]
    nearest = difflib.get_close_matches(elided(str(value), _LONGEST_QUOTE), names, n=1, cutoff=0.5)
    text = f"{argument}: {quoted(value)} is not known"
    if nearest:
        text += f"; did you mean {nearest[0]!r}?"
    listed = f" Allowed: {', '.join(names)}." if len(names) <= 40 else ""
    return InputError(text + ("" if nearest else ".") + listed + (f" {hint}" if hint else ""))


def some(names: Iterable[str]) -> str:
    """Return the first ten names, and how many more there are."""
    listed = list(names)
    return ", ".join(listed[:10]) + (f" and {len(listed) - 10} more" if len(listed) > 10 else "")


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number and its noun: ``1 cell``, ``15,625 cells``. The plural has an s unless it is given."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def printable(value: object) -> str:
    """Return a text, or an exception's message, that every terminal, file and database takes.

    What UTF-8 cannot hold, such as a file name of another encoding, and control characters become backslash escapes.

    Args:
        value: whose ``str`` it is; where that raises, the type is named instead.
    """
    try:
        text = str(value)
    except Exception:  # noqa: BLE001 - the text of an exception is the code of whoever wrote that exception
        text = f"a {type(value).__name__} whose text cannot be made"
    if text.isprintable():  # nearly all are, and a sweep stores millions
        return text
    return "".join(one if one.isprintable() or one in "\n\t" else one.encode("unicode_escape").decode() for one in text)


def described(error: BaseException) -> str:
    """Return the type and the message of an exception as one printable text."""
    if isinstance(error, SystemExit):
        return printable(f"it calls sys.exit({printable(error.code)})")
    return printable(f"{type(error).__name__}: {printable(error)}")
