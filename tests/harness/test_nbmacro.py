"""Another search space through every command: accuracies imported, scores, correlations, a search and a page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import diswot
from diswot.benchmarks import spaces
from diswot.benchmarks.spaces import nbmacro


def test_every_command_knows_the_space(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    quick = ("--batch-size", 2, "--workers", 1, "--device", "cpu")
    chosen = ("--space", "nbmacro", "--cells", "nas-bench-macro:30", "--proxies", "params,flops")
    said = cli("evaluate", *chosen, *quick, "--out", "run")
    assert said.status == 0, said.sentence
    assert "teacher nbmacro:22222222" in said.sentence
    found = {row["proxy"]: row for row in json.loads(cli("correlate", "run", "--json").out)}
    assert found["flops"]["target"] == "nas-bench-macro:test"
    assert found["flops"]["n_functions"] == 30
    assert found["flops"]["spearman"] > 0.5
    assert cli("search", "run", "--proxy", "flops", "--evaluations", 20, "--searches", 3).status == 0
    assert cli("report", "run", "--figures", "bars,search-cells", "--out", "page").status == 0
    page = (tmp_path / "page" / "report.html").read_text()
    assert "figures/search-cells.csv" in page
    assert 'class="stage2"' in page
    shown = json.loads(cli("cell", "20100102", "--space", "nbmacro", "--json").out)
    assert shown["string"] == "20100102"
    assert shown["representative"] == "20100120"
    assert shown["accuracies"]["nas-bench-macro:test"] == pytest.approx(90.0767, abs=1e-4)


def test_teacher_of_the_space_serves_proxies_that_compare_shapes(tmp_path: Path, inline: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("diswot.harness.pool.local", lambda workers, devices: inline(workers))
    proxies = ["diswot", "fitnet", "kdsvd", "ickd", "az_expressivity"]
    run = diswot.evaluate(
        proxies, space="nbmacro", cells=["02012100"], batch_size=4, device="cpu", out=tmp_path / "run", progress=False
    )
    assert run.failed == 0
    assert run.scores["status"].tolist() == 5 * ["ok"]


def test_imported_file_is_a_target_for_every_network(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    space = spaces.get("nbmacro")
    content = {}
    for cell in space.cells:
        params, flops = nbmacro.counts(cell)
        content[space.describe(cell)] = {"test_acc": [flops / 2e6] * 3, "params": params, "flops": flops}
    Path("published.json").write_text(json.dumps(content))
    said = cli("tables", "import", "published.json")
    assert said.out.splitlines() == [
        "wrote published.parquet, 6,561 cells, 4 columns, and its card beside it",
        "use it as --target published.parquet:COLUMN, such as published.parquet:test",
    ]
    cli("evaluate", "--space", "nbmacro", "--cells", 20, "--proxies", "flops", "--workers", 1, "--out", "run")
    (row,) = json.loads(cli("correlate", "run", "--target", "published.parquet:test", "--json").out)
    assert row["n"] == 20
    assert row["spearman"] > 0.999  # accuracies are read in hundredths of a percent, so that some tie
