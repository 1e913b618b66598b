"""Clusters of real processes on this machine."""

from __future__ import annotations

import os
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from diswot.harness.compute.cluster import executor

#: How long a process may take to start on a busy machine.
PATIENCE = 120.0


@pytest.fixture(autouse=True)
def _quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client sees soon that something has gone or come: a test waits for it."""
    monkeypatch.setattr(executor, "_SECONDS_BETWEEN_LOOKS", 0.1)


class Cluster:
    """A scheduler and its workers, each started and killed on demand."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.folder = folder
        self.scheduler: subprocess.Popen[bytes] | None = None
        self.workers: list[subprocess.Popen[bytes]] = []
        self.started: list[psutil.Process] = []

    def start(self, *, workers: int, nanny: bool = False, **environment: str) -> None:
        """Start the scheduler and some workers."""
        # It ends by itself, and its workers with it, where a test run is killed and cannot end it.
        self.scheduler = self._start("scheduler", "--port", str(self.port), "--idle-timeout", "300", **environment)
        for _ in range(workers):
            self.add_worker(nanny=nanny)
        if workers:
            self.wait_for_workers(workers)

    def add_worker(self, *, nanny: bool = False, threads: int = 1, **environment: str) -> None:
        """Start a worker."""
        options = (
            "--nthreads",
            str(threads),
            "--nanny" if nanny else "--no-nanny",
            "--local-directory",
            str(self.folder),
        )
        self.workers.append(self._start("worker", self.address, *options, **environment))

    def wait_for_workers(self, count: int) -> None:
        """Wait until the scheduler knows so many workers."""
        from distributed import Client

        with Client(self.address, timeout=PATIENCE, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=PATIENCE)

    def kill(self) -> None:
        """End everything at once, and see that nothing is left."""
        for process in (self.scheduler, *self.workers):
            if process is not None:
                self.started += psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
                process.kill()
                process.wait()
        self.workers.clear()
        for orphan in self.started:  # of a worker: its nanny's worker, or the process that does its tasks
            if orphan.is_running():
                orphan.kill()
        _, alive = psutil.wait_procs(self.started, timeout=PATIENCE)
        assert alive == []

    def _start(self, what: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *arguments, "--host", "127.0.0.1"]
        with (self.folder / f"{what}.log").open("ab") as log:
            return subprocess.Popen(
                [*command, "--no-dashboard"],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                env=os.environ | environment,
                start_new_session=True,
            )


@contextmanager
def _cluster(folder: Path) -> Iterator[Cluster]:
    made = Cluster(folder)
    try:
        yield made
    finally:
        made.kill()


@pytest.fixture
def own_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster to be killed; nothing of it is started yet."""
    with _cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture(scope="module")
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two workers, or as many as the module says, as `dask worker` starts them: each beside a nanny."""
    with _cluster(tmp_path_factory.mktemp("cluster")) as made:
        made.start(workers=getattr(request.module, "WORKERS", 2), nanny=True)
        yield made


class _Other(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@pytest.fixture(params=[b"", b"HTTP/1.0 400 Bad Request\r\n\r\n"], ids=["silent", "HTTP"])
def listen(request: pytest.FixtureRequest) -> Iterator[Callable[[int], str]]:
    """Listens at a port as something other than a scheduler does, and returns the address."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while self.request.recv(1 << 16):
                self.request.sendall(request.param)

    with ExitStack() as stack:

        def call(port: int = 0) -> str:
            server = stack.enter_context(_Other(("127.0.0.1", port), Handler))
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            return f"tcp://127.0.0.1:{server.server_address[1]}"

        yield call


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Waits until something is so."""

    def call(is_so: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not is_so():
            assert time.monotonic() < end, "nothing happened in time"
            time.sleep(0.05)

    return call
