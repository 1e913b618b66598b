"""The stored reference is what this code computes, so a built-in cannot change without a new version."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from diswot.benchmarks import tables
from diswot.benchmarks.errors import InputError
from diswot.benchmarks.spaces.nb201 import Cell
from diswot.harness.check import reference
from diswot.harness.compute import sweep
from diswot.harness.compute.task import score_cell
from diswot.proxies import registry

BUILT_IN = [name for name in registry.names() if registry.is_built_in(registry.get(name))]

# float32 on other kernels: sums move in the fifth digit, gradients' in the fourth. plain cancels to next to nothing,
# zico and grasp divide by or multiply differences of gradients, kdsvd turns on signs that the solver chooses, ntk_cond
# divides by the smallest eigenvalue, and az_progressivity is a small difference of entropies.
RELATIVE = 2e-3
LOOSE = {"plain": 0.2, "zico": 5e-2, "grasp": 5e-2, "kdsvd": 0.2, "ntk_cond": 2e-2, "az_progressivity": 2e-2}

#: Two of the fixed cells: one with a dead edge and two convolutions, one with a single convolution.
CELLS = (
    88,
    next(cell for cell in reference.cells(quick=False) if Cell.from_index(cell).live_convolutions == 1),
)


@pytest.fixture(scope="module")
def stored() -> reference.Reference:
    return reference.load()


@pytest.fixture(scope="module")
def computed() -> dict[tuple[str, int], tuple[str, float]]:
    """Statuses and scores of every built-in on two of the cells."""
    torch.set_num_threads(1)
    records = [registry.get(name) for name in BUILT_IN]
    context = sweep.prepare(reference.plan(reference.OWN, records, CELLS, (), workers=1))
    return {
        (record.proxy, cell): (record.status, np.nan if record.value is None else record.value)
        for cell in CELLS
        for record in score_cell(context, cell, 0, tuple(BUILT_IN))
    }


def test_it_holds_every_built_in_on_every_cell(stored: reference.Reference) -> None:
    assert list(stored.proxies["name"]) == BUILT_IN
    cells = reference.cells(quick=False)
    assert len(set(cells)) == len(cells) == 100
    assert set(CELLS) <= set(cells)
    assert reference.cells(quick=True) == cells[: reference.QUICK_CELLS]
    assert set(tables.load("nb201-kd").frame.index) >= set(cells)
    counted = stored.scores.groupby("proxy")["cell"].agg(["size", "nunique"])
    assert (counted == len(cells)).all(axis=None)
    assert set(stored.scores["status"]) <= {"ok", "undefined"}
    size = sum(path.stat().st_size for path in (reference.scores_path(), reference.card_path()))
    assert size < 300 * 1024


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_changed_built_in_needs_a_new_version(
    stored: reference.Reference, computed: dict[tuple[str, int], tuple[str, float]], name: str
) -> None:
    record = registry.get(name)
    mine = stored.proxies.set_index("name").loc[name]
    advice = "bump the version if a number has changed, and run `diswot check --refresh-reference`"
    assert (mine["version"], mine["direction"]) == (record.version, record.direction), advice
    rows = stored.scores[stored.scores["proxy"] == name].set_index("cell")
    assert set(rows["version"]) == {record.version}, advice
    for cell in CELLS:
        status, value = computed[name, cell]
        assert status == rows.loc[cell, "status"], advice
        expected = pytest.approx(rows.loc[cell, "value"], rel=LOOSE.get(name, RELATIVE), nan_ok=True)
        assert value == expected, advice


def test_its_settings_are_those_of_a_check(stored: reference.Reference) -> None:
    settings = reference.settings_of(reference.plan(reference.OWN, (), reference.cells(quick=True), (), workers=1))
    assert settings == stored.settings
    assert settings.hash == stored.settings.hash


def test_reading_it_loads_no_torch() -> None:
    code = (
        "import sys; from diswot.harness.check import reference; reference.load(); reference.cells(True); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the stored files, which is read instead."""
    shutil.copytree(reference.scores_path().parent, tmp_path / "data")
    monkeypatch.setattr(reference, "_FOLDER", tmp_path / "data")
    return tmp_path / "data"


def test_a_file_that_is_not_its_card_s_is_refused(elsewhere: Path) -> None:
    pd.DataFrame({"cell": [1]}).to_parquet(reference.scores_path())
    with pytest.raises(InputError, match="is not the file of its card; `diswot check --refresh-reference` makes both"):
        reference.load()


def test_a_card_of_another_schema_is_refused(elsewhere: Path) -> None:
    card = json.loads(reference.card_path().read_text())
    reference.card_path().write_text(json.dumps(card | {"schema": 99}))
    with pytest.raises(InputError, match=r"check: .*reference.* has schema 99; this version reads 1"):
        reference.load()
    reference.card_path().unlink()
    with pytest.raises(InputError, match=r"check: .*reference.* cannot be read"):
        reference.load()


def test_it_is_rebuilt_by_one_call(elsewhere: Path, monkeypatch: pytest.MonkeyPatch, inline: object) -> None:
    monkeypatch.setattr("diswot.harness.pool.local", lambda workers, devices: inline(workers))  # type: ignore[operator]
    (elsewhere / "cells.txt").write_text("".join(f"{cell}\n" for cell in CELLS[:1]))
    monkeypatch.setattr(registry, "_registered", {name: registry.get(name) for name in ("params", "flops")})
    before = reference.load()
    assert reference.refresh(workers=1) == elsewhere / "reference.parquet"
    after = reference.load()
    assert list(after.proxies["name"]) == ["params", "flops"]
    kept = before.scores[before.scores["proxy"].isin(["params", "flops"]) & (before.scores["cell"] == CELLS[0])]
    pd.testing.assert_frame_equal(after.scores, kept.reset_index(drop=True))
