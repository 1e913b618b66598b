"""``diswot report``."""

from __future__ import annotations

from pathlib import Path

import click

from diswot.benchmarks.errors import named
from diswot.harness.cli import options


@click.command(cls=options.Command)
@click.argument("run", type=options.PATH, default="runs/evaluate")
@options.evidence
@click.option("--figures", help="Which figures, such as bars,scatters.  [default: all that the run has data for]")
@options.paper
@click.option("--width", help="Width of bars and scatters: single | double (columns).  [default: as the content needs]")
@click.option("--caption/--no-caption", default=True, show_default=True, help="Write the sample below each figure.")
@click.option(
    "--annotate",
    type=options.Whole(min=0, most=100, reason="numbers would hide the points"),
    default=0,
    help="How many of the most accurate cells scatters mark with their numbers.",
    show_default=True,
)
@click.option("--out", type=options.PATH, help="Folder of the page and its figures.  [default: RUN]")
@options.config
@named("run", "out")
def command(
    run: Path,
    targets: tuple[str, ...],
    metric: str,
    undefined: str,
    figures: str | None,
    proxies: str | None,
    labels: Path | None,
    order: str,
    width: str | None,
    caption: bool,
    annotate: int,
    out: Path | None,
) -> int:
    """Draw the figures of RUN and write one self-contained page.

    RUN is a run's folder, its store, a folder of runs, or the name of precomputed scores. The page of precomputed
    scores goes into runs/NAME. Without --target, --metric or --undefined, it shows those of the last `diswot correlate
    RUN`.
    """
    from diswot import reports
    from diswot.benchmarks.errors import InputError
    from diswot.harness import files, progress
    from diswot.harness.cli import output
    from diswot.harness.evidence.table import EVIDENCE_COLUMNS
    from diswot.harness.runs import results, run_folder
    from diswot.reports import paper

    names = None if figures is None else options.parts("--figures", figures)
    wanted = paper.look_of(
        proxies=() if proxies is None else options.parts("--proxies", proxies),
        labels=labels,
        order=order,
        width=width or "",
        caption=caption,
        annotate=annotate,
    )
    run = run_folder.named(run)
    folders = run_folder.find(run)
    if out is not None:
        files.require_folder(out, "--out")
    elif not files.can_be_written(run):
        raise InputError(f"RUN: {run} cannot be written to; --out FOLDER writes the page and its figures elsewhere.")
    results.require(folders, targets, metric=metric, undefined=undefined)
    reports.require(folders, figures=names, proxies=wanted.proxies, labels=wanted.labels, targets=targets)
    asked = {parameter.name for parameter in options.given("metric", "undefined")}

    def correlated(folder: Path) -> results.Results:
        before = results.answered(folder)
        try:
            return results.correlate(
                folder,
                targets or tuple(before.targets),
                metric=metric if "metric" in asked else before.metric,
                undefined=undefined if "undefined" in asked else before.undefined,
            )
        except InputError as error:  # a table may be elsewhere now
            if targets or asked:
                raise
            stored = results.load(folder)
            if stored.evidence.empty or not set(EVIDENCE_COLUMNS) <= set(stored.evidence):
                raise
            progress.say(f"{folder}: the stored correlations are shown, since {error}")
            return stored

    found = list(map(correlated, folders))
    click.echo(output.written(reports.build(found, out or run, names, wanted), found))
    return 0
