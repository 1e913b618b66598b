"""The scores behind a figure of one target, and which proxies it shows where nobody names them."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from diswot.harness.evidence import panel
from diswot.harness.evidence.panel import Panel
from diswot.harness.runs.results import Results

_RANK = ("ranks the cells exactly", "rank the cells exactly")


def accuracies_of(results: Results, target: str) -> pd.Series:
    """Return the accuracies of a target in percent, by cell."""
    return results.targets[results.targets["target"] == target].set_index("cell")["accuracy"].dropna()


def scores_on(results: Results, cells: Iterable[int], seed: int | None = None) -> Panel:
    """Return the scores, of proxies and ensembles, on some of the cells that were scored; of all seeds or of one."""
    scores = results.scores[results.scores["cell"].isin(cells)]
    scores = scores if seed is None else scores[scores["seed"] == seed]
    return panel.build(scores, results.proxies, undefined=results.method.undefined)


def chosen(scores: Panel, proxies: Iterable[str], most: int | None = None) -> dict[str, str]:
    """Return the proxies that a figure shows, and words on those that rank the cells exactly alike and are left out.

    Args:
        scores: of proxies and ensembles.
        proxies: best first; those without scores are left out.
        most: how many, each with other ranks than those before it; None for all, whatever their ranks.
    """
    present = [name for name in proxies if name in scores.proxies]
    if most is None:
        return dict.fromkeys(present, "")
    by_ranks: dict[bytes, list[str]] = {}
    for name in present:
        ranks = panel.ranked(scores.scores[scores.proxies.index(name)])
        by_ranks.setdefault(ranks.tobytes(), []).append(name)
    groups = list(by_ranks.values())[:most]
    return {first: f"{', '.join(alike)} {_RANK[len(alike) > 1]} as {first}" * bool(alike) for first, *alike in groups}
