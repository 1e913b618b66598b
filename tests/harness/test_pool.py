"""Tasks are expressions, because ``eval`` needs no module of ours in the worker."""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import popen_spawn_posix, resource_tracker
from pathlib import Path
from typing import Any

import pytest

from diswot.benchmarks.errors import InputError
from diswot.harness import pool

DIE = ("__import__('os')._exit(3)", "__import__('os').kill(__import__('os').getpid(), 9)")


quick = pool.plain  # loads no torch


def refuse(task: Any) -> Any:
    raise AssertionError(f"{task} did not kill its worker")


def test_everything_is_done_whatever_the_order_of_completion() -> None:
    tasks = ["__import__('time').sleep(0.3) or 0", *(str(number) for number in range(1, 20))]
    results = list(pool.run(eval, tasks, make_executor=quick, workers=2, on_death=refuse))
    assert sorted(results) == sorted((task, number) for number, task in enumerate(tasks))
    assert results[0] != (tasks[0], 0)
    assert multiprocessing.active_children() == []


def test_no_task_needs_no_worker() -> None:
    assert list(pool.run(eval, [], make_executor=refuse, workers=2, on_death=refuse)) == []


def test_a_task_that_kills_its_worker_is_the_only_one_lost() -> None:
    tasks = ["1", DIE[0], "2", DIE[1], "3", "4", "5"]
    results = dict(pool.run(eval, tasks, make_executor=quick, workers=2, on_death=lambda task: "dead"))
    assert results == {task: "dead" if task in DIE else int(task) for task in tasks}


def test_what_a_task_raises_is_raised_here(inline: Callable[[int], Executor]) -> None:
    for make in (quick, inline):
        with pytest.raises(ZeroDivisionError):
            list(pool.run(eval, ["1", "1/0", "2"], make_executor=make, workers=1, on_death=refuse))
    assert multiprocessing.active_children() == []


def test_whoever_stops_asking_does_not_wait_for_what_is_running() -> None:
    results = pool.run(
        eval, ["1", *["__import__('time').sleep(100)"] * 5], make_executor=quick, workers=1, on_death=refuse
    )
    assert next(results) == ("1", 1)
    start = time.monotonic()
    results.close()
    assert time.monotonic() - start < 50
    assert multiprocessing.active_children() == []


class Breaking(Executor):
    """A pool that does some tasks and is found broken when the next one is handed to it."""

    def __init__(self, tasks: int) -> None:
        self.left = tasks

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        if not self.left:
            raise BrokenProcessPool
        self.left -= 1
        future: Future[Any] = Future()
        future.set_result(function(*arguments, **named))
        return future


@pytest.mark.parametrize("before", range(6))
def test_a_pool_that_breaks_between_two_tasks_loses_none(before: int, inline: Callable[[int], Executor]) -> None:
    makers = iter([lambda workers: Breaking(before)])
    tasks = list(range(5))
    results = pool.run(
        abs, tasks, make_executor=lambda workers: next(makers, inline)(workers), workers=2, on_death=refuse
    )
    assert sorted(results) == [(task, task) for task in tasks]


def test_a_worker_has_one_thread_and_one_gpu_and_leaves_ctrl_c_to_its_parent() -> None:
    tasks = [
        "__import__('torch').get_num_threads()",
        "__import__('os').environ.get('CUDA_VISIBLE_DEVICES')",
        "__import__('signal').SIGINT in __import__('signal').pthread_sigmask(0, [])",
    ]
    make = functools.partial(pool.local, devices=("cuda:3",))
    results = dict(pool.run(eval, tasks, make_executor=make, workers=1, on_death=refuse))
    assert [results[task] for task in tasks] == [1, "3", True]


#: What a worker reads of Python's own before it knows its parent's path.
EARLY = ("array", "math", "pickle", "select", "signal", "socket", "struct")
CALL = """
from diswot.harness import pool
print(list(pool.run(eval, ["1 + 1"], make_executor=pool.plain, workers=1, on_death=str)))
"""


@pytest.mark.parametrize("how", ["script", "stdin", "command"])
def test_workers_do_not_run_the_callers_script_again(how: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(CALL)
    arguments = {"script": [str(script)], "stdin": ["-"], "command": ["-c", CALL]}[how]
    done = subprocess.run([sys.executable, *arguments], input=CALL, capture_output=True, text=True, timeout=100)
    assert (done.stdout, done.stderr, done.returncode) == ("[('1 + 1', 2)]\n", "", 0)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python cannot leave the working directory out of its path")
def test_workers_run_no_file_of_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "script.py").write_text(CALL)
    for name in EARLY:
        (tmp_path / f"{name}.py").write_text(f"open('{name}.ran', 'w')")
    done = subprocess.run(
        [sys.executable, "scripts/script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=100
    )
    assert (done.stdout, done.stderr) == ("[('1 + 1', 2)]\n", "")
    assert not list(tmp_path.glob("*.ran"))


def test_workers_leave_the_environment_and_the_script_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    before = sys.modules["__main__"].__spec__
    task = "__import__('os').environ.get('PYTHONSAFEPATH')"
    for value in (None, "1"):
        if value is not None:
            monkeypatch.setenv("PYTHONSAFEPATH", value)
        assert list(pool.run(eval, [task], make_executor=quick, workers=1, on_death=refuse)) == [(task, value)]
        assert os.environ.get("PYTHONSAFEPATH") == value
    assert sys.modules["__main__"].__spec__ is before


def test_workers_need_no_semaphores(monkeypatch: pytest.MonkeyPatch) -> None:
    # A kill of the whole group would leave them in /dev/shm, which in some containers cannot be written to at all.
    monkeypatch.setattr("multiprocessing.synchronize.SemLock.__init__", refuse)
    assert dict(pool.run(eval, ["1", "2"], make_executor=quick, workers=2, on_death=refuse)) == {"1": 1, "2": 2}


@pytest.mark.parametrize(
    ("prepare", "sentence"),
    [
        (functools.partial(os._exit, 3), "a process ended with status 3 before it began; its own message stands above"),
        (functools.partial(signal.raise_signal, 9), "ended by signal 9 before it began; memory may have run out"),
    ],
)
def test_worker_that_never_begins_is_no_death_of_a_task(
    prepare: Any, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=sentence):
        list(
            pool.run(
                eval,
                ["1", "2", "3"],
                make_executor=lambda workers: pool.Workers([prepare] * workers),
                workers=2,
                on_death=refuse,
            )
        )
    assert multiprocessing.active_children() == []


def test_worker_that_never_begins_names_files_that_may_hide_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "select.py").touch()
    with pytest.raises(InputError, match=r"rename select.py in .*, which may hide a module of Python"):
        pool.Workers([functools.partial(os._exit, 1)]).submit(abs, 1).result()


def test_worker_that_is_suspended_is_ended() -> None:
    stop = "__import__('os').kill(__import__('os').getpid(), __import__('signal').SIGSTOP)"
    results = pool.run(eval, ["1", stop, stop, "2", "3"], make_executor=quick, workers=2, on_death=refuse)
    assert next(results) == ("1", 1)
    start = time.monotonic()
    results.close()
    assert time.monotonic() - start < 50
    assert multiprocessing.active_children() == []


def test_workers_relay_an_exception_that_cannot_be_pickled() -> None:
    task = "(_ for _ in ()).throw(type('Own', (Exception,), {})('such luck'))"
    with pytest.raises(RuntimeError, match="Own: such luck"):
        list(pool.run(eval, [task], make_executor=quick, workers=1, on_death=refuse))


def test_workers_outlive_a_task_that_exits() -> None:
    tasks = ["1", "__import__('sys').exit(0)", "2"]
    results = dict(pool.run(eval, tasks, make_executor=quick, workers=1, on_death=lambda task: "dead"))
    assert [results[task] for task in tasks] == [1, "dead", 2]


def test_workers_start_no_workers() -> None:
    nested = "__import__('diswot.harness.pool').harness.pool.plain(1)"
    with pytest.raises(InputError, match="below `if __name__ == '__main__':`"):
        list(pool.run(eval, [nested], make_executor=quick, workers=1, on_death=refuse))


def test_gpus_are_dealt_out_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr(pool, "Workers", made.extend)
    pool.local(5, ("cuda:0", "cuda:2"))
    assert [prepare.args for prepare in made] == [(f"cuda:{number}",) for number in (0, 2, 0, 2, 0)]


def test_the_default_is_a_worker_a_processor() -> None:
    assert 1 <= pool.default_workers() <= multiprocessing.cpu_count()


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="this system has no masks of signals")
def test_every_worker_begins_with_ctrl_c_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    # Python's resource tracker unblocks it in the thread that starts the first process.
    masks = []
    start = popen_spawn_posix.Popen._launch

    def launch(self: Any, process: Any) -> None:
        resource_tracker.ensure_running()
        masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        start(self, process)

    monkeypatch.setattr(popen_spawn_posix.Popen, "_launch", launch)
    monkeypatch.setattr(resource_tracker, "_resource_tracker", resource_tracker.ResourceTracker())
    for name in ("ensure_running", "getfd", "register", "unregister"):
        monkeypatch.setattr(resource_tracker, name, getattr(resource_tracker._resource_tracker, name))
    tasks = ["1", "2"]
    assert len(list(pool.run(eval, tasks, make_executor=pool.plain, workers=2, on_death=refuse))) == 2
    assert masks
    assert all(signal.SIGINT in mask for mask in masks)
