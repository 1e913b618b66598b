"""Trained teachers: from a file of weights, or trained here; measured, never assumed."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from diswot.benchmarks import checkpoints, images, teachers
from diswot.benchmarks.errors import InputError
from diswot.benchmarks.images import draw
from diswot.benchmarks.paths import expanded
from diswot.benchmarks.resnet import CONVOLUTION
from diswot.harness import files
from diswot.harness.distillation import recipes
from diswot.harness.distillation.student_images import Lens, Pictures

#: The mean and deviation of ImageNet, with which many published CIFAR networks were trained.
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

_PICTURES_TO_CHOOSE_BY = 1000
_BATCH = 500


@dataclass(frozen=True)
class Teacher:
    """A trained teacher.

    Attributes:
        name: among `diswot.benchmarks.teachers`.
        shortcut: of a CIFAR ResNet.
        classes: how many it tells apart.
        lens: how it sees a picture.
        state_dict: its weights.
        accuracy: on all test pictures, percent.
        train_accuracy: on the pictures that the students are trained on, percent.
        seconds: that its training took here; None for weights from a file.
        logits: of every view of every picture, (2, count, classes), where a view is a flip or none; else None.
    """

    name: str
    shortcut: str
    classes: int
    lens: Lens
    state_dict: dict[str, Tensor]
    accuracy: float
    train_accuracy: float
    seconds: float | None
    logits: Tensor | None

    def build(self) -> nn.Module:
        """Return its network, ready to be asked, on the device of its weights."""
        network = teachers.build(self.name, num_classes=self.classes, shortcut=self.shortcut)
        network.load_state_dict(self.state_dict, assign=True)
        return network.eval().requires_grad_(requires_grad=False)


@dataclass(frozen=True)
class Source:
    """Where a teacher comes from.

    Attributes:
        name: among `diswot.benchmarks.teachers`; None where it is read off a file's weights.
        file: of its weights; None for one that is trained here.
    """

    name: str | None
    file: Path | None

    def identity(self, recipe: str) -> str:
        """Return what the run knows it by: its name and recipe, or its name and the file's weights, by their hash.

        Raises:
            InputError: if the file cannot be read.
        """
        if self.file is None:
            return f"{self.name} trained by {recipe} of SHA-256 {recipes.get(recipe).hash}"
        try:
            content = self.file.read_bytes()
        except OSError as error:
            raise InputError(f"teacher: {self.file} cannot be read: {error.strerror or error}.") from error
        return f"{self.name or 'weights'} of SHA-256 {hashlib.sha256(content).hexdigest()[:16]}"


def parse(text: str) -> Source:
    """Return what ``resnet20``, ``FILE`` or ``NAME=FILE`` stands for.

    Raises:
        InputError: if it is neither a teacher's name nor a file.
    """
    name, equals, file = text.rpartition("=")
    if equals and not Path(text).is_file():
        return Source(teachers.canonical(name), expanded("teacher", file).resolve())
    if Path(text).suffix in (".pt", ".pth", ".th") or expanded("teacher", text).is_file():
        return Source(None, expanded("teacher", text).resolve())
    return Source(teachers.canonical(text), None)


def from_file(
    source: Source, image_set: images.ImageSet, size: int, pictures: Pictures
) -> tuple[str, str, nn.Module, Lens]:
    """Return name, shortcut, network and lens of weights in a file.

    Files do not say how their pictures were made: of the set's own mean and deviation and ImageNet's, and of the set's
    own size and the students' ``size``, those are taken with which most of the first training pictures are told right.

    Raises:
        InputError: if the weights cannot be read, or do not fit.
    """
    assert source.file is not None
    assert image_set.classes is not None
    state = checkpoints.read(source.file)
    name, network = checkpoints.network(state, path=source.file, num_classes=image_set.classes, name=source.name)
    network = network.to(pictures.images.device).eval()
    first = Pictures(pictures.images[:_PICTURES_TO_CHOOSE_BY], pictures.labels[:_PICTURES_TO_CHOOSE_BY])
    scales = ((image_set.mean, image_set.std), _IMAGENET)
    lenses = [Lens(side, mean, std) for side in dict.fromkeys((image_set.size, size)) for mean, std in scales]
    lens = max(lenses, key=lambda one: accuracy(network, one, first))
    return name, getattr(network, "shortcut", CONVOLUTION), network, lens


@torch.no_grad()
def logits(network: nn.Module, lens: Lens, raw: Tensor) -> Tensor:
    """Return what a network in evaluation mode makes of raw pictures, (count, classes)."""
    return torch.cat([network(lens.show(part)) for part in raw.split(_BATCH)])


def accuracy(network: nn.Module, lens: Lens, pictures: Pictures) -> float:
    """Return the percentage of pictures that a network in evaluation mode tells right."""
    right = (logits(network, lens, pictures.images).argmax(1) == pictures.labels).sum()
    return 100 * int(right) / len(pictures)


def all_logits(network: nn.Module, lens: Lens, pictures: Pictures) -> Tensor:
    """Return the logits of both views of every picture that is flipped only, (2, count, classes)."""
    views = torch.arange(2, device=pictures.images.device)[:, None].expand(2, len(pictures))
    return torch.stack([logits(network, lens, draw.view(pictures.images, 0, chosen)) for chosen in views])


def all_last(network: nn.Module, lens: Lens, pictures: Pictures) -> list[Tensor]:
    """Return logits, last map and pooled vector of both views of every picture that is flipped only.

    Returns:
        (2, count, classes), (2, count, channels, side, side) and (2, count, channels).
    """
    logits, last, pooled = [], [], []
    for view in range(2):
        views = torch.full((len(pictures),), view, device=pictures.images.device)
        for raw in draw.view(pictures.images, 0, views).split(_BATCH):
            answer, features = ask(network, lens, raw)
            logits.append(answer)
            last.append(features[-2])
            pooled.append(features[-1])
    return [torch.cat(parts).unflatten(0, (2, len(pictures))) for parts in (logits, last, pooled)]


def save(path: Path, teacher: Teacher) -> None:
    """Write a teacher to a file, whole or not at all; other runs take the file for their ``--teacher``."""
    values = {name: getattr(teacher, name) for name in Teacher.__dataclass_fields__} | {"lens": asdict(teacher.lens)}
    files.write(path, lambda temporary: torch.save(values, temporary))


def load(path: Path, device: str) -> Teacher:
    """Return the teacher that `save` wrote.

    Raises:
        InputError: if the file is damaged.
    """
    with files.reading(path, "run", "; without it, the same command trains the teacher anew"):
        values: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        return Teacher(**values | {"lens": Lens(**values["lens"])})


@torch.no_grad()
def ask(network: nn.Module, lens: Lens, raw: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Return the logits and the features of a network in evaluation mode for raw pictures."""
    features = network.features(lens.show(raw))  # type: ignore[operator]
    return network.classifier(features[-1]), features  # type: ignore[operator]
