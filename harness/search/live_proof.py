"""One search made live, to show that it goes as the replayed one: the networks are built and scored as it asks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from diswot.harness import progress
from diswot.harness.compute import plan as plans
from diswot.harness.runs.results import Results
from diswot.harness.runs.stored_search import Search
from diswot.harness.search import study
from diswot.harness.search.plan import Plan


@dataclass(frozen=True)
class Proof:
    """The first search by evolution with the first driver, replayed and live.

    Attributes:
        driver: what both followed.
        evaluations: how many networks each scored.
        replayed: the cell that the replayed one picked.
        live: the cell that the live one picked.
        is_same: whether both picked it, after as many evaluations.
    """

    driver: str
    evaluations: int
    replayed: int
    live: int
    is_same: bool


def prove(replayed: Search, run: Results, plan: Plan, workers: int | None) -> Proof:
    """Make the first search of a replayed study live, beside no stored scores.

    Args:
        replayed: the study, of evolution among others.
        run: whose scores it followed; its settings are followed too.
        plan: of the study.
        workers: processes; None for one a processor.
    """
    driver = replayed.info.drivers[0].name
    scoring = plans.make("params", cells=1, workers=workers, precomputed=False, **run.info.settings.options)
    with TemporaryDirectory(prefix="diswot-") as folder, progress.quiet():
        asked = replace(plan, run=Path(folder) / "run", drivers=(driver,), algorithms=("evolution",), searches=1)
        live = study.study(replace(asked, live=scoring))
    before, after = (_first(one, driver) for one in (replayed, live))
    same = before["cell"] == after["cell"] and before["found_at"] == after["found_at"]
    return Proof(driver, int(after["evaluations"]), int(before["cell"]), int(after["cell"]), bool(same))


def _first(search: Search, driver: str) -> pd.Series:
    by_evolution = search.picks[(search.picks["driver"] == driver) & (search.picks["algorithm"] == "evolution")]
    return by_evolution[by_evolution["seed"] == 0].iloc[0]
