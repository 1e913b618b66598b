"""``diswot run``: the main job."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from diswot.benchmarks.errors import InputError, named
from diswot.harness.cli import options

if TYPE_CHECKING:
    from diswot.harness.compute.plan import Plan
    from diswot.harness.search.plan import Plan as SearchPlan

#: The NAS-Bench-201 cells of the default run, all with a distilled accuracy: with S0 it ends within five minutes on two
#: processors.
DEFAULT_CELLS = "nb201-kd:80"


@click.command(cls=options.Command)
@click.option(
    "--cells",
    default=DEFAULT_CELLS,
    show_default=True,
    help="NAS-Bench-201 cells: all | N | 3,7,9 | TABLE | TABLE:N | FILE.",
)
@click.option("--s0-cells", default="all", show_default=True, help="S0 networks: all | N | 713,333 | FILE.")
@options.proxies
@options.target
@options.sweep
@options.shipped
@options.scheduler
@options.out("runs/default")
@named("--out", "run", "store")
def command(out: Path, cells: str, s0_cells: str, targets: tuple[str, ...], shipped: bool, **settings: Any) -> int:
    """Evaluate, correlate, search and report: NAS-Bench-201 cells against nb201-kd, S0 against s0-diswot.

    Each search is driven by the proxy that ranks best there. In NAS-Bench-201 it scores further cells as it goes; of S0
    all networks have a score already.

    Without options it needs no data and ends within five minutes on two processors. Interrupted, the same command
    continues; complete, it prints its tables at once. Options hold for both spaces, but for --target, which holds for
    NAS-Bench-201, and --images other than noise, whose number of classes both networks then have.
    """
    import torch

    from diswot import reports
    from diswot.harness.cli import output
    from diswot.harness.compute import bench, devices, relations, sweep
    from diswot.harness.compute import plan as plans
    from diswot.harness.runs import results, run_folder
    from diswot.harness.search import study
    from diswot.harness.search.plan import NoSearchError
    from diswot.run import carry_out

    if run_folder.info_path(out).is_file():
        raise InputError(f"--out: {out} is the folder of one run; `diswot run` makes two, in a folder that is none.")
    begun = any(run_folder.info_path(out / space).is_file() for space in ("nb201", "s0"))
    if (out / "report.html").exists() and not begun:
        raise InputError(
            f"--out: {out} holds report.html and no run, which would write over it; choose another folder."
        )
    results.targets_of("nb201", targets)  # a mistake in it must not show after minutes of work
    planned = [
        plans.make(space="nb201", cells=cells, precomputed=shipped, **settings),
        plans.make(space="s0", cells=s0_cells, precomputed=shipped, **settings),
    ]
    # Costs and relations are computed on this machine, whoever scores.
    (device, *_) = devices.parse(planned[0].devices[0])
    if device != "cpu":
        torch.cuda.set_device(device)
    for plan in planned:
        click.echo(plan.describe(out / plan.space), err=True)
    runs = [carry_out(plan, out / plan.space) for plan in planned]
    failures = sum(run.failed for run in runs)
    found = [results.correlate(out / "nb201", targets), results.correlate(out / "s0")]
    for plan, one in zip(planned, found, strict=True):
        context = sweep.prepare(plan)
        relations.write(context, plan.seeds[0], one)
        try:
            bench.keep(context, plan, one.folder)
        except InputError as error:  # the scores stand without it; one figure does not
            click.echo(f"no figure of costs: {error}", err=True)
    searched = []
    for plan, one, asked in zip(planned, found, (_live_search, _replayed_search), strict=True):
        try:
            search = study.study(asked(plan, one.folder, targets if one is found[0] else ()))
            failures += len(search.info["failed"])
            click.echo(output.failures(search), nl=False, err=True)
        except NoSearchError as error:  # such as of too few cells; the scores stand without it
            click.echo(f"{one.folder}: no search: {error}", err=True)
            search = None
        searched.append(replace(one, search=search))
    click.echo("\n\n".join(output.correlations(one) for one in searched))
    click.echo("".join(f"\n\n{output.search(one.search)}" for one in searched if one.search is not None))
    click.echo(f"\n{output.written(reports.build(searched, out), searched)}")
    return 1 if failures else 0


def _live_search(plan: Plan, folder: Path, targets: tuple[str, ...]) -> SearchPlan:
    # Small enough to end within about a minute, whichever proxy wins.
    return replace(
        _replayed_search(plan, folder, targets),
        drivers=("winner",),
        searches=2,
        evaluations=40,
        population=10,
        live=plan,
    )


def _replayed_search(plan: Plan, folder: Path, targets: tuple[str, ...]) -> SearchPlan:
    from diswot.harness.compute import devices
    from diswot.harness.runs import run_folder
    from diswot.harness.search.plan import Plan as SearchPlan

    return SearchPlan(
        run=folder,
        drivers=("winner", "diswot") if "diswot" in [proxy.name for proxy in plan.proxies] else ("winner",),
        algorithms=("evolution", "random"),
        evaluations=None,
        population=None,
        tournament=None,
        crossover=0.0,
        searches=100,
        cells=None,
        budgets=(),
        targets=targets,
        weight_seed=plan.seeds[0],
        teachers=(),
        live=None,
        command=run_folder.command(),
        machine=devices.machine(),
    )
