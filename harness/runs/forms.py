"""The form that a JSON file's content must have, and where it has another.

A form is one of
- ``str``, ``int``, ``float`` or ``bool``: a value of that type; a whole number is a ``float`` too;
- ``None``: null;
- a tuple: any one of several forms;
- a frozenset, or a registry: one of these values;
- ``[form]``: a list;
- ``{str: form}``: an object with any names;
- ``{"name": form, "other?": form}``: an object with these names; those with a question mark may be missing, and further
  ones may be there.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from diswot.benchmarks.errors import InputError
from diswot.benchmarks.registry import Registry

_NAMES = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}

#: Whole numbers beyond these fit no column.
_LARGEST = 2**63 - 1


def check(content: Any, form: Any, path: Path, argument: str, hint: str = "") -> None:
    """Refuse a file whose content has another form.

    Args:
        content: of the file.
        form: as the module describes it.
        path: of the file.
        argument: what the file was named by, which begins the sentence of an error.
        hint: ends the sentence; how the file is made anew.

    Raises:
        InputError: if it has.
    """
    wrong = misfit(content, form)
    if wrong:
        raise InputError(f"{argument}: {path} is damaged: {wrong}{hint}.")


def misfit(value: Any, form: Any, place: str = "its content") -> str | None:
    """Return in words where a value does not have a form; None where it has."""
    if isinstance(form, tuple):
        tried = [misfit(value, one, place) for one in form]
        return None if None in tried else tried[0]
    if isinstance(form, list):
        if not isinstance(value, list):
            return f"{place} is {_shown(value)}, and must be a list"
        return _first(misfit(item, form[0], f"{place}[{number}]") for number, item in enumerate(value))
    if isinstance(form, dict):
        if not isinstance(value, dict):
            return f"{place} is {_shown(value)}, and must be an object"
        if str in form:
            return _first(misfit(item, form[str], f"{name}") for name, item in value.items())
        lacking = [name for name in form if not name.endswith("?") and name not in value]
        if lacking:
            return f"{place} lacks {', '.join(lacking)}"
        named = ((name.rstrip("?"), inner) for name, inner in form.items())
        return _first(misfit(value[name], inner, name) for name, inner in named if name in value)
    if isinstance(form, frozenset | Registry):
        good = isinstance(value, str) and value in form
        return None if good else f"{place} is {_shown(value)}, and must be one of {', '.join(sorted(form))}"
    if form is None:
        return None if value is None else f"{place} is {_shown(value)}, and must be null"
    if form is float:
        good = type(value) in (int, float)
    else:
        good = type(value) is form and (form is not int or abs(value) <= _LARGEST)
    return None if good else f"{place} is {_shown(value)}, and must be {_NAMES[form]}"


def _first(found: Iterable[str | None]) -> str | None:
    return next((text for text in found if text is not None), None)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
