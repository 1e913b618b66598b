"""``diswot compare``."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from diswot.benchmarks.errors import named
from diswot.harness.cli import options

if TYPE_CHECKING:
    from diswot.harness.runs.compare import Comparison

#: Characters of a setting's name and of its value on the screen.
_NAME, _VALUE = 30, 32


@click.command(cls=options.Command)
@click.argument("runs", metavar="RUN RUN...", type=options.PATH, nargs=-1, required=True)
@options.evidence
@click.option(
    "--subset",
    default="all",
    show_default=True,
    help="Which cells: all | connected | reachable | distinct (one a function) | live-convolution.",
)
@click.option("--out", type=options.NEW_FILE, help="Write the rows to this .csv, .parquet or .json file.")
@options.as_json
@options.config
@named("RUN", "run")
def command(
    runs: tuple[Path, ...],
    targets: tuple[str, ...],
    metric: str,
    undefined: str,
    subset: str,
    out: Path | None,
    as_json: bool,
) -> int:
    """Compare the first RUN with each of the others: two versions, machines or image sets.

    A RUN is a run's folder, its store, a folder of runs, or the name of precomputed scores. The table has every proxy
    of both runs, on the cells with an accuracy in both: both correlations, their paired difference, and how many scores
    changed. Below it are the settings that differ.
    """
    import json

    import pandas as pd

    from diswot.harness import files
    from diswot.harness.runs import compare, run_folder

    if out is not None:
        files.check_table_path(out, "--out")
        run_folder.refuse_kept("--out", out)
    folders = [folder for run in runs for folder in run_folder.find(run_folder.named(run))]
    found = compare.compare(folders, targets, metric=metric, subset=subset, undefined=undefined)
    if as_json:
        both = [{"settings": files.as_json(one.settings), "proxies": files.as_json(one.proxies)} for one in found]
        click.echo(json.dumps([{key: json.loads(text) for key, text in one.items()} for one in both], indent=1))
    else:
        click.echo("\n\n\n".join(map(_shown, found)))
    if out is not None:
        click.echo(f"wrote {files.write_table(out, pd.concat([one.proxies for one in found]))}", err=True)
    return 0


def _shown(one: Comparison) -> str:
    from tabulate import tabulate

    from diswot.benchmarks.errors import elided

    first = one.proxies.iloc[0]
    parts = [f"[1] {first['first']}\n[2] {first['second']}", "They were made under the same settings."]
    if len(one.settings):
        cut = {"setting": _NAME, "first": _VALUE, "second": _VALUE}
        columns = {name: [elided(text, longest) for text in one.settings[name]] for name, longest in cut.items()}
        heads = ("what differs", "[1]", "[2]")
        parts[1] = tabulate(list(zip(*columns.values(), strict=True)), heads, "simple", disable_numparse=True)
    for target, group in one.proxies.groupby("target", sort=False):
        body = tabulate(list(map(_row, group.to_dict("records"))), "keys", "simple", disable_numparse=True)
        cells = "" if first["subset"] == "all" else f", {first['subset']} cells"
        parts.append(f"{first['space']}{cells}, {target}, {first['metric']}\n\n{body}")
    parts.append(
        "[2] - [1]: with the 95 % interval over functions; p: of the difference, Holm-corrected for all rows.\n"
        "changed: how many scores are not the same bits; agreement: the correlation of [1] with [2]."
    )
    return "\n\n".join(parts)


def _row(found: Mapping[Hashable, Any]) -> dict[str, str]:
    from diswot.harness.cli import output
    from diswot.harness.evidence.intervals import FEWEST_FUNCTIONS

    names = ("value_first", "value_second", "difference", "low", "high")
    first, second, difference, low, high = (output.decimal(found[name], 3) for name in names)
    if found["n_functions"] < FEWEST_FUNCTIONS:
        first = second = difference = "-"
    return {
        "proxy": str(found["proxy"]),
        "n": str(found["n"]),
        "[1]": first,
        "[2]": second,
        "[2] - [1]": f"{difference} [{low}, {high}]",
        "p": "-" if found["p"] != found["p"] else f"{found['p']:.2g}",
        "changed": str(found["changed"]) if found["scores"] == found["n"] else f"{found['changed']}/{found['scores']}",
        "agreement": output.decimal(found["agreement"], 3),
    }
