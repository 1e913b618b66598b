"""Keep what a plug-in does to this process from everything that runs after it.

Around each load and each call of a plug-in, the global state of torch that can change a number is remembered, compared
and restored. What the plug-in prints goes to the standard error stream.

The check is bounded: it sees the settings below, and functions that are replaced in the namespaces of torch that
networks use and in this project's own. It does not see what a plug-in does to other libraries, or in threads.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import pkgutil
import random
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules import module as global_hooks
from torch.overrides import _get_current_function_mode_stack, _pop_mode
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack
from torch.utils._python_dispatch import _pop_mode as _pop_dispatch_mode

from diswot.benchmarks.errors import InputError, described, printable

T = TypeVar("T")

#: The packages that were imported by these names alone, and are sub-packages of `diswot` now.
_MOVED = ("benchmarks", "harness", "proxies", "reports")

#: Settings that are plain attributes of torch. Of several that decide the same thing, the general one comes first.
_ATTRIBUTES = (
    "backends.fp32_precision",
    "backends.mkldnn.enabled",
    "backends.mkldnn.deterministic",
    "backends.mkldnn.fp32_precision",
    "backends.mkldnn.matmul.fp32_precision",
    "backends.mkldnn.conv.fp32_precision",
    "backends.cudnn.enabled",
    "backends.cudnn.benchmark",
    "backends.cudnn.deterministic",
    "backends.cudnn.fp32_precision",
    "backends.cudnn.conv.fp32_precision",
    "backends.cudnn.allow_tf32",
    "backends.cuda.matmul.fp32_precision",
    "backends.cuda.matmul.allow_tf32",
    "backends.cuda.matmul.allow_fp16_reduced_precision_reduction",
    "backends.cuda.matmul.allow_bf16_reduced_precision_reduction",
    "backends.cuda.matmul.allow_fp16_accumulation",
    "backends.opt_einsum.enabled",
    "backends.opt_einsum.strategy",
    "backends.quantized.engine",
    "utils.deterministic.fill_uninitialized_memory",
)

#: Functions that torch itself replaces, by wrappers that do the same, when ``torch.compile`` is first used.
_REPLACED_BY_TORCH = {(torch, "manual_seed"), (nn.Module, "__init__"), (nn.Module, "__setstate__")}

#: The package, and the modules, of this project that make numbers.
_PROXIES = "diswot.proxies"
_PROJECT = ("diswot.benchmarks.initialisation", "diswot.benchmarks.seeding")

#: The types of device whose autocast is looked at.
_DEVICE_TYPES = ("cpu", "cuda", "xpu", "mps")


@dataclass(frozen=True)
class _Setting:
    name: str
    get: Callable[[], Any]
    set: Callable[[Any], object]


_UNREADABLE = "what torch cannot say"


def apart(load: Callable[[], T]) -> T:
    """Carry out the loading of a plug-in, which may raise anything, print, and change torch's global state.

    Raises:
        InputError: if it raises or changes something; the text begins with "cannot be loaded".
    """
    try:
        with kept_apart() as changed:
            loaded = load()
            cause = changed()
        if cause is not None:
            raise InputError(f"{cause} while it is loaded")
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and interrupts_are_heeded():
            raise
        cause = printable(error) if isinstance(error, InputError) else cause_of(error)
        raise InputError(f"cannot be loaded: {cause}") from error
    return loaded


def cause_of(error: BaseException) -> str:
    """Say why something of a plug-in's could not be imported; for an old import name, what to write instead."""
    return _moved(error) or described(error)


def _moved(error: BaseException) -> str | None:
    # What to write instead of an import of a package that has moved into `diswot`. Where the user has a package of that
    # name, it is imported, and lacks what ours has.
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType) and error.obj.__name__ in _MOVED:
        name = error.obj.__name__
        if error.name and hasattr(importlib.import_module(f"diswot.{name}"), error.name):
            return f"its `{name}` is {error.obj.__file__ or 'another package'}; write `from diswot import {name}`"
    if not isinstance(error, ModuleNotFoundError) or error.name not in _MOVED:
        return None
    last = traceback.extract_tb(error.__traceback__)[-1]
    line = (last.line or "").strip()
    if line.startswith(f"from {error.name}"):
        new = f"`{line.replace('from ', 'from diswot.', 1)}`"
    else:
        line, new = f"import {error.name}", f"`from diswot import {error.name}` or `import diswot`"
    return printable(f"write {new} instead of `{line}` in line {last.lineno} of {Path(last.filename).name}")


@contextmanager
def kept_apart() -> Iterator[Callable[[], str | None]]:
    """Restore torch's global state after the block; what is printed inside goes to the standard error stream.

    Yields:
        A function that says, inside the block, what of the global state is another one; None for nothing.
    """
    settings, functions = _settings(), _functions()
    before = [_value(setting) for setting in settings]
    is_as_before = False

    def changed() -> str | None:
        nonlocal is_as_before
        found = _changed_setting(settings, before) or _replaced_function(functions)
        is_as_before = found is None
        return found

    with contextlib.redirect_stdout(sys.stderr), torch.inference_mode(torch.is_inference_mode_enabled()):
        try:
            yield changed
        finally:
            if not is_as_before:
                for setting, value in 2 * list(zip(settings, before, strict=True)):  # one may set another one, too
                    if _value(setting) != value:
                        setting.set(value)
                for namespace, known in functions:
                    _restore_functions(namespace, known)


@contextmanager
def restored_random_state(device: torch.device) -> Iterator[Callable[[], bool]]:
    """Restore the global random state after the block.

    Args:
        device: whose generator is watched beside the host's.

    Yields:
        A function that says, inside the block, whether nothing was drawn.
    """
    host, numpy_state, python_state = torch.get_rng_state(), np.random.get_state(), random.getstate()

    def untouched() -> bool:
        return (
            torch.equal(host, torch.get_rng_state())
            and python_state == random.getstate()
            and all(np.array_equal(a, b) for a, b in zip(numpy_state, np.random.get_state(), strict=True))
        )

    try:
        with torch.random.fork_rng(devices=[] if device.type == host.device.type else [device]):
            yield untouched
    finally:
        torch.set_rng_state(host)
        np.random.set_state(numpy_state)
        random.setstate(python_state)


@contextmanager
def without_autocast() -> Iterator[None]:
    """Turn autocast off inside the block, for every type of device for which the caller has it on."""
    with contextlib.ExitStack() as stack:
        for device_type in _DEVICE_TYPES:
            if _autocast_is_on(device_type):
                stack.enter_context(torch.autocast(device_type, enabled=False))
        yield


def interrupts_are_heeded() -> bool:
    """Whether Ctrl-C can reach this code; in a worker process it cannot, and a KeyboardInterrupt is a plug-in's."""
    blocked = hasattr(signal, "pthread_sigmask") and signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    is_main = threading.current_thread() is threading.main_thread()
    return is_main and not blocked and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN


def _autocast_is_on(device_type: str) -> bool:
    if hasattr(torch, "get_autocast_dtype"):
        return torch.is_autocast_enabled(device_type)
    older = {"cpu": "is_autocast_cpu_enabled", "cuda": "is_autocast_enabled"}  # before torch 2.4
    return device_type in older and bool(getattr(torch, older[device_type])())


def _value(setting: _Setting) -> Any:
    try:
        return setting.get()
    except (RuntimeError, OSError):  # such as precisions that contradict each other, or no working directory
        return _UNREADABLE


@functools.cache
def _settings() -> tuple[_Setting, ...]:
    found = [
        _Setting("torch's number of threads", torch.get_num_threads, torch.set_num_threads),
        _Setting("torch's default type", torch.get_default_dtype, torch.set_default_dtype),
        _Setting("torch's default device", _default_device, torch.set_default_device),
        _Setting("torch's grad mode", torch.is_grad_enabled, torch._C._set_grad_enabled),
        _Setting("torch's inference mode", torch.is_inference_mode_enabled, lambda _: None),  # ends with its block
        _Setting(
            "torch's deterministic algorithms", torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode
        ),
        _Setting(
            "torch's float32 matmul precision", torch.get_float32_matmul_precision, torch.set_float32_matmul_precision
        ),
        _Setting("torch's anomaly mode", _anomaly_mode, lambda mode: torch.autograd.set_detect_anomaly(*mode)),
        _Setting("torch's flushing of denormal numbers", _flushes_denormals, torch.set_flush_denormal),
        _Setting("torch's global module hooks", _global_hooks, _set_global_hooks),
        _Setting("torch's function modes", lambda: len(_get_current_function_mode_stack()), _pop_function_modes),
        _Setting("torch's dispatch modes", lambda: len(_get_current_dispatch_mode_stack()), _pop_dispatch_modes),
        _Setting("numpy's handling of errors", np.geterr, lambda handling: np.seterr(**handling)),
        _Setting("the working directory", os.getcwd, os.chdir),
    ]
    if hasattr(torch, "get_autocast_dtype"):
        found += [setting for device_type in _DEVICE_TYPES for setting in _autocast(device_type)]
        found.append(
            _Setting("torch's autocast cache", torch.is_autocast_cache_enabled, torch.set_autocast_cache_enabled)
        )
    return (*found, *(_attribute(path) for path in _ATTRIBUTES if _is_there(path)))


def _attribute(path: str) -> _Setting:
    owner, _, name = path.rpartition(".")
    return _Setting(
        f"torch.{path}",
        lambda: attrgetter(path)(torch),
        lambda value: setattr(attrgetter(owner)(torch), name, value),
    )


def _is_there(path: str) -> bool:
    try:
        attrgetter(path)(torch)
    except AttributeError:  # another version of torch
        return False
    except RuntimeError:  # precisions that contradict each other at the moment
        return True
    return True


def _autocast(device_type: str) -> tuple[_Setting, _Setting]:
    return (
        _Setting(
            f"torch's autocast on {device_type}",
            functools.partial(torch.is_autocast_enabled, device_type),
            functools.partial(torch.set_autocast_enabled, device_type),
        ),
        _Setting(
            f"torch's autocast type on {device_type}",
            functools.partial(torch.get_autocast_dtype, device_type),
            functools.partial(torch.set_autocast_dtype, device_type),
        ),
    )


def _anomaly_mode() -> tuple[bool, bool]:
    return torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()


def _flushes_denormals() -> bool:
    smallest = sys.float_info.min
    return smallest / 2 == 0


def _global_hooks() -> dict[str, dict[Any, Any]]:
    return {name: dict(value) for name, value in vars(global_hooks).items() if _holds_hooks(name, value)}


def _set_global_hooks(before: Mapping[str, Mapping[Any, Any]]) -> None:
    for name, value in vars(global_hooks).items():
        if _holds_hooks(name, value):
            value.clear()
            value.update(before.get(name, {}))


def _holds_hooks(name: str, value: Any) -> bool:
    return name.startswith("_global_") and isinstance(value, dict)


def _pop_function_modes(count: int) -> None:
    while len(_get_current_function_mode_stack()) > count:
        _pop_mode()


def _pop_dispatch_modes(count: int) -> None:
    while len(_get_current_dispatch_mode_stack()) > count:
        _pop_dispatch_mode()


def _default_device() -> torch.device | None:
    # `torch.get_default_device` fails where a mode is left behind.
    context = getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)
    return None if context is None else context.device


def _changed_setting(settings: tuple[_Setting, ...], before: list[Any]) -> str | None:
    compared = [(setting.name, value, _value(setting)) for setting, value in zip(settings, before, strict=True)]
    changed = [(name, value, now) for name, value, now in compared if now != value]
    if not changed:
        return None
    name, value, now = next((one for one in changed if one[2] is not _UNREADABLE), changed[0])
    shown = "" if isinstance(value, dict) else f", from {value} to {now}"
    return f"it changes {name}{shown}"


_Namespace = ModuleType | type


@functools.cache
def _namespaces() -> tuple[_Namespace, ...]:
    layers = [value for value in vars(nn).values() if isinstance(value, type)]
    bases = {base for layer in layers for base in layer.__mro__ if base.__module__.startswith("torch.nn.modules.")}
    inside = pkgutil.iter_modules(importlib.import_module(_PROXIES).__path__, f"{_PROXIES}.")
    modules = (*(one.name for one in inside if not one.ispkg), *_PROJECT)
    project = [importlib.import_module(name) for name in modules]
    return (torch, nn.functional, torch.linalg, torch.autograd, Tensor, *bases, *project)


def _functions() -> list[tuple[_Namespace, dict[str, Any]]]:
    # The functions that numbers are made with, and the methods of torch's modules.
    return [(namespace, vars(namespace).copy()) for namespace in _namespaces()]


def _replaced_function(functions: list[tuple[_Namespace, dict[str, Any]]]) -> str | None:
    for namespace, known in functions:
        for name in _replaced(namespace, known):
            owner = namespace.__name__ if isinstance(namespace, ModuleType) else f"torch's {namespace.__name__}"
            return f"it replaces {owner}.{name}"
    return None


def _replaced(namespace: _Namespace, known: Mapping[str, Any]) -> list[str]:
    now = vars(namespace)
    if now == known:  # quick, and the usual case
        return []
    found = [name for name, value in known.items() if now.get(name) is not value and callable(value)]
    found = [name for name in found if (namespace, name) not in _REPLACED_BY_TORCH]
    if isinstance(namespace, type) and len(now) > len(known):  # a new method hides a base's
        hidden = [name for name in now.keys() - known.keys() if any(name in vars(b) for b in namespace.__mro__[1:])]
        found += [name for name in hidden if callable(now[name])]
    return found


def _restore_functions(namespace: _Namespace, known: Mapping[str, Any]) -> None:
    for name in _replaced(namespace, known):
        if name in known:
            setattr(namespace, name, known[name])
        else:
            delattr(namespace, name)
