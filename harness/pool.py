"""Worker processes on this machine, behind the standard executor interface."""

from __future__ import annotations

import ctypes
import functools
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager, suppress
from importlib.machinery import ModuleSpec
from multiprocessing import connection, resource_tracker
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

from diswot.benchmarks.errors import InputError

# mallopt(3)
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3

T = TypeVar("T")
R = TypeVar("R")


class WorkerDeathError(Exception):
    """The result, from an executor that outlives its workers, of a task that kills its worker when it is alone, too."""


class Workers(Executor):
    """A pool of spawned processes. Each has a pipe, and a thread here that hands it one task after the other.

    It differs from `ProcessPoolExecutor` in three ways. Its processes do not run the caller's script again. It uses no
    semaphores, which a kill would leave in /dev/shm. It tells a process that never began, which is an `InputError`,
    from a task that killed its process, which is a `BrokenProcessPool`.
    """

    def __init__(self, preparations: Sequence[Callable[[], object]]) -> None:
        """Make a pool of one process for each of the functions, which the process calls before its first task.

        Raises:
            InputError: in a worker process, such as one that loads a script which starts a sweep when it is loaded.
        """
        if _in_worker:
            raise InputError("a worker process starts no workers; keep the call below `if __name__ == '__main__':`.")
        self._preparations = preparations
        self._threads: list[threading.Thread] = []
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._lock = threading.Lock()  # no task may come in while the last ones are given up
        self._end: Exception | None = None
        self._is_cancelled = False

    def submit(self, function: Callable[..., R], /, *arguments: Any, **named: Any) -> Future[R]:
        """Hand a task to the next process that is free.

        Raises:
            InputError: if a process could not begin.
            BrokenProcessPool: if a process has died.
            RuntimeError: after `shutdown`.
        """
        task = _Task(Future(), functools.partial(function, *arguments, **named))
        with self._lock:
            if self._end is not None:
                raise self._end
            self._tasks.put(task)
            if len(self._threads) < len(self._preparations):
                prepare = self._preparations[len(self._threads)]
                self._threads.append(threading.Thread(target=self._serve, args=(prepare,), daemon=True))
                self._threads[-1].start()
        return task.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes when their tasks are done."""
        with self._lock:
            self._end = self._end or RuntimeError("the pool has ended")
            if cancel_futures:
                self._is_cancelled = True
                for task in self._queued():
                    task.future.cancel()
            self._dismiss()
        if wait:
            for thread in self._threads:
                thread.join()

    def _serve(self, prepare: Callable[[], object]) -> None:
        _block_ctrl_c()  # also in the process, which inherits it: Ctrl-C is the main thread's to handle
        task = None
        try:
            with _process(prepare) as (process, pipe):
                if self._is_cancelled:  # too late for who ended all others
                    process.kill()
                _wait_until_ready(process, pipe)
                while (task := self._tasks.get()) is not None:
                    if task.future.set_running_or_notify_cancel():
                        _carry_out(task, pipe)
        except Exception as error:  # noqa: BLE001 - it is raised where a result is waited for
            self._give_up(error, task)

    def _give_up(self, error: Exception, running: _Task | None) -> None:
        with self._lock:
            self._end = self._end or error
            for task in [*self._queued(), *([running] if running is not None else [])]:
                task.future.set_exception(error)
            self._dismiss()

    def _dismiss(self) -> None:
        for _ in self._threads:
            self._tasks.put(None)

    def _queued(self) -> Iterator[_Task]:
        with suppress(Empty):
            while True:
                task = self._tasks.get_nowait()
                if task is not None:
                    yield task


class _Task(NamedTuple):
    future: Future[Any]
    call: Callable[[], Any]


def local(workers: int, devices: Sequence[str]) -> Executor:
    """Return a pool of processes, each with one thread; of several GPUs each process sees one.

    Args:
        workers: how many processes.
        devices: ``("cpu",)``, or GPUs such as ``("cuda:0", "cuda:1")``, which are dealt out in turn.
    """
    return Workers([functools.partial(_prepare_worker, devices[worker % len(devices)]) for worker in range(workers)])


def plain(workers: int) -> Executor:
    """Return a pool of processes for statistics: they load no torch."""
    return Workers([_nothing] * workers)


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
                    result = alone.submit(function, task).result()
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
                    future = executor.submit(function, waiting[-1])
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
    # Whatever ends the work early kills the workers, also suspended ones: nobody waits for their results.
    others = set(multiprocessing.active_children())
    try:
        yield executor
        executor.shutdown()
    except BaseException:
        for process in set(multiprocessing.active_children()) - others:
            process.kill()
        executor.shutdown(cancel_futures=True)
        raise


def _block_ctrl_c() -> None:
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


@contextmanager
def _process(prepare: Callable[[], object]) -> Iterator[tuple[Any, connection.Connection]]:
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_work, args=(there, prepare), daemon=True)  # a daemon ends when this process ends
    with here:
        with there, _bare_start():
            if os.name == "posix":
                # Started with the first process, it would unblock Ctrl-C in this thread, and that process inherit it.
                resource_tracker.ensure_running()
                _block_ctrl_c()
            process.start()
        try:
            yield process, here
        finally:
            here.close()  # which ends it
            process.join()


_starting = threading.Lock()

#: Any text means yes; by this one the process knows that it is not the user's.
_SAFE = "diswot"


@contextmanager
def _bare_start() -> Iterator[None]:
    # Otherwise Python would run the caller's script again in the new process, and would look for its own modules,
    # such as select, in the working directory first. Both are read from global state when a process starts.
    main = sys.modules["__main__"]
    with _starting:
        spec, safe = main.__spec__, os.environ.get("PYTHONSAFEPATH")
        main.__spec__ = ModuleSpec("__main__", None)  # a name that is not imported again
        os.environ["PYTHONSAFEPATH"] = safe or _SAFE
        try:
            yield
        finally:
            main.__spec__ = spec
            del os.environ["PYTHONSAFEPATH"]
            os.environ.update({} if safe is None else {"PYTHONSAFEPATH": safe})


def _wait_until_ready(process: Any, pipe: connection.Connection) -> None:
    try:
        pipe.recv_bytes()
    except (EOFError, OSError):
        process.join()
        raise InputError(f"workers: a process {_end_of(process.exitcode)}.") from None


def _end_of(status: int) -> str:
    if status < 0:
        memory = "; memory may have run out, and fewer --workers need less" if status == -signal.SIGKILL else ""
        return f"was ended by signal {-status} before it began{memory}"
    # Python before 3.11, and with -E, reads the files of the working directory before its own.
    hiding = [f"{name}.py" for name in sorted(sys.stdlib_module_names) if Path(f"{name}.py").is_file()]
    reason = "its own message stands above"
    if hiding:
        reason = f"rename {', '.join(hiding)} in {Path.cwd()}, which may hide a module of Python"
    return f"ended with status {status} before it began; {reason}"


def _carry_out(task: _Task, pipe: connection.Connection) -> None:
    try:
        request = pickle.dumps(task.call)
    except Exception as error:  # noqa: BLE001 - it is raised where the result is waited for
        task.future.set_exception(error)
        return
    try:
        pipe.send_bytes(request)
        answer = pipe.recv_bytes()
    except (EOFError, OSError):
        raise BrokenProcessPool("a worker process died") from None
    try:
        result, raised = pickle.loads(answer)  # noqa: S301 - of our own process
    except Exception as error:  # noqa: BLE001 - as above
        result, raised = None, error
    if raised is None:
        task.future.set_result(result)
    else:
        task.future.set_exception(raised)


_in_worker = False


def _work(pipe: connection.Connection, prepare: Callable[[], object]) -> None:
    # What a worker process does.
    global _in_worker
    _in_worker = True
    multiprocessing.current_process().daemon = False  # a plug-in may start processes of its own
    if os.environ.get("PYTHONSAFEPATH") == _SAFE:
        del os.environ["PYTHONSAFEPATH"]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where signals cannot be blocked, this is better than nothing
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    prepare()
    pipe.send_bytes(b"ready")
    with suppress(EOFError, OSError):  # the other end has been closed
        while True:
            pipe.send_bytes(_answer(pipe.recv_bytes()))


def _answer(request: bytes) -> bytes:
    try:
        return pickle.dumps((pickle.loads(request)(), None))  # noqa: S301 - of our own parent
    except Exception as error:  # noqa: BLE001 - it is raised where the result is waited for
        try:
            return pickle.dumps((None, error))
        except Exception:  # noqa: BLE001 - whatever keeps the first one from being pickled
            return pickle.dumps((None, RuntimeError(traceback.format_exc())))


def _exit_with_parent() -> None:
    # A parent that is killed cannot tell its workers; without this they would finish their tasks first.
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _nothing() -> None:
    pass


def _prepare_worker(device: str) -> None:
    _, _, gpu = device.partition(":")
    if gpu:
        # Read when the process first uses a GPU, which is later. The number counts among those visible so far.
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[int(gpu)] if visible else gpu
    import torch

    torch.set_num_threads(1)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
    keep_freed_memory()


def keep_freed_memory() -> None:
    """Have this process keep the memory that it frees, for its next use; where the C library is not glibc, nothing.

    A feature map of some megabytes is otherwise given back to the system when it is freed, and every page of the next
    one is set up and zeroed anew: an eighth of the time of a sweep.
    """
    adjust = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if adjust is not None:
        adjust(_M_MMAP_THRESHOLD, 32 << 20)  # the largest that glibc takes
        adjust(_M_TRIM_THRESHOLD, 2**31 - 1)
