from __future__ import annotations

import pytest

from diswot.reports.style import wording


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0123, "0.0123 s"), (90.0, "90 s"), (600.0, "10 min"), (36000.0, "10 h"), (864000.0, "10 days")],
)
def test_durations_are_written_in_the_unit_that_suits_them(seconds: float, text: str) -> None:
    assert wording.duration(seconds) == text
    assert wording.duration(float("nan")) == "not defined"
    assert wording.rough(1234567.8) == "1,234,568"
    assert wording.rough(-0.00012345) == "\N{MINUS SIGN}0.000123"


def test_numbers_are_written_alike() -> None:
    assert wording.decimal(-0.12345) == "\N{MINUS SIGN}0.123"
    assert wording.decimal(-0.0001) == "0.000"
    assert wording.with_std(0.5, float("nan")) == "0.500"
    assert wording.with_std(float("nan"), 0.1) == "not defined"
    assert wording.with_interval(0.5, 0.25, 0.75) == "0.500 [0.250, 0.750]"
    assert wording.with_interval(0.5, float("nan"), 0.75) == "0.500"
    assert wording.probability(0.0004).text == "< 0.001"
    assert wording.span(60, 64) == "60 to 64"
