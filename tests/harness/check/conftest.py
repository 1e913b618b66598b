from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from diswot.harness.check import reference
from diswot.harness.check.loading import Subject, find
from diswot.harness.evidence import intervals


@pytest.fixture
def few_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quick check of as few cells as there are intervals for."""
    monkeypatch.setattr(reference, "QUICK_CELLS", intervals.FEWEST_FUNCTIONS)


@pytest.fixture(scope="module")
def stored() -> reference.Reference:
    return reference.load()


@pytest.fixture
def subject(plugin: Callable[..., Path]) -> Callable[..., Subject]:
    """Makes subjects: a plug-in ``mine``, whose function is never called, with other declarations."""
    found = find(str(plugin("raise AssertionError")))
    return lambda **changes: replace(found, proxy=replace(found.proxy, **changes))


@pytest.fixture
def scores(stored: reference.Reference) -> Callable[..., pd.DataFrame]:
    """Makes scores of ``mine`` out of a built-in's on the fixed cells."""

    def make(of: str = "live_flops", factor: float = 1.0) -> pd.DataFrame:
        rows = stored.scores[stored.scores["proxy"] == of].reset_index(drop=True)
        return rows.assign(proxy="mine", version="1", value=factor * rows["value"])

    return make
