"""What a paper asks of its figures: which proxies, their order and labels, the width, words below or none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

#: How proxies are ordered: by the value of their correlation, or as they are given.
ORDERS = ("value", "given")
#: Of bars and scatters: a column of a paper, or its whole width.
WIDTHS = ("single", "double")


@dataclass(frozen=True)
class Look:
    """The wishes of a paper; by default there are none.

    Attributes:
        proxies: the only ones shown; all where it is empty.
        labels: what proxies and targets are called, where not by their names.
        order: one of `ORDERS`; as given by the proxies, or else by the labels.
        width: one of `WIDTHS`; as the content needs where it is empty.
        caption: whether the sample is written below a figure.
        annotate: how many of the most accurate cells a scatter marks with their numbers.
    """

    proxies: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    order: str = ORDERS[0]
    width: str = ""
    caption: bool = True
    annotate: int = 0

    @property
    def given(self) -> tuple[str, ...]:
        """The proxies, and targets among the labels, in the order that goes before the correlation's."""
        return (self.proxies or tuple(self.labels)) if self.order == "given" else ()

    def called(self, name: str, usual: str | None = None) -> str:
        """Return the label of a proxy or target, or what it is usually called."""
        return self.labels.get(name, name if usual is None else usual)


_PLAIN = Look()
_LOOK: ContextVar[Look] = ContextVar("look", default=_PLAIN)


def current() -> Look:
    """Return the look in use."""
    return _LOOK.get()


@contextmanager
def using(look: Look) -> Iterator[None]:
    """Draw in a look, as within matplotlib's style contexts."""
    token = _LOOK.set(look)
    try:
        yield
    finally:
        _LOOK.reset(token)
