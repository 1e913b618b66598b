"""Texts for people: errors name what the user typed, and whatever a stranger's code raises can be printed."""

from __future__ import annotations

import os
from xml.etree import ElementTree

import pytest

from diswot.benchmarks.errors import InputError, counted, described, elided, named, printable, quoted, unknown


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


def test_counted_has_a_plural_and_thousands() -> None:
    assert [counted(number, "proxy", "proxies") for number in (1, 2)] == ["1 proxy", "2 proxies"]
    assert counted(15625, "cell") == "15,625 cells"


def test_unknown_names_long_values_briefly() -> None:
    text = str(unknown("--target", "x" * 20_000, ["y" * 20_000, "x" * 19_999]))
    assert len(text) < 400


class MuteError(ValueError):
    """An exception without a text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (os.fsdecode(b"Pr\xfcfung.csv"), "Pr\\udcfcfung.csv"),
        ("Prüfung ✓\n\tok", "Prüfung ✓\n\tok"),
        ("\x00\x1b[31m\uffff", "\\x00\\x1b[31m\\uffff"),
        (MuteError(), "a MuteError whose text cannot be made"),
        (KeyError("layer"), "'layer'"),
    ],
)
def test_printable_fits_every_file_and_terminal(value: object, text: str) -> None:
    assert printable(value) == text
    assert text.encode().decode() == text
    assert ElementTree.fromstring(f"<a>{text}</a>").text == text


def test_described_names_the_type_of_an_exception() -> None:
    assert described(KeyError("layer")) == "KeyError: 'layer'"
    assert described(MuteError()) == "MuteError: a MuteError whose text cannot be made"
    assert described(SystemExit(0)) == "it calls sys.exit(0)"
