"""A distillation: students x seeds x distillers into a store; what is there already is not done again."""

from __future__ import annotations

import functools
import hashlib
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diswot.benchmarks import images, spaces
from diswot.benchmarks.errors import InputError, counted, named
from diswot.benchmarks.tables import readers
from diswot.harness import files, pool, progress, records
from diswot.harness.compute import work
from diswot.harness.compute.plan import Computation
from diswot.harness.compute.work import Tally
from diswot.harness.distillation import distillers, teacher
from diswot.harness.distillation.recipes import Recipe
from diswot.harness.distillation.settings import Settings
from diswot.harness.runs import run_folder
from diswot.harness.runs.provenance import Commanded
from diswot.harness.runs.store import TRAININGS, Store, Training

if TYPE_CHECKING:
    from diswot.harness.distillation.task import Task
    from diswot.harness.distillation.teacher import Source, Teacher

#: The numbers of a training, as ``trainings.csv`` has them in digits.
_NUMBERS: Mapping[str, Callable[[Any], float]] = {"cell": int, "seed": int, "accuracy": float, "seconds": float}


class Info(Commanded):
    """The record of a distillation, ``distillation.json``."""

    settings: Settings


@dataclass(frozen=True, kw_only=True)
class Plan(Computation):
    """Everything that a distillation is asked to do; one training serves all cells that compute the same function.

    Attributes:
        distillers: such as ``none``, ``kd`` and ``kd+diswot``.
        recipe: of the training.
        checkpoint_every: seconds between two checkpoints of a training.
        together: students that a worker trains at once; more than one for a GPU.
    """

    distillers: Sequence[str]
    recipe: Recipe
    checkpoint_every: float
    together: int = 1

    def describe(self, folder: Path) -> str:
        """Say what the distillation will do."""
        return (
            f"{self.space}: {counted(len(self.cells), 'class', 'classes')} x {counted(len(self.seeds), 'seed')} x "
            f"{', '.join(self.distillers)}; {self.images}, {self.where}, into {folder}"
        )


def run(
    plan: Plan,
    folder: Path,
    *,
    merge: Sequence[Path] = (),
    make_executor: Callable[[int], Executor] | None = None,
) -> Tally:
    """Carry out a distillation, or what is missing of it, into ``folder``.

    Ctrl-C and a kill lose at most what the trainings in flight did since their last checkpoint; the same call
    continues.

    Args:
        plan: what is asked for.
        folder: of the run.
        merge: files of trainings with the same settings, which need not be done again.
        make_executor: makes a pool of so many workers; by default what the plan says.

    Raises:
        InputError: if the plan or the folder is no good.
    """
    from diswot.harness.distillation.task import Context, failed, prepare_teacher, train_students

    source = teacher.parse(plan.teacher)
    image_dir = plan.image_dir and plan.image_dir.resolve()
    context = Context(_settings(plan, source), image_dir, folder.resolve(), plan.checkpoint_every)
    run_folder.claimed(Info, folder, TRAININGS, context.settings, plan.device_name, plan.arithmetic, read_info)
    with work.opened(plan, folder, context, TRAININGS, make_executor) as session:
        for path in merge:
            session.store.write(same_settings(path, context.settings.hash))
        tasks, before = missing(plan, session.store, context.settings.hash)
        files.forget_abandoned(context.checkpoints)
        if any(task.distiller != distillers.NONE for task in tasks) and not context.teacher_file.is_file():
            _prepare(functools.partial(prepare_teacher, context), source, session.make_executor)
            if not context.teacher_file.is_file():
                raise InputError(f"out: {folder} is not seen by the workers; with --scheduler, name a shared folder.")
        unit = "training" if plan.together == 1 else "group"
        groups = [tasks[first : first + plan.together] for first in range(0, len(tasks), plan.together)]
        results = session.carry_out(train_students, groups, failed)
        return session.counted(before, results, progress.shown(len(groups), unit, "trainings"))


def missing(plan: Plan, store: Store, settings: str) -> tuple[list[Task], int]:
    """Return a task for every training that is not stored, and how many are stored already.

    One training serves all cells of a function: that of the asked cell's isomorphism class, where it has the cell's
    function, or of the cell itself. The first seed of every function comes before the second of any, and the students
    of a pair follow each other.
    """
    from diswot.harness.distillation.task import Task

    space = spaces.get(plan.space)
    settled = {(space.representative(cell), *training) for cell, *training in store.settled(settings)}
    trained: dict[int, int] = {}
    for cell in plan.cells:
        function, of_class = space.representative(cell), space.canonical(cell)
        trained.setdefault(function, of_class if space.representative(of_class) == function else cell)
    asked = [(function, seed, name) for seed in plan.seeds for function in trained for name in plan.distillers]
    lacking = [
        Task(trained[function], seed, name)
        for function, seed, name in asked
        if (function, name, distillers.version(name), seed) not in settled
    ]
    return lacking, len(asked) - len(lacking)


def same_settings(path: Path, settings: str) -> list[Training]:
    """Return the successful trainings in another run's ``trainings.csv``.

    Raises:
        InputError: if it cannot be read, or holds no training of these settings.
    """
    try:
        rows = readers.read(path)[list(TRAININGS.columns)]
    except (InputError, KeyError) as error:
        raise InputError(f"merge: {path} cannot be read as trainings: {error}") from error
    good = rows[(rows["settings"] == settings) & (rows["status"] == "ok")]
    same = [
        _training(record, f"merge: {path}, {place}")
        for place, record in zip(good.index, good.to_dict("records"), strict=True)
    ]
    if not same:
        raise InputError(f"merge: {path} holds no training of the same settings, {settings}.")
    return same


def _training(record: Mapping[str, Any], where: str) -> Training:
    try:
        numbers = {name: kind(record[name]) for name, kind in _NUMBERS.items()}
        known = numbers["cell"] in spaces.get(record["space"]).cells
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{where} is no training: {error}.") from error
    if not known or not 0 <= numbers["accuracy"] <= 100 or not 0 <= numbers["seconds"] < math.inf:
        told = ", ".join(f"{name} {readers.quoted(record[name])}" for name in ("space", *_NUMBERS))
        raise InputError(f"{where} is no training: {told}.")
    return Training(**{**record, **numbers, "cause": None})


def read_info(folder: Path) -> Info:
    """Return ``distillation.json``.

    Raises:
        InputError: if it is missing, damaged or of another schema.
    """
    return records.read(Info, run_folder.info_path(folder, TRAININGS), "run")


@named("changes", "size", "samples")
def _settings(plan: Plan, source: Source) -> Settings:
    from diswot.harness.distillation.student_images import read

    known = images.get(plan.images)
    if known.classes is None:
        raise InputError(f"images: students cannot be trained on {plan.images}; take a set of images.")
    if known.size % plan.recipe.size:
        raise InputError(
            f"size: {plan.recipe.size} was given; {plan.images} has {known.size} pixels a side, or a divisor."
        )
    digest = hashlib.sha256()
    for split, count in (("train", plan.recipe.samples), ("test", 0)):
        digest.update(read(plan.images, split, plan.image_dir, count).digest().encode())
    return Settings(
        space=plan.space,
        images=plan.images,
        images_hash=digest.hexdigest(),
        **plan.recipe.model_dump(),
        teacher=source.identity(plan.recipe.teacher_recipe),
        device=plan.device,
    )


def _prepare(prepare: Callable[[Source], Teacher], source: Source, make_executor: Callable[[int], Executor]) -> None:
    def died(source: Source) -> Teacher:
        raise InputError("teacher: the process that prepared it died; memory may have run out.")

    if source.file is None:
        print(f"training the teacher {source.name} first", file=sys.stderr, flush=True)
    with closing(pool.run(prepare, [source], make_executor=make_executor, workers=1, on_death=died)) as results:
        for _ in results:
            pass
