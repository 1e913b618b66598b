"""Proxies from the gradients that come back to single layers, and from what these layers read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diswot.proxies.conditions import require_two_images
from diswot.proxies.declarations import UndefinedScore
from diswot.proxies.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from diswot.proxies.trace import Trace


@register(
    family="responses",
    version="1",
    needs=["relu_correlations"],
    fast=False,
    source="WRCor, arXiv 2507.08841 (kunjing96/ZSNAS-WRCor, foresight/pruners/measures/act_grad_cor_weighted.py)",
    differences="ReLU modules, as a line of the reference that is commented out has it; as released it also counts "
    "modules whose class is called ReLUConvBN. A singular matrix is undefined",
)
def wrcor(trace: Trace) -> Tensor:
    """Take log |det| of the images' absolute correlations at all ReLUs, of block i weighted by 2^i.

    Correlations are those of what a ReLU reads and those of the loss's gradient there. Where one image is constant
    the matrix does not count.
    """
    require_two_images(trace.images)
    kernel: Tensor | float = 0.0
    for at in trace.relu_correlations:
        for matrix in (at.read, at.gradients):
            kernel = kernel + 2.0 ** (at.block - 1) * matrix.abs().where(matrix.isfinite().all(), 0)
    if isinstance(kernel, float):
        raise UndefinedScore("no ReLU module ran behind the first block")
    log_determinant = kernel.slogdet().logabsdet
    if not log_determinant.isfinite():
        raise UndefinedScore("the correlations are singular")
    return log_determinant


@register(
    family="responses",
    version="1",
    needs=["relu_gradients"],
    fast=False,
    init="kaiming",
    source="Akhauri et al., EZNAS, NeurIPS 2022, the program of NDS-DARTS, by which the authors score NAS-Bench-201 "
    "(IntelLabs/Hardware-Aware-Automated-Machine-Learning, EZNAS/evol_utilities.py)",
    differences="the program was evolved on accuracies of another search space. Weights have the variance 2 / fan in, "
    "and the reference's 2 / fan out: only the shortcuts of reduction blocks see it. Layers are ReLU, convolution and "
    "normalisation in the order of modules; in cells without a convolution the reference takes other triples",
)
def eznas(trace: Trace) -> Tensor:
    """Average over layers the norm of sigmoid(log det(signs of the gradient map)), an image and channel a term."""
    from torch import stack

    if not trace.relu_gradients:
        raise UndefinedScore("no ReLU, convolution and normalisation follow each other")
    norms = []
    for slope in trace.relu_gradients:
        if slope.shape[-1] != slope.shape[-2]:
            raise UndefinedScore("a map is not square")
        sign, log_determinant = slope.sign().slogdet()
        norms.append(log_determinant.where(sign >= 0, 0).sigmoid().norm())  # a negative one has no logarithm
    return stack(norms).mean()


@register(
    family="responses",
    version="1",
    needs=["label_gradient_norms"],
    live_edges_only=True,
    fast=False,
    source="Shu et al., NASI, ICLR 2022, and HNAS, NeurIPS 2022 (shuyao95/HNAS, foresight/pruners/measures/"
    "ntk_trace.py)",
    differences="with batch normalisation an image's row of the kernel is its share of the batch's gradient, as in the "
    "reference, and not the gradient of its own logit",
)
def ntk_trace(trace: Trace) -> Tensor:
    """Take the root of the mean over images of the squared gradient of the label's logit."""
    return trace.label_gradient_norms.mean().sqrt()
