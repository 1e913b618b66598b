"""Every built-in keeps its numbers until its version is bumped.

`expected_scores.json` has the scores of two small networks (C = 4, N = 1; one with dead edges) on eight noise images,
as this project computed them. To renew them after a bump: ``python tests/proxies/test_expected_scores.py``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from diswot import proxies
from diswot.benchmarks import images, initialisation
from diswot.benchmarks.spaces import nb201
from diswot.proxies.registry import get, is_built_in, names

FILE = Path(__file__).with_name("expected_scores.json")
CELLS = ("13", "6111")

# float32 on other kernels: sums move in the fifth digit, gradients' in the fourth; plain cancels to next to nothing,
# and zico divides by differences of gradients.
RELATIVE = 2e-3
LOOSE = {"plain": 0.2, "zico": 5e-2}


def scores(cell: str) -> dict[str, float]:
    """All scores of a cell's small network."""
    torch.set_num_threads(1)
    batch = images.sample("noise", 8, seed=0, classes=10, size=16)
    networks = []
    for index, seed in ((int(cell), "student"), (1462, "teacher")):
        with torch.random.fork_rng():
            network = nb201.build(index, C=4, N=1)
        initialisation.default(network, seed)
        networks.append(network)
    student, teacher = networks
    return proxies.score(student, batch.images, batch.labels, built_in(), teacher=teacher, init="default")


def built_in() -> list[str]:
    return [name for name in names() if is_built_in(get(name))]


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, float]]:
    return {cell: scores(cell) for cell in CELLS}


@pytest.mark.parametrize("name", built_in())
def test_the_number_is_the_stored_one_of_this_version(found: dict[str, dict[str, float]], name: str) -> None:
    stored: dict[str, Any] = json.loads(FILE.read_text())
    assert stored[name]["version"] == get(name).version, "bump the version and renew the stored scores together"
    for cell in CELLS:
        assert found[cell][name] == pytest.approx(stored[name][cell], rel=LOOSE.get(name, RELATIVE))


if __name__ == "__main__":
    values = {cell: scores(cell) for cell in CELLS}
    FILE.write_text(
        json.dumps({n: {"version": get(n).version} | {c: values[c][n] for c in CELLS} for n in built_in()}, indent=1)
        + "\n"
    )
