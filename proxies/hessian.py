"""The loss's Hessian times the weights, by one forward and one backward pass of dual numbers.

Every weight tensor W moves along itself, as W (1 + t). The derivative of the loss's gradient with respect to t, at
t = 0, is the product H w: forward over reverse mode (Pearlmutter, "Fast exact multiplication by the Hessian", 1994).
That takes 7 times the convolutions of a forward pass, the gradient included. Two backward passes take 11.

Values and gradients are those of plain passes, bit by bit, so that other passes can have them from here. This holds for
few operations, those of residual networks. Convolution and batch normalisation have rules of their own here: torch's
rules convolve zeros too, and normalise in many steps. Any other operation ends the pass with `NoRuleError`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd import Function, forward_ad
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from diswot.proxies.passes import gradient

_aten = torch.ops.aten

#: Functions that torch's rules differentiate forwards over backwards without another rounding of values and gradients.
_EXACT = frozenset(
    {
        *(F.relu, F.avg_pool2d, F.adaptive_avg_pool2d, F.linear, torch.relu, torch.add, torch.flatten),
        *(Tensor.relu, Tensor.add, Tensor.add_, Tensor.flatten, Tensor.view, Tensor.reshape),
        *(torch.zeros_like, Tensor.detach, Tensor.clone, Tensor.dim, Tensor.size, Tensor.__len__),
        *(getattr(Tensor, name).__get__ for name in ("shape", "_version")),
    }
)


class NoRuleError(NotImplementedError):
    """The network calls a function that has no exact rule here."""


@contextmanager
def moving_weights(modules: Sequence[nn.Module]) -> Iterator[TorchFunctionMode]:
    """Let the weights of some modules move along themselves inside the block.

    Returns:
        A context for the forward pass, which raises `NoRuleError` at a function without an exact rule. `differentiate`
        is called outside it, and inside the block.
    """
    still = {module: weight for module in modules if (weight := module._parameters.get("weight")) is not None}
    with torch.enable_grad(), forward_ad.dual_level():
        with warnings.catch_warnings():  # torch loads its rules with a function that it deprecates
            warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", DeprecationWarning)
            moving = {module: forward_ad.make_dual(weight, weight.detach()) for module, weight in still.items()}
        try:
            for module, weight in moving.items():
                module._parameters["weight"] = weight
            yield _Rules(frozenset(map(id, moving.values())))
        finally:
            for module, weight in still.items():
                module._parameters["weight"] = weight


def differentiate(
    logits: Tensor, loss: Callable[[Tensor], Tensor], weights: Sequence[Tensor]
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Return the loss's gradient and its Hessian times the weights, each one tensor for each weight tensor.

    Args:
        logits: of a forward pass with the context of `moving_weights`.
        loss: of logits.
        weights: the tensors to differentiate by.
    """
    value, move = forward_ad.unpack_dual(logits)
    value = value.detach().requires_grad_()
    # The loss by itself in reverse mode twice: forward mode would take other steps to its gradient, and round it.
    with torch.enable_grad():
        (slope,) = gradient(loss(value), [value], create_graph=True)
        bend = torch.zeros_like(value) if move is None else gradient((slope * move).sum(), [value])[0]
    found = [forward_ad.unpack_dual(g) for g in gradient(logits, weights, forward_ad.make_dual(slope.detach(), bend))]
    products = (torch.zeros_like(value) if move is None else move for value, move in found)
    return tuple(value.detach() for value, _ in found), tuple(product.detach() for product in products)


class _BatchNorm(NamedTuple):
    # The arguments of F.batch_norm, in its order.
    input: Tensor
    running_mean: Tensor | None
    running_var: Tensor | None
    weight: Tensor | None = None
    bias: Tensor | None = None
    training: bool = False
    momentum: float = 0.1
    eps: float = 1e-5


class _Rules(TorchFunctionMode):
    def __init__(self, moving: frozenset[int]) -> None:
        super().__init__()
        self.moving = moving

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        # Layers as torch's modules call them.
        if func is F.conv2d and len(args) == 7 and id(args[1]) in self.moving and not isinstance(args[4], str):
            read, weight, bias, stride, padding, dilation, groups = args
            how = (_pair(stride), _pair(padding), _pair(dilation), False, (0, 0), groups)
            return _Convolution.apply(read, weight, None if bias is None else bias.detach(), how)
        if func is F.batch_norm:
            call = _BatchNorm(*args, **(kwargs or {}))
            if call.training and call.weight is not None:
                return _Normalisation.apply(call.input, call.weight.detach(), call)
        if func not in _EXACT:
            raise NoRuleError(func)
        return func(*args, **(kwargs or {}))


def _pair(size: int | Sequence[int]) -> tuple[int, ...]:
    return (size, size) if isinstance(size, int) else tuple(size)


def _plus(value: Tensor, move: Tensor | None) -> Tensor:
    return value if move is None else value + move


class _Convolution(Function):
    # z = W x, and W moves by W: z' = W (x + x').
    @staticmethod
    def forward(ctx: Any, read: Tensor, weight: Tensor, bias: Tensor | None, how: tuple[Any, ...]) -> Tensor:
        ctx.how = how
        ctx.save_for_backward(read, weight)
        ctx.save_for_forward(read, weight)
        output: Tensor = _aten.convolution(read, weight, bias, *how)
        return output

    @staticmethod
    def jvp(ctx: Any, read_moves: Tensor | None, *_: Any) -> Tensor:
        read, weight = ctx.saved_tensors
        output: Tensor = _aten.convolution(_plus(read, read_moves), weight, None, *ctx.how)
        return output

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        # Outside the block, where a slope does not move, other passes ask for what is at the images alone.
        wanted = (ctx.needs_input_grad[0], forward_ad.unpack_dual(slope).tangent is not None, False)
        of_read, of_weight = _ConvolutionGradient.apply(slope, *ctx.saved_tensors, ctx.how, wanted)
        return of_read, of_weight, None, None


class _ConvolutionGradient(Function):
    # Of a slope s at z: W^T s at x, which moves by W^T (s + s'), and the correlation x * s at W, by x * s' + x' * s.
    @staticmethod
    def forward(
        ctx: Any, slope: Tensor, read: Tensor, weight: Tensor, how: tuple[Any, ...], wanted: tuple[bool, ...]
    ) -> tuple[Tensor | None, Tensor | None]:
        ctx.how, ctx.wanted = how, wanted
        of_read, of_weight, _ = _aten.convolution_backward(slope, read, weight, None, *how, wanted)
        ctx.save_for_forward(slope, read, weight, of_weight)
        return of_read, of_weight

    @staticmethod
    def jvp(ctx: Any, slope_moves: Tensor | None, read_moves: Tensor | None, *_: Any) -> tuple[Tensor | None, Tensor]:
        slope, read, weight, before = ctx.saved_tensors
        moved = _plus(slope, slope_moves)
        of_read, of_weight, _ = _aten.convolution_backward(moved, read, weight, None, *ctx.how, ctx.wanted)
        of_weight -= before
        if read_moves is not None:
            only = [False, True, False]
            of_weight += _aten.convolution_backward(slope, read_moves, weight, None, *ctx.how, only)[1]
        return of_read, of_weight


class _Normalisation(Function):
    # y = (x - mean) / deviation times weight. Its Jacobian is symmetric: x' becomes y' as a gradient at y does at x.
    @staticmethod
    def forward(ctx: Any, read: Tensor, weight: Tensor, call: _BatchNorm) -> Tensor:
        bias = None if call.bias is None else call.bias.detach()
        output, mean, inverse, reserve, kernel = _aten._batch_norm_impl_index(
            *(read, weight, bias, call.running_mean, call.running_var, True, call.momentum, call.eps),
            torch.backends.cudnn.enabled,
        )
        ctx.how = (kernel, call.running_mean, call.running_var, call.eps, reserve)
        ctx.save_for_backward(read, weight, mean, inverse)
        ctx.save_for_forward(read, weight, mean, inverse)
        return output

    @staticmethod
    def jvp(ctx: Any, read_moves: Tensor, *_: Any) -> Tensor:
        return _back(ctx.how, read_moves, *ctx.saved_tensors)[0]

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        return _NormalisationGradient.apply(slope, *ctx.saved_tensors, ctx.how), None, None


class _NormalisationGradient(Function):
    # Of a slope s at y: w r (s - m(s) - n m(n s)) at x, where n is x normalised, r = 1 / deviation and m the mean over
    # images and pixels. With n' = r (x' - m(x') - n m(n x')), and r' = -r r m(n x'), it moves by
    # w r (s' - m(s') - n m(n s')) + (r' / r) times itself - w r (n' m(n s) + n m(n' s)).
    @staticmethod
    def forward(
        ctx: Any, slope: Tensor, read: Tensor, weight: Tensor, mean: Tensor, inverse: Tensor, how: tuple[Any, ...]
    ) -> Tensor:
        ctx.how = how
        of_read, normalised_slope = _back(how, slope, read, weight, mean, inverse)
        ctx.save_for_forward(slope, read, weight, mean, inverse, of_read, normalised_slope)
        return of_read

    @staticmethod
    def jvp(ctx: Any, slope_moves: Tensor | None, read_moves: Tensor | None, *_: Any) -> Tensor | None:
        slope, read, weight, mean, inverse, before, normalised_slope = ctx.saved_tensors
        moves = None if slope_moves is None else _back(ctx.how, slope_moves, read, weight, mean, inverse)[0]
        if read_moves is None:
            return moves
        each = (1, -1, *(1 for _ in read.shape[2:]))
        count = read.numel() // len(mean)
        normalised_moves, normalised_read = _back(ctx.how, read_moves, read, torch.ones_like(weight), mean, inverse)
        others = [axis for axis in range(read.dim()) if axis != 1]
        turned = (normalised_moves * slope).sum(others)
        factor = weight * inverse / count
        moves = before.new_zeros(()) if moves is None else moves
        moves = torch.addcmul(moves, before, (-inverse * normalised_read / count).reshape(each))
        moves.addcmul_(normalised_moves, (-factor * normalised_slope).reshape(each))
        return moves.addcmul_(read - mean.reshape(each), (-factor * inverse * turned).reshape(each))


def _back(
    how: tuple[Any, ...], slope: Tensor, read: Tensor, weight: Tensor, mean: Tensor, inverse: Tensor
) -> tuple[Tensor, Tensor]:
    # The gradient at what a normalisation read, and for every channel the sum of slope times normalised value.
    kernel, running_mean, running_var, eps, reserve = how
    of_read, of_weight, _ = _aten._batch_norm_impl_index_backward(
        *(kernel, read, slope, weight, running_mean, running_var, mean, inverse, True, eps),
        *([True, True, False], reserve),
    )
    return of_read, of_weight
