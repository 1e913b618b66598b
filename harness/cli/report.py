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
@click.option("--out", type=options.PATH, help="Folder of the page and its figures.  [default: RUN]")
@options.config
@named("run", "out")
def command(
    run: Path, targets: tuple[str, ...], measure: str, undefined: str, figures: str | None, out: Path | None
) -> int:
    """Draw the figures of RUN and write one self-contained page.

    RUN is a run's folder, its store, a folder of runs, or a shipped set's name, whose page goes into runs/NAME.
    """
    from diswot import reports
    from diswot.benchmarks.errors import InputError
    from diswot.harness import files
    from diswot.harness.cli import output
    from diswot.harness.evidence.table import Method
    from diswot.harness.runs import results, run_folder

    names = None if figures is None else options.parts("--figures", figures)
    run = run_folder.named(run)
    if out is None and not files.can_be_written(run) and run.is_dir():
        raise InputError(f"RUN: {run} cannot be written to; --out FOLDER writes the page and its figures elsewhere.")
    method = Method(measure=measure)
    found = [results.correlate(folder, targets, method=method, undefined=undefined) for folder in run_folder.find(run)]
    click.echo(output.written(reports.build(found, out or run, names), found))
    return 0
