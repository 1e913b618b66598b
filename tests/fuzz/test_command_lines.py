"""Command lines made of click's own options: whatever is typed, a command ends with one of its three statuses.

The strategies come from the command tree, so that a new command or option is fuzzed by being added. What a value may be
is known by its type, its help text and `GOOD`; a value that is good for something reaches further into the code.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import strategies as st

from diswot.benchmarks.errors import quoted
from diswot.harness import cli

#: Texts that have broken something somewhere.
TEXTS = (
    *("", " ", "a b", "a\nb", "\t", "\x1b[31mred", "\x7f", "caf\udce9", "\udcff\udcfe", "é", "\N{SNOWMAN}"),
    *("\N{RIGHT-TO-LEFT OVERRIDE}", "x" * 300, "x" * 20_000, "," * 1000, "|none~0|", "<script>alert(1)</script>"),
    *(",", ":", "=", "-", "--", ".", "*", "~", "~nobody", "%s", "{0}", "$HOME", "None", "true", "'", '"', "a=b", "=3"),
    *("s0:", "nb201:", "s0-diswot:", ":distilled", "run:", "params="),
    *shlex.split("http://[bad tcp://127.0.0.1:1 tcp://[::1 cuda:99 cuda:-1"),
)

#: Numbers, and what may be taken for one. Those that are meant are small; no machine can do as much as the others ask.
NUMBERS = (
    *shlex.split("0 1 2 3 20 -1 -0 +1 1_0 0.5 1.0 1e-300 1e3 0x10 007 1, ,1 1,,1 0,1 nan -nan inf -inf 1e308 1e999"),
    *(str(10**9), str(2**31), str(2**63), str(10**30), "9" * 5000, " 1", "1 "),
    *("\N{ARABIC-INDIC DIGIT THREE}", "\N{SUPERSCRIPT TWO}", "\N{FULLWIDTH DIGIT TWO}"),
)

#: Paths in the folder that commands run in, of every kind, and some that are none.
PATHS = (
    *shlex.split("run nb201-run distillation folder mine images . .. run/search nb201-cifar10"),
    *shlex.split("run/run.json run/scores.sqlite distillation/trainings.csv distillation/distillation.json teacher.pt"),
    *shlex.split("table.csv table.parquet table.json cells.txt settings.toml plugin.py notes notes/below /dev/null"),
    *shlex.split("nowhere nowhere/below nowhere.csv nowhere.json nowhere.parquet nowhere.txt"),
)

#: Values that an option or an argument is meant to have, small ones; `COMMAND PARAMETER` where a command differs.
GOOD = {
    "cells": ("3,7", "111,113", "2", "nb201-kd:2", "cells.txt", "s0-diswot:2"),
    "s0_cells": ("111,113", "2", "cells.txt"),
    "proxies": ("params", "params,live_convs", "nwot", "mine"),
    "seeds": ("1", "2", "5,"),
    "targets": ("s0-diswot:distilled", "s0-diswot", "nb201-kd:vanilla", "table.csv:accuracy", "table.json"),
    "run": ("run", "nb201-run", "run/scores.sqlite", "."),
    "runs": ("run", "nb201-run", "run/scores.sqlite", "."),
    "plugins": ("plugin.py",),
    "teacher": ("s0:111", "nb201:3", "teacher.pt", "s0:111=teacher.pt", "s0:111,resnet20"),
    "budgets": ("params=1e6", "flops=1e7", "s0-diswot:distilled=90"),
    "cost": ("params", "s0-diswot:distilled"),
    "precomputed": ("nb201-cifar10",),
    "figures": ("bars",),
    "image_dir": ("images",),
    "changes": ("epochs=1", "C=4", "samples=64"),
    "compare": ("nb201-kd:vanilla",),
    "suite": ("nb201-2026",),
    "fail_on": ("spearman:0.02", "cost:10%"),
    "merged": ("distillation/trainings.csv",),
    "evaluations": ("4",),
    "searches": ("2",),
    "population": ("2",),
    "only": ("one_number", "side_effects"),
    "save": ("saved.json",),
    "check file": ("params", "plugin.py", "plugin.py:mine"),
    "tables show name": ("s0-diswot", "nb201-kd", "table.csv", "table.parquet", "table.json"),
    "scores show name": ("nb201-cifar10",),
    "proxies show name": ("params", "mine"),
    "images fetch name": ("cifar10", "cifar100"),
    "tables fetch name": ("nb201", "hw-nas-bench", "nb201-robustness"),
    "cell cell": ("3", "713", "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"),
}

#: Options without which a command would take long. What is drawn comes after them, and wins.
SMALL = {
    "run": "--cells 3,7 --s0-cells 111,113 --proxies params,live_convs --batch-size 2 --teacher s0:111",
    "evaluate": "--cells 3,7 --batch-size 2 --teacher s0:111",
    "correlate": "",
    "compare": "run",
    "search": "--searches 2 --proxy params",
    "report": "--figures bars",
    "check": "--quick --only one_number",
    "distill": "--cells 111, --image-dir images --teacher teacher.pt --set C=4 --set epochs=1 --set samples=64",
    "bench": "--cells 3, --proxies params --batch-size 2",
}

#: How many lines are tried of commands that take seconds.
COUNTS = {"run": 4, "report": 10}

#: Options that are not drawn: that of help ends every command, the file is drawn apart, and maintainers alone write
#: into the package.
LEFT_OUT = ("help", "config", "refresh_reference")

_FILE = "fuzzed.toml"


def _commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    yield " ".join(path), command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _commands(below, (*path, name))


COMMANDS = dict(_commands(cli._diswot))


@dataclass(frozen=True)
class Line:
    """What is typed, and the configuration that it may name.

    Attributes:
        words: all that is typed after `diswot`.
        arguments: those of them that stand without an option.
        meaningless: an option's value that stands for nothing in any command; None where there is none.
        settings: what stands in the file that --config names.
    """

    words: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    meaningless: str | None = None
    settings: str = ""

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # Hypothesis prints a failing example by this.
        printer.text(self.pasted())

    def pasted(self) -> str:
        """Return what a shell takes."""
        command = " ".join(map(_quoted, ("diswot", *self.words)))
        return f"printf %s {_quoted(self.settings)} > {_FILE}; {command}" if self.settings else command


def _quoted(word: str) -> str:
    if word.isprintable() and word.isascii():
        return shlex.quote(word)
    escaped = "".join(chr(byte) if chr(byte) in _PLAIN else f"\\x{byte:02x}" for byte in os.fsencode(word))
    return f"$'{escaped}'"


_PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ,.:=/|~+-_<>()[]{}"


def _good(path: str, parameter: click.Parameter) -> st.SearchStrategy[str]:
    """Draw what a parameter is meant to have: by `GOOD`, its default, or else its help text."""
    known = GOOD.get(f"{path} {parameter.name}", GOOD.get(str(parameter.name), ()))
    if isinstance(parameter.type, (click.types.IntParamType, click.types.FloatParamType)):
        known = known or ("1", "2")
    said = re.findall(r"[a-z0-9]{3,}", f"{parameter.default or ''} {getattr(parameter, 'help', None) or ''}")
    return st.sampled_from(known or said or PATHS)


def _odd(parameter: click.Parameter) -> st.SearchStrategy[str]:
    """Draw what something is wrong with, as the parameter's type is."""
    some = st.text("a1é,:=|. -\n\x1b\udce9", max_size=6)
    if isinstance(parameter.type, (click.types.IntParamType, click.types.FloatParamType)):
        return st.sampled_from((*NUMBERS, *NUMBERS, *TEXTS[:4]))
    if isinstance(parameter.type, click.Path):
        return st.one_of(st.sampled_from((*PATHS, *PATHS, *TEXTS)), some)
    return st.one_of(st.sampled_from((*TEXTS, *NUMBERS, *PATHS)), some)


def _literals(option: click.Option) -> st.SearchStrategy[str]:
    # What a configuration may hold: the same as texts, and values of TOML's other types.
    odd = (
        "true",
        "3",
        "-1",
        "1e400",
        "nan",
        str(10**30),
        "1979-05-27",
        "[]",
        "[1]",
        '["params"]',
        "{a = 1}",
        '"\\u0000"',
    )
    texts = _odd(option).map(lambda text: json.dumps(text, ensure_ascii=False))
    return st.one_of(texts, st.sampled_from((*odd, "[" * 3000)))


@st.composite
def lines(draw: st.DrawFn, path: str) -> Line:
    """Draw a command line: of arguments and options one is odd, or a configuration's, or the line as a whole."""
    command = COMMANDS[path]
    arguments = [one for one in command.params if isinstance(one, click.Argument)]
    options = [one for one in command.params if isinstance(one, click.Option) and one.name not in LEFT_OUT]
    several = draw(st.lists(st.sampled_from(options), min_size=1, max_size=3, unique=True)) if options else []
    odd = draw(st.sampled_from([*several, *arguments, None]))
    words = [*path.split(), *shlex.split(SMALL.get(path, ""))]
    given = tuple(draw(_odd(argument) if argument is odd else _good(path, argument)) for argument in arguments)
    words += given
    settings, meaningless = "", None
    for option in several:
        name = draw(st.sampled_from([*option.opts, *option.secondary_opts]))
        if option is odd and has_config(command) and draw(st.integers(0, 5)) == 5:
            words += ["--config", _FILE]
            settings = f"{option.opts[0].lstrip('-')} = {draw(_literals(option))}\n"
        elif option.is_flag:
            words.append(name)
        else:
            value = draw(_odd(option) if option is odd else _good(path, option))
            words += draw(st.sampled_from([[name, value], [f"{name}={value}"]]))
            meaningless = f"{name}={value}" if value in ("", "nan", "-nan") else meaningless
    if odd is None:
        subcommands = [name.rpartition(" ")[2][:-1] for name in COMMANDS]
        words += draw(
            st.sampled_from([[], ["--help"], ["--nosuch", "3"], *([text] for text in (*subcommands, *TEXTS))])
        )
    return Line(tuple(words), given, meaningless, settings)


def has_config(command: click.Command) -> bool:
    """Whether a command takes its options from a file, too."""
    return any(parameter.name == "config" for parameter in command.params)


def how_many(path: str) -> int:
    """Return how many lines of a command are tried: the more, the more options it has."""
    return COUNTS.get(path, 6 + 3 * len(COMMANDS[path].params))


def test_command_lines_are_enough() -> None:
    assert sum(map(how_many, COMMANDS)) >= 500


@pytest.mark.parametrize("path", COMMANDS)
def test_command_line_ends_with_a_status(
    path: str, playground: Any, explore: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    if path == "run":  # its figures are those of `report`
        monkeypatch.setattr("diswot.reports.build", lambda found, folder: [folder / "report.html"])

    def check(line: Line) -> None:
        with playground.renewed() as here:
            (here / _FILE).write_bytes(os.fsencode(line.settings))
            answer = playground.run(*line.words)
            faults = [*answer.faults(), *_unnamed(path, line, answer), *_lost(playground.template, here, line)]
        if line.meaningless and answer.status == 0:
            faults.append(f"accepts {line.meaningless}")
        if faults:
            said = f"{answer.out[-500:]}{answer.err[-1000:]}"
            how = f"in a copy of {playground.template}: {line.pasted()}"
            raise AssertionError(f"{'; '.join(faults)}\n  {how}\n{said}") from answer.error

    explore(check, how_many(path), line=lines(path))


def _unnamed(path: str, line: Line, answer: Any) -> list[str]:
    # A sentence names an option, or what stands without one; click's own names it too, and says where help is.
    said = answer.err.splitlines()
    if answer.status != 2 or not said or not said[-1].startswith("diswot: "):
        return []
    if "See `diswot" in said[-1] or " died" in said[-1]:  # workers die here, whatever is typed
        return []
    options = {"command"} | {name for one in COMMANDS[path].params for name in (*one.opts, str(one.name).upper())}
    named = any(re.search(rf"(?<![\w-]){name}(?![\w-])", said[-1]) for name in options)
    repeated = any(text in said[-1] or quoted(text)[1:-1] in said[-1] for text in line.arguments)
    return [] if named or repeated else ["names no argument"]


#: Where scores are, and under which table.
STORES = {
    "run/scores.sqlite": "scores",
    "nb201-run/scores.sqlite": "scores",
    "distillation/trainings.sqlite": "trainings",
}


def _lost(template: Path, here: Path, line: Line) -> list[str]:
    # A finished run keeps its scores and settings, and the user's files stay as they are where they are not the output.
    found = [f"{path} loses rows" for path in STORES if not _rows(template, path) <= _rows(here, path)]
    for path in ("run/run.json", "nb201-run/run.json", "distillation/distillation.json"):
        kept, now = (json.loads((folder / path).read_text()).get("settings_hash") for folder in (template, here))
        found += [f"{path} is another run's"] if kept != now else []
    for file in sorted(template.rglob("*")):
        path = file.relative_to(template)
        if file.is_file() and path.parts[0] not in ("run", "nb201-run", "distillation"):
            named = any(word.endswith(str(path)) for word in line.words)
            if not named and not ((here / path).is_file() and (here / path).read_bytes() == file.read_bytes()):
                found.append(f"{path} is lost")
    return found


def _rows(folder: Path, path: str) -> set[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / path)) as connection:
        return set(connection.execute(f"SELECT * FROM {STORES[path]} WHERE status = 'ok'"))
