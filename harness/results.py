"""A run as tidy tables, for notebooks and reports."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from benchmarks import tables
from benchmarks.errors import InputError
from harness import correlation, files, run_folder
from harness.store import Store

#: What a space's scores are correlated with unless something else is asked for; the distilled accuracy comes first.
DEFAULT_TARGETS = {
    "nb201": ("analog-nasbench:baseline",),
    "s0": ("s0-diswot:distilled", "s0-diswot:vanilla"),
}

T = TypeVar("T")

_COUNTERPARTS = {"distilled": "vanilla", "vanilla": "distilled"}


@dataclass(frozen=True)
class Results:
    """What a run's folder holds.

    Attributes:
        folder: the run's folder.
        info: ``run.json``.
        scores: space, cell, proxy, version, seed, status (ok, undefined, failed), value, cause, seconds.
        proxies: the records of the run's proxies.
        targets: cell, target (``table:column``), accuracy in percent; empty before `correlate`.
        correlations: see `harness.correlation.COLUMNS`; empty before `correlate`.
        cards: the cards of the tables that the targets are from, by table.
    """

    folder: Path
    info: dict[str, Any]
    scores: pd.DataFrame
    proxies: pd.DataFrame
    targets: pd.DataFrame
    correlations: pd.DataFrame
    cards: dict[str, dict[str, Any]]


def load(run: Path | str) -> Results:
    """Load a run's folder.

    Raises:
        InputError: if it is not one, or is damaged.
    """
    folder = Path(run)
    stored = _stored(folder)
    return replace(
        stored,
        targets=_read(folder / "targets.csv", _csv, stored.targets),
        correlations=_read(folder / "correlations.csv", _csv, stored.correlations),
        cards=_read(folder / "cards.json", lambda path: json.loads(path.read_text()), stored.cards),
    )


def _stored(folder: Path) -> Results:
    info = run_folder.read_info(folder)
    proxies = pd.DataFrame(info["proxies"])
    with Store(run_folder.store_path(folder), create=False) as store:
        frame = store.frame()
    frame = frame[frame["settings"] == info["settings_hash"]].drop(columns="settings")
    current = frame["proxy"].map(proxies.set_index("name")["version"]) == frame["version"]
    frame = frame[current].reset_index(drop=True)
    return Results(
        folder=folder,
        info=info,
        scores=frame,
        proxies=proxies,
        targets=pd.DataFrame(columns=["cell", "target", "accuracy"]),
        correlations=pd.DataFrame(columns=list(correlation.COLUMNS)),
        cards={},
    )


def correlate(run: Path | str, target_names: tuple[str, ...] = ()) -> Results:
    """Correlate a run's scores with targets, store the correlations beside them, and return everything.

    Args:
        run: the run's folder.
        target_names: ``table:column`` or ``table``; by default the space's own. Where a table has both a distilled and
            a vanilla accuracy, asking for one brings the other along.

    Raises:
        InputError: if a target is not known, or none of its cells was evaluated.
    """
    folder = Path(run)
    results = _stored(folder)
    space = results.info["space"]
    chosen = targets_of(space, target_names)
    cards: dict[str, dict[str, Any]] = {}
    parts = []
    evaluated = set(results.scores["cell"])
    for name, target in chosen.items():
        table = tables.load(target.table, space)
        accuracy = table.frame[target.column].dropna()
        accuracy = accuracy[accuracy.index.isin(evaluated)]
        if accuracy.empty:
            raise InputError(
                f"--target: {name} has an accuracy for none of the {len(evaluated)} cells evaluated in {folder}."
            )
        parts.append(pd.DataFrame({"cell": accuracy.index, "target": name, "accuracy": accuracy.to_numpy()}))
        cards[table.name] = asdict(table.card)
    targets = pd.concat(parts, ignore_index=True)
    found = correlation.table(results.scores, targets, results.proxies)
    files.write_table(folder / "targets.csv", targets)
    files.write_table(folder / "correlations.csv", found)
    files.write_json(folder / "cards.json", cards)
    return replace(results, targets=targets, correlations=found, cards=cards)


def targets_of(space: str, target_names: tuple[str, ...]) -> dict[str, tables.Target]:
    """Return the targets that are meant, by their names; see `correlate`.

    Raises:
        InputError: if one is not known, or two tables have the same name.
    """
    chosen: dict[str, tables.Target] = {}
    for name in target_names or DEFAULT_TARGETS[space]:
        for target in _targets(name, space):
            if chosen.setdefault(target.name, target) != target:
                raise InputError(
                    f"--target: {chosen[target.name].table} and {target.table} would both be called {target.name}; "
                    "rename one of the files."
                )
    return chosen


def _targets(name: str, space: str) -> list[tables.Target]:
    found = tables.targets(name, space)
    for target in tuple(found):
        other = _COUNTERPARTS.get(target.column)
        if other in tables.load(target.table, space).frame.columns:
            found += tables.targets(f"{target.table}:{other}", space)
    return found


def _csv(path: Path) -> pd.DataFrame:
    # The fast parser of pandas before 3 is off by a last digit now and then; Python's is not.
    return pd.read_csv(path, engine="python")


def _read(path: Path, read: Callable[[Path], T], absent: T) -> T:
    if not path.is_file():
        return absent
    try:
        return read(path)
    except (OSError, ValueError) as error:  # pandas' errors of parsing are ValueErrors
        raise InputError(f"run: {path} cannot be read: {error}; `diswot correlate` makes it anew.") from error
