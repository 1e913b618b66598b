"""The notebook in docs runs, cell after cell, on what `diswot run` leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).resolve().parents[1] / "docs" / "notebook.ipynb"


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from diswot.harness.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setattr("diswot.harness.pool.local", lambda workers, devices: ThreadPoolExecutor(1))
    tiny = ["--batch-size", "2", "--device", "cpu", "--workers", "1", "--teacher", "s0:111"]
    out = ["--out", "runs/default/s0"]
    assert main(["evaluate", "--space", "s0", "--cells", "4", "--proxies", "params,l2_norm,nwot", *tiny, *out]) == 0
    assert main(["correlate", "runs/default/s0"]) == 0
    cells = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    variables: dict[str, Any] = {}
    for cell in cells:
        assert cell["outputs"] == []  # figures in a notebook are outdated the day after
        exec(compile("".join(cell["source"]), cell["id"], "exec"), variables)
    assert len(variables["distilled"]) == 3
    assert Path("best.pdf").stat().st_size
