"""The Python interface: evaluate proxies into a run, correlate it with accuracies, search with it, report it."""

from __future__ import annotations

import inspect
import shutil
import tempfile
import warnings
import weakref
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from diswot.benchmarks.errors import InputError
from diswot.benchmarks.paths import expanded
from diswot.harness import progress as progresses
from diswot.harness.runs import results, run_folder
from diswot.harness.runs.results import Results

if TYPE_CHECKING:
    import pandas as pd

    from diswot.harness.compute.plan import Plan
    from diswot.harness.compute.work import Tally
    from diswot.harness.runs.compare import Comparison
    from diswot.harness.runs.provenance import Info
    from diswot.harness.runs.stored_search import Search

T = TypeVar("T")


def evaluate(
    proxies: str | Iterable[str] = "fast",
    *,
    cells: int | str | Iterable[int | str] | None = None,
    space: str = "nb201",
    images: str = "noise",
    image_dir: Path | str | None = None,
    seeds: int | str | Iterable[int] = 1,
    teacher: str | None = None,
    out: Path | str | None = None,
    workers: int | None = None,
    progress: bool = True,
    suite: str | None = None,
    **settings: Any,
) -> Run:
    """Score proxies x cells x seeds into a run's folder; scores that are there already are not computed again.

    Args:
        proxies: names, or ``fast`` or ``all``. A proxy that is defined in a notebook or script may be among them.
        cells: ``all``, a number (a seeded sample), a list of numbers or architecture strings, the name of a table,
            ``TABLE:N``, or a file with one cell a line; None for 100.
        space: ``nb201``, ``s0``, ``nbmacro``, or one that a package brings.
        images: the image set: ``noise``, ``cifar10``, ``cifar100`` or ``imagenet16-120``.
        image_dir: the folder of the image set; by default where `diswot images fetch` puts it.
        seeds: how many weight seeds, or a list of them.
        teacher: the untrained network that proxies of the KD and DisWOT families compare with; None for the space's,
            ``resnet56`` or the largest network of ``nbmacro``.
        out: the run's folder; None for a temporary one, which is removed with the returned run.
        workers: processes; None for one a processor, or one a GPU.
        progress: whether to print what is done, and a progress bar, on standard error.
        suite: a suite, such as ``nb201-2026``, which then says what the proxies, their versions, cells, space, images,
            seeds, teacher and batch are.
        **settings: ``batch_size=64``, ``batch_seed=0``, ``augment=False``, ``device="auto"``, ``scheduler=None``,
            ``vectorised_seeds=1``, ``tf32=False``, ``deterministic=True``, ``plugins=()`` (files with proxies) and
            ``precomputed=True`` (take scores that are shipped instead of computing them), as the options of
            `diswot evaluate`.

    Raises:
        InputError: if an argument stands for nothing, or the folder belongs to something else.
    """
    from diswot.harness.compute import plan
    from diswot.harness.runs import suites

    if "stack" in settings:
        warnings.warn("write vectorised_seeds=, the name of stack= since 0.3", DeprecationWarning, stacklevel=2)
        settings["vectorised_seeds"] = settings.pop("stack")
    asked: dict[str, Any] = {"proxies": proxies, "cells": cells, "space": space, "images": images}
    asked |= {"seeds": seeds, "teacher": teacher} | {name: _plain(value) for name, value in settings.items()}
    if suite is not None:
        usual = {field.name: field.default for field in fields(plan.Plan)}
        usual |= {name: one.default for name, one in inspect.signature(plan.make).parameters.items()}
        asked = suites.arguments(suite, asked, usual)
    made = plan.make(
        image_dir=None if image_dir is None else expanded("image_dir", image_dir),
        workers=_plain(workers),
        **asked,
    )
    folder = Path(tempfile.mkdtemp(prefix="diswot-")) if out is None else expanded("out", out)
    with ExitStack() as cleaning, nullcontext() if progress else progresses.quiet():
        if out is None:
            cleaning.callback(shutil.rmtree, folder, ignore_errors=True)
        progresses.say(made.describe(folder))
        run = carry_out(made, folder)
        weakref.finalize(run, cleaning.pop_all().close)  # what fails, or is stopped, leaves nothing behind either
    return run


def carry_out(plan: Plan, folder: Path) -> Run:
    """Carry out a plan, or what is missing of it, into a run's folder.

    Raises:
        InputError: if the plan or the folder is no good.
    """
    from diswot.harness.compute import sweep

    tally = sweep.run(plan, folder)
    progresses.say(tally.describe(folder))
    return Run(folder, tally=tally)


def _plain(value: T) -> T:
    # numpy's numbers are taken, and become Python's, which every file can hold.
    return value.item() if isinstance(value, np.generic) else value


def load(run: Path | str) -> Run:
    """Open a run: its folder, or the name of precomputed scores, such as ``nb201-cifar10``.

    Raises:
        InputError: if it is neither, or is damaged.
    """
    opened = Run(run_folder.named(Path(run)))
    opened.info  # noqa: B018 - what is damaged is said here, not at the first use
    return opened


class Run:
    """A run: the scores in its folder, and what follows from them.

    Attributes:
        folder: where everything is stored.
        tally: how the sweep went that made it; None for a run that was opened.
    """

    def __init__(self, folder: Path, *, tally: Tally | None = None) -> None:
        """Take the folder of a run; use `load` or `evaluate` instead."""
        self.folder = folder
        self.tally = tally
        self._results: Results | None = None

    def __repr__(self) -> str:
        """Name the folder."""
        return f"<diswot.Run of {self.folder}>"

    @property
    def info(self) -> dict[str, Any]:
        """``run.json``: settings, proxies, commands, versions, machine; see docs/stored-formats.md."""
        return self._info.stored()

    @property
    def _info(self) -> Info:
        run_folder.find(self.folder)  # whose sentence says what there is instead
        return run_folder.read_info(self.folder)

    @property
    def scores(self) -> pd.DataFrame:
        """One row a proxy, cell and seed: proxy, cell, seed, value, status, seconds, cause, version, space."""
        first = ["proxy", "cell", "seed", "value", "status", "seconds", "cause", "version", "space"]
        return results.scored(self.folder).scores[first]

    @property
    def failed(self) -> int:
        """How many scores failed in the sweep that made it."""
        return self.tally.statuses["failed"] if self.tally is not None else 0

    @property
    def cells(self) -> list[int]:
        """The cells that are scored."""
        return sorted(map(int, set(self.scores["cell"])))

    @property
    def results(self) -> Results:
        """Everything that is stored, with the correlations of the last call of `correlate`, or else the usual ones."""
        if self._results is None:
            stored = results.load(self.folder)
            self._results = results.correlate(self.folder) if stored.evidence.empty else stored
        return self._results

    def correlate(
        self,
        targets: str | Sequence[str] = (),
        *,
        metric: str = "spearman",
        subset: str = "all",
        undefined: str = "worst",
        suite: str | None = None,
    ) -> pd.DataFrame:
        """Correlate the scores with accuracies; positive means that a proxy predicts in its declared direction.

        Args:
            targets: ``table:column``, or tables for all their columns; by default the space's own. A distilled
                accuracy brings the vanilla one and the gain along.
            metric: what intervals and comparisons are about: ``spearman`` or ``kendall``.
            subset: which cells: ``all``, ``distinct`` (one a function), ``connected``, ``reachable`` or
                ``live-convolution``. A target whose cells are all in the subset has its rows of all cells.
            undefined: ``worst`` ranks undefined scores last, ``omit`` leaves their cells out.
            suite: a suite, such as ``nb201-2026``, which then says what the targets, the metric and ``undefined`` are;
                a run of other proxies, versions, cells, images or seeds is refused.

        Returns:
            One row a proxy and target: proxy, family, direction, target, subset, metric, value, low, high (the 95 %
            interval over functions), n (cells), n_functions, undefined, failed, and the further columns of
            `evidence.csv`.

        Raises:
            InputError: if a target, metric or subset is not known, or no evaluated cell of the subset has an
                accuracy.
        """
        from diswot.benchmarks import spaces
        from diswot.benchmarks.errors import unknown
        from diswot.harness.runs import suites

        if suite is not None and (targets, metric, undefined) != ((), "spearman", "worst"):
            raise InputError(f"suite: {suite} says what the targets, the metric and undefined are; leave these out.")
        known = spaces.get(self._info.space).subsets
        if subset not in known:
            raise unknown("subset", subset, known)
        asked = (targets,) if isinstance(targets, str) else tuple(targets)
        if suite is None:
            self._results = results.correlate(self.folder, asked, metric=metric, undefined=undefined)
        else:
            self._results = suites.correlate(self.folder, suite)
            metric = self._results.method.metric
        chosen = results.of_subset(self._results, subset)
        if chosen.empty:
            raise InputError(f"subset: {subset} holds none of the cells with an accuracy.")
        first = ["proxy", "family", "direction", "target", "subset", "metric", "value", "low", "high", "n"]
        first += ["n_functions", "undefined", "failed"]
        tidy = chosen.assign(value=chosen[metric])
        return tidy[[*first, *(name for name in tidy.columns if name not in first)]].reset_index(drop=True)

    def published(
        self, targets: str | Sequence[str] = (), *, metric: str = "spearman", undefined: str = "worst"
    ) -> pd.DataFrame:
        """Put the correlations beside those that papers and their authors report.

        Args:
            targets: as in `correlate`; ``nb201`` has the accuracies of most published figures.
            metric: the one that gets intervals, as in `correlate`; every published metric is there.
            undefined: as in `correlate`.

        Returns:
            One row a published figure: proxy, subset, target, metric, ours, published, difference, the settings that
            differ, why a difference above .03 is there, source, and the further columns of `published.COLUMNS`.

        Raises:
            InputError: if a target or metric is not known, or no evaluated cell has an accuracy.
        """
        from diswot.harness.runs import published

        self.correlate(targets, metric=metric, undefined=undefined)
        return published.compared(self.results)

    def compare(
        self,
        other: Run | Path | str,
        targets: str | Sequence[str] = (),
        *,
        metric: str = "spearman",
        subset: str = "all",
        undefined: str = "worst",
    ) -> Comparison:
        """Compare this run with another: two versions of a proxy, two machines, two image sets.

        Args:
            other: the other run, its folder, or the name of precomputed scores.
            targets: as in `correlate`.
            metric: as in `correlate`.
            subset: as in `correlate`.
            undefined: as in `correlate`; ``omit`` leaves a cell out of both runs.

        Returns:
            ``proxies``: a row a target and a proxy that both have, on the cells that both have: both correlations,
            their difference, other minus this, its interval and p-value, how many scores changed, and their rank
            correlation. ``settings``: what differs.

        Raises:
            InputError: if the runs have different spaces, or no proxy, cell or accuracy in common.
        """
        from diswot.harness.runs import compare

        asked = (targets,) if isinstance(targets, str) else tuple(targets)
        runs = (self.folder, other.folder if isinstance(other, Run) else other)
        return compare.compare(runs, asked, metric=metric, subset=subset, undefined=undefined)[0]

    def search(
        self,
        driver: str | Sequence[str] = "winner",
        *,
        searches: int = 10,
        evaluations: int | None = None,
        budgets: Mapping[str, float] | None = None,
        cost: str | None = None,
        algorithms: Sequence[str] | None = None,
        population: int | None = None,
        tournament: int | None = None,
        crossover: float = 0.0,
        cells: int | str | Iterable[int | str] | None = None,
        targets: Sequence[str] = (),
        weight_seed: int = 0,
        teachers: Sequence[str] = (),
        live: Plan | bool = False,
    ) -> Search:
        """Search for the best cell by a proxy alone; accuracies judge the picks and take no part in picking.

        Args:
            driver: a proxy or an ensemble, or several; ``winner`` is the one that ranks best
                on one half of the functions, ``winning-proxy`` the best there that is no ensemble.
            searches: how many, with seeds from 0, for every driver and algorithm.
            evaluations: how many cells a search may score; None for 200, or half of fewer than 400 cells.
            budgets: upper limits by name: params, flops, live_params, live_flops, or ``table:column``.
            cost: a second objective, of which less is better, named as a budget is: the result has Pareto fronts and
                hypervolumes of score and cost.
            algorithms: ``evolution``, ``random``, ``tpe``, ``nsga2``; None for the first two, or with a cost for
                ``nsga2`` and ``random``.
            population: how many cells evolution keeps; None for 20, or a quarter of fewer than 80 evaluations.
            tournament: of how many the best is a parent; None for 5.
            crossover: the probability that a child has two parents.
            cells: the cells that may be searched, as in `evaluate`; None for all that may be scored.
            targets: accuracies by which the picks are judged; by default the space's own.
            weight_seed: of the weights whose scores are followed.
            teachers: do it with each of these teachers; by default the run's.
            live: score what the run lacks, under its settings. A plan, as `plan.make` returns it, says where.

        Returns:
            Options, curves, picks and summary as tables, and ``best``: the cell, its value, its accuracies by target
            and its percentile among all cells with a known accuracy.

        Raises:
            InputError: if an argument is not known, or nothing that it needs is scored.
        """
        from diswot.benchmarks import spaces
        from diswot.benchmarks import teachers as architectures
        from diswot.harness.runs import samples
        from diswot.harness.search import study
        from diswot.harness.search.plan import Plan as StudyPlan

        chosen = None
        if cells is not None:
            chosen = samples.cells(cells, spaces.get(self._info.space if isinstance(live, bool) else live.space))
        found = study.study(
            StudyPlan(
                run=self.folder,
                drivers=(driver,) if isinstance(driver, str) else tuple(driver),
                algorithms=tuple(algorithms or ("evolution" if cost is None else "nsga2", "random")),
                evaluations=_plain(evaluations),
                population=_plain(population),
                tournament=_plain(tournament),
                crossover=_plain(crossover),
                searches=_plain(searches),
                cells=chosen,
                budgets=dict(budgets or {}),
                cost=cost,
                targets=tuple(targets),
                weight_seed=_plain(weight_seed),
                teachers=tuple(dict.fromkeys(map(architectures.canonical, teachers))),
                live=self._live() if live is True else live or None,
            )
        )
        if self._results is not None:
            self._results = replace(self._results, search=found)
        return found

    def _live(self) -> Plan:
        from diswot.harness.compute import plan

        settings = self._info.settings
        return plan.make("params", cells=1, device=settings.device, **settings.options)

    def report(
        self,
        out: Path | str | None = None,
        figures: Sequence[str] | None = None,
        *,
        proxies: Sequence[str] = (),
        labels: Mapping[str, str] | Path | None = None,
        order: str = "value",
        width: str = "",
        caption: bool = True,
        annotate: int = 0,
    ) -> Path:
        """Draw the figures and write one self-contained page; return the page's path.

        Args:
            out: folder of the page; by default the run's.
            figures: which figures, such as ``["bars", "scatters"]``; by default all that the run has data for.
            proxies: the proxies and ensembles to show; by default all.
            labels: what proxies and targets are called, or a file of lines ``NAME,LABEL``.
            order: ``value`` of the correlation, or ``given``: as in proxies, else as in labels.
            width: ``single`` or ``double``: of bars and scatters for a column of a paper, or its whole width.
            caption: whether the sample is written below a figure.
            annotate: how many of the most accurate cells scatters mark with their numbers.

        Raises:
            InputError: if a figure, proxy, order or width is not known, or the folder cannot be written to.
        """
        from diswot import reports
        from diswot.reports import paper

        wanted = paper.look_of(
            proxies=proxies, labels=labels, order=order, width=width, caption=caption, annotate=annotate
        )
        reports.require([self.folder], figures=figures, proxies=proxies, labels=wanted.labels)
        return reports.build([self.results], self.folder if out is None else expanded("out", out), figures, wanted)[0]
