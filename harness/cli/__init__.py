"""The command line ``diswot``: parse, call one library function, print. One file a sub-command; loaded when called."""

from __future__ import annotations

import importlib
import io
import os
import re
import signal
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import click

from diswot.benchmarks.errors import InputError, elided, printable, unknown
from diswot.harness.cli import options

_COMMANDS = {
    "run": "evaluate, correlate, search and report on the embedded default; the main job",
    "evaluate": "score proxies x cells x seeds into a store; resumable",
    "correlate": "rank correlations of a store with accuracies",
    "compare": "runs side by side: paired differences, scores that changed, settings that differ",
    "search": "evolutionary search driven by a proxy, compared with random search",
    "report": "figures and one self-contained HTML page from stored scores",
    "check": "regression-test a proxy: is it well-behaved, worth something, and as it was",
    "distill": "train students with and without a teacher, into an accuracy table; resumable",
    "tables": "list, show, fetch and import accuracy tables",
    "scores": "list and show the precomputed scores",
    "images": "list image sets, and fetch CIFAR-10 and CIFAR-100",
    "proxies": "list and show proxies, and begin one of your own",
    "cell": "show one cell: string, index, drawing, counts, known accuracies",
    "bench": "cost of each proxy and of the suite, in seconds and in passes",
}

#: The longest word of a message: a path is shown whole, and thousands of digits are not.
_LONGEST_WORD = 300


class Group(click.Group):
    """A group of commands that answers an unknown one with the nearest match and the list."""

    command_class = options.Command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command."""
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-"):
            raise unknown("command", args[0], known)
        return super().resolve_command(ctx, args)


class _Lazy(Group):
    # Help and lists load no torch and no pandas: a command's module is imported when the command is called.
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"diswot.harness.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="diswot-bench")
def _diswot() -> None:
    """Benchmark training-free proxies on NAS-Bench-201 and S0 against distillation and vanilla accuracies.

    Exit status: 0 done; 1 the job ran and the answer is no, or some scores failed, or it was interrupted; 2 wrong
    usage, bad input or a missing file.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status; what a user did wrong becomes one sentence.

    Without arguments it is the program itself, and answers Ctrl-C until the process ends.
    """
    is_program = arguments is None
    if is_program and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    _open_streams()
    os.environ["MPLBACKEND"] = "Agg"  # a notebook hands its own backend on to us, which may not be installed here
    try:
        status = _diswot.main(arguments, prog_name="diswot", standalone_mode=False)
        sys.stdout.flush()
    except InputError as error:
        return _say(str(error), 2)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message(), file=sys.stderr)
        return 2
    except click.ClickException as error:
        hint = f" See `{error.ctx.command_path} --help`." if isinstance(error, click.UsageError) and error.ctx else ""
        return _say(error.format_message() + hint, 2)
    except (KeyboardInterrupt, click.Abort):
        if is_program:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends already
        return _say(_STOPPED, 1)
    except BrokenPipeError:  # the reader of our output has gone, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, sqlite3.DatabaseError) as error:
        return _say(f"{error}; what was computed is stored.", 2)
    finally:
        if is_program:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C while Python ends would print a traceback
    return status if isinstance(status, int) else 0


_STOPPED = "stopped; what was computed is stored, and the same command continues."


def _interrupt(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGINT, _end_at_once)
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            _end_at_once(number, frame)  # an exception inside torch's import aborts the process
        frame = frame.f_back
    raise KeyboardInterrupt


def _end_at_once(_number: int, _frame: FrameType | None) -> None:
    # On the second Ctrl-C, something keeps the first one from ending the workers.
    import multiprocessing

    for process in multiprocessing.active_children():
        process.kill()
    os.write(2, f"\ndiswot: {_STOPPED}\n".encode())
    os._exit(1)


def _open_streams() -> None:
    # A stream that the caller has closed (`>&-`) is None; what would be printed goes nowhere, and the work is done.
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # As a file, so that no store that is opened later has the descriptor that prints go to.
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - open until the end
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the encoding lacks must not end a command


def _say(sentence: str, status: int) -> int:
    one_line = " ".join(printable(sentence).split())  # a library's message may have several
    short = re.sub(r"\S+", lambda word: elided(word[0], _LONGEST_WORD), one_line)
    print(f"diswot: {short}", file=sys.stderr)
    return status
