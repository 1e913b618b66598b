"""Frozen suites, and the hash under a table of correlations."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import diswot
from diswot.benchmarks.errors import InputError
from diswot.harness.runs import results, suites
from diswot.harness.runs.precomputed import catalogue
from diswot.harness.runs.suites import Suite
from diswot.proxies import registry

Cli = Callable[..., Any]

TINY = ("--space", "s0", "--batch-size", "2", "--teacher", "s0:111", "--device", "cpu", "--no-shipped")


def hash_line(out: str) -> str:
    """What `diswot correlate` prints from its hash on, in one line."""
    found = re.search(r"(Suite mine, |Hash, |No hash: ).*", " ".join(out.split()))
    assert found is not None
    return found.group()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that suites are read from, empty."""
    place = tmp_path / "suites"
    place.mkdir()
    monkeypatch.setattr(suites, "FOLDER", place)
    return place


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first test makes the run that all tests begin with copies of."""
    return tmp_path_factory.mktemp("template") / "run"


@pytest.fixture
def run(template: Path, tmp_path: Path, cli: Cli) -> Path:
    """Two counts of 12 networks of S0, and their correlations."""
    if not template.exists():
        made = cli("evaluate", *TINY, "--cells", "12", "--proxies", "params,live_convs", "--out", template)
        assert made.status == 0
        results.correlate(template)
    return Path(shutil.copytree(template, tmp_path / "run"))


@pytest.fixture
def mine(folder: Path, run: Path) -> Suite:
    """The suite that the run is, called mine."""
    made = suites.of(results.correlate(run))
    assert made is not None
    suites.write(folder / "mine.suite.json", made)
    return made


def test_shipped_suite_is_frozen() -> None:
    suite = suites.load("nb201-2026")
    assert suite.hash == "e4cd048ebfab79c1"
    assert suite.proxies == catalogue.load("nb201-cifar10").versions
    assert {registry.get(name).version for name in suite.proxies} <= {"1", "2"}
    assert suite.arguments["cells"] == "all"


def test_suite_is_read_as_it_was_written(mine: Suite) -> None:
    assert suites.load("mine") == mine
    assert suites.names() == ("mine",)


@pytest.mark.parametrize("part", list(Suite.model_fields))
def test_hash_changes_with_every_part(part: str, mine: Suite) -> None:
    changed = mine.model_dump()[part]
    changed = (
        {**changed, "more": "1"}
        if isinstance(changed, dict)
        else [*changed, 1]
        if isinstance(changed, list)
        else "other"
    )
    assert mine.model_copy(update={part: changed}).hash != mine.hash


def test_unknown_suite_names_the_nearest(mine: Suite) -> None:
    with pytest.raises(InputError, match="did you mean 'mine'"):
        suites.load("nine")


def test_hash_is_the_same_wherever_it_is_computed(mine: Suite, cli: Cli, tmp_path: Path) -> None:
    again = tmp_path / "again"
    assert cli("evaluate", "--suite", "mine", "--workers", "1", "--no-shipped", "--out", again).status == 0
    said = cli("correlate", again, "--suite", "mine")
    assert said.status == 0
    assert hash_line(said.out).startswith(f"Suite mine, {mine.hash}: proxies")
    assert hash_line(cli("correlate", again).out) == hash_line(said.out)
    found = diswot.load(again).correlate(suite="mine")
    assert set(found["metric"]) == {"spearman"}


def test_other_conditions_have_another_hash(mine: Suite, run: Path, cli: Cli) -> None:
    line = hash_line(cli("correlate", run, "--metric", "kendall").out)
    assert line.startswith("Hash, ")
    assert mine.hash not in line


def test_further_proxies_are_named(mine: Suite, run: Path, cli: Cli) -> None:
    assert cli("evaluate", *TINY, "--cells", "12", "--proxies", "flops", "--out", run).status == 0
    line = hash_line(cli("correlate", run, "--suite", "mine").out)
    assert mine.hash in line
    assert line.endswith(" Not part of it: flops.")


def test_incomplete_run_has_no_hash_and_is_no_suite(mine: Suite, run: Path, cli: Cli) -> None:
    assert cli("evaluate", *TINY, "--cells", "13", "--proxies", "params", "--out", run).status == 0
    assert hash_line(cli("correlate", run).out).startswith("No hash: ")
    assert "diswot evaluate --suite mine" in cli("correlate", run, "--suite", "mine").sentence


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"seeds": [0, 1]}, "other seeds"),
        ({"cells": [111, 113]}, "other cells"),
        ({"proxies": {"params": "0", "live_convs": "1"}}, r"params version 1 \(there: 0\)"),
        ({"proxies": {"params": "1", "live_convs": "1", "meco": "1"}}, "no scores of meco"),
        ({"settings": {"images": "cifar10"}}, r"images noise \(there: cifar10\)"),
    ],
)
def test_run_of_another_suite_is_refused(
    mine: Suite, folder: Path, run: Path, changes: dict[str, Any], sentence: str
) -> None:
    if "settings" in changes:
        changes = {"settings": mine.settings | changes["settings"]}
    suites.write(folder / "mine.suite.json", mine.model_copy(update=changes))
    with pytest.raises(InputError, match=f"run: it is not the suite mine: .*{sentence}"):
        suites.correlate(run, "mine")


def test_other_table_is_refused(mine: Suite, folder: Path, run: Path) -> None:
    suites.write(folder / "mine.suite.json", mine.model_copy(update={"targets": dict.fromkeys(mine.targets, "0")}))
    with pytest.raises(InputError, match="suite: s0-diswot:distilled is not the table that mine was made with"):
        suites.correlate(run, "mine")


def test_other_installed_version_is_refused(mine: Suite, folder: Path, cli: Cli, tmp_path: Path) -> None:
    suites.write(folder / "mine.suite.json", mine.model_copy(update={"proxies": {"params": "7"}}))
    said = cli("evaluate", "--suite", "mine", "--out", tmp_path / "again")
    assert said.status == 2
    assert "--suite: params is in it in version 7, and version 1 is installed" in said.sentence


@pytest.mark.parametrize("option", ["--cells", "--seeds", "--images", "--teacher"])
def test_evaluate_refuses_what_a_suite_decides(mine: Suite, cli: Cli, option: str, tmp_path: Path) -> None:
    said = cli("evaluate", "--suite", "mine", option, "1", "--out", tmp_path / "again")
    assert said.status == 2
    assert f"{option}: it plays a part only without --suite" in said.sentence


def test_interface_refuses_what_a_suite_decides(mine: Suite, run: Path) -> None:
    with pytest.raises(InputError, match="images: the suite mine says what it is"):
        diswot.evaluate(images="cifar10", suite="mine", progress=False)
    with pytest.raises(InputError, match="suite: mine says what the targets"):
        diswot.load(run).correlate(metric="kendall", suite="mine")


def test_damaged_suite_is_refused(mine: Suite, folder: Path) -> None:
    path = folder / "mine.suite.json"
    stored = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in stored.items() if key != "cells"}))
    with pytest.raises(InputError, match=r"suite: .*mine\.suite\.json is damaged"):
        suites.load("mine")
