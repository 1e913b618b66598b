"""Compare recipes of students with `mini`: `python docs/measurements/calibration.py train|compare FOLDER`.

docs/calibration/README.md has the recipes' purpose and the rule that decides. ``train`` is resumable: the same command
continues it. It takes the functions eight at a time through all recipes.
``compare`` writes docs/calibration/recipes.csv and prints one line a recipe.
"""

from __future__ import annotations

from collections.abc import Callable
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
@click.option("--functions", default=24, show_default=True, help="At most; a multiple of 8.")
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
    space = spaces.get("nb201")
    mini = by_function(pd.read_csv(MINI).query("seed == 0"))
    truth = tables.load(stratified.TABLE).frame[stratified.COLUMN]
    parts = []
    for name, (_, distillers) in RECIPES.items():
        own = folder / name.replace(" ", "-")
        trained = accuracies.trainings(own) if own.is_dir() else pd.DataFrame()
        if trained.empty:
            continue
        parts.append(trained.assign(recipe=name))
        found = by_function(trained)
        if "none" not in distillers:
            found["none"] = mini["none"]
        pairs = found.join(mini.add_suffix(" of mini")).dropna().join(truth.rename("truth"))
        for half, part in {"all": pairs, "better half": pairs[pairs.index.isin(stratified.better())]}.items():
            seconds = trained.groupby("distiller")["seconds"].mean().round(1).to_dict()
            print(f"\n{name}, {half}: n = {len(part)}, CPU-seconds {seconds}")
            for label, of in STATISTICS.items():
                value, low, high = bootstrapped(part, of)
                print(f"  {label}: {value:+.3f} (95 % interval {low:+.3f} to {high:+.3f})")
    columns = ["recipe", *parts[0].columns.drop("recipe")]
    whole = pd.concat(parts)[columns]
    whole.insert(1, "function", whole["cell"].map(space.representative))
    whole.to_csv(DOCS / "calibration" / "recipes.csv", index=False)


def by_function(trained: pd.DataFrame) -> pd.DataFrame:
    """Return accuracies in percent by function, a column ``none`` and ``kd``."""
    good = trained[(trained["status"] == "ok") & trained["distiller"].isin(["none", "kd"])]
    wide = good.pivot(index="cell", columns="distiller", values="accuracy")
    wide.index = wide.index.map(spaces.get("nb201").representative)
    return wide[~wide.index.duplicated()]


def fidelity(pairs: pd.DataFrame, column: str) -> float:
    """Return the Spearman correlation of a column with 200-epoch accuracies."""
    return float(pairs[column].corr(pairs["truth"], method="spearman"))


STATISTICS: dict[str, Statistic] = {
    "gain": lambda pairs: (pairs["kd"] - pairs["none"]).mean(),
    "gain - gain of mini": lambda pairs: (
        pairs["kd"] - pairs["none"] - pairs["kd of mini"] + pairs["none of mini"]
    ).mean(),
    "fidelity of vanilla": lambda pairs: fidelity(pairs, "none"),
    "fidelity of distilled": lambda pairs: fidelity(pairs, "kd"),
    "fidelity of distilled - that of mini": lambda pairs: fidelity(pairs, "kd") - fidelity(pairs, "kd of mini"),
    "vanilla with distilled": lambda pairs: float(pairs["none"].corr(pairs["kd"], method="spearman")),
}


def bootstrapped(pairs: pd.DataFrame, of: Statistic) -> tuple[float, float, float]:
    """Return a statistic with its 95 % percentile interval over resampled functions."""
    random = np.random.default_rng(0)
    values = [of(pairs.iloc[random.integers(len(pairs), size=len(pairs))]) for _ in range(RESAMPLES)]
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return of(pairs), float(low), float(high)


if __name__ == "__main__":
    main()
