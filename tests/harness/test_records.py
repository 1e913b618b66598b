from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from diswot.benchmarks.errors import InputError
from diswot.harness import records
from diswot.harness.records import Document, SpaceName, Whole


class Part(Document):
    kind: Literal["a", "b"] = "a"
    size: Whole


class Record(Document):
    form = 3

    name: str
    space: SpaceName
    parts: Annotated[list[Part], Field(min_length=1)]
    share: float | None = None


GOOD: dict[str, Any] = {"schema": 3, "name": "x", "space": "s0", "parts": [{"size": 1}]}


def read(path: Path, content: Any) -> Record:
    path.write_text(json.dumps(content))
    return records.read(Record, path, "run", "; make it anew")


def test_read_keeps_what_the_file_states(tmp_path: Path) -> None:
    found = read(tmp_path / "x.json", GOOD | {"share": 1})
    assert (found.parts[0].kind, found.share) == ("a", 1.0)
    assert found.stored() == GOOD | {"share": 1.0}
    assert found.model_copy(update={"name": "y"}).stored() == GOOD | {"share": 1.0, "name": "y"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([], "has schema None; this version reads 3"),
        (GOOD | {"schema": True}, "has schema True; this version reads 3"),
        ({"schema": 3, "name": "x"}, "is damaged: it lacks space, parts"),
        (GOOD | {"nam": 1}, "is damaged: the key of it: 'nam' is not known; did you mean 'name'?"),
        (GOOD | {"name": 7}, "is damaged: name is 7, and must be a valid string"),
        (GOOD | {"name": "\ud800"}, "is damaged: it holds half a character"),
        (GOOD | {"name": None}, "is damaged: name is None, and must be a valid string"),
        (GOOD | {"space": "s1"}, "is damaged: space is 's1', and must be one of nb201, s0"),
        (GOOD | {"parts": {}}, "is damaged: parts is {}, and must be a valid array"),
        (GOOD | {"parts": []}, "is damaged: parts is empty"),
        (GOOD | {"parts": [{}]}, "is damaged: parts[0] lacks size"),
        (GOOD | {"parts": [{"size": True}]}, "is damaged: parts[0].size is True, and must be a valid integer"),
        (GOOD | {"parts": [{"size": 10**30}]}, "is damaged: parts[0].size is 1000"),
        (GOOD | {"parts": [{"size": 1, "of": 2}]}, "is damaged: the key of parts[0]: 'of' is not known"),
        (GOOD | {"parts": [{"size": 1, "kind": "c"}]}, "is damaged: parts[0].kind is 'c', and must be 'a' or 'b'"),
        (GOOD | {"share": "x" * 99}, f"is damaged: share is '{'x' * 39}..., and must be a valid number"),
    ],
)
def test_read_says_what_is_wrong_in_one_sentence(tmp_path: Path, content: Any, says: str) -> None:
    path = tmp_path / "x.json"
    with pytest.raises(InputError) as told:
        read(path, content)
    assert str(told.value).startswith(f"run: {path} {says}")
    assert str(told.value).endswith("; make it anew.")
    assert "\n" not in str(told.value)
