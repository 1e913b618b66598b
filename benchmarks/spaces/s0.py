"""S0, the first search space of the DisWOT paper: 64 CIFAR ResNets, depths {1, 3, 5, 7} in each of three stages.

A network is named by its three depths, as in the release (exps/s1-gt-cls.txt): 713 has 7, 1 and 3 blocks.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from diswot.benchmarks.errors import InputError, quoted
from diswot.benchmarks.parsing import whole_number
from diswot.benchmarks.spaces.drawing import Block, Chain
from diswot.benchmarks.spaces.space import Space

if TYPE_CHECKING:
    from diswot.benchmarks.resnet import ResNet

DEPTHS = (1, 3, 5, 7)


def number(first: int, second: int, third: int) -> int:
    """Return the number of the network with these depths."""
    return 100 * first + 10 * second + third


#: The numbers of all 64 networks, ascending.
NUMBERS = tuple(number(*depths) for depths in itertools.product(DEPTHS, repeat=3))


def depths(number: int) -> tuple[int, int, int]:
    """Return the blocks per stage of a network.

    Raises:
        InputError: if the number is not one of the 64.
    """
    if number not in NUMBERS:
        raise InputError(f"cell: {number} is not in S0; its networks are named by three depths out of 1, 3, 5, 7.")
    return number // 100, number // 10 % 10, number % 10


def flops(number: int, *, num_classes: int = 100, size: int = 32) -> int:
    """Return the multiply-accumulates of one image's forward pass, from arithmetic alone; all of it is live.

    Convolutions and the classifier count, the classifier's bias adding one a class; see `spaces.nb201.counts`.
    """
    total, inputs = 3 * 16 * 9 * size**2, 16
    for stage, (width, blocks) in enumerate(zip((16, 32, 64), depths(number), strict=True)):
        pixels = (size >> stage) ** 2
        shortcut = inputs * width if stage else 0
        total += pixels * (9 * inputs * width + shortcut + (2 * blocks - 1) * 9 * width**2)
        inputs = width
    return total + inputs * num_classes + num_classes


def params(number: int, *, num_classes: int = 100) -> int:
    """Return the trainable weights, from arithmetic alone: convolutions, normalisations and the classifier."""
    total, inputs = 3 * 16 * 9 + 2 * 16, 16
    for stage, (width, blocks) in enumerate(zip((16, 32, 64), depths(number), strict=True)):
        shortcut = (inputs + 2) * width if stage else 0
        total += 9 * inputs * width + shortcut + (2 * blocks - 1) * 9 * width**2 + 2 * blocks * 2 * width
        inputs = width
    return total + (inputs + 1) * num_classes


def build(number: int, *, num_classes: int = 100) -> ResNet:
    """Build a network of S0, with torch's default initialisation."""
    from diswot.benchmarks.resnet import ResNet

    return ResNet(depths(number), num_classes=num_classes)


def _parse(text: str) -> int:
    number = whole_number(text)
    if number is None:
        raise InputError(f"cell: {quoted(text)} is not in S0; its networks are named by three depths, such as 713.")
    depths(number)
    return number


SPACE = Space(
    name="s0",
    cells=NUMBERS,
    parse=_parse,
    describe=lambda number: "ResNet[{},{},{}]".format(*depths(number)),
    build=lambda number, classes, **_skeleton: build(number, num_classes=classes),
    classes=100,
    costs={
        "params": lambda number, classes: params(number, num_classes=classes),
        "flops": lambda number, classes: flops(number, num_classes=classes),
        "live_params": lambda number, classes: params(number, num_classes=classes),
        "live_flops": lambda number, classes: flops(number, num_classes=classes),
    },
    options=(len(DEPTHS),) * 3,
    encode=lambda cell: tuple(map(DEPTHS.index, depths(cell))),
    decode=lambda places: number(*(DEPTHS[place] for place in places)),
    targets=("s0-diswot:distilled",),
    drawing=Chain(
        "a box is a residual block of two 3\N{MULTIPLICATION SIGN}3 convolutions; below: the channels of the stage",
        (16, 32, 64),
        tuple(
            Block(stage, position, stage, tuple(option for option, depth in enumerate(DEPTHS) if depth > position))
            for stage in range(3)
            for position in range(DEPTHS[-1])
        ),
    ),
)
