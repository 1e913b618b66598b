"""Sizes: the baselines that every other proxy has to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diswot.proxies.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from diswot.proxies.trace import Trace


@register(
    family="counts",
    version="1",
    needs=["layers"],
    source="NAS-Bench-201 (ICLR 2020), its own count: every edge, weights and biases, normalisation included",
)
def params(trace: Trace) -> int:
    """Count the trainable weights."""
    return sum(layer.params for layer in trace.layers)


@register(
    family="counts",
    version="1",
    needs=["layers"],
    source="NATS-Bench (TPAMI 2021), its published FLOPs: multiply-accumulates of convolutions and the classifier",
)
def flops(trace: Trace) -> int:
    """Count the multiply-accumulates of one image's forward pass."""
    return sum(layer.multiply_accumulates for layer in trace.layers)


@register(
    family="counts",
    version="1",
    needs=["layers"],
    live_edges_only=True,
    source="this project: params, of the layers on a path from the image to the logits",
)
def live_params(trace: Trace) -> int:
    """Count the trainable weights that can change the logits."""
    return sum(layer.params for layer in trace.layers if layer.live)


@register(
    family="counts",
    version="1",
    needs=["layers"],
    live_edges_only=True,
    source="this project: flops, of the layers on a path from the image to the logits",
)
def live_flops(trace: Trace) -> int:
    """Count the multiply-accumulates that can change the logits."""
    return sum(layer.multiply_accumulates for layer in trace.layers if layer.live)


@register(
    family="counts",
    version="1",
    needs=["layers"],
    live_edges_only=True,
    source="this project, after the layer count of VKDNW (Tybl and Neumann, CVPR 2025)",
    differences="VKDNW counts parameter tensors, dead ones too; this counts convolutions on a live path",
)
def live_convs(trace: Trace) -> int:
    """Count the convolutions that can change the logits."""
    from torch import nn

    return sum(layer.live and isinstance(layer.module, nn.Conv2d) for layer in trace.layers)


@register(
    family="counts",
    version="1",
    needs=["weights"],
    source="Abdelfattah et al., ICLR 2021 (zero-cost-nas, measures/l2_norm.py)",
    differences="the reference instantiates all 30 candidate operations of a cell and counts those too; "
    "this counts the operations of the cell, as NASLib does",
)
def l2_norm(trace: Trace) -> Tensor | float:
    """Sum the L2 norms of the weight tensors."""
    return sum(weight.norm() for weight in trace.weights)
