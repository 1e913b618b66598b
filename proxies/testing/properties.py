"""What every proxy must be, each property a small function; and what some declare, which is then looked at too."""

from __future__ import annotations

import ast
import functools
import inspect
import math
import random
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy import stats

from diswot.benchmarks.errors import printable
from diswot.benchmarks.isolation import restored_random_state
from diswot.proxies.declarations import ProxyError, UndeclaredPassError, UndefinedScore
from diswot.proxies.registry import Proxy, get
from diswot.proxies.testing import cost, environment
from diswot.proxies.testing.environment import DEGENERATE, LARGEST, SPECIAL, Environment, Look, look
from diswot.proxies.testing.pretend import PretendedDevice

#: Sums over the same terms with zeros in between, or in another order: only float32's rounding can differ.
_SAME_TERMS = {"rel_tol": 1e-4, "abs_tol": 1e-7}

#: Two cells whose scores lie as near as float32's rounding may change places, and no others.
_RANKS_AGREE = 0.99

#: Proxies that read several passes, beside which another one is scored.
_COMPANIONS = ("params", "snip", "fisher", "nwot")

_HOST_CALLS = frozenset({"cpu", "cuda", "numpy"})

#: How often a time is measured for a limit; its median is compared.
_REPEATS = 3


class Nonconformity(AssertionError):  # noqa: N818 - what it is, rather than that it is an error
    """What was seen, and what was expected instead."""


@dataclass(frozen=True)
class Property:
    """Something that is asked of a proxy.

    Attributes:
        name: as in lists and reports.
        summary: what holds, in a sentence.
        check: of a proxy and an environment; returns what was seen, raises `Nonconformity` where the property is not
            there.
        applies: whether it is asked of a proxy at all.
    """

    name: str
    summary: str
    check: Callable[[Proxy, Environment], str]
    applies: Callable[[Proxy], bool] = lambda proxy: True


def side_effects(proxy: Proxy, at: Environment) -> str:
    """Score cells with and without a signal; whatever the score is, nothing else may have changed."""
    cells = (*environment.ordinary(1, at.seed), DEGENERATE)
    for cell in cells:
        seen = _first_look(proxy, cell, at)
        if seen.finished and isinstance(seen.outcome.error, ProxyError):  # the harness found it, not the function
            raise Nonconformity(f"{printable(seen.outcome.error)}{_on(cell)}")
    return f"nothing is changed on {len(cells)} cells"


def one_number(proxy: Proxy, at: Environment) -> str:
    """Score ordinary cells, on which every score must have a value."""
    values = _values(proxy, at)
    return f"{len(values)} cells score {min(values):.6g} to {max(values):.6g}"


def special_cells(proxy: Proxy, at: Environment) -> str:
    """Score cells without a signal, of skips and of poolings."""
    found = {name: _status(_first_look(proxy, cell, at), f" on the {name} cell") for name, cell in SPECIAL.items()}
    return ", ".join(f"{name}: {status}" for name, status in found.items())


def sizes(proxy: Proxy, at: Environment) -> str:
    """Score with batches of 1, 2 and 64, 10, 100 and 120 classes, images of 16x16 and 32x32."""
    found = []
    for size, classes, pixels in ((1, 100, 32), (2, 120, 16), (64, 10, 32)):
        where = f" with a batch of {size}, {classes} classes and images of {pixels}x{pixels}"
        seen = look(proxy, LARGEST, replace(at, batch_size=size, classes=classes, pixels=pixels))
        status = _status(seen, where)
        if status == "undefined" and size == 64:
            raise Nonconformity(f"it has no score{where}: {printable(seen.outcome.error)}")
        found.append(f"{size}/{classes}/{pixels}: {status}")
    return "batch/classes/pixels " + ", ".join(found)


def deterministic(proxy: Proxy, at: Environment) -> str:
    """Score the same cell again after other global seeds: the score derives from the trace's seed alone."""
    found = []
    for attempt in (0, 1):
        with restored_random_state(torch.device("cpu")):
            random.seed(attempt)
            np.random.seed(attempt)
            torch.default_generator.manual_seed(attempt)
            found.append(_value(look(proxy, LARGEST, at), LARGEST))
    if found[0] != found[1]:
        raise Nonconformity(f"the same cell and seed score {found[0]!r} and then {found[1]!r}")
    return f"{found[0]:.6g} twice"


def order(proxy: Proxy, at: Environment) -> str:
    """Score cells forwards, backwards, and beside other proxies: a score knows nothing of what was scored before."""
    cells = environment.ordinary(1, at.seed)
    forwards = [_value(_first_look(proxy, cell, at), cell) for cell in cells]
    backwards = [_value(look(proxy, cell, at), cell) for cell in reversed(cells)][::-1]
    others = [get(name) for name in _COMPANIONS if name != proxy.name]
    together = [_value(look(proxy, cell, at, others), cell) for cell in cells]
    for how, found in (("in another order of cells", backwards), ("beside other proxies", together)):
        for cell, one, other in zip(cells, forwards, found, strict=True):
            if one != other:
                raise Nonconformity(f"{how} the score is {other!r}, not {one!r}{_on(cell)}")
    return f"{len(cells)} cells, the same in both orders and beside {', '.join(one.name for one in others)}"


def float64(proxy: Proxy, at: Environment) -> str:
    """Score cells in float64 too: they must stand in the same order."""
    return _ranks_agree(proxy, at, replace(at, dtype=torch.float64), "float64")


def memory_format(proxy: Proxy, at: Environment) -> str:
    """Score cells in both of torch's memory formats, in which a sweep and `proxies.score` compute."""
    return _ranks_agree(proxy, at, replace(at, memory_format=torch.contiguous_format), "contiguous memory")


def needs(proxy: Proxy, at: Environment) -> str:
    """Read what is declared, all of it and nothing else."""
    read: set[str] = set()
    for cell in environment.ordinary(1, at.seed):
        seen = _first_look(proxy, cell, at)
        if isinstance(seen.outcome.error, UndeclaredPassError):
            raise Nonconformity(printable(seen.outcome.error))
        _value(seen, cell)
        read |= seen.read
    unread = sorted(proxy.needs - read)
    if unread:
        raise Nonconformity(f"needs has {', '.join(unread)}, which it does not read")
    return ", ".join(sorted(proxy.needs)) or "no pass"


def live_edges(proxy: Proxy, at: Environment) -> str:
    """Score cells, and the cells that stand for their functions, convolution by convolution with the same weights."""
    at = replace(at, dtype=torch.float64)  # the same terms are added up in another order
    cells = (*environment.with_dead_edges(2, at.seed), *environment.with_pooling_to_spare(2, at.seed))
    for cell in cells:
        other = environment.representative(cell)
        full = _value(look(proxy, cell, at), cell)
        bare = _value(look(proxy, other, at, weights_of=cell), other)
        if not math.isclose(full, bare, **_SAME_TERMS):
            raise Nonconformity(
                f"live_edges_only is declared, but the score is {full!r}{_on(cell)}, {bare!r}{_on(other)}, which "
                "computes the same function"
            )
    return f"{len(cells)} cells score as those that stand for their functions"


def batch_size(proxy: Proxy, at: Environment) -> str:
    """Score with other batches: the first images of a larger one."""
    found = {size: _value(look(proxy, LARGEST, replace(at, batch_size=size)), LARGEST) for size in (2, 8, 32)}
    first = found[2]
    for size, value in found.items():
        if not math.isclose(first, value, **_SAME_TERMS):
            raise Nonconformity(
                f"independence of batch_size is declared, but 2 images score {first!r}, {size} {value!r}"
            )
    return f"{first:.6g} with {', '.join(map(str, found))} images"


def isomorphism(proxy: Proxy, at: Environment) -> str:
    """Score cells that compute the same function, with weights of their own."""
    pairs = environment.isomorphic_pairs(4, at.seed)
    for cell, other in pairs:
        one, two = (_outcome(look(proxy, form, at)) for form in (cell, other))
        if one != two and not (one and two and math.isclose(one, two, **_SAME_TERMS)):
            raise Nonconformity(
                f"independence of isomorphism is declared, but the scores are {one!r}{_on(cell)}, {two!r}{_on(other)}"
            )
    return f"{len(pairs)} pairs of isomorphic cells score alike"


def device(proxy: Proxy, at: Environment) -> str:
    """Score on a pretended accelerator, `diswot.proxies.testing.pretend`."""

    def pretended(trace: Any) -> Any:
        with PretendedDevice():
            return proxy.function(trace)

    cells = (LARGEST, DEGENERATE)
    for cell in cells:
        _status(look(replace(proxy, function=pretended), cell, at), _on(cell))
    hints = _host_calls(proxy.function)
    hint = f"; the source also calls {', '.join(hints)}, where this did not come by" if hints else ""
    return f"{len(cells)} cells on a pretended accelerator{hint}"


def time_limit(proxy: Proxy, at: Environment) -> str:
    """Measure the time relative to one pass, and compare the median with the limit."""
    median = float(np.median(cost.relative_times(proxy, _REPEATS)))
    assert proxy.time_limit is not None
    if median > proxy.time_limit:
        raise Nonconformity(f"it takes {median:.3g} passes, and time_limit is {proxy.time_limit:g}")
    return f"{median:.3g} of {proxy.time_limit:g} passes"


def memory_limit(proxy: Proxy, at: Environment) -> str:
    """Count the bytes relative to one pass, and compare with the limit."""
    found = cost.relative_memory(proxy)
    assert proxy.memory_limit is not None
    if found > proxy.memory_limit:
        raise Nonconformity(
            f"it takes {found:.3g} times the memory of one pass, and memory_limit is {proxy.memory_limit:g}"
        )
    return f"{found:.3g} of {proxy.memory_limit:g} times the memory of one pass"


#: Every property by its name, quickest first.
PROPERTIES: dict[str, Property] = {
    one.name: one
    for one in (
        Property(
            "side_effects", "it changes neither the network, nor the trace, nor the global random state", side_effects
        ),
        Property("one_number", "on ordinary cells it returns one finite number", one_number),
        Property("special_cells", "where it has no value it says why, and never returns NaN", special_cells),
        Property("needs", "it reads the passes that it declares, and no others", needs),
        Property("deterministic", "the same cell and seed give the same score", deterministic),
        Property("order", "neither the order of cells nor other proxies change the score", order),
        Property("sizes", "batches, classes and images of other sizes give a score or a reason", sizes),
        Property("float64", "cells stand in the same order in float64", float64),
        Property("memory_format", "cells stand in the same order in both memory formats", memory_format),
        Property("device", "it takes no tensor to the host, and makes none there beside the trace's", device),
        Property(
            "live_edges", "dead edges do not change the score, as declared", live_edges, lambda one: one.live_edges_only
        ),
        Property(
            "batch_size",
            "the number of images does not change the score, as declared",
            batch_size,
            lambda one: "batch_size" in one.independent_of,
        ),
        Property(
            "isomorphism",
            "isomorphic cells have the same score, as declared",
            isomorphism,
            lambda one: "isomorphism" in one.independent_of,
        ),
        Property(
            "memory_limit",
            "it takes no more memory than declared",
            memory_limit,
            lambda one: one.memory_limit is not None,
        ),
        Property(
            "time_limit", "it takes no more time than declared", time_limit, lambda one: one.time_limit is not None
        ),
    )
}


#: What several properties begin with: the first time that a proxy is scored on a cell.
_first_look = functools.lru_cache(maxsize=32)(look)


def _values(proxy: Proxy, at: Environment) -> tuple[float, ...]:
    return tuple(_value(_first_look(proxy, cell, at), cell) for cell in environment.ordinary(at.cells, at.seed))


def _value(seen: Look, cell: int) -> float:
    # The score of a network that must have one.
    _status(seen, _on(cell))
    if seen.outcome.value is None:
        raise Nonconformity(f"it has no score{_on(cell)}: {printable(seen.outcome.error)}")
    return seen.outcome.value


def _status(seen: Look, where: str) -> str:
    # "ok" or "undefined"; anything else, or a number that is none, does not conform.
    error = seen.outcome.error
    if isinstance(error, UndefinedScore) and seen.finished:
        raise Nonconformity(f"it returned {seen.returned}{where}; raise UndefinedScore with the reason")
    if isinstance(error, UndefinedScore) and not printable(error).strip():
        raise Nonconformity(f"it raises UndefinedScore without a reason{where}")
    if seen.outcome.status == "failed":
        told = next(iter(printable(error).splitlines()), "")
        if not seen.finished and not isinstance(error, ProxyError):  # else a sentence already
            told = f"it raises {type(error).__name__}: {told}"
        seen_there, semicolon, advice = told.partition("; ")
        raise Nonconformity(f"{seen_there}{where}{semicolon}{advice}")
    return seen.outcome.status


def _outcome(seen: Look) -> float | None:
    _status(seen, "")
    return seen.outcome.value


def _ranks_agree(proxy: Proxy, at: Environment, other: Environment, what: str) -> str:
    one, two = _values(proxy, at), _values(proxy, other)
    if max(one) == min(one) and max(two) == min(two):
        return f"all of {len(one)} cells score alike"
    agreement = float(stats.spearmanr(one, two).statistic)
    if not agreement >= _RANKS_AGREE:
        raise Nonconformity(
            f"the ranks of {len(one)} cells in {what} correlate with the usual ones by {agreement:.3f}, "
            f"not {_RANKS_AGREE} or more"
        )
    return f"Spearman {agreement:.3f}, n = {len(one)}"


def _host_calls(function: Callable[..., Any]) -> list[str]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError):
        return []
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return sorted({f".{one.attr}()" for one in calls if isinstance(one, ast.Attribute) and one.attr in _HOST_CALLS})


def _on(cell: int) -> str:
    return f" on cell {cell}"
