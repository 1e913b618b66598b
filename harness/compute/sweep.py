"""A sweep: proxies x cells x seeds into a store; what is there already is not done again."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from diswot.benchmarks import images, spaces, teachers
from diswot.harness import progress
from diswot.harness.compute import reuse, work
from diswot.harness.compute.plan import Plan
from diswot.harness.compute.work import Session, Tally
from diswot.harness.runs import run_folder
from diswot.harness.runs.settings import OPTIONS, Settings
from diswot.harness.runs.store import SCORES, Record, Store
from diswot.proxies import by_value, registry

if TYPE_CHECKING:
    from diswot.harness.compute.task import Context, Task


def prepare(plan: Plan) -> Context:
    """Draw the batches and fix the settings.

    Raises:
        InputError: if the image set, the teacher or the space is not known, the images cannot be read, or a proxy
            cannot be sent to worker processes.
    """
    from diswot.harness.compute.task import Context

    classes = images.get(plan.images).classes or spaces.get(plan.space).classes
    drawn = images.sample(
        plan.images,
        2 * plan.batch_size,
        seed=plan.batch_seed,
        image_dir=plan.image_dir,
        classes=classes,
        augment=plan.augment,
    )
    chosen = {name: getattr(plan, name) for name in OPTIONS} | {"teacher": teachers.canonical(plan.teacher)}
    settings = Settings(**chosen, classes=classes, device=plan.device, batch=drawn.digest())
    batches = tuple((b.images.numpy(), b.labels.numpy()) for b in drawn.split(plan.batch_size, plan.batch_size))
    return Context(
        settings=settings,
        batches=batches,
        plugins=tuple(plan.plugins),
        modules=registry.homes(plan.proxies),
        packed=by_value.pack(plan.proxies),
    )


@contextmanager
def opened(
    plan: Plan, folder: Path, context: Context, make_executor: Callable[[int], Executor] | None = None
) -> Iterator[Session[Context]]:
    """Begin a sweep, or take it up again.

    Any executor will do: tasks carry all that they need. The default is what the plan says: processes on this machine,
    or a cluster.

    Args:
        plan: of the sweep.
        folder: of the run.
        context: as `prepare` makes it of the plan.
        make_executor: makes a pool of so many workers.

    Raises:
        InputError: if the folder is no good.
    """
    run_folder.claim(
        folder,
        context.settings,
        plan.proxies,
        device=plan.device_name,
        plugins=context.plugins,
        arithmetic=plan.arithmetic,
    )
    with work.opened(plan, folder, context, SCORES, make_executor, context.plugins) as session:
        yield session


def score(session: Session[Context], tasks: Sequence[Task]) -> Generator[list[Record], None, None]:
    """Carry out tasks, and yield the records of each when they are stored, in the order of completion."""
    from diswot.harness.compute.task import failed, score_network

    return session.carry_out(score_network, tasks, failed)


def run(plan: Plan, folder: Path, *, make_executor: Callable[[int], Executor] | None = None) -> Tally:
    """Carry out a sweep, or what is missing of it, into ``folder``; see `opened`.

    Ctrl-C and a kill lose at most the cells in flight; the same call continues.

    Raises:
        InputError: if the plan or the folder is no good.
    """
    context = prepare(plan)
    with opened(plan, folder, context, make_executor) as session:
        taken = reuse.for_sweep(plan, context.settings, session.store, folder)
        tasks, before = missing(plan, session.store, context.settings)
        if tasks:
            computed = {name for task in tasks for name, _, _ in task.wanted}
            run_folder.note_computed(folder, session.store, plan.device_name, computed)
        count = sum(len(cells) for task in tasks for _, _, cells in task.wanted)
        shown = progress.shown(len(tasks), "network", f"{count} scores")
        with _forgetting_derived(folder) if tasks else nullcontext():
            return session.counted(before - taken, score(session, tasks), shown)


@contextmanager
def _forgetting_derived(folder: Path) -> Iterator[None]:
    run_folder.forget_derived(folder)
    try:
        yield
    finally:  # another process may have correlated a part meanwhile
        run_folder.forget_derived(folder)


def missing(plan: Plan, store: Store, settings: Settings) -> tuple[list[Task], int]:
    """Return the tasks that give every cell and seed what it lacks, and the number of scores that are there already."""
    from diswot.harness.compute.task import tasks

    settled = store.settled(settings.hash)
    lacking = [
        (cell, seed, [p.name for p in plan.proxies if (cell, p.name, p.version, seed) not in settled])
        for seed in plan.seeds
        for cell in plan.cells
    ]
    wanted = len(plan.proxies) * len(lacking)
    return tasks(settings, lacking), wanted - sum(len(names) for _, _, names in lacking)
