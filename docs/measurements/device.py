"""Search for a device, after `diswot tables fetch nb201` and `diswot tables fetch hw-nas-bench`.

`python docs/measurements/device.py` searches with the precomputed scores of CIFAR-10 images: under a latency budget,
and with latency as a second objective. It writes device.csv and device-fronts.csv beside itself, the figure
docs/figures/nb201-front.png, and the tables between the marks in docs/findings/device.md.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib
import pandas as pd

import diswot
from diswot.harness.runs import run_folder
from diswot.harness.runs.precomputed import catalogue
from diswot.reports.figures import search_front

matplotlib.use("Agg")

COST, MOST = "hw-nas-bench:edgegpu_latency", 5.8
DRIVERS, TARGETS = ("log_rank_8", "meco", "live_flops"), ("nb201:cifar10-valid-test", "nb201:cifar100-test")
SEARCHES = 20
DOCS = Path(__file__).parents[1]


def main() -> None:
    """Search twice, and write what came out."""
    with TemporaryDirectory() as folder:
        run = diswot.load(run_folder.show(catalogue.load("nb201-cifar10"), Path(folder)))
        held = run.search(DRIVERS, searches=SEARCHES, budgets={COST: MOST}, targets=TARGETS)
        fronts = run.search(DRIVERS, searches=SEARCHES, cost=COST, targets=TARGETS)
        drawing = search_front.drawings(replace(run.results, search=fronts))[0]
        drawing.figure.savefig(DOCS / "figures" / "nb201-front.png", dpi=200)
    held.summary.round(4).to_csv(DOCS / "measurements" / "device.csv", index=False)
    fronts.hypervolumes.round(4).to_csv(DOCS / "measurements" / "device-fronts.csv", index=False)
    head = f"Among the {held.info.cells:,} cells of at most {MOST} ms:\n\n"
    tables = [_budget_table(held.summary), "Two objectives, all cells:", _front_table(fronts.hypervolumes)]
    text = head + "\n\n".join([*tables, _finding(fronts.hypervolumes)])
    page = DOCS / "findings" / "device.md"
    marks = r"(<!-- device\.py -->\n).*?(\n<!-- end -->)"
    page.write_text(re.sub(marks, lambda match: match[1] + text + match[2], page.read_text(), flags=re.DOTALL))
    print(text)


def _budget_table(summary: pd.DataFrame) -> str:
    lines = ["| driver | by | CIFAR-10-valid | regret | CIFAR-100 | regret |", "|---|---|---|---|---|---|"]
    for (driver, algorithm), part in summary.groupby(["driver", "algorithm"], sort=False):
        by_target = part.set_index("target")
        cells = [
            text
            for target in TARGETS
            for text in (_accuracy(by_target.loc[target]) if target in by_target.index else ("", ""))
        ]
        lines.append(f"| {driver} | {algorithm} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _accuracy(row: pd.Series) -> tuple[str, str]:
    std = "" if pd.isna(row["accuracy_std"]) else f" ± {row['accuracy_std']:.2f}"
    interval = "" if pd.isna(row["regret_low"]) else f" [{row['regret_low']:.2f}, {row['regret_high']:.2f}]"
    return f"{row['accuracy']:.2f}{std}", f"{row['regret']:.2f}{interval}"


def _front_table(volumes: pd.DataFrame) -> str:
    lines = [
        "| driver | by | hypervolume, score | over random search | CIFAR-10-valid | over random search |",
        "|---|---|---|---|---|---|",
    ]
    for (driver, algorithm), part in volumes.groupby(["driver", "algorithm"], sort=False):
        by_quantity = part.set_index("quantity")
        cells = [text for name in ("score", TARGETS[0]) for text in _volume(by_quantity.loc[name])]
        lines.append(f"| {driver} | {algorithm} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _finding(volumes: pd.DataFrame) -> str:
    compared = volumes[volumes["over_random"].notna()].set_index("quantity")
    more = {name: int((compared.loc[[name], "over_random_low"] > 0).sum()) for name in ("score", *TARGETS)}
    return (
        "With as many evaluations NSGA-II covers significantly more than random search by the score for "
        f"{more['score']} of {len(DRIVERS)} drivers. By CIFAR-10-valid accuracy it does so for {more[TARGETS[0]]}, "
        f"by CIFAR-100 accuracy for {more[TARGETS[1]]}."
    )


def _volume(row: pd.Series) -> tuple[str, str]:
    more = f"{row['over_random']:+.3f} [{row['over_random_low']:+.3f}, {row['over_random_high']:+.3f}]"
    own = f"{row['hypervolume']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
    return own, "" if pd.isna(row["over_random"]) else more


if __name__ == "__main__":
    main()
