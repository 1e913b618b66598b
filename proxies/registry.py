"""The registry of proxies: one frozen record each, and where they come from. Loads no torch."""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import inspect
import math
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diswot.benchmarks.errors import InputError, printable, unknown
from diswot.benchmarks.registry import load
from diswot.proxies.declarations import CHECKS, FAMILIES, INDEPENDENCES, INITIALISATIONS, PASSES, Direction
from diswot.proxies.declarations import UndefinedScore as UndefinedScore

if TYPE_CHECKING:
    from diswot.proxies.trace import Trace

_ENTRY_POINT_GROUP = "diswot.proxies"
_PLUGIN_FILE = "diswot_plugin_"


#: Names that `select` takes for several proxies.
SUITES = ("fast", "all")


@dataclass(frozen=True)
class Proxy:
    """A proxy and what a reader and the harness need to know of it.

    Attributes:
        name: unique, a Python identifier.
        function: a pure function of a trace; returns a number or a tensor with one element.
        version: a text, bumped when a number can change.
        direction: whether higher or lower predicts a better network.
        family: the group it is listed under.
        needs: the passes that it reads, out of `declarations.PASSES`.
        init: the initialisation that it is defined on, out of `declarations.INITIALISATIONS`.
        live_edges_only: whether the score depends on the network's function alone (at that initialisation), so that
            dead edges, and operations that are done twice over, cannot change it.
        fast: whether it is in the fast suite.
        source: paper, equation or reference file.
        differences: where it differs from the reference code, and why.
        independent_of: what the score does not depend on, out of `declarations.INDEPENDENCES`; nothing is always right.
        time_limit: the most that it may cost computed alone, relative to one forward and backward pass; None: any.
        memory_limit: the most memory that it may take at a time, relative to that of such a pass; None: any.
        expected_failed_checks: which of `declarations.CHECKS` it fails on purpose, each with the reason.
    """

    name: str
    function: Callable[[Trace], Any]
    version: str
    direction: Direction
    family: str
    needs: frozenset[str]
    init: str
    live_edges_only: bool
    fast: bool
    source: str
    differences: str
    independent_of: frozenset[str] = frozenset()
    time_limit: float | None = None
    memory_limit: float | None = None
    expected_failed_checks: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def summary(self) -> str:
        """The first sentence of the function's docstring."""
        return (inspect.getdoc(self.function) or "").split("\n\n")[0].replace("\n", " ")

    @property
    def needs_teacher(self) -> bool:
        """Whether it compares the network with a teacher."""
        return "teacher" in self.needs


_registered: dict[str, Proxy] = {}

#: The names that each plug-in file has registered, by the name of its module.
_names_of_file: dict[str, tuple[str, ...]] = {}

#: The names of this project's own proxies. A function's module says less: `functools.wraps` copies it.
_built_in: set[str] = set()


def register(
    *,
    needs: Sequence[str],
    source: str,
    direction: Direction = "higher",
    version: str | int | None = None,
    family: str = "plug-in",
    init: str = "default",
    live_edges_only: bool = False,
    fast: bool = True,
    differences: str = "",
    independent_of: Sequence[str] = (),
    time_limit: float | None = None,
    memory_limit: float | None = None,
    expected_failed_checks: Mapping[str, str] | None = None,
    name: str | None = None,
    deviations: str | None = None,
) -> Callable[[Callable[[Trace], Any]], Callable[[Trace], Any]]:
    """Register the decorated function of a trace as a proxy; see `Proxy` for the arguments.

    ``deviations`` is what version 0.2 called ``differences``.

    Without a version, the hash of the function's source is the version, so that stored scores of older code are
    never taken for those of newer code. A whole number as the version becomes its text.

    Raises:
        InputError: if the name is taken, a declaration is not known or of the wrong type, or there is neither a
            version nor a source.
    """
    if deviations is not None:
        warnings.warn("write differences=, the name of deviations= since 0.3", DeprecationWarning, stacklevel=2)
        differences = deviations

    def decorate(function: Callable[[Trace], Any]) -> Callable[[Trace], Any]:
        called: Any = getattr(function, "__name__", None) if name is None else name
        given = {
            "name": called,
            "needs": needs,
            "source": source,
            "direction": direction,
            "version": version,
            "family": family,
            "init": init,
            "live_edges_only": live_edges_only,
            "fast": fast,
            "differences": differences,
            "independent_of": independent_of,
            "time_limit": time_limit,
            "memory_limit": memory_limit,
            "expected_failed_checks": expected_failed_checks,
        }
        for argument, value in given.items():
            _require_kind(called, argument, value)
        if not callable(function):
            raise InputError(f"proxy {called}: a {type(function).__name__} is not a function of a trace.")
        record: dict[str, Any] = given | {
            "version": _hash_of_source(called, function) if version is None else str(version),
            "needs": frozenset(needs),
            "independent_of": frozenset(independent_of),
            "expected_failed_checks": dict(expected_failed_checks or {}),
        }
        add(Proxy(function=function, **record))
        return function

    return decorate


def _is_text(value: object) -> bool:
    return isinstance(value, str) and printable(value) == value


def _is_limit(value: object) -> bool:
    return value is None or (isinstance(value, Real) and not isinstance(value, bool) and 0 < float(value) < math.inf)


#: What the arguments of `register` may be, and the test for it.
_TEXT = ("a text that UTF-8 can hold", _is_text)
_TEXTS = (
    "a list of texts",
    lambda value: isinstance(value, list | tuple | set | frozenset) and all(map(_is_text, value)),
)
_VERSION = (
    "a text, or a whole number, which becomes its text",
    lambda value: value is None or (_is_text(value) and value) or type(value) is int,
)
_BOOLEAN = ("True or False", lambda value: isinstance(value, bool))
_LIMIT = ("a number above 0, or None", _is_limit)
_REASONS = (
    "a dictionary of checks and reasons",
    lambda value: (
        value is None
        or (isinstance(value, Mapping) and all(_is_text(text) and text for text in (*value, *value.values())))
    ),
)
_KINDS: dict[str, tuple[str, Callable[[Any], object]]] = {
    "needs": _TEXTS,
    "independent_of": _TEXTS,
    "version": _VERSION,
    "live_edges_only": _BOOLEAN,
    "fast": _BOOLEAN,
    "time_limit": _LIMIT,
    "memory_limit": _LIMIT,
    "expected_failed_checks": _REASONS,
}


def _require_kind(name: object, argument: str, value: object) -> None:
    allowed, is_of_kind = _KINDS.get(argument, _TEXT)
    if not is_of_kind(value):
        given = repr(value) if isinstance(value, str | int | float) else f"a {type(value).__name__}"
        whose = f"proxy {printable(name)}: " if _is_text(name) else ""
        raise InputError(f"{whose}{argument}={given} is not allowed; give {allowed}.")


def _hash_of_source(name: str, function: Callable[[Trace], Any]) -> str:
    try:
        source = inspect.getsource(function)
    except (OSError, TypeError) as error:
        raise InputError(f"proxy {name}: its source cannot be read; give version=.") from error
    return hashlib.sha256(source.encode()).hexdigest()[:8]


def add(proxy: Proxy) -> None:
    """Put a record into the registry; in a session or notebook it replaces one that was defined there before.

    Raises:
        InputError: if the name is taken or a declaration is not known.
    """
    known = _registered.get(proxy.name)
    if known is not None and not (is_of_session(known) and is_of_session(proxy)):
        raise InputError(f"proxy {proxy.name!r} is registered already, by {origin(known)}.")
    if not proxy.name.isidentifier() or proxy.name in SUITES:
        raise InputError(f"proxy name {proxy.name!r} is not a Python identifier, or it is the name of a suite.")
    for argument, value, allowed in (
        ("direction", proxy.direction, ("higher", "lower")),
        ("init", proxy.init, INITIALISATIONS),
        *(("needs", need, PASSES) for need in sorted(proxy.needs)),
        *(("independent_of", one, INDEPENDENCES) for one in sorted(proxy.independent_of)),
        *(("expected_failed_checks", check, CHECKS) for check in proxy.expected_failed_checks),
    ):
        if value not in allowed:
            raise unknown(f"proxy {proxy.name}: {argument}", value, allowed)
    _registered[proxy.name] = proxy


def is_of_session(proxy: Proxy) -> bool:
    """Return whether the proxy is defined in a notebook, a session or the script that runs."""
    return proxy.function.__module__ == "__main__"


def origin(proxy: Proxy) -> str:
    """Return the file and line of the proxy's function; of a callable object, the name of its class."""
    function = inspect.unwrap(proxy.function)
    code = getattr(function, "__code__", None)
    if code is None:
        return f"{type(function).__module__}.{type(function).__qualname__}"
    return printable(f"{code.co_filename}:{code.co_firstlineno}")


def is_built_in(proxy: Proxy) -> bool:
    """Whether the proxy is one of the project's own."""
    _load_installed()
    return proxy.name in _built_in


def names() -> tuple[str, ...]:
    """Return the names of all proxies, built-in and plugged in, in the order of registration."""
    _load_installed()
    return tuple(_registered)


def get(name: str) -> Proxy:
    """Return the record of a proxy.

    Raises:
        InputError: if there is none of that name.
    """
    if name not in names():
        raise unknown("proxy", name, names(), hint="`diswot proxies list` shows them.")
    return _registered[name]


def select(text: str | Iterable[str]) -> tuple[Proxy, ...]:
    """Return the proxies that ``fast``, ``all``, or names (also separated by commas) stand for.

    Raises:
        InputError: if a name is not known or nothing is asked for.
    """
    asked = [part.strip() for part in (text.split(",") if isinstance(text, str) else text) if part.strip()]
    chosen: dict[str, Proxy] = {}
    for name in asked:
        if name in SUITES:
            chosen.update({n: get(n) for n in names() if name == "all" or get(n).fast})
        elif name in names():
            chosen[name] = get(name)
        else:
            raise unknown("proxies", name, (*names(), *SUITES), hint="`diswot proxies list` shows them.")
    if not chosen:
        raise InputError("proxies: no proxy was named; give fast, all, or names separated by commas.")
    return tuple(chosen.values())


def load_file(path: Path) -> tuple[str, ...]:
    """Load a plug-in file and return the names that it registered; loading the same file again changes nothing.

    Raises:
        InputError: if the file is missing, cannot be imported, or registers nothing.
    """
    path = path.resolve()
    if not path.is_file():
        raise InputError(f"plugins: {printable(path)} is not a file.")
    before = names()  # so that a clash is reported as the plug-in's
    module_name = f"{_PLUGIN_FILE}{printable(path.stem)}_{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}"
    if module_name in sys.modules:
        return tuple(name for name in _names_of_file[module_name] if name in _registered)
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"plugins: {printable(path)} is not a Python file.")
    from diswot.benchmarks.isolation import apart

    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        with _all_or_none():
            apart(functools.partial(spec.loader.exec_module, module))
        added = tuple(name for name in _registered if name not in before)
        if not added:
            raise InputError("registers no proxy; decorate a function of a trace with @proxies.register.")
    except BaseException as error:
        del sys.modules[module_name]
        if isinstance(error, InputError):
            raise InputError(f"plugins: {printable(path)} {error}") from error
        raise
    _names_of_file[module_name] = added
    return added


def homes(proxies: Iterable[Proxy]) -> tuple[str, ...]:
    """Return the modules that another process imports for these proxies to be registered there.

    Built-in and installed proxies need none; those of plug-in files and of ``__main__`` travel in another way.
    """
    modules = dict.fromkeys(proxy.function.__module__ for proxy in proxies if not is_built_in(proxy))
    return tuple(name for name in modules if name != "__main__" and not name.startswith(_PLUGIN_FILE))


def load_module(name: str) -> None:
    """Import a module that registers proxies.

    Raises:
        InputError: if it cannot be imported.
    """
    from diswot.benchmarks.isolation import cause_of

    try:
        importlib.import_module(name)
    except Exception as error:
        raise InputError(f"the module {name} of proxies cannot be loaded: {cause_of(error)}") from error


@contextmanager
def _all_or_none() -> Iterator[None]:
    # What a plug-in has registered before it fails is forgotten.
    before = set(_registered)
    try:
        yield
    except BaseException:
        for name in set(_registered) - before:
            del _registered[name]
        raise


@functools.cache
def _load_installed() -> None:
    families = [importlib.import_module(f"diswot.proxies.{family}") for family in FAMILIES]
    functions = [function for family in families for function in vars(family).values()]
    _built_in.update(name for name, proxy in _registered.items() if proxy.function in functions)
    for plugin in entry_points(group=_ENTRY_POINT_GROUP):
        with _all_or_none():
            load(plugin)
