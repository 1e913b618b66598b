"""Spend some minutes of a GPU on trainings of a recipe: `python docs/measurements/gpu_trainings.py --image-dir DATA`.

It trains one group of students after another (see ``diswot distill --together``), and begins none that would end too
late. The folder then is that of a distillation: the same command continues it, and ``diswot distill --merge
runs/gpu/trainings.csv`` takes its rows over where the settings are the same, the device among them.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import click

from diswot.benchmarks import spaces
from diswot.harness import pool
from diswot.harness.compute import devices
from diswot.harness.compute.cluster.executor import executors
from diswot.harness.distillation import accuracies, distillers, recipes, sweep
from diswot.harness.distillation.sweep import Plan
from diswot.harness.runs import samples


@click.command()
@click.option("--seconds", type=float, default=540.0, show_default=True, help="Time for all, start included.")
@click.option("--together", type=int, default=32, show_default=True, help="Students that are trained at once.")
@click.option("--cells", default="1000", show_default=True, help="As for diswot distill.")
@click.option("--seeds", default="1", show_default=True)
@click.option("--distillers", "taught", default="none,kd", show_default=True)
@click.option("--recipe", default="mini", show_default=True)
@click.option("--set", "changes", multiple=True, help="FIELD=VALUE of the recipe; repeatable.")
@click.option("--image-dir", type=click.Path(path_type=Path))
@click.option("--teacher", default="benchmarks/tables/data/nb201-kd-teacher.pt", show_default=True)
@click.option("--device", default="auto", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default="runs/gpu", show_default=True)
def main(
    seconds: float,
    together: int,
    cells: str,
    seeds: str,
    taught: str,
    recipe: str,
    changes: tuple[str, ...],
    image_dir: Path | None,
    teacher: str,
    device: str,
    out: Path,
) -> None:
    """Write a distillation's folder, and print how many trainings it has and how long they took."""
    begin = time.monotonic()
    plan = Plan(
        space="nb201",
        cells=samples.cells(cells, spaces.classes_of(spaces.get("nb201"))),
        seeds=samples.seeds(seeds),
        distillers=distillers.select(taught),
        recipe=recipes.get(recipe, changes),
        images="cifar10",
        image_dir=image_dir,
        teacher=teacher,
        checkpoint_every=60.0,
        together=together,
        **devices.place(device, 1, None),
    )
    trained, longest = spend(plan, out, begin + seconds)
    click.echo(f"{trained} trainings in {time.monotonic() - begin:.0f} s, a group in {longest:.1f} s at most")
    for path in accuracies.write(out, None)[0]:
        click.echo(f"wrote {path}")


def spend(plan: Plan, folder: Path, end: float) -> tuple[int, float]:
    """Train group after group until the next would end after ``end``, a time of `time.monotonic`.

    Returns:
        How many trainings were carried out, and the seconds of the longest group.
    """
    cells = max(1, plan.together // (len(plan.seeds) * len(plan.distillers)))
    trained, longest = 0, 0.0
    with pool.kept(executors(plan.devices, None), 1) as make_executor:
        for count in range(cells, len(plan.cells) + cells, cells):
            start = time.monotonic()
            if start + longest > end:
                break
            tally = sweep.run(replace(plan, cells=plan.cells[:count]), folder, make_executor=make_executor)
            trained += sum(tally.statuses.values())
            longest = max(longest, time.monotonic() - start)
    return trained, longest


if __name__ == "__main__":
    main()
