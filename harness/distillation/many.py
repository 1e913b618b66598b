"""Train many students at once in one process, for a GPU: a step of each in turn, each on a stream of its own.

The networks are small, so a process that trains one student is bound by Python. Here a step launches one CUDA graph
that was captured from the student's own third step. Everything that a step reads is on the device before the first:
images, labels, the teacher's outputs, the order of the images with their views, and the learning rates. So the host
waits for the device at the end only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from diswot.harness.distillation import student_images, training
from diswot.harness.distillation.recipes import Recipe
from diswot.harness.distillation.student_images import LabelledImages, Preprocessing
from diswot.harness.distillation.training import Student

#: Steps before the capture: they make the buffers of momentum, choose kernels, and count as steps of the training.
_EAGER_STEPS = 3


def train(
    students: Sequence[Student], preprocessing: Preprocessing, labelled: LabelledImages, recipe: Recipe
) -> tuple[list[float], float]:
    """Train students in place, as `training.train` trains each, but without checkpoints.

    Args:
        students: of any architectures.
        preprocessing: how they see an image.
        labelled: what they are trained on, on their device.
        recipe: of the trainings.

    Returns:
        The loss of each student's last step, and the seconds: of the processor on a CPU, of the clock elsewhere.
    """
    device = labelled.images.device
    begin = training.clock_of(device)()
    learners = [training.learnt(student, labelled, recipe) for student in students]
    streams = [_Stream(device) for _ in students]
    pairs = zip(students, learners, strict=True)
    steppers = [_stepper(student, learner, preprocessing, labelled, recipe) for student, learner in pairs]
    steps, losses = [step for step, _ in steppers], [loss for _, loss in steppers]
    streams[0].wait()
    for number in range(recipe.steps_an_epoch(len(labelled)) * recipe.epochs):
        for place, stream in enumerate(streams):
            if number == _EAGER_STEPS:
                steps[place] = stream.captured(steps[place])
            with stream.entered():
                steps[place]()
    streams[0].wait()
    for learner in learners:
        learner.eval()
    return [loss.item() for loss in losses], training.clock_of(device)() - begin


def _stepper(
    student: Student, learner: nn.ModuleList, preprocessing: Preprocessing, labelled: LabelledImages, recipe: Recipe
) -> tuple[Callable[[], None], Tensor]:
    # A function that makes the next step, from tensors on the device alone, and the tensor with the step's loss.
    device = labelled.images.device
    steps = recipe.steps_an_epoch(len(labelled))
    drawn = [student_images.step(labelled, recipe, student.seed, number) for number in range(steps * recipe.epochs)]
    order, views = (torch.stack(tensors).to(device) for tensors in zip(*drawn, strict=True))
    is_gpu = device.type == "cuda"
    # The fused optimizer of a GPU reads its rate from the device, in single precision.
    rates = torch.tensor(training.rates(recipe, steps), dtype=torch.float32 if is_gpu else torch.float64).to(device)
    optimizer = training.sgd(learner, recipe, lr=rates[0].clone(), fused=is_gpu)
    rate = optimizer.param_groups[0]["lr"]
    objective = training.make_objective(learner, preprocessing, labelled, recipe, student.loss)
    number, loss = torch.zeros(1, dtype=torch.int64, device=device), torch.zeros((), device=device)

    def step() -> None:
        rate.copy_(rates.index_select(0, number)[0])
        chosen, seen = (drawn.index_select(0, number)[0] for drawn in (order, views))
        value = objective(chosen, seen, number[0] // steps + 1)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        loss.copy_(value.detach())
        number.add_(1)

    return step, loss


class _Stream:
    # A stream of a GPU; on a CPU everything happens at once, in the order of the calls.
    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def entered(self) -> AbstractContextManager[object]:
        return nullcontext() if self._stream is None else torch.cuda.stream(self._stream)

    def captured(self, step: Callable[[], None]) -> Callable[[], None]:
        if self._stream is None:
            return step
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self._stream):
            step()
        return graph.replay

    def wait(self) -> None:
        if self._stream is not None:
            torch.cuda.synchronize(self._stream.device)
