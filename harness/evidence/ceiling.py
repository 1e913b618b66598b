"""How well any proxy could do, given that an accuracy is itself measured with noise."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from diswot.harness.evidence import metrics
from diswot.harness.evidence.column import Column

#: A correlation of .8 has a standard error of .07 on so many cells; of .13 on ten, and a ceiling would be a guess.
FEWEST_CELLS = 30


def reliability(seeds: pd.DataFrame) -> float:
    """Return how far two trainings of the same cells agree: the mean Spearman correlation of pairs of seeds.

    Ranks, since one cell whose trainings differ by many points would decide a correlation of values.

    Args:
        seeds: one row a cell, a column a seed, accuracies; NaN where a cell has no such seed.

    Returns:
        The correlation; NaN where no two seeds share `FEWEST_CELLS` cells.
    """
    agreements = []
    for first, second in combinations(seeds.columns, 2):
        pair = seeds[[first, second]].dropna()
        if len(pair) >= FEWEST_CELLS:
            columns = (Column.of(pair[name].to_numpy(float)) for name in (first, second))
            agreements.append(metrics.spearman(*columns))
    return float(np.nanmean(agreements)) if np.isfinite(agreements).any() else float("nan")


def of(seeds: pd.DataFrame) -> float:
    """Return about the highest Spearman correlation that a proxy can reach with the mean over some seeds.

    A score that knew the accuracy that every cell has on average over infinitely many seeds would correlate with the
    mean over s of them by the root of their reliability, s r / (1 + (s - 1) r), where r is the correlation between two
    seeds (Spearman 1904 and 1910; Brown 1910). The formulas hold for Pearson's r; for ranks they are a good
    approximation.

    Args:
        seeds: as of `reliability`. Cells may have different numbers of seeds; s is then their harmonic mean, because
            noise falls with one over s.

    Returns:
        The ceiling; NaN where no two seeds share enough cells, or they do not agree at all.
    """
    r = reliability(seeds)
    counts = seeds.notna().sum(axis=1)
    counts = counts[counts > 0]
    if not r > 0 or counts.empty:
        return float("nan")
    s = float(1 / (1 / counts).mean())
    return float(np.sqrt(s * r / (1 + (s - 1) * r)))
