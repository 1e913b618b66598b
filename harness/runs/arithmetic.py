"""What of a machine decides the last digits of a score: instructions, libraries and the variables that choose them."""

from __future__ import annotations

import os
from typing import Any

#: Environment variables that make torch and its libraries compute with other instructions or precision.
VARIABLES = (
    "ATEN_CPU_CAPABILITY",
    "DNNL_DEFAULT_FPMATH_MODE",
    "DNNL_MAX_CPU_ISA",
    "MKL_CBWR",
    "MKL_DEBUG_CPU_TYPE",
    "MKL_ENABLE_INSTRUCTIONS",
    "NVIDIA_TF32_OVERRIDE",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
    "OPENBLAS_CORETYPE",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
)


def here(device: str) -> dict[str, Any]:
    """Return what decides the numbers on this machine, as ``run.json`` keeps it.

    Args:
        device: ``cpu`` or ``cuda``; a GPU's numbers do not depend on the processor's instructions.
    """
    import torch

    return {
        "capability": torch.backends.cpu.get_cpu_capability() if device == "cpu" else None,
        "mkldnn": bool(torch.backends.mkldnn.enabled),
        "variables": {name: os.environ[name] for name in VARIABLES if os.environ.get(name)},
    }


def differences(now: dict[str, Any], then: dict[str, Any]) -> list[str]:
    """Say in what two records differ, such as ``MKL_CBWR COMPATIBLE (there: not set)``."""
    ours, theirs = (
        {"CPU capability": record["capability"], "mkldnn": record["mkldnn"], **record["variables"]}
        for record in (now, then)
    )
    return [
        f"{name} {ours.get(name, 'not set')} (there: {theirs.get(name, 'not set')})"
        for name in ours | theirs
        if ours.get(name) != theirs.get(name)
    ]
