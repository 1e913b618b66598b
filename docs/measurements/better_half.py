"""Ask DisWOT's question of both tables and of the better half: `python docs/measurements/better_half.py`.

Functions are those with a live path; the better half has a 200-epoch CIFAR-10 accuracy above their median. The
tables are nb201-kd (measured) and nb201-kd-model (modelled). Modelled accuracies get no intervals: they are predictions
for all functions from the trainings of some. Writes docs/measurements/better-half.csv.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

import diswot
from diswot.benchmarks import spaces, tables
from diswot.benchmarks.tables import trainings
from diswot.harness.evidence import panel, table
from diswot.harness.evidence.table import TargetAccuracies

SPACE = spaces.get("nb201")
DOCS = Path(__file__).parents[1]
RESAMPLES = 10_000
COLUMNS = {"over_vanilla": "difference", "over_vanilla_low": "low", "over_vanilla_high": "high"}


def main() -> None:
    """Write the table, and print what the page says."""
    run = diswot.load("nb201-cifar10")
    proxies = pd.DataFrame(run.info["proxies"])
    cells = np.array(SPACE.cells)
    live = set(cells[SPACE.subsets["connected"].of(cells) & SPACE.subsets["distinct"].of(cells)].tolist())
    scores = panel.build(run.scores[run.scores["cell"].isin(live)], proxies)
    parts = []
    for name in ("nb201-kd", "nb201-kd-model"):
        known = tables.load(name).frame
        functions = sorted(live & {SPACE.representative(int(cell)) for cell in known.index})
        accuracies = known.loc[functions]
        good = better(functions)
        for half, chosen in {"all": functions, "better half": good}.items():
            print(f"\n{name}, {half}: {len(chosen)} functions")
            best(accuracies.loc[chosen])
            targets = [target(name, column, accuracies.loc[chosen]) for column in ("vanilla", "distilled")]
            of = table.tables(scores, proxies, targets, SPACE)[1]
            parts.append(arranged(of[of["subset"] == "all"], name, half))
    whole = pd.concat(parts, ignore_index=True)
    modelled = whole["table"] == "nb201-kd-model"
    whole.loc[modelled, ["low", "high", "ceiling_vanilla", "ceiling_distilled"]] = np.nan
    whole.round(4).to_csv(DOCS / "measurements" / "better-half.csv", index=False)
    for (name, half), part in whole.groupby(["table", "half"], sort=False):
        print(f"\n{name}, {half}: n = {part['n'].max()}; ceilings {part['ceiling_vanilla'].max():.3f} vanilla,")
        print(f"{part['ceiling_distilled'].max():.3f} distilled; median difference {part['difference'].median():.3f};")
        print(f"significantly better with distilled {(part['low'] > 0).sum()}, worse {(part['high'] < 0).sum()}, of")
        print(f"{part['difference'].notna().sum()}\n{part.sort_values('distilled').round(3).to_string(index=False)}")


def better(functions: list[int]) -> list[int]:
    """Return the functions above the median 200-epoch CIFAR-10 accuracy."""
    accuracy = tables.load("analog-nasbench").frame["baseline"].loc[functions]
    return accuracy.index[accuracy > accuracy.median()].tolist()


def target(name: str, column: str, accuracies: pd.DataFrame) -> TargetAccuracies:
    """Return the accuracies of a column, with their seeds where the table has several."""
    seeds = trainings.seeds_of(column, accuracies) if name == "nb201-kd" else pd.DataFrame(index=accuracies.index)
    return TargetAccuracies(f"{name}:{column}", accuracies[column], seeds, by_function=True)


def best(accuracies: pd.DataFrame) -> None:
    """Print whether the best vanilla student is the best distilled one, and how far the two orders agree."""
    pair = accuracies[["vanilla", "distilled"]]
    first = pair.idxmax()
    place = int((pair["distilled"] > pair["distilled"][first["vanilla"]]).sum()) + 1
    gap = pair["distilled"].max() - pair["distilled"][first["vanilla"]]
    top = {name: set(values.nlargest(max(1, len(pair) // 10)).index) for name, values in pair.items()}
    both = len(top["vanilla"] & top["distilled"]) / len(top["vanilla"])
    print(
        f"best vanilla {first['vanilla']}, best distilled {first['distilled']}; distilled place {place}, gap {gap:.2f}"
    )
    print(f"Spearman {pair.corr('spearman').iloc[0, 1]:.3f}; of the best tenth {both:.2f} are in both")
    random = np.random.default_rng(0)
    picks = []
    for column, values in pair.items():
        if f"{column}-std" in accuracies:
            std = accuracies[f"{column}-std"].to_numpy()
        else:
            seeds = trainings.seeds_of(str(column), accuracies)
            std = np.sqrt(seeds.var(axis=1).mean()) / np.sqrt(seeds.count(axis=1).to_numpy())
        picks.append([int((values + std * random.normal(size=len(values))).argmax()) for _ in range(RESAMPLES)])
    print(f"the same in {np.mean(np.equal(*picks)):.1%} of resamples")
    for column in pair:
        seeds = accuracies.filter(regex=f"^{column}-[0-9]+$").dropna()
        if seeds.shape[1] > 1:
            agreement = seeds.corr("spearman").to_numpy()[np.triu_indices(seeds.shape[1], 1)].mean()
            print(f"{column}: two seeds correlate by {agreement:.3f}, n = {len(seeds)}")


def arranged(evidence: pd.DataFrame, name: str, half: str) -> pd.DataFrame:
    """Return one row a proxy: correlations, partial correlations, ceilings, and distilled minus vanilla."""
    of = {
        column: evidence[evidence["target"] == f"{name}:{column}"].set_index("proxy")
        for column in ("vanilla", "distilled")
    }
    columns = {}
    for column, found in of.items():
        columns |= {
            column: found["spearman"],
            f"partial_{column}": found["partial"],
            f"ceiling_{column}": found["ceiling"],
        }
        columns |= {f"{column}_low": found["low"], f"{column}_high": found["high"]} if name == "nb201-kd" else {}
    columns |= {short: of["distilled"][long] for long, short in COLUMNS.items()}
    columns |= {name: of["distilled"][name] for name in ("not_significantly_different", "n")}
    frame = pd.DataFrame(columns).rename_axis("proxy").reset_index()
    frame.insert(0, "half", half)
    frame.insert(0, "table", name)
    return frame


if __name__ == "__main__":
    main()
