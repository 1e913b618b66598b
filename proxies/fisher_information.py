"""Proxies from the Fisher information: how well the weights of a network could be estimated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diswot.proxies.declarations import UndefinedScore
from diswot.proxies.registry import register

if TYPE_CHECKING:
    from torch import Tensor

    from diswot.proxies.trace import Trace


@register(
    family="fisher_information",
    version="1",
    needs=["fisher_information"],
    init="kaiming",
    fast=False,
    source="Tybl and Neumann, VKDNW, CVPR 2025 (ondratybl/VKDNW, ZeroShotProxy/compute_vkdnw_score.py)",
    differences="on the sweep's batch, where the reference draws noise; J^T (diag p - p p^T) J, where the reference "
    "multiplies J by the covariance's Cholesky factor and not by its transpose; eigenvalues in float64; one number, "
    "which orders as the reference's pair (number of tensors, entropy) does",
)
def vkdnw(trace: Trace) -> Tensor:
    """Count the parameter tensors, and add the entropy of the deciles of the Fisher information's eigenvalues.

    The entropy is at most log 9, some 2.2. Cells of NAS-Bench-201 differ by 45 tensors or none, so that it decides
    among cells with as many convolutions.
    """
    from torch.linalg import eigvalsh

    eigenvalues = eigvalsh(trace.fisher_information).clamp(min=0)
    deciles = eigenvalues.quantile(eigenvalues.new_tensor([tenth / 10 for tenth in range(1, 10)]))
    if not deciles.any():
        raise UndefinedScore("nine tenths of the Fisher information's eigenvalues are zero")
    shares = deciles / deciles.sum()
    return sum(1 for _ in trace.network.parameters()) - shares.xlogy(shares).sum()
