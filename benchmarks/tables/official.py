"""The official files of NAS-Bench-201 and of NATS-Bench's topology search space, read into one table.

``NAS-Bench-201-v1_*.pth`` is a dictionary that ``torch.save`` wrote, its ``arch2infos`` ``{index: {"less": trained for
12 epochs, "full": for 200}}``. NATS-Bench-tss is a folder of bz2 pickles, one ``{"12": ..., "200": ...}`` a cell. The
values are the ``state_dict`` of the class ArchResults of the packages ``nas-bench-201`` and ``nats-bench``.

Neither torch nor those packages are used: the files are pickles of plain dictionaries and numbers, and are read as
such, without running what is in them. Of the 2 to 5 GB of a .pth, whose curves would fill tens of GB, each
training leaves its last accuracies, and the rest is forgotten as it is read.
"""

from __future__ import annotations

import bz2
import functools
import hashlib
import io
import math
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import pandas as pd

from diswot.benchmarks import unpickle
from diswot.benchmarks.errors import InputError
from diswot.benchmarks.spaces.nb201 import SIZE, Cell
from diswot.benchmarks.tables import nb201
from diswot.benchmarks.tables.table import Card, Table

# By the names of images and evaluation set in the files. ori-test is the official test set; of CIFAR-100 and
# ImageNet16-120 that is x-valid and x-test together, and left out.
_COLUMNS = {
    ("cifar10-valid", "x-valid"): "cifar10-valid-val",
    ("cifar10-valid", "ori-test"): "cifar10-valid-test",
    ("cifar10", "ori-test"): "cifar10-test",
    ("cifar100", "x-valid"): "cifar100-val",
    ("cifar100", "x-test"): "cifar100-test",
    ("ImageNet16-120", "x-valid"): "imagenet16-120-val",
    ("ImageNet16-120", "x-test"): "imagenet16-120-test",
}
_NAMES = list(_COLUMNS.values())

#: The epochs of a training, by what the files call it.
EPOCHS = {"less": 12, "full": 200, "12": 12, "200": 200}

_ALLOWED: Mapping[tuple[str, str], object] = {
    **unpickle.ARRAYS,
    ("collections", "OrderedDict"): OrderedDict,
    ("__builtin__", "set"): set,
    ("builtins", "set"): set,
}

# How torch.save began before version 1.6, of which the official files are: a pickled number.
_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_ENDING = ".pickle.pbz2"
_NATS = (
    "Xuanyi Dong, Lu Liu, Katarzyna Musial, Bogdan Gabrys. NATS-Bench: Benchmarking NAS Algorithms for Architecture "
    "Topology and Size. TPAMI 2021. arXiv:2009.00437"
)
_WHAT = "what can be imported is the official NAS-Bench-201-v1_*.pth, or the unpacked folder of NATS-Bench-tss"


class _Key(NamedTuple):
    """One column; they are sorted by these, means before their seeds."""

    name: int
    epochs: int
    seed: int | None

    @property
    def order(self) -> tuple[int, int, int]:
        return self.name, self.epochs, -1 if self.seed is None else self.seed

    @property
    def column(self) -> str:
        return f"{_NAMES[self.name]}-{self.epochs}" + ("" if self.seed is None else f"-seed{self.seed}")


class Trained(NamedTuple):
    """What a cell's trainings leave: accuracies in percent by column."""

    cell: int
    accuracies: dict[_Key, float]


def count(path: Path) -> int:
    """Return how many cells a file or folder holds, as far as can be said without reading it.

    Raises:
        InputError: if it is missing.
    """
    if not path.exists():
        raise InputError(f"table: there is no file or folder '{path}'; {_WHAT}.")
    return len(_pickles(path)) if path.is_dir() else SIZE


def read(path: Path, step: Callable[[], object] = lambda: None) -> Table:
    """Read the official file, or folder.

    Args:
        path: ``NAS-Bench-201-v1_*.pth``, or the unpacked folder of NATS-Bench-tss.
        step: called after every cell.

    Returns:
        A table with the name of the file: accuracies in percent, after the last epoch. A column such as
        ``cifar100-test-200`` is the mean over the trainings that the cell has (the packages' ``is_random=False``).
        ``cifar100-test-200-seed777`` is one training, NaN where the cell has none.

    Raises:
        InputError: if it is missing, damaged, or holds something else.
    """
    if not count(path):
        raise InputError(f"table: '{path}' holds no cell; {_WHAT}.")
    cells = dict(_from_folder(path, step) if path.is_dir() else _from_file(path, step))
    if not any(cells.values()):
        raise InputError(f"table: '{path}' holds no accuracy; {_WHAT}.")
    return Table(path.resolve().name.removesuffix(".pth"), "nb201", frame_of(cells), _card(path))


def frame_of(cells: Mapping[int, Mapping[_Key, float]]) -> pd.DataFrame:
    """Return the frame of a table: a row a cell, ascending, means before their seeds, NaN where there is no training.

    Args:
        cells: accuracies in percent, as `trained_of` makes them, by cell.
    """
    keys = sorted({key for accuracies in cells.values() for key in accuracies}, key=lambda key: key.order)
    columns = {key.column: [accuracies.get(key, math.nan) for accuracies in cells.values()] for key in keys}
    frame = pd.DataFrame(columns, index=pd.Index(list(cells), name="cell", dtype="int64"), dtype="float64")
    return frame.sort_index()


def _from_file(path: Path, step: Callable[[], object]) -> Iterator[Trained]:
    def reduced(key: str, state: Any) -> Trained:
        trained = trained_of(state, EPOCHS[key], f"table: '{path}'")
        for one in state["all_results"].values():
            _forget(one)
        if key == "full":
            step()
        return trained

    kept: dict[object, Callable[[Any], object]] = {
        **dict.fromkeys(("train_acc1es", "train_acc5es", "train_losses", "train_times"), _forget),
        **dict.fromkeys(("eval_losses", "eval_times", "arch_config"), _forget),
        "eval_acc1es": _last,
        "less": functools.partial(reduced, "less"),
        "full": functools.partial(reduced, "full"),
    }
    with unpickle.explained(path), _opened(path) as file:
        content = unpickle.reduce(file, path, _ALLOWED, kept)
    cells = content.get("arch2infos") if isinstance(content, dict) else None
    if not isinstance(cells, dict):
        raise InputError(f"table: '{path}' has no dictionary arch2infos; {_WHAT}.")
    for index, by_key in cells.items():
        where = f"table: '{path}', arch2infos[{index!r}]"
        yield merged(_made_of(by_key, "less", "full", where=where), index, where)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    # A file of torch.save is a zip archive with the pickle in it or, before version 1.6, pickles one after the other.
    with ExitStack() as stack:
        if zipfile.is_zipfile(path):
            archive = stack.enter_context(zipfile.ZipFile(path))
            member = next((name for name in archive.namelist() if name.endswith("/data.pkl")), None)
            if member is None:
                raise InputError(f"table: '{path}' is no whole file of torch.save; {_WHAT}.")
            raw: Any = stack.enter_context(archive.open(member))
            yield stack.enter_context(io.BufferedReader(raw, 1 << 20))
            return
        file = stack.enter_context(path.open("rb", buffering=1 << 20))
        if file.read(len(_MAGIC)) != _MAGIC:
            raise InputError(f"table: '{path}' is no whole file of torch.save; {_WHAT}.")
        for _ in ("version of the format", "byte order and sizes"):
            unpickle.reduce(file, path, {}, {})
        yield file


def _from_folder(path: Path, step: Callable[[], object]) -> Iterator[Trained]:
    for file in _pickles(path):
        with unpickle.explained(file), bz2.open(file) as stream:
            content = unpickle.read(stream, file, _ALLOWED)
        where = f"table: '{file}'"
        states = _made_of(content, "12", "200", where=where)
        by_key = {key: trained_of(state, EPOCHS[key], where) for key, state in states.items()}
        yield merged(by_key, int(file.name.removesuffix(_ENDING)), where)
        step()


def _pickles(folder: Path) -> list[Path]:
    return sorted(file for file in folder.glob(f"*{_ENDING}") if file.name.removesuffix(_ENDING).isdecimal())


def _made_of(content: Any, *keys: str, where: str) -> dict[str, Any]:
    if not isinstance(content, dict) or not set(keys) <= set(content):
        raise InputError(f"{where} lacks {' or '.join(map(repr, keys))}; {_WHAT}.")
    return {key: content[key] for key in keys}


def merged(by_key: Mapping[str, Trained], index: object, where: str) -> Trained:
    """Return what the shorter and the longer trainings of a cell leave together.

    Raises:
        InputError: if they are of a cell whose official index is another one.
    """
    parts = list(by_key.values())
    wrong = next((part.cell for part in parts if part.cell != index), None)
    if wrong is not None:
        raise InputError(f"{where} holds cell {wrong}, whose official index is not {index!r}; {_WHAT}.")
    return Trained(parts[0].cell, {key: value for part in parts for key, value in part.accuracies.items()})


def trained_of(state: Any, epochs: int, where: str) -> Trained:
    """Return the accuracies in the state of an ArchResults, in percent after the last epoch: trainings and means.

    Args:
        state: as its ``state_dict`` gives it.
        epochs: 12 or 200.
        where: what the sentence about a fault begins with.

    Raises:
        InputError: if the state is laid out otherwise.
    """
    accuracies: dict[_Key, float] = {}
    try:
        cell = Cell.from_string(state["arch_str"]).index
        for number, (images, evaluated) in enumerate(_COLUMNS):
            by_seed = {}
            for seed in state["dataset_seed"].get(images, ()):
                training = state["all_results"][images, seed]
                if training["epochs"] != epochs:
                    raise ValueError(f"{training['epochs']} epochs where there should be {epochs}")
                last = f"{evaluated}@{epochs - 1}"
                if last in training["eval_acc1es"]:
                    by_seed[_Key(number, epochs, int(seed))] = _percent(training["eval_acc1es"][last])
            if by_seed:
                accuracies |= {_Key(number, epochs, None): float(np.mean(list(by_seed.values()))), **by_seed}
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        detail = f"{type(error).__name__}: {error}"
        raise InputError(f"{where} is not laid out as the official one ({detail}); {_WHAT}.") from error
    return Trained(cell, accuracies)


def _percent(value: Any) -> float:
    accuracy = float(value)
    if not 0 <= accuracy <= 100:
        raise ValueError(f"the accuracy {accuracy}")
    return accuracy


def _last(accuracies: Any) -> Any:
    """Empty a training's accuracies by ``set@epoch``, but for those after the last of 12 or 200 epochs."""
    if isinstance(accuracies, dict):
        kept = {key: value for key, value in accuracies.items() if str(key).endswith(("@11", "@199"))}
        accuracies.clear()
        accuracies.update(kept)
    return accuracies


def _forget(value: Any) -> None:
    if isinstance(value, dict):
        value.clear()


def _card(path: Path) -> Card:
    files = _pickles(path) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    benchmark = "NATS-Bench, topology search space" if path.is_dir() else "NAS-Bench-201"
    which = f"of its {len(files)} files of cells, one after the other" if path.is_dir() else "of the file"
    source = f"{path.resolve().name}: the official results of {benchmark}; SHA-256 {which}: {digest.hexdigest()}"
    return card(source, digest.hexdigest(), _NATS if path.is_dir() else nb201.TABLE.card.citation)


def card(source: str, data_hash: str, citation: str = nb201.TABLE.card.citation) -> Card:
    """Return the card of the official results, read from anywhere."""
    return Card(
        source=source,
        licence="MIT",
        images="CIFAR-10, CIFAR-100, ImageNet16-120",
        recipe=f"{nb201.TABLE.card.recipe}. cifar10: trained on all of CIFAR-10's training images",
        teacher="none",
        seeds="1 to 3 trainings a cell: a column that ends in -seedN is one of them, the others are means over all",
        epochs="12 or 200, as the columns say, each with a schedule of its own",
        citation=citation,
        data_hash=data_hash,
    )
