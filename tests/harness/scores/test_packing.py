from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet

from diswot.benchmarks import spaces
from diswot.benchmarks.errors import InputError
from diswot.harness.runs import packing, results, run_folder
from diswot.harness.runs.precomputed import catalogue
from diswot.harness.runs.precomputed.catalogue import Precomputed
from diswot.harness.runs.store import Record, Store


def test_the_same_store_gives_the_same_bytes(finished: Path, shipped: Precomputed) -> None:
    again = packing.pack(finished, "again")
    assert again.path.read_bytes() == shipped.path.read_bytes()
    assert again.data_hash == shipped.data_hash == hashlib.sha256(shipped.path.read_bytes()).hexdigest()


def test_the_card_says_how_it_was_made(finished: Path, shipped: Precomputed) -> None:
    info, scores = run_folder.read_info(finished).stored(), results.load(finished).scores
    card = shipped.card.stored()
    for name in ("settings", "settings_hash", "versions", "device", "git_revision", "proxies", "hashes"):
        assert card[name] == info[name]
    assert (card["cells"], card["seeds"], card["scores"]) == (64, [0], 128)
    assert (card["undefined"], card["failed"]) == ({"nwot": 1}, 0)
    # Every network of S0 is a function of its own; to three decimals.
    assert card["hours"] == pytest.approx(scores["seconds"].sum() / 3600, abs=5e-4)
    assert "MIT" in card["licence"]
    page = (Path(__file__).resolve().parents[3] / "docs" / "scores.md").read_text(encoding="utf-8")
    for name in card:
        assert f"`{name}`" in page
    assert card["citation"]


def test_hours_count_what_cells_share_once(finished: Path) -> None:
    found, representative = results.load(finished), spaces.get("nb201").representative
    cells = [cell for cell in spaces.get("nb201").cells if representative(cell) == representative(0)][:3]
    assert len(cells) == 3
    rows = [(name, seed, cell, 1800.0) for name in ("shared", "own") for seed in (0, 1) for cell in cells]
    made = replace(
        found,
        info=found.info.model_copy(update={"space": "nb201"}),
        scores=pd.DataFrame(rows, columns=["proxy", "seed", "cell", "seconds"]),
        proxies=pd.DataFrame({"name": ["shared", "own"], "live_edges_only": [True, False]}),
    )
    assert packing._seconds_of_computing(made) == 1800 * (2 * 1 + 2 * 3)


def test_a_card_names_no_folder_of_one_machine(finished: Path, shelf: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    info = run_folder.read_info(run).stored()
    command = "diswot evaluate --image-dir '/home/some one/cifar10' --out runs/x --batch-size=4"
    run_folder.info_path(run).write_text(json.dumps(info | {"commands": [command]}))
    assert packing.pack(run, "x").card.commands == ["diswot evaluate --image-dir cifar10 --out runs/x --batch-size=4"]


def test_a_card_keeps_the_device_of_what_was_taken(finished: Path, shelf: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    info = run_folder.read_info(run).stored()
    note = {"set": "x", "data_hash": "0", "device": "another", "proxies": ["nwot"]}
    computed = {"device": "test", "proxies": ["live_flops"]}
    run_folder.info_path(run).write_text(json.dumps(info | {"taken": [note], "computed": [computed]}))
    assert packing.pack(run, "x").devices == {"live_flops": "test", "nwot": "another"}


def test_a_proxy_is_a_row_group(shipped: Precomputed) -> None:
    metadata = parquet.ParquetFile(shipped.path).metadata
    first = [metadata.row_group(group).column(0).statistics for group in range(metadata.num_row_groups)]
    assert [(one.min, one.max) for one in first] == [("live_flops", "live_flops"), ("nwot", "nwot")]


def test_seconds_keep_three_digits() -> None:
    seconds = np.array([0.0, 0.00123456, 0.9996, 1.2349, 98765.0])
    assert packing._rounded(seconds).tolist() == pytest.approx([0, 0.00123, 1.0, 1.23, 98800], rel=1e-12)


def _without_a_cell(store: Store, record: Record) -> None:
    store._connection.execute("DELETE FROM scores WHERE cell = 333 AND proxy = 'nwot'")


def _with_a_failure(store: Store, record: Record) -> None:
    store.write([replace(record, status="failed", value=None, cause="OSError: no disk")])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_without_a_cell, r"is not complete: 1 of 128 scores are missing, such as nwot with seed 0 of cell 333; "),
        (_with_a_failure, r"1 scores of .* failed, such as nwot of cell 777: OSError: no disk; `diswot evaluate`"),
    ],
)
def test_an_unfinished_run_is_refused(
    finished: Path, shelf: Path, tmp_path: Path, change: Callable[[Store, Record], None], says: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    frame = results.load(run).scores
    values: dict[str, Any] = frame[(frame["cell"] == 777) & (frame["proxy"] == "nwot")].iloc[0].to_dict()
    record = Record(settings=run_folder.read_info(run).settings_hash, **values)
    with Store(run_folder.store_path(run), create=False) as store:
        change(store, replace(record, cell=int(record.cell), seed=int(record.seed)))
    with pytest.raises(InputError, match=says):
        packing.pack(run, "x")
    assert catalogue.names() == ()


def test_a_proxy_of_ones_own_is_not_shipped(finished: Path, shelf: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    info = run_folder.read_info(run).stored()
    info["proxies"].append(info["proxies"][0] | {"name": "mine"})
    run_folder.info_path(run).write_text(json.dumps(info))
    with pytest.raises(InputError, match="has scores of mine, which are not built in"):
        packing.pack(run, "x")


@pytest.mark.parametrize("name", ["", "S0", "a b", "../x", "a--b", "x.y"])
def test_a_name_is_plain(finished: Path, shelf: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"NAME: .* must be lower-case letters, digits and single hyphens"):
        packing.pack(finished, name)


def test_some_proxies_of_a_run_can_be_packed(finished: Path, shelf: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    with sqlite3.connect(run_folder.store_path(run)) as store:
        store.execute("DELETE FROM scores WHERE proxy = 'nwot' AND cell = 333")
    store.close()
    with pytest.raises(InputError, match="is not complete"):
        packing.pack(run, "x")
    one = packing.pack(run, "x", ["live_flops"])
    assert list(one.versions) == ["live_flops"]
    assert one.card.scores == one.card.cells == 64
    assert set(one.frame()["proxy"]) == {"live_flops"}
    with pytest.raises(InputError, match=r"proxies: 'nwott' is not known.*nwot"):
        packing.pack(run, "x", ["nwott"])
