"""Turn trainings of students into accuracies by function and cell. `runs.store.Training` lists the columns."""

from __future__ import annotations

import pandas as pd

from diswot.benchmarks import spaces

#: The files in a distillation's folder that make it one, and that hold its accuracies by cell.
INFO = "distillation.json"
ACCURACIES = "accuracies.csv"

#: What the two distillers are called, as columns, that the paper's question is about.
COLUMNS = {"none": "vanilla", "kd": "distilled"}


def by_class(trainings: pd.DataFrame) -> pd.DataFrame:
    """Return accuracies in percent by class (index ``cell``), a column a distiller and seed, such as ``vanilla-0``."""
    good = trainings[trainings["status"] == "ok"]
    names = good["distiller"].replace(COLUMNS) + "-" + good["seed"].astype(str)
    return good.assign(name=names).pivot(index="cell", columns="name", values="accuracy")


def distillers_in(seeds: pd.DataFrame) -> list[str]:
    """Return the columns of `by_class` without their seeds, vanilla and distilled first."""
    found = dict.fromkeys(name.rpartition("-")[0] for name in seeds.columns)
    first = [name for name in COLUMNS.values() if name in found]
    return first + [name for name in found if name not in first]


def seeds_of(name: str, seeds: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of `by_class` that are of one distiller."""
    return seeds[[column for column in seeds.columns if column.rpartition("-")[0] == name]]


def by_cell(trainings: pd.DataFrame, space: str) -> pd.DataFrame:
    """Return accuracies for every cell that computes the same function as a trained one.

    A function that two of the trained classes share was trained twice a seed: the accuracy of a seed is the mean then.

    Returns:
        One row a cell, ascending; for every distiller the mean over its seeds, then every seed, in percent.
    """
    known = spaces.get(space)
    seeds = by_class(trainings).groupby(known.representative).mean()
    means = {name: seeds_of(name, seeds).mean(axis=1) for name in distillers_in(seeds)}
    wide = pd.concat([pd.DataFrame(means, index=seeds.index), seeds], axis=1)
    standing_for = pd.Series({cell: known.representative(cell) for cell in known.cells}, name="function")
    members = standing_for[standing_for.isin(wide.index)]
    return wide.loc[members].set_axis(members.index.rename("cell"))
