"""Tasks that a pool carries out, and whose records are stored as they come: what sweeps and distillations share."""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from diswot.benchmarks import errors
from diswot.harness import files, pool
from diswot.harness.compute.cluster.executor import executors
from diswot.harness.compute.plan import Computation
from diswot.harness.runs import run_folder
from diswot.harness.runs.store import Kind, Store

T = TypeVar("T")
C = TypeVar("C")
Records = TypeVar("Records", bound="Sequence[Any]")


@dataclass(frozen=True)
class Tally:
    """How it went: results stored before and in this call, by status; and which proxies or distillers failed why."""

    before: int
    statuses: Counter[str]
    causes: Counter[tuple[str, str]]
    seconds: float

    def describe(self, folder: Path, what: str = "score") -> str:
        """Say how it went; ``what`` was stored."""
        text = f"{folder}: {errors.counted(sum(self.statuses.values()), what)} in {self.seconds:.0f} s"
        text += f", {self.before} were there already" if self.before else ""
        text += "".join(
            f", {self.statuses[status]} {status}" for status in ("undefined", "failed") if self.statuses[status]
        )
        for (name, cause), count in self.causes.most_common(10):
            text += f"\n  failed {errors.counted(count, 'time')}: {name}: {cause}"
        return text


@dataclass(frozen=True, eq=False)
class Session(Generic[C]):
    """A sweep or a distillation under way.

    Attributes:
        plan: of it.
        context: what its tasks share.
        store: where the records go.
        make_executor: makes a pool of so many workers.
        start: when it began, by the monotonic clock.
    """

    plan: Computation
    context: C
    store: Store
    make_executor: Callable[[int], Executor]
    start: float

    def carry_out(
        self, work: Callable[[C, T], Records], tasks: Sequence[T], failed: Callable[[C, T, str], Records]
    ) -> Generator[Records, None, None]:
        """Carry out tasks, and yield the records of each when they are stored, in the order of completion.

        Args:
            work: what a worker does with the context and a task.
            tasks: what is to be done.
            failed: the records of a task that cannot be carried out, and why.
        """
        results = pool.run(
            functools.partial(work, self.context),
            tasks,
            make_executor=self.make_executor,
            workers=self.plan.workers,
            on_death=lambda task: failed(self.context, task, "its worker process died; memory may have run out"),
        )
        with closing(results):
            for _, records in results:
                self.store.write(records)
                self.store.refuse_removed()
                yield records

    def counted(
        self,
        before: int,
        results: Generator[Sequence[Any], None, None],
        shown: AbstractContextManager[Callable[[], None]],
    ) -> Tally:
        """Wait for records, and return how it went.

        Args:
            before: how many were there already.
            results: as `carry_out` yields them.
            shown: as `diswot.harness.progress.shown` makes it.
        """
        what = self.store.kind.identity[2]  # a proxy or a distiller
        statuses: Counter[str] = Counter()
        causes: Counter[tuple[str, str]] = Counter()
        with closing(results), shown as advance:
            for records in results:
                statuses.update(record.status for record in records)
                causes.update(
                    (getattr(record, what), record.cause or "") for record in records if record.status == "failed"
                )
                advance()
        return Tally(before, statuses, causes, time.monotonic() - self.start)


@contextmanager
def opened(
    plan: Computation,
    folder: Path,
    context: C,
    kind: Kind,
    make_executor: Callable[[int], Executor] | None,
    plugins: Iterable[Path] = (),
) -> Iterator[Session[C]]:
    """Open the store of a folder that is claimed, to write to it.

    Args:
        plan: of what is done.
        folder: of the run or the distillation.
        context: what the tasks share.
        kind: what the store holds.
        make_executor: makes a pool of so many workers; by default processes on this machine, or a cluster, as planned.
        plugins: files that the workers of a cluster must have.
    """
    start = time.monotonic()
    files.forget_abandoned(folder)
    with Store(run_folder.store_path(folder, kind), create=True, kind=kind) as store:
        yield Session(plan, context, store, make_executor or executors(plan.devices, plan.scheduler, plugins), start)
