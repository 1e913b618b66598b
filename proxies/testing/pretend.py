"""A pretended accelerator: what would go wrong there with a proxy's tensors shows on the host.

While it is active, every tensor counts as the accelerator's, but for those that a function makes without naming a
device, and what is computed of these. It sees what is called in Python, and nothing that is computed inside torch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map_only

from diswot.proxies.declarations import ProxyError

#: What `tensor.device` says meanwhile: the host with a number, which nobody writes down.
DEVICE = torch.device("cpu", 0)

_TO_NUMPY = (Tensor.numpy, Tensor.__array__)

#: Calls that may take host tensors beside the accelerator's.
_MIXING = (Tensor.to, Tensor.type_as, Tensor.copy_, Tensor.__getitem__, Tensor.__setitem__)


class DeviceBoundError(ProxyError):
    """What the proxy does with a tensor and could not, or should not, do on an accelerator."""


class PretendedDevice(TorchFunctionMode):
    """Raises `DeviceBoundError` where a tensor of the accelerator is taken to the host, or meets one of the host."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Look at one call."""
        kwargs = kwargs or {}
        if getattr(func, "__self__", None) is Tensor.device:
            return torch.device("cpu") if _on_host(args[0]) else DEVICE
        tensors = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        hosts = [tensor for tensor in tensors if _on_host(tensor)]
        name = getattr(func, "__name__", str(func))
        devices = [value for value in tree_leaves((args, kwargs)) if _names_device(value)]
        if func in _TO_NUMPY and not _on_host(args[0]):
            raise DeviceBoundError(f"it calls .{name}() on a tensor, which fails on an accelerator")
        to_host = func is Tensor.cpu or (func is Tensor.to and any(_is_plain_host(device) for device in devices))
        if to_host and not _on_host(args[0]):
            raise DeviceBoundError(f"it copies a tensor to the host, with .{name}()")
        if 0 < len(hosts) < len(tensors) and func not in _MIXING and any(tensor.dim() for tensor in hosts):
            raise DeviceBoundError(
                f"it gives torch.{name} a tensor made without device=, beside the trace's; make it with "
                "device=trace.images.device"
            )
        result = func(*args, **kwargs)
        stays = len(hosts) == len(tensors) and all(_is_plain_host(device) for device in devices)
        return tree_map_only(Tensor, lambda tensor: _marked(tensor, stays), result)


def _marked(tensor: Tensor, on_host: bool) -> Tensor:
    if on_host == _on_host(tensor):
        return tensor
    if not on_host:  # a copy to where it is already is the tensor itself
        return tensor.view_as(tensor)
    tensor._on_host = True  # type: ignore[attr-defined]
    return tensor


def _on_host(tensor: Tensor) -> bool:
    return bool(tensor.__dict__.get("_on_host", False))


def _names_device(value: Any) -> bool:
    return isinstance(value, torch.device) or (isinstance(value, str) and value.partition(":")[0] in ("cpu", "cuda"))


def _is_plain_host(device: Any) -> bool:
    return str(device) == "cpu"
