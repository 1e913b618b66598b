"""On a GPU: the CPU's numbers up to rounding, the same twice, vectorised seeds, lack of memory. Skipped without one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from diswot.benchmarks import images
from diswot.benchmarks.spaces import nb201
from diswot.harness import pool
from diswot.harness.compute import sweep
from diswot.harness.compute.plan import Plan
from diswot.harness.distillation import many, recipes, student_images, training
from diswot.harness.distillation.student_images import Preprocessing
from diswot.harness.runs import run_folder
from diswot.harness.runs.store import Store
from diswot.proxies import registry

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")

#: What rounding decides: `plain` cancels to it, and kdsvd depends on the signs of singular vectors.
ROUNDING = {"plain", "kdsvd"}

CELLS = (13, 1462, 14)


@pytest.fixture
def scored(tmp_path: Path) -> Callable[..., pd.DataFrame]:
    def score(name: str, **changes: Any) -> pd.DataFrame:
        values: dict[str, Any] = {
            "space": "nb201",
            "cells": CELLS,
            "proxies": [registry.get(one) for one in registry.names() if registry.get(one).fast],
            "seeds": (0, 1),
            "images": "noise",
            "image_dir": None,
            "batch_size": 16,
            "batch_seed": 0,
            "augment": False,
            "teacher": "resnet20",
            "devices": ("cuda:0",),
            "device_name": "test",
            "workers": 1,
        }
        plan = Plan(**{**values, **changes})
        folder = tmp_path / name
        sweep.run(plan, folder, make_executor=lambda workers: pool.local(workers, plan.devices))
        with Store(run_folder.store_path(folder), create=False) as store:
            return store.frame().set_index(["proxy", "cell", "seed"])

    return score


def assert_agree(one: pd.DataFrame, other: pd.DataFrame, relative: float) -> None:
    assert list(one.index) == list(other.index)
    compared = ~one.index.get_level_values("proxy").isin(ROUNDING)
    assert list(one["status"][compared]) == list(other["status"][compared])
    np.testing.assert_allclose(one["value"][compared], other["value"][compared], rtol=relative)


def test_scores_are_those_of_the_cpu_up_to_rounding(scored: Callable[..., pd.DataFrame]) -> None:
    # float32 on both, TF32 off: sums of some thousand terms in another order.
    assert_agree(scored("gpu"), scored("cpu", devices=("cpu",)), 1e-2)


def test_the_same_sweep_twice_gives_the_same_bits(scored: Callable[..., pd.DataFrame]) -> None:
    one, other = scored("one"), scored("other")
    pd.testing.assert_frame_equal(one.drop(columns="seconds"), other.drop(columns="seconds"))


def test_vectorised_seeds_give_the_scores_of_each(scored: Callable[..., pd.DataFrame]) -> None:
    assert_agree(scored("vectorised", vectorised_seeds=2), scored("plain"), 1e-2)


def test_a_batch_that_does_not_fit_is_a_failure_with_its_cause(scored: Callable[..., pd.DataFrame]) -> None:
    free, _ = torch.cuda.mem_get_info()
    count = free // (4 * 16 * 32 * 32)  # one map of the first stage then takes all that is free
    found = scored("large", batch_size=int(count), proxies=[registry.get("snip")], cells=(13,), seeds=(0,))
    assert list(found["status"]) == ["failed"]
    assert "out of memory" in found["cause"].iloc[0]


def test_students_trained_together_end_as_students_trained_alone(image_dir: Path, tmp_path: Path) -> None:
    recipe = recipes.get("mini", ["C=4", "samples=64", "epochs=4", "batch_size=32"])  # 8 steps, 5 of them captured
    labelled = student_images.read("cifar10", "train", image_dir, 64).to("cuda:0")
    known = images.get("cifar10")
    preprocessing = Preprocessing(16, known.mean, known.std)

    def networks() -> list[nn.Module]:
        torch.manual_seed(0)
        return [nb201.build(cell, num_classes=10, C=4, N=1).to("cuda:0") for cell in CELLS]

    together = networks()
    students = [
        training.Student(network, nn.Identity(), training.vanilla, seed) for seed, network in enumerate(together)
    ]
    many.train(students, preprocessing, labelled, recipe)
    for seed, (network, other) in enumerate(zip(networks(), together, strict=True)):
        checkpoint = training.Checkpoint(tmp_path / f"{seed}.pt", 60.0)
        student = training.Student(network, torch.nn.Identity(), training.vanilla, seed)
        training.train(student, preprocessing, labelled, recipe, checkpoint=checkpoint)
        for name, value in network.state_dict().items():
            # Eight steps with another order of sums in the optimizer.
            torch.testing.assert_close(other.state_dict()[name], value, rtol=1e-2, atol=1e-3)
