"""Variants of built-in proxies as other projects re-run them: where differences from published figures are from.

AZ-NAS and VKDNW (NB201/ZeroShotProxy) draw networks by Kaiming's rule, and their gradient norm is that of all gradients
together, where zero-cost-nas sums the layers' norms. Theirs covers batch normalisation too, these weights alone.

``diswot evaluate --plugin docs/measurements/peers.py --proxies grad_norm_kaiming,grad_norm_whole`` scores them.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from diswot import proxies
from diswot.proxies import registry
from diswot.proxies.trace import Trace

for _name in ("grad_norm", "snip", "grasp", "nwot", "jacov", "ntk_cond"):
    registry.add(replace(registry.get(_name), name=f"{_name}_kaiming", init="kaiming"))


@proxies.register(needs=["gradients"], init="kaiming", live_edges_only=True, version="1", source="AZ-NAS, VKDNW")
def grad_norm_whole(trace: Trace) -> Tensor:
    """Take the L2 norm of all gradients together."""
    norms = [gradient.norm() for gradient in trace.gradients]
    return torch.stack(norms).norm()
