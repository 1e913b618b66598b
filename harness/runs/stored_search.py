"""What a search leaves behind: ``search.json`` and four tidy tables in the folder ``search`` of its run."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated

import pandas as pd
from pydantic import AliasChoices, Field

from diswot.benchmarks import spaces, tables
from diswot.benchmarks.errors import InputError
from diswot.harness import files, records
from diswot.harness.records import Document, SpaceName, Whole
from diswot.harness.runs import run_folder

#: One row a teacher, driver, algorithm, quantity and number of evaluations, over searches with different seeds.
CURVE_COLUMNS = (
    *("teacher", "driver", "algorithm", "quantity", "evaluation", "seconds"),
    *("mean", "std", "low", "high", "searches"),
)

#: One row a search, or an optimum; further columns are accuracies in percent, named by their targets.
PICK_COLUMNS = (
    *("teacher", "driver", "algorithm", "seed", "cell", "architecture", "score"),
    *("evaluations", "found_at", "params", "flops"),
)

#: One row a teacher, driver, algorithm and target.
SUMMARY_COLUMNS = (
    *("teacher", "driver", "algorithm", "target", "searches", "picks", "evaluations", "seconds"),
    *("known", "accuracy", "accuracy_std", "accuracy_low", "accuracy_high"),
    *("regret", "regret_low", "regret_high", "percentile"),
    *("random_evaluations", "evaluations_saved", "fewer", "fewer_low", "fewer_high"),
    *("training_evaluations", "training_seconds", "seconds_saved"),
)

#: One row a driver and pair of teachers.
TEACHER_COLUMNS = ("driver", "teacher", "other", "cells", "spearman", "same_pick", "searches")

#: One row a cell on the front of a search, of all cells by score, or of all cells by accuracy; then targets.
FRONT_COLUMNS = ("teacher", "driver", "algorithm", "seed", "cell", "architecture", "score", "share", "cost")

#: One row a teacher, driver, algorithm and quantity.
HYPERVOLUME_COLUMNS = (
    *("teacher", "driver", "algorithm", "quantity", "searches", "hypervolume", "std", "low", "high"),
    *("over_random", "over_random_low", "over_random_high"),
)

_TABLES = {
    "curves": CURVE_COLUMNS,
    "picks": PICK_COLUMNS,
    "summary": SUMMARY_COLUMNS,
    "teachers": TEACHER_COLUMNS,
}
# Of a search with a second objective alone.
_WITH_COST = {"fronts": FRONT_COLUMNS, "hypervolumes": HYPERVOLUME_COLUMNS}


#: Columns of texts; all others hold numbers.
_TEXTS = ("teacher", "driver", "algorithm", "quantity", "architecture", "target", "other")

_ANEW = "; `diswot search` makes it anew"


class Options(Document):
    """How searches go; see `diswot.harness.search.algorithms.Options`."""

    evaluations: Whole
    population: Whole
    tournament: Whole
    crossover: float
    searches: Whole
    algorithms: list[str]
    costs: None = None  # which earlier versions wrote


class DriverRecord(Document):
    """What drove searches: a proxy or an ensemble, and what one evaluation costs."""

    name: str
    kind: str
    members: list[str]
    direction: str
    seconds_per_evaluation: float | None
    seconds_from: str


class Winner(Document):
    """A choice of the driver, and how it stood the test on functions that had no part in it.

    Attributes:
        driver: the proxy or ensemble with the highest correlation on the first half.
        proxy: the proxy with the highest one there; None where only ensembles have one.
        target: the accuracies, ``table:column``.
        metric: of correlation.
        chosen_on: how many functions the first half has.
        chosen: its correlation there.
        undefined: how many of its scores there are not defined, over all weight seeds.
        runner_up: the second; None where there is no other one.
        margin: how much lower the second one's correlation is there.
        margin_p: how likely such a difference is by chance, corrected for all pairs of proxies.
        significant: whether that is less than `diswot.harness.evidence.table.SIGNIFICANCE`.
        judged_on: how many functions the second half has.
        judged: its correlation there.
        judged_low: lower end of the 95 % interval of that, over functions.
        judged_high: upper end.
    """

    driver: str
    proxy: str | None = None
    target: str
    metric: str = Field(validation_alias=AliasChoices("metric", "measure"))
    chosen_on: Whole
    chosen: float
    undefined: Whole = 0
    runner_up: str | None
    margin: float | None
    margin_p: float | None
    significant: bool
    judged_on: Whole
    judged: float
    judged_low: float
    judged_high: float


class Oracle(Document):
    """The cell with the highest accuracy of a target, and how many cells have one."""

    cell: Whole
    architecture: str
    accuracy: float
    known: Whole


class Failure(Document):
    """What could not be scored live, and how many times."""

    proxy: str
    cause: str
    scores: Whole


class Costs(Document):
    """What a training of a target's networks takes.

    Attributes:
        seconds: of one.
        source: where that is from, and on what machine.
    """

    seconds: float
    source: str


class Info(Document):
    """The record of a search; see docs/stored-formats.md.

    ``question`` is a hash of all that a search of stored scores depends on; empty for any other search.
    """

    form = 1

    question: str = ""
    created: str = ""
    commands: list[str]
    space: SpaceName
    scores: str
    options: Options
    budgets: dict[str, float]
    unknown_costs: dict[str, Whole] = Field(default_factory=dict)
    cost: str | None = None
    cells: Whole
    weight_seed: Whole
    teachers: Annotated[list[str], Field(min_length=1)]
    targets: list[str]
    sources: dict[str, str] = Field(default_factory=dict)
    drivers: Annotated[list[DriverRecord], Field(min_length=1)]
    winner: Winner | None
    oracles: dict[str, Oracle]
    failed: list[Failure]
    trainings: dict[str, Costs]
    machine: str


@dataclass(frozen=True)
class Best:
    """The pick with the best score of a study's first driver; of equal ones that of the lowest cell.

    Attributes:
        cell: its number.
        architecture: how it is written.
        driver: the proxy or ensemble that picked it.
        value: the driver's score of it.
        accuracies: percent by target, as far as they are known.
        percentile: by target, the share of all cells with a known accuracy that it is better than, in percent; ties
            count half.
    """

    cell: int
    architecture: str
    driver: str
    value: float
    accuracies: dict[str, float]
    percentile: dict[str, float]


@dataclass(frozen=True, eq=False)
class Search:
    """What searches found.

    Attributes:
        info: ``search.json``: options, drivers, winner, costs, oracles, machines; see docs/stored-formats.md.
        curves: `CURVE_COLUMNS`. The quantity is ``score``, the driver's score of the current pick, or a target, the
            accuracy of the current pick in percent. ``mean``, ``std`` and the 95 % interval of the mean, ``low``
            to ``high``, are over the ``searches`` in which the quantity is known at that point.
        picks: `PICK_COLUMNS`, then targets. ``seed`` is empty for an optimum. ``found_at`` is the number of evaluations
            after which the pick did not change any more.
        summary: `SUMMARY_COLUMNS`. ``searches`` counts all, ``known`` those whose pick has an accuracy; ``percentile``
            is the share of cells with an accuracy that the pick is better than, in percent, ties counting half.
            The bar is the highest score that random search clears within its evaluations with a probability of a half;
            ``random_evaluations`` is when it does, by theory, and ``evaluations_saved`` that number divided by the
            median of the searches. ``fewer`` is how many evaluations less evolution takes to clear it than random
            search that began alike, on average, with its 95 % interval. ``training_evaluations`` is how many trainings
            random search takes on average for an accuracy as good as the pick's, at the median, ``training_seconds``
            what they take, and ``seconds_saved`` that divided by ``seconds``. Empty where not known.
        teachers: `TEACHER_COLUMNS`: Spearman's rho of the driver's scores of the same cells with two teachers, and
            the share of searches with equal seeds that end with the same pick.
        fronts: `FRONT_COLUMNS`, then targets: of a search with a second objective, the cells that no other cell of the
            search dominates, by ascending cost. ``share`` is that of all cells whose score is no better. The algorithm
            ``exhaustive`` stands for all cells by score, ``oracle`` for all cells by the accuracy that ``driver`` is.
        hypervolumes: `HYPERVOLUME_COLUMNS`: the hypervolume that these dominate, a share of that of all cells' front,
            over searches, and how much more it is than that of random search with the same seeds. The quantity is
            ``score``, or a target. See `diswot.harness.search.fronts`.
    """

    info: Info
    curves: pd.DataFrame
    picks: pd.DataFrame
    summary: pd.DataFrame
    teachers: pd.DataFrame
    fronts: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(FRONT_COLUMNS)))
    hypervolumes: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(HYPERVOLUME_COLUMNS)))

    def accuracies(self, target: str) -> pd.Series:
        """Return the accuracies of all cells that have one, by cell: of a table of the user's, from its file."""
        table, column = tables.parse_target(self.info.sources.get(target, target))
        return tables.load(table, self.info.space).frame[column].dropna()

    @cached_property
    def modelled(self) -> tuple[str, ...]:
        """The targets whose accuracies a model predicts; a table that has gone since is taken as measured."""
        found = []
        for target in self.info.targets:
            table, _ = tables.parse_target(self.info.sources.get(target, target))
            with suppress(InputError):
                if tables.load(table, self.info.space).card.is_modelled:
                    found.append(target)
        return tuple(found)

    def front(self, driver: str, algorithm: str) -> pd.DataFrame:
        """Return the cells that no other cell of all searches together dominates, by ascending cost.

        Args:
            driver: that chose them, with the first of several teachers.
            algorithm: of the searches, or ``exhaustive``.
        """
        own = self.fronts[(self.fronts["driver"] == driver) & (self.fronts["algorithm"] == algorithm)]
        own = own[own["teacher"] == self.info.teachers[0]]
        ordered = own.drop_duplicates("cell").sort_values(["cost", "share"], ascending=[True, False], kind="stable")
        return ordered[ordered["share"] > ordered["share"].cummax().shift(fill_value=-math.inf)]

    @property
    def best(self) -> Best:
        """What was found: the best pick of evolution, or of the other algorithm where evolution took no part."""
        driver = self.info.drivers[0]
        picks = self.picks[(self.picks["driver"] == driver.name) & self.picks["seed"].notna()]
        evolved = picks[picks["algorithm"] == "evolution"]
        ranked = (evolved if len(evolved) else picks).sort_values(
            ["score", "cell"], ascending=[driver.direction == "lower", True], kind="stable"
        )
        first = ranked.iloc[0]
        accuracies, percentile = {}, {}
        for name in self.info.targets:
            if not math.isnan(first[name]):
                accuracies[name] = float(first[name])
                percentile[name] = percentile_of(accuracies[name], self.accuracies(name))
        return Best(
            cell=int(first["cell"]),
            architecture=str(first["architecture"]),
            driver=driver.name,
            value=float(first["score"]),
            accuracies=accuracies,
            percentile=percentile,
        )


def percentile_of(accuracy: float, accuracies: pd.Series) -> float:
    """Return the share of accuracies, in percent, that one is better than; ties count half."""
    from scipy import stats

    return float(stats.percentileofscore(accuracies, accuracy, kind="mean"))


def folder_of(run: Path) -> Path:
    """Return where a run keeps its search."""
    return run / "search"


def write(run: Path, search: Search) -> None:
    """Write a search into its run's folder, in place of an earlier one; nothing where the folder is not writable."""
    if not run_folder.keeps(run):
        return
    folder = folder_of(run)
    (folder / "search.json").unlink(missing_ok=True)
    for name in _WITH_COST:
        (folder / f"{name}.csv").unlink(missing_ok=True)
    for name in _tables_of(search.info):
        files.write_table(folder / f"{name}.csv", getattr(search, name))
    files.write_json(folder / "search.json", search.info.stored())  # last: what it stands for is whole


def read(run: Path) -> Search | None:
    """Return a run's search; None where there is none.

    Raises:
        InputError: if it is damaged or of another schema.
    """
    folder = folder_of(run)
    path = folder / "search.json"
    if not path.is_file():
        return None
    info = records.read(Info, path, "run", _ANEW)
    tables = {
        name: files.read_csv(folder / f"{name}.csv", _TEXTS, "run", _ANEW, needed=columns)
        for name, columns in _tables_of(info).items()
    }
    cells = tables["picks"]["cell"]
    if not cells.isin(spaces.get(info.space).cells).all():
        raise InputError(f"run: {folder / 'picks.csv'} is damaged: a cell is not one of {info.space}{_ANEW}.")
    return Search(info=info, **tables)


def _tables_of(info: Info) -> dict[str, tuple[str, ...]]:
    return _TABLES if info.cost is None else _TABLES | _WITH_COST
