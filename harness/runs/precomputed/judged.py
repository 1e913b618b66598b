"""The evidence that comes with precomputed scores, so that not every machine need judge all cells again.

It is taken where it answers exactly the question that is asked; see `harness.runs.answers`.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from diswot.benchmarks.errors import InputError
from diswot.harness import files, records
from diswot.harness.records import Document
from diswot.harness.runs.answers import TABLES
from diswot.harness.runs.precomputed import catalogue
from diswot.harness.runs.precomputed.catalogue import Precomputed


class Kept(Document):
    """Which question tables answer, and the SHA-256 of each of `TABLES`."""

    question: str
    data_hashes: dict[str, str]


def read(one: Precomputed, asked: str) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """Return the correlations and the evidence that came with scores; None where they answer another question.

    Raises:
        InputError: if they are damaged.
    """
    card = card_path(one.name)
    if not card.is_file():
        return None
    try:
        record = records.read(Kept, card, "scores")
        if record.question != asked:
            return None
        correlations, judged = (_read(one.name, table, record.data_hashes[table]) for table in TABLES)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"scores: {card} or what it names is damaged: {error}; install diswot-bench anew.") from error
    return correlations, judged


def write(one: Precomputed, answered: str, correlations: pd.DataFrame, judged: pd.DataFrame) -> None:
    """Keep evidence with precomputed scores.

    Args:
        one: the scores.
        answered: the question that it answers.
        correlations: as `diswot.harness.runs.results.Results.correlations`.
        judged: as `diswot.harness.runs.results.Results.evidence`.
    """
    hashes = {}
    for table, frame in zip(TABLES, (correlations, judged), strict=True):
        path = files.write_table(table_path(one.name, table), frame)
        hashes[table] = files.digest(path)
    files.write_json(card_path(one.name), Kept(question=answered, data_hashes=hashes).stored())


def card_path(name: str) -> Path:
    """Return the file that says which question the evidence of precomputed scores answers."""
    return catalogue.FOLDER / f"{name}.evidence.json"


def table_path(name: str, table: str) -> Path:
    """Return the file of a table of that evidence, one of `TABLES`."""
    return catalogue.FOLDER / f"{name}.{table}.parquet"


def _read(name: str, table: str, data_hash: str) -> pd.DataFrame:
    path = table_path(name, table)
    if files.digest(path) != data_hash:
        raise ValueError(f"{path.name} is another file")
    return pd.read_parquet(path)
