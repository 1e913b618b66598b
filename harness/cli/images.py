"""``diswot images``."""

from __future__ import annotations

from pathlib import Path

import click

from diswot.harness.cli import Group, options


@click.group(cls=Group)
def command() -> None:
    """List the image sets, or fetch one."""


@command.command("list")
@options.as_json
def _list(as_json: bool) -> None:
    """List the image sets."""
    from diswot.benchmarks import images

    rows = []
    for name, one in images.SETS.items():
        record = {"name": name, "state": _state(name), "classes": one.classes or "any", "size": one.size}
        rows.append(record | {"source": one.source, "licence": one.licence})
    options.show(rows, as_json)


def _state(name: str) -> str:
    from diswot.benchmarks import images

    if images.get(name).reader is None:
        return "drawn"
    if name not in images.fetchable():
        return "needs --image-dir"
    return f"in {images.fetched(name)}" if images.fetched(name) else "not fetched"


@command.command()
@click.argument("name")
@options.mirror
@click.option("--image-dir", type=options.PATH, help="Folder to put the set's folder into.  [default: the cache]")
def fetch(name: str, mirror: Path | None, image_dir: Path | None) -> None:
    """Fetch the official archive of NAME, cifar10 or cifar100 (170 MB), and unpack its images.

    Without --image-dir they go into the cache folder, where --images NAME finds them; $DISWOT_CACHE names another.
    """
    from diswot.harness import fetch

    path = fetch.images(name, image_dir, mirror)
    use = f"--images {name}" + (f" --image-dir {image_dir}" if image_dir else "")
    click.echo(f"{name} is there, in {path}; use it as {use}")
