"""What a worker does: prepare the teacher, or train one student. Pure: the same task gives the same accuracy."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor, nn

from diswot.benchmarks import images, initialisation, spaces, teachers
from diswot.benchmarks.errors import described
from diswot.benchmarks.resnet import CONVOLUTION
from diswot.benchmarks.seeding import derive
from diswot.harness import files
from diswot.harness.compute.task import make_network
from diswot.harness.distillation import distillers, many, recipes, teacher, training
from diswot.harness.distillation.distillers import Distiller
from diswot.harness.distillation.recipes import Recipe
from diswot.harness.distillation.settings import Settings
from diswot.harness.distillation.student_images import LabelledImages, Preprocessing, read
from diswot.harness.distillation.teacher import Source, Teacher
from diswot.harness.distillation.training import Answers, Checkpoint, Student
from diswot.harness.runs.store import Training


@dataclass(frozen=True)
class Context:
    """What all tasks of a distillation share.

    Attributes:
        settings: of the distillation.
        image_dir: where the images are.
        folder: of the run, for the teacher's file and checkpoints.
        checkpoint_every: seconds between two checkpoints of a training.
    """

    settings: Settings
    image_dir: Path | None = field(compare=False)
    folder: Path = field(compare=False)
    checkpoint_every: float = field(compare=False)

    @property
    def teacher_file(self) -> Path:
        """Where the trained teacher is kept."""
        return self.folder / "teacher.pt"

    @property
    def checkpoints(self) -> Path:
        """Where trainings keep their state."""
        return self.folder / "checkpoints"


@dataclass(frozen=True)
class Task:
    """One training: the cell that stands for its class, the seed, and the distillers by name."""

    cell: int
    seed: int
    distiller: str


def train_students(context: Context, tasks: Sequence[Task]) -> list[Training]:
    """Train students and test them, and return a record of each; what goes wrong is its cause.

    Several are trained at once, see `many`: without checkpoints, and with equal shares of the seconds.
    """
    try:
        return [_train(context, tasks[0])] if len(tasks) == 1 else _train_together(context, tasks)
    except Exception as error:  # noqa: BLE001 - such as a lack of memory; the other students go on
        return failed(context, tasks, described(error))


def failed(context: Context, tasks: Sequence[Task], cause: str) -> list[Training]:
    """Return the records of trainings that came to nothing."""
    return [_record(context, task, "failed", None, cause, 0.0) for task in tasks]


def prepare_teacher(context: Context, source: Source) -> Teacher:
    """Load or train the teacher, measure it, and keep it in the run's folder.

    Raises:
        InputError: if its weights cannot be read, or do not fit the images.
    """
    settings = context.settings
    image_set = images.get(settings.images)
    labelled, test = _labelled_images(context)
    if source.file is None:
        recipe = recipes.get(settings.teacher_recipe)
        name, shortcut, preprocessing = source.name or "", CONVOLUTION, _preprocessing(settings.images, recipe)
        network, seconds = _train_teacher(context, name, recipe, preprocessing)
    else:
        name, shortcut, network, preprocessing = teacher.from_file(source, image_set, settings.size, labelled)
        seconds = None
    made = Teacher(
        name=name,
        shortcut=shortcut,
        classes=image_set.classes or 0,
        preprocessing=preprocessing,
        state_dict={key: value.cpu().contiguous() for key, value in network.state_dict().items()},
        accuracy=teacher.accuracy(network, preprocessing, test),
        train_accuracy=teacher.accuracy(network, preprocessing, labelled),
        seconds=seconds,
        logits=None if settings.padding else teacher.all_logits(network, preprocessing, labelled).cpu(),
    )
    teacher.save(context.teacher_file, made)
    return made


def _train(context: Context, task: Task) -> Training:
    labelled, test = _labelled_images(context)
    preprocessing = _preprocessing(context.settings.images, context.settings)
    student = _student(context, task)
    files.forget_abandoned(context.checkpoints)
    kept = Checkpoint(
        context.checkpoints / f"{task.cell}-{task.seed}-{task.distiller}-{distillers.version(task.distiller)}.pt",
        context.checkpoint_every,
    )
    seconds = training.train(student, preprocessing, labelled, context.settings, checkpoint=kept)
    accuracy = teacher.accuracy(student.network, preprocessing, test)
    kept.path.unlink(missing_ok=True)
    return _record(context, task, "ok", accuracy, None, seconds)


def _train_together(context: Context, tasks: Sequence[Task]) -> list[Training]:
    labelled, test = _labelled_images(context)
    preprocessing = _preprocessing(context.settings.images, context.settings)
    students = [_student(context, task) for task in tasks]
    losses, seconds = many.train(students, preprocessing, labelled, context.settings)
    return [
        _record(context, task, "ok", teacher.accuracy(student.network, preprocessing, test), None, seconds / len(tasks))
        if math.isfinite(loss)
        else _record(context, task, "failed", None, f"DivergenceError: the loss was {loss} at the end", 0.0)
        for task, student, loss in zip(tasks, students, losses, strict=True)
    ]


def _student(context: Context, task: Task) -> Student:
    settings = recipe = context.settings
    space = spaces.get(settings.space)
    build = functools.partial(
        space.build, space.live(task.cell), images.get(settings.images).classes, C=recipe.C, N=recipe.N
    )
    key = derive("student", space.name, task.cell, task.seed)
    network = make_network(build, "default", key, settings.device)
    chosen = distillers.parse(task.distiller)
    connector: nn.Module = nn.Identity()
    loss: training.Loss = training.vanilla
    if chosen:
        if any(distiller.aligned for distiller in chosen):
            connector = _connector(network, _teacher(context).build(), key, settings.device)
        loss = training.distilled(chosen, _answers(context, chosen), connector, recipe)
    return Student(network, connector, loss, task.seed)


def _train_teacher(
    context: Context, name: str, recipe: Recipe, preprocessing: Preprocessing
) -> tuple[nn.Module, float]:
    settings = context.settings
    labelled = read(settings.images, "train", context.image_dir, recipe.samples).to(settings.device)
    build = functools.partial(teachers.build, name, num_classes=images.get(settings.images).classes or 0)
    network = make_network(build, "default", derive("teacher", name, 0), settings.device)
    kept = Checkpoint(context.checkpoints / "teacher.pt", context.checkpoint_every)
    student = Student(network, nn.Identity(), training.vanilla, seed=0)
    seconds = training.train(student, preprocessing, labelled, recipe, checkpoint=kept)
    kept.path.unlink(missing_ok=True)
    return network, seconds


def _connector(student: nn.Module, network: nn.Module, key: int, device: str) -> nn.Module:
    ours, theirs = (int(one.get_submodule("classifier").in_features) for one in (student, network))  # type: ignore[arg-type]
    if ours == theirs:
        return nn.Identity()
    connector = nn.Conv2d(ours, theirs, 1).to(device)
    initialisation.default(nn.ModuleDict({"connector": connector}), key)
    return connector


def _preprocessing(image_set: str, recipe: Recipe) -> Preprocessing:
    known = images.get(image_set)
    return Preprocessing(recipe.size, known.mean, known.std)


@functools.lru_cache(maxsize=1)
def _labelled_images(context: Context) -> tuple[LabelledImages, LabelledImages]:
    settings = context.settings
    train = read(settings.images, "train", context.image_dir, settings.samples)
    test = read(settings.images, "test", context.image_dir)
    return train.to(settings.device), test.to(settings.device)


@functools.lru_cache(maxsize=1)
def _teacher(context: Context) -> Teacher:
    return teacher.load(context.teacher_file, context.settings.device)


def _answers(context: Context, chosen: Sequence[Distiller]) -> Answers:
    # Where an image has few views, what is read of the teacher is computed once: asking it again at every step would
    # cost as much as the student does. The maps of all stages would take gigabytes.
    taught_by = _teacher(context)
    reads = max((distiller.reads for distiller in chosen), key=distillers.READS.index)
    if reads == "maps" or taught_by.logits is None:
        network = taught_by.build()
        return lambda step: teacher.ask(network, taught_by.preprocessing, step.raw)
    kept = [taught_by.logits] if reads == "logits" else _last(context)

    def look_up(step: training.Step) -> tuple[Tensor, list[Tensor]]:
        logits, *features = (one[step.views, step.chosen] for one in kept)
        return logits, features

    return look_up


@functools.lru_cache(maxsize=1)
def _last(context: Context) -> list[Tensor]:
    taught_by = _teacher(context)
    return teacher.all_last(taught_by.build(), taught_by.preprocessing, _labelled_images(context)[0])


def _record(
    context: Context, task: Task, status: str, accuracy: float | None, cause: str | None, seconds: float
) -> Training:
    version = distillers.version(task.distiller)
    identity = (context.settings.space, task.cell, task.distiller, version, context.settings.hash, task.seed)
    return Training(*identity, status, accuracy, cause, seconds)
