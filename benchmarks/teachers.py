"""Teachers: CIFAR ResNets and every network of a search space; untrained by name, or trained from a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diswot.benchmarks.errors import named, unknown
from diswot.benchmarks.spaces import SPACES

if TYPE_CHECKING:
    from torch import nn

#: Basic blocks in each of the three stages.
RESNETS = {"resnet20": 3, "resnet32": 5, "resnet44": 7, "resnet56": 9, "resnet110": 18}


@named("teacher", "cell", "cell operation")
def canonical(name: str) -> str:
    """Return the one name of a teacher: ``resnet56``, or ``SPACE:CELL``, such as ``nb201:6111`` or ``s0:713``.

    Raises:
        InputError: if the name is none, saying which forms there are.
    """
    text = name.strip()
    if text in RESNETS:
        return text
    space, _, cell = ("nb201", "", text) if text.startswith("|") else text.partition(":")
    if space not in SPACES:
        raise unknown("teacher", name, [*RESNETS, *(f"{space}:CELL" for space in SPACES)])
    return f"{space}:{SPACES[space].parse(cell)}"


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
    space, _, cell = name.partition(":")
    return SPACES[space].build(int(cell), num_classes)
