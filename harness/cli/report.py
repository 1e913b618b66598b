"""``diswot report``."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import options


@click.command()
@click.argument("run", type=options.PATH, default="runs/evaluate")
@options.evidence
@click.option("--figures", help="Which figures, such as bars,scatters.  [default: all that the run has data for]")
@options.config
def command(run: Path, targets: tuple[str, ...], measure: str, undefined: str, figures: str | None) -> int:
    """Draw the figures of RUN and write one self-contained page.

    RUN is a run's folder, its store, a folder of runs, or a shipped set's name, whose page goes into runs/NAME.
    """
    import reports
    from harness import results, run_folder
    from harness.cli import say
    from harness.evidence.table import Method

    run = run_folder.named(run)
    method = Method(measure=measure)
    found = [results.correlate(folder, targets, method=method, undefined=undefined) for folder in run_folder.find(run)]
    names = None if figures is None else tuple(name.strip() for name in figures.split(",") if name.strip())
    click.echo(say.written(reports.build(found, run, names), found))
    return 0
