"""The model of accuracies: exact properties on made-up tables, and that the shipped table is what it says it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from diswot.benchmarks import spaces, tables
from diswot.benchmarks.errors import InputError
from diswot.benchmarks.spaces.nb201 import SIZE, Cell
from diswot.benchmarks.tables import model

SPACE = spaces.get("nb201")


def made_up(functions: int, noise: float = 0.5) -> pd.Series:
    """Return accuracies of some functions: smooth in the cell, and noise."""
    features = model.feature_table().sample(functions, random_state=0)
    smooth = 60 + features["log flops"] + features["most 3x3"] - features["number of avg_pool_3x3"]
    return smooth + np.random.default_rng(0).normal(0, noise, functions)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "mine.csv"
    vanilla = made_up(80)
    columns = {"vanilla": vanilla, "vanilla-0": vanilla, "distilled": vanilla + 1, "cost": 3.0}
    pd.DataFrame(columns).rename_axis("cell").to_csv(path)
    return path


def test_features_are_those_of_the_function() -> None:
    by_function: dict[int, list[Cell]] = {}
    for cell in range(300):
        by_function.setdefault(SPACE.representative(cell), []).append(Cell.from_index(cell))
    several = [cells for cells in by_function.values() if len(cells) > 1]
    assert several
    assert all(model.features(cell) == model.features(cells[0]) for cells in several for cell in cells)


def test_features_separate_all_functions() -> None:
    known = model.feature_table()
    assert len(known) == 5259  # all but the function without a live path
    assert not known.duplicated().any()
    assert np.isfinite(known.to_numpy()).all()


def test_predict_does_not_depend_on_the_order() -> None:
    accuracies = made_up(60)
    some = model.feature_table().index[[7, 900]].tolist()
    first = model.predict(accuracies, some)
    pd.testing.assert_frame_equal(model.predict(accuracies.sample(frac=1, random_state=1), some), first)
    pd.testing.assert_frame_equal(model.predict(accuracies, some[::-1]), first[::-1], rtol=1e-9)


def test_predict_recovers_accuracies_without_noise() -> None:
    accuracies = made_up(300, noise=0)
    left_out = model.cross_predicted(accuracies.iloc[:150])
    assert left_out["mean"].corr(accuracies.iloc[:150], method="spearman") > 0.95


def test_intervals_cover_functions_left_out() -> None:
    accuracies = made_up(200, noise=1.0)
    (row,) = model.validate({"made up": accuracies}, {"made up": model.cross_predicted(accuracies)}).to_dict("records")
    assert 0.83 <= row["coverage_90"] <= 0.96
    assert 0.9 <= row["rmse"] <= 1.4


def test_many_functions_are_fitted_with_the_kernel_of_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    accuracies = made_up(120, noise=0.1)
    whole = model.predict(accuracies, accuracies.index[:5].tolist())
    monkeypatch.setattr(model, "_FUNCTIONS_FOR_KERNEL", 60)
    sampled = model.predict(accuracies, accuracies.index[:5].tolist())
    assert (sampled["mean"] - whole["mean"]).abs().max() < 0.3


def test_validate_is_by_definition() -> None:
    measured = pd.Series([1.0, 2.0, 3.0, 4.0])
    predicted = pd.DataFrame({"mean": [1.0, 2.0, 3.0, 6.0], "std": 1.0})
    (row,) = model.validate({"a": measured}, {"a": predicted}).to_dict("records")
    assert row == {
        **{"column": "a", "functions": 4, "spearman": 1.0, "spearman_better_half": pytest.approx(1.0), "rmse": 1.0},
        **{"coverage_90": 0.75, "coverage_90_high": 0.5, "coverage_90_low": 1.0},
    }


def test_model_is_of_every_cell(table: Path) -> None:
    made = model.model(str(table), classes=4)
    frame = made.table.frame
    assert frame.index.tolist() == list(range(SIZE))
    assert [*frame] == [f"{name}{end}" for name in ("vanilla", "distilled", "gain") for end in ("", "-std")]
    assert made.validation["column"].tolist() == ["vanilla", "distilled", "gain"]
    functions = [SPACE.representative(cell) for cell in frame.index]
    assert (frame.groupby(functions).nunique() == 1).all(axis=None)
    constant = [Cell.from_index(cell).is_degenerate for cell in frame.index]
    assert (frame.loc[constant, ["vanilla", "distilled"]] == 25).all(axis=None)
    assert (frame.loc[constant, ["gain", "vanilla-std", "distilled-std", "gain-std"]] == 0).all(axis=None)
    np.testing.assert_allclose(frame["gain"], frame["distilled"] - frame["vanilla"], atol=1e-9)
    assert made.table.card.is_modelled
    assert not tables.load("nb201-kd").card.is_modelled
    pd.testing.assert_frame_equal(model.model(str(table), classes=4).table.frame, frame)


def test_a_number_of_epochs_is_not_a_seed(tmp_path: Path) -> None:
    path = tmp_path / "official.csv"
    accuracies = made_up(60)
    columns = {"cifar10-test-200": accuracies, "cifar10-test-200-seed777": accuracies}
    pd.DataFrame(columns).rename_axis("cell").to_csv(path)
    measured, _ = model.measured_in(str(path))
    assert list(measured) == ["cifar10-test-200"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nb201-kd-model:distilled", "table: nb201-kd-model:distilled is modelled already; give the measured table"),
        ("s0-diswot", "of the search space s0, not nb201"),
        ("{table}:cost", "holds no accuracies"),
        ("{table}:vanila", "'vanila' is not known; did you mean 'vanilla'"),
        ("{alike}", "alike:a is the same for all functions; there is nothing to model"),
        ("{few}", "few:a has an accuracy of 1 function with a live path; a model needs 50 or more"),
    ],
)
def test_model_refuses_what_cannot_be_modelled(spec: str, message: str, table: Path) -> None:
    few = table.with_name("few.csv")
    few.write_text("cell,a\n3,90\n9,91\n")
    alike = table.with_name("alike.csv")
    alike.write_text("\n".join(["cell,a", *(f"{cell},90" for cell in range(200))]))
    with pytest.raises(InputError, match=message):
        model.model(spec.format(table=table, few=few, alike=alike))
    with pytest.raises(InputError, match="classes: 1 is not a number of classes"):
        model.model(str(table), classes=1)


def test_the_shipped_table_is_fitted_to_the_shipped_trainings() -> None:
    shipped, source = tables.load("nb201-kd-model"), tables.load("nb201-kd")
    assert shipped.card.is_modelled
    assert source.card.data_hash in shipped.card.source, "python docs/measurements/model.py --ship renews the table"
    measured, _ = model.measured_in("nb201-kd:distilled")
    some = model.feature_table().index[[7, 900, 4000]].tolist()
    again = model.predict(measured["distilled"], some)
    np.testing.assert_allclose(shipped.frame.loc[some, "distilled"], again["mean"], atol=0.05)
