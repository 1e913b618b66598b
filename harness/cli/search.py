"""``diswot search``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from diswot.benchmarks.errors import InputError, named, unknown
from diswot.harness.cli import options

#: What a search's scores may be: those that a run has, or these and what else is needed, scored as the search goes.
SCORES = ("stored", "live")


#: The options that are arguments of `Run.search` as they stand.
_ASKED = ("searches", "evaluations", "cost", "population", "tournament", "crossover", "cells", "targets", "weight_seed")

#: The options that are settings of a run, besides the space and the teacher.
_SETTINGS = ("images", "batch_size", "batch_seed", "augment", "vectorised_seeds", "tf32", "deterministic")


def _take_settings(ctx: click.Context, parameter: click.Parameter, run: Path) -> Path:
    # A run's settings are the defaults of its searches, so that nothing has to be typed again.
    from diswot.harness.runs import run_folder

    run = run_folder.named(run)
    if run_folder.info_path(run).is_file():
        chosen = run_folder.read_info(run).settings.options
        own = {name: value if isinstance(value, bool) else str(value) for name, value in chosen.items()}
        ctx.default_map = {**own, **(ctx.default_map or {})}
    return run


@click.command(
    cls=options.Command, context_settings={"token_normalize_func": partial(options.current, seeds="searches")}
)
@click.argument("run", type=options.PATH, default="runs/evaluate", is_eager=True, callback=_take_settings)
@click.option(
    "--proxy",
    default="winner",
    show_default=True,
    help="winner (ranks best on one half of the cells) | winning-proxy (the best that is no ensemble) | a proxy or an "
    "ensemble | several, separated by commas.",
)
@click.option("--scores", default="stored", show_default=True, help="stored | live (score what the run lacks).")
@click.option(
    "--algorithm",
    show_default="evolution,random; with --cost nsga2,random",
    help="evolution | random | tpe | nsga2, separated by commas.",
)
@click.option(
    "--evaluations",
    type=options.Whole(min=1),
    show_default="200, or half of fewer than 400 cells",
    help="Cells that a search may score.",
)
@click.option(
    "--population",
    type=options.Whole(min=1),
    show_default="20, or a quarter of fewer than 80 evaluations",
    help="Cells in the population of evolution.",
)
@click.option(
    "--tournament", type=options.Whole(min=1), show_default="5", help="Cells drawn, of which the best is the parent."
)
@click.option(
    "--crossover",
    type=options.Finite(0, 1),
    default=0.0,
    show_default=True,
    help="Probability that a child has two parents.",
)
@click.option("--searches", type=options.Whole(1, 10_000), default=10, show_default=True, help="Number of searches.")
@click.option(
    "--weight-seed",
    type=options.Whole(0, 10**18 - 1),
    default=0,
    show_default=True,
    help="Weight seed of the scores.",
)
@click.option(
    "--cells",
    show_default="all that may be scored",
    help="Cells that may be searched: all | N | 3,7,9 | TABLE | TABLE:N | FILE with one cell a line.",
)
@click.option(
    "--budget",
    "budgets",
    multiple=True,
    help="params | flops | live_params | live_flops | TABLE:COLUMN, =NUMBER that no cell may exceed, such as "
    "hw-nas-bench:edgegpu_latency=5.8; repeatable.",
)
@click.option(
    "--cost",
    type=options.TEXT,
    help="A second objective, of which less is better, in the form of --budget: Pareto fronts of score and cost.",
)
@options.target
@options.space
@options.images
@options.image_dir
@options.batch_size
@options.batch_seed
@options.augment
@click.option("--teacher", show_default="the run's, else the space's", help="One or several, separated by commas.")
@options.vectorised_seeds
@options.tf32
@options.deterministic
@options.device
@options.workers
@options.scheduler
@options.plugin
@options.full
@options.as_json
@options.config
@named("run", "out")
def command(
    run: Path,
    proxy: str,
    scores: str,
    algorithm: str | None,
    budgets: tuple[str, ...],
    space: str,
    teacher: str | None,
    plugins: tuple[Path, ...],
    full: bool,
    as_json: bool,
    **settings: Any,
) -> int:
    """Search for the best cell by a proxy alone, by ageing evolution and at random.

    RUN is a run's folder or the name of precomputed scores, by default runs/evaluate. With --scores live it need not
    exist: the search computes missing scores under its settings. Accuracies judge the picks but do not choose them. The
    result goes into RUN/search, and `diswot report RUN` shows it.
    """
    from diswot.benchmarks import spaces
    from diswot.harness import files
    from diswot.harness.cli import output, summary
    from diswot.harness.compute import plan
    from diswot.harness.search import budget
    from diswot.run import Run

    asked = {name: settings.pop(name) for name in _ASKED}
    if scores not in SCORES:
        raise unknown("--scores", scores, SCORES)
    if scores == "stored":
        if settings["scheduler"] is not None:
            raise InputError("--scheduler: stored scores need no cluster; add `--scores live`, or leave it out.")
        options.refuse_idle("with --scores live", "device", "workers", "image_dir")
        _refuse_other_settings(run, {"space": space, **{name: settings[name] for name in _SETTINGS}})
    algorithms = None if algorithm is None else options.parts("--algorithm", algorithm)
    if algorithms is not None and set(algorithms) == {"random"}:
        options.refuse_idle("with --algorithm evolution", "population", "tournament", "crossover")
    plan.load_plugins(plugins)
    teachers = options.parts("--teacher", teacher or spaces.get(space).teacher)
    live = None
    if scores == "live":
        live = plan.make("params", space=space, cells=1, teacher=teachers[0], plugins=plugins, **settings)
    limits = list(map(budget.parse, budgets))
    found = Run(run).search(
        options.parts("--proxy", proxy),
        budgets={name: min(most for same, most in limits if same == name) for name, _ in limits},
        algorithms=algorithms,
        teachers=teachers,
        live=live or False,
        **asked,
    )
    if as_json:
        click.echo(files.as_json(found.summary))
    else:
        click.echo(summary.searched(found, None if full else summary.width()))
    click.echo(output.failures(found), nl=False, err=True)
    return 1 if found.info.failed else 0


def _refuse_other_settings(run: Path, given: dict[str, Any]) -> None:
    # The run's settings are the defaults, so that what differs was asked for.
    from diswot.harness.runs import run_folder

    if not run_folder.info_path(run).is_file():
        return
    settings = run_folder.read_info(run).settings.stored()
    for name, value in given.items():
        if value != settings.get(name, value):
            raise InputError(
                f"--{name.replace('_', '-')}: {value} was asked for, and the scores of {run} were made with "
                f"{settings[name]}; `diswot evaluate`, or `--scores live` in another folder, makes others."
            )
