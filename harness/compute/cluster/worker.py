"""What happens in a worker of a cluster: is it fit, and then a chunk of tasks, one after the other."""

from __future__ import annotations

import functools
import hashlib
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Executor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diswot import benchmarks, harness, proxies
from diswot.benchmarks.errors import InputError
from diswot.harness import files, pool
from diswot.harness.runs import run_folder

if TYPE_CHECKING:
    import distributed

#: Seconds after which a worker sends back what it has done of a chunk: about so much is done again where it dies.
_SECONDS = 5.0

_SECONDS_BETWEEN_LOOKS = 0.5


@dataclass(frozen=True)
class Demand:
    """What a worker must have so that its numbers are those of the client's own workers.

    Attributes:
        versions: name and version of all that numbers depend on.
        files: path and SHA-256 of the files that it reads.
        devices: where to compute: ``("cpu",)``, or ``("cuda",)`` for the GPU that it sees.
    """

    versions: tuple[tuple[str, str | None], ...]
    files: tuple[tuple[str, str], ...]
    devices: tuple[str, ...]


@functools.cache
def versions() -> tuple[tuple[str, str | None], ...]:
    """Return name and version of all that numbers depend on, as this process first saw them."""
    packages = ("diswot-bench", "torch", "numpy", "dask", "distributed")
    code = hashlib.sha256(files.code_of(benchmarks, proxies, harness)).hexdigest()
    return (*((name, run_folder.version(name)) for name in packages), ("source code", code[:12]))


def unfit(demand: Demand) -> str | None:
    """Return what a worker lacks, as the end of a sentence; None if it is fit."""
    for (name, wanted), (_, found) in zip(demand.versions, versions(), strict=True):
        if found != wanted:
            return f"has {name} {found}, and this machine has {wanted}; install the same there and restart it."
    for name, digest in demand.files:
        if files.digest(Path(name)) != digest:
            return f"does not have {name} as this machine has it; put the file there too, or install what is in it."
    if demand.devices != ("cpu",):
        import torch

        if not torch.cuda.is_available():
            return "sees no GPU; start it where there is one, or use --device cpu."
    return None


def carry_out(demand: Demand, function: bytes, tasks: Sequence[bytes]) -> tuple[list[bytes | None], Exception | None]:
    """Carry out a chunk of tasks, or the first of them, in a process of this thread's own.

    In the worker's process other threads draw from the global random state, which scoring watches. It would also
    share torch's number of threads between tasks.

    Args:
        demand: of the client.
        function: of one task, pickled.
        tasks: each pickled.

    Returns:
        The results of the first tasks, each pickled, None for a task whose process died twice; and what the next task
        raised, if it raised something.

    Raises:
        InputError: if this worker is not fit.
        CancelledError: if the client is gone; the process is ended.
    """
    import distributed

    here = distributed.get_worker()
    lacking = unfit(demand)
    if lacking is not None:
        raise InputError(f"scheduler: the worker {here.address} {lacking}")
    key = here.get_current_task()
    results: list[bytes | None] = []
    end = time.monotonic() + _SECONDS
    for task in tasks:
        try:
            results.append(_tried_twice(demand, function, task, functools.partial(_is_wanted, here, key)))
        except InputError as error:
            return results, InputError(f"scheduler: the worker {here.address} says: {error}")
        except CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - it is raised at the client's
            return results, error
        if time.monotonic() > end:
            break
    return results, None


def _tried_twice(demand: Demand, function: bytes, task: bytes, is_wanted: Callable[[], bool]) -> bytes | None:
    for _ in range(2):
        try:
            executor, pid = _mine.process(demand)
            result = executor.submit(_apply, function, task)
            while not wait([result], timeout=_SECONDS_BETWEEN_LOOKS).done:
                if not is_wanted():
                    os.kill(pid, signal.SIGKILL)
                    _mine.forget()
                    raise CancelledError("nobody waits for the result")
            return result.result()
        except BrokenProcessPool:
            _mine.forget()
    return None


def _is_wanted(worker: distributed.Worker, key: Any) -> bool:
    # The scheduler forgets a dead client's tasks, and tells the workers: those that run are "cancelled" then.
    task = worker.state.tasks.get(key)
    return task is not None and task.state in ("executing", "long-running")


class _Mine(threading.local):
    # The process of a thread of the worker; another demand, as after a change of a plug-in's file, gets a new one.
    made: tuple[Demand, Executor, int] | None = None

    def process(self, demand: Demand) -> tuple[Executor, int]:
        if self.made is None or self.made[0] != demand:
            self.forget()
            multiprocessing.current_process().daemon = False  # Dask starts workers as daemons, which may have none
            executor = pool.local(1, demand.devices)
            self.made = demand, executor, executor.submit(os.getpid).result()
        return self.made[1:]

    def forget(self) -> None:
        if self.made is not None:
            self.made[1].shutdown(wait=False)
            self.made = None


_mine = _Mine()


def _apply(function: bytes, task: bytes) -> bytes:
    return pickle.dumps(_unpickled(function)(pickle.loads(task)))  # noqa: S301 - a cluster runs what clients send


@functools.lru_cache(maxsize=1)
def _unpickled(function: bytes) -> Any:
    return pickle.loads(function)  # noqa: S301 - as above
