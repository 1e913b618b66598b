"""Put published correlations beside ours: `python docs/measurements/published.py ACCURACIES.csv`.

ACCURACIES.csv has the official 200-epoch accuracies by cell, in columns named as `diswot tables import` names them:
cifar10-test-200, cifar100-test-200, imagenet16-120-test-200. `diswot tables fetch nb201` gets the rest. Writes
docs/measurements/published.csv, and the table in docs/findings/published.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
from tabulate import tabulate

import diswot
from diswot.harness import files
from diswot.harness.runs import published

DOCS = Path(__file__).parents[1]
CSV = DOCS / "measurements" / "published.csv"
PAGE = DOCS / "findings" / "published.md"
BEGIN, END = "<!-- published -->\n", "<!-- /published -->"

#: What identifies a figure.
KEYS = ["proxy", "space", "subset", "data_set", "split", "metric", "source"]

_DATA_SETS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenet16-120": "ImageNet16-120"}


def main(accuracies: str) -> None:
    """Write the CSV file and the table in the page."""
    own = ("cifar10-valid-test", "cifar10-valid-val", "cifar100-val")
    cells = diswot.load("nb201-cifar10").published([accuracies, *(f"nb201:{name}" for name in own)])
    networks = diswot.load("s0-cifar100").published(metric="kendall")
    files.write_table(CSV, pd.concat([cells, networks]).round(4))
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + BEGIN + rendered(pd.read_csv(CSV)) + END + rest.partition(END)[2])


def all_figures() -> pd.DataFrame:
    """Return every published figure: `KEYS`, published and place."""
    rows = [vars(one) | vars(one.accuracy) | {"published": one.figure} for one in published.figures()]
    return pd.DataFrame(rows)[[*KEYS, "published", "place"]]


def rendered(table: pd.DataFrame) -> str:
    """Return the Markdown: a row a proxy, source and set of cells in Spearman's rho (S0: Kendall's tau), and causes."""
    ours = table[[*KEYS, "ours", "difference", "differs", "explanation"]]
    whole = all_figures().merge(ours, on=KEYS, how="left")
    shown = whole[whole["metric"] == whole["space"].map({"nb201": "spearman", "s0": "kendall"})]
    rows = []
    for (source, space, subset, proxy), group in shown.groupby(["source", "space", "subset", "proxy"], sort=False):
        row = {"proxy": f"`{proxy}`", "cells": subset if space == "nb201" else "S0"}
        row |= dict.fromkeys([*_DATA_SETS.values(), "settings that differ", "source"], "")
        for one in group.to_dict("records"):
            split = "" if one["split"] == "test" else f"{one['split']} "
            head = _DATA_SETS[one["data_set"].removesuffix("-valid")]
            row[head] += ("; " if row[head] else "") + split + _pair(one)
        # Of the data sets the one with the most differences: figures of others are with other images too.
        differs = max(group["differs"].fillna(""), key=len)
        row["settings that differ"] = "not in a precomputed set" if group["ours"].isna().all() else differs
        row["source"] = source
        rows.append(row)
    places = [f"- {source}: {place}." for source, place in shown[["source", "place"]].drop_duplicates().to_numpy()]
    causes = shown[shown["explanation"].notna()].groupby(["proxy", "explanation"], sort=False)["source"].unique()
    listed = [(f"`{proxy}`", "; ".join(sources), cause) for (proxy, cause), sources in causes.items()]
    body = tabulate(rows, "keys", "github", disable_numparse=True)
    reasons = tabulate(listed, ["proxy", "differs by more than .03 from", "cause"], "github")
    return "\n".join([body, "", "Sources:", "", *places, "", reasons, ""])


def _pair(one: dict[str, float]) -> str:
    there = f"({one['published']:.3f})"
    if pd.isna(one["ours"]):
        return f"- {there}"
    pair = f"{one['ours']:.3f} {there}"
    return f"**{pair}**" if abs(one["difference"]) > published.LARGE else pair


if __name__ == "__main__":
    main(*sys.argv[1:])
