"""``diswot correlate`` and ``diswot report``: what they print, what they write, and what they leave as it is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from diswot.harness.cli import main
from diswot.harness.runs import results

Cli = Callable[..., Any]

TINY = (
    *("--space", "s0", "--batch-size", "2", "--teacher", "s0:111"),
    *("--workers", "1", "--device", "cpu", "--no-shipped"),
)

CELLS = [111, 113, 115, 117, 131, 133, 135, 137, 151, 153, 155, 157]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three proxies on twelve networks, and a table of their accuracies."""
    from concurrent.futures import ThreadPoolExecutor

    folder = tmp_path_factory.mktemp("finished") / "run"
    cells = ",".join(map(str, CELLS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("diswot.harness.pool.local", lambda workers, devices: ThreadPoolExecutor(1))
        words = ["evaluate", *TINY, "--cells", cells, "--proxies", "params,flops,live_convs"]
        assert main([*words, "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def run(tmp_path: Path, finished: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the run in the current folder, beside tables of all of its cells and of two."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(finished, tmp_path / "run")
    lines = [f"{cell},{50 + cell % 13}\n" for cell in CELLS]
    Path("many.csv").write_text("cell,acc\n" + "".join(lines))
    Path("few.csv").write_text("cell,acc\n" + "".join(lines[:2]))
    return Path("run")


def content(run: Path) -> dict[str, bytes]:
    """What a run's folder holds, but for the answers that stand beside each other."""
    return {str(path): path.read_bytes() for path in run.rglob("*") if path.is_file() and path.parent.name != "answers"}


@pytest.mark.parametrize(("option", "dash"), [("--latex", "--"), ("--markdown", "-")])
def test_table_has_a_dash_for_a_correlation_of_few_functions(run: Path, cli: Cli, option: str, dash: str) -> None:
    assert cli("correlate", run, "--target", "many.csv", "--target", "few.csv", option, "t").status == 0
    lines = [line for line in Path("t").read_text().splitlines() if line.lstrip("| ").startswith(("params", "flops"))]
    cells = [[cell.strip(" |\\") for cell in line.strip("| ").split("&" if dash == "--" else " | ")] for line in lines]
    assert [line[2] for line in cells] == [dash, dash]
    assert all(line[1] != dash for line in cells)
    assert "1.000" not in "".join(lines)


@pytest.mark.parametrize("target", ["many.csv", "few.csv"])
def test_compare_prints_no_correlation_of_few_functions(run: Path, cli: Cli, target: str) -> None:
    said = cli("compare", run, run, "--target", target)
    lines = [line.split() for line in said.out.splitlines() if line.startswith(("params", "flops"))]
    assert [set(line[2:5]) == {"-"} for line in lines] == [target == "few.csv"] * 2


@pytest.mark.parametrize("option", ["--latex", "--markdown"])
def test_table_without_a_correlation_is_not_written(run: Path, cli: Cli, option: str) -> None:
    said = cli("correlate", run, "--target", "few.csv", option, "t")
    assert said.status == 2
    assert "diswot: RUN: there is no correlation to write a table of: it needs 10 different" in said.sentence
    assert not Path("t").exists()


@pytest.mark.parametrize(
    "line",
    [
        "correlate run --target s0-diswot:vanilla --latex t --proxies metco",
        "correlate run --target s0-diswot:vanilla --proxies metco",
        "correlate run --target s0-diswot:vanilla --latex t --order givven",
        "correlate run --target s0-diswot:vanilla --latex t --labels nowhere",
        "correlate run --target s0-diswot:vanilla --latex many.csv/t",
        "correlate run --target s0-diswot:vanilla --out many.csv/t.csv",
        "correlate run --target s0-diswot:vanilla --out many.csv/folder",
        "correlate run --with s0-noise --metric kendal",
        "correlate run --with s0-noise --target nowhere.csv",
        "correlate run --with s0-noise --proxies metco",
        "correlate run --with s0-nois",
        "report run --target s0-diswot:vanilla --figures bar",
        "report run --target s0-diswot:vanilla --proxies metco",
        "report run --target s0-diswot:vanilla --width tripel",
        "report run --target s0-diswot:vanilla --order givven",
        "report run --target s0-diswot:vanilla --labels nowhere",
        "report run --target s0-diswot:vanilla --out many.csv/folder",
        "report run --target s0-diswot:vanilla --metric kendal",
        "search run --target s0-diswot:vanilla --proxy parms",
        "search run --target s0-diswot:vanila --proxy params",
        "search run --proxy params --algorithm evolve",
        "compare run run --target s0-diswot:vanilla --out many.csv/t.csv",
        "compare run run --metric kendal",
    ],
)
def test_mistake_leaves_a_run_as_it_was(run: Path, cli: Cli, line: str) -> None:
    assert cli("correlate", run, "--target", "many.csv").status == 0
    before = content(run)
    said = cli(*line.split())
    assert (said.status, said.out) == (2, "")
    assert content(run) == before
    assert not Path("t").exists()


def test_answer_of_few_functions_does_not_replace_one_of_many(run: Path, cli: Cli) -> None:
    cli("correlate", run, "--target", "many.csv")
    before = content(run)
    said = cli("correlate", run, "--target", "few.csv")
    assert said.status == 0
    assert "No correlation: it needs 10 different functions, and 2 have an accuracy." in said.out
    assert "the correlations with many.csv:acc (spearman) stay in its files" in said.sentence
    assert content(run) == before


def test_answer_of_few_functions_is_stored_where_there_is_no_better_one(run: Path, cli: Cli) -> None:
    cli("correlate", run, "--target", "few.csv")
    assert set(results.load(run).evidence["target"]) == {"few:acc"}
    cli("correlate", run, "--target", "many.csv")
    assert set(results.load(run).evidence["target"]) == {"many:acc"}
    (run / "evidence.csv").write_bytes(b"")
    assert cli("correlate", run, "--target", "few.csv").status == 0  # what is damaged is made anew
    assert set(results.load(run).evidence["target"]) == {"few:acc"}


def test_report_shows_what_the_run_holds(run: Path, cli: Cli) -> None:
    cli("correlate", run, "--target", "many.csv", "--metric", "kendall", "--undefined", "omit")
    before = content(run)
    said = cli("report", run, "--figures", "bars", "--out", "page")
    assert (said.status, "replaced" in said.sentence) == (0, False)
    assert content(run).items() >= before.items()
    assert "many:acc" in Path("page/report.html").read_text()
    assert cli("report", run, "--figures", "bars", "--metric", "spearman").status == 0
    assert (results.answered(run).targets, results.answered(run).metric) == (["many.csv:acc"], "spearman")
    assert cli("report", run, "--figures", "bars", "--target", "s0-diswot:vanilla").status == 0
    assert results.answered(run).targets == ["s0-diswot:vanilla", "s0-diswot:distilled"]


def test_report_shows_stored_correlations_of_a_table_that_is_gone(run: Path, cli: Cli) -> None:
    cli("correlate", run, "--target", "many.csv")
    before = content(run)
    Path("many.csv").unlink()
    said = cli("report", run, "--figures", "bars", "--out", "page")
    assert said.status == 0
    assert "the stored correlations are shown, since target" in said.sentence
    assert content(run).items() >= before.items()
    assert "many:acc" in Path("page/report.html").read_text()


def test_proxies_choose_what_is_printed(run: Path, cli: Cli) -> None:
    def starred(text: str) -> dict[str, str]:
        lines = [line for line in text.splitlines() if line.startswith(("params ", "flops ", "live_convs "))]
        return {line.split()[0]: " ".join(line.split()[1:4]) for line in lines}

    every = starred(cli("correlate", run, "--target", "many.csv").out)
    said = cli("correlate", run, "--target", "many.csv", "--proxies", "flops,params")
    assert starred(said.out) == {name: every[name] for name in ("params", "flops")}
    assert "not significantly different from the best of all 3 proxies and ensembles" in " ".join(said.out.split())
    as_json = json.loads(cli("correlate", run, "--target", "many.csv", "--proxies", "flops", "--json").out)
    assert {row["proxy"] for row in as_json} == {"flops"}
    assert cli("correlate", run, "--target", "many.csv", "--proxies", "flops", "--out", "t.csv").status == 0
    assert set(pd.read_csv("t.csv")["proxy"]) == {"flops"}
    assert cli("correlate", run, "--target", "many.csv", "--proxies", "flops", "--published").status == 0
