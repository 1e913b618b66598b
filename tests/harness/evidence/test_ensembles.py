"""Ensembles: that they can be had of the registry's proxies, and that each ranks as its source says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from diswot.harness.evidence import panel
from diswot.harness.evidence.ensembles import ENSEMBLES, available
from diswot.proxies import registry

CELLS = 50


def test_all_proxies_together_make_every_ensemble() -> None:
    assert {one.name for one in available(registry.names())} == set(ENSEMBLES)
    fast = [proxy.name for proxy in registry.select("fast")]
    made_of_fast = {"diswot_rank", "diswot_log_rank", "vote", "jacov_flops", "jacov_meco_flops"}
    assert {one.name for one in available(fast)} == made_of_fast


@pytest.mark.parametrize(
    ("name", "members", "logarithms"),
    [
        ("te_nas", ["-ntk_cond", "linear_regions"], False),
        ("az_nas", ["az_expressivity", "az_progressivity", "az_trainability", "flops"], True),
        ("vkdnw_agg", ["vkdnw", "az_expressivity", "az_trainability", "jacov", "flops"], True),
        ("jacov_flops", ["jacov", "live_flops"], True),
    ],
)
def test_an_ensemble_ranks_as_its_source_does(name: str, members: list[str], logarithms: bool) -> None:
    generator = np.random.default_rng(0)
    names = [member.lstrip("-") for member in members]
    values = generator.integers(0, 20, (len(names), CELLS)).astype(float)  # with ties
    undefined = generator.random(values.shape) < 0.1
    scores = pd.DataFrame(
        {
            "cell": np.tile(np.arange(CELLS), len(names)),
            "proxy": np.repeat(names, CELLS),
            "seed": 0,
            "status": np.where(undefined, "undefined", "ok").ravel(),
            "value": np.where(undefined, np.nan, values).ravel(),
        }
    )
    records = pd.DataFrame([{"name": one, "direction": registry.get(one).direction} for one in names])
    made = panel.build(scores, records)
    total = np.zeros(CELLS)
    for member, row, hidden in zip(members, values, undefined, strict=True):
        ranks = rankdata(np.where(hidden, -np.inf, -row if member.startswith("-") else row))
        total += np.log(ranks / CELLS) if logarithms else ranks
    found = made.scores[made.proxies.index(name), 0]
    np.testing.assert_array_equal(rankdata(found), rankdata(total.round(9)))


def test_members_are_ranked_on_the_cells_that_all_of_them_have() -> None:
    generator = np.random.default_rng(1)
    names = ["synflow", "jacov", "snip"]
    records = pd.DataFrame({"name": names, "direction": "higher"})
    scores = pd.DataFrame(
        {
            "cell": np.tile(np.arange(CELLS), 3),
            "proxy": np.repeat(names, CELLS),
            "seed": 0,
            "status": "ok",
            "value": generator.normal(size=3 * CELLS),
        }
    )
    some = scores[(scores["proxy"] != "jacov") | (scores["cell"] < 15)]
    whole, pool = panel.build(some, records), panel.build(scores[scores["cell"] < 15], records)
    place = whole.proxies.index("vote")
    np.testing.assert_array_equal(whole.scores[place, 0, :15], pool.scores[place, 0])
    assert np.isnan(whole.scores[place, 0, 15:]).all()
