"""DisWOT: how alike a randomly initialised teacher and student see a batch.

Dong, Li and Wei, "DisWOT: Student Architecture Search for Distillation WithOut Training", CVPR 2023
(arXiv 2303.15678), as the core code of the authors' README states it. The released scripts compute something else (the
relation term from one image's pooled vector, the teacher's gradients piled up over cells, another batch for every
cell); none of that is followed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from diswot.proxies.conditions import require_two_images
from diswot.proxies.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from diswot.proxies.trace import Trace

_PAPER = "Dong, Li and Wei, DisWOT, CVPR 2023 (arXiv 2303.15678)"


@register(
    family="diswot",
    version="1",
    needs=["classifier_gradient", "teacher"],
    init="gaussian",
    live_edges_only=True,
    source=f"{_PAPER}, semantic similarity; README of lilujunai/DisWOT-CVPR2023, channel_similarity",
    differences="the teacher's gradient is not piled up over cells; one fixed batch; float32 with eps 1e-12 is kept",
)
def diswot_semantic(trace: Trace) -> Tensor:
    """M_s: minus the distance between the classifier gradients' channel relations, averaged over classes."""
    return -_semantic_distance(trace)


@register(
    family="diswot",
    version="1",
    needs=["features", "teacher"],
    init="gaussian",
    live_edges_only=True,
    source=f"{_PAPER}, relation similarity; README of lilujunai/DisWOT-CVPR2023, batch_similarity",
    differences="on the last activation map of the whole batch, as the paper means it; the released script takes the "
    "pooled vector of the first image",
)
def diswot_relation(trace: Trace) -> Tensor:
    """M_r: minus the distance between the images' relations in the last activation maps."""
    return -_relation_distance(trace)


@register(
    family="diswot",
    version="1",
    needs=["classifier_gradient", "features", "teacher"],
    init="gaussian",
    live_edges_only=True,
    source=f"{_PAPER}, the sum of both terms, unweighted",
    differences="as its two terms; M_s is some hundred times larger than M_r, so the sum ranks as M_s does",
)
def diswot(trace: Trace) -> Tensor:
    """M_s + M_r."""
    return -(_semantic_distance(trace) + _relation_distance(trace))


def _semantic_distance(trace: Trace) -> Tensor:
    from diswot.proxies.losses import semantic

    return semantic(trace.classifier_gradient, trace.teacher.classifier_gradient)


def _relation_distance(trace: Trace) -> Tensor:
    from diswot.proxies.losses import similarity

    require_two_images(trace.features[-2])
    return similarity(trace.features[-2], trace.teacher.features[-2])
