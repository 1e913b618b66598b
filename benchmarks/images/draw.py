"""Seeded draws: noise, positions in a set, and the training augmentation.

Every draw comes from a generator of its own, on the CPU, so that the global random state is left alone and a device
changes no number. Draws are made picture by picture: a longer one begins with the shorter one.
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.images.batch import Batch


def generator(seed: int, purpose: str) -> torch.Generator:
    """Return a generator for one purpose, so that one kind of draw never shifts another."""
    digest = hashlib.sha256(f"benchmarks.images/{purpose}/{seed}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def noise(count: int, size: int, classes: int, seed: int) -> Batch:
    """Return ``count`` pictures of N(0, 1) noise, (count, 3, size, size), with labels uniform over the classes."""
    pixels = generator(seed, "noise")
    # One call per picture: a single large call would give other numbers for another count.
    images = torch.stack([torch.randn(3, size, size, generator=pixels) for _ in range(count)])
    return Batch(images, torch.randint(classes, (count,), generator=generator(seed, "labels")))


def positions(count: int, available: int, seed: int) -> np.ndarray:
    """Return the first ``count`` entries of a seeded permutation of 0..available-1, as int64."""
    return torch.randperm(available, generator=generator(seed, "positions"))[:count].numpy()


def augment(pictures: Tensor, padding: int, random: torch.Generator) -> Tensor:
    """Crop at random after padding with zeros, and mirror every other picture, as torchvision does to raw pictures.

    Args:
        pictures: (count, 3, size, size) uint8.
        padding: pixels added on each side.
        random: where the offsets and the flips come from.

    Returns:
        Pictures of the same shape and type.
    """
    count, channels, size, _ = pictures.shape
    shifts = 2 * padding + 1
    # One number per picture, so that a longer draw begins with the shorter one: flip, row and column are read off it.
    choices = torch.randint(2 * shifts * shifts, (count,), generator=random)
    flipped = (choices % 2 == 1)[:, None, None, None]
    rows, columns = ((choices // divisor % shifts)[:, None] + torch.arange(size) for divisor in (2, 2 * shifts))
    padded = F.pad(pictures, (padding,) * 4)
    cropped = padded[
        torch.arange(count)[:, None, None, None],
        torch.arange(channels)[None, :, None, None],
        rows[:, None, :, None],
        columns[:, None, None, :],
    ]
    return torch.where(flipped, cropped.flip(-1), cropped)


def normalise(pictures: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Return (pictures / 255 - mean) / std per channel, as float32."""
    shape = (1, -1, 1, 1)
    return (pictures.float() / 255 - torch.tensor(mean).view(shape)) / torch.tensor(std).view(shape)
