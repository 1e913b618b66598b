"""A run's folder: its store, ``run.json`` with everything needed to repeat it, and what was derived from both.

``run.json`` is changed only while the store is locked, so that of two processes neither loses what the other wrote.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from diswot.benchmarks.errors import InputError, printable
from diswot.benchmarks.spaces import SPACES
from diswot.harness import files, progress
from diswot.harness.runs import arithmetic as arithmetics
from diswot.harness.runs import forms
from diswot.harness.runs.precomputed import sets
from diswot.harness.runs.precomputed.sets import ScoreSet
from diswot.harness.runs.settings import Identified, Settings, hash_of
from diswot.harness.runs.store import SCORES, Kind, Store
from diswot.proxies.registry import Proxy

#: The number of ``run.json``'s form.
SCHEMA = 1

#: What ``run.json`` must hold for a run to be read and continued.
_KEYS = ("space", "settings", "settings_hash", "commands", "proxies", "hashes")

_SETTINGS = {
    "space": SPACES,
    "images": str,
    "batch_size": int,
    "batch_seed": int,
    "augment": bool,
    "classes": int,
    "teacher": str,
    "device": frozenset({"cpu", "cuda"}),
    "batch": str,
    "drawing?": int,
    "stack?": int,
    "tf32?": bool,
    "deterministic?": bool,
}

_PROXY = {
    "name": str,
    "version": str,
    "direction": frozenset({"higher", "lower"}),
    "family": str,
    "needs?": [str],
    "default_init?": str,
    "live_edges_only": bool,
    "fast?": bool,
    "summary?": str,
    "source?": str,
    "deviations?": str,
}

#: The form of what `diswot.harness.runs.arithmetic.here` says.
ARITHMETIC = {"capability": (str, None), "mkldnn": bool, "variables": {str: str}}

#: The form of ``run.json``; what older versions did not write may be missing.
_FORM = {
    "space": SPACES,
    "settings": _SETTINGS,
    "settings_hash": str,
    "created?": str,
    "command?": str,
    "commands": [str],
    "device?": str,
    "arithmetic?": ARITHMETIC,
    "threads?": str,
    "versions?": {str: (str, None)},
    "git_revision?": (str, None),
    "hashes": {str: str},
    "computed?": [{"device": str, "proxies": [str]}],
    "taken?": [{"set": str, "data_hash": str, "device?": str, "proxies": [str]}],
    "shipped?": {"name": str, "data_hash": str},
    "proxies": [_PROXY],
}

#: What was derived from the scores, and says something else as soon as these change.
_DERIVED = (
    *("targets.csv", "correlations.csv", "evidence.csv", "cards.json", "method.json", "relations.npz"),
    "search/search.json",
)

#: What commands write into a run's folder, besides its store. A folder that has one of them and no ``run.json`` is
#: somebody's own.
_WRITTEN = (*(name for name in _DERIVED if "/" not in name), "answers", "search", "figures", "report.html")

#: Every file and folder of a run, and of a distillation, by the file that tells which of the two a folder is.
_KEPT = {
    "run.json": frozenset({"run.json", "scores.sqlite", "scores.sqlite-wal", "scores.sqlite-shm", *_WRITTEN}),
    "distillation.json": frozenset(
        {
            *("distillation.json", "trainings.sqlite", "trainings.sqlite-wal", "trainings.sqlite-shm"),
            *("teacher.pt", "checkpoints", "trainings.csv", "accuracies.csv", "accuracies.csv.card.json"),
        }
    ),
}

_PACKAGES = ("diswot-bench", "torch", "numpy", "scipy", "pandas", "analog-nasbench")


def store_path(folder: Path) -> Path:
    """Return where a run keeps its scores."""
    return folder / "scores.sqlite"


def info_path(folder: Path) -> Path:
    """Return where a run keeps its provenance."""
    return folder / "run.json"


def named(path: Path) -> Path:
    """Return the folder that a user names, who may name the store inside it, or precomputed scores.

    Raises:
        InputError: if a set is meant whose folder, ``runs/NAME``, holds something else.
    """
    if path == store_path(path.parent) and path.is_file():
        return path.parent
    is_set = not path.exists() and str(path) in sets.names()
    return show(sets.load(str(path)), Path("runs")) if is_set else path


def show(one: ScoreSet, parent: Path) -> Path:
    """Return the folder, below ``parent``, of a run that shows precomputed scores; it holds derived files only.

    Raises:
        InputError: if the folder is another run's, or cannot be written to.
    """
    folder = parent / one.name
    if info_path(folder).is_file():
        shown = read_info(folder)
        if shown.get("shipped") is None:
            raise InputError(
                f"run: {folder} holds a run that does not show the precomputed scores {one.name}; move it elsewhere."
            )
        if shown == _shown(one):
            return folder
        forget_derived(folder)
    files.write_json(info_path(folder), _shown(one))
    return folder


def _shown(one: ScoreSet) -> dict[str, Any]:
    # The whole card: a direction may be corrected where no score is another.
    return one.card | {"schema": SCHEMA, "shipped": {"name": one.name, "data_hash": one.data_hash}}


def shipped(folder: Path, info: dict[str, Any]) -> ScoreSet | None:
    """Return the precomputed scores that a run's folder shows; None where the run has a store of its own.

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
    """Refuse a folder that shows precomputed scores where scores are to be added.

    Raises:
        InputError: if it does.
    """
    if info.get("shipped") is not None:
        raise InputError(
            f"{argument}: {folder} shows the precomputed scores {info['shipped']['name']} and takes no others; choose "
            "the folder of another run."
        )


def note_taken(folder: Path, store: Store, one: ScoreSet, proxies: Iterable[str]) -> None:
    """Note in ``run.json`` which precomputed scores a run took; twice is as good as once.

    There is a note for each device on which the set's scores were made.
    """
    names = set(proxies)
    with store.locked():
        info = read_info(folder)
        known = {record["name"] for record in info["proxies"]}
        for device in dict.fromkeys(one.devices[name] for name in sorted(names)):
            made_there = {name for name in names if one.devices[name] == device}
            head = {"set": one.name, "data_hash": one.data_hash, "device": device}
            info["taken"] = _noted(info.get("taken", []), head, made_there)
        info["proxies"] += [record for record in one.card["proxies"] if record["name"] in names - known]
        files.write_json(info_path(folder), info)


def note_computed(folder: Path, store: Store, device: str, proxies: Iterable[str]) -> None:
    """Note in ``run.json`` on which device scores of some proxies are computed, and say so where it is another one."""
    with store.locked():
        info = read_info(folder)
        earlier = {note["device"] for note in info.get("computed", [])} - {device}
        info["computed"] = _noted(info.get("computed", []), {"device": device}, set(proxies))
        files.write_json(info_path(folder), info)
    if earlier:
        progress.say(
            f"{folder} has scores that were computed on {', '.join(sorted(earlier))}; this is {device}, and scores of "
            "different processors may differ in their last digits"
        )


def _noted(notes: list[dict[str, Any]], head: dict[str, str], proxies: set[str]) -> list[dict[str, Any]]:
    # The notes with some proxies added to the one with this head.
    same = [note for note in notes if {key: note.get(key) for key in head} == head]
    names = proxies.union(*(note["proxies"] for note in same))
    return [*(note for note in notes if note not in same), head | {"proxies": sorted(names)}]


def find(folder: Path) -> list[Path]:
    """Return the run folders that a folder is or holds.

    Raises:
        InputError: if there is none.
    """
    if info_path(folder).is_file():
        return [folder]
    inside = _inside(folder)
    if not inside:
        hint = f" Precomputed scores may be named instead: {', '.join(sets.names())}." if sets.names() else ""
        raise InputError(
            f"run: {folder} is not a run's folder and holds none; `diswot evaluate --out {folder}` makes one.{hint}"
        )
    return inside


def _inside(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob(f"*/{info_path(folder).name}")) if folder.is_dir() else []


def forget_derived(folder: Path) -> None:
    """Remove the files derived from the scores, because the scores have changed; live scores of searches stay."""
    for name in _DERIVED:
        (folder / name).unlink(missing_ok=True)


def keeps(folder: Path) -> bool:
    """Return whether a run's folder can be written; print a line where it cannot."""
    kept = files.can_be_written(folder)
    if not kept:
        progress.say(f"{folder} cannot be written to: nothing is kept there")
    return kept


def refuse_kept(argument: str, path: Path, *begun: Path) -> None:
    """Refuse to write a file of the user's choice over one that a run or a distillation keeps in its folder.

    Args:
        argument: what the file was named by.
        path: of the file.
        begun: folders that are about to become a run's.

    Raises:
        InputError: if it is one.
    """
    target = path.resolve()
    for folder in target.parents:
        kept = [names for marker, names in _KEPT.items() if (folder / marker).is_file()]
        kept += [_KEPT["run.json"]] if folder in [place.resolve() for place in begun] else []
        if target.relative_to(folder).parts[0] in frozenset().union(*kept):
            raise InputError(
                f"{argument}: {path} is a file that the run in {folder} keeps; choose another name or folder."
            )


def refuse_somebodys(argument: str, folder: Path, marker: str) -> None:
    """Refuse a folder with files of a run's names that is no run: a run would overwrite or remove them.

    Args:
        argument: what the folder was named by.
        folder: that a run shall be made in.
        marker: the file that every run of this kind has.

    Raises:
        InputError: if it has.
    """
    names = sorted(set(_WRITTEN) if marker == "run.json" else _KEPT[marker])
    there = [name for name in names if (folder / name).exists() and not name.startswith("trainings.sqlite")]
    if there and not (folder / marker).is_file():
        raise InputError(
            f"{argument}: {folder} holds {', '.join(there)} and no {marker}, so it is no run's folder, and a run would "
            "write over its files; choose another folder."
        )


def read_info(folder: Path) -> dict[str, Any]:
    """Return ``run.json``.

    Raises:
        InputError: if it is missing, damaged or of another schema.
    """
    path = info_path(folder)
    info = files.read_json(path, SCHEMA, _KEYS, "run")
    forms.check(info, _FORM, path, "run")
    names = [record["name"] for record in info["proxies"]]
    twice = [name for name in names if names.count(name) > 1]
    wrong = [
        *(["it has no proxies"] if not names else []),
        *([f"it has the proxy {twice[0]} twice"] if twice else []),
        *(["its space is not that of its settings"] if info["space"] != info["settings"]["space"] else []),
        *(["settings_hash is not that of its settings"] if info["settings_hash"] != hash_of(info["settings"]) else []),
    ]
    if wrong:
        raise InputError(f"run: {path} is damaged: {wrong[0]}.")
    return info


def claim(
    folder: Path,
    settings: Settings,
    proxies: Iterable[Proxy],
    *,
    device: str,
    plugins: Iterable[Path],
    arithmetic: dict[str, Any] | None = None,
) -> None:
    """Begin or continue a run: refuse another run's folder, make its store, write or extend ``run.json``.

    Args:
        folder: of the run.
        settings: of the sweep.
        proxies: what is evaluated; records of earlier calls are kept beside them.
        device: the processor's name, for the record.
        plugins: files whose hashes are kept.
        arithmetic: what decides the numbers, as `harness.runs.arithmetic.here` says; None where other machines compute.

    Raises:
        InputError: if the folder has a run with other settings, or cannot be written to.
    """
    machine = environment(device, arithmetic)
    described = {proxy.name: describe(proxy) for proxy in proxies}
    added = {"batch": settings.batch} | {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in plugins}
    begun = partial(_begun, folder, settings, arithmetic)
    with claimed(info_path(folder), store_path(folder), SCORES, settings, begun) as info:
        if not info:
            info["created"] = datetime.now(timezone.utc).isoformat(timespec="seconds")
        known = {record["name"]: record for record in info.get("proxies", [])}
        if any(name in known and known[name] != record for name, record in described.items()):
            forget_derived(folder)  # stored scores of another version count now, or others in another direction
        info |= {
            "schema": SCHEMA,
            "space": settings.space,
            "command": command(),
            **machine,
            "hashes": info.get("hashes", {}) | added,
            "proxies": list((known | described).values()),
        }


@contextmanager
def claimed(
    path: Path, store: Path, kind: Kind, settings: Identified, begun: Callable[[], dict[str, Any] | None]
) -> Iterator[dict[str, Any]]:
    """Begin or continue a folder: make its store, and write its record as it is after the block, settings included.

    Args:
        path: of the record.
        store: of the store.
        kind: what the store holds.
        settings: of the run.
        begun: refuses a folder that is not to be continued; returns its record, or None where there is none.

    Yields:
        The record, empty where the folder is new, while no other process can change it.

    Raises:
        InputError: if the folder has other settings, or cannot be written to.
    """
    begun()  # what is refused is refused before a store is made
    with Store(store, create=True, kind=kind) as opened, opened.locked():
        info = begun()
        if info is None and not opened.is_empty():
            raise InputError(f"out: {path.parent} has a store but no {path.name}; choose another folder.")
        info = info or {}
        yield info
        info |= {
            "settings": settings.as_dict(),
            "settings_hash": settings.hash,
            "commands": list(dict.fromkeys([*info.get("commands", []), command()])),
        }
        files.write_json(path, info)


def _begun(folder: Path, settings: Settings, arithmetic: dict[str, Any] | None) -> dict[str, Any] | None:
    # The record of the run that is continued; None of one that begins.
    if info_path(folder).is_file():
        info = read_info(folder)
        refuse_shipped("out", folder, info)
        refuse_others(folder, "a run", info, settings, arithmetic)
        return info
    inside = _inside(folder)
    if inside:  # a run here would hide them
        raise InputError(
            f"out: {folder} holds several runs; name one of {', '.join(map(str, inside))}, or another folder."
        )
    refuse_somebodys("out", folder, info_path(folder).name)
    return None


def refuse_others(
    folder: Path, what: str, info: dict[str, Any], settings: Identified, arithmetic: dict[str, Any] | None
) -> None:
    """Refuse to continue what has other settings, or where other instructions or libraries would decide its numbers.

    Raises:
        InputError: if they differ. A run without the record, of an older version or a cluster, is accepted.
    """
    different = settings.differences(info["settings"])
    if different:
        raise InputError(
            f"out: {folder} holds {what} with other settings: {', '.join(different)}; "
            "choose another folder or the same settings."
        )
    then = info.get("arithmetic")
    different = arithmetics.differences(arithmetic, then) if arithmetic and then else []
    if different:
        raise InputError(
            f"out: {folder} holds a run that was computed with other instructions: {', '.join(different)}; "
            "choose another folder, or set the same environment variables."
        )


def command() -> str:
    """Return the current command line: a `diswot` command, or another program that calls this."""
    return printable(shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]))


def environment(device: str, arithmetic: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the facts of machine and software that may explain a score.

    Args:
        device: the processor's name.
        arithmetic: as `claim` takes it.
    """
    return {
        "device": device,
        **({} if arithmetic is None else {"arithmetic": arithmetic}),
        "threads": "1 a worker",
        "versions": {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES},
        "git_revision": _git_revision(),
    }


def processor() -> str:
    """Return the processor's model name, as far as the system says."""
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
    # Of this project's checkout. A copy that is installed below another repository, or kept in one, has no revision.
    here = Path(__file__).resolve()
    if _git(here.parent, "rev-parse", "--show-prefix") != f"{here.parent.name}/":
        return None
    if _git(here.parent, "ls-files", "--error-unmatch", here.name) is None:
        return None
    return _git(here.parent, "describe", "--always", "--dirty", "--abbrev=40") or None


def _git(folder: Path, *arguments: str) -> str | None:
    # Variables such as GIT_DIR, which a hook sets, are about another repository.
    ours = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, env=ours)
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
