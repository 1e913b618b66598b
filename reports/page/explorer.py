"""What the explorer needs of a run: scores, accuracies and cells as compact arrays, for a script in the page."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from diswot.benchmarks import spaces
from diswot.benchmarks.spaces import Graph, Space
from diswot.harness.evidence.metrics import METRICS
from diswot.harness.runs.results import Results
from diswot.reports.summary import best_first, metric_of, targets_of


def data(results: Results) -> Markup | None:
    """Return the explorer's data as JSON that may stand in a ``script`` element; None where there is nothing to show.

    Arrays are little-endian and base64: ``{"type": "f4", "data": "..."}``. Scores are of each proxy's lowest seed, NaN
    where they are undefined; accuracies are NaN where they are not known.
    """
    space = spaces.get(results.info.space)
    scores = results.scores
    if scores.empty or results.targets.empty:
        return None
    cells = np.unique(scores["cell"].to_numpy(int))
    content = {
        "metric": METRICS[metric_of(results.evidence)].label,
        "undefined": results.method.undefined,
        "cells": _array(cells, "u4"),
        "places": _array(np.array([space.encode(int(cell)) for cell in cells]), "u1"),
        "architectures": _architectures(space, cells),
        "proxies": _proxies(results, cells),
        "targets": _targets(results, cells),
        "sizes": _sizes(results, space, cells),
        "subsets": {name: _array(subset.of(cells), "u1") for name, subset in space.subsets.items()},
        "evidence": _evidence(results),
        "graph": _graph(space, cells),
    }
    # No name can end the element, whatever it holds.
    return Markup(json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"))


def _array(values: Any, kind: str) -> dict[str, str]:
    content = np.ascontiguousarray(values).astype(f"<{kind}")
    return {"type": kind, "data": base64.b64encode(content.tobytes()).decode()}


def _numbers(values: np.ndarray) -> dict[str, str]:
    # In half the room, unless a number would become zero or infinite.
    with np.errstate(over="ignore", under="ignore"):
        small = values.astype(np.float32)
    same = (np.isfinite(small) == np.isfinite(values)) & ((small == 0) == (values == 0))
    return _array(values, "f4" if same.all() else "f8")


def _architectures(space: Space, cells: np.ndarray) -> list[str] | None:
    # The script writes that of a graph itself.
    if isinstance(space.drawing, Graph):
        return None
    return [space.describe(int(cell)) for cell in cells]


def _graph(space: Space, cells: np.ndarray) -> dict[str, Any] | None:
    if not isinstance(space.drawing, Graph):
        return None
    live = np.array([space.drawing.live(int(cell)) for cell in cells])
    return {
        "operations": space.drawing.operations,
        "sources": [source for source, _ in space.drawing.edges],
        "live": _array(live @ (1 << np.arange(live.shape[1])), "u1"),
    }


def _proxies(results: Results, cells: np.ndarray) -> list[dict[str, Any]]:
    directions = results.evidence.drop_duplicates("proxy").set_index("proxy")["direction"].to_dict()
    by_proxy = dict(iter(results.scores.groupby("proxy", sort=False)))
    order = [name for name in dict.fromkeys(best_first(results)["proxy"]) if name in by_proxy]
    shown = []
    for name in [*order, *(name for name in by_proxy if name not in order)]:
        scores = by_proxy[name]
        scores = scores[scores["seed"] == scores["seed"].min()].set_index("cell")
        values = scores["value"].astype(float).reindex(cells).to_numpy()
        missing = ~np.isin(cells, scores.index[scores["status"] != "failed"])
        shown.append(
            {
                "name": str(name),
                "lower": directions.get(name) == "lower",
                "seed": int(scores["seed"].iloc[0]),
                "values": _numbers(np.where(np.isfinite(values), values, np.nan)),
                "missing": np.flatnonzero(missing).tolist(),
            }
        )
    return shown


def _targets(results: Results, cells: np.ndarray) -> list[dict[str, Any]]:
    known = {str(name): part.set_index("cell")["accuracy"] for name, part in results.targets.groupby("target")}
    chosen = [name for name in targets_of(results) if name in known] or list(known)
    return [{"name": name, "values": _array(known[name].reindex(cells).to_numpy(float), "f4")} for name in chosen]


def _sizes(results: Results, space: Space, cells: np.ndarray) -> list[dict[str, Any]]:
    classes = results.info.settings.classes
    called = {"flops": "FLOPs, M", "params": "Parameters, M"}
    return [
        {
            "name": label,
            "values": _array(np.array([space.costs[name](int(cell), classes) for cell in cells]) / 1e6, "f4"),
        }
        for name, label in called.items()
        if name in space.costs
    ]


def _evidence(results: Results) -> dict[str, list[Any]]:
    # The stored correlations by "subset|target|proxy": value, interval, cells and functions.
    evidence = results.evidence
    columns = evidence[[metric_of(evidence), "low", "high", "n", "n_functions"]].astype(float).to_numpy()
    keys = evidence["subset"] + "|" + evidence["target"] + "|" + evidence["proxy"]
    return {
        key: [None if pd.isna(value) else round(value, 4) for value in row]
        for key, row in zip(keys, columns.tolist(), strict=True)
    }
