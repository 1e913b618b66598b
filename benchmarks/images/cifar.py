"""CIFAR-10 and CIFAR-100 in the official Python layout (Krizhevsky, "Learning Multiple Layers of Features", 2009).

https://www.cs.toronto.edu/~kriz/cifar.html: pickled dictionaries with ``data``, one image of 3·32·32 bytes a row,
and ``labels`` (CIFAR-10) or ``fine_labels`` (CIFAR-100).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diswot.benchmarks.errors import unknown
from diswot.benchmarks.images import files
from diswot.benchmarks.remote import Remote

_SIZE = 32


_SITE = "https://www.cs.toronto.edu/~kriz"


@dataclass(frozen=True)
class Layout:
    """How a set is laid out on disk.

    Attributes:
        archive: the official archive, whose only folder is ``folder``.
        folder: the official name.
        splits: the files of ``train`` and ``test``.
        meta: the file with the names of the classes.
        key: of the labels.
        classes: how many.
    """

    archive: Remote
    folder: str
    splits: dict[str, tuple[str, ...]]
    meta: str
    key: str
    classes: int

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that is wanted of the archive."""
        return (*self.splits["train"], *self.splits["test"], self.meta)


#: The sets, by name.
LAYOUTS = {
    "cifar10": Layout(
        archive=Remote(f"{_SITE}/cifar-10-python.tar.gz", "c58f30108f718f92721af3b59e74349a", "md5"),
        folder="cifar-10-batches-py",
        splits={"train": tuple(f"data_batch_{number}" for number in range(1, 6)), "test": ("test_batch",)},
        meta="batches.meta",
        key="labels",
        classes=10,
    ),
    "cifar100": Layout(
        archive=Remote(f"{_SITE}/cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85", "md5"),
        folder="cifar-100-python",
        splits={"train": ("train",), "test": ("test",)},
        meta="meta",
        key="fine_labels",
        classes=100,
    ),
}


def load(name: str, split: str, image_dir: str | Path | None) -> tuple[np.ndarray, np.ndarray]:
    """Read one split.

    Args:
        name: ``cifar10`` or ``cifar100``.
        split: ``train`` or ``test``.
        image_dir: the official folder, or the one that holds it; None for where it is fetched to.

    Returns:
        The images (n, 3, 32, 32) uint8 and the labels (n,) int64, in the order of the files.

    Raises:
        InputError: if the folder or a file is missing, damaged, or holds something else; for ``train``, also if a file
            holds the same images as another one or as the test file.
    """
    if name not in LAYOUTS:
        raise unknown("CIFAR set", name, LAYOUTS)
    layout = LAYOUTS[name]
    if split not in layout.splits:
        raise unknown("split", split, layout.splits)
    hint = f"`diswot images fetch {name}` gets them"
    paths = files.find(image_dir, name, layout.folder, layout.splits[split], hint)
    others = [paths[0].with_name(file) for file in layout.splits["test"]] if split == "train" else []
    return files.joined(paths, others, functools.partial(_part, layout=layout))


def _part(path: Path, layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    content = files.entries(path)
    images = files.pixels(content, path, _SIZE)
    return images, files.labels(content, path, layout.key, len(images), 0, layout.classes - 1)
