"""``diswot proxies``."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import Group, options


@click.group(cls=Group)
def command() -> None:
    """List the proxies, or show one."""


@command.command("list")
@options.plugin
@options.as_json
def _list(plugins: tuple[Path, ...], as_json: bool) -> None:
    """List all proxies, built-in and plugged in."""
    from harness.run_folder import describe
    from proxies import registry

    options.load_plugins(plugins)
    records = [describe(registry.get(name)) for name in registry.names()]
    if not as_json:
        shown = ("name", "family", "version", "direction", "default_init", "live_edges_only", "fast", "summary")
        records = [{key: record[key] for key in shown} for record in records]
    options.show(records, as_json)


@command.command()
@click.argument("name")
@options.plugin
@options.as_json
def show(name: str, plugins: tuple[Path, ...], as_json: bool) -> None:
    """Show one proxy's record: version, direction, needs, source, deviations."""
    from harness.run_folder import describe
    from proxies import registry

    options.load_plugins(plugins)
    proxy = registry.get(name)
    options.show_one(describe(proxy) | {"defined_in": registry.origin(proxy)}, as_json)
