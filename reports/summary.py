"""What figures and page share: the evidence on all cells, and the words that state the sample."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from diswot.benchmarks import tables
from diswot.benchmarks.errors import counted
from diswot.benchmarks.tables import Target
from diswot.benchmarks.tables.targets import DISTILLED, VANILLA
from diswot.harness.evidence.table import by_evidence, leading
from diswot.harness.runs.results import Results
from diswot.reports.style import look
from diswot.reports.style.wording import joined, span


def on_all_cells(results: Results) -> pd.DataFrame:
    """Return the evidence over all cells that were scored, best proxy first: one row a proxy and target."""
    return arranged(results.evidence[results.evidence["subset"] == "all"], "proxy", _ranking(results))


def best_first(results: Results) -> pd.DataFrame:
    """Return the evidence that decides, in which each function counts once, best proxy by the first target first."""
    return arranged(leading(results.evidence), "proxy", _ranking(results))


def toward(results: Results, target: str) -> pd.DataFrame:
    """Return what `best_first` does, for one target."""
    evidence = best_first(results)
    return evidence[evidence["target"] == target].reset_index(drop=True)


def _ranking(results: Results) -> list[str]:
    # A look's own order goes first; the proxies that it does not give follow by their correlation.
    return list(dict.fromkeys([*look.current().given, *by_evidence(leading(results.evidence))]))


def arranged(frame: pd.DataFrame, column: str, order: Iterable[object]) -> pd.DataFrame:
    """Return the frame sorted by the order of a column's values; values that are not in it come last."""
    place = {value: number for number, value in enumerate(order)}
    return frame.sort_values(
        column, key=lambda values: values.map(place).fillna(len(place)), kind="stable", ignore_index=True
    )


def targets_of(results: Results) -> list[str]:
    """Return the targets that something was correlated with, in the order of the frame."""
    return [str(target) for target in results.correlations["target"].drop_duplicates()]


def table_of(target: str) -> str:
    """Return the table's name of a target ``table:column``."""
    return Target.named(target).table


def column_of(target: str) -> str:
    """Return the column's name of a target ``table:column``."""
    return Target.named(target).column


def is_target(name: str, space: str | None = None) -> bool:
    """Return whether a table that has a name holds that accuracy, of a space where one is given."""
    table, column = table_of(name), column_of(name)
    if table not in tables.TABLES or space not in (None, tables.TABLES[table].space):
        return False
    return column in tables.outline(table).frame


def vanilla_of(results: Results) -> dict[str, str]:
    """Return the vanilla accuracy by the distilled one, for every table of which both are targets."""
    targets = list(map(Target.named, targets_of(results)))
    distilled = [one for one in targets if one.column == DISTILLED and one.counterpart in targets]
    return {target.name: target.with_column(VANILLA).name for target in distilled}


def metric_of(evidence: pd.DataFrame) -> str:
    """Return the metric that intervals, comparisons and the order of proxies are about."""
    return str(evidence["metric"].iloc[0]) if len(evidence) else "spearman"


def conditions(results: Results, teacher: str | None = None) -> str:
    """Return the images, the batch and the teacher in a few words: ``cifar100 images, batch of 64, ...``.

    Args:
        results: the run.
        teacher: another one than the run's; none where it is empty.
    """
    settings = results.info.settings
    named = settings.teacher if teacher is None else teacher
    return f"{settings.images} images, batch of {settings.batch_size}" + (f", teacher {named}" if named else "")


def sample(evidence: pd.DataFrame) -> str:
    """Return the cells, functions and seeds of rows of the evidence: ``64 cells, 60 functions, 3 seeds``."""
    functions, cells = int(evidence["n_functions"].max()), int(evidence["n"].max())
    parts = [_range(evidence["n"], "cell"), _range(evidence["seeds"], "seed")]
    parts[1:1] = [] if functions == cells else [counted(functions, "function")]
    return ", ".join(parts)


def _range(values: pd.Series, noun: str) -> str:
    lowest, highest = int(values.min()), int(values.max())
    return counted(highest, noun) if lowest == highest else f"{span(lowest, highest)} {noun}s"


def circumstances(results: Results, evidence: pd.DataFrame) -> str:
    """Return the cells and seeds behind rows of the evidence, and the run's images, batch and teacher."""
    return joined(sample(evidence), conditions(results))


def troubles(evidence: pd.DataFrame) -> str:
    """Return how many scores of one target's rows are not defined or failed, to follow other words; may be empty."""
    undefined, failed = int(evidence["undefined"].sum()), int(evidence["failed"].sum())
    words = f"; {undefined:,} of {counted(int(evidence['scores'].sum()), 'score')} not defined, ranked worst"
    return (words if undefined else "") + (f"; {counted(failed, 'score')} failed, left out" if failed else "")
