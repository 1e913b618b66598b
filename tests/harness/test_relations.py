from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from diswot.harness.compute import relations, sweep
from diswot.harness.compute.plan import Plan
from diswot.harness.runs import results
from diswot.proxies import registry


@pytest.fixture
def plan() -> Plan:
    return Plan(
        space="s0",
        cells=(111, 113, 331),
        proxies=registry.select("diswot_relation,params"),
        seeds=(2,),
        images="noise",
        image_dir=None,
        batch_size=6,
        batch_seed=0,
        augment=False,
        teacher="s0:131",
        devices=("cpu",),
        device_name="cpu",
        workers=1,
        plugins=(),
    )


def test_the_matrices_are_those_that_the_score_compares(plan: Plan, tmp_path: Path) -> None:
    sweep.run(plan, tmp_path, make_executor=lambda workers: ThreadPoolExecutor(1))
    found = results.correlate(tmp_path)
    path = relations.write(sweep.prepare(plan), 2, found)
    with np.load(path, allow_pickle=False) as stored:
        arrays = dict(stored)
    target = found.targets[found.targets["target"] == "s0-diswot:distilled"].set_index("cell")["accuracy"]
    scores = found.scores[found.scores["proxy"] == "diswot_relation"].set_index("cell")["value"]
    for name, cell in (("good", int(target.idxmax())), ("bad", int(target.idxmin()))):
        difference = arrays["teacher_relation"] - arrays[f"{name}_relation"]
        # Sorting the images changes the order of sums in the network: float32's last digits.
        assert -(difference**2).mean() == pytest.approx(scores[cell], rel=1e-3)
        assert f"{target[cell]:.2f} %" in str(arrays[name])
        assert arrays[f"{name}_semantic"].shape == (100, 100)
    assert str(arrays["teacher"]) == "s0:131"
