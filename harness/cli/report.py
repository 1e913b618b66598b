"""``diswot report``."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import options


@click.command()
@click.argument("run", type=click.Path(path_type=Path), default="runs/evaluate")
@options.target
@options.config
def command(run: Path, targets: tuple[str, ...]) -> int:
    """Draw the figures of RUN, a run's folder, its store or a folder of runs, and write one self-contained page."""
    import reports
    from harness import results, run_folder
    from harness.cli import say

    run = run_folder.named(run)
    found = [results.correlate(folder, targets) for folder in run_folder.find(run)]
    click.echo(say.written(reports.build(found, run), found))
    return 0
