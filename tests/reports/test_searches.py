from __future__ import annotations

from collections.abc import Callable

import numpy as np

from diswot.harness.runs.stored_search import Search
from diswot.reports.searches import drivers

TARGET = "nb201-kd:distilled"


def test_the_winner_comes_first_and_the_others_by_their_accuracy(searched: Callable[..., Search]) -> None:
    search = searched(drivers=("a", "b", "c", "d"))
    evolution = (search.summary["algorithm"] == "evolution") & (search.summary["target"] == TARGET)
    search.summary.loc[evolution, "accuracy"] = [91.0, np.nan, 93.0, 92.0]
    assert drivers(search) == ["a", "c", "d", "b"]
    search.info["winner"]["driver"] = "b"
    assert drivers(search) == ["b", "c", "d", "a"]
    search.info["winner"] = None
    assert drivers(search) == ["a", "c", "d", "b"]  # the first asked for, whatever the accuracies
