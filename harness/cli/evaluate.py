"""``diswot evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from diswot.benchmarks.errors import named
from diswot.harness.cli import options

#: How many cells are sampled unless something else is asked for, where the space has as many.
DEFAULT_CELLS = 100


@click.command(cls=options.Command)
@options.space
@options.cells
@options.proxies
@options.sweep
@options.shipped
@options.scheduler
@options.out("runs/evaluate")
@click.option("--export", type=options.NEW_FILE, help="Also write all scores of the run to a .csv, .parquet or .json.")
@named("--out", "run", "store")
def command(out: Path, export: Path | None, **settings: Any) -> int:
    """Score proxies x cells x seeds into the store of a run's folder; what is there already is not done again.

    Scores that a shipped set has under the same settings are taken from it: `diswot scores list` names the sets.
    """
    from diswot.harness import files
    from diswot.harness.cli import output
    from diswot.harness.compute import sweep
    from diswot.harness.runs import results, run_folder

    if export is not None:
        files.check_table_path(export, "--export")
        run_folder.refuse_kept("--export", export, out)
    plan = plan_of(**settings)
    click.echo(output.plan(plan, out), err=True)
    tally = sweep.run(plan, out)
    click.echo(output.tally(tally, out), err=True)
    if lacking := output.undistilled(plan.space, plan.cells):
        click.echo(lacking, err=True)
    if export is not None:
        with named("--export", "--out"):
            click.echo(f"wrote {files.write_table(export, results.load(out).scores)}", err=True)
    return 1 if tally.statuses["failed"] else 0


def plan_of(
    *,
    space: str,
    cells: str | None,
    proxies: str,
    seeds: str,
    device: str,
    workers: int | None,
    plugins: tuple[Path, ...],
    shipped: bool = False,
    scheduler: str | None = None,
    **settings: Any,
) -> Any:
    """Make a sweep's plan of the texts of the options.

    Raises:
        InputError: if one of them stands for nothing.
    """
    from diswot.benchmarks import images, spaces, teachers
    from diswot.harness.compute.sweep import Plan
    from diswot.harness.runs import samples
    from diswot.harness.runs.precomputed import sets
    from diswot.proxies import registry

    if images.get(settings["images"]).reader is None:
        options.refuse_idle(f"with --images other than {settings['images']}", "image_dir")
    teachers.canonical(settings["teacher"])
    loaded = options.load_plugins(plugins)
    place = options.place(device, workers, scheduler)
    walked = spaces.get(space)
    return Plan(
        space=space,
        cells=samples.cells(str(min(DEFAULT_CELLS, len(walked.cells))) if cells is None else cells, walked),
        proxies=registry.select(proxies),
        seeds=samples.seeds(seeds),
        plugins=loaded,
        sets=sets.names() if shipped else (),
        **place,
        **settings,
    )
