"""What a proxy is worth, judged on scores that are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from diswot.benchmarks.errors import InputError
from diswot.harness.check import predictive_value, reference
from diswot.harness.check.answer import Answer
from diswot.harness.check.loading import Subject
from diswot.harness.check.reference import Reference

Scores = Callable[..., pd.DataFrame]
Subjects = Callable[..., Subject]

DISTILLED = "nb201-kd:distilled"


@pytest.fixture(scope="module")
def accuracies() -> pd.DataFrame:
    return predictive_value.targets((), reference.cells(quick=False))


@pytest.fixture
def judge(stored: Reference, accuracies: pd.DataFrame) -> Callable[..., dict[str, Answer]]:
    def of(subject: Subject, scores: pd.DataFrame, *against: str, margin: float = 0.05) -> dict[str, Answer]:
        found = predictive_value.answers(subject, scores, stored, accuracies, against, margin)
        return {answer.name: answer for answer in found}

    return of


def test_the_targets_are_distilled_and_vanilla_on_all_fixed_cells(accuracies: pd.DataFrame) -> None:
    assert list(accuracies.columns) == [DISTILLED, "nb201-kd:vanilla"]
    assert tuple(accuracies.index) == reference.cells(quick=False)
    assert accuracies.notna().all(axis=None)


def test_a_copy_of_the_best_has_no_gap_and_adds_nothing(judge: Any, subject: Subjects, scores: Scores) -> None:
    found = judge(subject(), scores("meco"), "meco", "best")
    assert {answer.verdict for answer in found.values() if answer.decides} == {"pass"}
    assert found["gap_to meco"].decides
    assert "ahead by +0.000 [+0.00, +0.00]; margin 0.05" in found["gap_to meco"].figure
    assert found["adds_to meco"].verdict == "undecided"
    assert not found["adds_to meco"].decides
    assert "n = 100, 0 undefined" in found[f"direction {DISTILLED}"].figure


def test_partial_correlation_of_size_is_not_defined(judge: Any, subject: Subjects, scores: Scores) -> None:
    found = judge(subject(), scores("live_flops"))
    assert found[f"partial {DISTILLED}"].figure == "not defined, controlling for live_flops"


def test_the_wrong_direction_is_found(judge: Any, subject: Subjects, scores: Scores) -> None:
    answer = judge(subject(), scores("live_flops", factor=-1.0))[f"direction {DISTILLED}"]
    assert answer.verdict == "fail"
    assert answer.figure.endswith("; 'higher' is declared as the better direction, and 'lower' is")
    right = judge(subject(direction="lower"), scores("live_flops", factor=-1.0))[f"direction {DISTILLED}"]
    assert right.verdict == "pass"


def test_what_predicts_nothing_is_undecided_and_has_a_gap(judge: Any, subject: Subjects, scores: Scores) -> None:
    rows = scores()
    noise = rows.assign(value=np.random.default_rng(3).normal(size=len(rows)))
    found = judge(subject(), noise, "live_flops")
    assert found[f"direction {DISTILLED}"].verdict == "undecided"
    assert found["gap_to live_flops"].verdict == "fail"


def test_what_is_not_asked_for_does_not_decide(judge: Any, subject: Subjects, scores: Scores) -> None:
    found = judge(subject(), scores("rkd"))
    assert {name for name, answer in found.items() if answer.decides} == {"scores", f"direction {DISTILLED}"}
    assert [name for name in found if name.startswith("gap_to")] == ["gap_to meco", "gap_to live_flops"]


def test_a_proxy_that_fails_somewhere_fails(judge: Any, subject: Subjects, scores: Scores) -> None:
    rows = scores()
    rows.loc[3, ["status", "value", "cause"]] = ["failed", None, "KeyError: 'layer'"]
    found = judge(subject(), rows)
    assert list(found) == ["scores"]
    assert found["scores"].verdict == "fail"
    assert found["scores"].figure == f"1 of 100 cells failed; cell {rows.loc[3, 'cell']}: KeyError: 'layer'"


def test_undefined_scores_rank_worst_and_are_counted(judge: Any, subject: Subjects, scores: Scores) -> None:
    rows = scores()
    rows.loc[:4, ["status", "value", "cause"]] = ["undefined", None, "no reason"]
    figure = judge(subject(), rows)[f"direction {DISTILLED}"].figure
    assert figure.endswith("n = 100, 5 undefined")


def test_baselines_are_built_ins(stored: Reference) -> None:
    assert predictive_value.baselines((), stored) == predictive_value.DEFAULT_AGAINST
    assert predictive_value.baselines(("snip, best", "zen"), stored) == ("snip", "best", "zen")
    with pytest.raises(InputError, match=r"against: 'snipp' is not known; did you mean 'snip'\?"):
        predictive_value.baselines(("snipp",), stored)


def test_a_target_that_knows_too_few_cells_is_refused(tmp_path: Path) -> None:
    cells = reference.cells(quick=True)
    file = tmp_path / "mine.csv"
    file.write_text("cell,accuracy\n" + "".join(f"{cell},{50 + place}\n" for place, cell in enumerate(cells[:9])))
    with pytest.raises(
        InputError, match="targets: mine:accuracy has an accuracy for 9 functions among the 30 cells of a check"
    ):
        predictive_value.targets((f"{file}:accuracy",), cells)
    file.write_text("cell,accuracy\n" + "".join(f"{cell},50\n" for cell in cells))
    with pytest.raises(InputError, match="targets: mine:accuracy is the same for all of the 30 cells of a check"):
        predictive_value.targets((f"{file}:accuracy",), cells)
