"""Tasks are expressions, because ``eval`` needs no module of ours in the worker."""

from __future__ import annotations

import functools
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import pytest

from harness import pool

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


def test_gpus_are_dealt_out_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr(pool, "Workers", made.extend)
    pool.local(5, ("cuda:0", "cuda:2"))
    assert [prepare.args for prepare in made] == [(f"cuda:{number}",) for number in (0, 2, 0, 2, 0)]


def test_the_default_is_a_worker_a_processor() -> None:
    assert 1 <= pool.default_workers() <= multiprocessing.cpu_count()
