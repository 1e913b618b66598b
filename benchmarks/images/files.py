"""What the readers of image sets share: finding the folder, and checking what one of its pickles holds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from diswot.benchmarks import cache, unpickle
from diswot.benchmarks.errors import InputError
from diswot.benchmarks.paths import expanded


def location() -> Path:
    """Return the folder that holds the folders of fetched sets; it need not be there yet."""
    return cache.folder() / "images"


def find(image_dir: str | Path | None, name: str, folder: str, files: Sequence[str], hint: str = "") -> list[Path]:
    """Return the paths of a set's files.

    Args:
        image_dir: the set's folder, or the one that holds it; None for `location`.
        name: the set, for the error text.
        folder: the official name of the set's folder.
        files: the official names of the files that are wanted.
        hint: how to come by them, for the error text.

    Raises:
        InputError: if no folder was given and none was fetched, or it or one of the files is missing.
    """
    layout = f"the official layout is {folder}/ with {_listed(files)}"
    if image_dir is None and not (location() / folder).is_dir():
        known = layout + (f"; {hint}" if hint else "")
        raise InputError(f"image_dir: the images of {name} are read from a folder and none was given; {known}.")
    given = location() if image_dir is None else expanded("image_dir", image_dir)
    if not given.is_dir():
        raise InputError(f"image_dir: there is no folder '{given}'; for {name}, {layout}.")
    inner = given / folder
    chosen = inner if inner.is_dir() else given
    missing = [file for file in files if not (chosen / file).is_file()]
    if missing:
        raise InputError(f"image_dir: '{chosen}' lacks {_listed(missing)} of {name}; {layout}.")
    return [chosen / file for file in files]


def entries(path: Path) -> dict[str, object]:
    """Return the dictionary that a pickle of the official layout holds, its keys as text, its arrays numpy's own.

    Raises:
        InputError: if the file is damaged, holds something else, or asks for more than arrays.
    """
    content = unpickle.load(path, unpickle.ARRAYS, encoding="bytes")
    if not isinstance(content, dict):
        raise InputError(f"'{path}' holds a {type(content).__name__}; the official file holds a dictionary.")
    names = {key: key.decode("latin1") if isinstance(key, bytes) else str(key) for key in content}
    return {names[key]: np.asarray(value) if isinstance(value, np.ndarray) else value for key, value in content.items()}


def pixels(content: Mapping[str, object], path: Path, size: int) -> np.ndarray:
    """Return the images of one file as (n, 3, size, size) uint8.

    Raises:
        InputError: if ``data`` is missing or is no (n, 3·size²) array of uint8.
    """
    data = content.get("data")
    width = 3 * size * size
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != width:
        found = f"{data.dtype} {data.shape}" if isinstance(data, np.ndarray) else _absent(data)
        raise InputError(f"'{path}': 'data' is {found}; the official file has a uint8 array (n, {width}).")
    return data.reshape(-1, 3, size, size)


def labels(content: Mapping[str, object], path: Path, key: str, count: int, lowest: int, highest: int) -> np.ndarray:
    """Return the labels of one file as (count,) int64, as they stand in the file.

    Raises:
        InputError: if they are missing, are not ``count`` whole numbers, or one is outside lowest..highest.
    """
    found = content.get(key)
    values = found.tolist() if isinstance(found, np.ndarray) else found  # of an array without dimensions, a number
    if not isinstance(values, list):
        raise InputError(
            f"'{path}': '{key}' is {_absent(values)}; found {_listed(sorted(content)) or 'nothing'}, "
            f"and the official file has a list of {count} labels."
        )
    whole = all(isinstance(value, (int, np.integer)) for value in values)
    if not whole or len(values) != count:
        fault = f"{len(values)} values" if whole else "not a list of whole numbers"
        raise InputError(f"'{path}': '{key}' is {fault}; the file has {count} images, each with one label.")
    wrong = next((value for value in values if not lowest <= value <= highest), None)
    if wrong is not None:
        raise InputError(f"'{path}': '{key}' has the label {wrong}; the set's labels are {lowest} to {highest}.")
    return np.asarray(values, dtype=np.int64)


def joined(
    paths: Sequence[Path], others: Sequence[Path], part: Callable[[Path], tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the images and the labels of several files, one file after the other.

    Args:
        paths: the files of the split.
        others: files with which these must share no images, such as those of the test split, as far as they are there.
        part: reads one file.

    Raises:
        InputError: if one file holds the same images as another.
    """
    parts = {path: part(path) for path in (*paths, *(path for path in others if path.is_file()))}
    first: dict[bytes, Path] = {}
    for path, (images, _) in parts.items():
        original = first.setdefault(hashlib.sha256(images.tobytes()).digest(), path)
        if original != path and len(images):
            raise InputError(f"'{path}' holds the same images as {original.name}; get both files again.")
    images, labels = zip(*(parts[path] for path in paths), strict=True)
    return np.concatenate(images), np.concatenate(labels)


def _absent(value: object) -> str:
    return "missing" if value is None else f"a {type(value).__name__}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{names[0]}, ... {names[-1]}"
