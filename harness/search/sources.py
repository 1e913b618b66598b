"""Where a search has its scores from: what a run knows, what earlier searches scored, what is scored as it goes."""

from __future__ import annotations

import functools
from collections import ChainMap, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from benchmarks.errors import InputError
from harness import pool, results, run_folder, sweep
from harness.cluster.executor import executors
from harness.results import Results
from harness.search import driver as drivers
from harness.search import stored
from harness.search.driver import Driver, Scores
from harness.settings import Settings, differences
from proxies import registry


@dataclass(frozen=True, eq=False)
class Source:
    """Scores beside one teacher.

    Attributes:
        known: what is known, by driver.
        provide: scores cells for a driver, calling the second argument for each, and adds them to what is known.
    """

    known: dict[str, Scores]
    provide: Callable[[Driver, Callable[[], None], list[int]], None]


def live_folder(run: Path, teacher: str) -> Path:
    """Return where what searches score beside a teacher is kept: apart from the run's sample, which it would bias."""
    return stored.folder_of(run) / f"live-{teacher.replace(':', '-')}"


@contextmanager
def opened(
    base: Results, teacher: str, driven: Sequence[Driver], weight_seed: int, live: sweep.Plan | None
) -> Iterator[Source]:
    """Open the scores beside a teacher.

    Args:
        base: the run.
        teacher: its canonical name.
        driven: whose scores are wanted.
        weight_seed: of the weights.
        live: how to score what is not known; None if nothing is to be scored.

    Raises:
        InputError: if nothing is known and nothing is to be scored, or it was or would be scored under other settings.
    """
    known: dict[str, Scores] = {driver.name: {} for driver in driven}
    earlier = _earlier(base, teacher)
    with ExitStack() as stack:
        session = None
        members = dict.fromkeys(member for driver in driven for member in driver.members)
        if live is not None:
            mine = replace(
                live, proxies=tuple(map(registry.get, members)), seeds=(weight_seed,), cells=(), teacher=teacher
            )
            context = sweep.prepare(mine)
            _refuse_other_settings(context.settings, base)
            made = executors(mine.devices, mine.scheduler, mine.plugins)
            kept = pool.kept(made, mine.workers or 1)  # a cluster counts its workers itself
            folder = live_folder(base.folder, teacher)
            session = stack.enter_context(sweep.opened(mine, folder, context, stack.enter_context(kept)))
            earlier = results.load(folder)  # of the versions that are scored now
        frames = [base.scores] if teacher == base.info["settings"]["teacher"] else []
        frames += [earlier.scores] if earlier else []
        versions = _versions(frames) if live is None else {name: registry.get(name).version for name in members}
        for frame in frames:
            alike = frame[frame["proxy"].map(versions) == frame["version"]]
            for driver in driven:
                known[driver.name] |= drivers.stored(driver, alike, weight_seed)
        if session is None:
            _refuse_nothing(base, teacher, known, weight_seed)
        yield Source(known, functools.partial(_provide, session, known, weight_seed))


def seconds(base: Results, teacher: str, driver: Driver) -> tuple[float | None, str]:
    """Return the seconds that one evaluation takes one worker, and how that is known; None where it is not."""
    members = list(driver.members)
    earlier = _earlier(base, teacher)
    if earlier:
        found = _mean_seconds(earlier.scores, members)
        if found is not None:
            return found, "mean of the cells that searches scored, on one worker"
    path = base.folder / "costs.csv"
    costs = pd.read_csv(path).set_index("name")["seconds"] if path.is_file() else pd.Series(dtype=float)
    if set(members) <= set(costs.index):
        several = ", summed over the members, each computed alone" if len(members) > 1 else ", computed alone"
        return float(costs[members].sum()), f"costs.csv, one thread{several}"
    if set(base.scores["proxy"]) == set(members):
        elsewhere = base.info.get("shipped") or base.info.get("taken")
        where = ", for shipped scores on the machine that made them" if elsewhere else ""
        return _mean_seconds(base.scores, members), f"mean of the run's cells, on one worker{where}"
    measured = f"`diswot bench --out {path}` measures it"
    return None, f"not known: beside other proxies a shared pass is charged to one of them; {measured}"


def _earlier(base: Results, teacher: str) -> Results | None:
    # What earlier searches scored; a run that shows a shipped set may show one of other settings by now.
    folder = live_folder(base.folder, teacher)
    if not run_folder.info_path(folder).is_file():
        return None
    earlier = results.load(folder)
    wanted = base.info["settings"] | {"teacher": teacher}
    different = differences(wanted, earlier.info["settings"], Settings.consequences)
    if different:
        raise InputError(
            f"run: {folder} has scores of earlier searches that were made with other settings than those of "
            f"{base.folder}: {', '.join(different)}; move it elsewhere."
        )
    return earlier


def _versions(frames: Sequence[pd.DataFrame]) -> dict[str, str]:
    # Of each proxy, the version that the first of the runs has scores of.
    return dict(ChainMap(*(dict(zip(frame["proxy"], frame["version"], strict=True)) for frame in frames)))


def _mean_seconds(scores: pd.DataFrame, members: list[str]) -> float | None:
    own = scores[scores["proxy"].isin(members)]
    return float(own.groupby(["cell", "seed"])["seconds"].sum().mean()) if len(own) else None


def _provide(
    session: sweep.Session | None,
    known: dict[str, Scores],
    seed: int,
    driver: Driver,
    advance: Callable[[], None],
    cells: list[int],
) -> None:
    assert session is not None  # without one, searches are kept among the cells that are known
    from harness.work import tasks

    values: dict[int, dict[str, float | None]] = defaultdict(dict)
    lacking = [(cell, seed, driver.members) for cell in cells]
    for records in sweep.score(session, tasks(session.context.settings, lacking)):
        for record in records:
            values[record.cell][record.proxy] = record.value
            if len(values[record.cell]) == len(driver.members):
                scores = [values[record.cell][name] for name in driver.members]
                known[driver.name][record.cell] = drivers.oriented(driver, scores)
                advance()


def _refuse_other_settings(settings: Settings, base: Results) -> None:
    different = settings.differences(base.info["settings"] | {"teacher": settings.teacher})
    if different:
        raise InputError(
            f"run: {base.folder} has other settings: {', '.join(different)}; a search follows scores that were made "
            "alike."
        )


def _refuse_nothing(base: Results, teacher: str, known: dict[str, Scores], weight_seed: int) -> None:
    own = base.info["settings"]["teacher"]
    if teacher != own and not any(known.values()):
        raise InputError(
            f"--teacher: {base.folder} has no scores beside {teacher}; its own teacher is {own}. `--scores live` makes "
            "them."
        )
    for name, scores in known.items():
        if not scores:
            raise InputError(
                f"--proxy: {base.folder} has no scores of {name} with weight seed {weight_seed}; `diswot evaluate` or "
                "`--scores live` makes them."
            )
