"""Precomputed scores named where a run's folder is expected, and the commands that show which there are."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from diswot.benchmarks.errors import InputError
from diswot.harness.runs import packing, results, run_folder
from diswot.harness.runs.precomputed import catalogue
from diswot.harness.runs.precomputed.catalogue import Precomputed

Cli = Callable[..., Any]


@pytest.fixture
def complete(shipped: Precomputed) -> Precomputed:
    """The set with its evidence."""
    packing.keep_evidence(shipped.name)
    return shipped


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_precomputed_is_correlated_by_its_name(cli: Cli, finished: Path, complete: Precomputed, tmp_path: Path) -> None:
    before = contents(catalogue.FOLDER)
    assert "Computed with the precomputed scores s0-noise" in cli("correlate", "s0-noise").out
    said = cli("correlate", "s0-noise", "--full")
    assert said.status == 0
    note = "\nComputed with the precomputed scores s0-noise, of the same scores, accuracies and code, and kept with it."
    assert note in said.out
    shutil.copytree(finished, tmp_path / "run")
    assert cli("correlate", "run", "--full").out == said.out.replace(note, "")
    assert contents(catalogue.FOLDER) == before
    assert not run_folder.store_path(tmp_path / "runs" / "s0-noise").exists()
    loaded = results.load("runs/s0-noise")
    assert len(loaded.scores) == 128
    assert len(loaded.evidence) == len(results.load("run").evidence)
    assert cli("correlate", "runs/s0-noise", "--full").out == said.out
    assert cli("correlate", "s0-noise", "--json").out == cli("correlate", "runs/s0-noise", "--json").out


def test_another_method_is_computed_and_does_not_claim_to_be_kept(cli: Cli, complete: Precomputed) -> None:
    said = cli("correlate", "s0-noise", "--metric", "kendall")
    assert "kendall with s0-diswot:distilled" in said.out
    assert "kept with it" not in said.out


def test_the_page_of_precomputed(cli: Cli, complete: Precomputed, tmp_path: Path) -> None:
    said = cli("report", "s0-noise", "--figures", "bars")
    assert said.status == 0
    assert said.out.startswith("wrote runs/s0-noise/report.html")
    assert str(complete.path) not in said.out
    page = (tmp_path / "runs" / "s0-noise" / "report.html").read_text(encoding="utf-8")
    assert "diswot correlate s0-noise" in page  # what works on any machine, whatever folders it has
    assert (tmp_path / "runs" / "s0-noise" / "figures").is_dir()


def test_a_search_follows_precomputed(cli: Cli, complete: Precomputed, tmp_path: Path) -> None:
    said = cli("search", "s0-noise", "--proxy", "nwot", "--searches", "2")
    assert said.status == 0
    assert (tmp_path / "runs" / "s0-noise" / "search" / "search.json").is_file()


def test_no_torch_is_loaded(complete: Precomputed, tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from diswot.harness.cli import main
from diswot.harness.runs.precomputed import catalogue
catalogue.FOLDER = Path({str(catalogue.FOLDER)!r})
for command in "scores list", "scores show s0-noise", "scores list --json":
    assert main(command.split()) == 0
assert "scipy" not in sys.modules
for command in "correlate s0-noise", "report s0-noise --figures bars", "correlate s0-noise --metric kendall":
    assert main(command.split()) == 0
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert done.returncode == 0, done.stderr
    judged, replaced = done.stderr.splitlines()
    assert judged == "s0-noise comes without the answer to this; all 64 cells are judged now"
    assert replaced.endswith("(spearman) are replaced; --out FOLDER keeps answers side by side")


def test_a_precomputed_name_is_loaded_as_a_run(complete: Precomputed) -> None:
    assert len(results.load("s0-noise").scores) == 128
    assert not results.correlate("s0-noise").evidence.empty
    assert results.load("s0-noise").folder == Path("runs/s0-noise")
    with pytest.raises(InputError, match=r"run: s0-nois is not a run's folder .* may be named instead: s0-noise\."):
        results.load("s0-nois")


def test_a_folder_of_that_name_comes_first(complete: Precomputed, tmp_path: Path) -> None:
    assert run_folder.named(Path("s0-noise")) == Path("runs/s0-noise")
    (tmp_path / "s0-noise").mkdir()
    assert run_folder.named(Path("s0-noise")) == Path("s0-noise")
    assert run_folder.named(Path("other")) == Path("other")


def test_a_run_of_ones_own_is_left_alone(cli: Cli, finished: Path, complete: Precomputed, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "runs" / "s0-noise")
    before = contents(tmp_path / "runs")
    said = cli("correlate", "s0-noise")
    assert said.status == 2
    assert (
        "run: runs/s0-noise holds a run that does not show the precomputed scores s0-noise; move it elsewhere."
        in said.sentence
    )
    assert contents(tmp_path / "runs") == before


def test_precomputed_of_another_version_is_begun_anew(cli: Cli, complete: Precomputed, tmp_path: Path) -> None:
    cli("correlate", "s0-noise")
    folder = tmp_path / "runs" / "s0-noise"
    info = run_folder.read_info(folder).stored()
    info["shipped"]["data_hash"] = "of another version"
    run_folder.info_path(folder).write_text(json.dumps(info))
    with pytest.raises(
        InputError, match=r"shows s0-noise as another version shipped it; `diswot correlate s0-noise` be"
    ):
        results.load(folder)
    run_folder.named(Path("s0-noise"))
    assert results.load(folder).evidence.empty  # what was derived of the other one is gone


def test_who_names_nothing_learns_what_there_is(cli: Cli, complete: Precomputed) -> None:
    for command in ("correlate", "report", "search"):
        said = cli(command)
        assert said.status == 2
        assert (
            "run: runs/evaluate is not a run's folder and holds none; `diswot evaluate --out runs/ev" in said.sentence
        )
        assert said.sentence.endswith("Precomputed scores may be named instead: s0-noise.\n")


def test_precomputed_are_listed_and_shown(cli: Cli, complete: Precomputed) -> None:
    listed = cli("scores", "list").out
    for text in ("s0-noise", "images noise, batch_size 4, batch_seed 0, teacher s0:111, device cpu"):
        assert text in listed
    (row,) = json.loads(cli("scores", "list", "--json").out)
    assert (row["name"], row["cells"], row["seeds"], row["proxies"]) == ("s0-noise", 64, [0], ["live_flops", "nwot"])
    assert row["settings"] == complete.card.settings.stored()
    assert json.loads(cli("scores", "show", "s0-noise", "--json").out) == complete.card.stored()
    shown = cli("scores", "show", "s0-noise").out
    for text in (complete.data_hash, complete.card.settings.batch, complete.card.versions["numpy"]):
        assert text in shown


def test_no_set_is_told(cli: Cli, shelf: Path) -> None:
    assert cli("scores", "list").out == "this version has no precomputed scores\n"
    assert json.loads(cli("scores", "list", "--json").out) == []
    assert cli("scores", "show", "x").sentence == (
        "diswot: scores: 'x' is not known; this version has no precomputed scores.\n"
    )
    assert cli("correlate").sentence.endswith("`diswot evaluate --out runs/evaluate` makes one.\n")


def test_precomputed_is_packed_and_judged_by_one_command(cli: Cli, finished: Path, shelf: Path) -> None:
    said = cli("scores", "pack", finished, "s0-noise")
    assert said.status == 0
    assert said.out.count("wrote ") == 2
    assert "128 scores" in said.out
    assert cli("scores", "judge", "s0-noise").out == "the evidence of s0-noise is up to date\n"
    assert "kept with it" in " ".join(cli("correlate", "s0-noise").out.split())
