"""A Dask cluster as an executor. Only a connection imports ``distributed``."""

from __future__ import annotations

import asyncio
import functools
import importlib
import importlib.util
import logging
import pickle
import queue
import sys
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import CancelledError, Executor, Future
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from diswot.benchmarks.errors import InputError
from diswot.harness import pool
from diswot.harness.compute.cluster.worker import Demand, carry_out, unfit, versions
from diswot.harness.files import digest

if TYPE_CHECKING:
    import distributed

R = TypeVar("R")

#: Seconds within which a scheduler must answer, and have a worker, when work begins.
SECONDS_TO_CONNECT = 15.0

#: Seconds that work under way waits for a scheduler that has gone, or for a worker.
SECONDS_TO_RETURN = 300.0

#: Seconds within which a scheduler that answers must tell its versions; at first it imports packages for it.
_SECONDS_TO_TELL = 60.0

#: Tasks that travel together, at most.
_TASKS = 64

_SECONDS_BETWEEN_LOOKS = 1.0

_SECONDS_BETWEEN_TRIES = 0.1

_SECONDS_TO_CLOSE = 10.0


def executors(devices: Sequence[str], scheduler: str | None, files: Iterable[Path] = ()) -> Callable[[int], Executor]:
    """Return what makes executors: of processes on this machine, or of a cluster's workers, however many these are.

    Args:
        devices: where to compute; on a cluster ``("cpu",)``, or ``("cuda",)`` for the GPU that each worker sees.
        scheduler: the cluster's address; None for this machine.
        files: what the workers of a cluster must have as this machine has it.
    """
    if scheduler is None:
        return functools.partial(pool.local, devices=devices)
    return lambda _workers: Cluster(scheduler, tuple(devices), files)


def check(scheduler: str) -> None:
    """Check the address of a scheduler, and that ``distributed`` is installed.

    Raises:
        InputError: if the address has not the form tcp://HOST:PORT, or ``distributed`` is missing.
    """
    parts = urlsplit(scheduler)
    try:
        good = bool(parts.hostname and parts.port)
    except ValueError:  # of the port
        good = False
    if not good or f"{parts.scheme}://{parts.netloc}" != scheduler or parts.scheme != "tcp":
        raise InputError(f"scheduler: {scheduler!r} is not an address; it has the form tcp://HOST:PORT.")
    if importlib.util.find_spec("distributed") is None:
        raise InputError("scheduler: the package distributed is not installed; `pip install '.[cluster]'` brings it.")


class Cluster(Executor):
    """Hands tasks to a cluster's workers, in chunks, as many at a time as these have threads; new ones join in.

    A function and what it holds travel to each worker once, not with every task. Where a worker dies, its tasks are
    done elsewhere; one that still kills its worker when it is tried alone ends with `pool.WorkerDeathError`. Where the
    scheduler goes, what is under way is handed to the next one at its address.
    """

    def __init__(self, scheduler: str, devices: tuple[str, ...], files: Iterable[Path] = ()) -> None:
        """Connect.

        Args:
            scheduler: its address.
            devices: where to compute: ``("cpu",)``, or ``("cuda",)`` for the GPU that each worker sees.
            files: what every worker must have as this machine has it.

        Raises:
            InputError: if nobody answers there, or there is no worker, or one is not fit.
        """
        check(scheduler)
        self._scheduler = scheduler
        hashes = tuple((str(path), digest(path)) for path in files)
        self._demand = Demand(versions(), hashes, devices)
        client = _connect(scheduler, SECONDS_TO_CONNECT)
        try:
            _refuse_unfit(client, scheduler, self._demand)
        except BaseException:
            client.close()
            raise
        self._link = _Link(client, self._demand)
        self._lock = threading.Lock()  # no task may come in while the last ones are given up
        self._end: Exception | None = None
        self._waiting: deque[_Pending] = deque()
        self._suspects: deque[_Pending] = deque()
        self._worker_seen = time.monotonic()
        self._thread = threading.Thread(target=self._serve, name="cluster", daemon=True)
        self._thread.start()

    def submit(self, function: Callable[..., R], /, *arguments: Any, **named: Any) -> Future[R]:
        """Take a function and its one argument; both can be pickled."""
        (task,) = arguments
        pending = _Pending(function, task, Future())
        with self._lock:
            if self._end is not None:
                raise self._end
            self._waiting.append(pending)
        self._link.reports.put(None)
        return pending.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the cluster, which drops what is not done."""
        self._finish(CancelledError("the cluster was left"))
        self._link.reports.put(None)
        self._thread.join()
        self._link.close()

    def _finish(self, reason: Exception) -> None:
        with self._lock:
            self._end = self._end or reason

    def _serve(self) -> None:
        from distributed import TimeoutError as OutOfTime
        from distributed.client import ClosedClientError

        try:
            while self._end is None:
                try:
                    self._hand_out()
                    for done in self._link.done():
                        self._take(done)
                except (OSError, OutOfTime, CancelledError, ClosedClientError):  # the scheduler's, never a task's
                    self._reconnect()
        except Exception as error:  # noqa: BLE001 - it is raised where a result is waited for
            self._finish(error)
        for pending in (*self._link.pending(), *self._waiting, *self._suspects):
            if isinstance(self._end, CancelledError):
                pending.future.cancel()
            else:
                pending.future.set_exception(self._end)

    def _hand_out(self) -> None:
        # To every thread that has none, a chunk: Dask itself would let some wait behind others that take long.
        threads = self._link.threads()
        if threads:
            self._worker_seen = time.monotonic()
        elif time.monotonic() - self._worker_seen > SECONDS_TO_RETURN:
            raise _given_up(self._scheduler, "has had no worker")
        size = max(1, min(_TASKS, len(self._waiting) // (2 * sum(threads.values()) or 1)))
        busy = Counter(sent.worker for sent in self._link.running.values())
        free = [name for name, count in threads.items() for _ in range(count - busy[name])]
        for worker in free:
            if self._waiting:
                self._link.send(self._chunk(size), worker)
            elif self._suspects and not self._link.running:  # alone, so that no other can be the cause
                self._link.send([self._suspects.popleft()], worker)

    def _chunk(self, size: int) -> list[_Pending]:
        chunk = [self._waiting.popleft()]
        while len(chunk) < size and self._waiting and self._waiting[0].function is chunk[0].function:
            chunk.append(self._waiting.popleft())
        return chunk

    def _take(self, done: distributed.Future) -> None:
        from distributed import KilledWorker

        chunk = self._link.running[done.key].chunk
        results: list[bytes | None] = []
        error: Exception | None = None
        if done.status != "error":
            results, error = done.result(timeout=SECONDS_TO_CONNECT)
        elif not isinstance(failure := done.exception(timeout=SECONDS_TO_CONNECT), KilledWorker):
            raise failure if isinstance(failure, InputError) else _cannot_run(f"a worker of {self._scheduler}", failure)
        elif failure.task != done.key:  # the function was on its way to a worker that another task killed
            self._link.forget_function()
        elif chunk[0].is_suspect:
            error = pool.WorkerDeathError()
        else:
            chunk = [replace(pending, is_suspect=True) for pending in chunk]
        del self._link.running[done.key]
        for pending, result in zip(chunk, results, strict=False):
            _resolve(pending.future, result)
        chunk = chunk[len(results) :]
        if error is not None:
            chunk.pop(0).future.set_exception(error)
        self._put_back(chunk)

    def _put_back(self, tasks: Iterable[_Pending]) -> None:
        for pending in tasks:
            (self._suspects if pending.is_suspect else self._waiting).appendleft(pending)

    def _reconnect(self) -> None:
        self._put_back(self._link.pending())
        self._link.running.clear()
        self._link.close()
        print(
            f"{self._scheduler} is gone; waiting up to {SECONDS_TO_RETURN:.0f} s for it to return",
            file=sys.stderr,
            flush=True,
        )
        end = time.monotonic() + SECONDS_TO_RETURN
        while self._end is None:
            try:
                client = _connect(self._scheduler, min(SECONDS_TO_CONNECT, SECONDS_TO_RETURN))
            except InputError:
                if time.monotonic() > end:
                    raise _given_up(self._scheduler, "has been gone") from None
            else:
                self._link = _Link(client, self._demand)
                self._worker_seen = time.monotonic()
                return


@dataclass(frozen=True, eq=False)
class _Pending:
    # A task until its result is there.
    function: Callable[[Any], Any]
    task: Any
    future: Future[Any]
    is_suspect: bool = False


@dataclass(eq=False)
class _Sent:
    # Tasks that travel together, to a worker that has time for them; another one does them where it dies.
    chunk: list[_Pending]
    worker: str
    future: distributed.Future | None = None  # who drops it gives the tasks up


def _resolve(future: Future[Any], pickled: bytes | None) -> None:
    if pickled is None:
        future.set_exception(pool.WorkerDeathError())
        return
    try:
        result = pickle.loads(pickled)  # noqa: S301 - of the workers that were sent our code
    except Exception as error:  # noqa: BLE001 - it is raised where the result is waited for
        future.set_exception(error)
    else:
        future.set_result(result)


class _Link:
    # A connection, and what is under way through it.
    def __init__(self, client: distributed.Client, demand: Demand) -> None:
        self.client = client
        self.running: dict[object, _Sent] = {}
        self._seen: set[str] = set()
        self.reports: queue.SimpleQueue[distributed.Future | None] = queue.SimpleQueue()
        self._demand = demand
        self._function: Callable[[Any], Any] | None = None
        self._pickled = b""
        self._shipped: distributed.Future | None = None

    def threads(self) -> dict[str, int]:
        # As `Client.nthreads`, which waits for ever where something else has taken a scheduler's port.
        client = self.client
        found: dict[str, int] = client.sync(client.scheduler.ncores, callback_timeout=SECONDS_TO_CONNECT)
        if not found.keys() <= self._seen:
            client.sync(_refuse_other_dask, client.scheduler, callback_timeout=_SECONDS_TO_TELL)
            self._seen |= found.keys()
        return found

    def send(self, chunk: list[_Pending], worker: str) -> None:
        key = f"chunk-{uuid.uuid4().hex}"
        sent = self.running[key] = _Sent(chunk, worker)  # before it is sent: it must not be lost with the connection
        sent.future = self.client.submit(
            carry_out,
            self._demand,
            self._ship(chunk[0].function),
            [pickle.dumps(pending.task) for pending in chunk],
            key=key,
            workers=[worker],
            allow_other_workers=True,
        )
        sent.future.add_done_callback(self.reports.put)

    def done(self) -> list[distributed.Future]:
        # It returns now and then without any, so that new workers are seen.
        found = []
        try:
            found.append(self.reports.get(timeout=_SECONDS_BETWEEN_LOOKS))
            while True:
                found.append(self.reports.get_nowait())
        except queue.Empty:
            return [one for one in found if one is not None]

    def pending(self) -> list[_Pending]:
        return [pending for sent in self.running.values() for pending in sent.chunk]

    def forget_function(self) -> None:
        self._shipped = None

    def close(self) -> None:
        import distributed

        with suppress(OSError, distributed.TimeoutError):  # of a scheduler that has gone
            self.client.close(timeout=_SECONDS_TO_CLOSE)

    def _ship(self, function: Callable[[Any], Any]) -> distributed.Future:
        # As a task without arguments to wait for, which is done again where all workers that know its result are gone.
        import dask

        if function is not self._function:
            pickled = pickle.dumps(function)
            if pickled != self._pickled:
                self._shipped = None
            self._function, self._pickled = function, pickled
        if self._shipped is None:
            with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 GB"}):
                self._shipped = self.client.submit(bytes, self._pickled, key=f"function-{uuid.uuid4().hex}")
        return self._shipped


def _connect(scheduler: str, seconds: float) -> distributed.Client:
    import distributed
    from distributed.utils import LoopRunner

    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters of it is said in a sentence
    try:
        # First without a client: that waits for ever for something else that listens there, and its thread would stay.
        LoopRunner().run_sync(_until_answered, scheduler, callback_timeout=seconds)
        LoopRunner().run_sync(_refuse_other_dask_at, scheduler, callback_timeout=_SECONDS_TO_TELL)
        return distributed.Client(scheduler, timeout=seconds, set_as_default=False, name="diswot")
    except (OSError, distributed.TimeoutError) as error:
        raise InputError(f"scheduler: no scheduler answers at {scheduler} within {seconds:.0f} s.") from error


async def _until_answered(scheduler: str) -> None:
    from distributed import rpc

    while True:
        with suppress(Exception):  # what else listens there answers what it will; a scheduler may take its place
            async with rpc(scheduler) as there:
                if (await there.identity())["type"] == "Scheduler":
                    return
        await asyncio.sleep(_SECONDS_BETWEEN_TRIES)


async def _refuse_other_dask_at(address: str) -> None:
    from distributed import rpc

    async with rpc(address) as scheduler:
        await _refuse_other_dask(scheduler)


async def _refuse_other_dask(scheduler: distributed.rpc) -> None:
    # Versions of Dask understand each other's first question alone: a connection, or a task, breaks or hangs.
    here = {name: importlib.import_module(name).__version__ for name in ("dask", "distributed")}
    asked = {f"scheduler {scheduler.address}": await scheduler.versions()}
    workers = await scheduler.broadcast(msg={"op": "versions", "packages": []}, on_error="ignore")
    asked |= {f"worker {address}": answer for address, answer in workers.items() if answer}
    for who, answer in asked.items():
        for name, version in here.items():
            found = answer["packages"][name]
            if found != version:
                raise InputError(
                    f"scheduler: the {who} has {name} {found}, and this machine has {version}; "
                    "install the same there and restart it."
                )


def _refuse_unfit(client: distributed.Client, scheduler: str, demand: Demand) -> None:
    import distributed

    try:
        client.wait_for_workers(1, timeout=SECONDS_TO_CONNECT)
    except distributed.TimeoutError as error:
        raise InputError(f"scheduler: {scheduler} has no worker; `dask worker {scheduler}` starts some.") from error
    for worker, lacking in client.run(unfit, demand, on_error="return").items():
        if isinstance(lacking, Exception):
            raise _cannot_run(f"the worker {worker}", lacking)
        if lacking is not None:
            raise InputError(f"scheduler: the worker {worker} {lacking}")


def _cannot_run(worker: str, error: BaseException) -> InputError:
    return InputError(
        f"scheduler: {worker} cannot run this project: {type(error).__name__}: {error}; install the same version "
        "there and restart it."
    )


def _given_up(scheduler: str, what: str) -> InputError:
    return InputError(
        f"scheduler: {scheduler} {what} for {SECONDS_TO_RETURN:.0f} s; what was computed is stored, and the same "
        "command continues."
    )
