"""ImageNet16-120: the first 120 classes of ImageNet at 16×16, in the official pickles.

Chrabaszcz et al., "A Downsampled Variant of ImageNet" (arXiv 1707.08819), cut to 120 classes by NAS-Bench-201
(AutoDL-Projects, xautodl/datasets/DownsampledImageNet.py). The files number all 1,000 classes from 1.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from diswot.benchmarks.errors import InputError, unknown
from diswot.benchmarks.images import files

_FOLDER = "ImageNet16"
_SIZE = 16
_CLASSES_IN_FILE = 1000
_CLASSES = 120
_SPLITS = {"train": tuple(f"train_data_batch_{number}" for number in range(1, 11)), "test": ("val_data",)}


def load(name: str, split: str, image_dir: str | Path | None) -> tuple[np.ndarray, np.ndarray]:
    """Read one split.

    Args:
        name: ``imagenet16-120``.
        split: ``train``, or ``test`` for the official validation images.
        image_dir: the folder ``ImageNet16``, or the one that holds it.

    Returns:
        The images (n, 3, 16, 16) uint8 and the labels (n,) int64 from 0 to 119, in the order of the files.

    Raises:
        InputError: if the folder or a file is missing, damaged, or holds something else; for ``train``, also if a file
            holds the same images as another one or as the test file.
    """
    if split not in _SPLITS:
        raise unknown("split", split, _SPLITS)
    paths = files.find(image_dir, name, _FOLDER, _SPLITS[split])
    others = [paths[0].with_name(file) for file in _SPLITS["test"]] if split == "train" else []
    images, labels = files.joined(paths, others, _part)
    if not len(images):
        raise InputError(
            f"'{paths[0].parent}' holds no image of the first {_CLASSES} classes; its files are not whole."
        )
    return images, labels


def _part(path: Path) -> tuple[np.ndarray, np.ndarray]:
    content = files.entries(path)
    images = files.pixels(content, path, _SIZE)
    labels = files.labels(content, path, "labels", len(images), 1, _CLASSES_IN_FILE)
    kept = labels <= _CLASSES  # cut file by file, so that the whole of ImageNet is never held
    return images[kept], labels[kept] - 1
