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
from diswot.harness.distillation.student_images import LabelledImages, Preprocessing

#: The mean and standard deviation of ImageNet, with which many published CIFAR networks were trained.
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

_IMAGES_TO_CHOOSE_BY = 1000
_BATCH = 500


@dataclass(frozen=True)
class Teacher:
    """A trained teacher.

    Attributes:
        name: among `diswot.benchmarks.teachers`.
        shortcut: of a CIFAR ResNet.
        classes: their number.
        preprocessing: how it sees an image.
        state_dict: its weights.
        accuracy: on all test images, percent.
        train_accuracy: on the images that the students are trained on, percent.
        seconds: that its training took here; None for weights from a file.
        logits: of every view of every image, (2, count, classes), where a view is a flip or none; else None.
    """

    name: str
    shortcut: str
    classes: int
    preprocessing: Preprocessing
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
    source: Source, image_set: images.ImageSet, size: int, labelled: LabelledImages
) -> tuple[str, str, nn.Module, Preprocessing]:
    """Return name, shortcut, network and preprocessing of weights in a file.

    Files do not store the preprocessing. Candidates are the set's own and ImageNet's mean and standard deviation, with
    the set's own size and the students' ``size``. The one that classifies most of the first training images wins.

    Raises:
        InputError: if the weights cannot be read, or do not fit.
    """
    assert source.file is not None
    assert image_set.classes is not None
    state = checkpoints.read(source.file)
    name, network = checkpoints.network(state, path=source.file, num_classes=image_set.classes, name=source.name)
    network = network.to(labelled.images.device).eval()
    first = LabelledImages(labelled.images[:_IMAGES_TO_CHOOSE_BY], labelled.labels[:_IMAGES_TO_CHOOSE_BY])
    scales = ((image_set.mean, image_set.std), _IMAGENET)
    candidates = [
        Preprocessing(side, mean, std) for side in dict.fromkeys((image_set.size, size)) for mean, std in scales
    ]
    preprocessing = max(candidates, key=lambda one: accuracy(network, one, first))
    return name, getattr(network, "shortcut", CONVOLUTION), network, preprocessing


@torch.no_grad()
def logits(network: nn.Module, preprocessing: Preprocessing, raw: Tensor) -> Tensor:
    """Return what a network in evaluation mode makes of raw images, (count, classes)."""
    return torch.cat([network(preprocessing.show(part)) for part in raw.split(_BATCH)])


def accuracy(network: nn.Module, preprocessing: Preprocessing, labelled: LabelledImages) -> float:
    """Return the percentage of images that a network in evaluation mode classifies correctly."""
    right = (logits(network, preprocessing, labelled.images).argmax(1) == labelled.labels).sum()
    return 100 * int(right) / len(labelled)


def all_logits(network: nn.Module, preprocessing: Preprocessing, labelled: LabelledImages) -> Tensor:
    """Return the logits of both views of every image that is flipped only, (2, count, classes)."""
    views = torch.arange(2, device=labelled.images.device)[:, None].expand(2, len(labelled))
    return torch.stack([logits(network, preprocessing, draw.view(labelled.images, 0, chosen)) for chosen in views])


def all_last(network: nn.Module, preprocessing: Preprocessing, labelled: LabelledImages) -> list[Tensor]:
    """Return logits, last map and pooled vector of both views of every image that is flipped only.

    Returns:
        (2, count, classes), (2, count, channels, side, side) and (2, count, channels).
    """
    logits, last, pooled = [], [], []
    for view in range(2):
        views = torch.full((len(labelled),), view, device=labelled.images.device)
        for raw in draw.view(labelled.images, 0, views).split(_BATCH):
            answer, features = ask(network, preprocessing, raw)
            logits.append(answer)
            last.append(features[-2])
            pooled.append(features[-1])
    return [torch.cat(parts).unflatten(0, (2, len(labelled))) for parts in (logits, last, pooled)]


def save(path: Path, teacher: Teacher) -> None:
    """Write a teacher to a file, whole or not at all; other runs take the file for their ``--teacher``."""
    values = {name: getattr(teacher, name) for name in Teacher.__dataclass_fields__}
    values["preprocessing"] = asdict(teacher.preprocessing)
    files.write(path, lambda temporary: torch.save(values, temporary))


def load(path: Path, device: str) -> Teacher:
    """Return the teacher that `save` wrote.

    Raises:
        InputError: if the file is damaged.
    """
    with files.reading(path, "run", "; without it, the same command trains the teacher anew"):
        values: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        if "lens" in values:  # as version 0.2 wrote it
            values["preprocessing"] = values.pop("lens")
        return Teacher(**values | {"preprocessing": Preprocessing(**values["preprocessing"])})


@torch.no_grad()
def ask(network: nn.Module, preprocessing: Preprocessing, raw: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Return the logits and the features of a network in evaluation mode for raw images."""
    features = network.features(preprocessing.show(raw))  # type: ignore[operator]
    return network.classifier(features[-1]), features  # type: ignore[operator]
