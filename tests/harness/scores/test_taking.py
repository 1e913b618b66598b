from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from diswot.harness import records
from diswot.harness.runs import provenance, results, run_folder
from diswot.harness.runs.precomputed import catalogue
from diswot.harness.runs.precomputed.catalogue import Precomputed
from diswot.harness.runs.settings import hash_of
from diswot.harness.runs.store import Record, Store

Cli = Callable[..., Any]

#: The settings of the set, as a user would ask for them.
ALIKE = ("--space", "s0", "--batch-size", "4", "--teacher", "s0:111", "--device", "cpu", "--workers", "1")

TAKEN = "{} of {} scores are precomputed: s0-noise"


@pytest.fixture
def evaluate(cli: Cli, shipped: Precomputed) -> Callable[..., str]:
    """Evaluates on a few cells; returns what was said."""

    def call(*options: object, out: str = "run", cells: str = "111,113,117", proxies: str = "live_flops,nwot") -> str:
        said = cli("evaluate", *ALIKE, "--cells", cells, "--proxies", proxies, "--out", out, *options)
        assert said.status == 0, said.sentence
        return str(said.sentence)

    return call


def scores(folder: str) -> pd.DataFrame:
    return results.load(folder).scores.drop(columns="seconds")


def recarded(one: Precomputed, **changes: Any) -> None:
    """Change the card of a set."""
    catalogue.card_path(one.name).write_text(json.dumps(one.card.stored() | changes))


def test_what_precomputed_has_is_taken_and_the_rest_computed(
    evaluate: Callable[..., str], shipped: Precomputed, tmp_path: Path
) -> None:
    said = evaluate("--seeds", "2", proxies="nwot,params")
    assert TAKEN.format(3, 12) in said  # nwot with seed 0
    assert "run: 9 scores in" in said
    assert "were there already" not in said
    whole = shipped.frame().drop(columns="seconds")
    asked = whole[(whole["proxy"] == "nwot") & whole["cell"].isin([111, 113, 117])]
    found = scores("run")
    stored = found[(found["proxy"] == "nwot") & (found["seed"] == 0)]
    pd.testing.assert_frame_equal(stored.reset_index(drop=True), asked.reset_index(drop=True), check_exact=True)
    info = run_folder.read_info(tmp_path / "run").stored()
    here = {"name": "s0-noise", "data_hash": shipped.data_hash, "device": shipped.card.device}
    assert info["taken"] == [here | {"proxies": ["nwot"]}]


def test_the_device_is_noted_by_proxy(evaluate: Callable[..., str], shipped: Precomputed, tmp_path: Path) -> None:
    recarded(shipped, device="one", devices={"live_flops": "one", "nwot": "another"})
    evaluate(proxies="live_flops,nwot,params")
    info = run_folder.read_info(tmp_path / "run").stored()
    assert {note["device"]: note["proxies"] for note in info["taken"]} == {"one": ["live_flops"], "another": ["nwot"]}
    assert info["computed"] == [{"device": info["device"], "proxies": ["params"]}]
    assert provenance.devices(run_folder.read_info(tmp_path / "run")) == {
        "live_flops": "one",
        "nwot": "another",
        "params": info["device"],
    }


def devices_of(card: dict[str, Any]) -> dict[str, str]:
    return provenance.devices(records.checked(provenance.Card, card, "card"))


def test_an_older_card_says_the_device_by_what_it_took(shipped: Precomputed) -> None:
    card = {key: value for key, value in shipped.card.stored().items() if key not in ("devices", "computed")}
    note = {"set": "x", "data_hash": "0", "device": "another", "proxies": ["nwot"]}
    assert devices_of(card | {"taken": [note]}) == {
        "live_flops": card["device"],
        "nwot": "another",
    }
    del note["device"]
    assert devices_of(card | {"taken": [note]}) == {
        "live_flops": card["device"],
        "nwot": "not recorded",
    }


def test_the_shipped_set_names_the_device_of_each_proxy() -> None:
    one = catalogue.load("nb201-cifar10")
    amd = {"az_expressivity", "az_progressivity", "az_trainability", "ntk_cond", "gradsign", "grasp"}
    assert {name for name, device in one.devices.items() if device == "AMD EPYC"} == amd
    assert set(one.devices.values()) == {"AMD EPYC", "Intel(R) Xeon(R) Processor"}
    assert set(one.devices) == set(one.versions)


def test_taken_scores_are_the_computed_ones(evaluate: Callable[..., str], shipped: Precomputed, tmp_path: Path) -> None:
    assert TAKEN.format(4, 4) in evaluate(out="taken", cells="113,117")
    said = evaluate("--no-shipped", out="computed", cells="113,117")
    assert "computed: 4 scores in" in said
    assert "s0-noise" not in said
    assert not run_folder.read_info(tmp_path / "computed").taken
    pd.testing.assert_frame_equal(scores("taken"), scores("computed"), check_exact=True)


def test_a_run_grows_and_resumes(evaluate: Callable[..., str], shipped: Precomputed, tmp_path: Path) -> None:
    evaluate(cells="111,113")
    results.correlate("run")
    assert TAKEN.format(2, 6) in evaluate()
    assert not (tmp_path / "run" / "evidence.csv").exists()  # the scores are others now
    results.correlate("run")
    said = evaluate()
    assert "taken" not in said
    assert "6 were there already" in said
    assert (tmp_path / "run" / "evidence.csv").exists()
    (note,) = run_folder.read_info(tmp_path / "run").stored()["taken"]
    assert note["proxies"] == ["live_flops", "nwot"]


def test_a_kill_between_the_note_and_the_scores_leaves_no_trace(
    evaluate: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate(out="whole")
    with monkeypatch.context() as killed:
        killed.setattr(Store, "write", lambda *_: sys.exit("killed"))
        with pytest.raises(SystemExit, match="killed"):
            evaluate()
    assert [note.name for note in run_folder.read_info(tmp_path / "run").taken] == ["s0-noise"]
    assert scores("run").empty
    assert TAKEN.format(6, 6) in evaluate()
    assert run_folder.read_info(tmp_path / "run").taken == run_folder.read_info(tmp_path / "whole").taken
    pd.testing.assert_frame_equal(scores("run"), scores("whole"), check_exact=True)


def test_a_failed_score_is_taken_anew(evaluate: Callable[..., str], shipped: Precomputed, tmp_path: Path) -> None:
    evaluate("--no-shipped", cells="111,113", proxies="live_flops")
    path = run_folder.store_path(tmp_path / "run")
    with Store(path, create=False) as store:
        first = Record(**store.frame().iloc[0].to_dict())
        store.write([replace(first, cell=111, seed=0, status="failed", value=None, cause="no disk")])
    assert TAKEN.format(1, 2) in evaluate(cells="111,113", proxies="live_flops")
    assert set(scores("run")["status"]) == {"ok"}


def test_another_version_is_computed(evaluate: Callable[..., str], shipped: Precomputed) -> None:
    records = [record | {"version": "0"} for record in shipped.card.stored()["proxies"]]
    recarded(shipped, proxies=records)
    assert "taken" not in evaluate(cells="113,", proxies="live_flops")


def test_other_settings_of_the_same_images_are_named(cli: Cli, shipped: Precomputed) -> None:
    said = cli("evaluate", *ALIKE, "--batch-size", "5", "--cells", "111,", "--proxies", "live_flops", "--out", "run")
    expected = "the precomputed scores s0-noise have other settings: batch_size 5 (there: 4)"
    assert expected in said.sentence
    assert "1 score in" in said.sentence


def test_nothing_is_said_of_precomputed_of_other_images(evaluate: Callable[..., str], shipped: Precomputed) -> None:
    settings = shipped.card.settings.model_copy(update={"images": "cifar10"})
    recarded(shipped, settings=settings.stored(), settings_hash=settings.hash)
    assert "s0-noise" not in evaluate(cells="111,", proxies="live_flops")


def test_a_damaged_set_stops_an_evaluation_that_could_take_from_it(cli: Cli, shipped: Precomputed) -> None:
    shipped.path.write_bytes(b"")
    said = cli("evaluate", *ALIKE, "--cells", "111,", "--proxies", "live_flops", "--out", "run")
    assert said.status == 2
    assert "or evaluate with --no-shipped." in said.sentence


# A proxy of one's own beside all others.

OWN = "return trace.features[-1].mean()"


@pytest.fixture
def own(plugin: Callable[..., Path], evaluate: Callable[..., str]) -> Path:
    """A plug-in, evaluated into ``run`` on twelve cells."""
    file = plugin(OWN, needs="'features'")
    evaluate("--plugin", file, cells="12", proxies="mine")
    return file


def test_a_metric_stands_among_the_shipped_ones(cli: Cli, own: Path, shipped: Precomputed, tmp_path: Path) -> None:
    said = cli("correlate", "run", "--with", "s0-noise", "--out", "table.csv")
    assert said.status == 0
    assert "24 precomputed scores of s0-noise are copied into run" in said.sentence
    assert set(pd.read_csv("table.csv")["proxy"]) == {"mine", "live_flops", "nwot"}
    found = results.load("run")
    assert len(found.scores) == 36
    gap = found.evidence[found.evidence["proxy"] == "mine"].iloc[0]
    assert gap["gap_to_best_low"] <= gap["gap_to_best"] <= gap["gap_to_best_high"]  # paired with the best of all three
    assert list(found.proxies["name"]) == ["mine", "live_flops", "nwot"]
    again = cli("correlate", "run", "--with", "s0-noise")
    assert "0 precomputed scores of s0-noise" in again.sentence
    assert cli("evaluate", *ALIKE, "--plugin", own, "--cells", "13", "--proxies", "mine", "--out", "run").status == 0


def test_one_evaluation_does_the_same(evaluate: Callable[..., str], own: Path, shipped: Precomputed) -> None:
    said = evaluate("--plugin", own, cells="12", proxies="mine,live_flops,nwot")
    assert TAKEN.format(24, 36) in said
    assert "12 were there already" in said
    assert set(scores("run")["proxy"]) == {"mine", "live_flops", "nwot"}


def test_other_settings_are_not_put_side_by_side(cli: Cli, evaluate: Callable[..., str], shipped: Precomputed) -> None:
    cli("evaluate", *ALIKE, "--batch-size", "5", "--cells", "12", "--proxies", "live_flops", "--out", "run")
    said = cli("correlate", "run", "--with", "s0-noise")
    assert said.status == 2
    assert "--with: run has other settings than the precomputed scores s0-noise: batch_size 5 (there: 4);" in (
        said.sentence
    )


def test_a_run_without_a_setting_is_another(cli: Cli, evaluate: Callable[..., str], tmp_path: Path) -> None:
    evaluate(cells="12", proxies="live_flops")
    info = run_folder.read_info(tmp_path / "run").stored()
    del info["settings"]["vectorised_seeds"]  # as an older version left it
    info["settings_hash"] = hash_of(info["settings"])
    run_folder.info_path(tmp_path / "run").write_text(json.dumps(info))
    said = cli("correlate", "run", "--with", "s0-noise")
    assert (said.status, "vectorised_seeds None (there: 1);" in said.sentence) == (2, True)


def test_other_seeds_are_not_put_side_by_side(cli: Cli, evaluate: Callable[..., str], shipped: Precomputed) -> None:
    evaluate("--seeds", "7,", proxies="live_flops")
    said = cli("correlate", "run", "--with", "s0-noise")
    assert said.status == 2
    assert "--with: the precomputed scores s0-noise have the weight seeds 0, and run has none of them." in said.sentence


def test_the_runs_own_version_of_a_proxy_stays(cli: Cli, evaluate: Callable[..., str], shipped: Precomputed) -> None:
    evaluate(proxies="live_flops", cells="12")
    recarded(shipped, proxies=[record | {"version": "0"} for record in shipped.card.stored()["proxies"]])
    cli("correlate", "run", "--with", "s0-noise")
    found = results.load("run").scores
    assert dict(found.groupby("proxy")["version"].first())["live_flops"] != "0"
    assert (found["proxy"] == "live_flops").sum() == 12


def test_nothing_is_added_to_precomputed(cli: Cli, shipped: Precomputed) -> None:
    refused = "runs/s0-noise shows the precomputed scores s0-noise and takes no others; choose the folder of another"
    assert cli("correlate", "s0-noise").status == 0
    said = cli("correlate", "s0-noise", "--with", "s0-noise")
    assert (said.status, f"--with: {refused}" in said.sentence) == (2, True)
    said = cli("evaluate", *ALIKE, "--cells", "111,", "--proxies", "snip", "--out", "runs/s0-noise")
    assert (said.status, f"--out: {refused}" in said.sentence) == (2, True)
