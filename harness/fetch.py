"""Published tables and images, fetched whole or not at all: from the network or a mirror, known by their hash."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.client
import shutil
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tqdm import tqdm

from diswot.benchmarks import images as image_sets
from diswot.benchmarks.cache import VARIABLE
from diswot.benchmarks.errors import InputError, unknown
from diswot.benchmarks.images import cifar
from diswot.benchmarks.images import files as image_files
from diswot.benchmarks.paths import expanded
from diswot.benchmarks.remote import Remote
from diswot.benchmarks.tables import TABLES
from diswot.harness import files

#: The longest silence of the network, and the longest time and the most bytes that a file may take.
_SECONDS = 60.0
_MOST_SECONDS = 3600.0
_MOST_BYTES = 1 << 28
_BLOCK = 1 << 20


def table(name: str, mirror: Path | None) -> Path:
    """Fetch a published table into the cache, unless it is there and whole.

    Args:
        name: ``nb201``, ``hw-nas-bench`` or ``nb201-robustness``.
        mirror: a folder that holds the published files; None for the network.

    Returns:
        Its Parquet file.

    Raises:
        InputError: if there is no such table, a file cannot be had or is another one, or the cache cannot be written.
    """
    known = TABLES.get(name)
    published = None if known is None else known.fetched
    if published is None:
        allowed = [key for key, provider in TABLES.items() if provider.fetched is not None]
        raise unknown("table", name, allowed, "The other tables need no fetching.")
    path = published.location()
    with contextlib.suppress(InputError):
        published.load()
        return path
    with _new_folder(path) as folder:
        for remote in published.files.values():
            _get(remote, mirror, folder)
        return files.write_table(path, published.convert(folder))


def images(name: str, image_dir: Path | None, mirror: Path | None) -> Path:
    """Fetch the official archive of an image set and unpack what is read of it, unless that is there.

    Args:
        name: ``cifar10`` or ``cifar100``.
        image_dir: the folder into which the set's official folder is put; None for the cache.
        mirror: a folder that holds the archive; None for the network.

    Returns:
        The set's official folder.

    Raises:
        InputError: if there is no such set, the archive cannot be had or is another one, or the folder cannot be
            written or is there with some files missing.
    """
    if name not in image_sets.fetchable():
        raise unknown("images", name, image_sets.fetchable(), "`diswot images list` says where the others come from.")
    layout = cifar.LAYOUTS[name]
    path = (image_files.location() if image_dir is None else expanded("image_dir", image_dir)) / layout.folder
    if path.exists():
        missing = [file for file in layout.files if not (path / file).is_file()]
        if missing:
            raise InputError(f"images: {path} is there and lacks {missing[0]}; remove it and fetch {name} again.")
        return path
    with _new_folder(path) as folder:
        archive = _get(layout.archive, mirror, folder)
        return _unpack(archive, layout, folder).rename(path)


@contextlib.contextmanager
def _new_folder(path: Path) -> Iterator[Path]:
    # What is half there lies in a folder of its own, on the same disk. It is removed whatever happens; after a kill, by
    # the next fetch.
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.forget_abandoned(path.parent)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=files.temporary_prefix("fetch")) as folder:
            yield Path(folder)
    except InputError:
        raise
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{path} cannot be written: {reason}; {VARIABLE} names another cache folder.") from error


def _get(remote: Remote, mirror: Path | None, folder: Path) -> Path:
    """Copy a published file into a folder, and refuse it if its hash is another."""
    path = folder / remote.name
    source = mirror / remote.name if mirror else remote.url
    digest = hashlib.new(remote.algorithm, usedforsecurity=False)
    bar = tqdm(unit="B", unit_scale=True, desc=remote.name, disable=None)
    with path.open("wb") as target, bar:
        for block in _blocks(remote, mirror):
            digest.update(block)
            target.write(block)
            bar.update(len(block))
            if target.tell() > _MOST_BYTES:
                raise InputError(f"{source} is another file: it has more than {_MOST_BYTES >> 20} MiB; get it again.")
        size = target.tell()
    if digest.hexdigest() != remote.digest:
        raise InputError(
            f"{source} is cut short, damaged or another file: its {size} bytes "
            f"have the {remote.algorithm.upper()} {digest.hexdigest()}, not {remote.digest}; get it again."
        )
    return path


def _blocks(remote: Remote, mirror: Path | None) -> Iterator[bytes]:
    # Only what reading raises is told here: an error of the caller's, who writes, does not pass through a generator.
    try:
        with _opened(remote, mirror) as source:
            # A response's read1 returns what has come; read would wait for a whole block, however slowly it comes.
            read = source.read1 if isinstance(source, http.client.HTTPResponse) else source.read
            end = time.monotonic() + _MOST_SECONDS
            while block := read(_BLOCK):
                yield block
                if time.monotonic() > end:
                    raise TimeoutError(f"not whole after {_MOST_SECONDS / 60:.0f} minutes")
    except InputError:
        raise
    except (OSError, ValueError, http.client.HTTPException) as error:  # a ValueError: redirected to what is no address
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        reason = str(error.reason if type(error) is urllib.error.URLError else error).partition("\n")[0]
        if mirror is not None:
            raise InputError(f"from: {mirror / remote.name} cannot be read ({reason}).") from error
        raise InputError(
            f"{remote.url} cannot be fetched ({reason}); where there is no network, get it by other means and name its "
            "folder with --from."
        ) from error


def _opened(remote: Remote, mirror: Path | None) -> IO[bytes]:
    if mirror is None:
        response: IO[bytes] = urllib.request.urlopen(remote.url, timeout=_SECONDS)
        return response
    path = mirror / remote.name
    if not path.is_file():
        raise InputError(f"from: '{mirror}' has no file {remote.name}; it is published as {remote.url}.")
    return path.open("rb")


def _unpack(archive: Path, layout: cifar.Layout, folder: Path) -> Path:
    # Only the contents of the files that are wanted are taken: no name, link or mode of the archive's reaches the disk.
    unpacked = folder / layout.folder
    unpacked.mkdir()
    wanted = {f"{layout.folder}/{file}": unpacked / file for file in layout.files}
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                source = tar.extractfile(member) if member.isreg() and member.name in wanted else None
                if source is not None:
                    with source, wanted.pop(member.name).open("wb") as target:
                        shutil.copyfileobj(source, target)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{archive.name} cannot be unpacked ({error}); get it again.") from error
    if wanted:
        raise InputError(f"{archive.name} has no file {next(iter(wanted))}; get it again.")
    return unpacked
