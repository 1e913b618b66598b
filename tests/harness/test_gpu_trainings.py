"""The script that spends a GPU's minutes on trainings, with a tiny plan on a CPU."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
from click.testing import CliRunner

from diswot.harness import pool
from diswot.harness.cli import main
from diswot.harness.runs.store import TRAININGS

ROOT = Path(__file__).parents[2]
TINY = ("C=4", "samples=64", "epochs=2", "batch_size=32")


@pytest.fixture
def script(inline: Callable[[int], Executor], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    path = ROOT / "docs" / "measurements" / "gpu_trainings.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(pool, "local", lambda workers, devices: inline(workers))
    return module


def test_script_brings_trainings_that_merge_takes(script: ModuleType, image_dir: Path, tmp_path: Path) -> None:
    shared = [f"--set={change}" for change in TINY] + [
        *("--image-dir", str(image_dir), "--device", "cpu", "--cells", "13,111,0"),
        *("--teacher", str(ROOT / "benchmarks" / "tables" / "data" / "nb201-kd-teacher.pt")),
    ]
    said = CliRunner().invoke(script.main, [*shared, "--out", str(tmp_path / "gpu"), "--together", "4"])
    assert said.exit_code == 0, said.output
    assert said.output.startswith("6 trainings in ")
    assert main(["distill", *shared, "--out", str(tmp_path / "alone")]) == 0
    merged = ["--merge", str(tmp_path / "gpu" / "trainings.csv"), "--out", str(tmp_path / "merged")]
    assert main(["distill", *shared, *merged]) == 0
    tables = [pd.read_csv(tmp_path / name / "trainings.csv") for name in ("gpu", "alone", "merged")]
    rows = [table.sort_values([*TRAININGS.identity]).drop(columns="seconds").to_numpy().tolist() for table in tables]
    assert str(rows[0]) == str(rows[1]) == str(rows[2])
    assert len(rows[0]) == 6


def test_script_begins_no_group_that_would_end_too_late(script: ModuleType, image_dir: Path, tmp_path: Path) -> None:
    options = [f"--set={change}" for change in TINY] + ["--image-dir", str(image_dir), "--device", "cpu"]
    options += ["--distillers", "none", "--cells", "13,111,0", "--together", "1", "--out", str(tmp_path)]
    said = CliRunner().invoke(script.main, [*options, "--seconds", "1e-3"])
    assert said.output.startswith("0 trainings in ")
    said = CliRunner().invoke(script.main, [*options, "--seconds", "600"])
    assert said.output.startswith("3 trainings in ")
