"""Proxies from activation patterns, input Jacobians and perturbed feature maps."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from diswot.proxies.conditions import require_two_images
from diswot.proxies.declarations import UndefinedScore
from diswot.proxies.registry import register

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from diswot.proxies.trace import Trace

_REGULARISER = 1e-5  # k of the Jacobian proxies

#: How many images SWAP's codes are made of: the reference's batch.
_CODE_LENGTH = 16

#: SWAP's prior of size, in thousands of weights: the size that it prefers, and the width of the preference. The
#: largest network of NAS-Bench-201 has 1,532 thousand; the width makes the factor 1/e for a network without weights.
_PREFERRED_SIZE = 1532.0
_WIDTH = 1532.0**2


@register(
    family="activations",
    version="1",
    needs=["relu_outputs"],
    source="Mellor et al., ICML 2021, equation 2 (BayesWatch/nas-without-training, score_networks.py)",
    differences="every ReLU that runs counts, dead edges' too, as in NASLib and AZ-NAS; the reference counts those "
    "that the backward pass visits",
)
def nwot(trace: Trace) -> Tensor:
    """Take the log-determinant of the kernel that counts agreeing ReLU signs between images."""
    from torch.linalg import matrix_rank

    kernel: Tensor | float = 0.0
    for output, times in _different(trace.relu_outputs):
        codes = output.sign()  # of what a ReLU has let through: one or zero
        # A permutation of neurons leaves the kernel alone, so the memory order is as good as the logical one.
        codes = codes.permute(0, 2, 3, 1).flatten(1) if codes.dim() == 4 else codes.flatten(1)
        both = codes @ codes.T
        ones = both.diagonal()
        # Pairs that agree: both one, or both zero. Counts below 2^24 are exact in float32.
        kernel = kernel + times * (2 * both + codes.shape[1] - ones[:, None] - ones[None, :]).double()
    if isinstance(kernel, float):
        raise UndefinedScore("no ReLU module ran")
    sign, log_determinant = kernel.slogdet()
    # Rounding leaves some finite number for the determinant of a singular kernel; the rank is taken to rounding.
    if sign <= 0 or matrix_rank(kernel, hermitian=True) < len(kernel):
        raise UndefinedScore("the kernel of ReLU signs is singular: two images have the same signs")
    return log_determinant


@register(
    family="activations",
    version="1",
    needs=["input_gradients"],
    live_edges_only=True,
    source="Mellor et al., arXiv 2006.04647v1 (zero-cost-nas, measures/jacob_cov.py)",
    differences="eigenvalues by the symmetric solver, where the reference's general one may return complex numbers",
)
def jacov(trace: Trace) -> Tensor:
    """Score the spectrum of the correlations between images' Jacobians; k = 1e-5."""
    from torch.linalg import eigvalsh

    jacobian = trace.input_gradients.double()
    _require_varying(jacobian)
    require_two_images(jacobian)
    regular = eigvalsh(jacobian.corrcoef()) + _REGULARISER
    return -(regular.log() + 1 / regular).sum()


@register(
    family="activations",
    version="1",
    needs=["input_gradients", "logits"],
    live_edges_only=True,
    source="Lopes, Alirezazadeh and Alexandre, EPE-NAS, ICANN 2021 (NASLib, measures/epe_nas.py)",
    differences="where the reference hides an exception (a class with one image, over 100 classes), the class is "
    "left out in so many words",
)
def epe_nas(trace: Trace) -> Tensor | float:
    """Score the correlations between Jacobians of images of one class; up to 100 classes summed, else compared."""
    jacobian = trace.input_gradients.double()
    _require_varying(jacobian)
    classes = trace.logits.shape[1]
    scores = []
    for label in trace.labels.unique():
        members = jacobian[trace.labels == label]
        if len(members) == 1 and classes > 100:
            continue
        logs = (members.corrcoef().abs() + _REGULARISER).log()
        scores.append(logs.sum() / (len(members) if classes > 100 else 1))
    if classes <= 100:
        return sum(score.abs() for score in scores)
    if not scores:
        raise UndefinedScore("no class has two images in the batch")
    return sum((one - other).abs() for one in scores for other in scores) / len(scores)


@register(
    family="activations",
    version="1",
    needs=["perturbation"],
    init="gaussian",
    source="Lin et al., Zen-NAS, ICCV 2021, algorithm 1 (idstcv/ZenNAS, ZeroShotProxy/compute_zen_score.py)",
    differences="one repeat on the sweep's own batch in place of 32 on noise batches of 16, so that the pass is shared "
    "with DisWOT; with noise the input is the reference's, and the scores agree with NASLib's by .996; with real "
    "images they do not: on the 9,445 reachable cells its correlation is .002 with images of CIFAR-10, NASLib's .115 "
    "and VKDNW's .103",
)
def zen(trace: Trace) -> Tensor:
    """Add log of the last feature map's L1 change under noise to the sum of log deviations of the normalisations."""
    perturbation = trace.perturbation
    if not perturbation.distance > 0:
        raise UndefinedScore("noise does not change the last feature map")
    return perturbation.distance.log() + sum(
        variance.mean().sqrt().log() for variance in perturbation.running_variances
    )


@register(
    family="activations",
    version="1",
    needs=["relu_outputs"],
    fast=False,
    source="Chen, Gong and Wang, TE-NAS, ICLR 2021, section 3.1 (VITA-Group/TENAS, lib/procedures/"
    "linear_region_counter.py; cvlab-yonsei/AZ-NAS, ZeroShotProxy/compute_te_nas_score.py)",
    differences="the whole network on the sweep's batch, as in AZ-NAS's port but for its noise; TE-NAS takes 3,000 "
    "inputs of 1x3x3 and networks of one channel. At usual widths every image has its own region, and cells tie",
)
def linear_regions(trace: Trace) -> int:
    """Count the images that differ in the sign of some ReLU: in how many linear regions the batch lies."""
    import torch

    regions = trace.labels.new_zeros(len(trace.labels))
    found = 1
    for signs in _relu_signs(trace, len(regions)):
        _, regions = torch.cat([regions[:, None], signs], dim=1).unique(dim=0, return_inverse=True)
        found = int(regions.max()) + 1
        if found == len(regions):
            break
    return found


@register(
    family="activations",
    version="1",
    needs=["relu_outputs"],
    init="gaussian",
    source="Peng et al., SWAP-NAS, ICLR 2024, SWAP-Score (pym1024/SWAP, src/metrics/swap.py)",
    differences="one draw of weights in place of 32; the codes are of the first 16 images of the sweep's batch, as "
    "many as the reference's batch has, and normalisation uses the whole batch",
)
def swap(trace: Trace) -> int:
    """Count the different codes that neurons have, a code being the ReLU's signs over 16 images."""
    import torch

    length = min(len(trace.images), _CODE_LENGTH)
    places = 2.0 ** torch.arange(length, device=trace.images.device)  # sums below 2^24 are exact in float32
    codes = torch.cat([(places @ signs.to(places.dtype)).long() for signs in _relu_signs(trace, length)])
    return int((codes.bincount() > 0).sum())


@register(
    family="activations",
    version="1",
    needs=["relu_outputs"],
    init="gaussian",
    source="Peng et al., SWAP-NAS, ICLR 2024, regularised SWAP-Score (pym1024/SWAP, src/metrics/swap.py)",
    differences="as swap; the preferred size 1532 and the width 1532^2 (thousands of weights) are this project's, as "
    "the released code has none for NAS-Bench-201",
)
def reg_swap(trace: Trace) -> float:
    """Multiply swap by exp(-(P - mu)^2 / sigma), P being thousands of weights: a preference for a size."""
    size = sum(parameter.numel() for parameter in trace.network.parameters()) / 1000
    return swap(trace) * math.exp(-((size - _PREFERRED_SIZE) ** 2) / _WIDTH)


@register(
    family="activations",
    version="1",
    needs=["image_maps"],
    source="Jiang, Wang and Bie, MeCo, NeurIPS 2023 (HamsterMimi/MeCo, correlation/NAS_Bench_201.py)",
    differences="the first image of the sweep's batch; each map counts once, where the reference counts it for every "
    "module that hands it on; eigenvalues by the symmetric solver in float64",
)
def meco(trace: Trace) -> Tensor | float:
    """Sum over maps the smallest eigenvalue of the correlations between channels, for one image passed alone."""
    from torch.linalg import eigvalsh

    rows = [one.flatten(1).double() for one in trace.image_maps if one[0].numel() > 1]
    # A channel that is constant correlates with nothing, itself included, as in the reference.
    return sum(eigvalsh(row.corrcoef().nan_to_num(0))[0] for row in rows)


def _different(outputs: Sequence[Tensor]) -> list[tuple[Tensor, int]]:
    # ReLUs that read the same tensor have the same output, which then counts as often.
    times = Counter(map(id, outputs))
    return [(output, times[key]) for key, output in {id(output): output for output in outputs}.items()]


def _relu_signs(trace: Trace, count: int) -> Iterator[Tensor]:
    maps = [output[:count] for output, _ in _different(trace.relu_outputs) if output.dim() == 4]
    if not maps:
        raise UndefinedScore("no ReLU module ran on a map")
    # (images, neurons); for a count, a permutation of neurons is as good as the logical order.
    return (one.permute(0, 2, 3, 1).flatten(1).sign() for one in maps)


def _require_varying(jacobian: Tensor) -> None:
    if not (jacobian.std(dim=1, correction=0) > 0).all():
        raise UndefinedScore("the logits do not depend on some image: its Jacobian is constant")
