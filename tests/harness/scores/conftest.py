"""A set made of a tiny real sweep, in a folder that stands for the package's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from diswot.benchmarks import spaces
from diswot.harness.compute import sweep
from diswot.harness.compute.plan import Plan
from diswot.harness.runs import packing, run_folder
from diswot.harness.runs.precomputed import catalogue
from diswot.harness.runs.precomputed.catalogue import Precomputed
from diswot.harness.runs.store import Record, Store
from diswot.proxies import registry

NAME = "s0-noise"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two proxies on all cells of S0; one score is made undefined, since none is by itself."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("finished") / "run"
    plan = Plan(
        space="s0",
        cells=spaces.get("s0").cells,
        proxies=registry.select("live_flops,nwot"),
        seeds=(0,),
        images="noise",
        image_dir=None,
        batch_size=4,
        batch_seed=0,
        augment=False,
        teacher="s0:111",
        devices=("cpu",),
        device_name="test",
        workers=1,
    )
    sweep.run(plan, folder, make_executor=lambda workers: ThreadPoolExecutor(1))
    with Store(run_folder.store_path(folder), create=False) as store:
        frame = store.frame()
        one = frame[(frame["cell"] == 111) & (frame["proxy"] == "nwot")].iloc[0].to_dict()
        undefined = one | {"cell": 111, "seed": 0, "status": "undefined", "value": None, "cause": "no reason"}
        store.write([Record(**undefined)])
    return folder


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where precomputed scores lie: a folder that is not there yet. What is derived goes into the test's folder."""
    monkeypatch.setattr(catalogue, "FOLDER", tmp_path / "package" / "data")
    monkeypatch.chdir(tmp_path)
    return catalogue.FOLDER


@pytest.fixture
def shipped(finished: Path, shelf: Path) -> Precomputed:
    """The set."""
    return packing.pack(finished, NAME)
