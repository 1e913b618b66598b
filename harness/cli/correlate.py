"""``diswot correlate``."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import options


@click.command()
@click.argument("run", type=click.Path(path_type=Path), default="runs/evaluate")
@options.target
@click.option(
    "--out", type=click.Path(path_type=Path), help="A .csv, .parquet or .json file, or a folder for all three."
)
@options.as_json
@options.config
def command(run: Path, targets: tuple[str, ...], out: Path | None, as_json: bool) -> int:
    """Correlate the scores of RUN, a run's folder, its store or a folder of runs, with accuracies.

    Undefined scores rank worst. Positive means that the proxy predicts in its declared direction.
    """
    import pandas as pd

    from harness import files, results, run_folder
    from harness.cli import say

    found = [results.correlate(folder, targets) for folder in run_folder.find(run_folder.named(run))]
    table = pd.concat([one.correlations.assign(run=str(one.folder)) for one in found], ignore_index=True)
    if as_json:
        click.echo(files.as_json(table))
    else:
        click.echo("\n\n".join(say.correlations(one) for one in found))
    if out is not None:
        paths = [out] if out.suffix else [out / f"correlations{suffix}" for suffix in files.WRITERS]
        for path in paths:
            click.echo(f"wrote {files.write_table(path, table)}", err=True)
    return 0
