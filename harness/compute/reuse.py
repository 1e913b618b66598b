"""Copy precomputed scores into a run's store, where they are like any others."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import pandas as pd

from diswot.benchmarks.errors import InputError, named
from diswot.harness import progress
from diswot.harness.compute.plan import Plan
from diswot.harness.runs import results, run_folder
from diswot.harness.runs.precomputed import catalogue
from diswot.harness.runs.precomputed.catalogue import Precomputed
from diswot.harness.runs.settings import Settings
from diswot.harness.runs.store import SCORES, Record, Store


def for_sweep(plan: Plan, settings: Settings, store: Store, folder: Path) -> int:
    """Take precomputed scores that a sweep would compute, say so, and return how many that are.

    Only a score of the same identity is taken: space, cell, proxy, version, seed, and the hash of all settings.

    Args:
        plan: of the sweep; ``plan.precomputed`` names them.
        settings: of the sweep.
        store: of the run.
        folder: of the run, whose ``run.json`` will name what was taken from where.
    """
    asked = len(plan.proxies) * len(plan.cells) * len(plan.seeds)
    versions = {proxy.name: proxy.version for proxy in plan.proxies}
    total = 0
    for one in map(catalogue.load, plan.precomputed):
        different = settings.differences(one.card.settings)
        if not different:
            taken = _copy(one, versions, plan.cells, plan.seeds, store, folder)
            if taken:
                progress.say(f"{taken} of {asked} scores are precomputed: {one.name}")
            total += taken
        elif (settings.space, settings.images) == (one.card.space, one.card.settings.images):
            progress.say(f"the precomputed scores {one.name} have other settings: {', '.join(different)}")
    return total


@named("with", "scores")
def copy_into(folder: Path, name: str) -> int:
    """Copy precomputed scores, on the cells and with the seeds of a run, into it; return how many are new.

    A proxy that the run has in another version stays as the run has it.

    Raises:
        InputError: if there are none of this name, they were made with other settings, or with none of the run's seeds.
    """
    one = catalogue.load(name)
    run = results.load(folder)
    run_folder.refuse_shipped("with", folder, run.info)
    different = run.info.settings.differences(one.card.settings)
    if different:
        raise InputError(
            f"with: {folder} has other settings than the precomputed scores {name}: {', '.join(different)}; only "
            "scores of the same settings are put side by side."
        )
    seeds = set(run.scores["seed"])
    if not seeds & set(one.card.seeds):
        listed = ", ".join(map(str, one.card.seeds))
        raise InputError(
            f"with: the precomputed scores {name} have the weight seeds {listed}, and {folder} has none of them."
        )
    own = dict(zip(run.proxies["name"], run.proxies["version"], strict=True))
    versions = {proxy: version for proxy, version in one.versions.items() if own.get(proxy, version) == version}
    with Store(run_folder.store_path(folder), create=False) as store:
        return _copy(one, versions, set(run.scores["cell"]), seeds, store, folder)


def _copy(
    one: Precomputed,
    versions: Mapping[str, str],
    cells: Collection[int],
    seeds: Collection[int],
    store: Store,
    folder: Path,
) -> int:
    proxies = [proxy for proxy, version in versions.items() if one.versions.get(proxy) == version]
    if not proxies:
        return 0
    settled = store.settled(one.card.settings_hash)
    frame = one.frame(proxies)
    frame = frame[frame["cell"].isin(list(cells)) & frame["seed"].isin(list(seeds))]
    identities = zip(frame["cell"], frame["proxy"], frame["version"], frame["seed"], strict=True)
    lacking = frame[[identity not in settled for identity in identities]]
    if len(lacking):
        run_folder.forget_derived(folder)
        run_folder.note_taken(folder, store, one, lacking["proxy"])  # first: a kill leaves no score unnoted
        store.write(_records(lacking, one.card.settings_hash))
    return len(lacking)


def _records(frame: pd.DataFrame, settings: str) -> list[Record]:
    values = frame["value"].astype(object).where(frame["value"].notna(), None)
    columns = frame.assign(value=values, settings=settings)[list(SCORES.columns)]
    return [Record(*row) for row in zip(*(columns[name].tolist() for name in columns), strict=True)]
