"""A run's folder: its store, ``run.json`` with everything needed to repeat it, and what was derived from both.

``run.json`` is changed only while the store is locked, so that of two processes neither loses what the other wrote.
"""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from diswot.benchmarks.errors import InputError, printable
from diswot.benchmarks.paths import expanded
from diswot.harness import files, progress, records
from diswot.harness.runs import arithmetic as arithmetics
from diswot.harness.runs.arithmetic import Arithmetic
from diswot.harness.runs.precomputed import catalogue
from diswot.harness.runs.precomputed.catalogue import Precomputed
from diswot.harness.runs.provenance import Card, Commanded, Computed, Info, ProxyRecord, Shown, Taken
from diswot.harness.runs.settings import Identified, Settings
from diswot.harness.runs.store import SCORES, TRAININGS, Kind, Store
from diswot.proxies.registry import Proxy

M = TypeVar("M", bound=Commanded)
Note = TypeVar("Note", Computed, Taken)

#: What was derived from the scores, and says something else as soon as these change.
_DERIVED = (
    *("targets.csv", "correlations.csv", "evidence.csv", "cards.json", "method.json", "relations.npz"),
    "search/search.json",
)

#: What commands write into the folder of a run, and of a distillation, besides its store and the file that tells which
#: of the two it is. A folder that has one of them and no such file is somebody's own.
_WRITTEN = {
    SCORES.info: (*(name for name in _DERIVED if "/" not in name), "answers", "search", "figures", "report.html"),
    TRAININGS.info: ("teacher.pt", "checkpoints", "trainings.csv", "accuracies.csv", "accuracies.csv.card.json"),
}

_PACKAGES = ("diswot-bench", "torch", "numpy", "scipy", "pandas", "analog-nasbench")


def store_path(folder: Path, kind: Kind = SCORES) -> Path:
    """Return where a run keeps its scores, or a distillation its trainings."""
    return folder / kind.file


def info_path(folder: Path, kind: Kind = SCORES) -> Path:
    """Return where a run or a distillation keeps its provenance."""
    return folder / kind.info


def named(path: Path) -> Path:
    """Return the folder that a user names, who may name the store inside it, or precomputed scores.

    Raises:
        InputError: if precomputed scores are meant whose folder, ``runs/NAME``, holds something else.
    """
    path = expanded("run", path)
    if path == store_path(path.parent) and path.is_file():
        return path.parent
    is_precomputed = not path.exists() and str(path) in catalogue.names()
    return show(catalogue.load(str(path)), Path("runs")) if is_precomputed else path


def show(one: Precomputed, parent: Path) -> Path:
    """Return the folder, below ``parent``, of a run that shows precomputed scores; it holds derived files only.

    Raises:
        InputError: if the folder is another run's, or cannot be written to.
    """
    folder = parent / one.name
    if info_path(folder).is_file():
        shown = read_info(folder)
        if shown.shipped is None:
            raise InputError(
                f"run: {folder} holds a run that does not show the precomputed scores {one.name}; move it elsewhere."
            )
        if shown == _shown(one):
            return folder
        forget_derived(folder)
    files.write_json(info_path(folder), _shown(one).stored())
    return folder


def _shown(one: Precomputed) -> Card:
    # The whole card: a direction may be corrected where no score is another.
    return one.card.model_copy(update={"shipped": Shown(name=one.name, data_hash=one.data_hash)})


def shipped(folder: Path, info: Info) -> Precomputed | None:
    """Return the precomputed scores that a run's folder shows; None where the run has a store of its own.

    Raises:
        InputError: if this version ships another one, or none.
    """
    if info.shipped is None:
        return None
    one = catalogue.load(info.shipped.name)
    if info != _shown(one):
        raise InputError(
            f"run: {folder} shows {one.name} as another version shipped it; `diswot correlate {one.name}` begins it "
            "anew."
        )
    return one


def refuse_shipped(argument: str, folder: Path, info: Info) -> None:
    """Refuse a folder that shows precomputed scores where scores are to be added.

    Raises:
        InputError: if it does.
    """
    if info.shipped is not None:
        raise InputError(
            f"{argument}: {folder} shows the precomputed scores {info.shipped.name} and takes no others; choose "
            "the folder of another run."
        )


def note_taken(folder: Path, store: Store, one: Precomputed, proxies: Iterable[str]) -> None:
    """Note in ``run.json`` which precomputed scores a run took; twice is as good as once.

    There is a note for each device on which they were made.
    """
    names = set(proxies)
    with store.locked():
        info = read_info(folder)
        known = {proxy.name for proxy in info.proxies}
        taken, made_on = info.taken, one.devices
        for device in dict.fromkeys(made_on[name] for name in sorted(names)):
            made_there = {name for name in names if made_on[name] == device}
            note = Taken(name=one.name, data_hash=one.data_hash, device=device, proxies=sorted(made_there))
            taken = _noted(taken, note)
        added = [proxy for proxy in one.card.proxies if proxy.name in names - known]
        _change(folder, info, taken=taken, proxies=info.proxies + added)


def note_computed(folder: Path, store: Store, device: str, proxies: Iterable[str]) -> None:
    """Note in ``run.json`` on which device scores of some proxies are computed, and say so where it is another one."""
    with store.locked():
        info = read_info(folder)
        earlier = {note.device for note in info.computed} - {device}
        _change(folder, info, computed=_noted(info.computed, Computed(device=device, proxies=sorted(set(proxies)))))
    if earlier:
        progress.say(
            f"{folder} has scores that were computed on {', '.join(sorted(earlier))}; this is {device}, and scores of "
            "different processors may differ in their last digits"
        )


def _change(folder: Path, info: Info, **changes: Any) -> None:
    files.write_json(info_path(folder), info.model_copy(update=changes).stored())


def _noted(notes: list[Note], new: Note) -> list[Note]:
    # The notes with one more, whose proxies join those of a note that says the same of others.
    same = [note for note in notes if note.model_copy(update={"proxies": new.proxies}) == new]
    names = set(new.proxies).union(*(note.proxies for note in same))
    rest = [note for note in notes if note not in same]
    rest.append(new.model_copy(update={"proxies": sorted(names)}))
    return rest


def find(folder: Path) -> list[Path]:
    """Return the run folders that a folder is or holds.

    Raises:
        InputError: if there is none.
    """
    if info_path(folder).is_file():
        return [folder]
    inside = _inside(folder)
    if not inside:
        hint = f" Precomputed scores may be named instead: {', '.join(catalogue.names())}." if catalogue.names() else ""
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
        kept = [kind for kind in (SCORES, TRAININGS) if info_path(folder, kind).is_file()]
        kept += [SCORES] if folder in [place.resolve() for place in begun] else []
        stores = [f"{kind.file}{ending}" for kind in kept for ending in ("", "-wal", "-shm")]
        others = [name for kind in kept for name in (kind.info, *_WRITTEN[kind.info])]
        if target.relative_to(folder).parts[0] in (*stores, *others):
            raise InputError(
                f"{argument}: {path} is a file that the run in {folder} keeps; choose another name or folder."
            )


def _refuse_somebodys(argument: str, folder: Path, marker: str) -> None:
    # Files of a run's names in a folder that is no run's would be written over or removed.
    there = [name for name in sorted(_WRITTEN[marker]) if (folder / name).exists()]
    if there:
        raise InputError(
            f"{argument}: {folder} holds {', '.join(there)} and no {marker}, so it is no run's folder, and a run would "
            "write over its files; choose another folder."
        )


def read_info(folder: Path) -> Info:
    """Return ``run.json``; in the folder of precomputed scores it is their card.

    Raises:
        InputError: if it is missing, damaged or of another schema.
    """
    path = info_path(folder)
    content = files.json_of(path, "run")
    shows = isinstance(content, dict) and content.get("shipped") is not None
    return records.checked(Card if shows else Info, content, f"run: {path}")


def claim(
    folder: Path,
    settings: Settings,
    proxies: Iterable[Proxy],
    *,
    device: str,
    plugins: Iterable[Path],
    arithmetic: Arithmetic | None = None,
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
    described = {proxy.name: describe(proxy) for proxy in proxies}
    hashes = {"batch": settings.batch} | {str(path): files.digest(path) for path in plugins}

    def read(path: Path) -> Info:
        info = read_info(path)
        refuse_shipped("out", path, info)
        return info

    def changes(before: Info | None) -> dict[str, Any]:
        own = {"space": settings.space, "command": command()}
        if before is None:
            own |= {"created": datetime.now(timezone.utc).isoformat(timespec="seconds")}
            return own | {"hashes": hashes, "proxies": list(described.values())}
        known = {proxy.name: proxy for proxy in before.proxies}
        if any(name in known and known[name] != record for name, record in described.items()):
            forget_derived(folder)  # stored scores of another version count now, or others in another direction
        return own | {"hashes": before.hashes | hashes, "proxies": list((known | described).values())}

    inside = [] if info_path(folder).is_file() else _inside(folder)
    if inside:  # a run here would hide them
        raise InputError(
            f"out: {folder} holds several runs; name one of {', '.join(map(str, inside))}, or another folder."
        )
    claimed(Info, folder, SCORES, settings, device, arithmetic, read, changes)


def claimed(
    model: type[M],
    folder: Path,
    kind: Kind,
    settings: Identified,
    device: str,
    arithmetic: Arithmetic | None,
    read: Callable[[Path], M],
    changes: Callable[[M | None], dict[str, Any]] = lambda before: {},
) -> None:
    """Begin or continue a folder: make its store and write its record while no other process can change it.

    Args:
        model: of the record.
        folder: of the run or the distillation.
        kind: what its store holds.
        settings: of the run.
        device: the processor's name.
        arithmetic: as `claim` takes it.
        read: returns the record of a folder.
        changes: returns fields of the new record, given the one before.

    Raises:
        InputError: if the folder has other settings, or cannot be written to.
    """
    path = info_path(folder, kind)

    def begun() -> M | None:
        if not path.is_file():
            _refuse_somebodys("out", folder, path.name)
            return None
        info = read(folder)
        _refuse_others(folder, info, settings, arithmetic)
        return info

    begun()  # what is refused is refused before a store is made
    with Store(store_path(folder, kind), create=True, kind=kind) as opened, opened.locked():
        before = begun()
        if before is None and not opened.is_empty():
            raise InputError(f"out: {folder} has a store but no {path.name}; choose another folder.")
        commands = list(dict.fromkeys([*(before.commands if before else ()), command()]))
        made: dict[str, Any] = {"settings": settings, "settings_hash": settings.hash, "commands": commands}
        made |= environment(device, arithmetic) | changes(before)
        files.write_json(path, (model(**made) if before is None else before.model_copy(update=made)).stored())


def _refuse_others(folder: Path, info: Commanded, settings: Identified, arithmetic: Arithmetic | None) -> None:
    # What has other settings, or where other instructions or libraries would decide its numbers. A run without that
    # record, of an older version or a cluster, is accepted.
    different = settings.differences(info.settings)
    if different:
        raise InputError(
            f"out: {folder} holds a run with other settings: {', '.join(different)}; "
            "choose another folder or the same settings."
        )
    different = arithmetics.differences(arithmetic, info.arithmetic) if arithmetic and info.arithmetic else []
    if different:
        raise InputError(
            f"out: {folder} holds a run that was computed with other instructions: {', '.join(different)}; "
            "choose another folder, or set the same environment variables."
        )


def command() -> str:
    """Return the current command line: a `diswot` command, or another program that calls this."""
    return printable(shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]))


def environment(device: str, arithmetic: Arithmetic | None = None) -> dict[str, Any]:
    """Return the facts of machine and software that may explain a score: the fields of `Machine`.

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


def describe(proxy: Proxy) -> ProxyRecord:
    """Return what ``run.json`` says of a proxy."""
    same = {name: getattr(proxy, name) for name in ProxyRecord.model_fields if name not in ("needs", "default_init")}
    return ProxyRecord(needs=sorted(proxy.needs), default_init=proxy.init, **same)


def version(package: str) -> str | None:
    """Return the version of a package; None if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git_revision() -> str | None:
    # Of this project's checkout. A copy that is installed below another repository, or kept in one, has no revision.
    here = Path(__file__).resolve()
    checkout = here.parents[2]  # of harness/runs/run_folder.py
    if _git(checkout, "rev-parse", "--show-prefix") != "":
        return None
    if _git(checkout, "ls-files", "--error-unmatch", str(here)) is None:
        return None
    return _git(checkout, "describe", "--always", "--dirty", "--abbrev=40") or None


def _git(folder: Path, *arguments: str) -> str | None:
    # Variables such as GIT_DIR, which a hook sets, are about another repository.
    ours = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, env=ours)
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
