"""A run as tidy tables, for notebooks and reports."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import AliasChoices, Field, model_validator

from diswot.benchmarks import spaces, tables
from diswot.benchmarks.errors import InputError, named, unknown
from diswot.benchmarks.spaces import Space
from diswot.benchmarks.tables import Target, units
from diswot.benchmarks.tables.targets import DISTILLED, GAIN, VANILLA
from diswot.harness import files, progress, records
from diswot.harness.evidence import panel
from diswot.harness.evidence import table as evidence_table
from diswot.harness.evidence.intervals import FEWEST_FUNCTIONS
from diswot.harness.evidence.metrics import influence_of
from diswot.harness.evidence.table import CORRELATION_COLUMNS, EVIDENCE_COLUMNS
from diswot.harness.records import Document
from diswot.harness.runs import answers, run_folder, stored_search
from diswot.harness.runs.precomputed import catalogue
from diswot.harness.runs.provenance import Info
from diswot.harness.runs.store import Store
from diswot.harness.runs.stored_search import Search

#: A default target that knows fewer of the evaluated cells, and not all, is left out.
ENOUGH_CELLS = 30

#: How far an accuracy may be from the mean of its seeds, in percent: tables round to two decimals.
_ROUNDED = 0.011


class Answered(Document):
    """How scores were correlated.

    Attributes:
        targets: as they can be asked for again; none before `correlate`.
        metric: the rank correlation that intervals and comparisons are about.
        undefined: what was done with undefined scores.
        question: a hash of all that the answer depends on; see `diswot.harness.runs.answers`.
        kept: whether the answer came with precomputed scores.
    """

    targets: list[str] = Field(default_factory=list)
    metric: str = Field(default="spearman", validation_alias=AliasChoices("metric", "measure"))
    undefined: str = "worst"
    question: str = ""
    kept: bool = False

    @model_validator(mode="before")
    @classmethod
    def _without_resampling(cls, content: Any) -> Any:
        # Earlier versions drew intervals, and wrote how.
        if not isinstance(content, dict):
            return content
        return {name: value for name, value in content.items() if name not in ("draws", "seed")}


@dataclass(frozen=True)
class Results:
    """What a run's folder holds.

    Attributes:
        folder: the run's folder.
        info: ``run.json``.
        scores: space, cell, proxy, version, seed, status (ok, undefined, failed), value, cause, seconds.
        proxies: the records of the run's proxies.
        targets: cell, target (``table:column``), accuracy in percent; empty before `correlate`.
        correlations: by seed, on all cells; see `harness.evidence.table.CORRELATION_COLUMNS`; empty before `correlate`.
        evidence: over seeds, by subset, with intervals; see `diswot.harness.evidence.table.EVIDENCE_COLUMNS`; likewise.
        cards: the cards of the tables that the targets are from, by table.
        method: how the scores were correlated.
        search: what `diswot search` found; None where there was no search.
    """

    folder: Path
    info: Info
    scores: pd.DataFrame
    proxies: pd.DataFrame
    targets: pd.DataFrame
    correlations: pd.DataFrame
    evidence: pd.DataFrame
    cards: dict[str, tables.Card]
    method: Answered
    search: Search | None = None


def load(run: Path | str) -> Results:
    """Load a run: its folder, or the name of precomputed scores.

    Raises:
        InputError: if it is neither, or is damaged.
    """
    folder = run_folder.named(Path(run))
    stored, cards = scored(folder), folder / "cards.json"
    return replace(
        stored,
        search=stored_search.read(folder),
        targets=_csv(folder / "targets.csv", stored.targets),
        correlations=_csv(folder / "correlations.csv", stored.correlations),
        evidence=_csv(folder / "evidence.csv", stored.evidence),
        cards=records.read(dict[str, tables.Card], cards, "run", _ANEW) if cards.is_file() else {},
        method=answered(folder),
    )


def scored(run: Path | str) -> Results:
    """Load what a run has scored, and nothing that was made of it.

    Raises:
        InputError: if it is not one, or is damaged.
    """
    folder = run_folder.named(Path(run))
    if not folder.exists():
        run_folder.find(folder)  # whose sentence says what else there is
    info = run_folder.read_info(folder)
    proxies = pd.DataFrame([proxy.model_dump() for proxy in info.proxies])
    shipped = run_folder.shipped(folder, info)
    return Results(
        folder=folder,
        info=info,
        scores=_of_store(folder, info, proxies) if shipped is None else shipped.frame(),
        proxies=proxies,
        targets=pd.DataFrame(columns=["cell", "target", "accuracy"]),
        correlations=pd.DataFrame(columns=list(CORRELATION_COLUMNS)),
        evidence=pd.DataFrame(columns=list(EVIDENCE_COLUMNS)),
        cards={},
        method=Answered(),
    )


def _of_store(folder: Path, info: Info, proxies: pd.DataFrame) -> pd.DataFrame:
    path = run_folder.store_path(folder)
    with Store(path, create=False) as store:
        versions = dict(zip(proxies["name"], proxies["version"], strict=True))
        frame = store.current(info.settings_hash, versions).drop(columns="settings")
    strange = frame[(frame["space"] != info.space) | ~frame["cell"].isin(spaces.get(info.space).cells)]
    if len(strange):
        space, cell = strange.iloc[0][["space", "cell"]]
        raise InputError(f"store: {path} is damaged: {info.space} has no cell {cell} of {space!r:.40}.")
    return frame


def require(runs: Iterable[Path], target_names: tuple[str, ...], *, metric: str, undefined: str) -> None:
    """Refuse what `correlate` does not know, before anything is computed or written.

    Raises:
        InputError: if a target is not one of a run's space, or the metric or ``undefined`` is not known.
    """
    influence_of(metric)
    if undefined not in panel.UNDEFINED:
        raise unknown("undefined", undefined, panel.UNDEFINED)
    for run in runs:
        targets_of(run_folder.read_info(run).space, target_names)


def correlate(
    run: Path | str,
    target_names: tuple[str, ...] = (),
    *,
    metric: str = "spearman",
    undefined: str = "worst",
) -> Results:
    """Correlate a run's scores with targets, store what is found beside them, and return everything.

    Args:
        run: the run's folder.
        target_names: ``table:column`` or ``table``; by default the space's own. Where a table has both a distilled and
            a vanilla accuracy, asking for one brings the other along, and the gain, distilled minus vanilla.
        metric: the rank correlation that intervals, comparisons and the order of proxies are about; one of
            `diswot.harness.evidence.metrics.METRICS` that has an influence.
        undefined: ``worst`` to rank undefined scores below all others; ``omit`` to leave these cells out.

    Raises:
        InputError: if a target is not known, none of its cells was evaluated, or the metric is not known.
    """
    require((), (), metric=metric, undefined=undefined)
    folder = run_folder.named(Path(run))
    results = replace(scored(folder), search=stored_search.read(folder))
    if results.scores.empty and results.search is not None:
        return results  # a run that a search began, with nothing of its own to correlate
    space = results.info.space
    evaluated = sorted(set(results.scores["cell"]))
    chosen = targets_of(space, target_names or default_targets(space, evaluated))
    say_fractions(chosen.values(), space)
    found: list[evidence_table.TargetAccuracies] = []
    cards: dict[str, tables.Card] = {}
    for name, target in chosen.items():
        table = tables.load(target.table, space)
        one = target_of(name, target.column, table.frame, evaluated, spaces.get(space))
        if one.accuracies.empty:
            raise InputError(
                f"targets: {name} has an accuracy for none of the {len(evaluated)} cells evaluated in {folder}."
            )
        found.append(one)
        cards[table.name] = table.card
    for name in (name for name, card in cards.items() if card.is_modelled):
        progress.say(f"{name}: its accuracies are modelled, not measured, which favours some proxies: docs/model.md")
    found += gains(found)
    targets = pd.concat(
        [
            pd.DataFrame({"cell": counted.index, "target": one.name, "accuracy": counted.to_numpy()})
            for one in found
            for counted in [evidence_table.counted(one, spaces.get(space))]
        ],
        ignore_index=True,
    )
    question, kept, correlations, evidence = _judged(results, found, metric, undefined)
    said = Answered(
        targets=[f"{one.table}:{one.column}" for one in chosen.values()],
        metric=metric,
        undefined=undefined,
        question=question,
        kept=kept,
    )
    if run_folder.keeps(folder) and _replaces(folder, said, evidence):
        files.write_table(folder / "targets.csv", targets)
        files.write_table(folder / "correlations.csv", correlations)
        files.write_table(folder / "evidence.csv", evidence)
        files.write_json(folder / "cards.json", {name: asdict(card) for name, card in cards.items()})
        files.write_json(folder / "method.json", said.stored())
    return replace(results, targets=targets, correlations=correlations, evidence=evidence, cards=cards, method=said)


def _replaces(folder: Path, said: Answered, evidence: pd.DataFrame) -> bool:
    # The files of a run's folder hold one answer. Another one takes its place with a word, and not if it says nothing.
    try:
        before = answered(folder)
        same = (before.targets, before.metric, before.undefined) == (said.targets, said.metric, said.undefined)
        if same or not before.targets:
            return True
        says_less = not _is_known(evidence) and _is_known(_csv(folder / "evidence.csv", evidence))
    except InputError:  # what is stored is damaged, and made anew
        return True
    stored = f"{folder}: the correlations with {', '.join(before.targets)} ({before.metric})"
    if says_less:
        progress.say(f"{stored} stay in its files, since no target now has {FEWEST_FUNCTIONS} functions")
    else:
        progress.say(f"{stored} are replaced; --out FOLDER keeps answers side by side")
    return not says_less


def _is_known(evidence: pd.DataFrame) -> bool:
    # An earlier version counted no functions.
    return "n_functions" in evidence and bool((evidence["n_functions"] >= FEWEST_FUNCTIONS).any())


def with_intervals(results: Results) -> pd.DataFrame:
    """Return the correlations by seed with the intervals, comparisons and functions of the evidence on all cells.

    These columns are of the mean over seeds, so every seed's row repeats them.
    """
    columns = ["proxy", "target", "metric", "low", "high", "n_functions", "partial"]
    columns += ["gap_to_best_p", "not_significantly_different"]
    evidence = results.evidence[results.evidence["subset"] == "all"]
    return results.correlations.merge(evidence[columns], on=["proxy", "target"], how="left")


def of_subset(results: Results, subset: str) -> pd.DataFrame:
    """Return the evidence on a subset; of targets whose cells are all in it, that on all cells, which is the same.

    It has no rows of a target that has no cell in the subset.
    """
    evidence = results.evidence
    own = evidence["subset"] == subset
    others = set(evidence["target"]) - set(evidence.loc[own, "target"])
    whole = [target for target in others if holds_all(results, subset, target)]
    return evidence[own | (evidence["subset"].eq("all") & evidence["target"].isin(whole))]


def holds_all(results: Results, subset: str, target: str) -> bool:
    """Return whether all cells with an accuracy in a target are in a subset."""
    cells = results.targets.loc[results.targets["target"] == target, "cell"].to_numpy()
    return bool(spaces.get(results.info.space).subsets[subset].of(cells).all())


def _judged(
    results: Results, targets: list[evidence_table.TargetAccuracies], metric: str, undefined: str
) -> tuple[str, bool, pd.DataFrame, pd.DataFrame]:
    # Which question is answered, whether the answer came with precomputed scores, correlations and evidence.
    shipped = run_folder.shipped(results.folder, results.info)
    data = answers.hash_of_scores(results.scores) if shipped is None else shipped.data_hash
    space = spaces.get(results.info.space)
    question = answers.question(data, results.proxies, targets, metric, undefined, space)
    known = None if shipped is None else answers.read(catalogue.folder(shipped.name), question)
    kept = known is not None
    known = known or answers.read(results.folder, question)
    if known is not None:
        return question, kept, *known
    if shipped is not None:
        cells = results.scores["cell"].nunique()
        progress.say(f"{shipped.name} comes without the answer to this; all {cells} cells are judged now")
    scores = panel.build(results.scores, results.proxies, undefined=undefined)
    correlations, evidence = evidence_table.tables(scores, results.proxies, targets, space, metric)
    if files.can_be_written(results.folder):
        answers.write(results.folder, question, correlations, evidence)
    return question, kept, correlations, evidence


def target_of(
    name: str, column: str, table: pd.DataFrame, evaluated: Sequence[int], space: Space
) -> evidence_table.TargetAccuracies:
    """Return a column of a table as a target, with its training seeds: columns ``COLUMN-0`` or ``COLUMN-seed0``, ..."""
    by_function = one_training_a_function(table[column].dropna(), space)
    frame = table[table.index.isin(evaluated)]
    accuracies = frame[column].dropna()
    of_seeds = {
        match.group(1): frame[other]
        for other in frame.columns
        if (match := re.fullmatch(re.escape(column) + r"-(?:seed)?([0-9]+)", str(other)))
    }
    seeds = pd.DataFrame(of_seeds, index=accuracies.index)
    # Columns whose mean is not the accuracy are something else, such as its epochs.
    if not ((seeds.mean(axis=1) - accuracies).abs().dropna() <= _ROUNDED).all():
        seeds = seeds.iloc[:, :0]
    return evidence_table.TargetAccuracies(name, accuracies, seeds, by_function)


def one_training_a_function(accuracies: pd.Series, space: Space) -> bool:
    """Return whether cells that compute the same function share one accuracy, so that the others are copies of it."""
    functions = [space.representative(int(cell)) for cell in accuracies.index]
    return bool((accuracies.groupby(functions).nunique() == 1).all())


def gains(found: list[evidence_table.TargetAccuracies]) -> list[evidence_table.TargetAccuracies]:
    """Return what distillation adds, cell by cell, for each table of which both accuracies are there.

    Seeds are paired, since both students begin alike.
    """
    by_target = {Target.named(one.name): one for one in found}
    made = []
    for target, distilled in by_target.items():
        vanilla = by_target.get(target.with_column(VANILLA))
        if target.column == DISTILLED and vanilla is not None and target.with_column(GAIN) not in by_target:
            gain = (distilled.accuracies - vanilla.accuracies).dropna()
            ones, others = (seeds.reindex(gain.index) for seeds in distilled.seeds.align(vanilla.seeds))
            seeds = (ones - others).dropna(axis=1, how="all")
            uneven = (ones.notna() != others.notna()).any(axis=1) & seeds.notna().any(axis=1)
            gain = gain.mask(uneven, seeds.mean(axis=1))
            by_function = distilled.by_function and vanilla.by_function
            made.append(evidence_table.TargetAccuracies(target.with_column(GAIN).name, gain, seeds, by_function))
    return [one for one in made if not one.accuracies.empty]


def default_targets(space: str, evaluated: Sequence[int]) -> tuple[str, ...]:
    """Return those of the space's targets that know enough of the evaluated cells, up to the first that knows all.

    Raises:
        InputError: if the space has none.
    """
    usual = spaces.get(space).targets
    if not usual:
        raise InputError(f"targets: the search space {space} has no usual one; name a table, such as FILE.csv:COLUMN.")
    chosen = []
    for name in usual:
        table, column = tables.parse_target(name)
        known = tables.load(table, space).frame[column].dropna().index.isin(evaluated).sum()
        if known >= min(ENOUGH_CELLS, len(evaluated)):
            chosen.append(name)
        if known == len(evaluated):
            break
    return tuple(chosen) or usual


@named("targets", "table")
def targets_of(space: str, target_names: tuple[str, ...]) -> dict[str, tables.Target]:
    """Return the targets that are meant, by their names; see `correlate`.

    Raises:
        InputError: if one is not known, an accuracy is no percentage, or two tables have the same name.
    """
    chosen: dict[str, tables.Target] = {}
    of_table: dict[str, str] = {}
    for name in target_names:
        for target in _targets(name, space):
            called = target.called
            if of_table.setdefault(called, target.table) != target.table:
                raise InputError(
                    f"targets: {of_table[called]} and {target.table} would both be called {called}; rename one of the "
                    "files, or of two distillations one of the folders."
                )
            chosen[target.name] = target
    return chosen


def say_fractions(chosen: Iterable[tables.Target], space: str) -> None:
    """Print a line for every target whose accuracies may be fractions; they are read as percent."""
    for target in chosen:
        if units.may_be_fractions(tables.load(target.table, space).frame[target.column]):
            progress.say(
                f"{target.name}: all accuracies lie within 0 and 1 and are read as percent; "
                "if they are fractions, multiply them by 100."
            )


def _targets(name: str, space: str) -> list[tables.Target]:
    asked = tables.targets(name, space)
    others = [target.counterpart for target in asked if target.counterpart is not None]
    columns = tables.load(asked[0].table, space).frame.columns if others else ()
    brought = [tables.targets(f"{other.table}:{other.column}", space) for other in others if other.column in columns]
    return asked + [target for found in brought for target in found]


_ANEW = "; `diswot correlate` makes it anew"

#: Columns of texts in what was derived; all others hold numbers or truth values.
_TEXTS = ("space", "subset", "target", "proxy", "family", "direction", "metric", "best")


def _csv(path: Path, absent: pd.DataFrame) -> pd.DataFrame:
    needed = [name for name in ("proxy", "target") if name in absent]
    return files.read_csv(path, _TEXTS, "run", _ANEW, needed=needed) if path.is_file() else absent


def answered(folder: Path) -> Answered:
    """Return how a run was correlated the last time that its files were written.

    Raises:
        InputError: if ``method.json`` is damaged.
    """
    path = folder / "method.json"
    return records.read(Answered, path, "run", _ANEW) if path.is_file() else Answered()
