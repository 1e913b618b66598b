"""``diswot check``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from diswot.benchmarks.errors import InputError, named, unknown
from diswot.harness.cli import options

#: The gap to a baseline that a proxy may have unless something else is asked for.
MARGIN = 0.05

#: float32 on other kernels: between processors most scores move by 1e-5 of themselves; see docs/footguns.md.
TOLERANCE = 2e-3


@click.command(cls=options.Command)
@click.argument("file", required=False)
@click.option("--quick", is_flag=True, help="Fewer cells and smaller networks: a minute instead of several.")
@click.option(
    "--against", multiple=True, help="Built-ins whose correlation it must reach, such as best,live_flops; repeatable."
)
@click.option(
    "--margin",
    type=options.Finite(min=0, min_open=True),
    default=MARGIN,
    show_default=True,
    help="Largest gap that passes, as a difference of correlations.",
)
@click.option(
    "--fail-on",
    metavar="METRIC:LIMIT",
    multiple=True,
    help="How much worse than its baseline it may be: spearman:0.02 lower, cost:10% slower; repeatable.",
)
@options.target
@click.option(
    "--with",
    "precomputed",
    metavar="NAME",
    help="Compare with these precomputed scores, on their images, instead of the stored scores of noise.",
)
@options.image_dir
@click.option("--save", type=options.NEW_FILE, help="Write the proxy's baseline into this .json file.")
@click.option(
    "--baseline",
    type=options.PATH,
    help="Baseline to compare with.  [default: NAME.baseline.json next to FILE, if it is there; "
    "NAME.SCORES.baseline.json of a check --with SCORES]",
)
@click.option(
    "--tolerance",
    type=options.Finite(min=0),
    default=TOLERANCE,
    show_default=True,
    help="Largest relative change with which a score still passes; a saved baseline stores it.",
)
@click.option("--undecided", default="fail", show_default=True, help="What an undecided answer counts as: fail | pass.")
@click.option("--only", help="One question, such as float64, or one stage: conformance | worth | regression.")
@options.workers
@options.as_json
@click.option("--junit", type=options.NEW_FILE, help="Write the answers as JUnit XML.")
@click.option("--markdown", type=options.NEW_FILE, help="Write the answers as Markdown, for a pull request.")
@click.option("--out", type=options.PATH, help="Keep the scores as a run's folder, for `diswot report`.")
@click.option(
    "--refresh-reference", is_flag=True, help="Score the built-ins again, and store the scores in the package."
)
@options.config
@named("--image-dir", "count")
def command(
    file: str | None,
    against: tuple[str, ...],
    fail_on: tuple[str, ...],
    save: Path | None,
    undecided: str,
    only: str | None,
    workers: int | None,
    as_json: bool,
    junit: Path | None,
    markdown: Path | None,
    out: Path | None,
    refresh_reference: bool,
    **asked: Any,
) -> int:
    """Regression-test a proxy: FILE.py, FILE.py:NAME, or the name of an installed one.

    Is it deterministic and free of side effects, does it predict accuracy, and does it match its baseline? Exit
    status: 0 every deciding answer passes; 1 one fails; 2 one is undecided, or the check could not run.
    """
    from diswot.harness import pool
    from diswot.harness.check import loading, output, reference, regression, stages
    from diswot.harness.check.answer import UNDECIDED, Answer, exit_status
    from diswot.harness.runs import run_folder

    if file is not None or refresh_reference:
        _refuse_idle(only, file, save)
    processes = workers or pool.default_workers()
    if refresh_reference:
        click.echo(f"wrote {reference.refresh(processes)} and its card", err=True)
        if file is None:
            return 0
    if file is None:
        raise InputError(
            "FILE: name the file of a proxy, or an installed proxy; `diswot proxies new NAME` writes a file."
        )
    for option, path in (("--save", save), ("--junit", junit), ("--markdown", markdown)):
        if path is not None:
            run_folder.refuse_kept(option, path, *([] if out is None else [out]))
    if undecided not in UNDECIDED:
        raise unknown("--undecided", undecided, UNDECIDED)
    for text in against:
        options.parts("--against", text)
    allowed = regression.limits(fail_on)
    chosen = loading.find(file, _repeated())
    request = stages.Request(
        subject=chosen, against=against, allowed=allowed, save=save, only=only, workers=processes, out=out, **asked
    )
    found: list[Answer] = []
    try:
        for answer in stages.answers(request):
            if not as_json:
                if not found or found[-1].stage != answer.stage:
                    click.echo(answer.stage)
                click.echo(output.line(answer))
            found.append(answer)
    except KeyboardInterrupt:
        click.echo("diswot: stopped; a check keeps nothing, and the same command begins anew.", err=True)
        return 1
    status = exit_status(found, undecided)
    click.echo(output.as_json(found, status) if as_json else output.summary(found, status))
    title = f"diswot check {file}"
    if junit is not None:
        click.echo(f"wrote {output.write(junit, output.junit(found, undecided, title), '--junit')}", err=True)
    if markdown is not None:
        click.echo(f"wrote {output.write(markdown, output.markdown(found, status, title), '--markdown')}", err=True)
    return status


def _refuse_idle(only: str | None, file: str | None, save: Path | None) -> None:
    from diswot.harness.check import loading

    names = {options.typed(parameter): str(parameter.name) for parameter in click.get_current_context().command.params}
    if file is None:
        idle = [name for typed, name in names.items() if typed not in ("--refresh-reference", "--workers")]
        options.refuse_idle("where a FILE is checked", *idle)
    if save is None:
        options.refuse_idle("with --save", "tolerance")
    for option, parts in loading.PARTS.items():
        kept = save is not None and "workers" in parts  # a baseline is saved with scores, whatever is asked
        if not kept and not loading.plays_a_part(option, only):
            options.refuse_idle(f"with --only {' or '.join(sorted(parts))}, or without --only", names[option])


def _repeated() -> tuple[tuple[str, ...], ...]:
    # What a command that asks one of the questions again must have too.
    context = click.get_current_context()
    words: list[tuple[str, ...]] = []
    for parameter in options.given(
        "quick", "against", "margin", "fail_on", "targets", "baseline", "precomputed", "image_dir"
    ):
        option, value = options.typed(parameter), context.params[str(parameter.name)]
        if value is True:
            words.append((option,))
        else:
            words += [(option, str(part)) for part in (value if parameter.multiple else [value])]
    return tuple(words)
