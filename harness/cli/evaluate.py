"""``diswot evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from diswot.benchmarks.errors import named
from diswot.harness.cli import options

#: The options that a suite decides.
_OF_SUITE = ("space", "cells", "proxies", "seeds", "images", "batch_size", "batch_seed", "augment", "teacher")


@click.command(cls=options.Command)
@options.space
@options.cells
@options.proxies
@options.sweep
@options.shipped
@options.suite
@options.scheduler
@options.out("runs/evaluate")
@click.option("--export", type=options.NEW_FILE, help="Also write all scores of the run to a .csv, .parquet or .json.")
@named("--out", "run", "store")
def command(out: Path, export: Path | None, shipped: bool, **settings: Any) -> int:
    """Score proxies x cells x seeds into the store of a run's folder; existing scores are not computed again.

    Precomputed scores of the same settings are reused: `diswot scores list` names them.
    """
    import diswot
    from diswot.benchmarks import spaces
    from diswot.harness import files
    from diswot.harness.cli import output
    from diswot.harness.runs import run_folder, samples

    if settings["suite"] is not None:
        options.refuse_idle("without --suite, which says what it is", *_OF_SUITE)
    if export is not None:
        files.check_table_path(export, "--export")
        run_folder.refuse_kept("--export", export, out)
    run = diswot.evaluate(out=out, precomputed=shipped, **settings)
    space = spaces.get(run.info["space"])
    asked = settings["cells"]
    cells = run.cells if asked is None or settings["suite"] else samples.cells(asked, space)
    if lacking := output.undistilled(space.name, cells):
        click.echo(lacking, err=True)
    if export is not None:
        with named("--export", "out"):
            click.echo(f"wrote {files.write_table(export, run.scores)}", err=True)
    return 1 if run.failed else 0
