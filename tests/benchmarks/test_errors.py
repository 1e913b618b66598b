"""Texts for people: whatever a stranger's code raises can be stored and printed."""

from __future__ import annotations

import os
from xml.etree import ElementTree

import pytest

from benchmarks.errors import described, printable


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
