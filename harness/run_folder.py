"""A run's folder: its store, ``run.json`` with everything needed to repeat it, and what was derived from both."""

from __future__ import annotations

import hashlib
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterable
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.errors import InputError, printable
from harness import files
from harness.scores import sets
from harness.scores.sets import ScoreSet
from harness.settings import Settings
from proxies.registry import Proxy

#: The number of ``run.json``'s form.
SCHEMA = 1

#: What ``run.json`` must hold for a run to be read and continued.
_KEYS = ("space", "settings", "settings_hash", "commands", "proxies", "hashes")

_PACKAGES = ("diswot-bench", "torch", "numpy", "scipy", "pandas", "analog-nasbench")


def store_path(folder: Path) -> Path:
    """Return where a run keeps its scores."""
    return folder / "scores.sqlite"


def info_path(folder: Path) -> Path:
    """Return where a run keeps its provenance."""
    return folder / "run.json"


def named(path: Path) -> Path:
    """Return the folder that a user names, who may name the store inside it, or a shipped set of scores.

    Raises:
        InputError: if a set is meant whose folder, ``runs/NAME``, holds something else.
    """
    if path == store_path(path.parent) and path.is_file():
        return path.parent
    is_set = not path.exists() and str(path) in sets.names()
    return show(sets.load(str(path)), Path("runs")) if is_set else path


def show(one: ScoreSet, parent: Path) -> Path:
    """Return the folder, below ``parent``, of a run that shows a shipped set; it holds what is derived, not the scores.

    Raises:
        InputError: if the folder is another run's, or cannot be written to.
    """
    folder = parent / one.name
    if info_path(folder).is_file():
        shown = read_info(folder)
        if shown.get("shipped") is None:
            raise InputError(f"run: {folder} holds a run that is not the shipped set {one.name}; move it elsewhere.")
        if shown == _shown(one):
            return folder
        forget_derived(folder)
    files.write_json(info_path(folder), _shown(one))
    return folder


def _shown(one: ScoreSet) -> dict[str, Any]:
    # The whole card: a direction may be corrected where no score is another.
    return one.card | {"schema": SCHEMA, "shipped": {"name": one.name, "data_hash": one.data_hash}}


def shipped(folder: Path, info: dict[str, Any]) -> ScoreSet | None:
    """Return the shipped set that a run's folder shows; None where the run has a store of its own.

    Raises:
        InputError: if this version ships another one, or none.
    """
    shown = info.get("shipped")
    if shown is None:
        return None
    one = sets.load(shown["name"])
    if info != _shown(one):
        raise InputError(
            f"run: {folder} shows {one.name} as another version shipped it; `diswot correlate {one.name}` begins it "
            "anew."
        )
    return one


def refuse_shipped(argument: str, folder: Path, info: dict[str, Any]) -> None:
    """Refuse a folder that shows a shipped set where scores are to be added.

    Raises:
        InputError: if it does.
    """
    if info.get("shipped") is not None:
        raise InputError(
            f"{argument}: {folder} shows the shipped set {info['shipped']['name']}, to which nothing is added; choose "
            "the folder of another run."
        )


def note_taken(folder: Path, one: ScoreSet, proxies: Iterable[str]) -> None:
    """Note in ``run.json`` that scores of some proxies were taken from a shipped set; twice is as good as once."""
    info = read_info(folder)
    known = {record["name"] for record in info["proxies"]}
    here = {"set": one.name, "data_hash": one.data_hash, "device": one.card["device"]}
    earlier = [note for note in info.get("taken", []) if {key: note.get(key) for key in here} == here]
    others = [note for note in info.get("taken", []) if note not in earlier]
    names = set(proxies).union(*(note["proxies"] for note in earlier))
    info["taken"] = [*others, here | {"proxies": sorted(names)}]
    info["proxies"] += [record for record in one.card["proxies"] if record["name"] in names - known]
    files.write_json(info_path(folder), info)


def find(folder: Path) -> list[Path]:
    """Return the run folders that a folder is or holds.

    Raises:
        InputError: if there is none.
    """
    if info_path(folder).is_file():
        return [folder]
    inside = _inside(folder)
    if not inside:
        hint = f" A shipped set may be named instead: {', '.join(sets.names())}." if sets.names() else ""
        raise InputError(
            f"run: {folder} is not a run's folder and holds none; `diswot evaluate --out {folder}` makes one.{hint}"
        )
    return inside


def _inside(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob(f"*/{info_path(folder).name}")) if folder.is_dir() else []


def forget_derived(folder: Path) -> None:
    """Remove what was derived from the scores, because the scores have changed."""
    correlated = ("targets.csv", "correlations.csv", "evidence.csv", "cards.json", "method.json")
    for name in (*correlated, "relations.npz", "search/search.json"):  # what a search has scored stays
        (folder / name).unlink(missing_ok=True)


def read_info(folder: Path) -> dict[str, Any]:
    """Return ``run.json``.

    Raises:
        InputError: if it is missing, damaged or of another schema.
    """
    return files.read_json(info_path(folder), SCHEMA, _KEYS, "run")


def claim(folder: Path, settings: Settings, proxies: Iterable[Proxy], *, device: str, plugins: Iterable[Path]) -> None:
    """Begin or continue a run: refuse another run's folder, write or extend ``run.json``.

    Args:
        folder: of the run.
        settings: of the sweep.
        proxies: what is evaluated; records of earlier calls are kept beside them.
        device: the processor's name, for the record.
        plugins: files whose hashes are kept.

    Raises:
        InputError: if the folder has a run with other settings, or cannot be written to.
    """
    command = printable(shlex.join(["diswot", *sys.argv[1:]]))
    machine = environment(device)  # takes a moment, in which another process might write what is read next
    if info_path(folder).is_file():
        info = read_info(folder)
        refuse_shipped("--out", folder, info)
        different = settings.differences(info["settings"])
        if different:
            raise InputError(
                f"--out: {folder} holds a run with other settings: {', '.join(different)}; "
                "choose another folder or the same settings."
            )
        commands = info["commands"] + ([command] if command not in info["commands"] else [])
        known = {record["name"]: record for record in info["proxies"]}
        hashes = info["hashes"]
    elif store_path(folder).exists():
        raise InputError(f"--out: {folder} has a store but no {info_path(folder).name}; choose another folder.")
    elif inside := _inside(folder):  # a run here would hide them
        raise InputError(
            f"--out: {folder} holds several runs; name one of {', '.join(map(str, inside))}, or another folder."
        )
    else:
        info = {"created": datetime.now(timezone.utc).isoformat(timespec="seconds")}
        commands, known, hashes = [command], {}, {}
    described = {proxy.name: describe(proxy) for proxy in proxies}
    if any(name in known and known[name] != record for name, record in described.items()):
        forget_derived(folder)  # stored scores of another version count now, or others in another direction
    known.update(described)
    info |= {
        "schema": SCHEMA,
        "space": settings.space,
        "settings": settings.as_dict(),
        "settings_hash": settings.hash,
        "command": command,
        "commands": commands,
        **machine,
        "hashes": hashes
        | {"batch": settings.batch}
        | {printable(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in plugins},
        "proxies": list(known.values()),
    }
    files.write_json(info_path(folder), info)


def environment(device: str) -> dict[str, Any]:
    """Return what of the machine and its software may explain a number; ``device`` is the processor's name."""
    return {
        "device": device,
        "threads": "1 a worker",
        "versions": {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES},
        "git_revision": _git_revision(),
    }


def processor() -> str:
    """Return what the processor is called by its maker, as far as the system says."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def describe(proxy: Proxy) -> dict[str, Any]:
    """Return a proxy's record as plain values."""
    return {
        "name": proxy.name,
        "version": proxy.version,
        "direction": proxy.direction,
        "family": proxy.family,
        "needs": sorted(proxy.needs),
        "default_init": proxy.init,
        "live_edges_only": proxy.live_edges_only,
        "fast": proxy.fast,
        "summary": proxy.summary,
        "source": proxy.source,
        "deviations": proxy.deviations,
    }


def version(package: str) -> str | None:
    """Return the version of a package; None if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git_revision() -> str | None:
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
