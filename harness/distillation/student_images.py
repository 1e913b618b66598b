"""What students and teachers are shown: which images, in which order, in which of their views, and at which size."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from diswot.benchmarks import images
from diswot.benchmarks.errors import InputError
from diswot.benchmarks.images import draw
from diswot.benchmarks.seeding import generator
from diswot.harness.distillation.recipes import Recipe


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Raw images with labels.

    Attributes:
        images: (count, 3, side, side) uint8.
        labels: (count,) int64.
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)

    def digest(self) -> str:
        """Return the SHA-256 of images and labels, in hexadecimal."""
        digest = hashlib.sha256()
        for tensor in (self.images, self.labels):
            digest.update(tensor.numpy().tobytes())
        return digest.hexdigest()

    def to(self, device: str) -> LabelledImages:
        """Return the same on a device."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))


@dataclass(frozen=True)
class Preprocessing:
    """How a network sees an image.

    Attributes:
        size: pixels of a side, to which images are averaged.
        mean: of the three channels, on the scale of 0 to 1.
        std: standard deviation of the same.
    """

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def show(self, raw: Tensor) -> Tensor:
        """Return raw images, (count, 3, side, side) uint8, as (count, 3, size, size) float32, normalised."""
        averaged = F.avg_pool2d(raw.float(), raw.shape[-1] // self.size)
        return draw.normalise(averaged, self.mean, self.std).contiguous(memory_format=torch.channels_last)


def read(name: str, split: str, image_dir: Path | None, count: int = 0) -> LabelledImages:
    """Read a split, or a seeded sample of ``count`` of it, which is the same for every student.

    Raises:
        InputError: if the set cannot be read, or has fewer images.
    """
    pixels, labels = images.read(name, split, image_dir)
    if count > len(labels):
        raise InputError(f"samples: {count} images were asked for; {name} here has {len(labels)} to train on.")
    chosen = draw.positions(count or len(labels), len(labels), seed=0)
    return LabelledImages(torch.from_numpy(pixels[chosen]), torch.from_numpy(labels[chosen]))


def step(labelled: LabelledImages, recipe: Recipe, seed: int, number: int) -> tuple[Tensor, Tensor]:
    """Return which images a training step takes, and in which views: the same for every cell and distiller.

    Args:
        labelled: all that are trained on.
        recipe: of the training.
        seed: of the student.
        number: of the step, from 0.

    Returns:
        Positions and views (see `diswot.benchmarks.images.draw.view`), (batch,) each.
    """
    epoch, inside = divmod(number, recipe.steps_an_epoch(len(labelled)))
    chosen = _order(len(labelled), seed, epoch)[inside * recipe.batch_size : (inside + 1) * recipe.batch_size]
    return chosen, draw.views(len(chosen), recipe.padding, generator("augmentation", seed, number))


@functools.lru_cache(maxsize=2)
def _order(count: int, seed: int, epoch: int) -> Tensor:
    return torch.randperm(count, generator=generator("order of pictures", seed, epoch))
