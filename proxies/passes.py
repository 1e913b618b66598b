"""The longer passes of a trace, as functions of a network and images; `proxies.trace` says when each is computed.

The network has ``features(images)`` and ``classifier``. Nothing here changes its weights; hooks that are set on a
network that others read too are removed again.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.instancenorm import _InstanceNorm
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from diswot.benchmarks.errors import InputError
from diswot.proxies.declarations import UndefinedScore

NORMALISATIONS = (_BatchNorm, _InstanceNorm, nn.GroupNorm, nn.LayerNorm)

#: Modules that are affine in their parameters, for a given input in evaluation mode.
_AFFINE = (_ConvNd, nn.Linear, *NORMALISATIONS)

#: Functions that do what a ReLU does.
RELUS = frozenset({F.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_})

#: Functions that do what a module of torch does to a map.
_LIKE_MODULES = RELUS | frozenset(
    getattr(namespace, name)
    for name in (
        *("conv2d", "batch_norm", "group_norm", "layer_norm", "instance_norm", "prelu", "rrelu", "rrelu_"),
        *("relu6", "leaky_relu", "leaky_relu_", "elu", "elu_", "selu", "selu_", "celu", "celu_", "gelu", "silu"),
        *("mish", "hardswish", "hardsigmoid", "hardtanh", "hardtanh_", "softplus", "softsign", "logsigmoid"),
        *("threshold", "threshold_", "tanh", "tanh_", "sigmoid", "sigmoid_", "avg_pool2d", "max_pool2d"),
        *("adaptive_avg_pool2d", "adaptive_max_pool2d"),
    )
    for namespace in (F, torch, Tensor)
    if hasattr(namespace, name)
)

#: How many images the tangent kernel is of.
KERNEL_IMAGES = 16

#: Of how many parameter tensors the Fisher information has a weight: VKDNW's choice.
FISHER_WEIGHTS = 128

#: What VKDNW mixes into a prediction, spread evenly over the classes, so that no class has a probability of zero.
_SMOOTHING = 0.05

#: How many images are passed at a time where each is on its own: a bound on memory.
_CHUNK = 16


class _Calls(TorchFunctionMode):
    # Shows calls of functions, but for those that a module of torch makes, whose hooks show the same.
    def __init__(self, functions: frozenset[Any], show: Callable[[Tensor, Any], None]) -> None:
        super().__init__()
        self.functions = functions
        self.show = show
        self.depth = 0

    def enter_module(self, module: nn.Module, inputs: Any) -> None:
        self.depth += 1

    def leave_module(self, module: nn.Module, inputs: Any, output: Any) -> None:
        self.depth -= 1

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        if func in self.functions and not self.depth:
            self.show(args[0] if args else (kwargs or {})["input"], output)
        return output


@contextmanager
def showing_calls(
    network: nn.Module, show: Callable[[Tensor, Any], None], functions: frozenset[Any] = _LIKE_MODULES
) -> Iterator[None]:
    """Show what a network does with functions where others use modules, which have hooks.

    Args:
        network: that runs inside the block.
        show: called with input and output of a function, once for each call.
        functions: which are shown, outside torch's own modules.
    """
    calls = _Calls(functions, show)
    own = [m for m in network.modules() if isinstance(m, nn.ReLU) or _is_layer_of_torch(m)]
    hooks = [module.register_forward_pre_hook(calls.enter_module) for module in own]
    hooks += [module.register_forward_hook(calls.leave_module) for module in own]
    with hooked(hooks), calls:
        yield


@contextmanager
def hooked(hooks: Iterable[RemovableHandle]) -> Iterator[None]:
    """Remove hooks at the end of the block."""
    with ExitStack() as stack:
        for hook in hooks:
            stack.enter_context(hook)
        yield


def _is_layer_of_torch(module: nn.Module) -> bool:
    return type(module).__module__.startswith("torch.nn.") and next(module.children(), None) is None


class Blocks(NamedTuple):
    """What the blocks of a network do to maps on the way forward, and to gradients on the way back.

    Attributes:
        outputs: of every block, (batch, channels, height, width), detached.
        received: for every block but the first, the random signs that stand for a gradient at its output.
        returned: for every block but the first, what comes of these at the output of the block before.
    """

    outputs: tuple[Tensor, ...]
    received: tuple[Tensor, ...]
    returned: tuple[Tensor, ...]


def features(network: Any, images: Tensor) -> Sequence[Tensor]:
    """Return what the network's ``features`` returns: feature maps, and the pooled vector last.

    Raises:
        InputError: if that is no list.
    """
    found = network.features(images)
    if not isinstance(found, Sequence):
        raise InputError(
            f"network: features(images) of a {type(network).__name__} returns a {type(found).__name__}, not a list of "
            "feature maps with the pooled vector last."
        )
    return found


def logits(network: Any, images: Tensor) -> Tensor:
    """Return what the network's ``classifier`` makes of the pooled vector: (batch, classes)."""
    found: Tensor = network.classifier(features(network, images)[-1])
    return found


def blocks(network: Any, images: Tensor, draw: Callable[[Tensor], Tensor]) -> Blocks:
    """Pass a batch through the network, and random signs back through every block alone.

    Args:
        network: offers ``blocks``, modules that run one after another, each on the output of the one before.
        images: (batch, channels, height, width).
        draw: makes signs of the shape of a tensor; called for the last block first.

    Raises:
        UndefinedScore: if the network does not offer its blocks, or these do not put out maps.
    """
    named = getattr(network, "blocks", None)
    if named is None:
        raise UndefinedScore("the network offers no `blocks`, the modules that run one after another")
    outputs: list[Tensor] = []
    hooks = [module.register_forward_hook(lambda module, inputs, output: outputs.append(output)) for module in named]
    with hooked(hooks), torch.enable_grad():
        network.features(images.detach())
    if len(outputs) < 2 or any(output.dim() != 4 for output in outputs):
        raise UndefinedScore("the network's `blocks` are not two or more modules that put out maps")
    pairs = list(itertools.pairwise(outputs))
    received = [draw(after) for _, after in reversed(pairs)][::-1]
    returned = [gradient(after, [before], signs)[0] for (before, after), signs in zip(pairs, received, strict=True)]
    return Blocks(tuple(output.detach() for output in outputs), tuple(received), tuple(returned))


def tangent_kernel(network: Any, images: Tensor) -> Tensor:
    """Return the inner products of the images' gradients with respect to the weights.

    An image's gradient is that of the sum of its logits. Batch normalisation couples the images, so that it
    takes a backward pass through all of them.

    Args:
        network: whose parameters named weight count, normalisation's too.
        images: (images, channels, height, width).

    Returns:
        (images, images), float64.
    """
    with torch.enable_grad():
        outputs = logits(network, images.detach())
    weights = [parameter for name, parameter in network.named_parameters() if "weight" in name]
    gradients = outputs.new_empty((len(outputs), sum(weight.numel() for weight in weights)))
    for row, image in zip(gradients, outputs, strict=True):
        row.copy_(torch.cat([part.flatten() for part in gradient(image.sum(), weights)]))
    kernel = gradients.new_zeros((len(outputs), len(outputs)), dtype=torch.float64)
    for part in gradients.split(1 << 16, dim=1):  # float64, and not all of it at once
        kernel += part.double() @ part.double().T
    return kernel


def gradient_signs(
    network: Any,
    weights: Sequence[Tensor],
    images: Tensor,
    labels: Tensor,
    loss: Callable[[Tensor, Tensor], Tensor],
) -> tuple[Tensor, ...]:
    """Sum the signs of the gradients that single images have; each image is passed alone.

    Args:
        network: whose normalisation uses the image's own statistics.
        weights: with respect to which the loss is differentiated.
        images: (batch, channels, height, width).
        labels: (batch,).
        loss: of logits and labels.

    Returns:
        For every weight tensor, the sum over images of 1, 0 and -1, of its shape.

    Raises:
        UndefinedScore: if the logits of an image are not finite.
    """
    totals = [torch.zeros_like(weight) for weight in weights]
    are_finite = []
    for image, label in zip(images.detach().split(1), labels.split(1), strict=True):
        with torch.enable_grad():
            outputs = logits(network, image)
            one = loss(outputs, label)
        are_finite.append(outputs.isfinite().all())
        for total, slope in zip(totals, gradient(one, weights), strict=True):
            total += slope.sign()
    if not torch.stack(are_finite).all():  # the sign of NaN is 0
        raise UndefinedScore("the logits of an image that is passed alone are not finite")
    return tuple(totals)


def image_maps(network: Any, image: Tensor) -> tuple[Tensor, ...]:
    """Pass one image alone and return every map that some module puts out, each once.

    What a function puts out that does the same as a module of torch, such as ``F.relu``, counts like a module's.

    Args:
        network: whose normalisation uses the image's own statistics.
        image: (1, channels, height, width).

    Returns:
        Tensors (channels, height, width), in the order in which they are there first. A container that hands on what
        its last module put out, and a module that hands on its input, add nothing.

    Raises:
        UndefinedScore: if a map is not finite.
    """
    seen: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def keep(output: Any) -> None:
        # A module that writes in place puts out the tensor that another one did, at a later version.
        if isinstance(output, Tensor) and output.dim() == 4:
            seen.setdefault((id(output), output._version), (output, output[0].clone()))

    hooks = [m.register_forward_hook(lambda module, inputs, output: keep(output)) for m in network.modules()]
    with hooked(hooks), torch.no_grad(), showing_calls(network, lambda _, output: keep(output)):
        network.features(image.detach())
    maps = tuple(kept for _, kept in seen.values())
    if maps and not torch.stack([one.isfinite().all() for one in maps]).all():
        raise UndefinedScore("a map of the first image is not finite")
    return maps


def fisher_information(network: Any, images: Tensor) -> Tensor:
    """Return the Fisher information of a few weights: the first one of each of the first 128 parameter tensors.

    It is the mean over images of J^T (diag p - p p^T) J, J being the Jacobian of the logits and p the prediction,
    mixed with 5 % of a uniform one. Convolutions, linear layers and normalisations are affine in their parameters:
    a weight that is larger by d adds to a module's output d times what the module puts out where that weight is 1
    and all others are 0. So each image gets a d of its own for each weight, and one backward pass a class gives
    the Jacobians of all images. Predictions sum to 1, so what all logits have in common cancels: the first class needs
    no pass where the others' logits are taken relative to its own. A weight that several modules share is shifted in
    each.

    Args:
        network: in evaluation mode, so that images do not know of each other; taken over.
        images: (batch, channels, height, width).

    Returns:
        (weights, weights), float64.

    Raises:
        UndefinedScore: if one of these tensors is neither a convolution's, a linear layer's nor a normalisation's.
    """
    network.requires_grad_(False)
    positions = {one: number for number, one in enumerate(itertools.islice(network.parameters(), FISHER_WEIGHTS))}
    shifts: list[Tensor] = []

    def shifted(position: int, direction: nn.Module) -> Callable[..., Tensor]:
        def hook(module: nn.Module, inputs: tuple[Any, ...], by_name: dict[str, Any], output: Tensor) -> Tensor:
            shift = shifts[-1][:, position].reshape(-1, *(1 for _ in output.shape[1:]))
            return output + shift * direction(argument(inputs, by_name).detach())

        return hook

    owned = [
        (positions[parameter], name, module, key)
        for name, module in network.named_modules()
        for key, parameter in module.named_parameters(recurse=False)
        if parameter in positions
    ]
    for _, name, module, key in owned:
        if not isinstance(module, _AFFINE):
            raise UndefinedScore(
                f"{f'{name}.{key}'.lstrip('.')} is a parameter of a {type(module).__name__}, and only convolutions, "
                "linear layers and normalisations are sure to be affine in theirs"
            )
    hooks = [(module, shifted(position, _only_first_weight(module, key))) for position, _, module, key in owned]
    for module, hook in hooks:
        module.register_forward_hook(hook, with_kwargs=True)
    total = images.new_zeros((len(positions), len(positions)), dtype=torch.float64)
    for chunk in images.detach().split(_CHUNK):
        shifts[:] = [chunk.new_zeros((len(chunk), len(positions))).requires_grad_()]
        with torch.enable_grad():
            outputs = logits(network, chunk)
            beyond_first = outputs[:, 1:] - outputs[:, :1]
        jacobian = outputs.new_empty((*beyond_first.shape, len(positions)), dtype=torch.float64)
        for row, logit in zip(jacobian.unbind(1), beyond_first.unbind(1), strict=True):
            row.copy_(gradient(logit.sum(), shifts)[0])
        classes = outputs.shape[1]
        p = ((1 - _SMOOTHING) * outputs.detach().double().softmax(1) + _SMOOTHING / classes)[:, 1:]
        covariance = p.diag_embed() - p[:, :, None] * p[:, None, :]
        total += torch.einsum("nkv,nkl,nlw->vw", jacobian, covariance, jacobian)
    return total / len(images)


def argument(inputs: tuple[Any, ...], by_name: dict[str, Any]) -> Tensor:
    """Return what a layer is called on, given with its name or without."""
    tensor: Tensor = (*inputs, *by_name.values())[0]
    return tensor


def _only_first_weight(module: nn.Module, key: str) -> nn.Module:
    only = copy.deepcopy(module)
    with torch.no_grad():
        for parameter in only.parameters():
            parameter.zero_()
        first = getattr(only, key)
        first[(0,) * first.dim()] = 1
    return only


def gradient(
    output: Tensor, inputs: Sequence[Tensor], signs: Tensor | None = None, *, create_graph: bool = False
) -> tuple[Tensor, ...]:
    """Return what comes of ``signs`` at the output, by default of 1, at each input; the graph is kept.

    An input that the output does not depend on, such as one in front of a dead edge, gets zeros.
    """
    differentiable = [tensor for tensor in inputs if tensor.requires_grad]
    if not output.requires_grad or not differentiable:
        return tuple(torch.zeros_like(tensor) for tensor in inputs)
    gradients = iter(
        torch.autograd.grad(
            output,
            differentiable,
            signs,
            retain_graph=True,
            create_graph=create_graph,
            allow_unused=True,
            materialize_grads=True,
        )
    )
    return tuple(next(gradients) if tensor.requires_grad else torch.zeros_like(tensor) for tensor in inputs)
