"""CIFAR-10 and CIFAR-100 in the official Python layout (Krizhevsky, "Learning Multiple Layers of Features", 2009).

https://www.cs.toronto.edu/~kriz/cifar.html: pickled dictionaries with ``data``, one picture of 3·32·32 bytes a row,
and ``labels`` (CIFAR-10) or ``fine_labels`` (CIFAR-100).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.errors import unknown
from benchmarks.images import files

_SIZE = 32


@dataclass(frozen=True)
class _Layout:
    folder: str
    splits: dict[str, tuple[str, ...]]
    key: str
    classes: int


_LAYOUTS = {
    "cifar10": _Layout(
        folder="cifar-10-batches-py",
        splits={"train": tuple(f"data_batch_{number}" for number in range(1, 6)), "test": ("test_batch",)},
        key="labels",
        classes=10,
    ),
    "cifar100": _Layout(
        folder="cifar-100-python",
        splits={"train": ("train",), "test": ("test",)},
        key="fine_labels",
        classes=100,
    ),
}


def load(name: str, split: str, image_dir: str | Path | None) -> tuple[np.ndarray, np.ndarray]:
    """Read one split.

    Args:
        name: ``cifar10`` or ``cifar100``.
        split: ``train`` or ``test``.
        image_dir: the official folder, or the one that holds it.

    Returns:
        The pictures (n, 3, 32, 32) uint8 and the labels (n,) int64, in the order of the files.

    Raises:
        InputError: if the folder or a file is missing, damaged, or holds something else.
    """
    if name not in _LAYOUTS:
        raise unknown("CIFAR set", name, _LAYOUTS)
    layout = _LAYOUTS[name]
    if split not in layout.splits:
        raise unknown("split", split, layout.splits)
    parts = [_part(path, layout) for path in files.find(image_dir, name, layout.folder, layout.splits[split])]
    return np.concatenate([pictures for pictures, _ in parts]), np.concatenate([labels for _, labels in parts])


def _part(path: Path, layout: _Layout) -> tuple[np.ndarray, np.ndarray]:
    content = files.entries(path)
    pictures = files.pixels(content, path, _SIZE)
    return pictures, files.labels(content, path, layout.key, len(pictures), 0, layout.classes - 1)
