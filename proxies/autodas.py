"""Auto-DAS: scores of a student and a teacher whose formulas were found by an evolutionary search.

Sun et al., "Auto-DAS: Automated Proxy Discovery for Training-free Distillation-aware Architecture Search", ECCV 2024.
A formula is a term of the student alone plus a term that compares it with the teacher.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from diswot.proxies.conditions import require_two_images
from diswot.proxies.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from diswot.proxies.trace import Trace

_PAPER = "Sun et al., Auto-DAS, ECCV 2024 (lliai/Auto-DAS,"


@register(
    family="autodas",
    version="1",
    needs=["gradients", "features", "teacher"],
    fast=False,
    source=f"{_PAPER} exps/rank/nb201/eval_rank_jointly.py), the formula found on NAS-Bench-201",
    differences="a convolution without a gradient counts as zeros, where the reference gives the whole network -1. "
    "Gradients are small against 1, so that the student's term counts convolutions, dead ones too, and the teacher's "
    "decides among equal counts alone. The formula was found by accuracies of 50 distilled networks",
)
def autodas(trace: Trace) -> Tensor:
    """Add mean |tanh(log softmax)| of each convolution's gradient to how alike student and teacher pool the batch."""
    from torch.nn import functional as F

    from diswot.proxies import losses

    require_two_images(trace.images)
    student, teacher = trace.features[-1], trace.teacher.features[-1]
    losses.same_shape("autodas", student, teacher)
    student, teacher = (F.mish(pooled).square().softmax(0) for pooled in (student, teacher))
    alike = 100 * F.cosine_similarity(teacher, student, dim=0).mean() * (student * teacher).mean()
    kernels = [gradient for gradient in trace.gradients if gradient.dim() == 4]
    return alike + sum(gradient.log_softmax(0).tanh().abs().mean() for gradient in kernels)


@register(
    family="autodas",
    version="1",
    needs=["ones_gradients", "logits", "teacher"],
    fast=False,
    source=f"{_PAPER} exps/search_model/nb201/evo_search_model.py), the formula found on NAS-Bench-101",
    differences="without the reference's dropout of logits, which makes the score random; a convolution without a "
    "gradient counts as zeros",
)
def autodas_nb101(trace: Trace) -> Tensor:
    """Add 1 / mean(|g| / (1 + |g|)) of every convolution's gradient to how far logits differ from the teacher's."""
    from torch.nn import functional as F

    from diswot.proxies import losses

    losses.same_shape("autodas_nb101", trace.logits, trace.teacher.logits)
    student, teacher = trace.logits.square(), trace.teacher.logits.square()
    apart = 100 * F.cosine_similarity(teacher, student, dim=0).mean() * F.l1_loss(student, teacher)
    magnitudes = [gradient.abs() for gradient in trace.ones_gradients]
    # The reference sets zeros to 1 before its logarithm, and the sigmoid of log 1 is a half.
    shares = [size.div(1 + size).where(size != 0, 0.5).mean() for size in magnitudes]
    return apart + sum(1 / (share + 1e-9) for share in shares)
