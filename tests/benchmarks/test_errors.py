from __future__ import annotations

import pytest

from benchmarks.errors import InputError, elided, named, quoted, unknown


class _NoSearchError(InputError):
    pass


def test_named_puts_what_the_user_typed_in_place_of_the_library_s_name() -> None:
    with pytest.raises(InputError) as caught, named("--target", "table"):
        raise InputError("table: 'x.csv' cannot be read: no such file.")
    assert str(caught.value) == "--target: 'x.csv' cannot be read: no such file."


def test_named_keeps_the_kind_of_error() -> None:
    with pytest.raises(_NoSearchError, match=r"^--target: none$"), named("--target", "table"):
        raise _NoSearchError("table: none")


@pytest.mark.parametrize("text", ["--space: 's1' is not known.", "it is damaged.", "run: table: it is damaged."])
def test_named_leaves_errors_of_other_arguments(text: str) -> None:
    with pytest.raises(InputError) as caught, named("--target", "table"):
        raise InputError(text)
    assert str(caught.value) == text


def test_quoted_leaves_out_the_middle_of_a_long_value() -> None:
    assert quoted("short") == "'short'"
    assert quoted("x" * 80) == f"'{'x' * 80}'"
    assert quoted("x" * 20_000) == f"'{'x' * 38}...{'x' * 38}'"
    assert elided("abcdefgh", 7) == "ab...gh"


def test_unknown_names_long_values_briefly() -> None:
    text = str(unknown("--target", "x" * 20_000, ["y" * 20_000, "x" * 19_999]))
    assert len(text) < 400
