"""Teachers: CIFAR ResNets, any NAS-Bench-201 cell, any network of S0; untrained by name, or trained from a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diswot.benchmarks.errors import InputError, named, unknown
from diswot.benchmarks.parsing import whole_number
from diswot.benchmarks.spaces import nb201, s0

if TYPE_CHECKING:
    from torch import nn

#: Basic blocks in each of the three stages.
RESNETS = {"resnet20": 3, "resnet32": 5, "resnet44": 7, "resnet56": 9, "resnet110": 18}

DEFAULT = "resnet56"


@named("--teacher", "cell", "cell operation")
def canonical(name: str) -> str:
    """Return the one name of a teacher: ``resnet56``, ``nb201:INDEX`` or ``s0:DEPTHS``.

    Raises:
        InputError: if the name is none, saying which forms there are.
    """
    text = name.strip()
    if text in RESNETS:
        return text
    kind, _, cell = text.partition(":")
    if text.startswith("|") or kind == "nb201":
        return f"nb201:{nb201.as_cell(cell if kind == 'nb201' else text).index}"
    if kind == "s0":
        number = whole_number(cell)
        if number is None:
            raise InputError(f"--teacher: {cell!r} is not in S0; its networks are named by three depths, such as 713.")
        s0.depths(number)
        return f"s0:{number}"
    raise unknown("--teacher", name, [*RESNETS, "nb201:CELL", "s0:DEPTHS"])


def build(name: str, *, num_classes: int, shortcut: str = "convolution") -> nn.Module:
    """Build a teacher's network, with torch's default initialisation.

    Args:
        name: of the teacher.
        num_classes: outputs of the classifier.
        shortcut: of a CIFAR ResNet; see `diswot.benchmarks.resnet`.

    Raises:
        InputError: if the name is not a teacher's.
    """
    from diswot.benchmarks.resnet import ResNet

    name = canonical(name)
    if name in RESNETS:
        depth = RESNETS[name]
        return ResNet((depth, depth, depth), num_classes=num_classes, shortcut=shortcut)
    kind, _, cell = name.partition(":")
    if kind == "nb201":
        return nb201.build(cell, num_classes=num_classes)
    return s0.build(int(cell), num_classes=num_classes)
