"""Where a search has its scores from: what a run knows, what earlier searches scored, what is scored as it goes."""

from __future__ import annotations

import functools
from collections import ChainMap, Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from diswot.benchmarks.errors import InputError
from diswot.harness import pool
from diswot.harness.compute import costs, sweep
from diswot.harness.compute.cluster.executor import executors
from diswot.harness.compute.plan import Plan
from diswot.harness.compute.work import Session
from diswot.harness.runs import results, run_folder
from diswot.harness.runs.results import Results
from diswot.harness.runs.settings import Settings
from diswot.harness.runs.stored_search import folder_of
from diswot.harness.search import driver as drivers
from diswot.harness.search.driver import Driver, Scores
from diswot.proxies import registry

if TYPE_CHECKING:
    from diswot.harness.compute.task import Context


def _refuse_scoring(driver: Driver, advance: Callable[[], None], cells: list[int]) -> None:
    raise AssertionError(f"{len(cells)} cells without a score of {driver.name} were asked for")


@dataclass(frozen=True, eq=False)
class Source:
    """Scores with one teacher.

    Attributes:
        known: what is known, by driver.
        provide: scores cells for a driver, calling the second argument for each, and adds them to what is known of all;
            a score that fails counts as undefined in this search. Not called where all is known.
    """

    known: dict[str, Scores]
    provide: Callable[[Driver, Callable[[], None], list[int]], None] = _refuse_scoring


def live_folder(run: Path, teacher: str) -> Path:
    """Return where what searches score with a teacher is kept: apart from the run's sample, which it would bias."""
    return folder_of(run) / f"live-{teacher.replace(':', '-')}"


def stored(base: Results, teacher: str, driven: Sequence[Driver], weight_seed: int) -> dict[str, Scores]:
    """Return by driver what a run and earlier searches know with a teacher.

    Args:
        base: the run.
        teacher: its canonical name.
        driven: whose scores are wanted.
        weight_seed: of the weights.

    Raises:
        InputError: if nothing is known, or it was scored under other settings.
    """
    earlier = _earlier(base, teacher)
    frames = _frames(base, teacher, earlier)
    values = _values(frames, _members(driven), _versions(frames), weight_seed)
    known = {driver.name: drivers.known(driver, values) for driver in driven}
    _refuse_nothing(base, teacher, known, weight_seed)
    return known


@contextmanager
def live(
    base: Results,
    teacher: str,
    driven: Sequence[Driver],
    weight_seed: int,
    plan: Plan,
    failed: Counter[tuple[str, str]],
) -> Iterator[Source]:
    """Open the scores with a teacher, where what is not known is scored.

    Args:
        base: as in `stored`, as are the next three.
        teacher: its canonical name.
        driven: whose scores are wanted.
        weight_seed: of the weights.
        plan: how to score.
        failed: counts what fails, by proxy and cause.

    Raises:
        InputError: if something was or would be scored under other settings than the run's.
    """
    members = _members(driven)
    mine = replace(plan, proxies=tuple(map(registry.get, members)), seeds=(weight_seed,), cells=(), teacher=teacher)
    context = sweep.prepare(mine)
    _refuse_other_settings(context.settings, base)
    _refuse_earlier_settings(base, teacher)
    made = executors(mine.devices, mine.scheduler, context.plugins)
    kept = pool.kept(made, mine.workers or 1)  # a cluster counts its workers itself
    folder = live_folder(base.folder, teacher)
    with kept as executor, sweep.opened(mine, folder, context, executor) as session:
        frames = _frames(base, teacher, results.load(folder))
        versions = {name: registry.get(name).version for name in members}
        values = _values(frames, members, versions, weight_seed)
        known = {driver.name: drivers.known(driver, values) for driver in driven}
        provide = functools.partial(_provide, session, tuple(driven), values, known, failed, weight_seed)
        yield Source(known, provide)


def seconds(base: Results, teacher: str, driver: Driver) -> tuple[float | None, str]:
    """Return the seconds that one evaluation takes one worker, and how that is known; None where it is not."""
    members = list(driver.members)
    earlier = _earlier(base, teacher)
    if earlier:
        found = mean_seconds(earlier.scores, members)
        if found is not None:
            return found, "mean of the cells that searches scored, on one worker"
    alone = costs.of_run(base.folder, base.info)
    if alone is not None and set(members) <= set(alone.index):
        several = ", summed over the members, each computed alone" if len(members) > 1 else ", computed alone"
        machine = str(alone.loc[members[0], costs.MACHINE])
        return float(alone.loc[members, "seconds"].sum()), f"costs.csv, one thread of {machine}{several}"
    if set(base.scores["proxy"]) == set(members):
        elsewhere = base.info.shipped or base.info.taken
        where = ", for precomputed scores on the machine that made them" if elsewhere else ""
        return mean_seconds(base.scores, members), f"mean of the run's cells, on one worker{where}"
    measured = f"`diswot bench --out {costs.path_of(base.folder)}` measures it"
    return None, f"not known: beside other proxies a shared pass is charged to one of them; {measured}"


def read_from(base: Results, teachers: Sequence[str]) -> bytes:
    """Return a hash of all stored numbers that `stored` and `seconds` read, with some teachers."""
    earlier = [found.scores for teacher in teachers if (found := _earlier(base, teacher)) is not None]
    alone = costs.of_run(base.folder, base.info)
    frames = [base.scores, *earlier, *([] if alone is None else [alone])]
    return b"".join(pd.util.hash_pandas_object(frame).to_numpy().tobytes() for frame in frames)


def _earlier(base: Results, teacher: str) -> Results | None:
    folder = live_folder(base.folder, teacher)
    _refuse_earlier_settings(base, teacher)
    return results.load(folder) if run_folder.info_path(folder).is_file() else None


def _refuse_earlier_settings(base: Results, teacher: str) -> None:
    # After an upgrade, precomputed scores may have other settings than when searches scored.
    folder = live_folder(base.folder, teacher)
    if not run_folder.info_path(folder).is_file():
        return
    wanted = base.info.settings.model_copy(update={"teacher": teacher})
    different = wanted.differences(run_folder.read_info(folder).settings)
    if different:
        raise InputError(
            f"run: {folder} has scores of earlier searches that were made with other settings than those of "
            f"{base.folder}: {', '.join(different)}; move it elsewhere."
        )


def _members(driven: Sequence[Driver]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(member for driver in driven for member in driver.members))


def _frames(base: Results, teacher: str, earlier: Results | None) -> list[pd.DataFrame]:
    own = [base.scores] if teacher == base.info.settings.teacher else []
    return own + ([earlier.scores] if earlier else [])


def _versions(frames: Sequence[pd.DataFrame]) -> dict[str, str]:
    # Of each proxy, the version that the first of the runs has scores of.
    return dict(ChainMap(*(dict(zip(frame["proxy"], frame["version"], strict=True)) for frame in frames)))


def _values(
    frames: Sequence[pd.DataFrame], members: Sequence[str], versions: Mapping[str, str], seed: int
) -> dict[str, dict[int, float | None]]:
    # By proxy and cell, of one version each and of what did not fail.
    values: dict[str, dict[int, float | None]] = {member: {} for member in members}
    for frame in frames:
        chosen = (frame["seed"] == seed) & frame["proxy"].isin(members) & (frame["status"] != "failed")
        own = frame[chosen & (frame["proxy"].map(versions) == frame["version"])]
        for name, rows in own.groupby("proxy"):
            values[str(name)] |= dict(zip(rows["cell"].tolist(), rows["value"].tolist(), strict=True))
    return values


def mean_seconds(scores: pd.DataFrame, members: Sequence[str]) -> float | None:
    """Return the mean seconds of the networks of which exactly these proxies have a score; None where there is none.

    Beside another one a shared pass may have been charged to that.
    """
    other = ~scores["proxy"].isin(members) | (scores["status"] == "failed")
    of_network = (
        scores.assign(other=other)
        .groupby(["cell", "seed"])
        .agg(other=("other", "any"), members=("proxy", "nunique"), seconds=("seconds", "sum"))
    )
    alone = of_network.loc[~of_network["other"] & (of_network["members"] == len(members)), "seconds"]
    return float(alone.mean()) if len(alone) else None


def _provide(
    session: Session[Context],
    driven: tuple[Driver, ...],
    values: dict[str, dict[int, float | None]],
    known: dict[str, Scores],
    failed: Counter[tuple[str, str]],
    seed: int,
    driver: Driver,
    advance: Callable[[], None],
    cells: list[int],
) -> None:
    from diswot.harness.compute.task import tasks

    lacking = [(cell, seed, tuple(name for name in driver.members if cell not in values[name])) for cell in cells]
    for records in sweep.score(session, tasks(session.context.settings, lacking)):
        for record in records:
            values[record.proxy][record.cell] = record.value
            if record.status == "failed":
                failed[record.proxy, record.cause or ""] += 1
        for cell in dict.fromkeys(record.cell for record in records):
            for one in driven:
                if all(cell in values[name] for name in one.members):
                    known[one.name][cell] = drivers.oriented(one, [values[name][cell] for name in one.members])
            if cell in known[driver.name]:
                advance()


def _refuse_other_settings(settings: Settings, base: Results) -> None:
    different = settings.differences(base.info.settings.model_copy(update={"teacher": settings.teacher}))
    if different:
        raise InputError(
            f"run: {base.folder} has other settings: {', '.join(different)}; a search follows scores that were made "
            "alike."
        )


def _refuse_nothing(base: Results, teacher: str, known: dict[str, Scores], weight_seed: int) -> None:
    own = base.info.settings.teacher
    if teacher != own and not any(known.values()):
        raise InputError(
            f"teacher: {base.folder} has no scores with {teacher}; its own teacher is {own}. `--scores live` makes "
            "them."
        )
    for name, scores in known.items():
        if not scores:
            raise InputError(
                f"driver: {base.folder} has no scores of {name} with weight seed {weight_seed}; `diswot evaluate` or "
                "`--scores live` makes them."
            )
