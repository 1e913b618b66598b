"""What a distillation has found, as tables: every training, the accuracies by cell, and what they say of themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from diswot.benchmarks import spaces, tables
from diswot.benchmarks.spaces import Space
from diswot.benchmarks.tables import Card, Target
from diswot.benchmarks.tables.trainings import ACCURACIES, COLUMNS, by_cell, by_class, distillers_in, seeds_of
from diswot.harness import files
from diswot.harness.distillation import distillers, recipes, sweep, teacher
from diswot.harness.distillation.recipes import Recipe
from diswot.harness.evidence.column import Column
from diswot.harness.evidence.metrics import METRICS
from diswot.harness.runs import run_folder
from diswot.harness.runs.store import TRAININGS, Store

_RESAMPLES = 10_000


def trainings(folder: Path) -> pd.DataFrame:
    """Return every training of a distillation's current settings and of its distillers' current versions.

    See `diswot.harness.runs.store.Training` for the columns.

    Raises:
        InputError: if the folder holds no distillation, or is damaged.
    """
    info = sweep.read_info(folder)
    with Store(run_folder.store_path(folder, TRAININGS), create=False, kind=TRAININGS) as store:
        return store.current(info.settings_hash, distillers.version)


def measured(found: pd.DataFrame, space: str, compared: Target | None) -> dict[str, str]:
    """Return what a table of accuracies says of itself, each figure with its n.

    Args:
        found: as `trainings` gives it.
        space: the search space.
        compared: accuracies to compare the vanilla ones with.
    """
    seeds = by_class(found)
    said: dict[str, str] = {}
    for name in distillers_in(seeds):
        own = seeds_of(name, seeds)
        said[f"{name}: mean accuracy, percent"] = _mean(own.mean(axis=1))
        for one, other in combinations(own.columns, 2):
            pair = own[[one, other]].dropna()
            if len(pair) > 2:
                said[f"{name}: Spearman of seeds {one.rpartition('-')[2]} and {other.rpartition('-')[2]}"] = _agreement(
                    pair
                )
    if compared is not None and "vanilla" in distillers_in(seeds):
        truth = tables.load(compared.table, space).frame[compared.column]
        for column in seeds_of("vanilla", seeds).columns:
            pair = pd.concat([seeds[column], truth], axis=1).dropna()
            if len(pair) > 2:
                said[f"{column}: Spearman with {compared.name}"] = _agreement(pair)
    said |= _pairs(seeds)
    good = found[found["status"] == "ok"]
    said["seconds per training"] = _mean(good["seconds"])
    failures = len(found) - len(good)
    said["trainings"] = f"{len(good)} of {good['cell'].nunique()} classes, {failures} failed"
    if not good.empty:
        said["answers for"] = _answered(by_cell(found, space).index, spaces.get(space))
    return said


def write(folder: Path, compared: Target | None) -> tuple[list[Path], dict[str, str]]:
    """Write ``trainings.csv``, ``accuracies.csv`` by cell and its card, and return their paths and what is measured.

    Raises:
        InputError: if the folder holds no distillation, or cannot be written to.
    """
    info = sweep.read_info(folder)
    space = info.settings.space
    found = trainings(folder)
    paths = [files.write_table(folder / "trainings.csv", found)]
    said = measured(found, space, compared)
    if (found["status"] == "ok").any():
        table = by_cell(found, space).round(4).reset_index()
        path = files.write_table(folder / ACCURACIES, table)
        card = _card(folder, info, found, said, files.digest(path))
        paths += [path, files.write_json(path.with_name(f"{path.name}.card.json"), asdict(card))]
    return paths, said


def _answered(cells: pd.Index, space: Space) -> str:
    functions, classes = (len({of(cell) for cell in cells}) for of in (space.representative, space.canonical))
    return f"{len(cells)} cells, which compute {functions} functions and are of {classes} isomorphism classes"


def _pairs(seeds: pd.DataFrame) -> dict[str, str]:
    if not set(COLUMNS.values()) <= set(distillers_in(seeds)):
        return {}
    vanilla, distilled = (
        seeds_of(name, seeds).rename(columns=lambda column: column.rpartition("-")[2]) for name in COLUMNS.values()
    )
    gains = distilled - vanilla  # of students that began alike
    both = gains.notna()
    pair = pd.DataFrame(
        {"vanilla": vanilla.where(both).mean(axis=1), "distilled": distilled.where(both).mean(axis=1)}
    ).dropna()
    if len(pair) < 3:
        return {}
    gain = gains.mean(axis=1).dropna()
    return {
        "gain from distillation, points": f"{_mean(gain)}; above 0 for {(gain > 0).mean():.0%}",
        "vanilla with distilled: Spearman": _agreement(pair),
        "vanilla with distilled: Kendall": _agreement(pair, "kendall"),
        "is the best vanilla student the best distilled one": _best(seeds, pair),
    }


def _best(seeds: pd.DataFrame, pair: pd.DataFrame) -> str:
    # The answer hangs on differences at the top that seeds may make, so it is asked again of accuracies drawn around
    # the measured means with the standard deviation that seeds were seen to have.
    best = pair.idxmax()
    rank = int(pair["distilled"].rank(ascending=False, method="min")[best["vanilla"]])
    loss = pair["distilled"].max() - pair["distilled"][best["vanilla"]]
    text = (
        f"{'yes' if best['vanilla'] == best['distilled'] else 'no'}: vanilla {best['vanilla']}, distilled "
        f"{best['distilled']}; the best vanilla one is distilled number {rank} of {len(pair)}, {loss:.2f} points behind"
    )
    random = np.random.default_rng(0)
    picked = []
    for name in pair:
        own = seeds_of(str(name), seeds).loc[pair.index]
        repeated = own[own.count(axis=1) > 1]
        if repeated.empty:
            return f"{text}; one seed only, so how sure that is cannot be said"
        std = np.sqrt(repeated.var(axis=1).mean()) / np.sqrt(own.count(axis=1).to_numpy())
        picked.append((pair[name].to_numpy() + std * random.normal(size=(_RESAMPLES, len(pair)))).argmax(axis=1))
    same = (picked[0] == picked[1]).mean()
    return f"{text}; with the seeds' standard deviation the two are the same in {same:.0%} of {_RESAMPLES} resamples"


def _mean(values: pd.Series) -> str:
    values = values.dropna()
    if len(values) < 2:
        return f"{values.mean():.2f}, n = {len(values)}"
    half = stats.t.ppf(0.975, len(values) - 1) * values.sem()
    low, high = values.mean() - half, values.mean() + half
    return f"{values.mean():.2f} ± {values.std():.2f} (95 % interval {low:.2f} to {high:.2f}), n = {len(values)}"


def _agreement(pair: pd.DataFrame, metric: str = "spearman") -> str:
    one, other = (Column.of(pair[name].to_numpy(float)) for name in pair)
    value = METRICS[metric].function(one, other)
    return f"{'not defined' if np.isnan(value) else format(value, '.3f')} (n = {len(pair)})"


def _card(folder: Path, info: sweep.Info, found: pd.DataFrame, said: dict[str, str], data_hash: str) -> Card:
    settings = info.settings
    file = folder / "teacher.pt"
    return Card(
        source=f"trained by diswot distill {info.versions['diswot-bench']}, torch {info.versions['torch']}",
        licence="none needed; computed by the project",
        images=f"{settings.images} of SHA-256 {settings.images_hash[:16]}; accuracy on all test images",
        recipe=describe_students(settings.space, settings, found["distiller"].unique()),
        teacher=_describe_teacher(teacher.load(file, "cpu"), settings) if file.is_file() else "none",
        seeds=said["trainings"],
        epochs=str(settings.epochs),
        citation="diswot-bench",
        data_hash=data_hash,
        measured="; ".join(f"{name}: {value}" for name, value in said.items()),
    )


def describe_students(space: str, recipe: Recipe, trained: Iterable[str]) -> str:
    """Return how students are trained, in words: the recipe, and the loss of each distiller, the vanilla one first."""
    ordered = sorted(trained, key=lambda text: (text != distillers.NONE, text))
    losses = [f"{COLUMNS.get(text, text)}: {distillers.describe(text, recipe)}" for text in ordered]
    skeleton = [f"skeleton C={recipe.C} N={recipe.N}"] if spaces.get(space).has_skeleton else []
    alike = f"T={recipe.temperature:g}; all from the same initial weights, with the same order of batches and views"
    return "; ".join([*skeleton, recipe.describe(), *losses, alike])


def _describe_teacher(one: teacher.Teacher, recipe: Recipe) -> str:
    made = "weights from a file"
    if one.seconds is not None:
        own = recipes.get(recipe.teacher_recipe)
        made = f"trained here in {one.seconds:.0f} s: {own.describe()}"
    return (
        f"{one.name}, {one.accuracy:.2f} percent of the test images and {one.train_accuracy:.2f} percent of the "
        f"students' training images, seen at {one.preprocessing.size}x{one.preprocessing.size}; {made}"
    )
