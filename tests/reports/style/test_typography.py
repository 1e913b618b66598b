from __future__ import annotations

import pytest

from diswot.reports.style import typography


@pytest.mark.parametrize("available", [0.3, 1.0, 2.0])
def test_elided_and_wrapped_text_fits(available: float) -> None:
    text = "some words and an_exceedingly_long_word_without_any_space in one line"
    assert typography.width(typography.elide(text, available)) <= available
    assert all(typography.width(line) <= available for line in typography.wrap(text.split(), available))
    assert typography.elide("short", 5) == "short"
