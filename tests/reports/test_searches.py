from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from diswot.harness.runs.stored_search import Search
from diswot.reports.searches import drivers

TARGET = "nb201-kd:distilled"


def test_the_winner_comes_first_and_the_others_by_their_accuracy(searched: Callable[..., Search]) -> None:
    search = searched(drivers=("a", "b", "c", "d"))
    evolution = (search.summary["algorithm"] == "evolution") & (search.summary["target"] == TARGET)
    search.summary.loc[evolution, "accuracy"] = [91.0, np.nan, 93.0, 92.0]
    assert drivers(search) == ["a", "c", "d", "b"]
    winner = search.info.winner
    assert winner is not None
    for chosen, order in (
        (winner.model_copy(update={"driver": "b"}), ["b", "c", "d", "a"]),
        (None, ["a", "c", "d", "b"]),
    ):
        other = replace(search, info=search.info.model_copy(update={"winner": chosen}))
        assert drivers(other) == order
    assert drivers(search) == ["a", "c", "d", "b"]  # the first asked for, whatever the accuracies
