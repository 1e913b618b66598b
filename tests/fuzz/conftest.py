"""What the fuzz tests share: a folder of small inputs, and commands that run in this process within bounds.

Every example begins in a fresh copy of one folder and calls `harness.cli.main`, as the installed command does. It is
bounded, so that whatever is typed ends soon and reaches nothing outside:

* tasks go to workers that die at once, so that a sweep or a distillation goes all its way and computes nothing, and
  what would be judged on all cells is not;
* connections and processes are refused, and so is writing outside the folder, which counts as a fault;
* a command has some seconds and some memory; one that cannot be interrupted ends the test process with a traceback.

By hand, for longer, and with other examples each time: `DISWOT_FUZZ=30 pytest tests/fuzz` tries thirty times as many.
`--hypothesis-seed=N` repeats them.
"""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import io
import math
import os
import pickle
import resource
import shutil
import signal
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy

from diswot.benchmarks import spaces, teachers
from diswot.benchmarks.errors import InputError
from diswot.harness import pool
from diswot.harness.cli import main
from diswot.harness.runs import results
from diswot.proxies import registry
from diswot.reports.figures.relations import MATRICES, NETWORKS

#: Processor time, limits of memory and the events of files are Linux's.
collect_ignore_glob = [] if sys.platform == "linux" else ["test_*.py"]

_LONGER = int(os.environ.get("DISWOT_FUZZ", "0"))
_SECONDS = 20.0
_HARD_SECONDS = 300.0
_BYTES = 6 << 30


@pytest.fixture(scope="session")
def explore() -> Callable[..., None]:
    """Checks a property on so many examples, the same ones each time, unless more are asked for."""

    def explore(check: Callable[..., None], count: int, **strategies: SearchStrategy[Any]) -> None:
        bounds = settings(
            max_examples=count * max(_LONGER, 1),
            derandomize=not _LONGER,
            # A failing example is made smaller only where time does not matter.
            phases=tuple(Phase) if _LONGER else (Phase.explicit, Phase.generate),
            database=None,
            deadline=None,
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        )
        bounds(given(**strategies)(check))()

    return explore


class TooLongError(BaseException):
    """A command that took more than its seconds."""


@dataclass(frozen=True)
class Answer:
    """What a command did.

    Attributes:
        status: its exit status; None where an error escaped.
        out: what it printed.
        err: what it said on standard error.
        error: that escaped.
        outside: what it would have changed outside the folder.
    """

    status: int | None
    out: str
    err: str
    error: BaseException | None
    outside: tuple[str, ...]

    def faults(self) -> list[str]:
        """Return what no command may do, whatever it is given."""
        found = [f"changes {path}, outside of its folder" for path in self.outside]
        if self.error is not None:
            found.append(f"ends with {type(self.error).__name__}: {_first_line(self.error)}")
        elif self.status not in (0, 1, 2):
            found.append(f"exits with {self.status}")
        if "Traceback (most recent call last)" in self.out + self.err:
            found.append("prints a traceback")
        if self.status == 2:
            said = [line for line in self.err.splitlines() if line.strip() and not line.startswith(("nb201: ", "s0: "))]
            if not said and "undecided" in self.out:
                return found  # a check's third answer
            if not said or (len(said) > 3 and not said[0].startswith("Usage: ")):
                found.append(f"exits with 2 and says {len(said)} lines")
            elif not said[-1].startswith("diswot: ") and not said[0].startswith("Usage: "):
                found.append("exits with 2 and says no sentence at the end")
        return found


class Playground:
    """A folder of small inputs, which every example finds as it was made.

    Attributes:
        template: what is copied.
        here: the copy, in which commands run.
    """

    def __init__(self, root: Path) -> None:
        """Make it empty; `root` is a folder of its own."""
        self.root = root
        self.template = root / "template"
        self.place = root / "place"
        self.here = self.place / "here"
        self._fresh: dict[Path, tuple[int, ...]] = {}
        self.template.mkdir()

    @contextlib.contextmanager
    def renewed(self) -> Iterator[Path]:
        """Yield the folder as it was made, as the current one; the user's other folders are beside it."""
        if not self._fresh or not self._restore():
            shutil.rmtree(self.place, ignore_errors=True)
            shutil.copytree(self.template, self.here)
            for name in ("home", "cache", "temporary"):
                (self.place / name).mkdir()
            self._fresh = _state(self.place)
        loaded = set(sys.modules)
        before = Path.cwd()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HOME", str(self.place / "home"))
            patch.setenv("DISWOT_CACHE", str(self.place / "cache"))
            patch.setattr(tempfile, "tempdir", str(self.place / "temporary"))
            patch.setattr(registry, "_registered", dict(registry._registered))
            os.chdir(self.here)
            try:
                yield self.here
            finally:
                os.chdir(before)
                for module in set(sys.modules) - loaded:
                    if module.startswith("diswot_plugin_"):
                        del sys.modules[module]

    def _restore(self) -> bool:
        # Only what the last example changed is made again, since a whole copy takes longer than most commands.
        state = _state(self.place)
        changed = [path for path in {*state, *self._fresh} if state.get(path) != self._fresh.get(path)]
        for path in sorted(changed, reverse=True):
            if path in state and (path not in self._fresh or not stat.S_ISDIR(self._fresh[path][0])):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        for path in sorted(changed):
            if path in self._fresh and stat.S_ISREG(self._fresh[path][0]):
                path.parent.mkdir(exist_ok=True)
                shutil.copy2(self.template / path.relative_to(self.here), path)
        return _state(self.place) == self._fresh

    def run(self, *words: str) -> Answer:
        """Run a command in the current folder, within bounds."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["diswot", *words])
            return self._call(lambda: main(words))

    def load(self) -> Answer:
        """Do what a notebook does with the run in the current folder."""
        return self._call(_load)

    def _call(self, command: Callable[[], int]) -> Answer:
        out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
        err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace", write_through=True)
        status, error = None, None
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            _stubbed(),
            _limited(),
            _watched(self.place) as outside,
        ):
            try:
                status = command()
            except (KeyboardInterrupt, pytest.exit.Exception):
                raise
            except BaseException as escaped:  # noqa: BLE001 - that it escapes is the fault
                error = escaped
        said = [stream.buffer.getvalue().decode() for stream in (out, err)]  # type: ignore[attr-defined]
        return Answer(status, *said, error, tuple(outside))


def _first_line(error: BaseException) -> str:
    try:
        return str(error).partition("\n")[0][:200]
    except Exception:  # noqa: BLE001 - of an error that a plug-in made
        return "an error without a text"


def _state(folder: Path) -> dict[Path, tuple[int, ...]]:
    # Of a folder only that it is one: what is in it is listed too.
    found = {path: path.lstat() for path in folder.rglob("*")}
    return {
        path: (of.st_mode,) if stat.S_ISDIR(of.st_mode) else (of.st_mode, of.st_size, of.st_mtime_ns)
        for path, of in found.items()
    }


def _load() -> int:
    try:
        print(results.load("run").correlations.to_json(orient="records"))
    except InputError as error:
        print(f"diswot: {error}", file=sys.stderr)
        return 2
    return 0


@contextlib.contextmanager
def _stubbed() -> Iterator[None]:
    # At the boundary between processes; and the stopwatches, which take seconds here.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "local", lambda workers, devices: DeadWorkers())
        patch.setattr(pool, "plain", lambda workers: DeadWorkers())
        patch.setattr("diswot.harness.compute.cluster.executor._connect", _no_cluster)
        patch.setattr("diswot.harness.check.stages.relative_times", lambda proxy, repeats: [1.0] * repeats)
        patch.setattr("diswot.harness.compute.bench._seconds", _once)
        patch.setattr(sys, "stdin", io.StringIO())
        yield


def _once(function: Callable[[], object]) -> float:
    return 1.0


class Inline(Executor):
    """Carries out a task in this process when it is submitted."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """Carry it out."""
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments, **named))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the future's
            future.set_exception(error)
        return future


class DeadWorkers(Executor):
    """Every task kills the worker that takes it: a sweep ends with failed scores, at once."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """Do nothing."""
        future: Future[Any] = Future()
        future.set_exception(pool.WorkerDeathError())
        return future


def _no_cluster(scheduler: str, seconds: float) -> None:
    raise InputError(f"scheduler: nobody answers at {scheduler}.")


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    # Seconds of processor time, after which an error is raised here; seconds of the clock, after which the process
    # ends, where nothing can be raised or nothing is done; and memory.
    def too_long(number: int, frame: FrameType | None) -> None:
        raise TooLongError(f"it took more than {_SECONDS:.0f} s")

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    handler = signal.signal(signal.SIGPROF, too_long)
    faulthandler.dump_traceback_later(_HARD_SECONDS, exit=True, file=sys.__stderr__)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + _BYTES, hard))
    signal.setitimer(signal.ITIMER_PROF, _SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGPROF, handler)


#: The folder that may be written to, while a command runs, and what it would have written to elsewhere.
_watch: tuple[Path, list[str]] | None = None

#: Events of Python's that change a file, and which of their arguments name it.
_CHANGES = {
    **{f"os.{name}": (0,) for name in ("mkdir", "remove", "rmdir", "chmod", "chown")},
    **{"os.rename": (0, 1), "os.link": (1,), "os.symlink": (1,), "shutil.rmtree": (0,)},
}

_TO_WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_REFUSED = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "subprocess.Popen", "os.posix_spawn")


@contextlib.contextmanager
def _watched(place: Path) -> Iterator[list[str]]:
    global _watch
    outside: list[str] = []
    _watch = place.resolve(), outside
    try:
        yield outside
    finally:
        _watch = None


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    # Such a hook stays until the process ends; it is installed once, below, and sleeps between commands.
    if _watch is None:
        return
    if event in _REFUSED:
        raise OSError(errno.ENETUNREACH, "a fuzzed command reaches no network and starts no process")
    if event == "open":
        path, _, flags = arguments
        changed = [path] if flags & _TO_WRITE and path != os.devnull else []
    else:
        changed = [arguments[place] for place in _CHANGES.get(event, ())]
    if event == "os.mkdir" and Path(os.fsdecode(arguments[0])).exists():
        return  # it is there already, and the system says so
    place, outside = _watch
    for path in changed:
        in_open_folder = event != "open" and isinstance(arguments[-1], int) and arguments[-1] >= 0
        if isinstance(path, int) or (in_open_folder and not Path(os.fsdecode(path)).is_absolute()):
            continue
        absolute = os.path.realpath(os.fsdecode(path))
        if not absolute.startswith(str(place)) and "__pycache__" not in absolute:
            outside.append(absolute)
            raise OSError(errno.EACCES, "a fuzzed command writes nowhere else")


sys.addaudithook(_audit)


#: A small network and a small batch, of which the runs here are made.
TINY = ("--batch-size", "2", "--teacher", "s0:111", "--workers", "1", "--device", "cpu", "--no-shipped")

#: A recipe whose trainings take a moment.
RECIPE = tuple(word for change in ("C=4", "samples=64", "epochs=1", "batch_size=32") for word in ("--set", change))


@pytest.fixture(scope="session")
def playground(tmp_path_factory: pytest.TempPathFactory) -> Playground:
    """A folder with finished runs, a distillation, and a file of every kind that a command reads."""
    made = Playground(tmp_path_factory.mktemp("fuzz"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made.template)
        patch.setattr(pool, "local", lambda workers, devices: Inline())
        for name, content in FILES.items():
            path = Path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        Path("folder").mkdir()
        frame = pd.read_csv("table.csv")
        frame.to_parquet("table.parquet")
        Path("table.json").write_text(frame.set_index("cell")["accuracy"].to_json())
        _write_images(Path("images"))
        torch.save(teachers.build("s0:111", num_classes=10).state_dict(), "teacher.pt")
        for line in MADE_BY:
            assert main(line) == 0, line
        matrices = {f"{network}_{matrix}": np.eye(3) for network in NETWORKS for matrix in MATRICES}
        np.savez("run/relations.npz", **matrices, **{network: np.array(network) for network in NETWORKS})
    return made


#: Files that the user has, by their names.
FILES = {
    "cells.txt": b"111\n113\n",
    "settings.toml": b"space = 's0'\ncells = '111,113'\n",
    "plugin.py": b"from diswot import proxies\n\n@proxies.register(needs=['logits'], source='here', version='1')\n"
    b"def mine(trace):\n    return trace.logits.abs().mean().item()\n",
    "table.csv": b"cell,accuracy\n"
    + b"".join(b"%d,%.2f\n" % (cell, 60 + 5 * math.sin(cell)) for cell in spaces.get("s0").cells),
    "mine/targets.csv": b"mine\n",
    "mine/cards.json": b"{}\n",
    "mine/search/search.json": b"{}\n",
    "notes": b"",
}

MADE_BY = (
    ["evaluate", "--space", "s0", "--cells", "20", "--proxies", "params,live_convs,flops", *TINY, "--out", "run"],
    ["evaluate", "--cells", "nb201-kd:12", "--proxies", "params,live_convs", *TINY, "--out", "nb201-run"],
    [
        "bench",
        "--space",
        "s0",
        "--cells",
        "111,",
        "--proxies",
        "params,live_convs,flops",
        *TINY[:-1],
        "--out",
        "run/costs.csv",
    ],
    ["search", "run", "--proxy", "params", "--searches", "2", "--evaluations", "6", "--population", "3"],
    ["correlate", "run"],
    [
        "distill",
        "--cells",
        "111,",
        "--image-dir",
        "images",
        "--teacher",
        "teacher.pt",
        *RECIPE,
        "--workers",
        "1",
        "--device",
        "cpu",
        "--out",
        "distillation",
    ],
)


def _write_images(folder: Path) -> None:
    # CIFAR-10 in its official layout.
    random = np.random.default_rng(0)
    below = folder / "cifar-10-batches-py"
    below.mkdir(parents=True)
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        content = {b"data": random.integers(0, 256, (20, 3072), np.uint8), b"labels": [n % 10 for n in range(20)]}
        (below / name).write_bytes(pickle.dumps(content, protocol=4))
