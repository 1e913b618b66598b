"""A proxy against its own baseline."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from diswot.benchmarks.errors import InputError
from diswot.harness.check import predictive_value, reference, regression
from diswot.harness.check.answer import Answer
from diswot.harness.check.loading import Subject
from diswot.harness.check.regression import Baseline, Limits
from diswot.harness.cli.check import TOLERANCE
from diswot.harness.compute import devices
from diswot.harness.runs.settings import Settings

Scores = Callable[..., pd.DataFrame]
Subjects = Callable[..., Subject]

TIMES = (1.0, 1.1, 1.05, 0.95, 1.02)


@pytest.fixture(scope="module")
def settings() -> Settings:
    return reference.settings_of(reference.plan(reference.OWN, (), reference.cells(quick=True), (), workers=1))


@pytest.fixture(scope="module")
def accuracies() -> pd.DataFrame:
    return predictive_value.targets((), reference.cells(quick=False))


def saved(path: Path, subject: Subject, scores: pd.DataFrame, settings: Settings) -> Baseline:
    answer = regression.save(path, subject, scores, TIMES, settings, TOLERANCE)
    assert (answer.verdict, answer.decides, answer.figure) == ("pass", False, f"saved in {path}")
    return regression.read(path, subject)


def ask(
    subject: Subject,
    old: Baseline,
    scores: pd.DataFrame,
    accuracies: pd.DataFrame,
    times: Sequence[float] = TIMES,
    allowed: Limits = Limits(),  # noqa: B008 - it is frozen
) -> dict[str, Answer]:
    found = regression.answers(subject, old, scores, times, accuracies, 0.05, allowed)
    return {answer.name: answer for answer in found}


@pytest.fixture
def old(tmp_path: Path, subject: Subjects, scores: Scores, settings: Settings) -> Baseline:
    rows = scores("sp")
    rows.loc[2, ["status", "value", "cause"]] = ["undefined", None, "no reason"]
    return saved(tmp_path / "mine.baseline.json", subject(), rows, settings)


def test_what_is_saved_is_read_to_the_last_digit(old: Baseline, scores: Scores, settings: Settings) -> None:
    expected = scores("sp")["value"].where(lambda values: values.index != 2)
    assert np.array_equal(old.frame["value"], expected, equal_nan=True)
    assert (old.name, old.version, old.direction, tuple(old.times)) == ("mine", "1", "higher", TIMES)
    assert old.settings == settings


def test_a_baseline_next_to_the_file_is_found(old: Baseline, subject: Subjects, tmp_path: Path) -> None:
    one = subject()
    assert regression.default_path(one, None) == tmp_path / "mine.baseline.json"
    assert regression.default_path(replace(one, file=None), None) is None
    assert regression.default_path(one, "a-set") is None
    (tmp_path / "mine.baseline.json").rename(tmp_path / "mine.a-set.baseline.json")
    assert regression.default_path(one, None) is None
    assert regression.default_path(one, "a-set") == tmp_path / "mine.a-set.baseline.json"


def test_what_has_not_changed_passes(old: Baseline, subject: Subjects, accuracies: pd.DataFrame) -> None:
    found = ask(subject(), old, old.frame.assign(proxy="mine"), accuracies)
    assert {name: answer.verdict for name, answer in found.items()} == dict.fromkeys(
        ("version", "values", "time"), "pass"
    )
    assert found["values"].figure == "100 cells score as they did, within 0.002 of each score"


def test_fewer_cells_are_compared_where_the_check_is_quick(
    old: Baseline, subject: Subjects, accuracies: pd.DataFrame
) -> None:
    rows = old.frame[old.frame["cell"].isin(reference.cells(quick=True))]
    assert ask(subject(), old, rows, accuracies)["values"].figure.startswith("30 cells score as they did")


@pytest.mark.parametrize(
    "change",
    [
        {"value": 0.9},
        {"status": "undefined", "value": None},
    ],
    ids=["another value", "no value"],
)
def test_silently_changed_values_are_found(
    old: Baseline, subject: Subjects, accuracies: pd.DataFrame, change: dict[str, object]
) -> None:
    rows = old.frame.copy()
    rows.loc[[5, 7], list(change)] = list(change.values())
    answer = ask(subject(), old, rows, accuracies)["values"]
    assert answer.verdict == "fail"
    assert answer.figure.startswith(
        f"2 of 100 cells score otherwise under the same version 1: cell {rows.loc[5, 'cell']} "
    )
    assert answer.figure.endswith("bump the version if that is meant")


def test_rounding_is_no_change(old: Baseline, subject: Subjects, accuracies: pd.DataFrame) -> None:
    rows = old.frame.assign(value=old.frame["value"] * 1.001)
    assert ask(subject(), old, rows, accuracies)["values"].verdict == "pass"
    rows = old.frame.assign(value=old.frame["value"] * 1.003)
    assert ask(subject(), old, rows, accuracies)["values"].verdict == "fail"


def test_an_older_version_s_baseline_is_named_and_judged_by_correlation(
    old: Baseline, subject: Subjects, scores: Scores, accuracies: pd.DataFrame
) -> None:
    found = ask(subject(version="2"), old, scores("sp", factor=3.0), accuracies)
    assert list(found) == ["version", "correlation", "time"]
    assert found["version"].figure.startswith("the baseline is of version 1, this is 2: correlations are compared")
    assert (found["version"].verdict, found["version"].decides) == ("undecided", False)
    assert found["correlation"].verdict == "pass"
    worse = ask(subject(version="2"), old, scores("sp", factor=-1.0), accuracies)["correlation"]
    assert worse.verdict == "fail"
    assert "margin 0.05, n = 100" in worse.figure
    turned = ask(subject(version="2", direction="lower"), old, scores("sp", factor=-1.0), accuracies)["correlation"]
    assert turned.verdict == "pass"
    rows = scores("sp")
    other = rows.assign(
        value=rows["value"] + 0.3 * rows["value"].std() * np.random.default_rng(0).normal(size=len(rows))
    )
    assert ask(subject(version="2"), old, other, accuracies)["correlation"].verdict == "undecided"


@pytest.mark.parametrize(
    ("times", "verdict"),
    [
        (tuple(10 * time for time in TIMES), "fail"),
        (tuple(1.5 * time for time in TIMES), "pass"),
        ((0.9, 1.0, 2.3, 2.4, 2.5), "undecided"),
    ],
    ids=["ten times slower", "half as slow again", "cannot be told"],
)
def test_slower_needs_a_factor_and_a_test(
    old: Baseline, subject: Subjects, accuracies: pd.DataFrame, times: tuple[float, ...], verdict: str
) -> None:
    answer = ask(subject(), old, old.frame, accuracies, times)["time"]
    assert answer.verdict == verdict
    assert "1.02 passes before" in answer.figure
    assert "Mann-Whitney p" in answer.figure


def test_nobody_notices_a_few_hundredths_of_a_pass(old: Baseline, subject: Subjects, accuracies: pd.DataFrame) -> None:
    cheap = old.model_copy(update={"times": [0.01] * 5})
    assert ask(subject(), cheap, old.frame, accuracies, (0.05,) * 5)["time"].verdict == "pass"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 99}, r"baseline: .*mine.baseline.json has schema 99; this version reads 1"),
        ({"name": "other"}, r"baseline: .*mine.baseline.json is of the proxy other, not of mine"),
        ({"scores": 3}, r"baseline: .*mine.baseline.json is damaged"),
        ({"scores": [{"cell": 3}]}, r"baseline: .*mine.baseline.json is damaged"),
        ({"times": []}, r"baseline: .*mine.baseline.json is damaged: times is empty"),
        ({"times": ["fast"]}, r"baseline: .*mine.baseline.json is damaged"),
    ],
)
def test_a_baseline_of_something_else_is_refused_by_name(
    old: Baseline, subject: Subjects, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    path = tmp_path / "mine.baseline.json"
    stored = json.loads(path.read_text())
    path.write_text(json.dumps(stored | change))
    with pytest.raises(InputError, match=message) as raised:
        regression.read(path, subject())
    assert "\n" not in str(raised.value)


def test_what_failed_is_no_baseline(subject: Subjects, scores: Scores, settings: Settings, tmp_path: Path) -> None:
    rows = scores("sp")
    rows.loc[2, ["status", "value", "cause"]] = ["failed", None, "KeyError: 'layer'"]
    answer = regression.save(tmp_path / "new.json", subject(), rows, TIMES, settings, TOLERANCE)
    assert (answer.verdict, answer.figure) == ("fail", "not saved: 1 cells failed")
    assert not (tmp_path / "new.json").exists()


def test_a_baseline_that_is_not_there_or_no_json(subject: Subjects, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"baseline: .*none.json is not a file; --save .*none.json writes it"):
        regression.read(tmp_path / "none.json", subject())
    (tmp_path / "text.json").write_text("cell,score")
    with pytest.raises(InputError, match=r"baseline: .*text.json cannot be read"):
        regression.read(tmp_path / "text.json", subject())


def test_fail_on_limits_the_correlation_under_the_same_version(
    old: Baseline, subject: Subjects, accuracies: pd.DataFrame
) -> None:
    allowed = regression.limits(["spearman:0.02"])
    same = ask(subject(), old, old.frame.assign(proxy="mine"), accuracies, allowed=allowed)
    assert list(same) == ["version", "values", "correlation", "time"]
    assert same["correlation"].verdict == "pass"
    assert "margin 0.02" in same["correlation"].figure
    turned = old.frame.assign(proxy="mine", value=-old.frame["value"])
    assert ask(subject(), old, turned, accuracies, allowed=allowed)["correlation"].verdict == "fail"


def test_fail_on_limits_the_cost(old: Baseline, subject: Subjects, accuracies: pd.DataFrame) -> None:
    allowed = regression.limits(["cost:10%"])
    slower = tuple(1.5 * time for time in TIMES)
    answer = ask(subject(), old, old.frame, accuracies, slower, allowed)["time"]
    assert (answer.verdict, "slower by more than 10 %" in answer.figure) == ("fail", True)
    barely = tuple(1.05 * time for time in TIMES)
    assert ask(subject(), old, old.frame, accuracies, barely, allowed)["time"].verdict == "pass"
    chance = (0.9, 1.0, 1.2, 1.21, 1.22)
    assert ask(subject(), old, old.frame, accuracies, chance, allowed)["time"].verdict == "undecided"


def test_small_slowdown_on_another_machine_is_undecided(
    old: Baseline, subject: Subjects, accuracies: pd.DataFrame
) -> None:
    allowed = regression.limits(["cost:10%"])
    for device, named in (("another processor", "another processor"), (None, "not recorded")):
        elsewhere = old.model_copy(update={"device": device})
        answer = ask(subject(), elsewhere, old.frame, accuracies, tuple(1.5 * t for t in TIMES), allowed)["time"]
        assert (answer.verdict, named in answer.figure) == ("undecided", True)
        far = ask(subject(), elsewhere, old.frame, accuracies, tuple(10 * t for t in TIMES), allowed)["time"]
        assert far.verdict == "fail"


def test_baseline_records_its_machine(old: Baseline, subject: Subjects, tmp_path: Path) -> None:
    path = tmp_path / "mine.baseline.json"
    stored = json.loads(path.read_text())
    assert old.device == stored["device"] == devices.machine()
    assert {"arithmetic", "versions", "git_revision", "threads"} <= set(stored)
    path.write_text(json.dumps({key: value for key, value in stored.items() if key != "device"}))
    assert regression.read(path, subject()).device is None


def test_limits_are_read() -> None:
    assert regression.limits([]) == Limits()
    assert regression.limits(["cost:12.5%", "spearman:0.02"]) == Limits(spearman=0.02, cost=0.125)


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (["spearmen:0.02"], "fail_on: 'spearmen' is not known; did you mean 'spearman'"),
        (["spearman"], "fail_on: 'spearman' has no limit above 0"),
        (["spearman:2%"], "fail_on: 'spearman:2%' has no limit"),
        (["cost:0.1"], "write spearman:0.02 or cost:10%"),
        (["cost:0%"], "no limit above 0"),
        (["spearman:nan"], "no limit above 0"),
        (["cost:10%", "cost:20%"], "fail_on: cost is there twice"),
    ],
)
def test_limits_refuse_what_is_none(texts: list[str], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        regression.limits(texts)
