"""An answer of a check, and what all of them together come to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from diswot.benchmarks.errors import printable

#: What an answer can be; the last three as in `diswot.proxies.testing.Finding`.
VERDICTS = ("pass", "fail", "undecided", "expected", "unexpected", "skipped")

#: The verdicts after which a question need not be asked again.
SETTLED = ("pass", "expected", "unexpected", "skipped")

#: What an undecided answer may count as.
UNDECIDED = ("fail", "pass")


@dataclass(frozen=True)
class Answer:
    """One question to a proxy and its answer.

    Attributes:
        stage: ``conformance``, ``worth`` or ``regression``.
        name: of the question.
        verdict: one of `VERDICTS`.
        figure: what was seen, in a sentence or a number.
        reproduce: the command that asks this question again.
        decides: whether it counts; what does not is there to be read.
    """

    stage: str
    name: str
    verdict: str
    figure: str
    reproduce: str
    decides: bool = True

    def __post_init__(self) -> None:
        """Make the texts printable: they may quote what a proxy raises, and the path of its file."""
        for name in ("figure", "reproduce"):
            object.__setattr__(self, name, printable(getattr(self, name)))


def exit_status(answers: Iterable[Answer], undecided: str) -> int:
    """Return 0 where all that decides passes, 1 where something fails, 2 where something is undecided.

    Args:
        answers: of a check.
        undecided: one of `UNDECIDED`; ``pass`` lets undecided answers pass.
    """
    verdicts = {answer.verdict for answer in answers if answer.decides}
    if "fail" in verdicts:
        return 1
    return 2 if "undecided" in verdicts and undecided == "fail" else 0
