"""The Python interface: what a notebook or a script does, without files of its own."""

from __future__ import annotations

import inspect
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

import diswot
from diswot import proxies
from diswot.benchmarks import tables
from diswot.benchmarks.errors import InputError
from diswot.harness import pool
from diswot.harness.cli import summary
from diswot.harness.compute import sweep

ROOT = Path(__file__).resolve().parents[1]

#: A sweep of a moment: small networks, a small batch, in one worker process.
TINY: dict[str, Any] = {"space": "s0", "batch_size": 2, "teacher": "s0:111", "workers": 1, "device": "cpu"}

TINY_OPTIONS = ("--batch-size", "2", "--teacher", "s0:111", "--workers", "1", "--device", "cpu", "--no-shipped")

#: Seconds that a process may take on a busy machine.
PATIENCE = 300


@pytest.fixture(scope="module", autouse=True)
def _workers_in_this_process() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "local", lambda workers, devices: ThreadPoolExecutor(1))
        yield


@pytest.fixture(scope="module")
def run() -> diswot.Run:
    """Three proxies on 24 networks of S0, in a temporary folder."""
    return diswot.evaluate(["params", "l2_norm", "live_convs"], cells=24, progress=False, **TINY)


def test_import_loads_nothing_heavy() -> None:
    code = (
        "import sys, diswot\n"
        "heavy = {'torch', 'pandas', 'numpy', 'scipy', 'matplotlib', 'click'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert set(diswot.__all__) <= set(dir(diswot))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", diswot.__all__)
def test_public_name_resolves(name: str) -> None:
    assert getattr(diswot, name) is not None


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nowhere'"):
        _ = diswot.nowhere


def test_evaluate_gives_tidy_scores(run: diswot.Run) -> None:
    assert list(run.scores.columns[:6]) == ["proxy", "cell", "seed", "value", "status", "seconds"]
    assert run.scores.groupby("proxy").size().to_dict() == {"params": 24, "l2_norm": 24, "live_convs": 24}
    assert (run.scores["status"] == "ok").all()
    assert len(run.cells) == 24
    assert run.failed == 0


def test_evaluate_prints_nothing_when_asked_not_to(capfd: pytest.CaptureFixture[str]) -> None:
    diswot.evaluate("params", cells=[111], progress=False, **TINY)
    assert capfd.readouterr() == ("", "")


def test_score_names_the_members_of_an_ensemble() -> None:
    network, batch = torch.nn.Identity(), torch.zeros(2, 3, 8, 8)
    with pytest.raises(InputError, match=r"names: az_nas is an ensemble of az_expressivity, .* and flops; name these"):
        diswot.score(network, batch, torch.zeros(2, dtype=torch.long), ["flops", "az_nas"])
    assert inspect.signature(diswot.score) == inspect.signature(proxies.score)


def test_home_folder_and_numbers_of_numpy_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    five, two = np.int64(5), np.int64(2)
    numbers = TINY | {"batch_size": two, "workers": np.int64(1)}
    made = diswot.evaluate("params", cells=five, seeds=two, out="~/run", progress=False, **numbers)
    assert made.scores.groupby("seed").size().to_dict() == {0: 5, 1: 5}
    opened = diswot.load("~/run")
    assert opened.folder == tmp_path / "run"
    assert set(opened.compare("~/run").proxies["changed"]) == {0}
    found = opened.search("params", searches=two, evaluations=two, population=two, tournament=two, cells=five)
    assert found.info.options.searches == 2


def test_evaluate_continues_a_folder(tmp_path: Path) -> None:
    first = diswot.evaluate("params", cells=[111, 113], out=tmp_path / "run", progress=False, **TINY)
    second = diswot.evaluate("params", cells=[111, 113, 311], out=tmp_path / "run", progress=False, **TINY)
    assert first.folder == second.folder
    assert second.tally is not None
    assert (second.tally.before, sum(second.tally.statuses.values())) == (2, 1)


def test_a_temporary_run_goes_with_its_object() -> None:
    run = diswot.evaluate("params", cells=[111], progress=False, **TINY)
    folder = run.folder
    assert folder.is_dir()
    del run
    assert not folder.exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"proxies": "parms"}, "did you mean 'params'"),
        ({"proxies": ["vote"]}, "proxies: vote is an ensemble of synflow, jacov and snip; name these instead"),
        ({"cells": 0}, "cells were asked for"),
        ({"cells": [112]}, "cell"),
        ({"cells": []}, "names no cell"),
        ({"images": "cifar"}, "did you mean 'cifar10'"),
        ({"seeds": 0}, "neither a number of seeds"),
        ({"seeds": []}, "neither a number of seeds"),
        ({"space": "s1"}, "did you mean 's0'"),
        ({"teacher": "resnet5"}, "resnet5"),
        ({"image_dir": "here"}, "other than noise"),
        ({"device": "gpu"}, "gpu"),
    ],
)
def test_evaluate_refuses_what_stands_for_nothing(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        diswot.evaluate(**{"proxies": "params", "cells": 2, "progress": False, **TINY, **changes})


def test_correlate_gives_a_row_a_proxy_and_target(run: diswot.Run) -> None:
    found = run.correlate(["s0-diswot:distilled"])
    assert {"proxy", "target", "metric", "value", "low", "high", "n", "n_functions", "undefined"} <= set(found.columns)
    row = found.set_index(["proxy", "target"]).loc[("l2_norm", "s0-diswot:distilled")]
    scores = run.scores[run.scores["proxy"] == "l2_norm"].set_index("cell")["value"]
    known = diswot.tables.load("s0-diswot:distilled", "s0")["distilled"][scores.index]
    assert row["value"] == pytest.approx(stats.spearmanr(scores, known).statistic, abs=1e-12)
    assert (row["metric"], row["n"], row["n_functions"]) == ("spearman", 24, 24)
    assert row["low"] < row["value"] < row["high"]
    assert (run.correlate("s0-diswot:distilled", metric="kendall")["metric"] == "kendall").all()


def test_correlate_refuses_unknown_words(run: diswot.Run) -> None:
    with pytest.raises(InputError, match="did you mean 'spearman'"):
        run.correlate(metric="spearmann")
    with pytest.raises(InputError, match="'distinct' is not known"):  # S0 has no copies
        run.correlate(subset="distinct")


def test_a_subset_has_rows_of_every_target() -> None:
    run = diswot.load("nb201-noise")
    by_target = run.correlate(subset="distinct").set_index("target")
    assert set(by_target.index) == set(run.correlate()["target"])
    assert set(by_target.loc["analog-nasbench:baseline", "subset"]) == {"distinct"}
    assert set(by_target.loc["nb201-kd:distilled", "subset"]) == {"all"}  # of it each function counts once anyway


def test_search_finds_the_best_cell(run: diswot.Run) -> None:
    found = run.search("params", searches=2, evaluations=24, population=6, budgets={"params": 8e5})
    best = found.best
    scores = run.scores[run.scores["proxy"] == "params"].set_index("cell")["value"]
    assert best.value == scores[scores <= 8e5].max() == scores[best.cell]
    accuracy = diswot.tables.load("s0-diswot:distilled", "s0")["distilled"]
    assert best.accuracies["s0-diswot:distilled"] == accuracy[best.cell]
    below = (accuracy < accuracy[best.cell]).mean() + (accuracy == accuracy[best.cell]).mean() / 2
    assert best.percentile["s0-diswot:distilled"] == pytest.approx(100 * below)
    assert set(found.summary["driver"]) >= {"params"}


def test_search_is_judged_by_a_table_of_the_user(run: diswot.Run, tmp_path: Path) -> None:
    known = diswot.tables.load("s0-diswot:distilled", "s0")["distilled"]
    known.rename("mine").rename_axis("cell").to_csv(tmp_path / "kd.csv")
    found = run.search("params", searches=2, evaluations=8, population=4, targets=[f"{tmp_path / 'kd.csv'}:mine"])
    best = found.best
    assert best.accuracies == {"kd:mine": known[best.cell]}
    assert best.percentile["kd:mine"] == pytest.approx(stats.percentileofscore(known, known[best.cell], kind="mean"))
    printed = summary.picks(found, 100)
    assert "mean ± standard deviation of kd:mine" in " ".join(printed.text(100).split())


def test_a_failed_evaluation_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr(sweep, "run", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(RuntimeError, match="no memory"):
        diswot.evaluate("params", cells=[111], progress=False, **TINY)
    assert not list(tmp_path.iterdir())


def test_search_scores_live_what_the_run_lacks(tmp_path: Path) -> None:
    run = diswot.evaluate("params", cells=[111, 113, 311], out=tmp_path / "run", progress=False, **TINY)
    found = run.search("live_convs", searches=1, evaluations=4, population=2, algorithms=["random"], live=True)
    assert found.info.scores == found.info["scores"] == "live"
    assert np.isfinite(found.best.value)


def test_report_writes_the_page(run: diswot.Run, tmp_path: Path) -> None:
    page = run.report(tmp_path / "page", figures=["bars"])
    assert page == tmp_path / "page" / "report.html"
    run.report(tmp_path / "paper", ["bars"], proxies=["params"], labels={"params": "Weights"}, order="given")
    for folder, names in (("page", set(run.scores["proxy"])), ("paper", {"params"})):
        (data,) = (tmp_path / folder).rglob("figures/correlations.csv")
        assert set(pd.read_csv(data)["proxy"]) == names
    with pytest.raises(InputError, match="order: 'best' is not known"):
        run.report(tmp_path / "paper", order="best")
    assert "l2_norm" in page.read_text()


def test_load_opens_a_folder_and_precomputed_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = diswot.evaluate("params", cells=[111, 113], out=tmp_path / "run", progress=False, **TINY)
    pd.testing.assert_frame_equal(diswot.load("run").scores, made.scores)
    shipped = diswot.load("nb201-cifar10")
    assert len(shipped.cells) == 15_625
    with pytest.raises(InputError, match="is not a run's folder"):
        diswot.load("nowhere")


def test_tables_are_frames_by_cell() -> None:
    assert "nb201-kd" in diswot.tables.names()
    both = diswot.tables.load("nb201-kd")
    assert {"distilled", "vanilla"} <= set(both.columns)
    pd.testing.assert_series_equal(diswot.tables.load("nb201-kd:distilled")["distilled"], both["distilled"])
    assert tables.load("nb201-kd").frame.index.equals(both.index)


def test_cell_is_the_cell() -> None:
    cell = diswot.cell(9586)
    assert cell.index == 9586
    assert diswot.cell(str(cell)) == cell


def test_a_proxy_of_a_session_is_evaluated_by_workers(tmp_path: Path) -> None:
    # A notebook cell and `python -c` have no file; a script without `if __name__ == "__main__"` is run once only.
    code = (
        "import diswot\n"
        "factor = 2.0\n"
        "@diswot.register(needs=['features'], source='here', version='1')\n"
        "def mine(trace):\n"
        "    return factor * trace.features[-1].abs().mean().item()\n"
        f"run = diswot.evaluate(['mine', 'params'], cells=[111, 113], progress=False, **{TINY!r})\n"
        "print(run.scores['status'].value_counts().to_dict())\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    for command in ([sys.executable, "-c", code], [sys.executable, str(script)]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, cwd=tmp_path)
        assert (done.stdout, done.stderr) == ("{'ok': 4}\n", "")


def test_a_proxy_that_cannot_be_sent_is_refused_at_once(tmp_path: Path) -> None:
    code = (
        "import diswot, threading\n"
        "lock = threading.Lock()\n"
        "@diswot.register(needs=['logits'], source='here', version='1')\n"
        "def mine(trace):\n"
        "    return 1.0 if lock else 2.0\n"
        "try:\n"
        f"    diswot.evaluate('mine', cells=[111], progress=False, **{TINY!r})\n"
        "except ValueError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, cwd=tmp_path)
    assert "mine cannot be sent to worker processes: TypeError" in done.stdout, done.stderr


def test_packages_of_the_user_with_our_folders_names_change_nothing(tmp_path: Path) -> None:
    for name in ("proxies", "benchmarks", "reports", "harness"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise AssertionError('the wrong package')\n")
    (tmp_path / "test_mine.py").write_text("import diswot\n\ndef test_mine():\n    assert diswot.score\n")
    for command in (
        ["-c", "import diswot; diswot.score"],
        ["-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mine.py"],
        ["-m", "diswot", "evaluate", "--cells", "3,", "--proxies", "params", "--out", "out", *TINY_OPTIONS],
    ):
        done = subprocess.run(
            [sys.executable, *command], capture_output=True, text=True, timeout=PATIENCE, cwd=tmp_path
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert len(diswot.load(tmp_path / "out").scores) == 1


def test_the_wheel_holds_one_package(tmp_path: Path) -> None:
    source = tmp_path / "source"  # what setuptools leaves behind must not be in the next wheel
    hidden = shutil.ignore_patterns(".*", "build", "tests", "docs", "__pycache__", "*.egg-info")
    shutil.copytree(ROOT, source, ignore=hidden)
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-index", "--no-build-isolation"]
    done = subprocess.run(
        [*pip, "-w", tmp_path, source], capture_output=True, text=True, timeout=PATIENCE, cwd=tmp_path
    )
    if done.returncode and "setuptools" in done.stderr:
        pytest.skip("setuptools is not installed beside the package")
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"diswot", wheel.name.rsplit("-py3", 1)[0] + ".dist-info"}
    packaged = {str(Path(name).parent).replace("/", ".") for name in names if name.endswith("/__init__.py")}
    folders = {
        ".".join(("diswot", *path.relative_to(ROOT).parent.parts))
        for top in ("benchmarks", "harness", "proxies", "reports")
        for path in (ROOT / top).rglob("__init__.py")
    }
    assert packaged == folders | {"diswot"}
    shipped = {name for name in names if name.endswith((".parquet", ".csv", ".html", ".mplstyle", ".txt", "py.typed"))}
    assert {"diswot/py.typed", "diswot/reports/style/paper.mplstyle"} <= shipped
