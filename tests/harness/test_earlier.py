"""What version 0.2 wrote, and the names that it took, still work."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

import diswot
from diswot.harness import files, records
from diswot.harness.compute import costs
from diswot.harness.distillation import recipes, teacher
from diswot.harness.distillation.settings import Settings as DistillationSettings
from diswot.harness.distillation.student_images import Preprocessing
from diswot.harness.distillation.teacher import Teacher
from diswot.harness.runs import results
from diswot.harness.runs.precomputed import catalogue
from diswot.harness.runs.settings import Settings, hash_of
from diswot.harness.runs.stored_search import Winner

STORED = Path(__file__).with_name("stored_run")

Cli = Callable[..., Any]


def test_stored_run_has_the_current_names() -> None:
    found = results.load(STORED)
    assert found.method.metric == "spearman"
    assert found.info.settings.vectorised_seeds == 1
    assert {proxy.name for proxy in found.info.proxies if proxy.differences} == {"nwot"}
    assert set(found.evidence["metric"]) == {"spearman"}
    assert found.evidence["spearman_std"].isna().all()  # one seed
    stars = found.evidence["not_significantly_different"]
    assert stars.dropna().isin([True, False]).all()
    assert (found.evidence.loc[stars == 1, "gap_to_best_p"] > 0.05).all()
    assert found.search is not None
    assert {"mean", "std"} <= set(found.search.curves)
    assert found.search.summary["accuracy_std"].notna().any()


@pytest.mark.parametrize(
    ("earlier", "now"),
    [
        ("measure", "metric"),
        ("behind", "gap_to_best"),
        ("behind_p", "gap_to_best_p"),
        ("level_with_best", "not_significantly_different"),
        ("deviation", "std"),
        ("mine_deviation", "mine_std"),
        ("units", "relative_cost"),
        ("spearman", "spearman"),
        ("file:x_deviation", "file:x_deviation"),  # a target, which the user named
    ],
)
def test_read_csv_renames_columns_of_an_earlier_version(tmp_path: Path, earlier: str, now: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(f"{earlier}\n1\n")
    assert list(files.read_csv(path, (), "run")) == [now]


def test_costs_of_an_earlier_version_are_read(tmp_path: Path) -> None:
    path = tmp_path / "costs.csv"
    path.write_text("name,seconds,units,shared_units\nmeco,2,0.5,0.25\n")
    found = costs.read(path)
    assert found is not None
    assert found.loc["meco", ["seconds", "relative_cost"]].tolist() == [2, 0.5]


def test_winner_of_an_earlier_version_is_read() -> None:
    winner = {"driver": "meco", "target": "t:x", "measure": "kendall", "chosen_on": 9, "chosen": 0.5, "runner_up": None}
    winner |= {"margin": None, "margin_p": None, "significant": False, "judged_on": 9, "judged": 0.5}
    assert records.checked(Winner, winner | {"judged_low": 0.1, "judged_high": 0.7}, "run").metric == "kendall"


def test_card_of_an_earlier_version_is_read() -> None:
    card = catalogue.load("nb201-noise").card
    assert card.image_source.startswith("drawn from N(0, 1)")
    assert any(proxy.differences for proxy in card.proxies)


def test_distillation_of_an_earlier_version_has_the_hash_of_its_file() -> None:
    others = {"space": "s0", "images": "cifar100", "teacher": "resnet56", "device": "cpu"}
    now = DistillationSettings(**recipes.get("mini").model_dump(), **others, images_hash="0123")
    earlier = {"pictures" if name == "images_hash" else name: value for name, value in now.stored().items()}
    read = records.checked(DistillationSettings, earlier, "run")
    assert (read.images_hash, read.hash, read.stored()) == ("0123", now.hash, now.stored())
    assert now.hash == hash_of(earlier)


def test_teacher_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    path, preprocessing = tmp_path / "teacher.pt", Preprocessing(32, (0.5, 0.5, 0.5), (0.2, 0.2, 0.2))
    numbers = {"accuracy": 70.0, "train_accuracy": 90.0, "seconds": None, "logits": None}
    made = Teacher(name="resnet20", shortcut="A", classes=10, preprocessing=preprocessing, state_dict={}, **numbers)
    teacher.save(path, made)
    stored = torch.load(path, weights_only=True)
    torch.save(stored | {"lens": stored.pop("preprocessing")}, path)
    assert teacher.load(path, "cpu") == made


def test_settings_of_an_earlier_version_have_the_hash_of_their_file(settings: Settings) -> None:
    stored = settings.stored()
    earlier = {"stack" if name == "vectorised_seeds" else name: value for name, value in stored.items()}
    read = Settings.model_validate_json(json.dumps(earlier))
    assert (read, read.hash, read.stored()) == (settings, settings.hash, stored)


def test_options_of_an_earlier_version_are_taken_and_named_anew(cli: Cli, tmp_path: Path) -> None:
    said = cli("evaluate", "--stack", "0").sentence.splitlines()
    assert said[0] == "--stack is called --vectorised-seeds now."
    assert "'--vectorised-seeds': 0 is not in the range" in said[-1]
    assert cli("correlate", "nowhere", "--measure", "kendall").sentence.startswith("--measure is called --metric now.")
    said = cli("search", "nowhere", "--seeds", "0").sentence.splitlines()
    assert said[0] == "--seeds is called --searches now."
    assert "'--searches': 0 is not in the range" in said[-1]
    for command, option in (("evaluate", "--stack"), ("correlate", "--measure"), ("search", "--seeds")):
        assert option not in cli(command, "--help").out
    configured = tmp_path / "settings.toml"
    configured.write_text("stack = 0\n")
    assert "'--vectorised-seeds': 0 is not in the range" in cli("evaluate", "--config", configured).sentence
    configured.write_text("seeds = 0\n")
    assert "'--searches': 0 is not in the range" in cli("search", "nowhere", "--config", configured).sentence
    assert "--seeds: '0' is neither" in cli("evaluate", "--config", configured).sentence


def test_evaluate_takes_the_earlier_keyword_with_a_warning() -> None:
    arguments: dict[str, Any] = {"cells": [113], "space": "s0", "batch_size": 2, "workers": 1, "progress": False}
    with pytest.warns(DeprecationWarning, match="write vectorised_seeds="):
        run = diswot.evaluate(["params"], stack=2, precomputed=False, **arguments)
    assert run.info["settings"]["vectorised_seeds"] == 2
    pd.testing.assert_series_equal(run.scores["value"], diswot.evaluate(["params"], **arguments).scores["value"])
