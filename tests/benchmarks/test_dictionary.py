"""Pickled dictionaries of accuracies by cell."""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diswot.benchmarks import tables
from diswot.benchmarks.errors import InputError
from diswot.benchmarks.tables import dictionary
from diswot.harness.cli import main

ACCURACIES = {650: 68.5, 1: 61.25, 10: 70.0}


def written(folder: Path, content: Any) -> Path:
    path = folder / "nb201_kd_dict.pkl"
    path.write_bytes(pickle.dumps(content, protocol=2))
    return path


@pytest.mark.parametrize("kind", [float, np.float64, np.float32], ids=lambda kind: kind.__name__)
def test_dictionary_becomes_a_table(tmp_path: Path, kind: type) -> None:
    path = written(tmp_path, {cell: kind(accuracy) for cell, accuracy in ACCURACIES.items()})
    table = dictionary.read(path)
    assert (table.name, table.space) == ("nb201_kd_dict", "nb201")
    assert table.frame["accuracy"].to_dict() == dict(sorted(ACCURACIES.items()))
    assert table.card.data_hash == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_dictionary_of_auto_das_is_known_by_its_md5(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, ACCURACIES)
    monkeypatch.setattr(dictionary, "AUTODAS", hashlib.md5(path.read_bytes()).hexdigest())
    table = dictionary.read(path)
    assert list(table.frame) == ["distilled"]
    assert (table.card.teacher, table.card.epochs) == ("ResNet-110", "90")


def test_command_imports_a_dictionary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, ACCURACIES)
    assert main(["tables", "import", "nb201_kd_dict.pkl"]) == 0
    assert tables.load("nb201_kd_dict.parquet").frame["accuracy"].to_dict() == dict(sorted(ACCURACIES.items()))


class _Harmful:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("harmed",)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ([1, 2], "holds no dictionary"),
        ({}, "holds no dictionary"),
        ({15625: 50.0}, "the key '15625', which is no cell"),
        ({"cell": 50.0}, "the key 'cell', which is no cell"),
        ({True: 50.0}, "the key 'True', which is no cell"),
        ({3: 101.0}, "gives cell 3 the accuracy '101.0'"),
        ({3: float("nan")}, "gives cell 3 the accuracy 'nan'"),
        ({3: "50"}, "gives cell 3 the accuracy '50'"),
        ({3: [50.0]}, "gives cell 3 the accuracy"),
        ({3: 50.0, "3": 60.0}, "has a cell twice"),
        ({3: _Harmful()}, "mkdir"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_other_content_is_refused(content: Any, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=sentence):
        dictionary.read(written(tmp_path, content))
    assert not (tmp_path / "harmed").exists()
