"""Images for the proxies: Gaussian noise, CIFAR-10, CIFAR-100 and ImageNet16-120. Importing this loads no torch.

Means and deviations are those with which NAS-Bench-201 trained its cells (AutoDL-Projects,
xautodl/datasets/get_dataset_with_transform.py), so a network sees images as its published accuracies were made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from diswot.benchmarks.errors import InputError
from diswot.benchmarks.images import cifar, files, imagenet16
from diswot.benchmarks.images.batch import Batch
from diswot.benchmarks.registry import Registry

if TYPE_CHECKING:
    import numpy as np

__all__ = ["SETS", "Batch", "ImageSet", "fetchable", "fetched", "get", "read", "sample"]


@dataclass(frozen=True)
class ImageSet:
    """What is known of a set of images.

    Attributes:
        name: as given to ``--images``.
        classes: how many, or None where any number will do (noise).
        size: pixels of a side; for noise the default.
        mean: of the three channels, on the scale of 0 to 1.
        std: standard deviation of the same.
        padding: pixels of zero padding in the usual training augmentation.
        source: where the images come from.
        licence: under which terms.
        reader: reads a split, as `read` does; None where there is nothing to read.
    """

    name: str
    classes: int | None
    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    padding: int
    source: str
    licence: str
    reader: Callable[[str, str, str | Path | None], tuple[np.ndarray, np.ndarray]] | None


def _cifar(name: str, classes: int, mean: tuple[float, float, float], std: tuple[float, float, float]) -> ImageSet:
    return ImageSet(
        name=name,
        classes=classes,
        size=32,
        mean=_of_255(*mean),
        std=_of_255(*std),
        padding=4,
        source="Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009",
        licence="no formal licence",
        reader=cifar.load,
    )


def _of_255(red: float, green: float, blue: float) -> tuple[float, float, float]:
    return red / 255, green / 255, blue / 255


_OWN = (
    ImageSet(
        name="noise",
        classes=None,
        size=32,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        padding=0,
        source="drawn from N(0, 1) with the seed",
        licence="none needed",
        reader=None,
    ),
    _cifar("cifar10", 10, mean=(125.3, 123.0, 113.9), std=(63.0, 62.1, 66.7)),
    _cifar("cifar100", 100, mean=(129.3, 124.1, 112.4), std=(68.2, 65.4, 70.4)),
    ImageSet(
        name="imagenet16-120",
        classes=120,
        size=16,
        mean=_of_255(122.68, 116.66, 104.01),
        std=_of_255(63.22, 61.26, 65.09),
        padding=2,
        source="Chrabaszcz et al., A Downsampled Variant of ImageNet, arXiv 1707.08819; cut by NAS-Bench-201",
        licence="ImageNet terms of access: non-commercial research and education",
        reader=imagenet16.load,
    ),
)

#: Every image set by its name.
SETS: Registry[ImageSet] = Registry(ImageSet, "images", None, {one.name: one for one in _OWN})


def get(name: str) -> ImageSet:
    """Return what is known of a set.

    Raises:
        InputError: if there is no such set.
    """
    return SETS[name]


def fetchable() -> tuple[str, ...]:
    """Return the names of the sets that can be fetched; the terms of ImageNet forbid it for the others."""
    return tuple(cifar.LAYOUTS)


def fetched(name: str) -> Path | None:
    """Return the folder of a fetched set, or None where it has not been fetched."""
    layout = cifar.LAYOUTS.get(name)
    folder = files.location() / layout.folder if layout else None
    return folder if folder and folder.is_dir() else None


def read(name: str, split: str, image_dir: str | Path | None) -> tuple[np.ndarray, np.ndarray]:
    """Read all images of a split.

    Args:
        name: a set that is read from files.
        split: ``train`` or ``test``.
        image_dir: the set's official folder, or the one that holds it; None for where it was fetched to.

    Returns:
        The images (n, 3, size, size) uint8 and the labels (n,) int64.

    Raises:
        InputError: if the set is noise, or its folder or a file is missing, damaged, or holds something else.
    """
    image_set = get(name)
    if image_set.reader is None:
        raise InputError(f"images: {name} has no files to read; it is drawn when it is needed.")
    return image_set.reader(name, split, image_dir)


def sample(
    name: str,
    count: int,
    *,
    seed: int,
    image_dir: str | Path | None = None,
    classes: int | None = None,
    augment: bool = False,
    size: int | None = None,
) -> Batch:
    """Draw a batch: noise, or training images without replacement. A longer draw begins with the shorter one.

    Which images are drawn depends on what is in the set, not on the order in which its files have it.

    Args:
        name: the image set.
        count: how many images.
        seed: of the draw; the global random state is neither used nor changed.
        image_dir: where the set's files are, None for where they were fetched to; not looked at for noise.
        classes: for noise, over how many classes the labels are uniform; else None or the set's own number.
        augment: apply the usual training augmentation (random crop after zero padding, horizontal flip) to the raw
            images; which images are drawn does not depend on it. Noise has none, so asking for it is an error.
        size: pixels of a side; for noise any (32 if None), else a divisor of the set's own, to which the images
            are averaged.

    Returns:
        Normalised images, (count, 3, size, size) float32, and labels (count,) int64.

    Raises:
        InputError: if a value is out of range or does not fit the set, or the set cannot be read.
    """
    image_set = get(name)
    side = image_set.size if size is None else size
    for argument, value in (("count", count), ("size", side), ("classes", classes)):
        if value is not None and value < 1:
            raise InputError(f"{argument}: {value} is too small; it must be 1 or more.")
    if image_set.classes is None:
        return _noise(image_set, count, seed, classes, augment, side)
    if classes not in (None, image_set.classes):
        raise InputError(f"classes: {classes} was given; {name} has {image_set.classes}.")
    if image_set.size % side:
        raise InputError(f"size: {side} was given; {name} has {image_set.size} pixels a side, or a divisor of that.")
    return _real_images(image_set, count, seed, image_dir, augment, side)


def _noise(image_set: ImageSet, count: int, seed: int, classes: int | None, augment: bool, side: int) -> Batch:
    from diswot.benchmarks.images import draw

    if classes is None:
        raise InputError(f"classes: {image_set.name} has no number of classes of its own; give one, such as 10.")
    if augment:
        raise InputError(f"augment: {image_set.name} has no training augmentation; leave it off or take a real set.")
    return draw.noise(count, side, classes, seed)


def _real_images(
    image_set: ImageSet, count: int, seed: int, image_dir: str | Path | None, augment: bool, side: int
) -> Batch:
    import torch

    from diswot.benchmarks.images import draw

    pixels, labels = read(image_set.name, "train", image_dir)
    if count > len(labels):
        raise InputError(f"count: {count} images were asked for; {image_set.name} here has {len(labels)} to train on.")
    chosen = draw.by_content(pixels, labels)[draw.positions(count, len(labels), seed)]
    raw = torch.from_numpy(pixels[chosen])
    if augment:
        raw = draw.augment(raw, image_set.padding, draw.generator(seed, "augmentation"))
    images = draw.normalise(raw, image_set.mean, image_set.std)
    pooled = torch.nn.functional.avg_pool2d(images, image_set.size // side)
    return Batch(pooled, torch.from_numpy(labels[chosen]))
