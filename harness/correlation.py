"""Rank correlations of stored scores with accuracies. scipy computes them; this module decides what goes in.

A score is multiplied by -1 where its proxy's direction is ``lower``, so a positive correlation always means that the
proxy predicts as declared. An undefined score ranks worst, below every defined one, for every proxy alike. Pearson's
coefficient has no place for it and is taken over the defined scores; its own n says so.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

#: The coefficients.
MEASURES = ("spearman", "kendall", "pearson")

#: The columns that every correlation has beside the coefficients.
COLUMNS = (
    *("space", "proxy", "family", "direction", "target", "seed", "n", "undefined", "failed"),
    *("spearman", "kendall", "pearson", "pearson_n"),
)


@dataclass(frozen=True)
class Coefficients:
    """Correlations of one set of scores with one set of accuracies.

    A coefficient is NaN where one of the two is constant, or for Pearson's so nearly that digits do not suffice.

    Attributes:
        n: cells that entered the rank correlations.
        undefined: how many of these had no defined score and ranked worst.
        spearman: rho, ties averaged.
        kendall: tau-b.
        pearson: r over the defined scores.
        pearson_n: how many those are.
    """

    n: int
    undefined: int
    spearman: float
    kendall: float
    pearson: float
    pearson_n: int


def correlate(scores: np.ndarray, accuracies: np.ndarray) -> Coefficients:
    """Correlate scores, where higher is better and not finite is undefined, with accuracies of the same cells.

    Args:
        scores: (cells,).
        accuracies: (cells,), finite.
    """
    defined = np.isfinite(scores)
    ranked = np.where(defined, scores, -np.inf)
    return Coefficients(
        n=len(scores),
        undefined=int((~defined).sum()),
        spearman=_coefficient(stats.spearmanr, ranked, accuracies),
        kendall=_coefficient(stats.kendalltau, ranked, accuracies),
        pearson=_coefficient(stats.pearsonr, scores[defined], accuracies[defined]),
        pearson_n=int(defined.sum()),
    )


def table(scores: pd.DataFrame, targets: pd.DataFrame, proxies: pd.DataFrame) -> pd.DataFrame:
    """Correlate every proxy and seed with every target.

    Args:
        scores: as `harness.results.Results.scores`.
        targets: columns cell, target, accuracy.
        proxies: columns name, family, direction.

    Returns:
        One row a (proxy, target, seed) with the columns `COLUMNS`, in the order of proxies, targets, seeds. Units that
        failed are counted and do not enter.
    """
    rows = []
    by_target = {target: part.set_index("cell")["accuracy"] for target, part in targets.groupby("target", sort=False)}
    for proxy in proxies.to_dict("records"):
        own = scores[scores["proxy"] == proxy["name"]]
        for target, accuracies in by_target.items():
            for seed, units in own.groupby("seed"):
                known = units[units["cell"].isin(accuracies.index)]
                settled = known[known["status"] != "failed"]
                sign = -1.0 if proxy["direction"] == "lower" else 1.0
                found = correlate(
                    sign * settled["value"].to_numpy(float), accuracies.loc[settled["cell"]].to_numpy(float)
                )
                rows.append(
                    {
                        "space": units["space"].iloc[0],
                        "proxy": proxy["name"],
                        "family": proxy["family"],
                        "direction": proxy["direction"],
                        "target": target,
                        "seed": seed,
                        "failed": len(known) - len(settled),
                        **vars(found),
                    }
                )
    return pd.DataFrame(rows, columns=list(COLUMNS))


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


def proxies_by_correlation(summary: pd.DataFrame) -> list[str]:
    """Return the proxies, best first by the mean Spearman correlation with the first target; undefined ones last."""
    if summary.empty:
        return []
    first = summary[summary["target"] == summary["target"].iloc[0]]
    ranked = first.sort_values(["spearman", "proxy"], ascending=[False, True], na_position="last", kind="stable")
    names = [*ranked["proxy"], *summary["proxy"]]
    return [str(name) for name in dict.fromkeys(names)]


def _coefficient(function: object, scores: np.ndarray, accuracies: np.ndarray) -> float:
    # scipy warns and returns NaN for constant input; the NaN says it already, and two points are the least it takes.
    if len(scores) < 2 or np.ptp(accuracies) == 0 or (scores == scores[0]).all():
        return float("nan")
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            return float(function(scores, accuracies).statistic)  # type: ignore[operator]
        except RuntimeWarning:  # nearly constant, or too large to subtract: the number could not be trusted
            return float("nan")
