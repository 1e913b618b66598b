"""``diswot correlate``."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from diswot.harness.cli import options


@click.command(cls=options.Command)
@click.argument("run", type=options.PATH, default="runs/evaluate")
@options.evidence
@options.suite
@click.option(
    "--with",
    "precomputed",
    metavar="NAME",
    help="Copy these precomputed scores, of the same cells, seeds and settings, into RUN first.",
)
@click.option(
    "--subset",
    show_default="one cell a function",
    help="Cells of the table on the screen: all | connected | reachable | distinct | live-convolution.",
)
@click.option(
    "--published",
    "with_published",
    is_flag=True,
    help="Compare with published correlations, and name the settings that differ.",
)
@click.option("--out", type=options.PATH, help="A .csv, .parquet or .json file, or a folder for all three.")
@options.paper
@click.option("--latex", type=options.NEW_FILE, help="Write a LaTeX table (booktabs) with intervals to this file.")
@click.option("--markdown", type=options.NEW_FILE, help="Write a Markdown table with intervals to this file.")
@options.full
@options.as_json
@options.config
def command(
    run: Path,
    targets: tuple[str, ...],
    metric: str,
    undefined: str,
    suite: str | None,
    precomputed: str | None,
    subset: str | None,
    with_published: bool,
    out: Path | None,
    proxies: str | None,
    labels: Path | None,
    order: str,
    latex: Path | None,
    markdown: Path | None,
    full: bool,
    as_json: bool,
) -> int:
    """Correlate the scores of RUN with accuracies.

    RUN is a run's folder, its store, a folder of runs, or the name of precomputed scores. Positive means that the proxy
    predicts in its declared direction. --json and --out give the correlations by seed on all cells, with intervals.
    RUN/evidence.csv has the means over seeds by subset. For precomputed scores it is runs/NAME/evidence.csv.

    A correlation needs 10 functions. Without any, the command says so and ends with exit status 0. --latex and
    --markdown then write nothing and end with exit status 2.
    """
    import pandas as pd

    from diswot import reports
    from diswot.benchmarks import spaces
    from diswot.benchmarks.errors import InputError, named, unknown
    from diswot.harness import files
    from diswot.harness.cli import output, summary
    from diswot.harness.cli import published as published_output
    from diswot.harness.compute import reuse
    from diswot.harness.evidence.intervals import FEWEST_FUNCTIONS
    from diswot.harness.runs import published, results, run_folder, suites
    from diswot.harness.runs.precomputed import catalogue
    from diswot.reports import paper
    from diswot.reports.style import look

    shown = () if proxies is None else options.parts("--proxies", proxies)
    wanted = paper.look_of(proxies=shown, labels=labels, order=order)
    if latex is None and markdown is None:
        options.refuse_idle("with --latex or --markdown", "labels", "order")
    if suite is not None:
        options.refuse_idle("without --suite, which says what it is", "targets", "metric", "undefined")
    paths = _tables(out, "published" if with_published else "correlations")
    folders = run_folder.find(run_folder.named(run))
    for folder in folders:
        known = spaces.get(run_folder.read_info(folder).space).subsets
        if subset is not None and subset not in known:
            raise unknown("--subset", subset, known)
    if as_json:
        options.refuse_idle("without --json, which gives all cells", "subset")
    with named("--with", "scores"):
        further = () if precomputed is None else tuple(catalogue.load(precomputed).versions)
    results.require(folders, targets, metric=metric, undefined=undefined)
    reports.require(folders, proxies=shown, labels=wanted.labels, targets=targets, further=further)
    if precomputed is not None:
        for folder in folders:
            taken = reuse.copy_into(folder, precomputed)
            click.echo(f"{taken} precomputed scores of {precomputed} are copied into {folder}", err=True)
    with named("run", "out"):
        found = [
            suites.correlate(folder, suite)
            if suite is not None
            else results.correlate(folder, targets, metric=metric, undefined=undefined)
            for folder in folders
        ]
    texts = {}
    for file, written in ((latex, paper.latex), (markdown, paper.markdown)):
        if file is not None:
            with look.using(wanted):
                chosen = [one for one in (paper.chosen(one, shown) for one in found) if paper.is_known(one)]
                texts[file] = "\n".join(map(written, chosen))
    if "" in texts.values():
        raise InputError(
            f"RUN: there is no correlation to write a table of: it needs {FEWEST_FUNCTIONS} different functions with "
            "an accuracy."
        )
    tables = [published.compared(one) if with_published else results.with_intervals(one) for one in found]
    if shown:
        tables = [part[part["proxy"].isin(shown)] for part in tables]
    table = pd.concat(
        [part.assign(run=str(one.folder)) for part, one in zip(tables, found, strict=True)], ignore_index=True
    )
    if not targets and suite is None:
        for one in found:
            if lacking := output.undistilled(one.info.space, sorted(set(one.scores["cell"]))):
                click.echo(lacking, err=True)
    if as_json:
        click.echo(files.as_json(table))
    elif with_published:
        pairs = zip(found, tables, strict=True)
        click.echo("\n\n".join(published_output.shown(one, part, subset, suite) for one, part in pairs))
    else:
        columns = None if full else summary.width()
        for one in found:
            screen = summary.correlations(one, columns, subset, proxies=shown, suite=suite)
            parts = (f"{summary.heading(one)}\n", screen.text(columns), summary.limits(one, columns))
            click.echo("\n".join(part for part in parts if part) + "\n")
    for file, text in texts.items():
        fill = partial(Path.write_bytes, data=text.encode(errors="backslashreplace"))
        click.echo(f"wrote {files.write(file, fill)}", err=True)
    for path in paths:
        click.echo(f"wrote {files.write_table(path, table)}", err=True)
    return 0


def _tables(out: Path | None, name: str) -> list[Path]:
    from diswot.harness import files
    from diswot.harness.runs import run_folder

    if out is None:
        return []
    is_folder = out.is_dir() or not out.suffix
    paths = [out / f"{name}{suffix}" for suffix in files.WRITERS] if is_folder else [out]
    for path in paths:
        files.check_table_path(path, "--out")
        run_folder.refuse_kept("--out", path)
    return paths
