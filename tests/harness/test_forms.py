from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from diswot.benchmarks.errors import InputError
from diswot.harness.runs import forms

FORM = {"name": str, "sizes": [int], "of?": {str: (float, None)}, "kind?": frozenset({"a", "b"}), "on?": bool}


@pytest.mark.parametrize(
    "value",
    [
        {"name": "x", "sizes": []},
        {"name": "", "sizes": [1, -2], "of": {"x": 1, "y": 0.5, "z": None, "w": math.nan}, "kind": "a", "on": True},
        {"name": "x", "sizes": [], "further": [{}]},
    ],
)
def test_a_form_fits(value: Any) -> None:
    assert forms.misfit(value, FORM) is None


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "its content is None, and must be an object"),
        ({"name": "x"}, "its content lacks sizes"),
        ({"name": 1, "sizes": []}, "name is 1, and must be a text"),
        ({"name": "x", "sizes": {}}, "sizes is {}, and must be a list"),
        ({"name": "x", "sizes": [1, True]}, r"sizes\[1\] is True, and must be a whole number"),
        ({"name": "x", "sizes": [10**30]}, r"sizes\[0\] is 10+, and must be a whole number"),
        ({"name": "x", "sizes": [], "of": {"y": "z"}}, "y is 'z', and must be a number"),
        ({"name": "x", "sizes": [], "kind": ["a"]}, r"kind is \['a'\], and must be one of a, b"),
        ({"name": "x", "sizes": [], "on": 1}, "on is 1, and must be true or false"),
        ({"name": "x" * 99, "sizes": "x" * 99}, "sizes is 'x{39}..., and must be a list"),
    ],
)
def test_a_misfit_is_told(value: Any, says: str) -> None:
    with pytest.raises(InputError, match=rf"^run: x\.json is damaged: {says}; hint\.$"):
        forms.check(value, FORM, Path("x.json"), "run", "; hint")
