"""The fixed cells on which proxies are compared, and the built-ins' stored scores there. Reading loads no torch."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from diswot.benchmarks.errors import InputError
from diswot.harness import files, records
from diswot.harness.compute import sweep
from diswot.harness.compute.plan import Plan
from diswot.harness.records import Document
from diswot.harness.runs import results, run_folder
from diswot.harness.runs.precomputed.catalogue import Precomputed
from diswot.harness.runs.provenance import Made, ProxyRecord
from diswot.harness.runs.settings import Settings
from diswot.proxies import registry
from diswot.proxies.registry import Proxy

SPACE = "nb201"

#: Of the weights.
_SEED = 0

_FOLDER = Path(__file__).with_name("data")

_COLUMNS = ("proxy", "version", "cell", "seed", "status", "value", "cause")


@dataclass(frozen=True)
class Conditions:
    """Under which a check scores: what `diswot evaluate` has options of these names for, and its defaults."""

    images: str = "noise"
    image_dir: Path | None = None
    batch_size: int = 64
    batch_seed: int = 0
    augment: bool = False
    teacher: str = "resnet56"


#: Those of the scores that are stored beside this file; they need no images.
OWN = Conditions()


@dataclass(frozen=True, eq=False)
class Reference:
    """What is stored.

    Attributes:
        scores: one row a built-in and cell: proxy, version, cell, seed, status, value, cause.
        proxies: name, version and direction of the built-ins, as they were.
        settings: of the sweep that made the scores.
    """

    scores: pd.DataFrame
    proxies: pd.DataFrame
    settings: Settings


class Declared(Document):
    """What the reference says of a proxy."""

    name: str
    version: str
    direction: Literal["higher", "lower"]


class Card(Made):
    """How the scores that are stored beside this file were made."""

    settings: Settings
    data_hash: str
    proxies: list[Declared]


def cells(quick: bool) -> tuple[int, ...]:
    """Return the fixed cells; the first of them for a quick check. A longer list would only add to them."""
    every = tuple(int(line) for line in (_FOLDER / "cells.txt").read_text().split())
    return every[:QUICK_CELLS] if quick else every


#: So many cells take half a minute on two processors.
QUICK_CELLS = 30


def load() -> Reference:
    """Load what is stored beside this file.

    Raises:
        InputError: if it is missing, damaged or of another schema.
    """
    card = records.read(Card, card_path(), "check")
    path = scores_path()
    if files.digest(path) != card.data_hash:
        raise InputError(
            f"check: {path} is not the file of its card; `diswot check --refresh-reference` makes both anew."
        )
    return Reference(pd.read_parquet(path), _frame(card.proxies), card.settings)


def of_precomputed(one: Precomputed) -> Reference:
    """Take the reference from precomputed scores: those of the fixed cells and of a check's weight seed."""
    found = one.frame()
    found = found[found["cell"].isin(cells(quick=False)) & (found["seed"] == _SEED)]
    return Reference(found[list(_COLUMNS)].reset_index(drop=True), _frame(one.card.proxies), one.card.settings)


def _frame(proxies: Sequence[Declared | ProxyRecord]) -> pd.DataFrame:
    return pd.DataFrame([proxy.model_dump(include={*Declared.model_fields}) for proxy in proxies])


def conditions_of(one: Precomputed, image_dir: Path | None) -> Conditions:
    """Return the conditions of precomputed scores.

    Args:
        one: the precomputed scores.
        image_dir: the folder of its image set; None for the cache.

    Raises:
        InputError: if they are of another space, or lack the weight seed of a check.
    """
    if one.card.space != SPACE or _SEED not in one.card.seeds:
        seeds = ", ".join(map(str, one.card.seeds))
        raise InputError(
            f"with: the precomputed scores {one.name} are of {one.card.space} with weight seeds {seeds}; a check "
            f"compares on {SPACE} with seed {_SEED}."
        )
    same = {
        key: getattr(one.card.settings, key) for key in ("images", "batch_size", "batch_seed", "augment", "teacher")
    }
    return Conditions(image_dir=image_dir, **same)


def refresh(workers: int) -> Path:
    """Score every built-in on the fixed cells anew, store that, and return the file.

    Raises:
        InputError: if a built-in fails somewhere, or the package's folder cannot be written to.
    """
    built_in = tuple(one for one in map(registry.get, registry.names()) if registry.is_built_in(one))
    with tempfile.TemporaryDirectory() as folder:
        found = evaluate(OWN, built_in, cells(quick=False), (), workers, Path(folder))
        info = run_folder.read_info(Path(folder))
    failed = found[found["status"] == "failed"]
    if not failed.empty:
        first = failed.iloc[0]
        raise InputError(f"check: {first['proxy']} fails on cell {first['cell']}: {first['cause']}.")
    path = files.write_table(scores_path(), found)
    card = Card(
        settings=info.settings,
        settings_hash=info.settings_hash,
        data_hash=files.digest(path),
        versions=info.versions,
        git_revision=info.git_revision,
        device=info.device,
        proxies=[Declared(name=one.name, version=one.version, direction=one.direction) for one in built_in],
    )
    files.write_json(card_path(), card.stored())
    return path


def evaluate(
    conditions: Conditions,
    proxies: Sequence[Proxy],
    chosen: Sequence[int],
    plugins: Sequence[Path],
    workers: int,
    folder: Path,
) -> pd.DataFrame:
    """Score proxies on cells, as the reference was made, into a run's folder.

    Returns:
        One row a proxy and cell, in that order: `Reference.scores`.
    """
    sweep.run(plan(conditions, proxies, chosen, plugins, workers), folder)
    found = results.load(folder).scores
    order = {proxy.name: place for place, proxy in enumerate(proxies)}
    found = found.assign(_order=found["proxy"].map(order)).sort_values(["_order", "cell"], kind="stable")
    return found[list(_COLUMNS)].reset_index(drop=True)


def plan(
    conditions: Conditions, proxies: Sequence[Proxy], chosen: Sequence[int], plugins: Sequence[Path], workers: int
) -> Plan:
    """Return the sweep that reference scores come from, on a CPU."""
    return Plan(
        space=SPACE,
        cells=chosen,
        proxies=proxies,
        seeds=(_SEED,),
        **vars(conditions),
        devices=("cpu",),
        device_name=run_folder.processor(),
        workers=workers,
        plugins=plugins,
    )


def settings_of(one: Plan) -> Settings:
    """Return the settings that a plan has on this machine, the hash of its images among them."""
    return sweep.prepare(one).settings


def scores_path() -> Path:
    """Return the file of scores."""
    return _FOLDER / "reference.parquet"


def card_path() -> Path:
    """Return the file that says how they were made."""
    return _FOLDER / "reference.card.json"
