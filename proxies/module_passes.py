"""Passes that look at single modules: what they read, what they put out, and the gradients that come back to them.

As in `proxies.passes`, each is a function of a network and images; no hook is left on the network. What a function does
in place of a module, such as ``F.relu``, is seen by `lone_images` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diswot.proxies.declarations import UndefinedScore
from diswot.proxies.passes import RELUS, argument, features, gradient, hooked, logits, showing_calls

#: How many images EZNAS's gradients are of: the reference's batch.
GRADIENT_IMAGES = 16

#: How many logits Dextr differentiates: as many as the reference draws.
CURVE_LOGITS = 10

#: How many images RBFleX compares, each passed alone.
LONE_IMAGES = 3

_ACTIVATIONS = tuple(getattr(nn.modules.activation, name) for name in nn.modules.activation.__all__)

#: Modules that have, in this order, one output for each output of the network: EZNAS's layers.
_LAYER = (nn.ReLU, nn.Conv2d, nn.BatchNorm2d)


class Call(NamedTuple):
    """What a module read and what it put out; where it works in place, both are its output."""

    read: Tensor
    output: Tensor


class Curve(NamedTuple):
    """First and second derivative of the logits along a curve through the image space, each (logits,)."""

    velocity: Tensor
    acceleration: Tensor


class Correlations(NamedTuple):
    """How images correlate at a ReLU.

    Attributes:
        block: the number of the network's block that it is in; the number of blocks, for one that is in none.
        read: Pearson correlations of what the ReLU reads, (images, images), float64.
        gradients: of the loss's gradient there, that of this ReLU alone.
    """

    block: int
    read: Tensor
    gradients: Tensor


class LoneImages(NamedTuple):
    """Outputs of every ReLU, (images, units), and pooled vectors, (images, features), of images passed alone."""

    relus: Tensor
    pooled: Tensor


@contextmanager
def calls(modules: Sequence[nn.Module], show: Callable[[nn.Module, Call], None]) -> Iterator[None]:
    """Show every call of some modules inside the block."""

    def hook(module: nn.Module, inputs: Any, by_name: Any, output: Tensor) -> None:
        show(module, Call(argument(inputs, by_name), output))

    with hooked(module.register_forward_hook(hook, with_kwargs=True) for module in modules):
        yield


def activation_rows(network: Any, images: Tensor) -> tuple[Tensor, ...]:
    """Return a square matrix of activations for every module with a weight and every activation function that runs.

    A map is read as rows of one pixel each: image by image, column by column. The first C of them are returned.

    Args:
        network: whose normalisation uses the batch's statistics.
        images: (batch, channels, height, width).

    Returns:
        Matrices (C, C), C being the channels or features; with fewer rows where there are fewer pixels or images.
    """
    squares: dict[nn.Module, Tensor] = {}

    def keep(module: nn.Module, call: Call) -> None:
        output = call.output.transpose(1, 3) if call.output.dim() == 4 else call.output
        channels = output.shape[-1]
        images_needed = -(-channels // (output[0].numel() // channels))
        squares.setdefault(module, output[:images_needed].reshape(-1, channels)[:channels].clone())

    with torch.no_grad(), calls([module for module in network.modules() if _is_activated(module)], keep):
        logits(network, images.detach())
    return tuple(squares.values())


def curve(network: Any, start: Tensor, towards: Tensor) -> Curve:
    """Differentiate up to ten logits along the unit circle from one image to another, at the first.

    Args:
        network: whose normalisation uses the image's own statistics.
        start: (channels, height, width).
        towards: of the same shape; the circle lies in the plane of the two.

    Raises:
        UndefinedScore: if one of the two is a multiple of the other.
    """
    begin = F.normalize(start.detach().flatten(), dim=0)
    across = towards.detach().flatten()
    across = F.normalize(across - begin * (begin @ across), dim=0)
    if not (begin.any() and across.any()):
        raise UndefinedScore("the first two images span no plane")
    angle = start.new_zeros((), requires_grad=True)
    derivatives = []
    with torch.enable_grad():
        point = (angle.cos() * begin + angle.sin() * across).reshape(1, *start.shape)
        # One logit at a time: torch's third derivative of a normalisation, by which all would come at once, is wrong.
        for logit in logits(network, point)[0, :CURVE_LOGITS]:
            (slope,) = gradient(logit, [angle], create_graph=True)
            (bend,) = gradient(slope, [angle])
            derivatives.append(torch.stack([slope.detach(), bend]))
    return Curve(*torch.stack(derivatives, dim=1))


def relu_correlations(network: Any, images: Tensor, loss: Callable[[Tensor], Tensor]) -> tuple[Correlations, ...]:
    """Correlate images at every ReLU module that is in a block after the first, or in none and after all of them.

    Args:
        network: offers ``blocks``, modules that run one after another.
        images: (batch, channels, height, width).
        loss: of the logits.

    Raises:
        UndefinedScore: if the network does not offer its blocks.
    """
    blocks = getattr(network, "blocks", None)
    if blocks is None:
        raise UndefinedScore("the network offers no `blocks`, the modules that run one after another")
    block_of = {part: number for number, block in reversed(list(enumerate(blocks))) for part in block.modules()}
    relus = [m for m in network.modules() if isinstance(m, nn.ReLU) and block_of.get(m) != 0]
    read: dict[nn.Module, Tensor] = {}
    outputs: dict[nn.Module, Tensor] = {}

    def keep(module: nn.Module, call: Call) -> None:
        read[module] = _correlated(call.read.detach())
        outputs[module] = call.output

    with torch.enable_grad(), calls(relus, keep):
        value = loss(logits(network, images.detach()))
    gradients = gradient(value, list(outputs.values()))
    return tuple(
        Correlations(block_of.get(module, len(blocks)), read[module], _correlated(slope * (output.detach() > 0)))
        for (module, output), slope in zip(outputs.items(), gradients, strict=True)
    )


def relu_gradients(network: Any, images: Tensor) -> tuple[Tensor, ...]:
    """Return d(sum of the pooled vectors)/d(what a ReLU reads) for every ReLU-convolution-normalisation layer.

    Such a layer is three modules that follow each other in the order of the network's modules. The gradient is that
    of this ReLU alone; zero where the pooled vector does not depend on it.

    Args:
        network: whose normalisation uses the batch's statistics.
        images: (batch, channels, height, width).

    Returns:
        Tensors (batch, channels, height, width), in the order of running.
    """
    kinds = [module for module in network.modules() if isinstance(module, _LAYER)]
    layers = zip(kinds, kinds[1:], kinds[2:], strict=False)
    relus = [three[0] for three in layers if all(map(isinstance, three, _LAYER))]
    outputs: dict[nn.Module, Tensor] = {}
    with torch.enable_grad(), calls(relus, lambda module, call: outputs.update({module: call.output})):
        total = features(network, images.detach())[-1].sum()
    gradients = gradient(total, list(outputs.values()))
    return tuple(slope * (output.detach() > 0) for output, slope in zip(outputs.values(), gradients, strict=True))


def label_gradient_norms(network: Any, images: Tensor, labels: Tensor) -> Tensor:
    """Return the squared norm of every image's share of the gradient of the sum of all images' label logits.

    The gradient is with respect to weights and biases of convolutions and linear layers. An image's share is what its
    own activations and the gradients at them make; batch normalisation couples the images, so it is not the gradient
    of the image's own logit.

    Args:
        network: whose normalisation uses the batch's statistics.
        images: (batch, channels, height, width).
        labels: (batch,).

    Returns:
        (batch,), float64.
    """
    by_layer: dict[nn.Module, Call] = {}
    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    with torch.enable_grad(), calls(layers, lambda module, call: by_layer.update({module: call})):
        total = logits(network, images.detach()).gather(1, labels[:, None]).sum()
    gradients = gradient(total, [call.output for call in by_layer.values()])
    norms = images.new_zeros(len(images), dtype=torch.float64)
    for (module, call), slope in zip(by_layer.items(), gradients, strict=True):
        read, slope = _by_position(module, call.read.detach(), slope)
        norms += (slope @ read.transpose(-1, -2)).square().flatten(1).sum(1)
        if module.bias is not None:
            norms += slope.sum(-1).square().flatten(1).sum(1)
    return norms


def lone_images(network: Any, images: Tensor) -> LoneImages:
    """Pass every image alone, and return what the ReLUs, modules and functions, put out and the pooled vectors.

    Args:
        network: whose normalisation uses the image's own statistics.
        images: (images, channels, height, width).
    """
    relus = [module for module in network.modules() if isinstance(module, nn.ReLU)]
    outputs: list[Tensor] = []

    def keep(of: object, output: Tensor) -> None:
        outputs.append(output.flatten().clone())

    shown = showing_calls(network, keep, RELUS)
    with torch.no_grad(), shown, calls(relus, lambda module, call: keep(module, call.output)):
        pooled = [features(network, image)[-1].flatten() for image in images.detach().split(1)]
    joined = torch.cat(outputs) if outputs else images.new_zeros(0)
    return LoneImages(joined.reshape(len(images), -1), torch.stack(pooled))


def ones_gradients(network: Any, images: Tensor) -> tuple[Tensor, ...]:
    """Return d(sum of the logits)/d(weight) of every convolution for a batch whose images are all ones.

    The images are equal and so are their statistics: one is passed, and its gradients are multiplied.

    Args:
        network: whose normalisation uses the batch's statistics.
        images: (batch, channels, height, width), of which the shape counts.
    """
    weights = [module.weight for module in network.modules() if isinstance(module, nn.Conv2d)]
    with torch.enable_grad():
        total = logits(network, torch.ones_like(images[:1])).sum()
    return tuple(slope * len(images) for slope in gradient(total, weights))


def _is_activated(module: nn.Module) -> bool:
    return isinstance(module, _ACTIVATIONS) or isinstance(getattr(module, "weight", None), Tensor)


def _correlated(values: Tensor) -> Tensor:
    centred = values.flatten(1)
    centred = centred - centred.mean(1, keepdim=True)
    products = (centred @ centred.T).double()  # to convert all values would cost as much as the pass
    norms = products.diagonal().sqrt()
    return products / norms[:, None] / norms  # NaN for an image that is constant


def _by_position(module: nn.Module, read: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
    # What each output position reads and what comes back to it: (batch, groups, values, positions).
    if isinstance(module, nn.Conv2d):
        padded = F.pad(read, module._reversed_padding_repeated_twice)
        read = F.unfold(padded, module.kernel_size, dilation=module.dilation, stride=module.stride)
        read, slope = (part.reshape(len(part), module.groups, -1, read.shape[-1]) for part in (read, slope))
        return read, slope
    read, slope = (part.reshape(len(part), 1, -1, part.shape[-1]).transpose(-1, -2) for part in (read, slope))
    return read, slope
