"""``diswot proxies``."""

from __future__ import annotations

from pathlib import Path

import click

from diswot.harness.cli import Group, options


@click.group(cls=Group)
def command() -> None:
    """List the proxies and ensembles, show one, or begin a new proxy."""


@command.command("list")
@options.plugin
@options.as_json
def _list(plugins: tuple[Path, ...], as_json: bool) -> None:
    """List all proxies, built-in and plugged in, and the ensembles of them."""
    from diswot.harness.compute import plan
    from diswot.harness.runs import members
    from diswot.harness.runs.run_folder import describe
    from diswot.proxies import registry

    plan.load_plugins(plugins)
    records = [describe(registry.get(name)).stored() for name in registry.names()]
    records += map(members.describe, members.names())
    if not as_json:
        shown = ("name", "family", "version", "direction", "default_init", "live_edges_only", "fast", "summary")
        records = [{key: record.get(key, "-") for key in shown} for record in records]
    options.show(records, as_json)


@command.command()
@click.argument("name")
@options.plugin
@options.as_json
def show(name: str, plugins: tuple[Path, ...], as_json: bool) -> None:
    """Show one proxy's record: version, direction, needs, source, differences; of an ensemble its members."""
    from diswot.benchmarks.errors import unknown
    from diswot.harness.compute import plan
    from diswot.harness.runs import members
    from diswot.harness.runs.run_folder import describe
    from diswot.proxies import registry

    plan.load_plugins(plugins)
    known = (*registry.names(), *members.names())
    if name not in known:
        raise unknown("proxy", name, known, hint="`diswot proxies list` shows them.")
    if name in members.names():
        options.show_one(members.describe(name), as_json)
        return
    proxy = registry.get(name)
    declared = {
        "independent_of": sorted(proxy.independent_of),
        "time_limit": proxy.time_limit,
        "memory_limit": proxy.memory_limit,
        "expected_failed_checks": dict(proxy.expected_failed_checks),
        "defined_in": registry.origin(proxy),
    }
    options.show_one(describe(proxy).stored() | declared, as_json)


@command.command()
@click.argument("name")
def new(name: str) -> None:
    """Write NAME.py, a commented template, into this folder; it passes `diswot check NAME.py`."""
    from diswot.harness.check import template

    path = template.write(name, Path.cwd())
    click.echo(f"wrote {path.name}; `diswot check {path.name} --quick` tests it")
