"""Which proxies predict robust accuracy? After `diswot tables fetch nb201-robustness`.

`python docs/measurements/robustness.py` correlates the precomputed scores of CIFAR-10 images with clean accuracy and
with accuracy under attack. It writes docs/measurements/robustness.csv, docs/figures/robustness.png, and the findings
between the marks in docs/findings/robustness.md.
"""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib
import numpy as np
import pandas as pd

import diswot
from diswot.benchmarks import spaces
from diswot.harness.runs import run_folder
from diswot.harness.runs.precomputed import catalogue

matplotlib.use("Agg")

TABLE, SET = "nb201-robustness", "nb201-cifar10"
#: Clean, then attacks, from the one that agrees most with clean accuracy to the one that agrees least.
COLUMNS = ("clean", "fgsm-4.0", "fgsm-1.0", "square-1.0", "square-4.0", "pgd-4.0", "pgd-1.0", "apgd-1.0", "apgd-4.0")
CLEAN, STRONGEST = "clean", ("pgd-1.0", "apgd-1.0")
SUBSETS = ("all", "connected")
DOCS = Path(__file__).parents[1]
CSV = DOCS / "measurements" / "robustness.csv"


def main() -> None:
    """Write the table, the figure and the findings."""
    with TemporaryDirectory() as folder:
        run = diswot.load(run_folder.show(catalogue.load(SET), Path(folder)))
        run.correlate([f"{TABLE}:{column}" for column in COLUMNS])
        evidence = run.results.evidence
    evidence = evidence[evidence["subset"].isin(SUBSETS)].rename(columns={"spearman": "value"})
    evidence = evidence.assign(target=evidence["target"].str.rpartition(":")[2])
    columns = ["subset", "target", "proxy", "family", "value", "low", "high", "n", "n_functions"]
    evidence[columns].round(4).to_csv(CSV, index=False)
    describe(pd.read_csv(CSV))


def describe(correlations: pd.DataFrame) -> None:
    """Draw the figure and write the findings into the page."""
    whole = correlations[correlations["subset"] == "all"]
    values = whole.pivot(index="proxy", columns="target", values="value")[list(COLUMNS)].dropna()
    _draw(values.sort_values(CLEAN, ascending=False), DOCS / "figures" / "robustness.png")
    text = findings(correlations, diswot.tables.load(TABLE))
    page = DOCS / "findings" / "robustness.md"
    marks = r"(<!-- robustness\.py -->\n).*?(\n<!-- end -->)"
    page.write_text(re.sub(marks, lambda match: match[1] + text + match[2], page.read_text(), flags=re.DOTALL))
    print(text)


def findings(correlations: pd.DataFrame, accuracies: pd.DataFrame) -> str:
    """Return what the correlations say, in Markdown.

    Args:
        correlations: a row a subset, target and proxy: subset, target, proxy, value, low, high.
        accuracies: of all cells, a column a target.
    """
    known = correlations.dropna(subset=["value", "low"])
    connected = spaces.get("nb201").subsets["connected"].of(accuracies.index.to_numpy())
    tables = [
        _table(known, accuracies, "all", "all cells"),
        _table(known, accuracies[connected], "connected", "connected"),
    ]
    chance = accuracies.loc[~connected, list(COLUMNS)].to_numpy()
    strong = accuracies.loc[connected, "apgd-4.0"].max()
    degenerate = (
        f"The {int((~connected).sum())} cells without a path from input to output answer the same to every image. "
        f"Their accuracy is {np.unique(chance).item():g} % under every attack; the best connected cell has {strong:g} "
        "% under `apgd-4.0`."
    )
    return "\n".join([*tables, _turned(known), degenerate])


def _table(known: pd.DataFrame, accuracies: pd.DataFrame, subset: str, title: str) -> str:
    agreement = accuracies[list(COLUMNS)].corr(method="spearman")[CLEAN]
    lines = [
        f"| {title} | with clean accuracy | best score | 95 % interval | significantly positive | negative |",
        "|---|---|---|---|---|---|",
    ]
    for target in COLUMNS:
        part = known[(known["subset"] == subset) & (known["target"] == target)]
        best = part.loc[part["value"].idxmax()]
        lines.append(
            f"| `{target}` | {agreement[target]:.2f} | `{best['proxy']}` {best['value']:.2f} | {best['low']:.2f} to "
            f"{best['high']:.2f} | {int((part['low'] > 0).sum())} of {len(part)} | {int((part['high'] < 0).sum())} |"
        )
    return "\n".join([*lines, ""])


def _turned(known: pd.DataFrame) -> str:
    lines = [
        "| attack, cells | predict clean accuracy | of these robust accuracy | significantly negative | correlation |",
        "|---|---|---|---|---|",
    ]
    for attack, subset in product(STRONGEST, SUBSETS):
        own = known[known["subset"] == subset]
        clean, robust = (own[own["target"] == target].set_index("proxy") for target in (CLEAN, attack))
        predicts = clean.index[clean["low"] > 0]
        robust = robust.reindex(clean.index)
        order = clean["value"].corr(robust["value"], method="spearman")
        positive, negative = (robust.loc[predicts, "low"] > 0).sum(), (robust.loc[predicts, "high"] < 0).sum()
        lines.append(f"| `{attack}`, {subset} | {len(predicts)} | {positive} | {negative} | {order:+.2f} |")
    return "\n".join([*lines, ""])


def _draw(values: pd.DataFrame, path: Path) -> None:
    from matplotlib import pyplot as plt

    with plt.rc_context({"font.size": 7}):
        figure, axes = plt.subplots(figsize=(5.6, 0.145 * len(values) + 0.9), layout="constrained")
        image = axes.imshow(values, cmap="RdBu", vmin=-1, vmax=1, aspect="auto")
        for (line, column), value in np.ndenumerate(values.to_numpy()):
            text = f"{value:.2f}".replace("0.", ".")
            colour = "white" if abs(value) > 0.6 else "black"
            axes.text(column, line, text, ha="center", va="center", color=colour, fontsize=6)
        axes.set_yticks(range(len(values)), values.index)
        axes.set_xticks(range(len(values.columns)), values.columns, rotation=30, ha="left", rotation_mode="anchor")
        axes.tick_params(length=0, labeltop=True, labelbottom=False)
        axes.spines[:].set_visible(False)
        label = "Spearman correlation with accuracy under attack, all 15,625 cells"
        figure.colorbar(image, orientation="horizontal", shrink=0.6, aspect=40, pad=0.01, label=label)
        figure.savefig(path, dpi=160)


if __name__ == "__main__":
    main()
