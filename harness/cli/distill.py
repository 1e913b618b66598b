"""``diswot distill``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from diswot.benchmarks.errors import named
from diswot.harness.cli import options


@click.command(cls=options.Command)
@options.space
@click.option(
    "--cells",
    default="12",
    show_default=True,
    help="all | N (a seeded sample of N isomorphism classes) | 3,7,9 (one: 3,) | TABLE | TABLE:N | FILE with one "
    "cell a line.",
)
@options.seeds
@click.option(
    "--distillers",
    default="none,kd",
    show_default=True,
    help="none (vanilla), kd, at, sp, rkd, ickd, diswot, kd+diswot.",
)
@click.option("--recipe", default="mini", show_default=True, help="Recipe of the students: mini, paper or autodas.")
@click.option("--set", "changes", multiple=True, help="FIELD=VALUE of the recipe, such as epochs=20; repeatable.")
@click.option("--images", default="cifar10", show_default=True, help="cifar10 | cifar100 | imagenet16-120.")
@options.image_dir
@click.option(
    "--teacher",
    default="resnet20",
    show_default=True,
    help="A name, trained first by the recipe's teacher_recipe; a file of weights; or NAME=FILE.",
)
@click.option("--teacher-recipe", help="Recipe of a teacher that is trained first, such as soteacher.")
@options.device
@options.workers
@options.scheduler
@click.option(
    "--together",
    type=options.Whole(min=1),
    default=1,
    show_default=True,
    help="Students that a worker trains at once, without checkpoints; more than one for a GPU.",
)
@click.option(
    "--checkpoint-every",
    type=options.Finite(min=0),
    default=60.0,
    show_default=True,
    help="Seconds between two checkpoints of a training.",
)
@click.option("--compare", help="table:column with which the card compares vanilla accuracies.")
@click.option(
    "--merge",
    "merged",
    type=options.PATH,
    multiple=True,
    help="trainings.csv of another run with the same settings, to reuse; repeatable.",
)
@options.out("runs/distill")
@options.config
@named("--out", "run", "store")
def command(
    space: str,
    cells: str,
    seeds: str,
    distillers: str,
    recipe: str,
    changes: tuple[str, ...],
    device: str,
    workers: int | None,
    scheduler: str | None,
    together: int,
    compare: str | None,
    merged: tuple[Path, ...],
    out: Path,
    teacher_recipe: str | None,
    **settings: Any,
) -> int:
    """Train students with and without a teacher, from the same weights and with the same batches.

    One training serves the cells that compute the same function. Interrupted, the same command continues.
    """
    from tabulate import tabulate

    from diswot.benchmarks import spaces, tables
    from diswot.harness.compute import devices
    from diswot.harness.distillation import accuracies, recipes, sweep
    from diswot.harness.distillation import distillers as registry
    from diswot.harness.runs import samples

    walked = spaces.classes_of(spaces.get(space))
    with named("--compare", "table", "targets"):
        compared = tables.targets(compare, space)[0] if compare is not None else None
    if teacher_recipe is not None:
        changes = (*changes, f"teacher_recipe={teacher_recipe}")
    plan = sweep.Plan(
        space=space,
        cells=samples.cells(cells, walked),
        seeds=samples.seeds(seeds),
        distillers=registry.select(distillers),
        recipe=recipes.get(recipe, changes),
        **settings,
        **devices.place(device, workers, scheduler),
    )
    click.echo(plan.describe(out), err=True)
    tally = sweep.run(plan, out, merge=merged)
    click.echo(tally.describe(out, "training"), err=True)
    written, measured = accuracies.write(out, compared)
    click.echo(tabulate(list(measured.items()), tablefmt="plain", disable_numparse=True))
    for path in written:
        click.echo(f"wrote {path}", err=True)
    return 1 if tally.causes else 0
