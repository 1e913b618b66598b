"""Workers on this machine: spawned processes with one thread each, behind the standard executor interface."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from multiprocessing import connection
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from multiprocessing.queues import Queue

# mallopt(3)
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3

T = TypeVar("T")
R = TypeVar("R")


class WorkerDeathError(Exception):
    """The result, from an executor that outlives its workers, of a task that kills its worker when it is alone, too."""


def local(workers: int, devices: Sequence[str]) -> Executor:
    """Return a pool of spawned processes, each with one thread; of several GPUs each process sees one.

    Args:
        workers: how many processes.
        devices: ``("cpu",)``, or GPUs such as ``("cuda:0", "cuda:1")``, which are dealt out in turn.
    """
    context = multiprocessing.get_context("spawn")
    slots = context.Queue()
    for worker in range(workers):
        slots.put(devices[worker % len(devices)])
    return ProcessPoolExecutor(max_workers=workers, mp_context=context, initializer=_prepare_worker, initargs=(slots,))


def plain(workers: int) -> Executor:
    """Return a pool of spawned processes for statistics: they load no torch."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(max_workers=workers, mp_context=context, initializer=_follow_parent)


@contextmanager
def kept(make_executor: Callable[[int], Executor], workers: int) -> Iterator[Callable[[int], Executor]]:
    """Yield what makes executors for many short calls of `run`: it hands out one pool, and another when that breaks.

    Args:
        make_executor: makes a pool of so many workers.
        workers: how many.
    """
    with ExitStack() as stack:
        pools: list[_Kept] = []

        def make(_workers: int) -> Executor:
            if not pools or pools[-1].is_broken:
                pools.append(_Kept(stack.enter_context(_ended(make_executor(workers)))))
            return pools[-1]

        yield make


class _Kept(Executor):
    # Who is done with it for now may shut it down as any other: it stays.
    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.is_broken = False

    def submit(self, function: Callable[..., R], /, *arguments: Any, **named: Any) -> Future[R]:
        try:
            future = self._executor.submit(function, *arguments, **named)
        except BrokenProcessPool:
            self.is_broken = True
            raise
        future.add_done_callback(self._notice)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        pass

    def _notice(self, future: Future[Any]) -> None:
        if not future.cancelled() and isinstance(future.exception(), BrokenProcessPool):
            self.is_broken = True


def default_workers() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(
    function: Callable[[T], R],
    tasks: Sequence[T],
    *,
    make_executor: Callable[[int], Executor],
    workers: int | None,
    on_death: Callable[[T], R],
) -> Generator[tuple[T, R], None, None]:
    """Carry out tasks and yield each with its result, in the order of completion.

    A task whose worker dies (out of memory, a crash in native code) takes the pool and its neighbours with it. All of
    them are then tried again, each in a pool of its own; the one that kills its worker there too is given to
    ``on_death``, and everything else goes on.

    Args:
        function: picklable, of one task; what it raises is raised here.
        tasks: what to do; each is tried at most twice.
        make_executor: makes a pool of so many workers.
        workers: how many; None for an executor that shares out all tasks itself.
        on_death: gives the result of a task that kills its worker.
    """
    waiting = list(reversed(tasks))
    while waiting:
        suspects: list[T] = []
        count = len(waiting) if workers is None else min(workers, len(waiting))
        yield from _until_broken(function, waiting, make_executor, count, suspects, on_death)
        for task in suspects:
            try:
                with _ended(make_executor(1)) as alone:
                    result = _submit(alone, function, task).result()
            except BrokenProcessPool:
                result = on_death(task)
            yield task, result


def _until_broken(
    function: Callable[[T], R],
    waiting: list[T],
    make_executor: Callable[[int], Executor],
    workers: int,
    suspects: list[T],
    on_death: Callable[[T], R],
) -> Iterator[tuple[T, R]]:
    running: dict[Future[R], T] = {}
    done: SimpleQueue[Future[R]] = SimpleQueue()
    try:
        with _ended(make_executor(workers)) as executor:
            while waiting or running:
                while waiting and len(running) < 2 * workers:  # one running and one ready for every worker
                    future = _submit(executor, function, waiting[-1])
                    running[future] = waiting.pop()  # not before: a pool that broke meanwhile takes no task
                    future.add_done_callback(done.put)
                future = done.get()
                try:
                    result = future.result()
                except WorkerDeathError:
                    result = on_death(running[future])
                yield running.pop(future), result
    except BrokenProcessPool:
        for future, task in running.items():
            if future.exception() is None:
                yield task, future.result()
            else:
                suspects.append(task)


@contextmanager
def _ended(executor: Executor) -> Iterator[Executor]:
    # Whatever ends the work early ends the workers too: nobody waits for their results.
    others = set(multiprocessing.active_children())
    try:
        yield executor
    except BaseException:
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        raise
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _submit(executor: Executor, function: Callable[[T], R], task: T) -> Future[R]:
    # Submitting starts processes, which inherit what is blocked: Ctrl-C, which a terminal sends to all of them, is
    # the parent's to handle, also while a worker is still importing.
    if not hasattr(signal, "pthread_sigmask"):
        return executor.submit(function, task)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return executor.submit(function, task)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _prepare_worker(slots: Queue[str]) -> None:
    _, _, gpu = slots.get().partition(":")
    if gpu:
        # Read when the process first uses a GPU, which is later. The number counts among those visible so far.
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[int(gpu)] if visible else gpu
    import torch

    torch.set_num_threads(1)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
    keep_freed_memory()
    _follow_parent()


def keep_freed_memory() -> None:
    """Have this process keep the memory that it frees, for its next use; where the C library is not glibc, nothing.

    A feature map of some megabytes is otherwise given back to the system when it is freed, and every page of the next
    one is set up and zeroed anew: an eighth of the time of a sweep.
    """
    adjust = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if adjust is not None:
        adjust(_M_MMAP_THRESHOLD, 32 << 20)  # the largest that glibc takes
        adjust(_M_TRIM_THRESHOLD, 2**31 - 1)


def _follow_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where signals cannot be blocked, this is better than nothing
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    # A parent that is killed cannot tell its workers; without this they would wait for ever.
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
