"""The options that commands share: one name, one meaning, one help text, everywhere."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from diswot.benchmarks.errors import InputError, quoted, unknown
from diswot.benchmarks.paths import expanded
from diswot.harness import files

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    import pandas as pd

F = TypeVar("F", bound=Callable[..., Any])


#: Where a context keeps the names of the parameters that its configuration file sets.
_CONFIGURED = "diswot.harness.cli.options.configured"


def typed(parameter: click.Parameter | None) -> str:
    """Return the name of an option or argument as the user types it, such as ``--out`` or ``RUN``."""
    if isinstance(parameter, click.Option):
        return next((name for name in parameter.opts if name.startswith("--")), parameter.opts[0])
    return "value" if parameter is None else parameter.human_readable_name


def _text(value: Any, parameter: click.Parameter | None) -> str:
    text = os.fsdecode(value)
    if not text.strip():
        raise InputError(f"{typed(parameter)}: {text!r} is empty; give a value, or leave it out.")
    if "\0" in text:
        raise InputError(f"{typed(parameter)}: {quoted(text)} has a NUL character, which no name can have.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{typed(parameter)}: {quoted(text)} is not UTF-8, as names in tables and pages must be; rename it."
        ) from error
    return text


class _Text(click.ParamType):
    """A text that is not empty and that every file of a run can hold."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return _text(value, param)


#: The longest name of a file or folder, in bytes, on every file system that is common today.
_LONGEST_NAME = 255


class _UserPath(click.Path):
    """A path that may begin with ``~``, also where no shell sees it, as in a configuration."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        text = _text(value, param)
        if any(len(os.fsencode(part)) > _LONGEST_NAME for part in Path(text).parts):
            self.fail(f"{quoted(text)} holds a name of more than {_LONGEST_NAME} bytes.", param, ctx)
        return expanded(typed(param), _text(super().convert(text, param, ctx), param))


class _NewFile(_UserPath):
    """A file to write: where something else than a file stands at the path, it is refused before any work."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = super().convert(value, param, ctx)
        if path.exists() and not path.is_file():
            self.fail(f"{quoted(str(path))} is not a file; it must be one, or not exist.", param, ctx)
        files.require_folder(path.parent, typed(param))
        return path


class Whole(click.IntRange):
    """An integer within bounds, of which no more than ``most`` can be meant, for a reason."""

    def __init__(
        self,
        min: int,
        max: int | None = None,
        *,
        most: int = 10**18 - 1,
        reason: str = "a store holds no number of more digits",
    ) -> None:
        """Take the bounds that the help shows, and what no value may exceed though the help does not show it."""
        super().__init__(min, max)
        self.most = most
        self.reason = reason

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the integer that a text stands for."""
        number = int(super().convert(click.INT.convert(value, param, ctx), param, ctx))
        if number > self.most:
            self.fail(f"{number} is more than {self.most}: {self.reason}.", param, ctx)
        return number


class Finite(click.FloatRange):
    """A number within bounds that is neither infinite nor NaN."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number that a text stands for."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{number} is not a finite number.", param, ctx)
        return number


#: The option for what the Python interface calls otherwise.
_OPTION_OF = {"driver": "proxy"}


#: Options by the names that version 0.2 had for them; version 0.4 need not take these.
_EARLIER = {"measure": "metric", "stack": "vectorised-seeds"}


def current(option: str, **earlier: str) -> str:
    """Return the name that an option has now, without dashes; ``earlier`` has further ones of a command by theirs."""
    now = (_EARLIER | earlier).get(option, option)
    if now != option:
        click.echo(f"--{option} is called --{now} now.", err=True)
    return now


class Command(click.Command):
    """A command that checks every text as it does paths, and names the option in errors about a parameter."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        """Take what `click.Command` takes, and let `TEXT` check every text."""
        super().__init__(*arguments, **keywords)
        self.context_settings.setdefault("token_normalize_func", current)
        for parameter in self.params:
            if parameter.type is click.STRING:
                parameter.type = TEXT

    def invoke(self, ctx: click.Context) -> Any:
        """Call the command; a library's error about ``image_dir`` becomes one about ``--image-dir``."""
        try:
            return super().invoke(ctx)
        except InputError as error:
            raise self.naming_option(error) from error

    def naming_option(self, error: InputError) -> InputError:
        """Return the error with the option in place of the parameter; itself where no option belongs to it."""
        argument, _, message = str(error).partition(": ")
        option = self._option(_OPTION_OF.get(argument, argument))
        return error if option is None else type(error)(f"{option}: {message}")

    def _option(self, name: str) -> str | None:
        # A repeatable option has the singular, and its parameter the plural: --target and targets.
        for parameter in self.params:
            if isinstance(parameter, click.Option):
                option = typed(parameter)
                if name.replace("_", "-") in (option[2:], f"{option[2:]}s") or name == parameter.name:
                    return option
        return None


TEXT = _Text()
PATH = _UserPath()
NEW_FILE = _NewFile()


#: Processes for each processor, at most.
_MOST_WORKERS = 32


def _read_config(ctx: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    if path is None:
        return
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"--config: {path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:  # of the encoding, or of TOML
        raise InputError(f"--config: {path} cannot be read as TOML: {error}.") from error
    options = [p for p in ctx.command.params if isinstance(p, click.Option)]
    allowed = {name.lstrip("-"): p for p in options for name in p.opts if name.startswith("--")}
    del allowed["config"]
    defaults: dict[str, Any] = {}
    for written, value in settings.items():
        name = (ctx.token_normalize_func or current)(written)
        if name not in allowed:
            raise unknown(f"--config: {path}: setting", name, sorted(allowed))
        if isinstance(value, bool) and not allowed[name].is_flag:
            raise InputError(f"--config: {path}: setting {name} takes a value; {str(value).lower()} is a flag's.")
        defaults[str(allowed[name].name)] = _as_given(value, several=allowed[name].multiple)
    ctx.default_map = {**(ctx.default_map or {}), **defaults}
    ctx.meta[_CONFIGURED] = set(defaults)


def _as_given(value: Any, *, several: bool) -> Any:
    # What the command line would give: a text, a flag's value, or a list of texts where an option is repeatable.
    if several:
        return [str(item) for item in value] if isinstance(value, list) else [str(value)]
    if isinstance(value, list):
        return ",".join([*map(str, value), ""])  # a list of one number must not be taken for a count
    return value if isinstance(value, bool) else str(value)


config = click.option(
    "--config",
    type=PATH,
    is_eager=True,
    expose_value=False,
    callback=_read_config,
    help="TOML file with settings named as the options are, without the dashes; the command line wins.",
)
space = click.option("--space", default="nb201", show_default=True, help="nb201, s0, nbmacro, or of another package.")
cells = click.option(
    "--cells",
    show_default="100, or all of a smaller space",
    help="all | N (a seeded sample of N) | 3,7,9 (one: 3,) | TABLE (its cells, one a function) | TABLE:N | FILE with "
    "one cell a line.",
)
proxies = click.option("--proxies", default="fast", show_default=True, help="fast | all | name,name.")
seeds = click.option(
    "--seeds", default="1", show_default=True, help="Number of weight seeds, or a list: 0,1,2 (one: 5,)."
)
images = click.option(
    "--images", default="noise", show_default=True, help="noise | cifar10 | cifar100 | imagenet16-120."
)
image_dir = click.option(
    "--image-dir",
    type=PATH,
    help="Folder of the image set, in its official layout.  [default: where `diswot images fetch` puts it]",
)
batch_size = click.option(
    "--batch-size",
    type=Whole(min=1, most=65_536, reason="a batch is computed in one pass, and the maps of so many images take 64 GB"),
    default=64,
    show_default=True,
    help="Images in a batch.",
)
batch_seed = click.option(
    "--batch-seed", type=Whole(min=0), default=0, show_default=True, help="Which images are in the batch."
)
augment = click.option("--augment/--no-augment", default=False, help="Training augmentation of the images.")
teacher = click.option(
    "--teacher",
    show_default="the space's: resnet56, or the largest network of nbmacro",
    help="resnet20|32|44|56|110, or a network of a space: nb201:CELL, s0:DEPTHS, nbmacro:LAYERS; untrained.",
)
device = click.option(
    "--device", default="auto", show_default=True, help="auto | cpu | cuda[:i][,cuda:j]; auto takes all visible GPUs."
)
workers = click.option(
    "--workers",
    type=Whole(
        min=1,
        most=_MOST_WORKERS * (os.cpu_count() or 1),
        reason=f"more than {_MOST_WORKERS} processes for each of this machine's processors only wait for each other",
    ),
    help="Processes. [default: one a processor, or one a GPU]",
)
vectorised_seeds = click.option(
    "--vectorised-seeds",
    type=Whole(min=1, most=1024, reason="the networks of all these seeds share one pass, and fill the memory"),
    default=1,
    show_default=True,
    help="Weight seeds that one vectorised pass (vmap) computes, for a GPU; part of the settings. It changes the "
    "rounding: at a batch of 4 epe_nas moves by 1 %, zico and fisher by .4 %.",
)
tf32 = click.option("--tf32/--no-tf32", default=False, help="On a GPU: TF32, which is faster and rounds more.")
deterministic = click.option(
    "--deterministic/--no-deterministic",
    default=True,
    help="On a GPU: the same bits each time, or the fastest kernels.",
)
scheduler = click.option("--scheduler", help="tcp://HOST:PORT of a Dask cluster whose workers do the work.")
plugin = click.option("--plugin", "plugins", type=PATH, multiple=True, help="File with proxies; repeatable.")
shipped = click.option(
    "--shipped/--no-shipped",
    default=True,
    show_default=True,
    help="Reuse precomputed scores of the same settings instead of computing them.",
)
suite = click.option("--suite", metavar="NAME", help="A frozen suite, such as nb201-2026: docs/evidence.md.")
mirror = click.option("--from", "mirror", type=PATH, help="Folder to take the files from, instead of the network.")
target = click.option(
    "--target", "targets", multiple=True, help="table:column, or a table or file for all its columns; repeatable."
)
metric = click.option(
    "--metric", default="spearman", show_default=True, help="Metric of the intervals: spearman | kendall."
)
undefined = click.option(
    "--undefined", default="worst", show_default=True, help="Undefined scores: worst (ranked last) | omit (left out)."
)
full = click.option("--full", is_flag=True, help="Print every proxy and every column, as wide as they are.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def out(default: str) -> Callable[[F], F]:
    """Return the option for a run's folder."""
    return click.option("--out", type=PATH, default=default, show_default=True, help="The run's folder.")


def _all(*several: Callable[[Any], Any]) -> Callable[[F], F]:
    # One decorator for several options, in the order of the help.
    return lambda function: reduce(lambda made, option: option(made), reversed(several), function)


#: Every option that a sweep's settings come from.
sweep = _all(
    *(seeds, images, image_dir, batch_size, batch_seed, augment, teacher),
    *(device, tf32, deterministic, vectorised_seeds, workers, plugin, config),
)


#: The names of the options of `sweep` that change what is scored.
SWEEP = (
    *("seeds", "images", "image_dir", "batch_size", "batch_seed", "augment", "teacher"),
    *("device", "tf32", "deterministic", "vectorised_seeds", "plugins"),
)


#: Every option that says how correlations are judged.
evidence = _all(target, metric, undefined)

#: The options that say which proxies a paper shows, in which order, and what they are called.
paper = _all(
    click.option("--proxies", help="The proxies and ensembles to show, such as meco,nwot.  [default: all]"),
    click.option("--labels", type=PATH, help="A file of lines NAME,LABEL for proxies and targets."),
    click.option(
        "--order",
        default="value",
        show_default=True,
        help="Order of the proxies: value | given (as in --proxies, else as in --labels).",
    ),
)


def refuse_idle(when: str, *names: str) -> None:
    """Refuse options that the user gives to the running command where they play no part.

    Args:
        when: the condition under which they do, such as ``with --scores live``.
        names: of the parameters.

    Raises:
        InputError: if one of them is given on the command line or in the configuration.
    """
    for parameter in given(*names):
        raise InputError(f"{typed(parameter)}: it plays a part only {when}; leave it out.")


def given(*names: str) -> list[click.Parameter]:
    """Return those of some parameters of the running command that the user gives, here or in the configuration."""
    ctx = click.get_current_context(silent=True)
    if ctx is None:  # a program called, and nobody typed anything
        return []
    asked = {name for name in names if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    asked |= ctx.meta.get(_CONFIGURED, set()).intersection(names)
    return [parameter for parameter in ctx.command.params if parameter.name in asked]


def parts(argument: str, text: str) -> tuple[str, ...]:
    """Return the names in a text, which commas separate, without repetition.

    Raises:
        InputError: if there is none.
    """
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not found:
        raise InputError(f"{argument}: {quoted(text)} names nothing.")
    return found


def show(rows: pd.DataFrame | list[dict[str, Any]], as_json: bool) -> None:
    """Print rows, as a table or as JSON."""
    import pandas as pd
    from tabulate import tabulate

    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows)
    if as_json:
        click.echo(files.as_json(frame))
    else:
        click.echo(tabulate(frame.to_dict("list"), headers="keys", tablefmt="simple"))


def show_one(record: dict[str, Any], as_json: bool) -> None:
    """Print one record, a field a line, or as JSON."""
    if as_json:
        click.echo(json.dumps(record, indent=1))
    else:
        width = max(len(name) for name in record)
        for name, value in record.items():
            text = ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)
            click.echo(f"{name:<{width}}  {text}")
