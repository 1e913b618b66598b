"""Proxies from activation patterns, input Jacobians and perturbed feature maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxies.registry import UndefinedScore, register

if TYPE_CHECKING:
    from torch import Tensor

    from proxies.trace import Trace

_REGULARISER = 1e-5  # k of the Jacobian proxies


@register(
    family="activations",
    version="1",
    needs=["relu_outputs"],
    source="Mellor et al., ICML 2021, equation 2 (BayesWatch/nas-without-training, score_networks.py)",
    deviations="every ReLU that runs counts, dead edges' too, as in NASLib and AZ-NAS; the reference counts those "
    "that the backward pass visits",
)
def nwot(trace: Trace) -> Tensor:
    """Take the log-determinant of the kernel that counts agreeing ReLU signs between pictures."""
    kernel: Tensor | float = 0.0
    for output in trace.relu_outputs:
        codes = output.sign()  # of what a ReLU has let through: one or zero
        # A permutation of neurons leaves the kernel alone, so the memory order is as good as the logical one.
        codes = codes.permute(0, 2, 3, 1).flatten(1) if codes.dim() == 4 else codes.flatten(1)
        both = codes @ codes.T
        ones = both.diagonal()
        # Pairs that agree: both one, or both zero. Counts below 2^24 are exact in float32.
        kernel = kernel + (2 * both + codes.shape[1] - ones[:, None] - ones[None, :]).double()
    if isinstance(kernel, float):
        raise UndefinedScore("no ReLU module ran")
    sign, log_determinant = kernel.slogdet()
    if sign <= 0:
        raise UndefinedScore("the kernel of ReLU signs is singular: two pictures have the same signs")
    return log_determinant


@register(
    family="activations",
    version="1",
    needs=["input_gradients"],
    live_edges_only=True,
    source="Mellor et al., arXiv 2006.04647v1 (zero-cost-nas, measures/jacob_cov.py)",
    deviations="eigenvalues by the symmetric solver, where the reference's general one may return complex numbers",
)
def jacov(trace: Trace) -> Tensor:
    """Score the spectrum of the correlations between pictures' Jacobians; k = 1e-5."""
    from torch.linalg import eigvalsh

    jacobian = trace.input_gradients.double()
    _require_varying(jacobian)
    if len(jacobian) < 2:
        raise UndefinedScore("one picture has nothing to be correlated with")
    regular = eigvalsh(jacobian.corrcoef()) + _REGULARISER
    return -(regular.log() + 1 / regular).sum()


@register(
    family="activations",
    version="1",
    needs=["input_gradients", "logits"],
    live_edges_only=True,
    source="Lopes, Alirezazadeh and Alexandre, EPE-NAS, ICANN 2021 (NASLib, measures/epe_nas.py)",
    deviations="where the reference hides an exception (a class with one picture, over 100 classes), the class is "
    "left out in so many words",
)
def epe_nas(trace: Trace) -> Tensor | float:
    """Score the correlations between Jacobians of pictures of one class; up to 100 classes summed, else compared."""
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
        raise UndefinedScore("no class has two pictures in the batch")
    return sum((one - other).abs() for one in scores for other in scores) / len(scores)


@register(
    family="activations",
    version="1",
    needs=["perturbation"],
    init="gaussian",
    source="Lin et al., Zen-NAS, ICCV 2021, algorithm 1 (idstcv/ZenNAS, ZeroShotProxy/compute_zen_score.py)",
    deviations="one repeat on the sweep's own batch in place of 32 on noise batches of 16, so that the pass is shared "
    "with DisWOT; with noise pictures the input is the reference's",
)
def zen(trace: Trace) -> Tensor:
    """Add log of the last feature map's L1 change under noise to the sum of log deviations of the normalisations."""
    perturbation = trace.perturbation
    if not perturbation.distance > 0:
        raise UndefinedScore("noise does not change the last feature map")
    return perturbation.distance.log() + sum(
        variance.mean().sqrt().log() for variance in perturbation.running_variances
    )


def _require_varying(jacobian: Tensor) -> None:
    if not (jacobian.std(dim=1, correction=0) > 0).all():
        raise UndefinedScore("the logits do not depend on some picture: its Jacobian is constant")
