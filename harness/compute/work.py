"""Tasks that a pool carries out, and whose records are stored as they come: what sweeps and distillations share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from diswot.benchmarks import errors
from diswot.harness import pool
from diswot.harness.runs.store import Store

T = TypeVar("T")
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


def stored(
    work: Callable[[T], Records],
    tasks: Sequence[T],
    store: Store,
    *,
    make_executor: Callable[[int], Executor],
    workers: int | None,
    failed: Callable[[T, str], Records],
) -> Generator[Records, None, None]:
    """Carry out tasks, and yield the records of each when they are stored, in the order of completion.

    Args:
        work: what a worker does with a task.
        tasks: what is to be done.
        store: where the records go.
        make_executor: makes a pool of so many workers.
        workers: how many; None where a cluster says it.
        failed: the records of a task that cannot be carried out, and why.
    """
    results = pool.run(
        work,
        tasks,
        make_executor=make_executor,
        workers=workers,
        on_death=lambda task: failed(task, "its worker process died; memory may have run out"),
    )
    with closing(results):
        for _, records in results:
            store.write(records)
            store.refuse_removed()
            yield records


def counted(
    results: Generator[Sequence[Any], None, None], shown: AbstractContextManager[Callable[[], None]], by: str
) -> tuple[Counter[str], Counter[tuple[str, str]]]:
    """Return the statuses of records, and the causes of failures, while progress is shown.

    Args:
        results: as `stored` yields them.
        shown: as `diswot.harness.progress.shown` makes it.
        by: the field of a record by which failures are counted.
    """
    statuses: Counter[str] = Counter()
    causes: Counter[tuple[str, str]] = Counter()
    with closing(results), shown as advance:
        for records in results:
            statuses.update(record.status for record in records)
            causes.update((getattr(one, by), one.cause or "") for one in records if one.status == "failed")
            advance()
    return statuses, causes
