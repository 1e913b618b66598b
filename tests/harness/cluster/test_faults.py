"""Something is killed while a sweep runs on a cluster: nothing is lost, nothing is there twice, no score differs."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from diswot.benchmarks.errors import InputError
from diswot.harness import pool
from diswot.harness.compute import sweep
from diswot.harness.compute.cluster import executor
from diswot.harness.compute.plan import Plan
from diswot.harness.runs import run_folder
from diswot.harness.runs.store import Record, Store
from diswot.proxies import registry

#: Slow enough that something can be killed in between, but only in a worker.
SLOW = "import multiprocessing\nif multiprocessing.parent_process():\n    time.sleep(0.3)\nreturn 1.0"
PROXIES = "params,nwot,diswot,mine"

#: Of the cluster that is not killed itself: every worker of a new sweep takes seconds to begin.
WORKERS = 1
CELLS = (111, 113, 131, 133, 311, 313, 331, 333)


@pytest.fixture
def plan(make_plan: Callable[..., Plan], plugin: Callable[..., Path], own_cluster: Any) -> Plan:
    """A sweep on a cluster that has nothing started yet."""
    path = plugin(SLOW)
    registry.load_file(path)
    return make_plan(PROXIES, cells=CELLS, plugins=(path,), workers=None, scheduler=own_cluster.address)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that this machine computes, by the first test that compares with it."""
    return tmp_path_factory.mktemp("untouched") / "run"


@pytest.fixture
def is_whole(plan: Plan, inline: Callable[[int], Executor], untouched: Path) -> Callable[[Path], None]:
    """Asserts that a run has every score, bit by bit as this machine computes it."""

    def call(folder: Path) -> None:
        sweep.run(replace(plan, scheduler=None), untouched, make_executor=inline)
        pd.testing.assert_frame_equal(scores(folder), scores(untouched), check_exact=True)

    return call


@pytest.fixture
def at_score(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], object]], None]:
    """Does something once, when so many tasks are stored."""

    def call(count: int, act: Callable[[], object]) -> None:
        write = Store.write
        written = []

        def watched(store: Store, records: Iterable[Record]) -> None:
            write(store, records)
            written.append(records)
            if len(written) == count:
                act()

        monkeypatch.setattr(Store, "write", watched)

    return call


def scores(folder: Path) -> pd.DataFrame:
    with Store(run_folder.store_path(folder), create=False) as store:
        return store.frame().drop(columns="seconds")


def is_begun(folder: Path) -> bool:
    """Whether a sweep that runs has stored something."""
    if not run_folder.store_path(folder).is_file():
        return False
    with closing(sqlite3.connect(run_folder.store_path(folder))) as connection, suppress(sqlite3.OperationalError):
        return bool(connection.execute("SELECT count(*) FROM scores").fetchone()[0])
    return False


def test_a_worker_is_killed(own_cluster: Any, plan: Plan, at_score: Any, is_whole: Any, tmp_path: Path) -> None:
    own_cluster.start(workers=2)
    at_score(2, own_cluster.workers[0].kill)
    assert sweep.run(plan, tmp_path / "run").statuses == {"ok": 32}
    is_whole(tmp_path / "run")


def test_the_scheduler_is_killed_and_started_again(
    own_cluster: Any, plan: Plan, at_score: Any, is_whole: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own_cluster.start(workers=1)

    def restart() -> None:
        own_cluster.kill()
        own_cluster.start(workers=1)

    starter = threading.Thread(target=restart)
    at_score(2, starter.start)
    tally = sweep.run(plan, tmp_path / "run")
    starter.join()
    assert tally.statuses == {"ok": 32}
    assert f"{own_cluster.address} is gone; waiting up to 300 s for it to return" in capsys.readouterr().err
    is_whole(tmp_path / "run")


def test_a_scheduler_that_does_not_return_ends_the_sweep_and_the_same_command_continues(
    own_cluster: Any, plan: Plan, at_score: Any, is_whole: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_cluster.start(workers=1)
    at_score(2, own_cluster.kill)
    with monkeypatch.context() as patch:
        patch.setattr(executor, "SECONDS_TO_RETURN", 1.0)
        with pytest.raises(
            InputError, match=rf"{own_cluster.address} has been gone for 1 s; what was computed is stored"
        ):
            sweep.run(plan, tmp_path / "run")
    seen = len(scores(tmp_path / "run"))
    assert 8 <= seen < 32
    own_cluster.start(workers=1)
    tally = sweep.run(plan, tmp_path / "run")
    assert (tally.before, tally.statuses) == (seen, {"ok": 32 - seen})
    is_whole(tmp_path / "run")


def test_something_else_in_the_place_of_the_scheduler_ends_the_work(
    own_cluster: Any, listen: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "SECONDS_TO_RETURN", 1.0)
    own_cluster.start(workers=1)
    made = executor.executors(("cpu",), own_cluster.address)
    results = pool.run(eval, ["1", "__import__('time').sleep(1000)"], make_executor=made, workers=None, on_death=str)
    assert next(results) == ("1", 1)
    own_cluster.kill()
    listen(own_cluster.port)
    with pytest.raises(InputError, match=rf"{own_cluster.address} has been gone for 1 s"):
        next(results)
    assert not {"cluster", "IO loop"} & {thread.name for thread in threading.enumerate()}


def test_workers_that_do_not_return_end_the_sweep(
    own_cluster: Any, plan: Plan, at_score: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_cluster.start(workers=1)
    at_score(2, own_cluster.workers[0].kill)
    monkeypatch.setattr(executor, "SECONDS_TO_RETURN", 1.0)
    with pytest.raises(
        InputError, match=rf"{own_cluster.address} has had no worker for 1 s; what was computed is stored"
    ):
        sweep.run(plan, tmp_path / "run")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_the_client_is_killed(
    cluster: Any, plan: Plan, until: Any, is_whole: Any, tmp_path: Path, number: signal.Signals
) -> None:
    plan = replace(plan, scheduler=cluster.address)
    (path,) = plan.plugins
    command = ["evaluate", "--space", "s0", "--cells", ",".join(map(str, CELLS)), "--proxies", PROXIES]
    command += ["--batch-size", "4", "--teacher", "s0:111", "--plugin", str(path), "--out", str(tmp_path / "run")]
    command += ["--scheduler", cluster.address]
    start = [sys.executable, "-c", "import sys; from diswot.harness.cli import main; sys.exit(main())"]
    client = subprocess.Popen(start + command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: client.poll() is not None or is_begun(tmp_path / "run"))
    client.send_signal(number)
    out, error = client.communicate()
    seen = len(scores(tmp_path / "run"))
    assert 4 <= seen < 32
    if number == signal.SIGINT:
        assert client.returncode == 1
        assert error.splitlines()[-1] == "diswot: stopped; what was computed is stored, and the same command continues."
    assert "Traceback" not in out + error
    until(lambda: not busy(cluster))
    assert len(scores(tmp_path / "run")) == seen
    tally = sweep.run(plan, tmp_path / "run")
    assert (tally.before, tally.statuses) == (seen, {"ok": 32 - seen})
    is_whole(tmp_path / "run")


def busy(cluster: Any) -> bool:
    """Whether the scheduler still has tasks."""
    from distributed import Client

    with Client(cluster.address, set_as_default=False) as client:
        return bool(client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)))


def test_a_task_that_kills_every_worker_is_the_only_one_lost(own_cluster: Any) -> None:
    # With no death forgiven, each try of the task costs one worker: in a chunk, alone, and then there is one left.
    own_cluster.start(workers=3, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0")
    deadly = "__import__('os').kill(__import__('os').getppid(), 9) or __import__('time').sleep(100)"
    tasks = ["1", "2", deadly, "3", "4", "5"]
    made = executor.executors(("cpu",), own_cluster.address)
    results = dict(pool.run(eval, tasks, make_executor=made, workers=None, on_death=lambda task: "dead"))
    assert results == {task: "dead" if task == deadly else int(task) for task in tasks}


def test_a_cell_that_kills_its_process_is_the_only_one_that_fails(
    cluster: Any, make_plan: Callable[..., Plan], plugin: Callable[..., Path], tmp_path: Path
) -> None:
    body = "import multiprocessing\nif multiprocessing.parent_process() and len(list(trace.network.parameters())) > 60:"
    path = plugin(f"{body}\n    os.kill(os.getpid(), 9)\nreturn 1.0")
    registry.load_file(path)
    plan = make_plan("mine,params", cells=(111, 777, 113), plugins=(path,), workers=None, scheduler=cluster.address)
    assert sweep.run(plan, tmp_path).statuses == {"ok": 4, "failed": 2}
    found = scores(tmp_path).set_index(["cell", "proxy"])
    assert set(found.loc[777, "cause"]) == {"RuntimeError: its worker process died; memory may have run out"}
