"""Answers: correlations are computed once a question, are never stale, and stand beside each other."""

from __future__ import annotations

import runpy
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from diswot.benchmarks import spaces
from diswot.benchmarks.spaces.space import Subset, one_a_function
from diswot.harness.evidence import table
from diswot.harness.evidence.ensembles import ENSEMBLES, Ensemble
from diswot.harness.evidence.metrics import METRICS, Metric
from diswot.harness.runs import answers, results
from diswot.harness.search.algorithms import ALGORITHMS
from diswot.harness.search.ask_and_tell import search_by

BUILT_IN = (*ENSEMBLES.values(), *METRICS.values(), *spaces.SPACES.values(), *ALGORITHMS.values())


@pytest.fixture
def run(cli: Callable[..., Any], tmp_path: Path) -> Path:
    """A run of twelve networks of S0."""
    tiny = ("--batch-size", "2", "--teacher", "s0:111", "--workers", "1", "--device", "cpu", "--no-shipped")
    evaluated = cli("evaluate", "--space", "s0", "--cells", 12, "--proxies", "params", *tiny, "--out", tmp_path / "run")
    assert evaluated.status == 0
    return tmp_path / "run"


def test_a_question_is_answered_once(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = results.correlate(run)
    other = results.correlate(run, metric="kendall")
    monkeypatch.setattr(table, "tables", lambda *_: pytest.fail("it was answered before"))
    again = results.correlate(run)
    for name in answers.TABLES:
        pd.testing.assert_frame_equal(getattr(again, name), getattr(first, name), check_dtype=False, check_exact=True)
    assert set(results.correlate(run, metric="kendall").evidence["metric"]) == {"kendall"}
    assert set(other.evidence["metric"]) == {"kendall"}


def test_another_score_is_another_question(run: Path) -> None:
    before = results.correlate(run)
    cell = int(results.load(run).scores["cell"].iloc[0])
    with closing(sqlite3.connect(run / "scores.sqlite")) as connection, connection:
        connection.execute("UPDATE scores SET value = -1 WHERE cell = ?", (cell,))
    after = results.correlate(run)
    assert (after.evidence["spearman"] != before.evidence["spearman"]).any()


@pytest.mark.parametrize(
    "plugged_in",
    [
        lambda own: Ensemble("own", ("a", "b"), own, ""),
        lambda own: Metric("own", "Own", partial(own, percent=3), True, ""),
        search_by,
        lambda own: replace(spaces.get("s0"), subsets={"own": Subset("", own)}),
        lambda own: replace(spaces.get("s0"), subsets={"own": Subset("", one_a_function(own))}),
    ],
    ids=[
        "a function",
        "a partial one",
        "one that a function of ours closes over",
        "of a subset",
        "of a subset of ours",
    ],
)
def test_code_of_plugins_is_that_of_other_distributions(tmp_path: Path, plugged_in: Callable[..., object]) -> None:
    module = tmp_path / "lab.py"
    module.write_text("def own(x):\n    return x\n")
    made = plugged_in(runpy.run_path(str(module), run_name="lab")["own"])
    assert answers.code_of_plugins(made, *BUILT_IN) == module.read_bytes()


def test_what_is_built_in_is_no_plugin() -> None:
    assert answers.code_of_plugins(*BUILT_IN) == b""


def test_code_of_a_notebook_and_of_what_refers_to_itself() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec("def make(x):\n    def own(n):\n        return own(n - x) if n else 0\n    return own", namespace)
    one, other = (namespace["make"](x) for x in (1, 2))
    assert answers.code_of_plugins(one) == answers.code_of_plugins(other) != b""


def test_a_damaged_answer_is_computed_again(run: Path) -> None:
    before = results.correlate(run)
    paths = sorted((run / "answers").iterdir())
    assert len(paths) == len(answers.TABLES)
    paths[0].write_bytes(b"PAR1")
    after = results.correlate(run)
    pd.testing.assert_frame_equal(after.evidence, before.evidence, check_dtype=False)


def test_the_order_of_scores_plays_no_part(run: Path) -> None:
    scores = results.load(run).scores
    shuffled = scores.sample(frac=1, random_state=0)
    assert answers.hash_of_scores(scores) == answers.hash_of_scores(shuffled)
    changed = scores.assign(value=scores["value"] + 1)
    assert answers.hash_of_scores(scores) != answers.hash_of_scores(changed)
