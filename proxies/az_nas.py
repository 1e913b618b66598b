"""AZ-NAS: what the blocks of a network do to maps on the way forward, and to gradients on the way back.

Lee and Ham, "AZ-NAS: Assembling Zero-Cost Proxies for Network Architecture Search", CVPR 2024. The blocks are those
that the network offers: in NAS-Bench-201 the stem, the cells and the two reduction blocks, as in the reference. The
fourth member of the ensemble is ``flops``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from diswot.proxies.declarations import UndefinedScore
from diswot.proxies.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from diswot.proxies.trace import Trace

_CODE = "cvlab-yonsei/AZ-NAS, ZeroShotProxy/compute_az_nas_score.py"
_BATCH = "on the sweep's batch, where the reference draws noise"


@register(
    family="az_nas",
    version="1",
    needs=["blocks"],
    init="kaiming",
    live_edges_only=True,
    fast=False,
    source=f"Lee and Ham, AZ-NAS, CVPR 2024, expressivity ({_CODE})",
    differences=f"{_BATCH}; eigenvalues in float64; the reference's -inf for a constant map is an undefined score",
)
def az_expressivity(trace: Trace) -> Tensor:
    """Sum over blocks the entropy of the principal components' variances: how evenly a map fills its channels."""
    return _entropies(trace).sum()


@register(
    family="az_nas",
    version="1",
    needs=["blocks"],
    init="kaiming",
    live_edges_only=True,
    fast=False,
    source=f"Lee and Ham, AZ-NAS, CVPR 2024, progressivity ({_CODE})",
    differences="as az_expressivity",
)
def az_progressivity(trace: Trace) -> Tensor:
    """Take the smallest step that the expressivity makes from one block to the next."""
    return _entropies(trace).diff().min()


@register(
    family="az_nas",
    version="1",
    needs=["blocks"],
    init="kaiming",
    live_edges_only=True,
    fast=False,
    source=f"Lee and Ham, AZ-NAS, CVPR 2024, trainability ({_CODE})",
    differences=f"{_BATCH}; the signs come from the trace's seed; singular values in float64; the reference's -inf for "
    "a block that is the identity, and -1e6 for one that no gradient comes through, are undefined scores",
)
def az_trainability(trace: Trace) -> Tensor:
    """Average over blocks 2 - s - 1/s, s being the spectral norm of what a block does to random gradients."""
    from torch import stack

    pairs = zip(trace.blocks.received, trace.blocks.returned, strict=True)
    norms = stack([_spectral_norm(received, returned) for received, returned in pairs])
    if not norms.all():
        raise UndefinedScore("no gradient comes back through a block")
    return (2 - norms - 1 / (norms + 1e-6)).mean()


def _entropies(trace: Trace) -> Tensor:
    from torch import stack

    return stack([_entropy(output) for output in trace.blocks.outputs])


def _entropy(output: Tensor) -> Tensor:
    from torch.linalg import eigvalsh

    pixels = output.permute(0, 2, 3, 1).flatten(0, 2).double()
    centred = pixels - pixels.mean(0)
    variances = eigvalsh(centred.T @ centred / len(centred)).clamp(min=0)
    if not variances.any():
        raise UndefinedScore("the map of a block is constant")
    shares = variances / variances.sum()
    return -shares.xlogy(shares).sum()


def _spectral_norm(received: Tensor, returned: Tensor) -> Tensor:
    from torch.linalg import svdvals
    from torch.nn.functional import pixel_unshuffle

    if received.shape == returned.shape and (received == returned).all():
        raise UndefinedScore("a block is the identity")
    if received.shape[2:] != returned.shape[2:]:
        stride = returned.shape[2] // received.shape[2]
        if returned.shape[2:] != tuple(stride * size for size in received.shape[2:]):
            raise UndefinedScore("a block does not divide the image evenly")
        returned = pixel_unshuffle(returned, stride)
    before, after = (gradient.permute(0, 2, 3, 1).flatten(0, 2).double() for gradient in (returned, received))
    return svdvals(before.T @ after / len(after)).max()
