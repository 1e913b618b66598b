"""Copy a network that its owner has used: it may keep activations, and its weights may be computed from others."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm
from torch.overrides import TorchFunctionMode

from diswot.benchmarks.errors import InputError, described


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
    names = set(module._parameters)
    if parametrize.is_parametrized(module):
        _fold_parametrizations(module)
    for hook in list(module._forward_pre_hooks.values()):
        if isinstance(hook, WeightNorm):
            nn.utils.remove_weight_norm(module, hook.name)
        elif isinstance(hook, SpectralNorm):
            nn.utils.remove_spectral_norm(module, hook.name)
        elif isinstance(hook, prune.BasePruningMethod):
            prune.remove(module, hook._tensor_name)
    parameters = module._parameters
    if set(parameters) != names and "weight" in parameters:  # which a module of torch has first, and scores see it
        for name in [name for name in parameters if name != "weight"]:
            parameters[name] = parameters.pop(name)


def _fold_parametrizations(module: nn.Module) -> None:
    # torch's own function takes the attributes from the class, which the module shares with the one that it copies.
    parametrizations: Any = module.parametrizations
    parametrizations.eval()
    with torch.no_grad():
        values = {name: getattr(module, name).clone() for name in parametrizations}
    del module._modules["parametrizations"]
    module.__class__ = type(module).__bases__[0]
    for name, value in values.items():
        module.register_parameter(name, nn.Parameter(value))
