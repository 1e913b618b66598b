"""Progress on standard error, with the time that is left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tqdm import tqdm

_SECONDS_BETWEEN_LOG_LINES = 30.0


_is_quiet: ContextVar[bool] = ContextVar("is_quiet", default=False)


@contextmanager
def quiet() -> Iterator[None]:
    """Print nothing inside the block."""
    token = _is_quiet.set(True)
    try:
        yield
    finally:
        _is_quiet.reset(token)


def say(sentence: str) -> None:
    """Print a sentence that is of use before a long work ends."""
    if not _is_quiet.get():
        print(sentence, file=sys.stderr, flush=True)


@contextmanager
def shown(count: int, counted: str, what: str) -> Iterator[Callable[[], None]]:
    """Yield what is to be called when one is done: it moves a bar on a terminal, else prints a line now and then.

    Args:
        count: how many there are to do.
        counted: what they are, such as ``cell``.
        what: what is made of them, for the bar.
    """
    if _is_quiet.get():
        yield lambda: None
        return
    if sys.stderr.isatty() and count:
        with tqdm(total=count, unit=counted, desc=what, smoothing=0.05) as bar:

            def step() -> None:
                bar.update()

            yield step
        return
    start = said = time.monotonic()
    done = 0

    def advance() -> None:
        nonlocal done, said
        done += 1
        now = time.monotonic()
        if now - said >= _SECONDS_BETWEEN_LOG_LINES:
            said = now
            left = (now - start) / done * (count - done)
            print(f"{done} of {count} {counted}s, about {left:.0f} s to go", file=sys.stderr, flush=True)

    yield advance
