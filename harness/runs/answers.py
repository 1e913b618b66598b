"""Correlations that were computed once, kept in a folder by the question that they answer.

The folder is a run's, or that of precomputed scores.

A question is a hash of everything that the answer depends on, this project's code included. So no answer is stale, each
is computed once, and none takes the place of another's.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from types import FunctionType, ModuleType

import numpy as np
import pandas as pd

from diswot.benchmarks import spaces
from diswot.harness import evidence, files
from diswot.harness.evidence.ensembles import ENSEMBLES
from diswot.harness.evidence.metrics import METRICS
from diswot.harness.evidence.table import Method, TargetAccuracies

#: What an answer consists of.
TABLES = ("correlations", "evidence")


def question(
    data: str, proxies: pd.DataFrame, targets: Sequence[TargetAccuracies], method: Method, undefined: str
) -> str:
    """Return a hash of what evidence depends on: scores, directions, accuracies, method, and this project's code.

    The versions of numpy, scipy and pandas are not part of it.

    Args:
        data: a hash of the scores.
        proxies: with columns name, family and direction.
        targets: what the scores are correlated with.
        method: of measuring uncertainty.
        undefined: one of `harness.evidence.panel.UNDEFINED`.
    """
    records = list(proxies[["name", "family", "direction"]].itertuples(index=False, name=None))
    plugged_in = (*METRICS, *ENSEMBLES)  # a distribution may bring more than are in this project's code
    found = hashlib.sha256(repr((data, records, astuple(method), undefined, plugged_in)).encode())
    for target in targets:
        described = (target.name, target.by_function, target.accuracies.index.tolist(), target.seeds.columns.tolist())
        found.update(repr(described).encode())
        found.update(target.accuracies.to_numpy(float).tobytes())
        found.update(target.seeds.to_numpy(float).tobytes())
    found.update(code_of(evidence, spaces) + code_of_plugins(*METRICS.values(), *ENSEMBLES.values()))
    return found.hexdigest()


def code_of(*packages: ModuleType) -> bytes:
    """Return the source code of packages, file after file: an answer depends on it too."""
    folders = (Path(str(package.__file__)).parent for package in packages)
    paths = (path for folder in folders for path in sorted(folder.rglob("*.py")))
    return b"".join(path.read_text(encoding="utf-8").encode() for path in paths)


def code_of_plugins(*things: object) -> bytes:
    """Return the source code of the functions that things have and that are not this project's; their whole files."""
    functions = [f for thing in things for f in (thing, *vars(thing).values()) if inspect.isfunction(f)]
    return b"".join(sorted({_source(f) for f in functions if not f.__module__.startswith("diswot.")}))


def _source(function: FunctionType) -> bytes:
    path = Path(inspect.getfile(function))
    # A function of a notebook has no file.
    return (
        path.read_bytes() if path.is_file() else repr((function.__code__.co_code, function.__code__.co_consts)).encode()
    )


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
