"""A check with precomputed scores: its conditions, and its built-ins to be compared with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from diswot.benchmarks import spaces
from diswot.benchmarks.errors import InputError
from diswot.harness.check import predictive_value, reference
from diswot.harness.compute import sweep
from diswot.harness.evidence import intervals
from diswot.harness.runs import packing, run_folder
from diswot.harness.runs.precomputed import catalogue
from diswot.harness.runs.precomputed.catalogue import Precomputed
from diswot.harness.runs.settings import hash_of
from diswot.harness.runs.store import Record, Store
from diswot.proxies import registry

Cli = Callable[..., Any]

BATCH_SIZE = 2


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Precomputed:
    """A set of live_flops, and of snip that is the same, on all cells of NAS-Bench-201 and for tiny batches."""
    monkeypatch.setattr(catalogue, "FOLDER", tmp_path / "package" / "data")
    conditions = reference.Conditions(batch_size=BATCH_SIZE, teacher="s0:111")
    built_in = registry.select("live_flops,snip")
    space = spaces.get(reference.SPACE)
    context = sweep.prepare(reference.plan(conditions, built_in, space.cells, (), workers=1))
    settings, folder = context.settings, tmp_path / "made"
    run_folder.claim(folder, settings, built_in, device="test", plugins=())
    identity = {"space": settings.space, "settings": settings.hash, "seed": 0, "status": "ok", "cause": None}
    with Store(run_folder.store_path(folder), create=True) as store:
        store.write(
            [
                Record(
                    cell=cell,
                    proxy=one.name,
                    version=one.version,
                    value=float(space.costs["live_flops"](cell, space.classes)),
                    seconds=0.1,
                    **identity,
                )
                for one in built_in
                for cell in space.cells
            ]
        )
    return packing.pack(folder, "nb201-tiny")


@pytest.mark.usefixtures("few_cells")
def test_a_check_compares_under_the_conditions_of_the_set(
    cli: Cli, shipped: Precomputed, plugin: Callable[..., Path], tmp_path: Path
) -> None:
    path = plugin("return trace.features[-1].square().mean()", needs="'features'")
    line = ("check", path, "--quick", "--only", "worth", "--with", shipped.name, "--against", "best,snip")
    said = cli(*line, "--out", tmp_path / "kept", "--json")
    info = run_folder.read_info(tmp_path / "kept")
    cells = tuple(map(int, (tmp_path / "kept" / "cells.txt").read_text().split()))
    assert cells == reference.cells(quick=True)
    assert info.settings_hash == shipped.card.settings_hash != reference.load().settings.hash
    answers = {answer["name"]: answer for answer in json.loads(said.out)["answers"]}
    assert {"gap_to live_flops", "gap_to snip"} <= set(answers)
    assert f"--with {shipped.name}" in answers["gap_to snip"]["reproduce"]
    assert f"n = {intervals.FEWEST_FUNCTIONS}, 0 undefined" in answers["direction nb201-kd:distilled"]["figure"]


def test_the_reference_holds_precomputed_scores_of_the_fixed_cells(shipped: Precomputed) -> None:
    found = reference.of_precomputed(shipped)
    assert list(found.proxies["name"]) == ["live_flops", "snip"]
    assert found.settings.hash == shipped.card.settings_hash
    own = reference.load().scores
    own = own[own["proxy"] == "live_flops"].set_index("cell")["value"]
    for name in found.proxies["name"]:
        values = found.scores[found.scores["proxy"] == name].set_index("cell")["value"]
        assert values.sort_index().equals(own.astype(float).sort_index())


def test_a_set_without_the_usual_baselines_is_compared_with_what_it_has(
    cli: Cli, shipped: Precomputed, plugin: Callable[..., Path], tmp_path: Path
) -> None:
    packing.pack(tmp_path / "made", "nb201-one", ["snip"])
    found = reference.of_precomputed(catalogue.load("nb201-one"))
    assert predictive_value.baselines((), found) == ("best",)
    with pytest.raises(InputError, match="against: 'live_flops' is not known"):
        predictive_value.baselines(("live_flops",), found)


def test_check_refuses_scores_of_other_settings(cli: Cli, shipped: Precomputed, plugin: Callable[..., Path]) -> None:
    path = plugin("return 1.0")
    said = cli("check", path, "--with", "nb201-tinny")
    assert (said.status, "--with: 'nb201-tinny' is not known; did you mean 'nb201-tiny'" in said.sentence) == (2, True)
    said = cli("check", path, "--image-dir", "somewhere")
    assert (said.status, "--image-dir: a check uses noise" in said.sentence) == (2, True)
    card = catalogue.card_path(shipped.name)
    stored = json.loads(card.read_text())
    others = stored["settings"] | {"vectorised_seeds": 2}
    card.write_text(json.dumps(stored | {"settings": others, "settings_hash": hash_of(others)}))
    said = cli("check", path, "--with", shipped.name)
    assert said.status == 2
    assert "a check has other settings than nb201-tiny: vectorised_seeds 1 (there: 2)" in said.sentence
    card.write_text(json.dumps(stored | {"seeds": [1, 2]}))
    with pytest.raises(InputError, match=r"of nb201 with weight seeds 1, 2; a check compares on nb201 with seed 0"):
        reference.conditions_of(catalogue.load(shipped.name), None)
