"""Simulate how often the 95 % intervals of `diswot.harness.evidence` hold the true value; write a table.

Run: ``python docs/measurements/coverage.py [--repeats 1000] [--out docs/measurements/coverage.csv]``. The population is
every function of a table with its shipped scores (nb201-cifar10); a sample is drawn from it with replacement, so the
true correlation is known and ties are as frequent as in truth. It takes about half an hour on one core.
"""

from __future__ import annotations

from collections.abc import Iterator

import click
import numpy as np
import pandas as pd

from diswot.benchmarks import spaces, tables
from diswot.harness.evidence import ensembles, influence, intervals, panel
from diswot.harness.evidence.panel import Panel
from diswot.harness.evidence.table import estimates
from diswot.harness.runs.precomputed import catalogue

PROXIES = ("meco", "jacov", "live_flops", "zico", "diswot")
ENSEMBLES = ("vote", "diswot_rank")


@click.command()
@click.option("--repeats", default=1000, show_default=True)
@click.option("--out", default="docs/measurements/coverage.csv", show_default=True)
def main(repeats: int, out: str) -> None:
    """Write the coverage of every interval as CSV."""
    rows = [row for metric in ("spearman", "kendall") for row in simulated(metric, repeats)]
    table = pd.DataFrame(rows)
    table.to_csv(out, index=False, float_format="%.3f")
    click.echo(table.to_string(index=False))


def simulated(metric: str, repeats: int) -> Iterator[dict[str, object]]:
    """Yield the coverage of every kind of interval, a row a sample size and proxy."""
    for table, columns, sizes in (
        ("nb201-kd", ("distilled", "vanilla"), (80, 567)),
        ("analog-nasbench", ("baseline", "qat"), (80, 5260)),
    ):
        scores, accuracies, size = population(table, columns)
        for functions in sizes:
            covered = coverage(scores, accuracies, size, metric, functions, repeats)
            for place, proxy in enumerate(scores.proxies):
                if proxy in (*PROXIES, *ENSEMBLES):
                    shares = {kind: share[place] for kind, share in covered.items()}
                    yield {
                        **{"metric": metric, "target": f"{table}:{columns[0]}", "functions": functions},
                        **{"proxy": proxy, "repeats": repeats, **shares},
                    }


def population(table: str, columns: tuple[str, ...]) -> tuple[Panel, np.ndarray, np.ndarray]:
    """Return the scores, the accuracies, (T, n), and the sizes, (n,), of one cell of each function."""
    space = spaces.get("nb201")
    frame = tables.load(table).frame[list(columns)].dropna()
    cells = frame.index.to_numpy()
    cells = cells[space.subsets["distinct"].of(cells)]
    shipped = catalogue.load("nb201-cifar10")
    members = {member for name in ENSEMBLES for member in ensembles.ENSEMBLES[name].members}
    scores = shipped.frame()
    scores = scores[scores["cell"].isin(cells) & scores["proxy"].isin({*PROXIES, *members})]
    sizes = np.array([space.costs["live_flops"](int(cell), space.classes) for cell in cells], float)
    return panel.build(scores, pd.DataFrame(map(dict, shipped.card.proxies))), frame.loc[cells].to_numpy(float).T, sizes


def coverage(
    scores: Panel, accuracies: np.ndarray, sizes: np.ndarray, metric: str, functions: int, repeats: int
) -> dict[str, np.ndarray]:
    """Return by kind of interval the share of samples, (P,), whose interval holds the population's value."""
    everything = np.arange(len(sizes))
    true = dict(kinds(*estimates(scores, accuracies, sizes, everything, metric), np.array(scores.proxies)))
    generator = np.random.default_rng(0)
    covered = {kind: np.zeros(len(scores.proxies)) for kind in true}
    for _ in range(repeats):
        chosen = generator.integers(0, len(sizes), functions)
        sample = estimates(scores.at(chosen), accuracies[:, chosen], sizes[chosen], np.arange(functions), metric)
        for kind, estimate in kinds(*sample, np.array(scores.proxies)):
            interval = intervals.of_difference if kind.startswith("difference") else intervals.of_correlation
            low, high = interval(estimate)
            covered[kind] += (low <= true[kind].value) & (true[kind].value <= high)
    return {kind: np.where(np.isfinite(true[kind].value), hits / repeats, np.nan) for kind, hits in covered.items()}


def kinds(
    correlation: influence.Estimates, partial: influence.Estimates, proxies: np.ndarray
) -> Iterator[tuple[str, influence.Estimates]]:
    """Yield everything that has an interval, by name."""
    yield "correlation", correlation[:, 0]
    yield "partial", partial[:, 0]
    yield "difference_from_meco", correlation[np.flatnonzero(proxies == "meco"), 0] - correlation[:, 0]
    yield "difference_of_targets", correlation[:, 0] - correlation[:, 1]


if __name__ == "__main__":
    main()
