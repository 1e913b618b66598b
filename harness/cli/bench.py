"""``diswot bench``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from diswot.harness.cli import options


@click.command(cls=options.Command)
@options.space
@click.option("--cells", default="8", show_default=True, help="all | N (a seeded sample) | 3,7,9 | TABLE | FILE.")
@options.proxies
@options.sweep
@click.option("--out", type=options.NEW_FILE, help="A .csv, .parquet or .json file.")
@options.as_json
def command(out: Path | None, as_json: bool, **settings: Any) -> int:
    """Measure the cost of each proxy and of the suite, on one thread.

    The cost is in seconds, and relative to one forward and backward pass of the same network, batch and
    machine. It uses the first weight seed. --workers and --vectorised-seeds have no effect here.
    """
    import torch

    from diswot.harness import files, pool
    from diswot.harness.compute import bench, sweep
    from diswot.harness.compute import plan as plans
    from diswot.harness.compute.costs import MACHINE
    from diswot.harness.runs import run_folder

    if out is not None:
        files.check_table_path(out, "--out")
        run_folder.refuse_kept("--out", out)
    plan = plans.make(**settings)
    torch.set_num_threads(1)
    pool.keep_freed_memory()  # as the workers of a sweep do
    if plan.devices != ("cpu",):
        torch.cuda.set_device(plan.devices[0])
    costs = bench.costs_of(sweep.prepare(plan), [p.name for p in plan.proxies], plan.cells, plan.seeds[0])
    table = bench.as_table(costs)
    if not as_json:
        click.echo(
            f"median over {len(plan.cells)} of the cells of {plan.space}, batch {plan.batch_size} of {plan.images}, "
            f"one thread on {plan.devices[0]}; relative_cost_in_suite: what the proxy adds to the suite, "
            "in the order of `diswot proxies list`"
        )
    shown = table if as_json else table.drop(columns=["version", MACHINE]).round(3)
    options.show(shown.astype(object).where(shown.notna(), None), as_json)
    if out is not None:
        click.echo(f"wrote {files.write_table(out, table)}", err=True)
    return 0
