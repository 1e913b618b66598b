"""Correlations that were computed once, kept in a folder by the question that they answer.

The folder is a run's, or that of precomputed scores.

A question is a hash of everything that the answer depends on, this project's code included. So no answer is stale, each
is computed once, and none takes the place of another's.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import is_dataclass
from functools import partial
from pathlib import Path
from types import FunctionType

import numpy as np
import pandas as pd

from diswot.benchmarks import spaces
from diswot.benchmarks.spaces import Space
from diswot.harness import evidence, files
from diswot.harness.evidence.ensembles import ENSEMBLES
from diswot.harness.evidence.metrics import METRICS
from diswot.harness.evidence.table import TargetAccuracies

#: What an answer consists of.
TABLES = ("correlations", "evidence")


def question(
    data: str, proxies: pd.DataFrame, targets: Sequence[TargetAccuracies], metric: str, undefined: str, space: Space
) -> str:
    """Return a hash of what evidence depends on: scores, directions, accuracies, metric, and code.

    The versions of numpy, scipy and pandas are not part of it.

    Args:
        data: a hash of the scores.
        proxies: with columns name, family and direction.
        targets: what the scores are correlated with.
        metric: the rank correlation that evidence is about.
        undefined: one of `harness.evidence.panel.UNDEFINED`.
        space: of the cells; it knows subsets and functions.
    """
    records = list(proxies[["name", "family", "direction"]].itertuples(index=False, name=None))
    plugged_in = (*METRICS, *ENSEMBLES)  # a distribution may bring more than are in this project's code
    found = hashlib.sha256(repr((data, records, metric, space.name, undefined, plugged_in)).encode())
    for target in targets:
        described = (target.name, target.by_function, target.accuracies.index.tolist(), target.seeds.columns.tolist())
        found.update(repr(described).encode())
        found.update(target.accuracies.to_numpy(float).tobytes())
        found.update(target.seeds.to_numpy(float).tobytes())
    found.update(files.code_of(evidence, spaces) + code_of_plugins(space, *METRICS.values(), *ENSEMBLES.values()))
    return found.hexdigest()


def code_of_plugins(*things: object) -> bytes:
    """Return the source code of the functions and classes in things that are not this project's; their whole files."""
    return b"".join(sorted({_source(code) for code in _code(things) if not code.__module__.startswith("diswot.")}))


def _code(things: Iterable[object]) -> list[FunctionType | type]:
    # Also what a function closes over or is called with: a plug-in is often a function that one of ours has made.
    pending = list(things)
    seen: dict[int, object] = {}
    while pending:
        thing = pending.pop()
        if id(thing) in seen:
            continue
        seen[id(thing)] = thing
        if inspect.isfunction(thing):
            pending += [cell.cell_contents for cell in thing.__closure__ or ()]
        elif isinstance(thing, partial):
            pending += [thing.func, *thing.args, *thing.keywords.values()]
        elif isinstance(thing, Mapping):
            pending += thing.values()
        elif is_dataclass(thing) and not isinstance(thing, type):
            pending += vars(thing).values()
    return [thing for thing in seen.values() if inspect.isfunction(thing) or isinstance(thing, type)]


def _source(code: FunctionType | type) -> bytes:
    try:
        return Path(inspect.getfile(code)).read_bytes()
    except (OSError, TypeError):  # it has no file, such as one of a notebook
        compiled = getattr(code, "__code__", None)
        return repr((code.__qualname__, compiled and (compiled.co_code, compiled.co_consts))).encode()


def hash_of_scores(scores: pd.DataFrame) -> str:
    """Return a hash of what of scores decides correlations; their order plays no part."""
    rows = pd.util.hash_pandas_object(scores[["proxy", "cell", "seed", "status", "value"]], index=False)
    return hashlib.sha256(np.sort(rows.to_numpy()).tobytes()).hexdigest()


def read(folder: Path, asked: str) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """Return the correlations and the evidence that answer a question; None where a folder has no such answer."""
    paths = [_path(folder, asked, table) for table in TABLES]
    if not all(path.is_file() for path in paths):
        return None
    try:
        correlations, judged = map(pd.read_parquet, paths)
    except (OSError, ValueError):  # damaged; it is computed again
        return None
    return correlations, judged


def write(folder: Path, asked: str, correlations: pd.DataFrame, judged: pd.DataFrame) -> None:
    """Keep the answer to a question in a folder."""
    for table, frame in zip(TABLES, (correlations, judged), strict=True):
        files.write_table(_path(folder, asked, table), frame)


def _path(folder: Path, asked: str, table: str) -> Path:
    return folder / "answers" / f"{asked[:16]}.{table}.parquet"
