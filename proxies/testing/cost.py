"""Measure the cost of a proxy, relative to one forward and backward pass of the same network and batch."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from diswot.proxies.registry import Proxy
from diswot.proxies.testing.environment import LARGEST, Environment, batches, look, network

#: Costs are measured on the full width, images and batch of a sweep, with one cell a stage instead of five.
SETTINGS = Environment(C=16, N=1, batch_size=64, pixels=32)


def relative_times(proxy: Proxy, repeats: int) -> list[float]:
    """Measure how long a proxy takes alone, network and trace included, so many times, each relative to one plain pass.

    The proxy's failure is not looked at: what it took until then is its time.
    """
    look(proxy, LARGEST, SETTINGS)
    plain = _plain_pass()
    plain()
    found = []
    for _ in range(repeats):
        least = min(_seconds(plain) for _ in range(2))
        found.append(_seconds(lambda: look(proxy, LARGEST, SETTINGS)) / least)
    return found


def relative_memory(proxy: Proxy) -> float:
    """Measure the most bytes in tensors that live at the same time while a proxy is computed alone.

    What torch's functions take inside, and other libraries' arrays, are not seen. On the host the figure is the same
    whenever it is measured.
    """
    with Allocated() as ours:
        look(proxy, LARGEST, SETTINGS)
    plain = _plain_pass()
    with Allocated() as theirs:
        plain()
    return ours.most / theirs.most


class Allocated(TorchDispatchMode):
    """Counts the bytes of tensors that are made while it is active.

    Attributes:
        most: the most that were there at a time.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__()
        self.most = 0
        self._now = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run one operation."""
        for tensor in tree_leaves((args, kwargs)):
            if isinstance(tensor, Tensor):
                self._known.add(tensor.untyped_storage()._cdata)  # was there before, or is counted already
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self._count(tensor.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key not in self._known:
            self._known.add(key)
            self._now += size
            self.most = max(self.most, self._now)
            weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._now -= size


def _plain_pass() -> Callable[[], None]:
    made: nn.Module = network(LARGEST, "default", "pass", SETTINGS).train()
    images, labels = batches(SETTINGS)[0]

    def plain() -> None:
        made.zero_grad(set_to_none=True)
        F.cross_entropy(made(images), labels).backward()

    return plain


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
