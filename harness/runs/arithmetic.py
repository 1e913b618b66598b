"""What of a machine decides the last digits of a score: instructions, libraries and the variables that choose them."""

from __future__ import annotations

import os

from diswot.harness.records import Document
from diswot.harness.runs import settings

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


class Arithmetic(Document):
    """What decides the numbers on a machine.

    Attributes:
        capability: torch's CPU capability; None for a GPU.
        mkldnn: whether oneDNN is on.
        variables: those of `VARIABLES` that are set.
    """

    capability: str | None
    mkldnn: bool
    variables: dict[str, str]


def here(device: str) -> Arithmetic:
    """Return what decides the numbers on this machine, as ``run.json`` keeps it.

    Args:
        device: ``cpu`` or ``cuda``; a GPU's numbers do not depend on the processor's instructions.
    """
    import torch

    return Arithmetic(
        capability=torch.backends.cpu.get_cpu_capability() if device == "cpu" else None,
        mkldnn=bool(torch.backends.mkldnn.enabled),
        variables={name: os.environ[name] for name in VARIABLES if os.environ.get(name)},
    )


def differences(now: Arithmetic, then: Arithmetic) -> list[str]:
    """Say in what two records differ, such as ``MKL_CBWR COMPATIBLE (there: not set)``."""
    ours, theirs = (
        {"CPU capability": record.capability, "mkldnn": record.mkldnn, **record.variables} for record in (now, then)
    )
    return settings.differences(ours, theirs, absent="not set")
