"""One training, from given weights to the accuracy on the test images. Resumable: a step is a pure function."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diswot.benchmarks.images import draw
from diswot.harness import files
from diswot.harness.distillation import regularisers, student_images
from diswot.harness.distillation.distillers import DistillationBatch, Distiller, weights
from diswot.harness.distillation.recipes import Recipe
from diswot.harness.distillation.student_images import LabelledImages, Preprocessing


class DivergenceError(Exception):
    """A training whose loss is no longer finite."""


@dataclass(frozen=True)
class Checkpoint:
    """Where a training keeps its state, so that a killed one goes on.

    Attributes:
        path: of the file; removed when the training is done.
        every: seconds between two.
    """

    path: Path
    every: float


@dataclass(frozen=True, eq=False)
class Step:
    """What a loss may know of a step; batch is N.

    Attributes:
        chosen: positions of the images, (N,).
        views: in which of their views, (N,); see `diswot.benchmarks.images.draw.view`.
        raw: the images in these views, (N, 3, side, side) uint8.
        labels: (N,).
        features: the student's, as its network gives them.
        logits: the student's, (N, classes).
    """

    chosen: Tensor
    views: Tensor
    raw: Tensor
    labels: Tensor
    features: list[Tensor]
    logits: Tensor


Loss = Callable[[Step], Tensor]


@dataclass(frozen=True, eq=False)
class Student:
    """A network that is about to be trained.

    Attributes:
        network: its features and classifier are asked.
        connector: what is trained along for the loss; without parameters where there is nothing to connect.
        loss: of every step, without the recipe's regularisers.
        seed: of the order of the images and of their views.
    """

    network: nn.Module
    connector: nn.Module
    loss: Loss
    seed: int


#: A teacher's logits and features for the images of a step.
Answers = Callable[[Step], tuple[Tensor, list[Tensor]]]


def vanilla(step: Step) -> Tensor:
    """Return the cross-entropy with the labels."""
    return F.cross_entropy(step.logits, step.labels)


def distilled(distillers: Sequence[Distiller], answers: Answers, connector: nn.Module, recipe: Recipe) -> Loss:
    """Return the loss of a student that is taught.

    Args:
        distillers: what teaches, each with its weight: `diswot.harness.distillation.distillers.weights`.
        answers: of the teacher.
        connector: gives the student's last map the teacher's channels.
        recipe: of the training.
    """
    label_weight, own_weights = weights(distillers, recipe)

    def loss(step: Step) -> Tensor:
        teacher_logits, teacher_features = answers(step)
        batch = DistillationBatch(
            labels=step.labels,
            temperature=recipe.temperature,
            logits=step.logits,
            features=step.features,
            aligned=connector(step.features[-2]),
            teacher_logits=teacher_logits,
            teacher_features=teacher_features,
        )
        total = label_weight * vanilla(step)
        for weight, distiller in zip(own_weights, distillers, strict=True):
            total = total + weight * distiller.loss(batch)
        return total

    return loss


def train(
    student: Student, preprocessing: Preprocessing, labelled: LabelledImages, recipe: Recipe, *, checkpoint: Checkpoint
) -> float:
    """Train a student in place and return the seconds: of the processor on a CPU, of the clock elsewhere.

    Args:
        student: to be trained.
        preprocessing: how the student sees an image.
        labelled: what it is trained on, on its device.
        recipe: of the training.
        checkpoint: where the state is kept now and then; read first if it is there.

    Raises:
        DivergenceError: if the loss is not finite at the end of an epoch.
    """
    learner = learnt(student, labelled, recipe)
    device = labelled.images.device
    optimizer = sgd(learner, recipe)
    steps = recipe.steps_an_epoch(len(labelled))
    scheduler = _schedule(optimizer, recipe, steps)
    parts: dict[str, Any] = {"learner": learner, "optimizer": optimizer, "scheduler": scheduler}
    done, seconds = _resume(checkpoint.path, parts)
    objective = make_objective(learner, preprocessing, labelled, recipe, student.loss)
    clock = clock_of(device)
    start, saved = clock(), time.monotonic()
    for number in range(done, steps * recipe.epochs):
        chosen, views = (drawn.to(device) for drawn in student_images.step(labelled, recipe, student.seed, number))
        value = objective(chosen, views, number // steps + 1)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        scheduler.step()
        if (number + 1) % steps == 0 and not math.isfinite(value.item()):
            raise DivergenceError(f"the loss was {value.item()} at the end of epoch {(number + 1) // steps}")
        if time.monotonic() - saved >= checkpoint.every:
            spent = seconds + clock() - start
            _keep(checkpoint.path, parts, number + 1, spent)
            saved = time.monotonic()
    learner.eval()
    return seconds + clock() - start


def learnt(student: Student, labelled: LabelledImages, recipe: Recipe) -> nn.ModuleList:
    """Return all that a training changes: network, connector, and the memory of consistency regularisation, if any."""
    modules = [student.network, student.connector]
    if recipe.consistency:
        classes = int(student.network.get_submodule("classifier").out_features)  # type: ignore[arg-type]
        modules.append(regularisers.Consistency(len(labelled), classes).to(labelled.images.device))
    return nn.ModuleList(modules).train()


def make_objective(
    learner: nn.ModuleList, preprocessing: Preprocessing, labelled: LabelledImages, recipe: Recipe, loss: Loss
) -> Callable[[Tensor, Tensor, int | Tensor], Tensor]:
    """Return what a step minimises: a function of its images' positions, their views and the epoch, from 1.

    Args:
        learner: as `learnt` makes it.
        preprocessing: how the student sees an image.
        labelled: what it is trained on, on its device.
        recipe: of the training.
        loss: of every step, without the recipe's regularisers.
    """
    network, _, *memories = learner

    def objective(chosen: Tensor, views: Tensor, epoch: int | Tensor) -> Tensor:
        raw = draw.view(labelled.images[chosen], recipe.padding, views)
        features = network.features(preprocessing.show(raw))  # type: ignore[operator]
        logits = network.classifier(features[-1])  # type: ignore[operator]
        value = loss(Step(chosen, views, raw, labelled.labels[chosen], features, logits))
        if recipe.lipschitz:
            value = value + recipe.lipschitz * regularisers.lipschitz(network)
        for consistency in memories:
            value = value + (recipe.consistency or 0) * epoch / recipe.epochs * consistency(chosen, logits)
        return value

    return objective


def sgd(learner: nn.Module, recipe: Recipe, **options: Any) -> torch.optim.SGD:
    """Return the recipe's optimizer, at the recipe's highest rate unless an option says otherwise."""
    return torch.optim.SGD(
        learner.parameters(),
        **{"lr": recipe.learning_rate} | options,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
    )


def rates(recipe: Recipe, steps: int) -> list[float]:
    """Return the learning rate of every step of a training whose epochs have so many steps."""
    optimizer = sgd(nn.Linear(1, 1), recipe)
    scheduler = _schedule(optimizer, recipe, steps)
    by_step = []
    for _ in range(steps * recipe.epochs):
        by_step.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return by_step


def clock_of(device: torch.device) -> Callable[[], float]:
    """Return the clock of trainings: of the processor on a CPU, of the wall elsewhere."""
    return time.process_time if device.type == "cpu" else time.perf_counter


def _schedule(optimizer: torch.optim.Optimizer, recipe: Recipe, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
    if recipe.schedule == "one-cycle":
        return torch.optim.lr_scheduler.OneCycleLR(
            optimizer, recipe.learning_rate, total_steps=steps * recipe.epochs, cycle_momentum=False
        )
    milestones = [epoch * steps for epoch in recipe.milestones]
    return torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones)


def _keep(path: Path, parts: dict[str, Any], done: int, seconds: float) -> None:
    state = {name: part.state_dict() for name, part in parts.items()} | {"done": done, "seconds": seconds}
    files.write(path, lambda temporary: torch.save(state, temporary))


def _resume(path: Path, parts: dict[str, Any]) -> tuple[int, float]:
    if not path.is_file():
        return 0, 0.0
    state = torch.load(path, map_location="cpu", weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return state["done"], state["seconds"]
