"""Bad input as a user would type it, and what the commands print."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pandas as pd
import pytest

import diswot
from diswot import reports
from diswot.benchmarks.tables import load as load_table
from diswot.harness.cli import _diswot, main
from diswot.harness.evidence.ensembles import ENSEMBLES
from diswot.harness.runs import results, run_folder
from diswot.harness.runs.results import Results
from diswot.harness.runs.store import Store
from diswot.proxies import registry

Cli = Callable[..., Any]

QUICK = ("--batch-size", "4", "--teacher", "s0:111", "--workers", "1", "--device", "cpu")


def timeless(text: str) -> str:
    """Return a text in which whatever took seconds took none."""
    return re.sub(r" in \d+ s", " in 0 s", text)


TINY = ("--space", "s0", "--cells", "111,113", *QUICK)

#: What a user types, and what the sentence must hold: the argument, the value, what is allowed, the nearest match.
MISTAKES = {
    # commands and options
    "evalute": ("command: 'evalute' is not known; did you mean 'evaluate'?", "Allowed: run, evaluate, correlate"),
    "tables shw s0-diswot": (
        "command: 'shw' is not known; did you mean 'show'?",
        "Allowed: fetch, import, list, model",
    ),
    "images ftch": ("command: 'ftch' is not known; did you mean 'fetch'?", "Allowed: fetch, list"),
    "proxies lst": ("command: 'lst' is not known; did you mean 'list'?",),
    "--cells 3": ("No such option '--cells'", "See `diswot --help`"),
    "evaluate --cell 3": ("No such option '--cell'", "'--cells'"),
    "evaluate --cells": ("Option '--cells' requires an argument",),
    "evaluate 3": ("Got unexpected extra argument (3)",),
    "cell": ("Missing argument 'CELL'",),
    "evaluate --workers 0": ("'--workers': 0 is not in the range x>=1",),
    "evaluate --workers two": ("'--workers': 'two' is not a valid integer",),
    "evaluate --batch-size 0": ("'--batch-size': 0 is not in the range x>=1",),
    "evaluate --batch-seed -1": ("'--batch-seed': -1 is not in the range x>=0",),
    # cells and spaces
    "evaluate --space s1": ("--space: 's1' is not known; did you mean 's0'?", "Allowed: nb201, s0"),
    "evaluate --cells 0": ("--cells: 0 cells were asked for; nb201 has 1 to 15625",),
    f"cell {'9' * 5000}": ("is not an architecture string",),
    "evaluate --cells 15626": ("--cells: 15626 cells were asked for; nb201 has 1 to 15625",),
    "evaluate --space s0 --cells 65": ("--cells: 65 cells were asked for; s0 has 1 to 64",),
    "evaluate --cells -5": ("--cells: '-5' is neither all, a number of cells, a list such as 3,7,9, a table",),
    "evaluate --cells here.txt": ("--cells: 'here.txt' is neither all", "nor a file with one cell a line"),
    "evaluate --cells 3,15625": ("index 15625 is out of range; NAS-Bench-201 has the indices 0 to 15624",),
    "evaluate --cells 3,four": ("--cells: 'four' is not an architecture string; it has the form |op~0|+",),
    "evaluate --cells |conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|": (
        "'conv_3x3' is not known; did you mean 'nor_conv_3x3'?",
        "Allowed: none, skip_connect",
    ),
    "evaluate --space s0 --cells 712,": ("--cells: 712 is not in S0", "1, 3, 5, 7"),
    "cell 15625": ("index 15625 is out of range; NAS-Bench-201 has the indices 0 to 15624",),
    "cell |none~0|": ("'|none~0|' is not an architecture string", "nor_conv_3x3"),
    "cell --space s0 712": ("712 is not in S0",),
    "cell --space s0 big": ("'big' is not in S0", "such as 713"),
    # proxies and plug-ins
    "evaluate --proxies snip,nwott": ("--proxies: 'nwott' is not known; did you mean 'nwot'?", "`diswot proxies list`"),
    "evaluate --proxies ,": ("--proxies: no proxy was named; give fast, all, or names",),
    "bench --proxies fats": ("--proxies: 'fats' is not known; did you mean 'fast'?",),
    "evaluate --proxies snip,vote": ("--proxies: vote is an ensemble of synflow, jacov and snip; name these instead.",),
    "bench --proxies te_nas": ("--proxies: te_nas is an ensemble of ntk_cond and linear_regions; name these instead.",),
    "check vote": ("FILE: vote is an ensemble of synflow, jacov and snip; name these instead.",),
    "proxies show log_rank6": ("proxy: 'log_rank6' is not known; did you mean 'log_rank_6'?",),
    "proxies show snipp": ("proxy: 'snipp' is not known; did you mean 'snip'?",),
    "proxies list --plugin nowhere.py": ("--plugin: ", "nowhere.py is not a file"),
    "evaluate --plugin broken.py": ("--plugin: ", "broken.py cannot be loaded: SyntaxError"),
    "evaluate --plugin clash.py": ("--plugin: ", "'snip' is registered already, by "),
    "evaluate --plugin empty.py": ("--plugin: ", "empty.py registers no proxy; decorate a function"),
    # counts that nobody means
    "evaluate --workers 100000000": ("'--workers': 100000000 is more than ", "this machine's processors only wait"),
    "evaluate --vectorised-seeds 1000000": ("'--vectorised-seeds': 1000000 is more than 1024: ", "fill the memory"),
    "evaluate --batch-size 1000000000": ("'--batch-size': 1000000000 is more than 65536: ", "take 64 GB"),
    f"evaluate --vectorised-seeds 1{'0' * 30}": ("'--vectorised-seeds': 1000000000000000000000000000000 is",),
    # seeds, images, teacher, device
    "evaluate --seeds 0": ("--seeds: '0' is neither a number of seeds, 1 to 1000, nor a list such as 0,1,2",),
    "evaluate --seeds 0,x": ("--seeds: '0,x' is neither a number of seeds",),
    "evaluate --images cifar": ("--images: 'cifar' is not known; did you mean 'cifar10'?", "Allowed: noise"),
    "evaluate --images cifar10": (
        "--image-dir: ",
        "cifar10",
        "cifar-10-batches-py/ with data_batch_1",
        "`diswot images fetch cifar10` gets them",
    ),
    "evaluate --images cifar10 --image-dir nowhere": ("--image-dir: there is no folder 'nowhere'",),
    "evaluate --images cifar100 --image-dir folder": ("--image-dir: 'folder' lacks",),
    "evaluate --augment": ("augment: noise has no training augmentation",),
    "evaluate --teacher resnet57": ("--teacher: 'resnet57' is not known; did you mean 'resnet56'?", "nb201:CELL"),
    "evaluate --teacher nb201:15625": ("index 15625 is out of range",),
    "evaluate --teacher s0:712": ("712 is not in S0",),
    "evaluate --device gpu": ("--device: 'gpu' is not known; did you mean 'cpu'?", "Allowed: auto, cpu, cuda, cuda:0"),
    "evaluate --device cpu,cuda:0": ("--device: 'cpu' stands alone; 'cpu,cuda:0' mixes it with others",),
    "evaluate --device cuda:99": ("--device: cuda:99 is not there; torch sees ",),
    # a cluster
    "evaluate --scheduler here": ("--scheduler: 'here' is not an address; it has the form tcp://HOST:PORT",),
    "evaluate --scheduler tcp://127.0.0.1:1 --workers 2": (
        "--workers: 2 was given, and tcp://127.0.0.1:1 has as many as were started",
    ),
    "evaluate --scheduler tcp://127.0.0.1:1 --device cuda:0": ("--device: 'cuda:0' was given; with --scheduler it is",),
    "search run --scheduler tcp://127.0.0.1:1": ("--scheduler: stored scores need no cluster; add `--scores live`",),
    # configuration
    "evaluate --config nowhere.toml": ("--config: nowhere.toml cannot be read: No such file",),
    "evaluate --config broken.toml": ("--config: broken.toml cannot be read as TOML: ", "line 1"),
    "evaluate --config binary.toml": ("--config: binary.toml cannot be read as TOML: ",),
    "evaluate --config unknown.toml": (
        "--config: unknown.toml: setting: 'proxie' is not known; did you mean 'proxies'?",
        "Allowed: augment, batch-seed",
    ),
    "evaluate --config itself.toml": ("setting: 'config' is not known",),
    "evaluate --config flag.toml": ("--config: flag.toml: setting out takes a value; true is a flag's",),
    "evaluate --config wrong.toml": ("'--batch-size': 'many' is not a valid integer",),
    # runs, targets and tables
    "correlate nowhere": ("run: nowhere is not a run's folder and holds none; `diswot evaluate --out nowhere`",),
    "report nowhere": ("run: nowhere is not a run's folder",),
    "correlate run --target s0-disswot": ("--target: 's0-disswot' is not known; did you mean 's0-diswot'?", ".csv"),
    "correlate run --target s0-diswot:vanila": ("'vanila' is not known; did you mean 'vanilla'?", "Allowed: vanilla"),
    "correlate run --target s0-diswot:": ("--target: 's0-diswot:' has no column after the colon",),
    "correlate run --target analog-nasbench": ("analog-nasbench is of the search space nb201, not s0",),
    "correlate run --target nowhere.csv": ("--target: 'nowhere.csv' cannot be read: No such file",),
    "correlate run --target elsewhere.csv": ("--target: elsewhere:accuracy has an accuracy for none of the 2 cells",),
    "correlate run --target unknown.csv": ("--target: 'unknown.csv', line 2, column 'cell': cell: 712 is not in S0",),
    "correlate run --target twice.csv": ("--target: 'twice.csv', line 3: cell 111 is there twice, first at line 2",),
    "correlate run --target text.csv": ("--target: 'text.csv', line 2, column 'accuracy': 'good' is not a number",),
    "correlate run --out table.txt": ("--out: table.txt must end in .csv, .parquet, .json",),
    "bench --out table.txt": ("--out: table.txt must end in .csv, .parquet, .json",),
    "evaluate --export table.txt": ("--export: table.txt must end in .csv, .parquet, .json",),
    "correlate run --out file/table.csv": ("--out: file cannot be written to: ",),
    "run --target nonsense": (
        "--target: 'nonsense' is not known",
        "Allowed: analog-nasbench, nb201-kd, nb201-kd-model",
    ),
    "tables show nonsense": ("table: 'nonsense' is not known",),
    "tables show s0-diswot --space nb201": ("s0-diswot is of the search space s0, not nb201",),
    "tables show twice.csv --space s2": ("--space: 's2' is not known; did you mean 's0'?",),
    "tables show nb201": ("table: nb201 has not been fetched yet; run `diswot tables fetch nb201`.",),
    "run --target nb201:cifar100-test": ("nb201 has not been fetched yet; run `diswot tables fetch nb201`.",),
    # fetching and importing
    "tables fetch nb210": ("table: 'nb210' is not known; did you mean 'nb201'?", "The other tables need no fetching."),
    "tables fetch nb201 --from nowhere": ("--from: 'nowhere' has no file nasbench201_cifar10.csv; it is published as",),
    "images fetch cifar": ("images: 'cifar' is not known; did you mean 'cifar10'?", "Allowed: cifar10, cifar100"),
    "images fetch cifar100 --from folder": (
        "--from: 'folder' has no file cifar-100-python.tar.gz; it is published as",
    ),
    "images fetch cifar10 --from folder --image-dir file": ("file/cifar-10-batches-py cannot be written: ",),
    "tables import nowhere.pth": ("table: there is no file or folder 'nowhere.pth'; what can be imported is",),
    "tables import folder": ("table: 'folder' holds no cell; what can be imported is", "NATS-Bench-tss"),
    "tables import twice.csv": ("table: 'twice.csv' is no whole file of torch.save; what can be imported is",),
    "tables model nb201-kd --out x.txt": ("--out: x.txt must end in .csv, .parquet, .json.",),
    "tables model nb201-kd --classes 1": ("'--classes': 1 is not in the range x>=2",),
    "tables model nb201-kd-model": ("table: nb201-kd-model is modelled already; give the measured table.",),
    "tables model nb201-kd:destilled": ("'destilled' is not known; did you mean 'distilled'?",),
    "tables import file --out x.csv": ("--out: x.csv must end in .parquet.",),
    "tables import file --out file/x.parquet": ("--out: file cannot be written to: ",),
    # evidence
    "correlate run --metric kendal": ("--metric: 'kendal' is not known; did you mean 'kendall'?",),
    "correlate run --undefined drop": ("--undefined: 'drop' is not known", "worst, omit"),
    "correlate run --subset connected": ("--subset: 'connected' is not known", "all"),
    "correlate run --subset connected --json": ("--subset: 'connected' is not known", "all"),
    # checks
    "check": ("FILE: name the file of a proxy, or an installed proxy; `diswot proxies new NAME` writes a file.",),
    "check nowhere.py": ("FILE: nowhere.py is not a file; `diswot proxies new NAME` writes one to begin with.",),
    "check snipp": ("FILE: 'snipp' is not known; did you mean 'snip'?", "FILE.py:NAME picks one"),
    "check broken.py": ("FILE: ", "broken.py cannot be loaded: SyntaxError"),
    "check clash.py": ("FILE: ", "'snip' is registered already, by "),
    "check two.py": ("FILE: two.py has 2 proxies; name one, as two.py:one_of_two, of one_of_two, two_of_two.",),
    "check two.py:one_of_too": ("FILE: two.py: proxy: 'one_of_too' is not known; did you mean 'one_of_two'?",),
    "check snip --undecided maybe": ("--undecided: 'maybe' is not known. Allowed: fail, pass.",),
    "check snip --only floats64": ("--only: 'floats64' is not known; did you mean 'float64'?",),
    "check l2_norm --only live_edges": (
        "--only: live_edges is asked of proxies that declare it, and l2_norm does not.",
    ),
    "check snip --only regression": ("--only: there is no baseline of snip; --save FILE writes one.",),
    "check snip --margin 0": ("'--margin': 0.0 is not in the range x>0",),
    "check snip --against snipp": ("--against: 'snipp' is not known; did you mean 'snip'?",),
    "check snip --target s0-diswot": ("s0-diswot is of the search space s0, not nb201",),
    "check snip --baseline nowhere.json": ("--baseline: nowhere.json is not a file; --save nowhere.json writes it.",),
    "check snip --baseline broken.toml": ("--baseline: broken.toml cannot be read: ",),
    "check snip --out run": ("--out: run holds a run already, and a check scores anew; choose another folder.",),
    "proxies new snip": ("NAME: the proxy 'snip' is there already, in ",),
    "proxies new my-metric": ("NAME: 'my-metric' can be no proxy's name; take a Python identifier",),
    "report run --figures bar": ("--figures: 'bar' is not known; did you mean 'bars'?",),
    # folders
    "evaluate --out file": ("--out: file cannot be written to: ",),
    "evaluate --out file/below": ("--out: file/below cannot be written to: ",),
    "evaluate --out /proc/run": ("--out: /proc/run cannot be written to: ",),
    "run --out file": ("--out: file",),
    "run --out run": ("--out: run is the folder of one run; `diswot run` makes two",),
    "evaluate --space s0 --device cpu --out other_settings": (
        "--out: other_settings holds a run with other settings: batch_size 64 (there: 4), teacher resnet56 "
        "(there: s0:111); choose another folder or the same settings",
    ),
    "evaluate --out other_schema": ("--out: other_schema/run.json has schema 99; this version reads 1",),
    "correlate other_store": ("store: other_store/scores.sqlite cannot be opened as a store: its schema is 99",),
    "correlate no_store": ("store: no_store/scores.sqlite cannot be opened as a store: file is not a database",),
    "correlate damaged": ("store: damaged/scores.sqlite is damaged: ",),
    "evaluate --out only_store": ("--out: only_store has a store but no run.json; choose another folder",),
}

FILES = {
    "broken.py": b"def x(",
    "clash.py": b"from diswot import proxies\n@proxies.register(needs=[], source='')\ndef snip(trace): ...\n",
    "empty.py": b"from diswot import proxies\n",
    "two.py": b"from diswot import proxies\n"
    b"@proxies.register(needs=[], source='')\ndef one_of_two(trace): ...\n"
    b"@proxies.register(needs=[], source='')\ndef two_of_two(trace): ...\n",
    "broken.toml": b"cells = \n",
    "binary.toml": b"\xff\xfe",
    "unknown.toml": b"proxie = 'snip'\n",
    "itself.toml": b"config = 'itself.toml'\n",
    "flag.toml": b"out = true\n",
    "wrong.toml": b"batch-size = 'many'\n",
    "elsewhere.csv": b"cell,accuracy\n777,90\n",
    "unknown.csv": b"cell,accuracy\n712,90\n",
    "many.csv": b"cell,accuracy\n" + b"".join(b"%d,%d\n" % (cell, 50 + cell % 7) for cell in range(150)),
    "twice.csv": b"cell,accuracy\n111,90\n111,91\n",
    "text.csv": b"cell,accuracy\n111,good\n",
    "file": b"",
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one cheap proxy, to be copied."""
    from diswot.harness.cli import main

    folder = tmp_path_factory.mktemp("finished") / "run"
    with pytest.MonkeyPatch.context() as patch:
        from concurrent.futures import ThreadPoolExecutor

        patch.setattr("diswot.harness.pool.local", lambda workers, devices: ThreadPoolExecutor(1))
        assert main(["evaluate", *TINY, "--proxies", "params,live_convs", "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def place(tmp_path: Path, finished: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder full of traps, as the current one."""
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    for name in ("run", "other_settings", "other_schema", "other_store", "no_store", "damaged", "only_store"):
        shutil.copytree(finished, tmp_path / name)
    info = run_folder.info_path(Path("other_schema"))
    info.write_text(json.dumps(json.loads(info.read_text()) | {"schema": 99}))
    with closing(sqlite3.connect(run_folder.store_path(Path("other_store")))) as connection:
        connection.execute("PRAGMA user_version = 99")
    run_folder.store_path(Path("no_store")).write_bytes(b"cell,score\n" * 100)
    store = run_folder.store_path(Path("damaged"))
    store.write_bytes(store.read_bytes()[:4096] + b"\xff" * 4096)
    run_folder.info_path(Path("only_store")).unlink()
    return tmp_path


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_gets_one_sentence(line: str, cli: Cli, place: Path, plugin: object) -> None:
    said = cli(*line.split())
    *before, sentence = said.sentence.splitlines()
    assert said.status == 2
    assert sentence.startswith("diswot: ")
    for part in MISTAKES[line]:
        assert part in sentence
    # A sweep says what it will do before it finds, say, that the folder is not writable.
    assert all(line.startswith(("nb201: ", "s0: ")) and " into " in line for line in before)


def test_a_mistake_leaves_nothing_behind(cli: Cli, place: Path) -> None:
    before = sorted(place.rglob("*"))
    cli("evaluate", "--proxies", "nwott", "--out", "new")
    cli("evaluate", "--cells", "3,four", "--out", "new")
    cli("run", "--target", "nonsense", "--out", "new")
    cli("correlate", "run", "--target", "nonsense")
    assert sorted(place.rglob("*")) == before


def test_a_file_with_a_wrong_cell_is_named_with_the_line(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "cells.txt"
    path.write_text("3\nfour\n")
    assert "', line 2: cell: 'four' is not" in cli("evaluate", "--cells", path).sentence


def test_a_mistake_in_a_process_of_its_own(tmp_path: Path) -> None:
    code = "import sys; from diswot.harness.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "cell", "15625"], capture_output=True, text=True, cwd=tmp_path, timeout=120
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == ("diswot: cell: index 15625 is out of range; NAS-Bench-201 has the indices 0 to 15624.\n")


def test_help_and_lists_load_nothing_heavy(tmp_path: Path) -> None:
    code = """
import sys
from diswot.harness.cli import main
def loaded(*heavy):
    return [name for name in heavy if name in sys.modules]
commands = "run", "evaluate", "correlate", "compare", "report", "tables", "scores", "images", "proxies", "cell", "bench"
commands += ("check",)
for command in "", *commands:
    assert main([*command.split(), "--help"]) == 0
assert loaded("torch", "pandas", "scipy", "matplotlib") == [], loaded("torch", "pandas", "scipy", "matplotlib")
for command in "proxies list", "proxies show snip", "tables list", "scores list", "images list", "cell 7":
    for json in ([], ["--json"]):
        assert main([*command.split(), *json]) == 0
assert loaded("torch", "scipy", "matplotlib") == [], loaded("torch", "scipy", "matplotlib")
import diswot.harness.compute.sweep, diswot.harness.distillation.sweep, diswot.harness.search.study
assert loaded("distributed", "dask") == []
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", [[], ["tables"], ["scores"], ["images"], ["proxies"]])
def test_a_group_alone_shows_its_help(cli: Cli, command: list[str]) -> None:
    said = cli(*command)
    assert said.status == 2
    assert said.sentence.startswith("Usage: diswot")
    assert said.sentence.strip() in cli(*command, "--help").out


def test_the_version(cli: Cli) -> None:
    said = cli("--version")
    assert (said.status, said.out.startswith("diswot, version ")) == (0, True)


def test_lists_as_json(cli: Cli) -> None:
    proxies = json.loads(cli("proxies", "list", "--json").out)
    assert [record["name"] for record in proxies] == [*registry.names(), *ENSEMBLES]
    for name, one in ENSEMBLES.items():
        record = json.loads(cli("proxies", "show", name, "--json").out)
        assert (record["family"], tuple(record["members"]), record["source"]) == ("ensemble", one.members, one.source)
    assert json.loads(cli("proxies", "show", "snip", "--json").out)["defined_in"].partition(":")[0].endswith(".py")
    tables = json.loads(cli("tables", "list", "--json").out)
    assert {record["name"]: record["cells"] for record in tables} == {
        "analog-nasbench": 15625,
        "nb201-kd": len(load_table("nb201-kd").frame),
        "nb201-kd-model": 15625,
        "s0-diswot": 64,
        "nas-bench-macro": 430,
        **dict.fromkeys(("nb201", "hw-nas-bench", "nb201-robustness"), 0),
    }
    assert [record["state"] for record in tables] == [*["there"] * 5, *["not fetched"] * 3]
    images = json.loads(cli("images", "list", "--json").out)
    assert {record["name"]: record["state"] for record in images} == {
        "noise": "drawn",
        "cifar10": "not fetched",
        "cifar100": "not fetched",
        "imagenet16-120": "needs --image-dir",
    }
    assert json.loads(cli("tables", "show", "s0-diswot", "--json").out)["columns"][0]["count"] == 64
    cell = json.loads(cli("cell", "12", "--json").out)
    assert cell["cell"] == 12
    assert cell["accuracies"]["analog-nasbench:baseline"] > 0
    assert json.loads(cli("cell", "--space", "s0", "713", "--json").out)["string"] == "ResNet[7,1,3]"


#: A quick line for every command that has --json, which follows it.
JSON = {
    ("tables", "list"): (),
    ("tables", "show"): ("s0-diswot",),
    ("tables", "model"): ("many.csv",),
    ("scores", "list"): (),
    ("scores", "show"): ("nb201-cifar10",),
    ("images", "list"): (),
    ("proxies", "list"): (),
    ("proxies", "show"): ("snip",),
    ("cell",): ("7",),
    ("correlate",): ("run",),
    ("compare",): ("run", "run"),
    ("search",): ("run", "--proxy", "params", "--searches", "2", "--evaluations", "1", "--algorithm", "random"),
    ("bench",): (*TINY, "--proxies", "params"),
    ("check",): ("params", "--quick", "--only", "one_number"),
}


def with_json(group: click.Group = _diswot, *words: str) -> Iterator[tuple[str, ...]]:
    """The words of every command that has --json."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        if isinstance(command, click.Group):
            yield from with_json(command, *words, name)
        elif any(parameter.name == "as_json" for parameter in command.params):
            yield (*words, name)


@pytest.mark.parametrize("command", list(with_json()), ids=" ".join)
def test_json_stands_alone_on_standard_output(command: tuple[str, ...], cli: Cli, place: Path) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    said = cli(*command, *JSON[command], "--json")
    assert said.status == 0, said.sentence
    assert json.loads(said.out, parse_constant=refuse)


@pytest.mark.parametrize("name", ["stdout", "stderr"])
@pytest.mark.parametrize("line", ["proxies list", "tables list --json", "cell 7", "correlate run"])
def test_a_closed_stream_ends_no_command(
    name: str, line: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = "out" if name == "stderr" else "err"
    main(line.split())
    whole = getattr(capsys.readouterr(), other)
    monkeypatch.setattr(sys, name, None)
    assert main(line.split()) == 0
    getattr(sys, name).close()
    assert getattr(capsys.readouterr(), other) == whole


def test_a_mistake_with_closed_streams_keeps_its_status(tmp_path: Path) -> None:
    code = "import sys; from diswot.harness.cli import main; sys.exit(main())"
    for line, status in (("cell 7", 0), ("cell 15625", 2)):
        done = subprocess.run(
            ["sh", "-c", f'"$@" {line} >&- 2>&-', "sh", sys.executable, "-c", code], cwd=tmp_path, timeout=120
        )
        assert done.returncode == status


def test_figures_are_drawn_whatever_backend_a_notebook_hands_on(tmp_path: Path) -> None:
    code = """
import os, sys
import diswot.benchmarks, diswot.harness, diswot.harness.cli, diswot.proxies, diswot.reports
assert os.environ["MPLBACKEND"] == "module://absent.backend"  # a notebook's own backend stays
from diswot.harness.cli import main
assert main(["tables", "list", "--json"]) == 0
import diswot.reports.style.canvas
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
        env=os.environ | {"MPLBACKEND": "module://absent.backend"},
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[BaseException], None]]:
    """Makes a distribution's plug-in raise while it is loaded."""

    def install(error: BaseException) -> None:
        def load() -> None:
            raise error

        owner = SimpleNamespace(name="evil-metrics")
        plugin = SimpleNamespace(name="evil", value="evil_metrics", dist=owner, load=load)
        monkeypatch.setattr(registry, "entry_points", lambda group: [plugin])
        registry._load_installed.cache_clear()

    yield install
    monkeypatch.undo()
    registry._load_installed.cache_clear()


class SilentError(Exception):
    def __str__(self) -> str:
        raise ValueError


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (SystemExit(0), "it calls sys.exit(0)"),
        (GeneratorExit(), "GeneratorExit"),
        (OSError("no"), "OSError: no"),
        (SilentError(), "SilentError"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_is_named_with_its_distribution(
    error: BaseException, says: str, cli: Cli, place: Path, installed: Callable[[BaseException], None]
) -> None:
    installed(error)
    for line in ("proxies list", "evaluate --proxies params", "search run --proxy snip"):
        said = cli(*line.split())
        assert (said.status, len(said.sentence.splitlines())) == (2, 1)
        assert (
            "the plug-in 'evil' (evil_metrics) of the installed distribution evil-metrics cannot be " in said.sentence
        )
        assert says in said.sentence
    for line in ("tables list", "scores list", "cell 7", "correlate run", "search run --proxy params --evaluations 1"):
        assert cli(*line.split()).status == 0


def test_cells_without_a_distilled_accuracy_are_told_which_have_one(cli: Cli, tmp_path: Path) -> None:
    run = ["evaluate", *QUICK, "--proxies", "params", "--out", tmp_path]
    says = (
        "no distilled accuracy: nb201-kd has one for 0 of these 3 cells, and 3 are needed; "
        "`diswot evaluate --cells nb201-kd:100` takes 100 cells that have one."
    )
    assert says in cli(*run, "--cells", "0,1,3").sentence
    said = cli("correlate", tmp_path)
    assert (said.status, says in said.sentence, says in said.out) == (0, True, False)
    assert says not in cli("correlate", tmp_path, "--target", "analog-nasbench:baseline").sentence
    known = cli(*run[:-1], tmp_path / "known", "--cells", "nb201-kd:3").sentence
    assert "no distilled accuracy" not in known


def test_the_seeds_of_a_set_are_counted_and_named(cli: Cli) -> None:
    assert "1 (seed 0)" in cli("scores", "list").out
    assert json.loads(cli("scores", "list", "--json").out)[0]["seeds"] == [0]


def test_no_name_of_a_library_stands_where_an_option_was_typed(cli: Cli, place: Path) -> None:
    for line in (
        "correlate run --target nowhere.csv",
        "report run --target nonsense",
        "check params --quick --target nonsense",
        "check params --quick --with nonsense",
        "correlate run --with nonsense",
        "search run --proxy params --budget nonsense:column=3",
        "search run --proxy params --target nonsense",
        "search run --proxy params --cells 3.5,",
        "distill --compare nonsense",
        "evaluate --teacher nb201:nonsense",
        "evaluate --out damaged_info",
        "run --target nonsense",
    ):
        (place / "damaged_info").mkdir(exist_ok=True)
        run_folder.info_path(place / "damaged_info").write_text("[")
        option = line.split()[-2]
        said = cli(*line.split())
        assert (said.status, said.sentence.splitlines()[-1].startswith(f"diswot: {option}: ")) == (2, True), said


def test_the_lists_read_well(cli: Cli) -> None:
    assert "snip" in cli("proxies", "list").out
    assert "An ensemble of synflow, jacov and snip." in cli("proxies", "list").out
    assert "direction" in cli("proxies", "show", "snip").out
    assert "analog-nasbench" in cli("tables", "list").out
    assert "not fetched" in cli("tables", "list").out
    assert "not fetched" in cli("images", "list").out
    assert "licence" in cli("tables", "show", "analog-nasbench").out
    shown = cli("cell", "12").out
    assert "node 0 is the input, node 3 the output" in shown
    assert "analog-nasbench:baseline" in shown


def test_a_cell_by_any_of_its_names(cli: Cli) -> None:
    by_index = json.loads(cli("cell", "12", "--json").out)
    assert json.loads(cli("cell", by_index["string"], "--json").out) == by_index


def test_evaluate_says_what_it_does_and_did(cli: Cli, tmp_path: Path) -> None:
    said = cli("evaluate", *TINY, "--proxies", "params", "--out", tmp_path)
    first, *others, last = said.sentence.splitlines()
    assert (said.status, said.out) == (0, "")
    assert all(line.startswith("the precomputed scores s0-noise have other settings") for line in others)
    assert first == (
        f"s0: 1 proxy x 2 cells x 1 seed, 4 images of noise, teacher s0:111, 1 worker on cpu, into {tmp_path}"
    )
    assert timeless(last) == f"{tmp_path}: 2 scores in 0 s"
    again = cli("evaluate", *TINY, "--proxies", "params", "--out", tmp_path).sentence.splitlines()[-1]
    assert timeless(again) == f"{tmp_path}: 0 scores in 0 s, 2 were there already"


def test_failed_scores_are_named_and_counted(cli: Cli, plugin: Callable[..., Path], tmp_path: Path) -> None:
    path = plugin("if trace.logits.shape:\n    raise OSError('no luck')", needs="'logits'")
    run = ["evaluate", *TINY, "--plugin", path, "--proxies", "params,mine", "--out", tmp_path / "run"]
    said = cli(*run)
    assert said.status == 1
    assert timeless(said.sentence).splitlines()[-2:] == [
        f"{tmp_path / 'run'}: 4 scores in 0 s, 2 failed",
        "  failed 2 times: mine: OSError: no luck",
    ]
    table = cli("correlate", tmp_path / "run", "--full")
    assert table.status == 0
    heads = next(re.split(r"\s{2,}", line) for line in table.out.splitlines() if line.startswith("proxy"))
    counts = [heads.index(f"{name} distilled") for name in ("n", "undefined", "failed")]
    lines = [line.removeprefix("> ") for line in table.out.splitlines() if line.startswith(("params", "> mine"))]
    by_proxy = {line.split()[0]: line.split() for line in lines}
    assert [by_proxy["params"][place] for place in counts] == ["2", "0", "0"]
    assert [by_proxy["mine"][place] for place in counts] == ["0", "0", "2"]


def test_undefined_scores_are_an_answer(cli: Cli, plugin: Callable[..., Path], tmp_path: Path) -> None:
    path = plugin("return float('nan')")
    said = cli("evaluate", *TINY, "--plugin", path, "--proxies", "mine", "--out", tmp_path / "run")
    assert said.status == 0
    assert re.search(r"2 scores in \d+ s, 2 undefined$", said.sentence)


def test_correlate_says_which_scores_overflowed(cli: Cli, plugin: Callable[..., Path], tmp_path: Path) -> None:
    path = plugin("return float('inf')")
    cli("evaluate", *TINY, "--plugin", path, "--proxies", "mine,params", "--out", tmp_path / "run")
    said = cli("correlate", tmp_path / "run")
    assert said.status == 0
    assert "mine: 2 scores overflowed and rank worst; take a logarithm in the proxy." in said.out
    assert "No correlation: it needs 10 different functions, and 2 have an accuracy." in said.out
    assert "+1.000" not in said.out


def test_correlations_on_screen_and_on_disk(cli: Cli, place: Path) -> None:
    said = cli("correlate", "run", "--full")
    assert said.status == 0
    assert re.search("^proxy +distilled +partial .* vanilla ", said.out, re.MULTILINE)
    as_json = json.loads(cli("correlate", "run", "--json").out)
    assert len(as_json) == 6
    written = cli("correlate", "run", "--out", "tables")
    assert written.sentence.split() == [
        word for suffix in (".csv", ".parquet", ".json") for word in ("wrote", f"tables/correlations{suffix}")
    ]
    assert json.loads(Path("tables/correlations.json").read_text()) == as_json


def test_a_report_names_what_it_wrote(cli: Cli, place: Path) -> None:
    said = cli("report", "run")
    assert said.status == 0
    first, figures = said.out.splitlines()
    assert first == "wrote run/report.html"
    assert Path("run/report.html").stat().st_size
    folder = Path(figures.split()[-1])
    assert int(figures.split()[0]) == len(list(folder.iterdir()))


@pytest.fixture
def drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page, with few figures, is made by the first command alone: they take most of a short run's time."""
    build, drawn = reports.build, []

    def once(found: Sequence[Results], out: Path) -> list[Path]:
        if not drawn:
            drawn.extend(build(found, out, ("bars", "search")))
        return list(drawn)

    monkeypatch.setattr(reports, "build", once)


@pytest.mark.usefixtures("drawn_once")
def test_the_whole_job(cli: Cli, tmp_path: Path) -> None:
    tiny = [*QUICK, "--cells", "nb201-kd:2", "--s0-cells", "111,113", "--full"]
    said = cli("run", *tiny, "--proxies", "params", "--out", tmp_path)
    assert said.status == 0
    assert "spearman with nb201-kd:distilled" in said.out
    assert "analog-nasbench:baseline" not in said.out
    assert "spearman with s0-diswot:distilled" in said.out
    for name in ("report.html", "nb201/scores.sqlite", "s0/correlations.csv"):
        assert str(tmp_path / name) in said.out
        assert (tmp_path / name).is_file()
    again = cli("run", *tiny, "--proxies", "params", "--out", tmp_path)
    assert again.out == said.out
    assert timeless(again.sentence).count("0 scores in 0 s, 2 were there already") == 2
    for name in ("nb201", "s0"):
        assert cli("correlate", tmp_path / name, "--full").out.strip() in said.out


def test_the_main_job_stands_where_a_search_cannot_be_judged(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diswot.harness.compute.bench.keep", lambda *_: None)  # which takes long and is tested apart
    build = reports.build
    monkeypatch.setattr(reports, "build", lambda found, out: build(found, out, ("bars",)))
    known = load_table("nb201-kd", "nb201").frame["distilled"].dropna().iloc[:24]
    known.rename("accuracy").rename_axis("cell").to_csv(tmp_path / "few.csv")
    cells = ",".join(map(str, known.index))
    tiny = [*QUICK, "--cells", cells, "--s0-cells", "111,113", "--proxies", "l2_norm", "--target", tmp_path / "few.csv"]
    said = cli("run", *tiny, "--full", "--out", tmp_path / "run")
    assert said.status == 0, said.sentence
    assert "nb201: no search: --target: few:accuracy has an accuracy for none of the" in said.sentence
    assert "few:accuracy" in said.out
    assert (tmp_path / "run" / "report.html").is_file()


def test_the_cost_of_proxies(cli: Cli, tmp_path: Path) -> None:
    said = cli("bench", *TINY, "--proxies", "params,snip", "--json", "--out", tmp_path / "costs.csv")
    names = [row["name"] for row in json.loads(said.out)]
    assert sorted(names[:2]) == ["params", "snip"]
    assert names[2:] == ["suite", "suite, one by one", "pass", "pass, channels_last"]
    kept = pd.read_csv(tmp_path / "costs.csv", engine="python")
    assert kept["relative_cost"].tolist() == [row["relative_cost"] for row in json.loads(said.out)]
    cli("bench", *TINY, "--proxies", "params,snip", "--out", tmp_path / "costs.csv")
    seconds = pd.read_csv(tmp_path / "costs.csv")["seconds"]
    assert (seconds.round(3) != seconds).any()  # what is rounded for the screen is not rounded in the file


def test_the_costs_of_a_run_that_grows_are_kept(tmp_path: Path) -> None:
    from diswot.harness.compute import bench, costs, plan, sweep

    for names in ("l2_norm", "synflow", "l2_norm"):
        tiny = plan.make(names, space="s0", cells=[111], batch_size=4, teacher="s0:111", device="cpu", workers=1)
        bench.keep(sweep.prepare(tiny), tiny, tmp_path)
        before = costs.read(costs.path_of(tmp_path))
    assert before is not None
    assert {"l2_norm", "synflow", "suite"} <= set(before.index)


def test_the_costs_of_another_version_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from diswot.harness.compute import bench, costs, plan, sweep
    from diswot.proxies import registry

    def seconds_alone() -> float:
        tiny = plan.make("l2_norm", space="s0", cells=[111], batch_size=4, teacher="s0:111", device="cpu", workers=1)
        bench.keep(sweep.prepare(tiny), tiny, tmp_path)
        table = costs.read(costs.path_of(tmp_path))
        assert table is not None
        return float(table.loc["l2_norm", "seconds"])

    first = seconds_alone()
    assert seconds_alone() == first
    newer = replace(registry.get("l2_norm"), version="2")
    monkeypatch.setitem(registry._registered, "l2_norm", newer)
    assert seconds_alone() != first


def test_a_path_may_begin_with_the_home_folder_where_no_shell_sees_it(
    cli: Cli, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cli("correlate", finished, "--out", "~/here.csv").status == 0
    assert (tmp_path / "here.csv").is_file()


def settings_of(folder: Path) -> tuple[dict[str, Any], list[tuple[int, int]]]:
    with Store(run_folder.store_path(folder), create=False) as store:
        frame = store.frame()
    return run_folder.read_info(folder).settings, sorted(set(zip(frame["cell"], frame["seed"], strict=True)))


def test_the_command_line_wins_over_the_file_and_the_file_over_the_defaults(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(
        "space = 's0'\ncells = [113]\nseeds = [4, 2]\nproxies = ['params', 'flops']\nbatch-size = 4\nbatch-seed = 9\n"
        f"teacher = 's0:111'\nworkers = 1\naugment = false\nout = '{tmp_path / 'run'}'\n"
    )
    said = cli("evaluate", "--config", path, "--batch-size", "8")
    assert said.status == 0
    settings, scored = settings_of(tmp_path / "run")
    assert scored == [(113, 2), (113, 4)]
    assert (settings["batch_size"], settings["batch_seed"], settings["images"]) == (8, 9, "noise")
    assert [p["name"] for p in run_folder.read_info(tmp_path / "run").proxies] == ["params", "flops"]


@pytest.mark.parametrize("target", ["'s0-diswot:vanilla'", "['s0-diswot:vanilla']"])
def test_a_repeatable_option_in_a_file(cli: Cli, place: Path, target: str) -> None:
    Path("settings.toml").write_text(f"target = {target}\njson = true\n")
    said = cli("correlate", "run", "--config", "settings.toml")
    assert {row["target"] for row in json.loads(said.out)} == {
        f"s0-diswot:{column}" for column in ("distilled", "vanilla", "gain")
    }


def test_an_interrupt_is_a_sentence(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupt(*arguments: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("diswot.harness.compute.sweep.run", interrupt)
    said = cli("evaluate", *TINY, "--proxies", "params", "--out", tmp_path)
    assert said.status == 1
    assert said.sentence.splitlines()[-1] == (
        "diswot: stopped; what was computed is stored, and the same command continues."
    )


def test_scores_are_exported_as_a_table(cli: Cli, tmp_path: Path) -> None:
    said = cli("evaluate", *TINY, "--proxies", "params,snip", "--out", tmp_path / "run", "--export", tmp_path / "s.csv")
    assert said.status == 0
    exported = pd.read_csv(tmp_path / "s.csv", engine="python")
    stored = results.load(tmp_path / "run").scores
    assert list(exported["value"]) == list(stored["value"])
    assert list(exported.columns) == list(diswot.load(tmp_path / "run").scores.columns)


def test_the_store_stands_for_its_run(cli: Cli, place: Path) -> None:
    assert cli("correlate", "run/scores.sqlite").out == cli("correlate", "run").out
    assert cli("report", "run/scores.sqlite", "--figures", "bars").out.startswith("wrote run/report.html")


def test_json_keeps_every_digit(cli: Cli, tmp_path: Path) -> None:
    cli("evaluate", *TINY, "--proxies", "pkt,fitnet", "--out", tmp_path / "run", "--export", tmp_path / "s.json")
    exported = [row["value"] for row in json.loads((tmp_path / "s.json").read_text())]
    assert exported == list(results.load(tmp_path / "run").scores["value"])


def test_new_scores_outdate_the_correlations(cli: Cli, tmp_path: Path) -> None:
    cli("evaluate", *TINY, "--proxies", "params", "--out", tmp_path / "run")
    cli("correlate", tmp_path / "run")
    assert len(results.load(tmp_path / "run").correlations)
    cli("evaluate", *TINY, "--proxies", "params", "--out", tmp_path / "run")
    assert len(results.load(tmp_path / "run").correlations)
    cli("evaluate", *TINY, "--proxies", "flops", "--out", tmp_path / "run")
    assert not len(results.load(tmp_path / "run").correlations)


def test_two_tables_of_one_name_are_refused(cli: Cli, place: Path) -> None:
    for folder in ("a", "b"):
        Path(folder).mkdir()
        Path(folder, "x.csv").write_text("cell,vanilla\n111,60\n113,61\n")
    said = cli("correlate", "run", "--target", "a/x.csv:vanilla", "--target", "b/x.csv:vanilla")
    assert said.status == 2
    assert "a/x.csv and b/x.csv would both be called x;" in said.sentence


def test_counts_that_differ_between_targets_are_shown_for_each(cli: Cli, place: Path) -> None:
    Path("kd.csv").write_text("cell,vanilla,distilled\n111,60,61\n113,61,\n")
    said = cli("correlate", "run", "--target", "kd.csv:distilled", "--full")
    header, _, row = next(
        said.out.splitlines()[number:][:3]
        for number, line in enumerate(said.out.splitlines())
        if line.startswith("proxy")
    )
    columns = re.split(r"\s{2,}", header)
    assert {"n distilled", "n vanilla", "undefined distilled", "undefined vanilla"} <= set(columns)
    assert row.split()[columns.index("n distilled")] == "1"


def test_what_a_plug_in_prints_spoils_no_json(cli: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "prints.py"
    path.write_text(
        "from diswot import proxies\nprint('loaded')\n"
        "@proxies.register(needs=['weights'], source='test', version='1')\n"
        "def prints(trace):\n    print('scoring')\n    return float(len(trace.weights))\n"
    )
    before = dict(registry._registered)
    try:
        listed = cli("proxies", "list", "--json", "--plugin", path)
        checked = cli("check", path, "--quick", "--only", "one_number", "--json")
    finally:
        registry._registered.clear()
        registry._registered.update(before)
    assert "prints" in {proxy["name"] for proxy in json.loads(listed.out)}
    assert json.loads(checked.out)["status"] == 0
    assert listed.sentence == "loaded\n"
    assert set(checked.sentence.split()) == {"scoring"}
