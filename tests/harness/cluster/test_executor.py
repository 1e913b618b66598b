"""Tasks are expressions, as in the tests of the pool; sweeps are those of its tests."""

from __future__ import annotations

import asyncio
import importlib.metadata
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
from distributed import Client

from diswot import benchmarks, harness, proxies
from diswot.benchmarks.errors import InputError
from diswot.harness import files, pool
from diswot.harness.compute import sweep
from diswot.harness.compute.cluster import executor, worker
from diswot.harness.compute.cluster.executor import executors
from diswot.harness.compute.plan import Plan
from diswot.harness.runs import run_folder
from diswot.harness.runs.store import Store
from diswot.proxies import registry

PID = "__import__('os').getpid()"


def refuse(task: Any) -> Any:
    raise AssertionError(f"{task} did not kill its worker")


def run(address: str, tasks: list[str]) -> list[tuple[str, Any]]:
    return list(pool.run(eval, tasks, make_executor=executors(("cpu",), address), workers=None, on_death=refuse))


def scores(folder: Path) -> pd.DataFrame:
    with Store(run_folder.store_path(folder), create=False) as store:
        return store.frame().drop(columns="seconds")


def same(one: Path, other: Path) -> None:
    pd.testing.assert_frame_equal(scores(one), scores(other), check_exact=True)


def test_a_sweep_has_the_scores_of_this_machine(
    cluster: Any, make_plan: Callable[..., Plan], tmp_path: Path, inline: Callable[[int], Executor]
) -> None:
    plan = make_plan(cells=(111, 113, 131), seeds=(0, 1))
    tally = sweep.run(replace(plan, workers=None, scheduler=cluster.address), tmp_path / "there")
    assert (tally.before, tally.statuses) == (0, {"ok": 24})
    sweep.run(plan, tmp_path / "here", make_executor=inline)
    same(tmp_path / "there", tmp_path / "here")


def test_tasks_travel_in_chunks_and_the_function_once(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sent, shipped = [], []
    send, ship = executor._Link.send, executor._Link._ship

    def watch_send(link: Any, chunk: Any, worker: str) -> None:
        sent.append(len(chunk))
        send(link, chunk, worker)

    def watch_ship(link: Any, function: Any) -> Any:
        found = ship(link, function)
        shipped.append(found.key)
        return found

    monkeypatch.setattr(executor._Link, "send", watch_send)
    monkeypatch.setattr(executor._Link, "_ship", watch_ship)
    tasks = [str(number) for number in range(300)]
    assert sorted(run(cluster.address, tasks)) == sorted((task, int(task)) for task in tasks)
    assert sum(sent) == 300
    assert max(sent) > 10
    assert len(set(shipped)) == 1


def test_a_chunk_that_takes_long_comes_back_in_parts(cluster: Any) -> None:
    slow = [f"__import__('time').sleep(1.5) or {number}" for number in range(4)]
    tasks = [*(str(number) for number in range(40)), *slow]
    results = run(cluster.address, tasks)
    assert sorted(results) == sorted((task, int(task.rpartition(" ")[2])) for task in tasks)


def test_what_a_task_raises_is_raised_here(cluster: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        run(cluster.address, ["1", "1/0", "2"])


def test_one_thread_a_task_and_nothing_else_changes_the_random_state(cluster: Any) -> None:
    state = "__import__('random').getstate()"
    tasks = ["__import__('torch').get_num_threads()", f"({state}, __import__('time').sleep(1.2), {state})"]
    results = dict(run(cluster.address, tasks))
    assert results[tasks[0]] == 1
    before, _, after = results[tasks[1]]
    assert before == after  # in the worker's own process, a heartbeat draws


def test_workers_that_join_later_take_part(own_cluster: Any, until: Any) -> None:
    own_cluster.start(workers=1)
    tasks = [f"__import__('time').sleep(0.2) or ({number}, {PID})" for number in range(600)]
    results = pool.run(
        eval, tasks, make_executor=executors(("cpu",), own_cluster.address), workers=None, on_death=refuse
    )
    pids = {next(results)[1][1]}
    own_cluster.add_worker(threads=2)
    for _, (_, pid) in results:
        pids.add(pid)
        if len(pids) == 3:  # a process for every thread
            break
    results.close()
    assert len(pids) == 3


def test_the_command_line_takes_it_from_a_file_and_for_a_live_search(
    cluster: Any, cli: Callable[..., Any], tmp_path: Path
) -> None:
    config = tmp_path / "settings.toml"
    config.write_text(f'scheduler = "{cluster.address}"\nbatch-size = 4\nteacher = "s0:111"\nspace = "s0"\n')
    out = tmp_path / "run"
    said = cli("evaluate", "--config", config, "--cells", "111,113", "--proxies", "params", "--out", out)
    assert said.status == 0, said.sentence
    assert f"workers of {cluster.address} on cpu, into {out}" in said.sentence
    options = ("--scores", "live", "--searches", "1", "--evaluations", "3", "--population", "2")
    said = cli("search", out, "--proxy", "params", *options, "--scheduler", cluster.address)
    assert said.status == 0, said.sentence


def test_a_search_keeps_its_connection(
    cluster: Any, make_plan: Callable[..., Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected = []
    connect = executor._connect
    monkeypatch.setattr(executor, "_connect", lambda *given: connected.append(given) or connect(*given))
    plan = replace(make_plan("params"), workers=None, scheduler=cluster.address)
    context = sweep.prepare(plan)
    with (
        pool.kept(executors(plan.devices, plan.scheduler), 1) as make_executor,
        sweep.opened(plan, tmp_path, context, make_executor) as session,
    ):
        for cell in plan.cells:
            tasks, _ = sweep.missing(replace(plan, cells=(cell,)), session.store, context.settings)
            (records,) = sweep.score(session, tasks)
            assert [record.status for record in records] == ["ok"]
    assert len(connected) == 1


def test_a_plug_in_is_read_by_the_workers_as_it_is_now(
    cluster: Any, make_plan: Callable[..., Plan], plugin: Callable[..., Path], tmp_path: Path
) -> None:
    for value in (1.0, 2.0):
        path = plugin(f"return {value}")
        if value == 1.0:
            registry.load_file(path)
        plan = make_plan("mine", cells=(111,), plugins=(path,), workers=None, scheduler=cluster.address)
        sweep.run(plan, tmp_path / str(value))
        assert set(scores(tmp_path / str(value))["value"]) == {value}


def test_a_file_that_a_worker_does_not_have_is_named(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "plugin.py"
    path.write_text("1")
    made = executors(("cpu",), cluster.address, [path])
    read = Path.read_bytes
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", lambda one: b"2" if one == path else read(one))
        with pytest.raises(
            InputError, match=r"the worker tcp://127.* does not have .*plugin.py as this machine has it"
        ):
            made(1)


def test_the_source_code_is_a_version(monkeypatch: pytest.MonkeyPatch) -> None:
    code = dict(worker.versions())["source code"]
    parts = {package: files.code_of(package) for package in (benchmarks, harness, proxies)}
    assert all(len(part) > 100_000 for part in parts.values())
    monkeypatch.setattr(files, "code_of", lambda *packages: b"".join(map(parts.get, packages)) + b"# changed")
    assert dict(worker.versions.__wrapped__())["source code"] != code


@pytest.mark.parametrize("name", ["diswot-bench", "torch", "numpy", "dask", "distributed", "source code"])
def test_another_version_is_refused_and_the_worker_named(
    cluster: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    ours = tuple((one, "0.0.0" if one == name else version) for one, version in worker.versions())
    monkeypatch.setattr(executor, "versions", lambda: ours)
    with pytest.raises(
        InputError, match=rf"scheduler: the worker tcp://127\S+ has {name} .*, and this machine has 0.0.0"
    ):
        executors(("cpu",), cluster.address)(1)


class Scheduler:
    """Answers what is asked of a scheduler before anything else."""

    address = "tcp://there:1"

    def __init__(self, own: str, workers: dict[str, str | None]) -> None:
        self.own = own
        self.workers = workers

    async def versions(self) -> Any:
        return {"packages": {"dask": self.own, "distributed": self.own}}

    async def broadcast(self, msg: Any, on_error: str) -> Any:
        return {
            address: None if version is None else {"packages": {"dask": version, "distributed": version}}
            for address, version in self.workers.items()
        }


@pytest.mark.parametrize(
    ("own", "workers", "sentence"),
    [
        ("2024.8.0", {}, "the scheduler tcp://there:1 has dask 2024.8.0, and this machine has 2"),
        (None, {"tcp://gone:1": None, "tcp://old:1": "2024.8.0"}, "the worker tcp://old:1 has dask 2024.8.0, and this"),
    ],
)
def test_another_version_of_dask_is_refused(own: str | None, workers: Any, sentence: str) -> None:
    same = importlib.metadata.version("distributed")
    with pytest.raises(InputError, match=sentence):
        asyncio.run(executor._refuse_other_dask(Scheduler(own or same, workers)))
    asyncio.run(executor._refuse_other_dask(Scheduler(same, {"tcp://same:1": same})))


def test_another_version_of_dask_is_seen_before_a_client_connects(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dask.__version__", "1.2.3")
    with pytest.raises(InputError, match=rf"the scheduler {cluster.address} has dask \S+, and this machine has 1.2.3"):
        executors(("cpu",), cluster.address)(1)


def test_a_worker_without_a_gpu_is_refused(cluster: Any) -> None:
    with pytest.raises(InputError, match=r"the worker tcp://127\S+ sees no GPU"):
        executors(("cuda",), cluster.address)(1)


def test_a_late_worker_is_checked_too(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "_refuse_unfit", lambda *given: None)
    monkeypatch.setattr(executor, "versions", lambda: tuple((name, "0.0.0") for name, _ in worker.versions()))
    with pytest.raises(InputError, match=r"the worker tcp://127\S+ has diswot-bench"):
        run(cluster.address, ["1"])


def test_a_worker_without_this_project_is_refused(own_cluster: Any, tmp_path: Path) -> None:
    (tmp_path / "diswot.py").write_text("raise ModuleNotFoundError('No module named diswot')")
    own_cluster.start(workers=0)
    own_cluster.add_worker(PYTHONPATH=str(tmp_path))
    own_cluster.wait_for_workers(1)
    with pytest.raises(InputError, match=r"the worker tcp://127\S+ cannot run this project: .*ModuleNotFoundError"):
        executors(("cpu",), own_cluster.address)(1)


def test_nobody_there_and_no_worker_are_two_sentences(own_cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "SECONDS_TO_CONNECT", 1.0)
    with pytest.raises(InputError, match=rf"no scheduler answers at {own_cluster.address} within 1 s"):
        executors(("cpu",), own_cluster.address)(1)
    own_cluster.start(workers=0)
    Client(own_cluster.address, timeout=60, set_as_default=False).close()
    with pytest.raises(InputError, match=rf"{own_cluster.address} has no worker"):
        executors(("cpu",), own_cluster.address)(1)


def test_something_else_that_listens_is_nobody(
    listen: Callable[..., str], cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "SECONDS_TO_CONNECT", 1.0)
    address = listen()
    begin = time.monotonic()
    said = cli(
        *("evaluate", "--cells", "1", "--space", "s0", "--no-shipped"),
        *("--scheduler", address, "--out", tmp_path / "run"),
    )
    # The command itself takes some seconds on a busy machine; without a limit nothing ends it.
    assert time.monotonic() - begin < 20
    assert said.status == 2
    assert said.sentence.endswith(f"no scheduler answers at {address} within 1 s.\n")
    assert "IO loop" not in {thread.name for thread in threading.enumerate()}


def test_a_result_that_cannot_be_read_ends_the_work(cluster: Any) -> None:
    # An OSError, which must not be taken for one of the connection.
    unreadable = "type('U', (), {'__reduce__': lambda self: (open, ('/nowhere/at/all',))})()"
    with pytest.raises(FileNotFoundError):
        run(cluster.address, ["1", unreadable, "2"])


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1:1", "tcp://host", "tcp://:1", "http://host:1", "tcp://host:99999", "tcp://host:1/x", "tls://host:1"],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="is not an address; it has the form tcp://HOST:PORT"):
        executor.check(address)


def test_without_distributed_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install '\.\[cluster\]'"):
        executor.check("tcp://127.0.0.1:1")


def test_what_runs_for_a_client_that_has_left_is_ended(cluster: Any, until: Any, tmp_path: Path) -> None:
    begun = [tmp_path / "one", tmp_path / "other"]
    endless = [f"open({str(path)!r}, 'w').write(str({PID})) and __import__('time').sleep(1000)" for path in begun]
    make = executors(("cpu",), cluster.address)
    results = pool.run(eval, ["1", *endless], make_executor=make, workers=None, on_death=refuse)
    assert next(results) == ("1", 1)
    until(lambda: all(path.is_file() and path.read_text() for path in begun))
    results.close()
    until(lambda: not any(psutil.pid_exists(int(path.read_text())) for path in begun))
