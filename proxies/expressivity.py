"""Proxies that measure in how many directions the activations of a few images spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diswot.proxies.declarations import UndefinedScore
from diswot.proxies.registry import register

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

    from diswot.proxies.trace import Trace

#: RBFleX's widths of its two kernels, fitted by its authors; they add a constant to the score.
_RELU_GAMMA, _POOLED_GAMMA = 2.68690173088039e-12, 1.02460061284506e-11

_DEXTR = "Dextr, TMLR 2025 (rohanasthana/Dextr, NASBench201/correlation/NAS_Bench_201.py)"
_MAPS = "the first image of the sweep's batch; each map counts once and maps of one pixel do not, where the reference "
_MAPS += "counts a map for every module that hands it on, and 1 for each vector"


@register(
    family="expressivity",
    version="1",
    needs=["activation_rows"],
    fast=False,
    source="NEAR, ICLR 2025 (ReiherGroup/NEAR, src/near_score/near_score.py)",
    differences="the rows begin at the first column of the first image, where the reference draws the column: .8 to "
    "2.6 % lower; one draw of weights; modules alone are seen",
)
def near(trace: Trace) -> Tensor | float:
    """Sum over layers and activations the effective rank of C pixels by C channels of one image.

    The effective rank is exp of the entropy of the singular values' shares in their sum (Roy and Vetterli, 2007).
    """
    return sum(_effective_ranks(values).sum() for values in _singular_values(trace.activation_rows))


@register(
    family="expressivity",
    version="1",
    needs=["image_maps"],
    fast=False,
    source=f"{_DEXTR}, its term of singular values",
    differences=f"the sum alone, before its logarithm, which orders alike; {_MAPS}",
)
def dextr_svd(trace: Trace) -> Tensor:
    """Sum over maps of one image the smallest singular value divided by the largest."""
    return _flatness(trace.image_maps)


@register(
    family="expressivity",
    version="1",
    needs=["image_maps", "curve"],
    fast=False,
    source=_DEXTR,
    differences=f"{_MAPS}; the circle lies in the plane of the first two images and the first ten logits count, where "
    "the reference draws a plane of 64x64 images and ten logits. Without a curvature the score is undefined, where the "
    "reference returns its other term. In float32 the curvature is known to .1 %",
)
def dextr(trace: Trace) -> Tensor:
    """Combine as ab / (a + b) the logarithms of 1 + dextr_svd and of 1 + the curvature of the logits on a circle."""
    velocity, acceleration = (derivative.double() for derivative in trace.curve)
    speed = velocity.square().sum()
    if not speed > 0:
        raise UndefinedScore("the logits do not move along the circle")
    area = (speed * acceleration.square().sum() - (velocity @ acceleration).square()).clamp(min=0).sqrt()
    a, b = _flatness(trace.image_maps).log1p(), (area / speed**1.5).log1p()
    return a * b / (a + b)


@register(
    family="expressivity",
    version="1",
    needs=["lone_images"],
    fast=False,
    source="RBFleX-NAS, TNNLS 2025 (tomomasayamasaki/RBFleX-NAS, RBFleX_NAS-Bench-201.py)",
    differences="the first three images of the sweep's batch; ReLUs, where the reference also counts modules whose "
    "class is called ReLUConvBN; determinants without the reference's cancellation. The widths of the kernels add a "
    "constant, so detecting them as the paper does cannot change an order",
)
def rbflex(trace: Trace) -> Tensor:
    """Take 3 times the log determinants of two kernels of three images: of their ReLU outputs and pooled vectors."""
    lone = trace.lone_images
    if len(lone.pooled) < 3:
        raise UndefinedScore("it compares three images, and the batch has fewer")
    return 3 * (_log_determinant(lone.relus, _RELU_GAMMA) + _log_determinant(lone.pooled, _POOLED_GAMMA))


def _singular_values(matrices: Iterable[Tensor]) -> list[Tensor]:
    # Of matrices of one shape at a time: (matrices, values).
    import torch
    from torch.linalg import svdvals

    by_shape: dict[torch.Size, list[Tensor]] = {}
    for matrix in matrices:
        by_shape.setdefault(matrix.shape, []).append(matrix)
    return [svdvals(torch.stack(alike).double()) for alike in by_shape.values()]


def _effective_ranks(values: Tensor) -> Tensor:
    shares = values / values.sum(1, keepdim=True)
    return (-shares.xlogy(shares).sum(1)).exp().where(values.any(1), 0)  # of a matrix of zeros, none


def _flatness(maps: Iterable[Tensor]) -> Tensor:
    from torch import cat

    values = _singular_values(each.flatten(1) for each in maps if each[0].numel() > 1)
    if not values:
        raise UndefinedScore("no module put out a map")
    # Of a map of zeros the ratio is 0 / 0, which counts as 0.
    return cat([alike[:, -1] / alike[:, 0] for alike in values]).nan_to_num(0).sum()


def _log_determinant(vectors: Tensor, gamma: float) -> Tensor:
    low, high = vectors.double().aminmax(dim=0)
    scaled = ((vectors.double() - low) / (high - low)).nan_to_num(0)  # a constant is 0 / 0
    # Three distances near 0 make kernel entries 1 - x, 1 - y, 1 - z; in these the determinant does not cancel.
    first, second, third = scaled
    x, y, z = (
        -(-gamma * (a - b).square().sum()).expm1() for a, b in ((first, second), (second, third), (third, first))
    )
    determinant = 2 * (x * y + y * z + z * x - x * y * z) - (x * x + y * y + z * z)
    if not determinant > 0:
        raise UndefinedScore("the outputs of three images lie on a line")
    return determinant.log()
