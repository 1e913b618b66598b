"""Published correlations beside a run's own, as `diswot correlate --published` prints them."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from tabulate import tabulate

from diswot.harness.cli import output, summary
from diswot.harness.evidence.intervals import FEWEST_FUNCTIONS
from diswot.harness.runs import suites
from diswot.harness.runs.published import LARGE, figures

if TYPE_CHECKING:
    import pandas as pd

    from diswot.harness.runs.results import Results


def shown(results: Results, table: pd.DataFrame, subset: str | None, suite: str | None = None) -> str:
    """Return the text of the command: a table for each publication, then the explanations.

    Args:
        results: of the run, with their evidence.
        table: as `harness.runs.published.compared` returns it.
        subset: of the cells; None for all that figures were published of.
        suite: the suite of the command, which the last line names.
    """
    metric = results.method.metric
    chosen = table if subset is None else table[table["subset"] == subset]
    chosen = chosen[chosen["metric"] == metric]
    enough = chosen["n_functions"] >= FEWEST_FUNCTIONS
    chosen = chosen.assign(**{name: chosen[name].where(enough) for name in ("ours", "difference")})
    settings = results.info.settings
    head = f"{results.info.space}, {settings.images} images: {metric} beside published figures; ours with "
    parts = [textwrap.fill(head + ", ".join(chosen["target"].unique()), summary.width())]
    for (source, place, cells), group in chosen.groupby(["source", "place", "subset"], sort=False):
        head = textwrap.fill(f"{source} ({place}), {cells} cells", summary.width())
        rows = [_row(*values) for values in zip(*(group[name] for name in _NEEDED), strict=True)]
        parts.append(f"{head}\n\n{tabulate(rows, 'keys', 'simple', disable_numparse=True)}")
    if chosen.empty:
        parts.append("No figure was published for these proxies, targets and cells in this metric.")
    parts.append("\n".join([*_notes(results, table, chosen), suites.line(results, suite)]))
    return "\n\n".join(parts)


_NEEDED = ("proxy", "data_set", "split", "ours", "published", "difference", "differs")


def _row(
    proxy: str, data_set: str, split: str, ours: float, published: float, difference: float, differs: str
) -> dict[str, str]:
    return {
        "proxy": proxy,
        "accuracy": f"{data_set} {split}",
        "ours": output.decimal(ours, 3),
        "published": output.decimal(published, 3),
        "difference": output.decimal(difference, 3) + ("!" if abs(difference) > LARGE else ""),
        "differs": differs or "-",
    }


def _notes(results: Results, table: pd.DataFrame, chosen: pd.DataFrame) -> list[str]:
    causes = chosen[chosen["explanation"] != ""].groupby(["proxy", "explanation"], sort=False)["source"].unique()
    notes = [
        textwrap.fill(f"! {proxy} ({'; '.join(sources)}): {cause}.", summary.width(), subsequent_indent="  ")
        for (proxy, cause), sources in causes.items()
    ]
    notes += [
        f"!: by more than {LARGE:g}. differs: settings that are not the published ones; ?: the publication",
        "does not state it. --json and --out give both values, every metric and the interval.",
    ]
    known = {results.info.space}, {*results.evidence["proxy"]}
    all_sets = {one.accuracy.data_set for one in figures() if one.space in known[0] and one.proxy in known[1]}
    lacking = sorted(all_sets - set(table["data_set"]))
    if lacking:
        note = (
            f"Not shown: figures with accuracies of {', '.join(lacking)}; `diswot tables fetch nb201` gets them, and "
        )
        notes.append(textwrap.fill(f"{note}--target nb201 takes them.", summary.width()))
    return notes
