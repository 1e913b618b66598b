"""``diswot run``: the main job."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from diswot.benchmarks.errors import InputError, named
from diswot.harness.cli import options

if TYPE_CHECKING:
    from diswot.harness.compute.plan import Plan
    from diswot.harness.runs.results import Results
    from diswot.harness.search.plan import Plan as SearchPlan

#: The precomputed scores that the default run answers from.
PRECOMPUTED = ("nb201-cifar10", "s0-noise")

#: How many networks are recomputed, to show that this machine computes the stored numbers.
RECOMPUTED = 4

#: The NAS-Bench-201 cells of a run that computes, all with a distilled accuracy.
COMPUTED_CELLS = "nb201-kd:80"

#: How many searches are replayed with each driver.
SEARCHES = 100

#: What drives searches beside the winner and the winning proxy: an ensemble, the paper's proxy, and size.
DRIVERS = ("vote", "diswot", "live_flops")


@click.command(cls=options.Command)
@click.option(
    "--cells",
    show_default="all, from precomputed scores",
    help="NAS-Bench-201 cells to compute: all | N | 3,7,9 | TABLE | TABLE:N | FILE.",
)
@click.option("--s0-cells", show_default="all", help="S0 networks to compute: all | N | 713,333 | FILE.")
@options.proxies
@options.target
@options.sweep
@options.shipped
@options.scheduler
@options.full
@options.out("runs/default")
@named("--out", "run", "store")
def command(out: Path, targets: tuple[str, ...], full: bool, workers: int | None, **settings: Any) -> int:
    """Evaluate, correlate, search and report: all cells of NAS-Bench-201, and S0, against distillation accuracies.

    Without options it answers from the precomputed scores of all 15,625 cells. It recomputes a sample of scores on this
    machine, to show that both agree, correlates, searches, and writes one page. It needs no data.

    An option that changes what is scored (--cells, --proxies, --images, --seeds, --no-shipped and so on) makes it
    compute those scores here, by default on 80 cells. Interrupted, the same command continues.

    --target applies to NAS-Bench-201 only, and so do --images other than noise. Student and teacher then have the
    number of classes of the image set.
    """
    from diswot.harness.runs import results, run_folder

    if run_folder.info_path(out).is_file():
        raise InputError(f"--out: {out} is the folder of one run; `diswot run` makes two, in a folder that is none.")
    begun = any(run_folder.info_path(out / name).is_file() for name in ("nb201", "s0", *PRECOMPUTED))
    if (out / "report.html").exists() and not begun:
        raise InputError(
            f"--out: {out} holds report.html and no run, which would write over it; choose another folder."
        )
    results.targets_of("nb201", targets)  # a mistake in it must not show after minutes of work
    if options.given("cells", "s0_cells", "proxies", "shipped", "scheduler", *options.SWEEP):
        return _computed(out, targets, full, workers=workers, **settings)
    return _precomputed(out, targets, full, workers)


def _precomputed(out: Path, targets: tuple[str, ...], full: bool, workers: int | None) -> int:
    from diswot.harness import pool, progress
    from diswot.harness.check import recomputation
    from diswot.harness.runs import results, run_folder
    from diswot.harness.runs.precomputed import catalogue

    chosen = [catalogue.load(name) for name in PRECOMPUTED]
    folders = [run_folder.show(one, out) for one in chosen]  # what cannot be written to must not show after the work
    for one in chosen:
        count, proxies = one.card.cells, len(one.versions)
        progress.say(f"{one.card.space}: {proxies} proxies on {count:,} cells, from the precomputed scores {one.name}")
    cells = recomputation.sample(RECOMPUTED)
    progress.say(f"first, the fast suite is recomputed here on {len(cells)} of the reference cells")
    same = recomputation.recompute(cells, workers or pool.default_workers())
    furthest = str(same.differences.index[0])
    progress.say(
        f"{same.identical} of {same.scores} recomputed scores have the same bits; the others differ by "
        f"{same.differences.max():.1g} at most, relative to the score ({furthest}, whose tolerance is "
        f"{recomputation.tolerance(furthest):g})"
    )
    for name, difference in same.beyond.items():
        progress.say(
            f"WARNING: {name} differs by {difference:.1g}, which rounding does not explain; see docs/footguns.md"
        )
    progress.say(f"then the scores are correlated, and {SEARCHES} searches a driver are replayed")
    found = [results.correlate(folder, targets if not place else ()) for place, folder in enumerate(folders)]
    searched = [_with_search(one, targets if one is found[0] else (), _replayed_search) for one in found]
    _prove(searched[-1], workers)
    _print(searched, full, out)
    return 1 if len(same.beyond) else 0


def _prove(one: Results, workers: int | None) -> None:
    from diswot.harness import progress
    from diswot.harness.search import live_proof

    if one.search is None:
        return
    proof = live_proof.prove(one.search, one, _replayed_search(one, ()), workers)
    space, driver, count = one.info.space, proof.driver, proof.evaluations
    if proof.is_same:
        progress.say(
            f"a live search on {space} by {driver} picks {proof.live} of {count} networks, as the replayed one"
        )
    else:
        progress.say(
            f"WARNING: a live search on {space} by {driver} picks {proof.live} of {count} networks, and the replayed "
            f"one {proof.replayed}: this machine's scores order them otherwise"
        )


def _computed(
    out: Path,
    targets: tuple[str, ...],
    full: bool,
    *,
    cells: str | None,
    s0_cells: str | None,
    shipped: bool,
    **settings: Any,
) -> int:
    import torch

    from diswot.harness.compute import bench, devices, relations, sweep
    from diswot.harness.compute import plan as plans
    from diswot.harness.runs import results
    from diswot.run import carry_out

    planned = [
        plans.make(space="nb201", cells=cells or COMPUTED_CELLS, precomputed=shipped, **settings),
        plans.make(space="s0", cells=s0_cells or "all", precomputed=shipped, **settings),
    ]
    # Costs and relations are computed on this machine, whoever scores.
    (device, *_) = devices.parse(planned[0].devices[0])
    if device != "cpu":
        torch.cuda.set_device(device)
    for plan in planned:
        click.echo(plan.describe(out / plan.space), err=True)
    runs = [carry_out(plan, out / plan.space) for plan in planned]
    found = [results.correlate(out / "nb201", targets), results.correlate(out / "s0")]
    for plan, one in zip(planned, found, strict=True):
        context = sweep.prepare(plan)
        relations.write(context, plan.seeds[0], one)
        try:
            bench.keep(context, plan, one.folder)
        except InputError as error:  # the scores stand without it; one figure does not
            click.echo(f"no figure of costs: {_worded(error)}", err=True)
    live = functools.partial(_live_search, planned[0])
    searched = [_with_search(found[0], targets, live), _with_search(found[1], (), _replayed_search)]
    failures = sum(run.failed for run in runs)
    failures += sum(len(one.search.info.failed) for one in searched if one.search is not None)
    _print(searched, full, out)
    return 1 if failures else 0


def _with_search(
    one: Results, targets: tuple[str, ...], asked: Callable[[Results, tuple[str, ...]], SearchPlan]
) -> Results:
    from diswot.harness.cli import output
    from diswot.harness.search import study
    from diswot.harness.search.plan import NoSearchError

    try:
        search = study.study(asked(one, targets))
    except NoSearchError as error:  # such as of too few cells; the scores stand without it
        click.echo(f"{one.folder}: no search: {_worded(error)}", err=True)
        return replace(one, search=None)
    click.echo(output.failures(search), nl=False, err=True)
    return replace(one, search=search)


def _worded(error: InputError) -> InputError:
    command = click.get_current_context().command
    return command.naming_option(error) if isinstance(command, options.Command) else error


def _print(found: Sequence[Results], full: bool, out: Path) -> None:
    from diswot import reports
    from diswot.harness import progress
    from diswot.harness.cli import output, summary
    from diswot.harness.runs.store import SCORES

    columns = summary.width()
    said: list[str] = []
    for place, one in enumerate(found):
        click.echo(f"\n{summary.heading(one)}\n")
        if full:
            text = f"{summary.correlations(one, None).text(None)}\n{summary.limits(one, None)}".strip()
            click.echo(text if one.search is None else f"{text}\n\n{summary.searched(one.search, None)}")
            continue
        parts = [summary.correlations(one, columns, most=summary.LEADING // (2 if place else 1))]
        parts += [] if one.search is None else [summary.picks(one.search, columns)]
        click.echo("\n\n".join(part.text(columns, said) for part in parts))
        said += [note for part in parts for note in part.notes]
    progress.say("\nthe figures and the page are drawn")
    paths = reports.build(found, out)
    click.echo("\n" + summary.answer(found[0], columns))
    click.echo(f"\n{output.written(paths, found, (SCORES.file, 'correlations.csv'))}")


def _live_search(plan: Plan, one: Results, targets: tuple[str, ...]) -> SearchPlan:
    # Small enough to end within about a minute, whichever proxy wins.
    asked = _replayed_search(one, targets)
    return replace(asked, drivers=("winner",), searches=2, evaluations=40, population=10, live=plan)


def _replayed_search(one: Results, targets: tuple[str, ...]) -> SearchPlan:
    from diswot.harness.search.plan import WINNER, WINNING_PROXY
    from diswot.harness.search.plan import Plan as SearchPlan

    known = [*one.evidence["proxy"].unique()]
    return SearchPlan(
        run=one.folder,
        drivers=(WINNER, WINNING_PROXY, *(name for name in DRIVERS if name in known)),
        searches=SEARCHES,
        targets=targets,
        weight_seed=int(one.scores["seed"].min()),
    )
