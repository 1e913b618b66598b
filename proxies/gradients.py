"""Proxies from gradients with respect to weights and activations.

All sums run over the weights of convolutions and linear layers, as in zero-cost-nas (Abdelfattah et al., ICLR 2021);
a weight that the logits do not depend on has a zero gradient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from diswot.proxies.conditions import require_two_images
from diswot.proxies.declarations import UndefinedScore
from diswot.proxies.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from diswot.proxies.trace import Trace


@register(
    family="gradients",
    version="1",
    needs=["gradients"],
    live_edges_only=True,
    source="Abdelfattah et al., ICLR 2021 (zero-cost-nas, measures/grad_norm.py)",
    differences="AZ-NAS takes one norm over all parameters; this sums the norms of the tensors, as the reference does",
)
def grad_norm(trace: Trace) -> Tensor | float:
    """Sum the L2 norms of the loss's gradients."""
    return sum(gradient.norm() for gradient in trace.gradients)


@register(
    family="gradients",
    version="1",
    needs=["weights", "gradients"],
    live_edges_only=True,
    source="Lee, Ajanthan and Torr, SNIP, ICLR 2019 (zero-cost-nas, measures/snip.py)",
)
def snip(trace: Trace) -> Tensor | float:
    """Sum the magnitudes of weight times gradient."""
    return sum((w * g).abs().sum() for w, g in zip(trace.weights, trace.gradients, strict=True))


@register(
    family="gradients",
    version="1",
    needs=["weights", "gradients"],
    live_edges_only=True,
    source="Abdelfattah et al., ICLR 2021 (zero-cost-nas, measures/plain.py)",
    differences="convolutions in front of a normalisation contribute zero but for rounding, so the classifier decides; "
    "the published rank correlation is negative with the direction declared here, which is the reference's",
)
def plain(trace: Trace) -> Tensor | float:
    """Sum weight times gradient, with sign."""
    # In float64: the terms of a normalised layer cancel to zero, and float32 would leave its rounding as the score.
    return sum((w.double() * g.double()).sum() for w, g in zip(trace.weights, trace.gradients, strict=True))


@register(
    family="gradients",
    version="1",
    needs=["gradients", "hessian_weights"],
    live_edges_only=True,
    fast=False,
    source="Wang, Zhang and Grosse, GraSP, ICLR 2020 (zero-cost-nas, measures/grasp.py, T = 1)",
    differences="the Hessian is multiplied by the weights, not by the gradient: H is symmetric, so that the sum is the "
    "same but for rounding, and cheaper",
)
def grasp(trace: Trace) -> Tensor | float:
    """Sum minus gradient times (Hessian times weight)."""
    return sum(-(g * h).sum() for g, h in zip(trace.gradients, trace.hessian_weights, strict=True))


@register(
    family="gradients",
    version="1",
    needs=["weights", "channel_saliency"],
    live_edges_only=True,
    source="Theis et al., arXiv 1801.05787; Turner et al., BlockSwap, ICLR 2020 (zero-cost-nas, measures/fisher.py)",
)
def fisher(trace: Trace) -> Tensor | float:
    """Sum over weights the saliency of their channel: half the mean of (sum of activation times gradient) squared."""
    return sum(
        weight[0].numel() * saliency.square().mean(0).sum() / 2
        for weight, saliency in zip(trace.weights, trace.channel_saliency, strict=True)
    )


@register(
    family="gradients",
    version="1",
    needs=["layers"],
    live_edges_only=True,
    source="Tanaka et al., SynFlow, NeurIPS 2020, equation 8 (zero-cost-nas, measures/synflow.py)",
    differences="every normalisation is left out, as in NASLib and AZ-NAS; zero-cost-nas keeps those of the two "
    "reduction blocks, which lowers the value by two to three orders of magnitude",
)
def synflow(trace: Trace) -> Tensor | float:
    """Sum weight times gradient of the data-free, all-positive network, in float64."""
    return sum(layer.synflow for layer in trace.layers)


@register(
    family="gradients",
    version="1",
    needs=["layers"],
    live_edges_only=True,
    source="NASLib, predictors/zerocost.py: the logarithm of the final synflow sum",
    differences="Cavagnero et al. (FreeREA) put the logarithm inside the sum, which ranks differently; "
    "NASLib's -1e8 for log 0 is an undefined score here",
)
def logsynflow(trace: Trace) -> Tensor:
    """Take the logarithm of synflow."""
    total = sum(layer.synflow for layer in trace.layers)
    if not total:
        raise UndefinedScore("synflow is zero: no path leads from the image to the logits")
    return total.log()


@register(
    family="gradients",
    version="2",
    needs=["second_batch_gradients"],
    live_edges_only=True,
    source="Li et al., ZiCo, ICLR 2023, equation 5 (SLDGroup/ZiCo, ZeroShotProxy/compute_zico.py)",
    differences="the formula is the reference's; the smallest differences of two gradients, which weigh most, are "
    "rounding alone, so that the score differs by up to 4e-4 of itself between processors",
)
def zico(trace: Trace) -> Tensor | float:
    """Sum over layers log of the sum over weights of mean |gradient| / std of the gradient, over two batches."""
    total: Tensor | float = 0.0
    for first, second in zip(*trace.second_batch_gradients, strict=True):
        std = (first - second).abs() / 2  # the population standard deviation of two numbers
        ratios = (first.abs() + second.abs()) / (2 * std)
        layer = ratios.where(std != 0, 0).sum()  # NaN is not 0, and stays
        total = total + layer.where(layer != 0, 1).log()
    return total


@register(
    family="gradients",
    version="1",
    needs=["gradient_signs"],
    live_edges_only=True,
    fast=False,
    source="Zhang and Jia, GradSign, ICLR 2022 (cmu-catalyst/GradSign, measures/grad_conflict.py)",
    differences="the sum over weights, as the paper defines it and its rank correlations were made; AZ-NAS and "
    "GradSign's other script take the mean, which dead weights dilute",
)
def gradsign(trace: Trace) -> Tensor | float:
    """Sum over weights the magnitude of the sum of the signs that single images' gradients have."""
    return sum(signs.double().abs().sum() for signs in trace.gradient_signs)


@register(
    family="gradients",
    version="1",
    needs=["tangent_kernel"],
    direction="lower",
    live_edges_only=True,
    fast=False,
    source="Chen, Gong and Wang, TE-NAS, ICLR 2021, section 3.1 (VITA-Group/TENAS, lib/procedures/ntk.py)",
    differences="the first 16 images, passed by themselves, where TE-NAS takes 72, which would cost 20 times as much; "
    "torch's initialisation, as in AZ-NAS's port, and one draw of it, where TE-NAS averages three of Kaiming's; "
    "eigenvalues in float64; a singular kernel is an undefined score, not infinite or 100000",
)
def ntk_cond(trace: Trace) -> Tensor:
    """Take the condition number of the neural tangent kernel: largest eigenvalue over smallest."""
    from torch import finfo
    from torch.linalg import eigvalsh

    kernel = trace.tangent_kernel
    require_two_images(kernel)
    eigenvalues = eigvalsh(kernel)
    # Gradients are known to their own precision, and so are small eigenvalues beside the largest.
    if eigenvalues[0] <= finfo(trace.images.dtype).eps * eigenvalues[-1]:
        raise UndefinedScore("the tangent kernel is singular")
    return eigenvalues[-1] / eigenvalues[0]
