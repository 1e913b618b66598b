"""Ensembles: scores made of other proxies' ranks, so they depend on the pool of cells in which these are ranked.

A member's rank is 1 for the worst cell of the pool and n for the best, ties averaged; undefined scores rank worst. An
ensemble is evaluated wherever all its members are, and anew in every subset of cells.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from diswot.benchmarks.registry import Registry


@dataclass(frozen=True)
class Ensemble:
    """A way to combine the ranks of several proxies.

    Attributes:
        name: as in tables; no proxy has it.
        members: names of proxies.
        combine: from ranks, (members, cells), to scores, (cells,); higher is better.
        source: where it is from.
        differences: where it differs from its source.
        chosen_by: the accuracies by which its members were chosen, where they were.
    """

    name: str
    members: tuple[str, ...]
    combine: Callable[[np.ndarray], np.ndarray]
    source: str
    differences: str = ""
    chosen_by: str = ""


def mean_rank(ranks: np.ndarray) -> np.ndarray:
    """Return the mean of the members' ranks."""
    mean: np.ndarray = ranks.mean(axis=0)
    return mean


def log_rank(ranks: np.ndarray) -> np.ndarray:
    """Return the sum of log(rank / n): a cell that one member puts last cannot be saved by the others.

    Rounded to nine decimals, so that equal products of ranks tie on every machine.
    """
    total: np.ndarray = np.log(ranks / ranks.shape[1]).sum(axis=0).round(9)
    return total


_OURS = "this project, docs/findings/ensembles.md"
_CHOSEN_BY = "200-epoch CIFAR-10 accuracies of half of the functions"

_ALL = [
    Ensemble(
        "diswot_rank",
        ("diswot_semantic", "diswot_relation"),
        mean_rank,
        "this project: DisWOT's two terms (CVPR 2023, eq. 6), weighed alike",
        "the paper adds the terms themselves, and the semantic one, which is larger, decides the sum",
    ),
    Ensemble(
        "diswot_log_rank",
        ("diswot_semantic", "diswot_relation"),
        log_rank,
        "this project: DisWOT's two terms, aggregated as in AZ-NAS (CVPR 2024, eq. 10)",
    ),
    Ensemble(
        "vote",
        ("synflow", "jacov", "snip"),
        mean_rank,
        "Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS, ICLR 2021, section 4.2",
        "the mean rank orders all cells, where the paper lets the three vote on pairs of cells",
    ),
    Ensemble(
        "te_nas",
        ("ntk_cond", "linear_regions"),
        mean_rank,
        "Chen et al., TE-NAS, ICLR 2021, section 3.3; VITA-Group/TENAS, prune_launch.py",
        "the mean of the two ranks, where TE-NAS adds them: the order is the same",
    ),
    Ensemble(
        "az_nas",
        ("az_expressivity", "az_progressivity", "az_trainability", "flops"),
        log_rank,
        "Lee and Ham, AZ-NAS, CVPR 2024, eq. 10; cvlab-yonsei/AZ-NAS, notebook",
    ),
    Ensemble(
        "vkdnw_agg",
        ("vkdnw", "az_expressivity", "az_trainability", "jacov", "flops"),
        log_rank,
        "Tybl and Neumann, VKDNW, CVPR 2025; ondratybl/VKDNW, NB201/tss_utils.py",
        "ties are averaged in every member, where the reference counts tied ranks of VKDNW once",
    ),
    Ensemble(
        "jacov_flops",
        ("jacov", "live_flops"),
        log_rank,
        f"{_OURS}: the best pair",
        chosen_by=_CHOSEN_BY,
    ),
    Ensemble(
        "jacov_meco_flops",
        ("jacov", "meco", "live_flops"),
        log_rank,
        f"{_OURS}: the pair and the best single proxy",
        chosen_by=_CHOSEN_BY,
    ),
    Ensemble(
        "log_rank_6",
        ("az_trainability", "epe_nas", "live_flops", "meco", "reg_swap", "zen"),
        log_rank,
        f"{_OURS}: the best six without a teacher",
        chosen_by=_CHOSEN_BY,
    ),
    Ensemble(
        "log_rank_8",
        ("az_trainability", "ickd", "jacov", "live_flops", "meco", "nst", "reg_swap", "zen"),
        log_rank,
        f"{_OURS}: the best of all, at which a ninth member no longer helps",
        chosen_by=_CHOSEN_BY,
    ),
]

#: Every ensemble by its name.
ENSEMBLES: Registry[Ensemble] = Registry(Ensemble, "driver", "diswot.ensembles", {one.name: one for one in _ALL})


def available(proxies: Collection[str]) -> list[Ensemble]:
    """Return the ensembles whose members are all among the proxies, and whose name is not taken by one."""
    return [one for one in ENSEMBLES.values() if set(one.members) <= set(proxies) and one.name not in proxies]
