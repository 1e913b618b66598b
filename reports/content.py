"""What the page says about a run, as plain values; the template only arranges them."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
from markupsafe import Markup, escape

from harness.evidence.table import by_evidence
from reports.numbers import NOT_DEFINED, counted, span, with_deviation
from reports.summary import on_all_cells, setting, targets_of

if TYPE_CHECKING:
    from harness.results import Results

MEASURES = ("spearman", "kendall", "pearson")
LINK = re.compile(r"https?://[^\s<>\"']*[^\s<>\"'.,;:)\]]")


def linked(text: object) -> Markup:
    """Return a text, escaped, with its web addresses as links; a reader may follow them, the page never does."""
    words, end, parts = str(text), 0, []
    for match in LINK.finditer(words):
        parts.append(escape(words[end : match.start()]))
        parts.append(Markup('<a href="{0}" rel="noreferrer">{0}</a>').format(match.group()))
        end = match.end()
    return Markup("").join([*parts, escape(words[end:])])


def breakable(name: object) -> Markup:
    """Return a name, escaped, that a narrow column may break after its underscores."""
    return Markup("<wbr>").join(escape(part) for part in re.split(r"(?<=_)", str(name)))


def plain(value: object) -> str:
    """Return a stored value in the words of a table's cell; empty where nothing is stored."""
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(map(plain, value)) if isinstance(value, (set, frozenset)) else map(plain, value)
        return ", ".join(items)
    return str(value)


def flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested values as pairs of a dotted name and a text, in their own order."""
    pairs: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            pairs += flat(value, f"{prefix}{name}.")
        else:
            pairs.append((f"{prefix}{name}", plain(value)))
    return pairs


def title(results: Results) -> str:
    """Return what a reader calls the run: its search space, its pictures and the name of its folder."""
    words = [results.info.get("space"), setting(results, "images"), results.folder.name]
    return " · ".join(dict.fromkeys(str(word) for word in words if word)) or "Run"


def overview(results: Results) -> list[tuple[str, str]]:
    """Return the sample of the run as pairs of a name and a value."""
    scores = results.scores
    statuses = scores["status"].value_counts()
    return [
        ("Cells", f"{scores['cell'].nunique():,}"),
        ("Proxies", f"{scores['proxy'].nunique():,}"),
        ("Seeds", f"{scores['seed'].nunique():,}"),
        ("Scores", f"{len(scores):,}"),
        ("Not defined", f"{int(statuses.get('undefined', 0)):,}"),
        ("Failed", f"{int(statuses.get('failed', 0)):,}"),
        ("Images", plain(setting(results, "images"))),
        ("Batch size", plain(setting(results, "batch_size"))),
        ("Teacher", plain(setting(results, "teacher"))),
        ("Targets", ", ".join(targets_of(results))),
    ]


def findings(results: Results) -> list[str]:
    """Return one sentence per target: the proxy with the highest mean Spearman correlation."""
    summary = on_all_cells(results)
    sentences = []
    for target in targets_of(results):
        rows = summary[(summary["target"] == target) & summary["spearman"].notna()]
        if rows.empty:
            sentences.append(f"{target}: no correlation is defined.")
            continue
        best = rows.loc[rows["spearman"].idxmax()]
        rho = with_deviation(best["spearman"], best["spearman_deviation"])
        cells = span(int(best["n_lowest"]), int(best["n_highest"]))
        sentences.append(
            f"{target}: {best['proxy']} has the highest Spearman correlation, {rho} (n = {cells}, "
            f"{counted(int(best['seeds']), 'seed')})."
        )
    return sentences


def correlation_rows(results: Results) -> list[dict[str, Any]]:
    """Return one row per proxy and target, best proxy first, its targets below each other.

    Each measure holds the mean and the deviation over seeds and the number of seeds where it is defined.
    """
    summary = on_all_cells(results)
    place = {name: number for number, name in enumerate(by_evidence(summary))}
    summary = summary.sort_values("proxy", key=lambda names: names.map(place), kind="stable")
    return [
        {
            "proxy": row["proxy"],
            "family": row["family"],
            "direction": row["direction"],
            "target": row["target"],
            "measures": [(row[name], row[f"{name}_deviation"], int(row[f"{name}_seeds"])) for name in MEASURES],
            "cells": int(row["n_highest"]),
            "cells_text": span(int(row["n_lowest"]), int(row["n_highest"])),
            "seeds": int(row["seeds"]),
            "undefined": int(row["undefined"]),
            "failed": int(row["failed"]),
        }
        for row in summary.to_dict("records")
    ]


def accuracy_rows(results: Results) -> list[dict[str, Any]]:
    """Return one row per target: cells with an accuracy, and the lowest, mean and highest accuracy in percent."""
    if results.targets.empty:
        return []
    table = results.targets.groupby("target", sort=False)["accuracy"].agg(["count", "min", "mean", "max"])
    return table.reset_index().to_dict("records")


def problem_rows(results: Results) -> list[dict[str, Any]]:
    """Return what is undefined or failed, by proxy, status and cause: units, cells, and one cell as an example."""
    scores = results.scores
    bad = scores[scores["status"] != "ok"]
    if bad.empty:
        return []
    causes = bad.assign(cause=bad["cause"].astype(object).where(bad["cause"].notna(), "no cause was stored"))
    table = causes.groupby(["proxy", "status", "cause"], sort=False).agg(
        units=("cell", "size"), cells=("cell", "nunique"), example=("cell", "min")
    )
    rows = table.reset_index().sort_values(
        ["status", "units", "proxy", "cause"], ascending=[True, False, True, True], kind="stable"
    )
    words = {"undefined": NOT_DEFINED}
    return [{**row, "status": words.get(row["status"], row["status"])} for row in rows.to_dict("records")]


def provenance(results: Results) -> list[tuple[str, str]]:
    """Return all that was stored about how the run was made and stands nowhere else, as pairs of a name and a text."""
    return flat({name: value for name, value in results.info.items() if name not in ("command", "proxies")})


def command(results: Results) -> str:
    """Return the command that made the run, as one would type it; empty where none was stored."""
    stored = results.info.get("command")
    if isinstance(stored, (list, tuple)):
        return shlex.join(str(word) for word in stored)
    return plain(stored)


def proxy_rows(results: Results) -> list[dict[str, str]]:
    """Return the records of the proxies as texts, in the order of their names."""
    records = results.proxies.sort_values("name").to_dict("records") if len(results.proxies) else []
    return [{str(name): plain(value) for name, value in record.items()} for record in records]


def card_rows(results: Results) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the cards of the accuracy tables: name, and pairs of a field and a text."""
    return [(name, flat(card)) for name, card in results.cards.items()]
