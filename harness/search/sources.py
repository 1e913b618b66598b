"""Where a search has its scores from: what a run knows, what earlier searches scored, what is scored as it goes."""

from __future__ import annotations

import functools
from collections import defaultdict
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
from harness.settings import Settings
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
        InputError: if nothing is known and nothing is to be scored, or it would be scored under other settings.
    """
    known: dict[str, Scores] = {driver.name: {} for driver in driven}
    frames = [base.scores] if teacher == base.info["settings"]["teacher"] else []
    folder = live_folder(base.folder, teacher)
    with ExitStack() as stack:
        session = None
        if live is not None:
            members = dict.fromkeys(member for driver in driven for member in driver.members)
            mine = replace(
                live, proxies=tuple(map(registry.get, members)), seeds=(weight_seed,), cells=(), teacher=teacher
            )
            context = sweep.prepare(mine)
            _refuse_other_settings(context.settings, base)
            made = executors(mine.devices, mine.scheduler, mine.plugins)
            kept = pool.kept(made, mine.workers or 1)  # a cluster counts its workers itself
            session = stack.enter_context(sweep.opened(mine, folder, context, stack.enter_context(kept)))
        if run_folder.info_path(folder).is_file():
            frames.append(results.load(folder).scores)
        for driver in driven:
            for frame in frames:
                known[driver.name] |= drivers.stored(driver, frame, weight_seed)
        if session is None:
            _refuse_nothing(base, teacher, known, weight_seed)
        yield Source(known, functools.partial(_provide, session, known, weight_seed))


def seconds(base: Results, teacher: str, driver: Driver) -> tuple[float | None, str]:
    """Return the seconds that one evaluation takes one worker, and how that is known; None where it is not."""
    members = list(driver.members)
    live = live_folder(base.folder, teacher)
    if run_folder.info_path(live).is_file():
        found = _mean_seconds(results.load(live).scores, members)
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
