"""What happens in a worker of a cluster: is it fit, and then a chunk of tasks, one after the other."""

from __future__ import annotations

import functools
import hashlib
import pickle
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.errors import InputError
from harness import pool, run_folder

if TYPE_CHECKING:
    import distributed

#: Seconds after which a worker sends back what it has done of a chunk. Such a part at most goes on for a client that is
#: dead, and is done again where the worker dies.
_SECONDS = 5.0


@dataclass(frozen=True)
class Demand:
    """What a worker must have so that its numbers are those of the client's own workers.

    Attributes:
        versions: name and version of all that numbers depend on.
        files: path and SHA-256 of the files that it reads.
        gpu: whether it must see a GPU.
    """

    versions: tuple[tuple[str, str | None], ...]
    files: tuple[tuple[str, str], ...]
    gpu: bool


@functools.cache
def versions() -> tuple[tuple[str, str | None], ...]:
    """Return name and version of all that numbers depend on, as this process first saw them."""
    digest = hashlib.sha256()
    root = Path(__file__).resolve().parents[2]
    for package in ("benchmarks", "proxies", "harness"):
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    packages = ("diswot-bench", "torch", "numpy")
    return (*((name, run_folder.version(name)) for name in packages), ("source code", digest.hexdigest()[:12]))


def unfit(demand: Demand, dask_worker: distributed.Worker) -> str | None:
    """Return what a worker lacks, as the end of a sentence; None if it is fit."""
    threads = dask_worker.state.nthreads
    if threads != 1:
        return f"has {threads} threads; scores are computed one at a time in a process: start it with --nthreads 1."
    for (name, wanted), (_, found) in zip(demand.versions, versions(), strict=True):
        if found != wanted:
            return f"has {name} {found}, and this machine has {wanted}; install the same there and restart it."
    for name, digest in demand.files:
        path = Path(name)
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            return f"does not have {name} as this machine has it; put the file there too, or install what is in it."
    if demand.gpu:
        import torch

        if not torch.cuda.is_available():
            return "sees no GPU; start it where there is one, or use --device cpu."
    return None


def carry_out(demand: Demand, function: bytes, tasks: bytes) -> tuple[list[Any], Exception | None]:
    """Carry out a chunk of tasks, or the first of them.

    Args:
        demand: of the client.
        function: of one task, pickled.
        tasks: a list of them, pickled.

    Returns:
        The results of the first tasks; what the next one raised, if it raised something.

    Raises:
        InputError: if this worker is not fit.
    """
    import distributed

    here = distributed.get_worker()
    lacking = unfit(demand, here)
    if lacking is not None:
        raise InputError(f"--scheduler: the worker {here.address} {lacking}")
    pool.prepare_torch()
    apply = _unpickled(function)
    results: list[Any] = []
    end = time.monotonic() + _SECONDS
    for task in pickle.loads(tasks):  # noqa: S301 - a cluster runs what its clients send
        try:
            results.append(apply(task))
        except InputError as error:
            return results, InputError(f"--scheduler: on the worker {here.address}: {error}")
        except Exception as error:  # noqa: BLE001 - it is raised at the client's
            return results, error
        if time.monotonic() > end:
            break
    return results, None


@functools.lru_cache(maxsize=1)
def _unpickled(function: bytes) -> Any:
    return pickle.loads(function)  # noqa: S301 - as above
