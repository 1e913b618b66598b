"""Seeded draws: noise, positions in a set, and the training augmentation.

Every draw comes from a generator of its own, on the CPU, so that the global random state is left alone and a device
changes no number. Draws are made image by image: a longer one begins with the shorter one.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from diswot.benchmarks import seeding
from diswot.benchmarks.images.batch import Batch


def generator(seed: int, purpose: str) -> torch.Generator:
    """Return a generator for one purpose, so that one kind of draw never shifts another."""
    return seeding.generator(f"benchmarks.images/{purpose}/{seed}")


def noise(count: int, size: int, classes: int, seed: int) -> Batch:
    """Return ``count`` images of N(0, 1) noise, (count, 3, size, size), with labels uniform over the classes."""
    pixels = generator(seed, "noise")
    # One call per image: a single large call would give other numbers for another count.
    images = torch.stack([torch.randn(3, size, size, generator=pixels) for _ in range(count)])
    return Batch(images, torch.randint(classes, (count,), generator=generator(seed, "labels")))


def positions(count: int, available: int, seed: int) -> np.ndarray:
    """Return the first ``count`` entries of a seeded permutation of 0..available-1, as int64."""
    return torch.randperm(available, generator=generator(seed, "positions"))[:count].numpy()


def by_content(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the positions of labelled images in an order that does not depend on that of the files.

    Copies of a set differ in it: archives rebuilt from single images do not keep the official one.

    Args:
        images: (n, 3, size, size) uint8.
        labels: (n,) int64.

    Returns:
        (n,) int64: images sorted by their bytes, equal ones by label.
    """
    contents = np.concatenate([images.reshape(len(images), -1), labels.astype(">u2").view("u1").reshape(-1, 2)], axis=1)
    return contents.view(f"V{contents.shape[1]}").ravel().argsort(kind="stable")


def augment(images: Tensor, padding: int, random: torch.Generator) -> Tensor:
    """Crop at random after padding with zeros, and mirror every other image, as torchvision does to raw images.

    Args:
        images: (count, 3, size, size) uint8.
        padding: pixels added on each side.
        random: where the offsets and the flips come from.

    Returns:
        Images of the same shape and type.
    """
    return view(images, padding, views(len(images), padding, random))


def views(count: int, padding: int, random: torch.Generator) -> Tensor:
    """Draw how each of ``count`` images is augmented, (count,) int64; odd ones are mirrored. See `view`."""
    # One number per image, so that a longer draw begins with the shorter one: flip, row and column are read off it.
    return torch.randint(2 * (2 * padding + 1) ** 2, (count,), generator=random)


def view(images: Tensor, padding: int, chosen: Tensor) -> Tensor:
    """Return every image as one of its 2 * (2 * padding + 1)^2 augmented views.

    Args:
        images: (count, 3, size, size).
        padding: pixels of zeros added on each side before the crop.
        chosen: the views, (count,), as `views` draws them.
    """
    flipped = (chosen % 2 == 1)[:, None, None, None]
    cropped = _crop(images, padding, chosen) if padding else images
    return torch.where(flipped, cropped.flip(-1), cropped)


def _crop(images: Tensor, padding: int, chosen: Tensor) -> Tensor:
    count, channels, size, _ = images.shape
    shifts = 2 * padding + 1
    numbers = torch.arange(max(count, size), device=images.device)
    rows, columns = ((chosen // divisor % shifts)[:, None] + numbers[:size] for divisor in (2, 2 * shifts))
    padded = F.pad(images, (padding,) * 4)
    return padded[
        numbers[:count, None, None, None],
        numbers[None, :channels, None, None],
        rows[:, None, :, None],
        columns[:, None, None, :],
    ]


def normalise(images: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Return (images / 255 - mean) / std per channel, as float32."""
    centre, scale = (_by_channel(values, images.device) for values in (mean, std))
    return (images.float() / 255 - centre) / scale


@functools.lru_cache
def _by_channel(values: tuple[float, ...], device: torch.device) -> Tensor:
    # Made once, since a GPU waits for the host when a number comes from there.
    return torch.tensor(values, device=device).view(1, -1, 1, 1)
