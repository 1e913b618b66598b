"""What figures and page share: correlations over seeds, and the words that state the sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from reports.numbers import counted, span

if TYPE_CHECKING:
    from harness.results import Results

MEASURES = ("spearman", "kendall", "pearson")


def over_seeds(correlations: pd.DataFrame) -> pd.DataFrame:
    """Return one row per proxy and target, in the order of the frame.

    Columns: space, proxy, family, direction, target, seeds; for each of spearman, kendall and pearson the mean over the
    seeds where it is defined, its standard deviation (``_deviation``; divisor one less than the seeds; NaN for fewer
    than two) and the number of those seeds (``_seeds``); n_lowest and n_highest, the cells of one seed; scores,
    undefined and failed, summed over the seeds.
    """
    groups = correlations.groupby(["proxy", "target"], sort=False, dropna=False)
    first = groups.agg(
        space=("space", "first"),
        family=("family", "first"),
        direction=("direction", "first"),
        seeds=("seed", "nunique"),
        n_lowest=("n", "min"),
        n_highest=("n", "max"),
        scores=("n", "sum"),
        undefined=("undefined", "sum"),
        failed=("failed", "sum"),
    )
    measured = [
        groups[measure]
        .agg(["mean", "std", "count"])
        .set_axis([measure, f"{measure}_deviation", f"{measure}_seeds"], axis=1)
        for measure in MEASURES
    ]
    return pd.concat([first, *measured], axis=1).reset_index()


def targets_of(results: Results) -> list[str]:
    """Return the targets that something was correlated with, in the order of the frame."""
    return [str(target) for target in results.correlations["target"].drop_duplicates()]


def table_of(target: str) -> str:
    """Return the table's name of a target ``table:column``."""
    return target.rpartition(":")[0] or target


def column_of(target: str) -> str:
    """Return the column's name of a target ``table:column``."""
    return target.rpartition(":")[2]


def proxies_by_correlation(summary: pd.DataFrame) -> list[str]:
    """Return the proxies, best first by the mean Spearman correlation with the first target; undefined ones last."""
    if summary.empty:
        return []
    first = summary[summary["target"] == summary["target"].iloc[0]]
    ranked = first.sort_values(["spearman", "proxy"], ascending=[False, True], na_position="last", kind="stable")
    names = [*ranked["proxy"], *summary["proxy"]]
    return [str(name) for name in dict.fromkeys(names)]


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
    """Return the cells and seeds behind rows of :func:`over_seeds`: ``64 cells, 3 seeds``."""
    lowest, highest = int(rows["n_lowest"].min()), int(rows["n_highest"].max())
    cells = counted(highest, "cell") if lowest == highest else f"{span(lowest, highest)} cells"
    fewest, most = int(rows["seeds"].min()), int(rows["seeds"].max())
    seeds = counted(most, "seed") if fewest == most else f"{span(fewest, most)} seeds"
    return f"{cells}, {seeds}"
