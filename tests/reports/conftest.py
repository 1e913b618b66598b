from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks import spaces
from harness.evidence import panel
from harness.evidence import table as evidence_table
from harness.results import Results

SCORES = ["space", "cell", "proxy", "version", "seed", "status", "value", "cause", "seconds"]


def make_run(
    folder: Path,
    names: Sequence[str] = ("snip",),
    cells: int = 3,
    seeds: int = 1,
    targets: Sequence[str] = ("s0-diswot:distilled", "s0-diswot:vanilla"),
    undefined_share: float = 0.0,
    constant: bool = False,
    cause: str = "the features are constant",
    trainings: int = 0,
) -> Results:
    generator = np.random.default_rng(5)
    quality = generator.normal(size=cells)
    frames = []
    for place, name in enumerate(names):
        signal = np.cos(place * 0.08)
        for seed in range(seeds):
            noise = generator.normal(size=cells)
            value = np.ones(cells) if constant else signal * quality + (1.02 - signal) * noise
            undefined = generator.random(cells) < (undefined_share if undefined_share == 1 or place % 3 == 1 else 0)
            frames.append(
                pd.DataFrame(
                    {
                        "space": "s0",
                        "cell": np.arange(cells),
                        "proxy": name,
                        "version": 1,
                        "seed": seed,
                        "status": np.where(undefined, "undefined", "ok"),
                        "value": np.where(undefined, np.nan, value),
                        "cause": pd.Series(np.where(undefined, cause, ""), dtype=object).replace("", None),
                        "seconds": 0.01,
                    }
                )
            )
    accuracies = pd.concat(
        pd.DataFrame(
            {"cell": np.arange(cells), "target": target, "accuracy": 70 + quality + 0.3 * generator.normal(size=cells)}
        )
        for target in targets
    )
    scores = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=SCORES)
    proxies = pd.DataFrame(
        {
            "name": list(names),
            "version": 1,
            "direction": "higher",
            "family": "family",
            "source": "Lee et al., SNIP, ICLR 2019, https://arxiv.org/abs/1810.02340",
            "deviations": "",
            "needs": [["features", "gradients"] for _ in names],
            "default_init": "kaiming",
            "live_edges_only": False,
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    units = [0.01 * 1.7 ** ((place * 5) % 11) for place in range(len(names))]
    pd.DataFrame({"name": list(names), "units": units}).to_csv(folder / "costs.csv", index=False)
    found = [
        evidence_table.Target(
            str(name),
            part.set_index("cell")["accuracy"],
            pd.DataFrame(
                {seed: part["accuracy"].to_numpy() + generator.normal(size=cells) * 0.3 for seed in range(trainings)},
                index=part["cell"],
            ),
        )
        for name, part in accuracies.groupby("target", sort=False)
    ]
    space = replace(spaces.get("s0"), live_flops=lambda cell: cell, canonical=lambda cell: cell)
    method = evidence_table.Method(draws=20)
    correlations, evidence = evidence_table.tables(panel.build(scores, proxies), proxies, found, space, method)
    return Results(
        folder=folder,
        info={
            "space": "s0",
            "settings": {
                "images": "cifar100",
                "batch_size": 64,
                "classes": 100,
                "teacher": "resnet56",
                "device": "cpu",
            },
            "versions": {"python": "3.11.2", "torch": "2.7.1"},
            "git_revision": "0123abcd",
            "command": ["diswot", "evaluate", "--space", "s0", "--images", "cifar100"],
            "threads": 1,
            "created": "2025-01-02T03:04:05Z",
            "hashes": {"batch": "ab" * 32},
        },
        scores=scores,
        correlations=correlations,
        evidence=evidence,
        method={"targets": list(targets), **vars(method), "undefined": "worst"},
        targets=accuracies,
        proxies=proxies,
        cards={
            "s0-diswot": {
                "source": "figures published with the paper, https://arxiv.org/abs/2303.15678",
                "licence": "figures",
                "recipe": "200 epochs",
                "citation": "Dong, Li and Wei, DisWOT, CVPR 2023",
                "data_hash": "cd" * 32,
            }
        },
    )


PROXIES = (
    *("diswot", "diswot_semantic", "diswot_relation", "params", "flops", "live_params", "live_flops", "live_convs"),
    *("l2_norm", "grad_norm", "snip", "plain", "grasp", "fisher", "synflow", "logsynflow", "zico", "nwot", "jacov"),
    *("epe_nas", "zen", "kd", "fitnet", "at", "sp", "cc", "rkd", "pkt", "nst", "kdsvd", "fsp", "ickd"),
    *("ntk_cond", "linear_regions", "az_trainability", "az_expressivity", "az_progressivity", "meco", "swap", "tcet"),
)


@pytest.fixture(scope="session")
def make() -> Callable[..., Results]:
    return make_run


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Results]:
    def made(folder: str = "s0-run", **changes: Any) -> Results:
        return make_run(tmp_path / folder, **changes)

    return made


@pytest.fixture(scope="session")
def proxies() -> tuple[str, ...]:
    return PROXIES
