"""Tables of the API objects that people have loaded: nas_201_api.NASBench201API and nats_bench's topology search space.

Neither package is imported: an object is read by the attributes that both share, and its results by the same code as
the official files (`diswot.benchmarks.tables.official`), so that no mean is ever one random training.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from diswot.benchmarks.errors import InputError, unknown
from diswot.benchmarks.tables import official
from diswot.benchmarks.tables.table import Table

#: The trainings that a table may be of, as the packages call them: by their epochs.
LENGTHS = ("12", "200")


def count(api: Any) -> int:
    """Return how many cells an API object knows.

    Raises:
        InputError: if it is none, or of another search space.
    """
    loaded = getattr(api, "arch2infos_dict", None)
    if not isinstance(loaded, Mapping) or getattr(api, "search_space_name", "topology") != "topology":
        raise InputError(
            f"api: a {type(api).__name__} is no loaded nas_201_api.NASBench201API, and no object of nats_bench for "
            "the topology search space (nats_bench.create(..., 'tss'))."
        )
    folder = _folder(api)
    return len(loaded) if folder is None else official.count(folder)


def read(api: Any, hp: str | int | None = "200", step: Callable[[], object] = lambda: None) -> Table:
    """Return the table of an API object, which stays as it is.

    Args:
        api: a ``nas_201_api.NASBench201API`` (package nas-bench-201), or what ``nats_bench.create`` returns for the
            topology search space; in its fast mode, the folder that it reads from is read as a whole.
        hp: of which trainings: ``12`` or ``200`` epochs, each with a schedule of its own; None for both.
        step: called after every cell.

    Returns:
        A table called ``nb201-12``, ``nb201-200`` or ``nb201-official``. Columns such as ``cifar100-test-200``, in
        percent after the last epoch, are means over the trainings that a cell has; ``cifar100-test-200-seed777`` is one
        training, NaN where there is none.

    Raises:
        InputError: if it is no such object, ``hp`` is something else, or there is no accuracy.
    """
    if hp is not None and str(hp) not in LENGTHS:
        raise unknown("hp", hp, LENGTHS)
    total, folder = count(api), _folder(api)
    frame = official.frame_of(_cells(api, step)) if folder is None else official.read(folder, step).frame
    if hp is not None:
        frame = frame.loc[:, [bool(re.search(rf"-{hp}(-seed[0-9]+)?$", column)) for column in frame.columns]]
    if frame.isna().all(axis=None):
        of = "" if hp is None else f" after {hp} epochs"
        raise InputError(f"api: the {type(api).__name__} of {total} cells holds no accuracy{of}.")
    name = f"nb201-{hp or 'official'}"
    origin = getattr(api, "filename", None) or "results in memory"
    source = f"{origin}, loaded by {type(api).__module__.partition('.')[0]}; the hash is of the figures as CSV"
    return Table(name, "nb201", frame, official.card(source, hashlib.sha256(frame.to_csv().encode()).hexdigest()))


def _folder(api: Any) -> Path | None:
    # In its fast mode nats_bench reads a cell when it is asked for.
    archive = getattr(api, "archive_dir", None) if getattr(api, "fast_mode", False) else None
    return None if archive is None else Path(archive)


def _cells(api: Any, step: Callable[[], object]) -> dict[int, dict[Any, float]]:
    cells: dict[int, dict[Any, float]] = {}
    for index, by_length in api.arch2infos_dict.items():
        where = f"api: cell {index}"
        trainings = {
            length: official.trained_of(by_length[length].state_dict(), official.EPOCHS[length], where)
            for length in LENGTHS
            if length in by_length
        }
        cells |= [official.merged(trainings, index, where)] if trainings else []
        step()
    return cells
