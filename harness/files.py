"""Files: written whole or not at all; JSON that is read with its schema."""

from __future__ import annotations

import errno
import functools
import hashlib
import json
import os
import platform
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from diswot.benchmarks.errors import InputError
from diswot.harness import earlier

try:
    import fcntl
except ImportError:  # Windows, where every file system has locks
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    import pandas as pd

    from diswot.benchmarks.tables import Table

_DAY = 86_400.0

#: How a table is written, by the ending of its file.
WRITERS: dict[str, Callable[[pd.DataFrame, Path], object]] = {
    ".csv": lambda frame, path: frame.to_csv(path, index=False),
    ".parquet": lambda frame, path: frame.to_parquet(path, index=False),
    ".json": lambda frame, path: path.write_text(as_json(frame) + "\n"),
}


def as_json(frame: pd.DataFrame) -> str:
    """Return a frame's rows as JSON records with every digit of its numbers; what is undefined is null."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return json.dumps(rows, indent=1, default=lambda number: number.item())  # numpy's numbers


def write(path: Path, fill: Callable[[Path], object]) -> Path:
    """Call ``fill`` with a temporary path beside ``path`` and move the result into place.

    Raises:
        InputError: if the folder cannot be written to.
        OSError: if the file cannot, or the disk is full; what stood at the path stays there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{temporary_prefix(path.stem)}{secrets.token_hex(4)}{path.suffix}")
        temporary.touch(exist_ok=False)
    except OSError as error:
        raise InputError(f"out: {path.parent} cannot be written to: {error.strerror}.") from error
    try:
        fill(temporary)
        temporary.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error  # not the temporary one's name
    finally:
        temporary.unlink(missing_ok=True)
    return path


def temporary_prefix(stem: str) -> str:
    """Return how the name of a temporary file or folder of this process begins."""
    return f".{stem}{_mark(os.getpid())}"


def forget_abandoned(folder: Path) -> None:
    """Remove the temporary files and folders that processes left in a folder when they were killed.

    Of another machine's process nothing is known, but that nothing temporary is written for a day.
    """
    for path in folder.glob(".*~*"):
        match = re.fullmatch(r"\..*~(\w+)~([0-9]{1,9})~[^~]*", path.name)
        if match is None:
            continue
        with suppress(FileNotFoundError):  # another process may have removed it meanwhile
            abandoned = time.time() - path.lstat().st_mtime > _DAY
            if not _is_alive(int(match[2])) if match[1] == _machine() else abandoned:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()


def _mark(process: object) -> str:
    # Of a temporary file: whose it is. A container has process numbers of its own, perhaps under the machine's name.
    return f"~{_machine()}~{process}~"


@functools.cache
def _machine() -> str:
    processes = Path("/proc/self/ns/pid")
    namespace = processes.stat().st_ino if processes.exists() else ""
    return re.sub(r"\W", "_", f"{platform.node()}_{namespace}")


def _is_alive(process: int) -> bool:
    if os.name != "posix":
        return True  # there is no asking without a signal
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return True


def code_of(*packages: ModuleType) -> bytes:
    """Return the source code of packages, file after file, whatever this system ends lines with."""
    folders = (Path(str(package.__file__)).parent for package in packages)
    paths = (path for folder in folders for path in sorted(folder.rglob("*.py")))
    return b"".join(path.read_text(encoding="utf-8").encode() for path in paths)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal; an empty text where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def write_json(path: Path, value: Any) -> Path:
    """Write a value as JSON."""
    return write(path, lambda temporary: temporary.write_text(json.dumps(value, indent=1) + "\n"))


def json_of(path: Path, argument: str, hint: str = "") -> Any:
    """Return what a JSON file holds.

    Raises:
        InputError: if it is missing or damaged.
    """
    with reading(path, argument, hint):
        return json.loads(path.read_text(encoding="utf-8-sig"))


@contextmanager
def reading(path: Path, argument: str, hint: str = "") -> Iterator[None]:
    """Turn whatever is raised while a file is read into one sentence: what a damaged file raises cannot be foreseen.

    Args:
        path: of the file.
        argument: what the file was named by, which begins the sentence.
        hint: ends the sentence; how the file is made anew.

    Raises:
        InputError: if anything is raised.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        said = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
        raise InputError(f"{argument}: {path} cannot be read: {said}{hint}.") from error


def can_be_written(path: Path) -> bool:
    """Return whether this process may write a file, or files into a folder."""
    return os.access(path, os.W_OK)


def has_locks(folder: Path) -> bool:
    """Return whether a folder's file system has file locks; some network file systems have none."""
    if fcntl is None or not can_be_written(folder):
        return True
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
    return True


def read_csv(
    path: Path, texts: Iterable[str], argument: str, hint: str = "", *, needed: Iterable[str] = ()
) -> pd.DataFrame:
    """Return the table in a CSV file that a command wrote, in which every column is known to be of texts or numbers.

    Args:
        path: of the file.
        texts: the columns of texts; the others hold numbers or truth values.
        argument: what the file was named by, which begins the sentence of an error.
        hint: ends the sentence; how the file is made anew.
        needed: columns that must be there.

    Raises:
        InputError: if it is missing or damaged.
    """
    import pandas as pd
    from pandas.api import types

    with reading(path, argument, hint):
        # The fast parser of pandas before 3 is off by a last digit now and then; Python's is not.
        frame = pd.read_csv(path, engine="python", encoding="utf-8").rename(columns=earlier.current)
    lacking = [name for name in needed if name not in frame]
    if lacking:
        raise InputError(f"{argument}: {path} cannot be read: it lacks the column {lacking[0]}{hint}.")
    for name in frame.columns.difference(list(texts), sort=False):
        if not types.is_numeric_dtype(frame[name]) and not frame[name].dropna().map(type).eq(bool).all():
            raise InputError(
                f"{argument}: {path} cannot be read: its column {name!r:.40} holds what is no number{hint}."
            )
    return frame


def write_table(path: Path, frame: pd.DataFrame) -> Path:
    """Write a frame as CSV, Parquet or JSON, by the ending of the path.

    Raises:
        InputError: if the ending is none of these.
    """
    check_table_path(path, "path")
    return write(path, lambda temporary: WRITERS[path.suffix](frame, temporary))


def write_with_card(path: Path, make: Callable[[], Table]) -> Table:
    """Write a table and, beside it, its card with the hash of that file; return the table.

    Args:
        path: of the file, which ends as one of `WRITERS`.
        make: makes the table, after it has been seen that the folder can be written to.

    Raises:
        InputError: if the files cannot be written, or the disk is full.
    """
    from diswot.benchmarks.tables import user

    made: list[Table] = []

    def fill(temporary: Path) -> None:
        table = make()
        WRITERS[path.suffix](table.frame.reset_index(), temporary)
        card = replace(table.card, data_hash=digest(temporary))
        write_json(user.card_path(path), asdict(card))  # first: figures without it would pass for ones of no source
        made.append(replace(table, card=card))

    try:
        write(path, fill)
    except OSError as error:
        raise InputError(f"out: {path} cannot be written: {error.strerror}.") from error
    return made[0]


def check_table_path(path: Path, argument: str) -> None:
    """Refuse a path, named by an argument, that `write_table` cannot write to, before there is something to write.

    Raises:
        InputError: if the ending is none of CSV's, Parquet's and JSON's, or the folder cannot be written to.
    """
    if path.suffix not in WRITERS:
        raise InputError(f"{argument}: {path} must end in {', '.join(WRITERS)}.")
    require_folder(path.parent, argument)


def require_folder(folder: Path, argument: str) -> None:
    """Refuse a folder, named by an argument, in which no file can be written, before there is something to write.

    Raises:
        InputError: if something else stands there or above it, or this process may not write there.
    """
    there = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    if not (there.is_dir() and can_be_written(there)):
        raise InputError(f"{argument}: {folder} cannot be written to: {there} is no folder that you may write into.")
