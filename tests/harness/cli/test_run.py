"""`diswot run` without options: precomputed scores of all cells, a recomputed sample, searches, one page."""

from __future__ import annotations

import math
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from scipy import stats

from diswot import reports
from diswot.benchmarks import tables
from diswot.harness.check import recomputation, reference
from diswot.harness.check.recomputation import Recomputation
from diswot.harness.cli import run as run_command
from diswot.harness.cli import summary
from diswot.harness.cli.run import DRIVERS, PRECOMPUTED
from diswot.harness.runs import results, run_folder
from diswot.harness.runs.precomputed import catalogue
from diswot.harness.search import live_proof, study
from diswot.harness.search.live_proof import Proof
from diswot.harness.search.plan import NoSearchError
from diswot.proxies import registry

STORED = Path(__file__).parents[1] / "stored_run"

PROOF = Proof("fisher", 30, 777, 777, is_same=True)
SAME = Recomputation((3,), 35, 30, pd.Series({"zico": 1e-6, "snip": 0.0}))


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing is recomputed or drawn, and three searches are made instead of a hundred."""
    monkeypatch.chdir(tmp_path)
    whole = study.study
    monkeypatch.setattr(study, "study", lambda plan: whole(replace(plan, searches=3, evaluations=30, population=8)))
    monkeypatch.setattr(recomputation, "recompute", lambda cells, workers: SAME)
    monkeypatch.setattr(live_proof, "prove", lambda *_: PROOF)
    monkeypatch.setattr(reports, "build", lambda found, out, figures=None: [out / "report.html"])
    return tmp_path


def test_run_answers_for_every_cell(quick: Path, cli: Callable[..., Any]) -> None:
    said = cli("run")
    assert said.status == 0, said.sentence
    assert "30 of 35 recomputed scores have the same bits" in said.sentence
    assert "a live search on s0 by fisher picks 777 of 30 networks, as the replayed one" in said.sentence
    assert "nb201: 15,625 cells" in said.out
    assert all(len(line) <= 100 for line in said.out.splitlines() if "/" not in line)
    assert len(said.out.splitlines()) < 80
    assert "predicts nb201-kd:distilled best" in said.out
    assert "runs/default/nb201-cifar10/correlations.csv" in said.out
    assert ".parquet" not in said.out  # the precomputed scores, which it reads
    assert "log_rank_6 ‡" in said.out
    assert said.out.count("* not significantly different from the best") == 1  # S0's table does not repeat it
    assert "‡ an ensemble of proxies; this project chose its members by 200-epoch CIFAR-10" in said.out
    found = [results.load(quick / "runs" / "default" / name) for name in PRECOMPUTED]
    searched = found[0].search
    assert searched is not None
    assert searched.modelled == ("nb201-kd-model:distilled", "nb201-kd-model:vanilla")
    assert {driver.name for driver in searched.info.drivers} >= set(DRIVERS)
    picked = searched.picks[searched.picks["seed"].notna() & (searched.picks["algorithm"] == "evolution")]
    first = picked[picked["driver"] == searched.info.drivers[0].name]
    cell = int(first["cell"].mode().iloc[0])
    known = tables.load("analog-nasbench").frame["baseline"]
    better = stats.percentileofscore(known, known[cell], kind="mean")
    text = f"end with cell {cell}, whose accuracy in analog-nasbench:baseline is {known[cell]:.2f} %"
    assert text in " ".join(said.out.split())
    assert f"better than {math.floor(better * 10) / 10:.1f} % of 15,625 cells" in " ".join(said.out.split())


def test_run_warns_where_this_machine_computes_other_numbers(
    quick: Path, cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(plan: Any) -> Any:
        raise NoSearchError("none is made here")

    monkeypatch.setattr(study, "study", none)
    other = replace(SAME, differences=pd.Series({"snip": 0.5, "zico": 1e-6}))
    monkeypatch.setattr(recomputation, "recompute", lambda cells, workers: other)
    said = cli("run")
    assert "WARNING: snip differs by 0.5" in said.sentence
    assert said.status == 1


def test_run_warns_where_a_live_search_goes_another_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = run_folder.show(catalogue.load("s0-noise"), tmp_path)
    one = replace(results.correlate(shown), search=object())  # type: ignore[arg-type]
    monkeypatch.setattr(live_proof, "prove", lambda *_: replace(PROOF, live=111, is_same=False))
    run_command._prove(one, None)
    assert "WARNING: a live search on s0 by fisher picks 111 of 30 networks" in capsys.readouterr().err


def test_run_refuses_a_page_of_the_users(quick: Path, cli: Callable[..., Any]) -> None:
    folder = quick / "runs" / "default"
    folder.mkdir(parents=True)
    (folder / "report.html").touch()
    said = cli("run")
    assert said.status == 2
    assert "holds report.html and no run" in said.sentence


def test_recompute_compares_with_what_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = reference.load().scores
    cells = recomputation.sample(2)
    assert cells == recomputation.sample(2)
    assert set(cells) <= set(reference.cells(quick=False))
    fast = [proxy.name for proxy in registry.select("fast") if registry.is_built_in(proxy)]
    chosen = stored[stored["cell"].isin(cells) & stored["proxy"].isin(fast)].copy()
    monkeypatch.setattr(reference, "evaluate", lambda *_: chosen)
    same = recomputation.recompute(cells, 1)
    assert (same.scores, same.identical) == (2 * len(fast), 2 * len(fast))
    assert same.differences.max() == 0
    assert same.beyond.empty
    chosen.loc[chosen["proxy"] == "snip", "value"] *= 1.01
    chosen.loc[chosen["proxy"] == "params", "value"] = float("nan")
    other = recomputation.recompute(cells, 1)
    assert other.identical == 2 * len(fast) - 4
    assert set(other.beyond.index) == {"snip", "params"}
    assert other.beyond["snip"] == pytest.approx(0.01, rel=1e-6)


@pytest.mark.parametrize("columns", [40, 80, 100])
def test_a_table_fits_its_width(columns: int) -> None:
    rows = [{"proxy": "meco", "distilled": "+0.716 [+0.67, +0.76]*", "partial": "+0.35", "vanilla": "+0.684"}] * 3
    printed = summary.fitting(rows, columns)
    assert max(map(len, printed.splitlines())) <= columns
    assert "+0.716 [+0.67, +0.76]*" in printed  # a number is never broken


@pytest.mark.parametrize("columns", [60, 80, 100, None])
def test_legend_explains_the_printed_columns_alone(columns: int | None, tmp_path: Path) -> None:
    search = results.load(STORED).search
    assert search is not None
    search.picks["driver"] = search.picks["driver"].replace("nwot", "log_rank_6")
    search.summary["driver"] = search.summary["driver"].replace("nwot", "log_rank_6")
    correlated = results.correlate(run_folder.show(catalogue.load("s0-noise"), tmp_path))
    for text, legend in (
        (summary.searched(search, columns), tuple(summary._LEGEND)),
        (summary.correlations(correlated, columns).text(columns), ("partial", "cost")),
    ):
        lines = text.splitlines()
        heads = re.split(" {2,}", lines[next(at for at, line in enumerate(lines) if line.startswith("---")) - 1])
        joined = " ".join(lines)
        assert {name for name in legend if f"{name}: " in joined} == set(legend) & {head.strip() for head in heads}
        assert ("‡ an ensemble " in joined) == (" ‡ " in text)


def test_width_is_that_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    for columns, expected in ((60, 60), (300, 100)):
        size = os.terminal_size((columns, 24))
        monkeypatch.setattr(shutil, "get_terminal_size", lambda _, size=size: size)
        assert summary.width() == expected
