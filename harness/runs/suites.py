"""Suites: what a table of correlations stands for, named by one word and known by a hash.

Two tables with the same hash are of the same proxies in the same versions, cells, images, seeds, accuracies and metric.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from diswot.benchmarks import spaces, tables
from diswot.benchmarks.errors import InputError, unknown
from diswot.benchmarks.tables.targets import GAIN, Target
from diswot.harness import files, records
from diswot.harness.records import Document, Whole
from diswot.harness.runs import results
from diswot.harness.runs.results import Results
from diswot.harness.runs.settings import OPTIONS, differences, hash_of
from diswot.proxies import registry

#: Where the suites lie. Their content never changes; another year has another name.
FOLDER = Path(__file__).with_name("data")

_ENDING = ".suite.json"

#: Settings of a sweep that say how it is computed, not of what; they change the rounding alone.
_ROUNDING = ("device", "vectorised_seeds", "tf32", "deterministic")


class Suite(Document):
    """What a table of correlations is of.

    Attributes:
        settings: of the sweep, as `Settings`, without those that change the rounding alone.
        proxies: the version of each proxy by its name.
        cells: all of them in ascending order, or ``all``.
        seeds: the weight seeds.
        targets: the hash of its table's data by each ``table:column``.
        metric: of intervals and comparisons.
        undefined: what is done with undefined scores.
    """

    form = 1

    settings: dict[str, Any]
    proxies: dict[str, str]
    cells: Literal["all"] | list[Whole]
    seeds: list[Whole]
    targets: dict[str, str]
    metric: str
    undefined: str

    @property
    def hash(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of all of it."""
        return hash_of(self.model_dump())

    @property
    def arguments(self) -> dict[str, Any]:
        """What `diswot.evaluate` takes to score it.

        Raises:
            InputError: if a proxy is not installed in the suite's version.
        """
        for name, version in self.proxies.items():
            installed = registry.get(name).version
            if installed != version:
                raise InputError(
                    f"suite: {name} is in it in version {version}, and version {installed} is installed; install the "
                    "release of diswot-bench that the suite was made with."
                )
        options = {name: value for name, value in self.settings.items() if name in OPTIONS}
        return options | {"proxies": list(self.proxies), "cells": self.cells, "seeds": self.seeds}


def names() -> tuple[str, ...]:
    """Return the names of the suites."""
    return tuple(sorted(path.name.removesuffix(_ENDING) for path in FOLDER.glob(f"*{_ENDING}")))


def load(name: str) -> Suite:
    """Return a suite.

    Raises:
        InputError: if there is none of this name, or its file is damaged.
    """
    if name not in names():
        raise unknown("suite", name, names())
    return records.read(Suite, FOLDER / f"{name}{_ENDING}", "suite")


def write(path: Path, suite: Suite) -> Path:
    """Write a suite, to be shipped as ``NAME.suite.json``."""
    return files.write_json(path, suite.stored())


def arguments(name: str, given: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `diswot.evaluate` with those of a suite in place of the usual ones.

    Args:
        name: of the suite.
        given: the arguments by name.
        usual: their defaults.

    Raises:
        InputError: if one that the suite decides is not the default, or a proxy has another version.
    """
    decided = load(name).arguments
    for argument in decided:
        if argument in given and str(given[argument]) != str(usual[argument]):  # the command line's are texts
            raise InputError(f"{argument}: the suite {name} says what it is; leave it out.")
    return {**given, **decided}


def correlate(folder: Path, name: str) -> Results:
    """Correlate a run as a suite says; the run may have further proxies.

    Raises:
        InputError: if the run is not the suite's, or an installed accuracy table is another one; it says in what.
    """
    suite = load(name)
    run = results.scored(folder)
    _require(name, suite, _scored(run))
    for target, data_hash in suite.targets.items():
        if tables.load(Target.named(target).table, run.info.space).card.data_hash != data_hash:
            raise InputError(f"suite: {target} is not the table that {name} was made with; its data differ.")
    return results.correlate(folder, tuple(suite.targets), metric=suite.metric, undefined=suite.undefined)


def of(found: Results) -> Suite | None:
    """Return what a correlated run is of; None where not every proxy has every cell and seed, so no hash would say."""
    scored = _scored(found)
    if scored is None:
        return None
    return Suite(
        **scored,
        targets=_targets(found),
        metric=found.method.metric,
        undefined=found.method.undefined,
    )


def line(found: Results, name: str | None = None) -> str:
    """Return what stands under a table of correlations: its hash, and the suite that it is.

    Args:
        found: a correlated run.
        name: of the suite that was asked for; None to look for one that is equal.
    """
    if name is None:
        own = of(found)
        if own is None:
            return "No hash: not every proxy has every cell and seed."
        name = next((known for known in names() if load(known) == own), None)
    else:
        own = load(name)
    called = "Hash" if name is None else f"Suite {name}"
    further = ", ".join(proxy for proxy in found.proxies["name"] if proxy not in own.proxies)
    what = "proxies, versions, cells, images, seeds, accuracies and metric"
    return f"{called}, {own.hash}: {what}.{further and f' Not part of it: {further}.'}"


def _scored(found: Results) -> dict[str, Any] | None:
    # What of a suite is decided by scores alone; None where some are lacking.
    scores, space = found.scores, spaces.get(found.info.space)
    cells, seeds = (sorted(map(int, scores[name].unique())) for name in ("cell", "seed"))
    if not (scores.groupby("proxy", sort=False).size() == len(cells) * len(seeds)).all():
        return None
    settings = {name: value for name, value in found.info.settings.stored().items() if name not in _ROUNDING}
    versions = dict(zip(found.proxies["name"], found.proxies["version"], strict=True))
    return {
        "settings": settings,
        "proxies": {name: versions[name] for name in sorted(versions)},
        "cells": "all" if cells == sorted(space.cells) else cells,
        "seeds": seeds,
    }


def _require(name: str, suite: Suite, scored: dict[str, Any] | None) -> None:
    if scored is None:
        raise InputError(f"run: it lacks scores of the suite {name}; `diswot evaluate --suite {name}` computes them.")
    wrong = differences(scored["settings"], suite.settings, frozenset({"batch"}))
    mine = scored["proxies"]
    if lacking := [proxy for proxy in suite.proxies if proxy not in mine]:
        wrong.append(f"no scores of {', '.join(lacking)}")
    shared = [proxy for proxy in suite.proxies if proxy in mine and mine[proxy] != suite.proxies[proxy]]
    wrong += [f"{proxy} version {mine[proxy]} (there: {suite.proxies[proxy]})" for proxy in shared]
    wrong += [f"other {part}" for part in ("cells", "seeds") if scored[part] != getattr(suite, part)]
    if wrong:
        raise InputError(f"run: it is not the suite {name}: {', '.join(wrong)}.")


def _targets(found: Results) -> dict[str, str]:
    # The gain follows from two others.
    chosen = map(Target.named, found.evidence["target"].unique())
    return {target.name: found.cards[target.table].data_hash for target in chosen if target.column != GAIN}
