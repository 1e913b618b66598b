"""What a plug-in does to torch's global state ends with it."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from diswot.benchmarks.isolation import interrupts_are_heeded, kept_apart, without_autocast


class Mode(TorchFunctionMode):
    """A mode that does nothing."""


class DispatchMode(TorchDispatchMode):
    """Another one."""


CHANGES: dict[str, Callable[[], object]] = {
    "torch's number of threads": lambda: torch.set_num_threads(torch.get_num_threads() + 1),
    "torch's grad mode": lambda: torch.set_grad_enabled(False),
    "torch's function modes": lambda: Mode().__enter__(),
    "torch's dispatch modes": lambda: DispatchMode().__enter__(),
    "torch's default device": lambda: torch.set_default_device("meta"),
    "torch's autocast type on cpu": lambda: torch.set_autocast_dtype("cpu", torch.float16),
    "torch's autocast cache": lambda: torch.set_autocast_cache_enabled(False),
    "torch.backends.cudnn.benchmark": lambda: setattr(torch.backends.cudnn, "benchmark", True),
    "torch.backends.cuda.matmul.allow_tf32": lambda: setattr(torch.backends.cuda.matmul, "allow_tf32", True),
    "torch.backends.fp32_precision": lambda: setattr(torch.backends, "fp32_precision", "tf32"),
    "torch.utils.deterministic.fill_uninitialized_memory": lambda: setattr(
        torch.utils.deterministic, "fill_uninitialized_memory", False
    ),
}


#: Where the same thing has an older name.
CAUSED_BY = {"torch.backends.cuda.matmul.allow_tf32": "torch's float32 matmul precision"}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_setting_is_named_and_restored(name: str) -> None:
    with kept_apart() as outer:
        with kept_apart() as changed:
            assert changed() is None
            CHANGES[name]()
            told = changed()
        assert outer() is None
    assert told is not None
    assert told.startswith(f"it changes {CAUSED_BY.get(name, name)}")


REPLACED: dict[str, Callable[[], object]] = {
    "torch.nn.functional.relu": lambda: setattr(nn.functional, "relu", max),
    "torch.matmul": lambda: delattr(torch, "matmul"),
    "torch's Module.__call__": lambda: setattr(nn.Module, "__call__", max),
    "torch's Tensor.sum": lambda: setattr(Tensor, "sum", Tensor.mean),
    "diswot.proxies.trace.draw_noise": lambda: setattr(sys.modules["diswot.proxies.trace"], "draw_noise", None),
}


@pytest.mark.parametrize("name", REPLACED)
def test_a_replaced_function_is_named_and_put_back(name: str) -> None:
    with kept_apart() as outer:
        with kept_apart() as changed:
            REPLACED[name]()
            told = changed()
        assert outer() is None
    assert told == f"it replaces {name}"


def test_the_state_is_restored_where_nobody_asks_for_it() -> None:
    with kept_apart() as outer:
        with suppress(KeyError), kept_apart():
            torch.set_grad_enabled(False)
            raise KeyError
        assert torch.is_grad_enabled()
        assert outer() is None


def test_new_functions_are_nobody_s_harm() -> None:
    with kept_apart() as changed:
        torch.of_a_plug_in = max  # type: ignore[attr-defined]
        assert changed() is None
    del torch.of_a_plug_in  # type: ignore[attr-defined]


def test_autocast_is_off_and_then_on_again() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with without_autocast():
            assert not torch.is_autocast_enabled("cpu")
        assert torch.is_autocast_enabled("cpu")


def test_a_process_that_ignores_interrupts_and_a_thread_heed_none() -> None:
    assert interrupts_are_heeded()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert not interrupts_are_heeded()
    finally:
        signal.signal(signal.SIGINT, before)
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(interrupts_are_heeded()))
    thread.start()
    thread.join()
    assert found == [False]
