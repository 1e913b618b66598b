"""Rules for the options of every command, so that the next option is covered by being added."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from diswot.harness import cli as command_line
from diswot.harness.cli import options

Cli = Callable[..., Any]

#: No option can mean it.
HUGE = str(10**30)


def commands(group: click.Group, *words: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that is not a group, with the words that call it."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        if isinstance(command, click.Group):
            yield from commands(command, *words, name)
        else:
            assert command is not None
            yield (*words, name), command


PARAMETERS = [
    pytest.param(words, command, parameter, id=f"{' '.join(words)} {options.typed(parameter)}")
    for words, command in commands(command_line._diswot)
    for parameter in command.params
    if not (isinstance(parameter, click.Option) and parameter.is_flag)
]


def of_type(*types: type) -> list[Any]:
    return [case for case in PARAMETERS if isinstance(case.values[2].type, types)]


def line(words: tuple[str, ...], command: click.Command, parameter: click.Parameter, value: str) -> list[str]:
    """The words of a command in which one parameter has a value."""
    if isinstance(parameter, click.Option):
        required = ["x" for other in command.params if isinstance(other, click.Argument) and other.required]
        return [*words, options.typed(parameter), value, *required]
    given = [value if other is parameter else "x" for other in command.params if isinstance(other, click.Argument)]
    return [*words, *given]


def refused(cli: Cli, arguments: list[str]) -> str:
    said = cli(*arguments)
    assert (said.status, said.out) == (2, "")
    assert said.sentence.startswith("diswot: ")
    assert len(said.sentence.splitlines()) == 1
    assert len(said.sentence) < 420
    return str(said.sentence)


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("words", "command", "parameter"), PARAMETERS)
def test_option_has_a_type_that_checks_its_values(
    words: tuple[str, ...], command: click.Command, parameter: click.Parameter
) -> None:
    checked = (options.Whole, options.Finite, type(options.PATH), type(options.TEXT))
    assert isinstance(parameter.type, checked), f"the type of {' '.join(words)} {parameter.name} checks nothing"


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999"])
@pytest.mark.parametrize(("words", "command", "parameter"), of_type(click.types.FloatParamType))
def test_float_option_refuses_what_is_not_finite(
    words: tuple[str, ...], command: click.Command, parameter: click.Parameter, value: str, cli: Cli
) -> None:
    sentence = refused(cli, line(words, command, parameter, value))
    assert f"Invalid value for '{options.typed(parameter)}'" in sentence


@pytest.mark.parametrize("value", [HUGE, f"-{HUGE}", "9" * 5000])
@pytest.mark.parametrize(("words", "command", "parameter"), of_type(click.types.IntParamType))
def test_integer_option_refuses_a_huge_number(
    words: tuple[str, ...], command: click.Command, parameter: click.Parameter, value: str, cli: Cli
) -> None:
    sentence = refused(cli, line(words, command, parameter, value))
    assert f"Invalid value for '{options.typed(parameter)}'" in sentence


@pytest.mark.parametrize(
    ("value", "says"), [("", "is empty"), (" ", "is empty"), ("a\0b", "has a NUL character"), ("m\udcfc", "not UTF-8")]
)
@pytest.mark.parametrize(("words", "command", "parameter"), of_type(type(options.PATH), type(options.TEXT)))
def test_text_or_path_option_refuses_what_names_nothing(
    words: tuple[str, ...], command: click.Command, parameter: click.Parameter, value: str, says: str, cli: Cli
) -> None:
    sentence = refused(cli, line(words, command, parameter, value))
    assert sentence.startswith(f"diswot: {options.typed(parameter)}: {value!r} ")
    assert says in sentence


def test_setting_of_a_file_is_checked_as_an_option_is(cli: Cli, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    for text, says in {
        r'out = "a\u0000b"': "--out: 'a\\x00b' has a NUL character",
        r'plugin = ["a\u0000b"]': "--plugin: 'a\\x00b' has a NUL character",
        "out = ''": "--out: '' is empty",
        f"vectorised-seeds = {HUGE}": "Invalid value for '--vectorised-seeds'",
    }.items():
        settings.write_text(text)
        assert says in refused(cli, ["evaluate", "--config", str(settings)])


def test_configuration_may_begin_with_a_byte_order_mark(cli: Cli, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_bytes(b"\xef\xbb\xbfproxies = 'nwott'\n")
    assert "--proxies: 'nwott' is not known" in refused(cli, ["evaluate", "--config", str(settings)])


IDLE = {
    "evaluate --image-dir x": "--image-dir: it plays a part only with --images other than noise; leave it out.",
    "run --image-dir x": "--image-dir: it plays a part only with --images other than noise",
    "bench --image-dir x": "--image-dir: it plays a part only with --images other than noise",
    "search --device cpu": "--device: it plays a part only with --scores live; leave it out.",
    "search --device auto": "--device: it plays a part only with --scores live",
    "search --workers 2": "--workers: it plays a part only with --scores live",
    "search --image-dir x": "--image-dir: it plays a part only with --scores live",
    "search --scheduler tcp://a:1": "--scheduler: stored scores need no cluster; add `--scores live`",
    "search --algorithm random --population 3": "--population: it plays a part only with --algorithm evolution",
    "search --algorithm random --tournament 3": "--tournament: it plays a part only with --algorithm evolution",
    "search --algorithm random --crossover 0": "--crossover: it plays a part only with --algorithm evolution",
    "check params --only one_number --against nosuch": "--against: it plays a part only with --only worth, or without",
    "check params --only order --margin .1": "--margin: it plays a part only with --only regression or worth, or with",
    "check params --only order --target s0-diswot": "--target: it plays a part only with --only regression or worth",
    "check params --only worth --baseline x": "--baseline: it plays a part only with --only regression, or without",
    "check params --only order --with nb201-cifar10": "--with: it plays a part only with --only conformance or",
    "check params --only order --image-dir x": "--image-dir: it plays a part only with --only conformance or",
    "check params --only order --out x": "--out: it plays a part only with --only conformance or",
    "check params --tolerance .1": "--tolerance: it plays a part only with --save",
    "check --refresh-reference --out x": "--out: it plays a part only where a FILE is checked",
}


@pytest.mark.parametrize("text", IDLE)
def test_option_that_plays_no_part_is_refused(text: str, cli: Cli) -> None:
    assert IDLE[text] in refused(cli, text.split())


def test_option_that_plays_no_part_is_refused_in_a_file_too(cli: Cli, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text("device = 'cpu'\n")
    sentence = refused(cli, ["search", "--config", str(settings)])
    assert "--device: it plays a part only with --scores live" in sentence


@pytest.mark.parametrize("text", ["report --figures ,", "check params --against ,", "search --algorithm ,"])
def test_list_of_nothing_is_refused(text: str, cli: Cli) -> None:
    assert "',' names nothing" in refused(cli, text.split())


def test_message_repeats_no_more_than_80_characters_of_a_value(cli: Cli, tmp_path: Path) -> None:
    column = "accuracy of the last epoch " * 800
    table = tmp_path / "long.csv"
    table.write_text(f"cell,{column}\n3,90\n")
    for arguments in (
        ["evaluate", "--cells", "9" * 5000],
        ["evaluate", "--cells", "3,|" + "x" * 5000],
        ["evaluate", "--space", "s" * 5000],
        ["evaluate", "--seeds", "9" * 5000],
        ["evaluate", "--cells", f"nb201-kd:{'9' * 5000}"],
        ["tables", "show", "t" * 5000],
    ):
        assert len(cli(*arguments).sentence) < 500
    sentence = cli("distill", "--compare", f"{table}:accurate").sentence
    assert "--compare: " in sentence or "--target: the column of" in sentence
    assert len(sentence) < 500
