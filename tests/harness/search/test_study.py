"""Searches end to end: replayed, live, killed and resumed, with several teachers, and requests that are wrong."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

from diswot.benchmarks import spaces
from diswot.harness import pool
from diswot.harness.compute import sweep
from diswot.harness.runs import results, run_folder, stored_search
from diswot.harness.runs.settings import hash_of
from diswot.harness.search import driver as drivers
from diswot.harness.search import live_proof, sources, study
from diswot.harness.search.plan import Plan
from diswot.harness.search.sources import live_folder

Cli = Callable[..., Any]

#: As many images as are quick; S0's smallest network teaches.
QUICK = ("--batch-size", "4", "--teacher", "s0:111", "--device", "cpu", "--workers", "1")
LIVE = ("--scores", "live", "--space", "s0", *QUICK)
SMALL = ("--evaluations", "12", "--population", "4", "--searches", "2")
PATIENCE = 120

#: Slow enough to be killed in between, but only in a worker of the process that is killed.
SLOW = "import multiprocessing\nif multiprocessing.parent_process():\n    time.sleep(0.1)\n"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that knows every network of S0, by proxies that take no time."""
    from concurrent.futures import ThreadPoolExecutor

    from diswot.harness.cli import main

    folder = tmp_path_factory.mktemp("whole") / "run"
    names = "params,live_flops,diswot,diswot_semantic,diswot_relation"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("diswot.harness.pool.local", lambda workers, devices: ThreadPoolExecutor(1))
        line = ["evaluate", "--space", "s0", "--cells", "all", "--proxies", names, *QUICK, "--out", str(folder)]
        assert main(line) == 0
    return folder


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


def found(folder: Path) -> stored_search.Search:
    search = results.load(folder).search
    assert search is not None
    return search


def trajectory(folder: Path) -> list[pd.DataFrame]:
    """All that a search found, but for what it took."""
    search = found(folder)
    return [
        search.picks.drop(columns="architecture"),
        search.curves.drop(columns="seconds"),
        search.summary[["driver", "algorithm", "target", "accuracy", "regret", "percentile"]],
    ]


def same(one: Path, other: Path) -> None:
    for mine, theirs in zip(trajectory(one), trajectory(other), strict=True):
        pd.testing.assert_frame_equal(mine, theirs)


def test_replayed_search_is_read_again_until_its_inputs_change(
    cli: Cli, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = ("search", run, "--proxy", "winner,diswot", "--searches", "3")
    assert cli(*line).status == 0
    first = found(run)
    replays = []
    carry_out = study.replay.carry_out
    monkeypatch.setattr(study.replay, "carry_out", lambda *arguments: replays.append(1) or carry_out(*arguments))
    said = cli(*line)
    assert said.status == 0, said.sentence
    assert not replays
    assert found(run).info == first.info
    # Another number of searches, another score, and a file that is damaged: each is another question.
    assert cli(*line[:-1], "4").status == 0
    assert len(replays) == 2
    assert found(run).info.question != first.info.question
    with closing(sqlite3.connect(run / "scores.sqlite")) as store, store:
        store.execute("UPDATE scores SET value = value + 1 WHERE proxy = 'diswot'")
    assert cli(*line[:-1], "4").status == 0
    assert len(replays) == 4
    (run / "search" / "picks.csv").write_text("seed")
    assert cli(*line[:-1], "4").status == 0
    assert len(replays) == 6


def test_replayed_search_is_made_anew_when_a_plugged_in_algorithm_changes(
    cli: Cli, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "lab.py"
    picks = []
    for order in ("", "[::-1]"):
        module.write_text(
            f"def mine(space, cells, options, seed):\n    yield list(cells{order})[: options.evaluations]\n"
        )
        function = runpy.run_path(str(module), run_name="lab")["mine"]
        monkeypatch.setitem(study.ALGORITHMS._with_installed(), "mine", function)
        said = cli("search", run, "--proxy", "diswot", "--algorithm", "mine", "--searches", "1", "--evaluations", "8")
        assert said.status == 0, said.sentence
        picks.append(found(run).picks.query("algorithm == 'mine'")["cell"].item())
    assert picks[0] != picks[1]


def test_a_replayed_search_is_kept_with_its_run_and_said(cli: Cli, run: Path) -> None:
    said = cli("search", run, "--proxy", "winner,diswot,diswot_rank", "--searches", "5")
    assert said.status == 0, said.sentence
    search = found(run)
    assert list(search.picks["driver"].unique()) == [
        search.info.winner.driver,
        "diswot",
        "diswot_rank",
        "s0-diswot:distilled",
        "s0-diswot:vanilla",
    ]
    assert f"winner: {search.info.winner.driver}" in said.out
    assert set(search.summary["algorithm"]) == {"evolution", "random", "exhaustive", "oracle"}
    assert (search.info.cells, search.info.options.evaluations) == (64, 32)
    assert search.info.oracles["s0-diswot:distilled"].cell == 557
    assert max(map(len, said.out.splitlines())) <= 100
    accuracies = search.accuracies("s0-diswot:distilled")
    median = search.picks.query("driver == 'diswot' and algorithm == 'evolution'")["s0-diswot:distilled"].median()
    (row,) = re.findall(r"^diswot +evolution .*", said.out, re.MULTILINE)
    assert f"{65 / ((accuracies >= median).sum() + 1):.0f}" in row.split()
    assert re.search(r"^a random cell .* 50\.0 ", said.out, re.MULTILINE)
    every = cli("search", run, "--proxy", "winner,diswot,diswot_rank", "--searches", "5", "--full").out
    assert "evaluations saved" in every
    # Twice the same gives the same to the last bit, and --json every digit.
    before = trajectory(run)
    rows = json.loads(cli("search", run, "--proxy", "winner,diswot,diswot_rank", "--searches", "5", "--json").out)
    for mine, theirs in zip(before, trajectory(run), strict=True):
        pd.testing.assert_frame_equal(mine, theirs)
    assert [row["regret"] for row in rows] == search.summary["regret"].tolist()


def test_replaying_loads_no_torch(whole: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    code = (
        "import sys; from diswot.harness.cli import main; "
        f"status = main(['search', {str(run)!r}, '--proxy', 'params', '--searches', '3']); "
        "sys.exit(status or 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_same_seed_gives_the_same_trajectory_replayed_and_live(cli: Cli, run: Path, tmp_path: Path) -> None:
    cli("search", run, "--proxy", "diswot", *SMALL)
    live = tmp_path / "live"
    assert cli("search", live, "--proxy", "diswot", *SMALL, *LIVE).status == 0
    searched = [found(folder).picks.query("algorithm in ['evolution', 'random']") for folder in (run, live)]
    pd.testing.assert_frame_equal(*searched)
    # Live, the best of all is not known, and nothing but what was asked for was scored.
    assert "exhaustive" not in set(found(live).picks["algorithm"])
    scored = results.load(live_folder(live, "s0:111")).scores
    assert set(scored["proxy"]) == {"diswot"}
    assert len(scored) < 2 * 2 * 12
    # Such a run has no scores of its own; its page is about the search.
    said = cli("report", live, "--figures", "search")
    assert said.status == 0, said.sentence
    assert "Evolution driven by diswot" in (live / "report.html").read_text()


def test_a_live_search_proves_the_replayed_one(cli: Cli, run: Path) -> None:
    cli("search", run, "--proxy", "diswot", *SMALL)
    replayed = found(run)
    plan = Plan(run=run, drivers=("diswot",), evaluations=12, population=4, searches=2)
    proof = live_proof.prove(replayed, results.load(run), plan, 1)
    first = replayed.picks.query("algorithm == 'evolution' and seed == 0").iloc[0]
    assert proof == live_proof.Proof("diswot", 12, first["cell"], first["cell"], is_same=True)
    elsewhere = replayed.picks.assign(found_at=replayed.picks["found_at"] + 1)
    assert not live_proof.prove(replace(replayed, picks=elsewhere), results.load(run), plan, 1).is_same


def test_live_scores_are_kept_apart_and_nothing_is_scored_twice(
    cli: Cli, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(run_folder.store_path(run))) as connection, connection:
        connection.execute("DELETE FROM scores WHERE cell > 300")
    base = results.load(run).scores
    scored: list[int] = []
    real = sweep.score

    def counted(session: Any, tasks: Any) -> Any:
        scored.extend(cell for task in tasks for _, _, cells in task.wanted for cell in cells)
        return real(session, tasks)

    monkeypatch.setattr(sweep, "score", counted)
    line = ("search", run, "--proxy", "diswot", "--scores", "live", "--device", "cpu", "--workers", "1", *SMALL)
    assert cli(*line).status == 0
    pd.testing.assert_frame_equal(results.load(run).scores, base)
    assert len(scored) == len(set(scored)) > 0
    assert min(scored) > 300
    before = trajectory(run)
    scored.clear()
    assert cli(*line).status == 0
    assert scored == []
    for mine, theirs in zip(before, trajectory(run), strict=True):
        pd.testing.assert_frame_equal(mine, theirs)


def test_live_scores_of_other_settings_are_refused(cli: Cli, run: Path) -> None:
    line = ("search", run, "--proxy", "diswot", *SMALL)
    live = ("--scores", "live", "--device", "cpu", "--workers", "1")
    assert cli(*line, *live).status == 0
    folder = live_folder(run, "s0:111")
    info = run_folder.read_info(folder).stored()
    info["settings"] |= {"batch_size": 5, "batch": "of 5"}  # as a run that shows precomputed scores by now has left it
    info["settings_hash"] = hash_of(info["settings"])
    run_folder.info_path(folder).write_text(json.dumps(info))
    for options in ((), live):
        said = cli(*line, *options)
        assert said.status == 2
        assert said.sentence.endswith(
            f"run: {folder} has scores of earlier searches that were made with other settings than those of {run}: "
            "batch_size 4 (there: 5); move it elsewhere.\n"
        )
    shutil.rmtree(folder)
    assert cli(*line).status == 0


def test_scores_of_two_versions_are_not_mixed(cli: Cli, run: Path) -> None:
    # The run has an old version of two cells, and searches scored another one of one of them and of a third.
    folder = live_folder(run, "s0:111")
    shutil.copytree(run, folder)
    for where, version, value, cells in ((run, "old", 1.0, (111, 113)), (folder, "older", 2.0, (113, 115))):
        info = run_folder.read_info(where).stored()
        info["proxies"] = [record | {"version": version} for record in info["proxies"] if record["name"] == "params"]
        run_folder.info_path(where).write_text(json.dumps(info))
        with closing(sqlite3.connect(run_folder.store_path(where))) as connection, connection:
            connection.execute(f"DELETE FROM scores WHERE proxy != 'params' OR cell NOT IN {cells}")
            connection.execute("UPDATE scores SET version = ?, value = ?", (version, value))
    base = results.load(run)
    driver = drivers.get("params", base.proxies)
    assert sources.stored(base, "s0:111", [driver], 0) == {"params": {111: (1.0,), 113: (1.0,)}}
    # Live, it is neither of them but the version that is loaded.
    plan = ("--proxy", "params", "--scores", "live", "--device", "cpu", "--workers", "1", *SMALL)
    assert cli("search", run, *plan).status == 0
    assert sources.stored(results.load(run), "s0:111", [driver], 0) == {"params": {111: (1.0,), 113: (1.0,)}}
    assert (found(run).picks["score"].dropna() > 2).all()


def test_a_live_search_that_is_killed_ends_with_the_same_trajectory(
    cli: Cli, plugin: Callable[..., Path], tmp_path: Path
) -> None:
    path = plugin(f"{SLOW}return sum(w.sum() for w in trace.weights)", needs="'weights'")
    line = ["--proxy", "mine", "--plugin", str(path), *SMALL, *LIVE]
    start = [sys.executable, "-c", "import sys; from diswot.harness.cli import main; sys.exit(main())"]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = subprocess.Popen([*start, "search", str(killed), *line], stderr=subprocess.DEVNULL)
    end = time.monotonic() + PATIENCE
    while scores(killed) < 6:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    assert psutil.wait_procs(children, timeout=PATIENCE)[1] == []
    seen = scores(killed)
    assert found_nothing(killed)
    assert cli("search", killed, *line).status == 0
    assert cli("search", whole, *line).status == 0
    same(killed, whole)
    assert scores(killed) == scores(whole) > seen


def scores(run: Path) -> int:
    path = run_folder.store_path(live_folder(run, "s0:111"))
    if not path.is_file():
        return 0
    with closing(sqlite3.connect(path, timeout=60)) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM scores").fetchone()[0])
        except sqlite3.OperationalError:  # it is just being made
            return 0


def found_nothing(run: Path) -> bool:
    return results.load(run).search is None


def test_search_takes_several_teachers(cli: Cli, tmp_path: Path) -> None:
    run = tmp_path / "run"
    line = ("search", run, "--proxy", "diswot", *SMALL, *LIVE, "--teacher", "s0:111,s0:311,s0:0111")
    assert cli(*line).status == 0
    search = found(run)
    assert search.info.teachers == ["s0:111", "s0:311"]
    (row,) = search.teachers.to_dict("records")
    assert (row["driver"], row["teacher"], row["other"], row["searches"]) == ("diswot", "s0:111", "s0:311", 2)
    assert row["cells"] >= 4
    assert row["spearman"] == row["spearman"]
    assert set(search.summary["teacher"].dropna()) == {"s0:111", "s0:311"}
    for said in (cli(*line), cli(*line, "--full")):
        assert re.search(r"^(teacher|driver)  .*teacher|^teacher  ", said.out, re.MULTILINE)


def test_a_budget_holds_for_every_cell(cli: Cli, run: Path) -> None:
    said = cli("search", run, "--proxy", "params", "--budget", "params=300000", "--searches", "5")
    assert said.status == 0
    search = found(run)
    picks = search.picks
    (best,) = (line.split() for line in said.out.splitlines() if line.startswith("the best cell"))
    assert best[4] == str(search.info.oracles["s0-diswot:distilled"].cell)
    assert float(best[5]) < 100  # of all cells, the better ones among them being too large
    assert (picks["params"] <= 300_000).all()  # the optima among them
    assert (search.info.budgets, search.info.unknown_costs) == ({"params": 300_000}, {})
    best = picks[picks["algorithm"] == "exhaustive"]
    assert best["score"].max() == picks["score"].max()


def test_cells_without_a_cost_are_left_out_and_counted(cli: Cli, run: Path) -> None:
    (run.parent / "cost.csv").write_text("cell,latency\n111,1\n113,2\n131,3\n311,9\n")
    budget = f"{run.parent / 'cost.csv'}:latency"
    said = cli("search", run, "--proxy", "params", "--budget", f"{budget}=5", "--searches", "2")
    assert f"among 3 cells, {budget} up to 5 (not known of 60 cells, left out)" in " ".join(said.out.split())
    search = found(run)
    assert search.info.unknown_costs == {budget: 60}
    assert set(search.picks["cell"]) <= {111, 113, 131}


def test_a_second_objective_gives_fronts_and_hypervolumes(cli: Cli, run: Path) -> None:
    line = ("search", run, "--proxy", "diswot,live_flops", "--cost", "params", *SMALL)
    said = cli(*line)
    assert said.status == 0, said.sentence
    search = found(run)
    assert (search.info.cost, search.info.options.algorithms) == ("params", ["nsga2", "random"])
    assert "two objectives: the score, and params, of which less is better" in said.out
    assert all(len(line) <= 100 for line in said.out.splitlines())
    for (driver, algorithm), volumes in search.hypervolumes.groupby(["driver", "algorithm"]):
        assert set(volumes["quantity"]) == {"score", "s0-diswot:distilled", "s0-diswot:vanilla"}
        assert volumes["hypervolume"].between(0, 1).all()
        assert volumes["over_random"].notna().all() == (algorithm == "nsga2")
        curves = search.curves[search.curves["quantity"] == "hypervolume"].set_index(["driver", "algorithm"])
        last = curves.loc[[(driver, algorithm)], "mean"].iloc[-1]
        assert last == pytest.approx(volumes.set_index("quantity").at["score", "hypervolume"])
    costs = {cell: spaces.get("s0").costs["params"](cell, 100) for cell in spaces.get("s0").cells}
    assert search.fronts["cost"].tolist() == [costs[cell] for cell in search.fronts["cell"]]
    for _, front in search.fronts.groupby(["driver", "algorithm", "seed"], dropna=False):
        quality = front[front["driver"].iloc[0]] if front["algorithm"].iloc[0] == "oracle" else front["share"]
        assert front["cost"].is_monotonic_increasing
        assert quality.is_monotonic_increasing
    assert search.front("diswot", "exhaustive")["share"].iloc[-1] == 1
    # The same again is the same; a search by score alone leaves no fronts.
    before = search.fronts
    cli(*line)
    pd.testing.assert_frame_equal(found(run).fronts, before)
    cli("search", run, "--proxy", "diswot", *SMALL)
    assert found(run).fronts.empty
    assert sorted(path.name for path in (run / "search").glob("*.csv")) == [
        *("curves.csv", "picks.csv", "summary.csv", "teachers.csv"),
    ]


def test_a_second_objective_with_several_teachers_live(cli: Cli, tmp_path: Path) -> None:
    line = ("search", tmp_path / "run", "--proxy", "diswot", *SMALL, *LIVE, "--teacher", "s0:111,s0:311")
    said = cli(*line, "--cost", "live_flops")
    assert said.status == 0, said.sentence
    search = found(tmp_path / "run")
    assert search.hypervolumes.groupby(["teacher", "algorithm"]).ngroups == 4
    assert "s0:311" in said.out.partition("two objectives")[2]
    assert set(search.front("diswot", "nsga2")["teacher"]) == {"s0:111"}


def test_cells_without_the_second_objective_are_left_out(cli: Cli, run: Path) -> None:
    (run.parent / "cost.csv").write_text("cell,latency\n111,1\n113,2\n131,3\n311,9\n")
    cost = f"{run.parent / 'cost.csv'}:latency"
    said = cli("search", run, "--proxy", "diswot", "--cost", cost, "--budget", f"{cost}=5", "--searches", "2")
    assert said.status == 0, said.sentence
    search = found(run)
    assert set(search.fronts["cell"]) <= {111, 113, 131}
    assert search.info.unknown_costs == {cost: 60}
    said = cli("search", run, "--proxy", "diswot", "--cost", cost, "--searches", "2")
    assert f"among 4 cells, {cost} not known of 60 cells, left out" in " ".join(said.out.split())


def test_stored_scores_with_several_teachers_are_searched_on_the_cells_that_all_know(cli: Cli, run: Path) -> None:
    other = live_folder(run, "s0:311")
    shutil.copytree(run, other)
    info = run_folder.read_info(other).stored()
    info["settings"] |= {"teacher": "s0:311"}
    info["settings_hash"] = hash_of(info["settings"])
    run_folder.info_path(other).write_text(json.dumps(info))
    with closing(sqlite3.connect(run_folder.store_path(other))) as connection, connection:
        connection.execute("UPDATE scores SET settings = ?", (info["settings_hash"],))
    for folder, cells in ((run, "cell > 500"), (other, "cell < 300")):
        with closing(sqlite3.connect(run_folder.store_path(folder))) as connection, connection:
            connection.execute(f"DELETE FROM scores WHERE {cells}")
    line = ("search", run, "--proxy", "diswot", "--evaluations", "8", "--searches", "2")
    assert cli(*line, "--teacher", "s0:111,s0:311").status == 0
    search = found(run)
    base = results.load(run)
    driver = drivers.get("diswot", base.proxies)
    known = {name: set(sources.stored(base, name, [driver], 0)["diswot"]) for name in ("s0:111", "s0:311")}
    assert search.info.cells == len(known["s0:111"] & known["s0:311"]) < min(map(len, known.values()))
    assert set(search.picks.query("algorithm != 'oracle'")["cell"]) <= known["s0:111"] & known["s0:311"]
    assert (search.summary["known"] > 0).all()


def test_a_live_search_follows_the_direction_that_the_proxy_has_now(cli: Cli, run: Path) -> None:
    info = run_folder.read_info(run).stored()
    info["proxies"] = [record | {"direction": "lower", "version": "old"} for record in info["proxies"]]
    run_folder.info_path(run).write_text(json.dumps(info))
    with closing(sqlite3.connect(run_folder.store_path(run))) as connection, connection:
        connection.execute("UPDATE scores SET version = 'old'")
    line = ("search", run, "--proxy", "params", *SMALL)
    assert cli(*line).status == 0
    assert found(run).info.drivers[0].direction == "lower"
    assert cli(*line, "--scores", "live", "--device", "cpu", "--workers", "1").status == 0
    assert found(run).info.drivers[0].direction == "higher"


def test_an_evaluation_costs_what_its_networks_cost_that_have_exactly_its_members(run: Path) -> None:
    base = results.load(run)
    semantic = drivers.get("diswot_semantic", base.proxies)
    both = drivers.get("diswot_rank", base.proxies)
    rows = [
        ("diswot_semantic", 111, 5.0),
        ("diswot_relation", 111, 1.0),
        ("diswot_semantic", 113, 7.0),
        ("diswot_relation", 115, 2.0),
    ]
    scores = pd.DataFrame(rows, columns=["proxy", "cell", "seconds"]).assign(seed=0, status="ok")
    assert sources.mean_seconds(scores, semantic.members) == 7.0
    assert sources.mean_seconds(scores, both.members) == 6.0
    assert sources.mean_seconds(scores.assign(status="failed"), both.members) is None


def test_drivers_that_share_a_proxy_score_it_once(cli: Cli, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(run_folder.store_path(run))) as connection, connection:
        connection.execute("DELETE FROM scores WHERE proxy = 'diswot_relation' OR cell > 300")
    scored: list[tuple[str, int]] = []
    real = sweep.score

    def counted(session: Any, tasks: Any) -> Any:
        scored.extend((name, cell) for task in tasks for name, _, cells in task.wanted for cell in cells)
        return real(session, tasks)

    monkeypatch.setattr(sweep, "score", counted)
    line = ("search", run, "--proxy", "diswot_rank,diswot_semantic,diswot_relation", *SMALL, "--scores", "live")
    assert cli(*line, "--device", "cpu", "--workers", "1").status == 0
    assert len(scored) == len(set(scored)) > 0
    assert all(name == "diswot_relation" or cell > 300 for name, cell in scored)


def test_failed_scores_of_a_live_search_are_told_and_counted_in_the_status(
    cli: Cli, plugin: Callable[..., Path], tmp_path: Path
) -> None:
    body = "if sum(w.numel() for w in trace.weights) > 2e5:\n    raise MemoryError('too large')\nreturn 1.0"
    line = ("search", tmp_path / "run", "--proxy", "mine", "--plugin", plugin(body, needs="'weights'"), *SMALL, *LIVE)
    said = cli(*line)
    assert said.status == 1
    (failed,) = found(tmp_path / "run").info.failed
    assert (failed.proxy, failed.cause) == ("mine", "MemoryError: too large")
    assert failed.scores > 0
    assert f"failed {failed.scores} times: mine: MemoryError: too large" in said.sentence
    all_fail = cli(*line, "--budget", "params=1e9", "--cells", "777,775", "--evaluations", "2", "--population", "2")
    assert all_fail.status == 2
    assert "--proxy: mine has no score of the 2 cells searched: MemoryError: too large." in all_fail.sentence


def test_another_seed_of_the_weights_is_another_search(cli: Cli, run: Path) -> None:
    said = cli("search", run, "--proxy", "diswot", "--weight-seed", "1")
    assert said.status == 2
    assert (
        "has no scores of diswot with weight seed 1; `diswot evaluate` or `--scores live` makes them" in said.sentence
    )


@pytest.mark.parametrize(
    ("line", "parts"),
    {
        "--proxy diswott": ("--proxy: 'diswott' is not known; did you mean 'diswot'?", "`diswot proxies list`"),
        "--proxy vote": ("run has no scores of vote with weight seed 0", "`--scores live`"),
        "--proxy ,": ("--proxy: ',' names nothing",),
        "--proxy te_nas": ("te_nas",),
        "--algorithm evolutoin": ("--algorithm: 'evolutoin' is not known; did you mean 'evolution'?",),
        "--scores all": ("--scores: 'all' is not known", "stored, live"),
        "--evaluations 65": ("--evaluations: 65 cells were asked for; 64 may be scored here",),
        "--evaluations 20 --population 65": ("--population: 65 cells are more than the 20 that may be scored",),
        "--population 4 --tournament 5": ("--tournament: 5 cells cannot be drawn from a population of 4",),
        "--crossover 1.5": ("'--crossover': 1.5 is not in the range",),
        "--weight-seed 1000000000000000000": ("'--weight-seed': 1000000000000000000 is not in the range",),
        "--searches 0": ("'--searches': 0 is not in the range",),
        "--budget params=10": ("--budget: no cell that may be scored has params of 10 or less; the least there is",),
        "--budget parms=10": ("--budget: 'parms' is not known; did you mean 'params'?",),
        "--budget 10": ("--budget: '10' is not NAME=NUMBER",),
        "--budget nowhere.csv:gpu=10": ("--budget: 'nowhere.csv' cannot be read",),
        "--cost parms": ("--cost: 'parms' is not known; did you mean 'params'?",),
        "--cost nowhere.csv:gpu": ("--cost: 'nowhere.csv' cannot be read",),
        "--cost s0-diswot:gpu": ("--cost: the column of s0-diswot: 'gpu' is not known", "vanilla, distilled"),
        "--cost cost.csv:latency --cells 111,113": ("--cost: cost.csv:latency is known of none of the 2 cells",),
        "--proxy params --algorithm nsga2": ("--algorithm: nsga2 has two objectives; name the second one by --cost",),
        "--target cost.csv": (
            "--target: cost:latency is a cost, of which less is better",
            "--budget cost.csv:latency=",
        ),
        "--target nonsense": ("--target: 'nonsense' is not known",),
        "--proxy params --target few.csv": (
            "--target: few:accuracy has an accuracy for none of the ",
            " cells that the searches scored.",
        ),
        "--proxy params --cells 111,113 --evaluations 2 --target few.csv": (
            "for none of the 2 cells that may be searched",
        ),
        "--cells 3,7": ("--cells: 3 is not in S0",),
        "--teacher resnet57": ("--teacher: 'resnet57' is not known; did you mean 'resnet56'?",),
        "--teacher resnet20": ("run has no scores with resnet20; its own teacher is s0:111. `--scores live`",),
        "--batch-size 8": ("--batch-size: 8 was asked for, and the scores of run were made with 4; `diswot evaluate`",),
        "--space nb201": ("--space: nb201 was asked for, and the scores of run were made with s0",),
        "--batch-size 8 --scores live": ("run has other settings: batch_size 8 (there: 4)",),
        "--space nb201 --scores live": ("run has other settings: space nb201 (there: s0)",),
        "--proxy undefined --plugin undefined.py --scores live --evaluations 3": (
            "--proxy: undefined is undefined on every one of the",
            "cells that were searched; name another one",
        ),
    }.items(),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_mistake_gets_one_sentence(
    line: str, parts: tuple[str, ...], cli: Cli, run: Path, plugin: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run.parent)
    Path("few.csv").write_text("cell,accuracy\n777,70\n")
    Path("cost.csv").write_text("cell,latency\n777,70\n")
    Path("undefined.py").write_text(
        "from diswot import proxies\n@proxies.register(needs=[], source='')\n"
        "def undefined(trace):\n    raise proxies.UndefinedScore('never')\n"
    )
    said = cli(
        "search", "run", "--searches", "1", *(() if "--evaluations" in line else ("--evaluations", "8")), *line.split()
    )
    assert said.status == 2, said.out
    sentence = said.sentence.splitlines()[-1]
    assert sentence.startswith("diswot: ")
    for part in parts:
        assert part in sentence
    assert found_nothing(Path("run"))


def test_a_run_that_is_none_needs_a_proxy_to_begin_with(cli: Cli, tmp_path: Path) -> None:
    assert "is not a run's folder and holds none; `diswot evaluate" in cli("search", tmp_path / "new").sentence
    said = cli("search", tmp_path / "new", *LIVE)
    assert said.status == 2
    assert "the winner is the proxy with the highest correlation in a run, and " in said.sentence
    for wrong in (("--budget", "params=10"), ("--evaluations", "65"), ("--target", "nonsense"), ("--proxy", "diswott")):
        assert cli("search", tmp_path / "new", "--proxy", "params", *LIVE, *wrong).status == 2
    assert not (tmp_path / "new").exists()


def test_new_scores_make_a_search_of_the_old_ones_void(cli: Cli, run: Path) -> None:
    cli("search", run, "--proxy", "params", "--searches", "1")
    line = ("evaluate", "--space", "s0", "--cells", "111,113", *QUICK, "--out", run)
    assert cli(*line, "--proxies", "params").status == 0
    assert not found_nothing(run)  # nothing new was scored
    assert cli(*line, "--proxies", "flops").status == 0
    assert found_nothing(run)


def test_of_several_runs_one_must_be_named(cli: Cli, run: Path) -> None:
    said = cli("search", run.parent)
    assert said.status == 2
    assert f"{run.parent} holds several runs; name one of {run}." in said.sentence


def test_a_winner_needs_enough_cells(cli: Cli, run: Path) -> None:
    with closing(sqlite3.connect(run_folder.store_path(run))) as connection, connection:
        connection.execute("DELETE FROM scores WHERE cell > 200")
    assert "there are 16. Name a proxy instead" in cli("search", run).sentence


def test_a_damaged_search_is_said_to_be(cli: Cli, run: Path) -> None:
    cli("search", run, "--proxy", "params", "--searches", "1")
    path = stored_search.folder_of(run) / "search.json"
    info = json.loads(path.read_text())
    path.write_text(json.dumps(info | {"schema": 99}))
    assert "search.json has schema 99; this version reads 1" in cli("report", run).sentence
    path.write_text("{")
    assert "`diswot search` makes it anew" in cli("report", run).sentence
    assert cli("search", run, "--proxy", "params", "--searches", "1").status == 0
    (path.parent / "curves.csv").unlink()
    assert "`diswot search` makes it anew" in cli("report", run).sentence
    assert cli("search", run, "--proxy", "params", "--searches", "1").status == 0
    assert cli("report", run, "--figures", "search").status == 0


def test_a_pool_that_is_kept_serves_many_calls_and_is_replaced_when_it_breaks() -> None:
    made: list[Executor] = []

    def make(workers: int) -> Executor:
        made.append(pool.plain(workers))
        return made[-1]

    def refuse(task: str) -> None:
        raise AssertionError(task)

    with pool.kept(make, 1) as kept:
        for task in ("1 + 1", "2 + 2"):
            assert list(pool.run(eval, [task], make_executor=kept, workers=1, on_death=refuse)) == [(task, eval(task))]
        assert len(made) == 1
        dead = "__import__('os')._exit(3)"
        answers = pool.run(eval, [dead, "3"], make_executor=kept, workers=1, on_death=lambda task: "dead")
        assert dict(answers) == {dead: "dead", "3": 3}
        assert len(made) > 1
    for executor in made:
        with pytest.raises(RuntimeError):
            executor.submit(abs, 1)
