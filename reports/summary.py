"""What figures and page share: the evidence on all cells, and the words that state the sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from diswot.harness.evidence.table import by_evidence, leading
from diswot.reports.style.numbers import counted, span

if TYPE_CHECKING:
    from diswot.harness.runs.results import Results


def on_all_cells(results: Results) -> pd.DataFrame:
    """Return the evidence over all cells that were scored, best proxy first: one row a proxy and target."""
    return _ordered(results, results.evidence[results.evidence["subset"] == "all"])


def targets_of(results: Results) -> list[str]:
    """Return the targets that something was correlated with, in the order of the frame."""
    return [str(target) for target in results.correlations["target"].drop_duplicates()]


def table_of(target: str) -> str:
    """Return the table's name of a target ``table:column``."""
    return target.rpartition(":")[0] or target


def column_of(target: str) -> str:
    """Return the column's name of a target ``table:column``."""
    return target.rpartition(":")[2]


def setting(results: Results, name: str) -> Any:
    """Return one of the run's settings, or None where the run did not store it."""
    settings = results.info.get("settings")
    return settings.get(name) if isinstance(settings, dict) else None


def conditions(results: Results) -> str:
    """Return the pictures, the batch and the teacher of a run in a few words: ``cifar100 images, batch of 64, ...``."""
    images, batch, teacher = (setting(results, name) for name in ("images", "batch_size", "teacher"))
    words = [
        f"{images} images" if images else "",
        f"batch of {batch}" if batch else "",
        f"teacher {teacher}" if teacher else "",
    ]
    return ", ".join(word for word in words if word)


def sample(rows: pd.DataFrame) -> str:
    """Return the cells, functions and seeds of rows of the evidence: ``64 cells, 60 functions, 3 seeds``."""
    lowest, highest = int(rows["n"].min()), int(rows["n"].max())
    cells = counted(highest, "cell") if lowest == highest else f"{span(lowest, highest)} cells"
    functions = int(rows["n_functions"].max())
    cells += "" if functions == highest else f", {counted(functions, 'function')}"
    fewest, most = int(rows["seeds"].min()), int(rows["seeds"].max())
    seeds = counted(most, "seed") if fewest == most else f"{span(fewest, most)} seeds"
    return f"{cells}, {seeds}"


def measure_of(evidence: pd.DataFrame) -> str:
    """Return the measure that intervals, comparisons and the order of proxies are about."""
    return str(evidence["measure"].iloc[0]) if len(evidence) else "spearman"


def undefined_of(results: Results) -> str:
    """Return what became of undefined scores: one of `diswot.harness.evidence.panel.UNDEFINED`."""
    return str(results.method.get("undefined", "worst"))


def best_first(results: Results) -> pd.DataFrame:
    """Return the evidence that decides, in which each function counts once, best proxy by the first target first."""
    return _ordered(results, leading(results.evidence))


def toward(results: Results, target: str) -> pd.DataFrame:
    """Return what `best_first` does, for one target."""
    evidence = best_first(results)
    return evidence[evidence["target"] == target].reset_index(drop=True)


def _ordered(results: Results, rows: pd.DataFrame) -> pd.DataFrame:
    place = {name: number for number, name in enumerate(by_evidence(leading(results.evidence)))}
    return rows.sort_values("proxy", key=lambda names: names.map(place), kind="stable", ignore_index=True)


def vanilla_of(results: Results) -> dict[str, str]:
    """Return the vanilla accuracy by the distilled one, for every table of which both are targets."""
    targets = targets_of(results)
    pairs = {f"{table_of(target)}:distilled": f"{table_of(target)}:vanilla" for target in targets}
    return {one: other for one, other in pairs.items() if one in targets and other in targets}


def circumstances(results: Results, rows: pd.DataFrame) -> str:
    """Return the cells and seeds behind rows of the evidence, and the run's pictures, batch and teacher."""
    return "; ".join(part for part in (sample(rows), conditions(results)) if part)


def troubles(rows: pd.DataFrame) -> str:
    """Return how many scores of one target's rows are not defined or failed, to follow other words; may be empty."""
    undefined, failed = int(rows["undefined"].sum()), int(rows["failed"].sum())
    words = f"; {undefined:,} of {counted(int(rows['scores'].sum()), 'score')} not defined, ranked worst"
    return (words if undefined else "") + (f"; {counted(failed, 'unit')} failed, left out" if failed else "")
