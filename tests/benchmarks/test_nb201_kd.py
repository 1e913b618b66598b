"""The shipped trainings: what the card says of them is what they say themselves."""

from __future__ import annotations

import io
from importlib.resources import files
from pathlib import Path

import pandas as pd
import pytest

from diswot.benchmarks import spaces, tables
from diswot.benchmarks.spaces import nb201
from diswot.benchmarks.tables import trainings
from diswot.harness.distillation import accuracies
from diswot.harness.distillation.recipes import RECIPES
from diswot.harness.runs import samples
from diswot.harness.runs.store import TRAININGS


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    content = (files("diswot.benchmarks.tables") / "data" / "nb201-kd.csv").read_bytes()
    return pd.read_csv(io.BytesIO(content))


def test_every_training_has_one_row(rows: pd.DataFrame) -> None:
    assert tuple(rows.columns) == TRAININGS.columns
    assert not rows.duplicated(list(TRAININGS.identity)).any()
    assert rows["settings"].nunique() == 1
    assert all(nb201.Cell.from_index(cell).canonical.index == cell for cell in rows["cell"].unique())
    # Every student with a teacher has its vanilla twin from the same weights.
    kinds = rows[rows["status"] == "ok"].groupby(["cell", "seed"])["distiller"].agg(set)
    assert (kinds == {"none", "kd"}).all()


def test_every_cell_of_a_trained_function_has_the_mean_of_its_trainings(rows: pd.DataFrame) -> None:
    frame = tables.load("nb201-kd").frame
    seeds = trainings.by_class(rows)
    functions = {index: nb201.Cell.from_index(index).function for index in range(nb201.SIZE)}
    trained = {functions[cell] for cell in seeds.index}
    assert set(frame.index) == {index for index, function in functions.items() if function in trained}
    of_function = seeds.groupby([functions[cell] for cell in seeds.index]).mean()
    expected = of_function.loc[[functions[cell] for cell in frame.index]].set_axis(frame.index)
    pd.testing.assert_frame_equal(frame[seeds.columns], expected, check_names=False)


def test_it_answers_for_the_600_classes_of_the_sample_and_60_of_them_thrice() -> None:
    classes = samples.cells("600", spaces.classes_of(spaces.get("nb201")))
    frame = tables.load("nb201-kd").frame
    assert frame.loc[list(classes), ["vanilla", "distilled"]].notna().all(axis=None)
    thrice = [f"{column}-{seed}" for column in ("vanilla", "distilled") for seed in range(3)]
    assert frame.loc[list(classes[:60]), thrice].notna().all(axis=None)


def test_the_time_of_a_training_is_the_mean_of_those_that_ended(rows: pd.DataFrame) -> None:
    seconds, machine = tables.training_seconds("nb201-kd")
    good = rows[rows["status"] == "ok"]
    for column, distiller in (("vanilla", "none"), ("distilled", "kd")):
        assert seconds[column] == pytest.approx(good.loc[good["distiller"] == distiller, "seconds"].mean())
    assert machine
    assert tables.training_seconds("s0-diswot") == ({}, "")


def test_the_card_states_the_recipe(rows: pd.DataFrame) -> None:
    card = tables.load("nb201-kd").card
    assert card.recipe == accuracies.describe_students("nb201", RECIPES["mini"], rows["distiller"].unique())


def test_what_the_card_says_is_measured_is_measured(rows: pd.DataFrame, shared_data: Path) -> None:
    truth = tables.targets(f"{shared_data / 'nb201_200ep.csv.gz'}:c10_test200_nats", "nb201")[0]
    said = accuracies.measured(rows, "nb201", truth)
    assert tables.load("nb201-kd").card.measured == "; ".join(f"{name}: {value}" for name, value in said.items())
