"""Correlations that papers and their authors report, and those of a run beside them."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from diswot.benchmarks import images, spaces
from diswot.benchmarks.errors import InputError, unknown
from diswot.benchmarks.tables import Target
from diswot.harness.evidence.ensembles import ENSEMBLES
from diswot.harness.evidence.metrics import METRICS
from diswot.harness.evidence.panel import UNDEFINED
from diswot.harness.runs.results import Results, holds_all
from diswot.proxies import registry

#: Where the figures stand; docs/stored-formats.md says what each column holds.
FILE = Path(__file__).with_name("data") / "published.csv"

#: A larger difference is explained, or said to be unexplained.
LARGE = 0.03

#: What is said of a larger difference whose cause is not known.
UNEXPLAINED = "not explained"

#: The columns of `compared`.
COLUMNS = (
    *("proxy", "space", "subset", "target", "metric", "ours", "low", "high", "n", "n_functions", "undefined"),
    *("published", "difference", "differs", "details", "explanation", "data_set", "split", "epochs", "source", "place"),
)

_SPLITS = ("test", "val", "vanilla", "distilled")


@dataclass(frozen=True)
class Accuracy:
    """Which accuracies a correlation is with.

    Attributes:
        data_set: what the networks were trained on: an image set, or ``cifar10-valid``, half of CIFAR-10.
        split: ``test``, ``val``, or in S0 ``vanilla`` or ``distilled``.
        epochs: of the training; None where they are not known.
        trained: who trained the networks: ``official``, or the table.
    """

    data_set: str
    split: str
    epochs: int | None
    trained: str = "official"

    def compares_with(self, other: Accuracy) -> bool:
        """Return whether the two are accuracies of one data set, and both or neither of them distilled."""
        same_set = self.data_set.removesuffix("-valid") == other.data_set.removesuffix("-valid")
        return same_set and (self.split == other.split or {self.split, other.split} == {"test", "val"})


#: The targets whose names do not say which accuracies they are.
_TARGETS = {
    "analog-nasbench:baseline": Accuracy("cifar10", "test", 200, "analog-nasbench"),
    "nb201-kd:vanilla": Accuracy("cifar10", "test", 2, "nb201-kd"),
    "s0-diswot:vanilla": Accuracy("cifar100", "vanilla", None),
    "s0-diswot:distilled": Accuracy("cifar100", "distilled", None),
}

#: The columns of the official accuracies, as `diswot tables fetch` and `import` name them.
_OFFICIAL = re.compile(r"(cifar10|cifar10-valid|cifar100|imagenet16-120)-(test|val)(?:-(12|200))?")


@dataclass(frozen=True)
class Figure:
    """A published rank correlation; a text that is empty was not stated.

    Attributes:
        proxy: a proxy or an ensemble of this project.
        space: the search space.
        subset: of the cells.
        accuracy: what the scores were correlated with.
        metric: one of `METRICS`.
        figure: positive where the proxy predicts in its declared direction.
        images: what the proxy read: an image set, ``none`` where it reads none.
        seeds: how many weight seeds; ``any`` where they do not matter.
        undefined: what was done with undefined scores: ``worst`` or ``omit``.
        source: the publication, or whose re-run it is.
        place: page, table or file.
        explanation: why the figure differs from this project's, where that was measured.
    """

    proxy: str
    space: str
    subset: str
    accuracy: Accuracy
    metric: str
    figure: float
    images: str
    seeds: str
    undefined: str
    source: str
    place: str
    explanation: str

    def __post_init__(self) -> None:
        """Refuse what this project does not know.

        Raises:
            InputError: if a name is not known, or the figure is no correlation.
        """
        for name, allowed in (
            ("proxy", (*registry.names(), *ENSEMBLES)),
            ("subset", spaces.get(self.space).subsets),
            ("metric", METRICS),
            ("images", ("", "none", *images.SETS)),
            ("undefined", ("", *UNDEFINED)),
        ):
            if getattr(self, name) not in allowed:
                raise unknown(f"published: {name}", getattr(self, name), allowed)
        if self.accuracy.split not in _SPLITS:
            raise unknown("published: split", self.accuracy.split, _SPLITS)
        if self.accuracy.data_set.removesuffix("-valid") not in images.SETS:
            raise unknown("published: data_set", self.accuracy.data_set, images.SETS)
        if not (self.seeds in ("", "any") or self.seeds.isdecimal()):
            raise InputError(f"published: seeds {self.seeds!r} is neither a number, 'any' nor empty.")
        if not abs(self.figure) <= 1:
            raise InputError(f"published: figure {self.figure} is no correlation; it must be from -1 to 1.")
        if not (self.source and self.place):
            raise InputError(f"published: a figure of {self.proxy} has no source or no place; give both.")


@cache
def figures() -> tuple[Figure, ...]:
    """Return every published figure.

    Raises:
        InputError: if a line of the file is wrong; the sentence names it.
    """
    with FILE.open(encoding="utf-8", newline="") as file:
        return tuple(_figure(number, line) for number, line in enumerate(csv.DictReader(file), start=2))


def _figure(number: int, line: dict[str, str]) -> Figure:
    try:
        epochs = int(line["epochs"]) if line["epochs"] else None
        texts = {one.name: line[one.name] for one in fields(Figure) if one.name not in ("accuracy", "figure")}
        return Figure(**texts, accuracy=Accuracy(line["data_set"], line["split"], epochs), figure=float(line["figure"]))
    except (InputError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"published: line {number} of {FILE.name} is wrong: {error}") from error


def accuracy_of(target: str) -> Accuracy | None:
    """Return which accuracies a target ``table:column`` holds; None where no publication uses such."""
    known = _OFFICIAL.fullmatch(Target.named(target).column)
    if known is None:
        return _TARGETS.get(target)
    data_set, split, epochs = known.groups(default="200")
    return Accuracy(data_set, split, int(epochs))


def compared(results: Results, published: Iterable[Figure] | None = None) -> pd.DataFrame:
    """Put a run's correlations beside the published ones.

    Args:
        results: of a run, with their evidence.
        published: the figures; None for all.

    Returns:
        One row a figure whose proxy the run has and whose accuracies, or others of the same data set, are among its
        targets; columns `COLUMNS`. ``ours`` is the mean over seeds and ``low`` and ``high`` its interval, where it has
        one. ``difference`` is ours minus published. ``differs`` names the settings that differ, with a question mark
        where the publication does not state one, and ``details`` gives both values. ``explanation`` is empty where
        the difference is at most `LARGE`.
    """
    evidence = results.evidence
    known = {(row["subset"], row["target"], row["proxy"]): row for row in evidence.to_dict("records")}
    targets = {name: found for name in evidence["target"].unique() if (found := accuracy_of(name)) is not None}
    chosen = figures() if published is None else published
    rows = []
    for figure in chosen:
        target = _closest(figure, targets)
        if figure.space != results.info.space or target is None:
            continue
        held = known.get((figure.subset, target, figure.proxy))
        if held is None and holds_all(results, figure.subset, target):
            held = known.get(("all", target, figure.proxy))
        if held is not None:
            rows.append(_row(results, figure, target, targets[target], held))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _closest(figure: Figure, targets: dict[str, Accuracy]) -> str | None:
    # The target that agrees with a figure's accuracies in most respects; the first of several.
    comparable = {name: accuracy for name, accuracy in targets.items() if accuracy.compares_with(figure.accuracy)}

    def agreement(name: str) -> int:
        pairs = zip(vars(comparable[name]).values(), vars(figure.accuracy).values(), strict=True)
        return sum(mine == theirs for mine, theirs in pairs)

    return max(comparable, key=agreement, default=None)


def _row(results: Results, figure: Figure, target: str, accuracy: Accuracy, held: dict[Any, Any]) -> dict[str, Any]:
    ours = float(held[figure.metric])
    difference = ours - figure.figure
    has_interval = held["metric"] == figure.metric
    differing = _differences(results, figure, accuracy, held)
    details = [f"{name} {mine} (published: {theirs or 'not stated'})" for name, mine, theirs in differing]
    return {
        **{name: getattr(figure, name) for name in ("proxy", "space", "subset", "metric", "source", "place")},
        **{name: getattr(figure.accuracy, name) for name in ("data_set", "split", "epochs")},
        **{name: held[name] for name in ("n", "n_functions", "undefined")},
        "target": target,
        "ours": ours,
        "low": held["low"] if has_interval else math.nan,
        "high": held["high"] if has_interval else math.nan,
        "published": figure.figure,
        "difference": difference,
        "differs": ", ".join(name if theirs else f"{name}?" for name, _, theirs in differing),
        "details": "; ".join(details),
        "explanation": (figure.explanation or UNEXPLAINED) if abs(difference) > LARGE else "",
    }


def _differences(
    results: Results, figure: Figure, accuracy: Accuracy, held: dict[Any, Any]
) -> list[tuple[str, str, str]]:
    # Setting, our value and the published one, which is empty where it was not stated.
    space = spaces.get(figure.space)
    cells = int(space.subsets[figure.subset].of(pd.Index(space.cells).to_numpy()).sum())
    theirs = figure.accuracy
    settings = [("cells", str(held["n"]), str(cells))]
    if figure.images != "none":
        settings.append(("images", results.info.settings.images, figure.images))
    if figure.seeds != "any":
        settings.append(("seeds", str(held["seeds"]), figure.seeds))
    if held["undefined"] and figure.undefined:
        settings.append(("undefined", results.method.undefined, figure.undefined))
    if accuracy.epochs is not None and theirs.epochs is not None:
        settings.append(("epochs", str(accuracy.epochs), str(theirs.epochs)))
    mine = f"{accuracy.data_set} {accuracy.split}, {accuracy.trained}"
    settings.append(("accuracies", mine, f"{theirs.data_set} {theirs.split}, {theirs.trained}"))
    return [one for one in settings if one[1] != one[2]]
