"""Records in JSON files, as pydantic models: what a file may hold is stated once, by the model's fields.

A model refuses keys that it does not know. A field with a default may be missing, since older versions did not write
it; what is written back holds the fields that were read or set alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from diswot.benchmarks.errors import InputError, unknown
from diswot.benchmarks.spaces import SPACES
from diswot.harness import files

#: A whole number that fits a column.
Whole = Annotated[int, Field(ge=-(2**63) + 1, le=2**63 - 1)]


class Document(BaseModel):
    """An object in a JSON file. It is immutable; ``model_copy(update={...})`` returns a changed one."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    #: The number of the form, which stands in the file as ``schema``; None where a file has none.
    form: ClassVar[int | None] = None

    def __getitem__(self, name: str) -> Any:
        """Return a field by its name, as scripts do that were written when records were dictionaries."""
        return getattr(self, name)

    def stored(self) -> dict[str, Any]:
        """Return the object as its file holds it."""
        head = {} if self.form is None else {"schema": self.form}
        return head | self.model_dump(mode="json", exclude_unset=True)


T = TypeVar("T")


def _known_space(name: str) -> str:
    if name not in SPACES:
        raise ValueError(f"must be one of {', '.join(SPACES)}")
    return name


#: The name of a search space.
SpaceName = Annotated[str, AfterValidator(_known_space)]


def read(model: type[T], path: Path, argument: str, hint: str = "") -> T:
    """Return the record in a JSON file.

    Args:
        model: of the record.
        path: of the file.
        argument: what the file was named by, which begins the sentence of an error.
        hint: ends the sentence of an error; how the file is made anew.

    Raises:
        InputError: if it is missing, damaged or of another schema. The sentence names the key, the value and what is
            allowed.
    """
    return checked(model, files.json_of(path, argument, hint), f"{argument}: {path}", hint)


def checked(model: type[T], content: Any, source: str, hint: str = "") -> T:
    """Return the record that a JSON file holds as plain values.

    Args:
        model: of the record.
        content: the values.
        source: begins the sentence of an error: the argument and the file.
        hint: ends it.

    Raises:
        InputError: if they are no such record, or of another schema.
    """
    form = getattr(model, "form", None)
    if form is not None:
        number = content.get("schema") if isinstance(content, dict) else None
        if type(number) is not int or number != form:
            raise InputError(f"{source} has schema {number!r:.40}; this version reads {form}{hint}.")
        content = {name: value for name, value in content.items() if name != "schema"}
    try:
        # A list may stand for a tuple in JSON alone. Half a character, as in "\\ud800", would fail when it is written.
        return TypeAdapter(model).validate_json(json.dumps(content, ensure_ascii=False).encode())
    except UnicodeEncodeError as error:
        raise InputError(f"{source} is damaged: it holds half a character{hint}.") from error
    except ValidationError as error:
        raise InputError(f"{source} is damaged: {_said(model, error.errors(include_url=False))}{hint}.") from error


def _said(model: type, errors: list[ErrorDetails]) -> str:
    first = errors[0]
    *parents, _ = first["loc"] or (None,)
    if first["type"] == "missing":
        lacking = [
            error["loc"][-1] for error in errors if error["type"] == "missing" and [*error["loc"][:-1]] == parents
        ]
        return f"{_place(parents)} lacks {', '.join(map(str, lacking))}"
    if first["type"] == "extra_forbidden":
        known = getattr(model, "model_fields", ()) if not parents else ()
        return str(unknown(f"the key of {_place(parents)}", first["loc"][-1], known)).rstrip(".")
    if first["type"] == "too_short":
        return f"{_place(first['loc'])} is empty"
    allowed = first["msg"].removeprefix("Value error, ").replace("Input should", "must")
    if not first["loc"]:  # of the whole record, or of all of its text
        return allowed if first["type"] == "value_error" else f"it {allowed}"
    text = repr(first["input"])
    return f"{_place(first['loc'])} is {text if len(text) <= 40 else f'{text[:40]}...'}, and {allowed}"


def _place(location: Any) -> str:
    # As a reader finds it: proxies[0].name.
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".") or "it"
