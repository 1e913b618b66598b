"""Copy a network that its owner has used: it may keep activations, and its weights may be computed from others."""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn
from torch.nn.utils import parametrize, prune
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm
from torch.overrides import TorchFunctionMode

from benchmarks.errors import InputError, described


def copied(argument: str, network: nn.Module) -> nn.Module:
    """Return a copy of a network, with plain weights and without a graph.

    A tensor that was computed, such as an activation that the network keeps, is detached. A weight that is computed
    from others (weight normalisation, spectral normalisation, a pruning mask, any parametrization) becomes a plain
    parameter that holds what the network computes with.

    Args:
        argument: what the network was given for.
        network: which is not changed.

    Raises:
        InputError: if it holds something that cannot be copied.
    """
    try:
        with _DetachedCopies():
            network = copy.deepcopy(network)
    except Exception as error:
        raise InputError(
            f"{argument}: a {type(network).__name__} cannot be copied, and a score is of a copy: {described(error)}"
        ) from error
    for module in list(network.modules()):
        _fold(module)
    return network


class _DetachedCopies(TorchFunctionMode):
    # torch copies no tensor that was computed.
    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is Tensor.__deepcopy__ and (not args[0].is_leaf or args[0].is_inference()):
            tensor, memo = args
            memo[id(tensor)] = tensor.detach().clone()
            return memo[id(tensor)]
        return func(*args, **(kwargs or {}))


def _fold(module: nn.Module) -> None:
    if parametrize.is_parametrized(module):
        parametrizations: Any = module.parametrizations
        for name in list(parametrizations):
            parametrize.remove_parametrizations(module, name, leave_parametrized=True)
    for hook in list(module._forward_pre_hooks.values()):
        if isinstance(hook, WeightNorm):
            nn.utils.remove_weight_norm(module, hook.name)
        elif isinstance(hook, SpectralNorm):
            nn.utils.remove_spectral_norm(module, hook.name)
        elif isinstance(hook, prune.BasePruningMethod):
            prune.remove(module, hook._tensor_name)
