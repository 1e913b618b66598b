"""The sentences and tables that commands print."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from harness import correlation, run_folder
from harness.distillation.sweep import Plan as DistillationPlan
from harness.distillation.sweep import Tally as DistillationTally
from harness.results import Results
from harness.sweep import Plan, Tally


def plan(plan: Plan, folder: Path) -> str:
    """Say what a sweep will do."""
    return (
        f"{plan.space}: {_count(len(plan.proxies), 'proxy', 'proxies')} x {_count(len(plan.cells), 'cell')} x "
        f"{_count(len(plan.seeds), 'seed')}, "
        f"{plan.batch_size} pictures of {plan.images}, teacher {plan.teacher}, "
        f"{_count(plan.workers, 'worker')} on {', '.join(plan.devices)}, into {folder}"
    )


def tally(tally: Tally, folder: Path) -> str:
    """Say how a sweep went."""
    done = sum(tally.statuses.values())
    text = f"{folder}: {_count(done, 'score')} in {tally.seconds:.0f} s"
    text += f", {tally.before} were there already" if tally.before else ""
    text += "".join(
        f", {tally.statuses[status]} {status}" for status in ("undefined", "failed") if tally.statuses[status]
    )
    for (proxy, cause), count in tally.causes.most_common(10):
        text += f"\n  failed {_count(count, 'time')}: {proxy}: {cause}"
    return text


def distillation_plan(plan: DistillationPlan, folder: Path) -> str:
    """Say what a distillation will do."""
    return (
        f"{plan.space}: {_count(len(plan.cells), 'class', 'classes')} x {_count(len(plan.seeds), 'seed')} x "
        f"{', '.join(plan.distillers)}; {plan.images}, teacher {plan.teacher}, "
        f"{_count(plan.workers, 'worker')} on {', '.join(plan.devices)}, into {folder}"
    )


def distillation_tally(tally: DistillationTally, folder: Path) -> str:
    """Say how a distillation went."""
    text = f"{folder}: {_count(tally.done, 'training')} in {tally.seconds:.0f} s"
    text += f", {tally.before} were there already" if tally.before else ""
    for (distiller, cause), count in tally.causes.most_common(10):
        text += f"\n  failed {_count(count, 'time')}: {distiller}: {cause}"
    return text


def measured(figures: dict[str, str]) -> str:
    """Return figures by name, one a line."""
    return tabulate(list(figures.items()), tablefmt="plain", disable_numparse=True)


def correlations(results: Results) -> str:
    """Return the sorted table of a run's correlations, with n and undefined counts."""
    summary = correlation.over_seeds(results.correlations)
    targets = list(dict.fromkeys(summary["target"]))
    agree = (summary.groupby("proxy")[["n_lowest", "undefined", "failed"]].nunique() <= 1).all(axis=None)
    head = (
        f"{results.info['space']}, {results.info['settings']['images']} pictures, batch "
        f"{results.info['settings']['batch_size']}, seeds {_listed(results.correlations['seed'])}"
    )
    counts = ["n", "undefined", *(["failed"] if summary["failed"].any() else [])]
    rows = []
    for proxy in correlation.proxies_by_correlation(summary):
        by_target = summary[summary["proxy"] == proxy].set_index("target")
        row: dict[str, object] = {"proxy": proxy}
        for number, target in enumerate(targets, start=1):
            mark = f" [{number}]" if len(targets) > 1 else ""
            if target not in by_target.index:
                continue
            found = by_target.loc[target]
            for name in counts:
                # One column does for all targets where they agree, as they do for two columns of one table.
                row[name if agree else name + mark] = int(found["n_lowest" if name == "n" else name])
            for name in correlation.MEASURES:
                row[name + mark] = _mean_and_deviation(found[name], found[f"{name}_deviation"])
        rows.append(row)
    keys = "\n".join(f"[{number}] {target}" for number, target in enumerate(targets, start=1))
    frame = pd.DataFrame(rows)
    note = (
        " (mean ± standard deviation over seeds; undefined summed over seeds)" if (summary["seeds"] > 1).any() else ""
    )
    body = tabulate(frame.to_dict("list"), headers="keys", tablefmt="simple", disable_numparse=True)
    return f"{head}{note}\n{keys}\n\n{body}"


def written(paths: Sequence[Path], results: Sequence[Results]) -> str:
    """Name what a report wrote: the page, and for every run its scores and the folder of its figures."""
    page, *figures = paths
    lines = [f"wrote {page}"]
    for one in results:
        own = [path for path in figures if one.folder in path.parents]
        folders = ", ".join(sorted({str(path.parent) for path in own}))
        lines.append(f"      {_count(len(own), 'file')} of figures and their data in {folders}")
        lines.append(f"      {run_folder.store_path(one.folder)}, {one.folder / 'correlations.csv'}")
    return "\n".join(lines)


def _mean_and_deviation(mean: float, deviation: float) -> str:
    if pd.isna(mean):
        return "-"
    return f"{mean:+.3f}" if pd.isna(deviation) else f"{mean:+.3f} ± {deviation:.3f}"


def _listed(seeds: pd.Series) -> str:
    return ", ".join(str(seed) for seed in sorted(set(seeds)))


def _count(number: int, noun: str, plural: str = "") -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"
