from __future__ import annotations

from pathlib import Path

import pytest

from diswot.benchmarks import spaces
from diswot.benchmarks.errors import InputError
from diswot.harness.search import budget

NB201, S0 = spaces.get("nb201"), spaces.get("s0")


def test_every_cost_and_every_column_can_be_a_budget(tmp_path: Path) -> None:
    for name, cost in S0.costs.items():
        most = sorted(cost(cell, 100) for cell in S0.cells)[20]
        held = budget.held(S0, S0.cells, [budget.parse(f"{name}={most}")], 100)
        assert held == tuple(cell for cell in S0.cells if cost(cell, 100) <= most)
    latency = tmp_path / "latency.csv"
    latency.write_text("cell,gpu\n111,3.5\n113,4.5\n131,3.4\n")
    both = [budget.parse(f"{latency}:gpu=3.5"), budget.parse(f"params={S0.costs['params'](111, 100)}")]
    assert budget.held(S0, S0.cells, both[:1], 100) == (111, 131)  # what is not known holds no budget
    assert budget.held(S0, S0.cells, both, 100) == (111,)


def test_the_number_of_classes_counts() -> None:
    assert NB201.costs["params"](0, 100) - NB201.costs["params"](0, 10) == 90 * 65
    most = NB201.costs["params"](0, 10)
    assert 0 in budget.held(NB201, [0], [budget.parse(f"params={most}")], 10)
    with pytest.raises(InputError, match="no cell that may be scored has params"):
        budget.held(NB201, [0], [budget.parse(f"params={most}")], 100)


@pytest.mark.parametrize("text", ["params", "params=", "=3", "params=many", "params=nan", "params=inf", ""])
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"budgets: .* is not NAME=NUMBER, such as params=500000"):
        budget.parse(text)


def test_an_impossible_budget_says_the_least_there_is(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has params of 10 or less; the least there is 73,?306|7\d{4}"):
        budget.held(NB201, NB201.cells, [budget.parse("params=10")], 10)
    with pytest.raises(InputError, match=r"budgets: 'parms' is not known; did you mean 'params'\?"):
        budget.held(NB201, [0], [budget.parse("parms=10")], 10)
    with pytest.raises(InputError, match=r"the column of .*: 'cpu' is not known"):
        budget.held(S0, S0.cells, [budget.parse("s0-diswot:cpu=10")], 100)
    latency = tmp_path / "latency.csv"
    latency.write_text("cell,gpu\n113,4.5\n")
    with pytest.raises(InputError, match="it is known of none of them"):
        budget.held(S0, (111,), [budget.parse(f"{latency}:gpu=3.5")], 100)
