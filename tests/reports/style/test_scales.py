from __future__ import annotations

import numpy as np
import pytest

from diswot.reports.style import scales


@pytest.mark.parametrize(
    ("values", "kind", "labels", "word"),
    [
        ([1.0, 2.0, 3.0], "linear", ("1", "2", "3"), ""),
        ([3e8, 4.2e8], "linear", ("300", "350", "400"), " / 10⁶"),
        ([1e-7, 3e-7], "linear", ("100", "200", "300"), " / 10⁻⁹"),
        ([1e2, 1e9], "log", ("10²", "10⁴", "10⁶", "10⁸"), ""),
        ([0.1, 100.0], "log", ("0.1", "1", "10", "100"), ""),
        ([-1e4, -1.0], "log", ("\N{MINUS SIGN}10⁴", "\N{MINUS SIGN}10²", "\N{MINUS SIGN}1"), ""),
        ([-1e9, -1.0, 0.5, 1.0, 1e6], "symlog", (), ""),
        ([5.0], "linear", (), ""),
        ([np.nan, np.inf], "linear", (), ""),
        ([-1e308, 1e308, 0.0], "linear", (), " / 10³⁰⁶"),
        ([5e-324, 1e308], "log", (), ""),
        ([-1e308, 5e-324, 1e-320, 1e-310], "symlog", (), ""),
    ],
)
def test_scales_fit_numbers_of_any_size(values: list[float], kind: str, labels: tuple[str, ...], word: str) -> None:
    scale = scales.fitting(np.array(values))
    assert (scale.kind, scale.word) == (kind, word)
    if labels:
        assert scale.labels == labels
    shown = scale.shown(np.sort([value for value in values if np.isfinite(value)]))
    assert ((shown > scale.low) & (shown < scale.high)).all()
    assert (np.diff(shown) >= 0).all()
    assert all(scale.low <= tick <= scale.high for tick in scale.ticks)
    assert np.isnan(scale.shown(np.array([np.nan]))).all()
