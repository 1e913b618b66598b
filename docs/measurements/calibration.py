"""Compare recipes of students with `mini`: `python docs/measurements/calibration.py train|compare FOLDER`.

docs/calibration/README.md has the recipes' purpose and the rule that decides. ``train`` is resumable: the same command
continues it. It takes the functions eight at a time through all recipes.
``compare`` writes docs/calibration/recipes.csv, the trainings, and comparison.csv, what follows from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import click
import numpy as np
import pandas as pd
import stratified

from diswot.benchmarks import spaces, tables
from diswot.harness.compute import devices
from diswot.harness.distillation import accuracies, recipes, sweep
from diswot.harness.distillation.sweep import Plan

DOCS = Path(__file__).parents[1]
Statistic = Callable[[pd.DataFrame], float]

TEACHER = str(DOCS.parent / "benchmarks" / "tables" / "data" / "nb201-kd-teacher.pt")
MINI = DOCS / "calibration" / "nb201-kd-trainings.csv"
RESAMPLES = 1_000
SPACE = spaces.get("nb201")

#: How many functions a recipe is compared on, and how few a statistic may be of.
FUNCTIONS, FEWEST = 24, 10

#: Changes of `mini`, and what has to be trained: temperature and weights do not change the vanilla student.
RECIPES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "temperature 2": ((), ("kd",)),
    "no labels": (("kd_weight=1", "label_weight=0"), ("kd",)),
    "rate .2": (("learning_rate=0.2",), ("none", "kd")),
    "5000 x 20": (("samples=5000", "epochs=20"), ("none", "kd")),
    "50000 x 4": (("epochs=4",), ("none", "kd")),
    "12 channels": (("C=12",), ("none", "kd")),
    "2 cells": (("N=2",), ("none", "kd")),
    "32 pixels x 1": (("size=32", "epochs=1"), ("none", "kd")),
    "50000 x 8": (("epochs=8",), ("none", "kd")),
}

#: Of all of them.
COMMON = ("temperature=2",)

#: Functions that are taken through all recipes before the next ones, so that these have about equally many.
AT_ONCE = 8


@click.group()
def main() -> None:
    """Train, then compare."""


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--image-dir", type=click.Path(path_type=Path))
@click.option("--functions", default=FUNCTIONS, show_default=True, help="At most; a multiple of 8.")
@click.option("--seeds", default=1, show_default=True)
@click.option("--recipe", "names", multiple=True, type=click.Choice(list(RECIPES)), help="Repeatable; default all.")
def train(folder: Path, image_dir: Path | None, functions: int, seeds: int, names: tuple[str, ...]) -> None:
    """Train vanilla and distilled students of every recipe, one folder each."""
    for count in range(AT_ONCE, functions + 1, AT_ONCE):
        for name in names or RECIPES:
            changes, distillers = RECIPES[name]
            plan = Plan(
                space="nb201",
                cells=tuple(stratified.functions(count)),
                seeds=tuple(range(seeds)),
                distillers=distillers,
                recipe=recipes.get("mini", COMMON + changes),
                images="cifar10",
                image_dir=image_dir,
                teacher=TEACHER,
                checkpoint_every=60.0,
                **devices.place("cpu", 1, None),
            )
            out = folder / name.replace(" ", "-")
            click.echo(sweep.run(plan, out).describe(out, "training"))


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
def compare(folder: Path) -> None:
    """Compare every recipe with `mini` on the functions that it has, with bootstrap intervals over functions."""
    mini = pd.read_csv(MINI)
    truth = tables.load(stratified.TABLE).frame[stratified.COLUMN]
    first = by_function(mini, seed=0)
    compared = [*_statistics("mini", first[first.index.isin(stratified.functions(FUNCTIONS))], first, truth)]
    parts = []
    for name in RECIPES:
        own = folder / name.replace(" ", "-")
        trained = accuracies.trainings(own) if own.is_dir() else pd.DataFrame()
        if trained.empty:
            continue
        parts.append(trained.assign(recipe=name))
        students = by_function(trained, seed=0)
        students["none"] = students.get("none", first["none"])  # what is left out is that of `mini`
        again = by_function(trained, seed=1).add_suffix(" again")
        compared += _statistics(name, students.join(again), first, truth)
    table = pd.DataFrame(compared)
    table.round(4).to_csv(DOCS / "calibration" / "comparison.csv", index=False)
    print(table.round(3).to_string(index=False))
    whole = pd.concat(parts)
    whole.insert(0, "function", whole["cell"].map(SPACE.representative))
    whole.insert(0, "recipe", whole.pop("recipe"))
    whole.to_csv(DOCS / "calibration" / "recipes.csv", index=False)


def _statistics(
    recipe: str, students: pd.DataFrame, mini: pd.DataFrame, truth: pd.Series
) -> Iterator[dict[str, object]]:
    pairs = students.join(mini.add_suffix(" of mini")).join(truth.rename("truth"))
    for half, part in {"all": pairs, "better half": pairs[pairs.index.isin(stratified.better())]}.items():
        for statistic, (columns, of) in STATISTICS.items():
            known = part.reindex(columns=list(dict.fromkeys([*columns, "truth"]))).dropna()
            if len(known) >= FEWEST:
                value, low, high = bootstrapped(known, of)
                about = {"recipe": recipe, "half": half, "statistic": statistic, "n": len(known)}
                yield about | {"value": value, "low": low, "high": high}


def by_function(trained: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return the accuracies of a seed in percent by function, a column ``none`` and ``kd``."""
    good = trained[(trained["status"] == "ok") & (trained["seed"] == seed) & trained["distiller"].isin(["none", "kd"])]
    wide = good.pivot(index="cell", columns="distiller", values="accuracy")
    wide.index = wide.index.map(SPACE.representative)
    return wide[~wide.index.duplicated()]


def _alike(one: str, other: str) -> tuple[tuple[str, ...], Statistic]:
    return (one, other), lambda pairs: float(pairs[one].corr(pairs[other], method="spearman"))


def _fidelity_gained(pairs: pd.DataFrame) -> float:
    ranks = pairs.rank()
    return float(ranks["kd"].corr(ranks["truth"]) - ranks["kd of mini"].corr(ranks["truth"]))


def _gain_gained(pairs: pd.DataFrame) -> float:
    return float((pairs["kd"] - pairs["none"] - pairs["kd of mini"] + pairs["none of mini"]).mean())


#: By name, the columns that a statistic reads, and what it is of functions that have them.
STATISTICS: dict[str, tuple[tuple[str, ...], Statistic]] = {
    "gain": (("kd", "none"), lambda pairs: float((pairs["kd"] - pairs["none"]).mean())),
    "gain - gain of mini": (("kd", "none", "kd of mini", "none of mini"), _gain_gained),
    "fidelity of vanilla": _alike("none", "truth"),
    "fidelity of distilled": _alike("kd", "truth"),
    "fidelity of distilled - that of mini": (("kd", "kd of mini"), _fidelity_gained),
    "vanilla with distilled": _alike("none", "kd"),
    "reliability of vanilla": _alike("none", "none again"),
    "reliability of distilled": _alike("kd", "kd again"),
}


def bootstrapped(pairs: pd.DataFrame, of: Statistic) -> tuple[float, float, float]:
    """Return a statistic with its 95 % percentile interval over resampled functions."""
    random = np.random.default_rng(0)
    values = [of(pairs.iloc[random.integers(len(pairs), size=len(pairs))]) for _ in range(RESAMPLES)]
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return of(pairs), float(low), float(high)


if __name__ == "__main__":
    main()
