"""NAS-Bench-Macro: 6,561 CIFAR networks of eight layers, each the identity or one of two MobileNetV2 blocks.

Su et al., "Prioritized Architecture Sampling with Monto-Carlo Tree Search", CVPR 2021 (arXiv 2103.11922). A network is
named by its eight layers, as the authors do (github.com/xiusu/NAS-Bench-Macro): 0 the identity, 1 a block with kernel 3
and expansion 3, 2 one with kernel 5 and expansion 6. A stage's first layer halves the image; there 0 is a strided 1x1
convolution. Elsewhere it is nothing: networks that differ in its place alone compute the same function, one of 3,969.
The number of a network is its name without leading zeros.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from diswot.benchmarks.errors import InputError, quoted
from diswot.benchmarks.parsing import whole_number
from diswot.benchmarks.spaces.drawing import Block, Chain
from diswot.benchmarks.spaces.space import Space, Subset, every, one_a_function

if TYPE_CHECKING:
    from diswot.benchmarks.mobilenet import MobileNet

#: Kernel and expansion of the block that each digit stands for; None for the identity.
LAYERS = (None, (3, 3), (5, 6))
#: Layers in each stage, channels of the stem and of the last convolution.
STAGES, WIDTH, HEAD = (2, 3, 3), 32, 1280
_LENGTH = sum(STAGES)


def digits(cell: int) -> str:
    """Return the eight digits that name a network.

    Raises:
        InputError: if the number is not one of the 6,561.
    """
    text = f"{cell:0{_LENGTH}}"
    if len(text) > _LENGTH or not set(text) <= set("012"):
        raise _unknown(text)
    return text


#: The numbers of all networks, ascending.
NUMBERS = tuple(int("".join(layers)) for layers in itertools.product("012", repeat=_LENGTH))


def stages(cell: int) -> list[str]:
    """Return the digits of each stage."""
    layers = iter(digits(cell))
    return ["".join(itertools.islice(layers, depth)) for depth in STAGES]


@functools.cache
def representative(cell: int) -> int:
    """Return the network that the authors trained for all of this function: identities last in their stage."""
    moved = (stage[0] + stage[1:].replace("0", "") + "0" * stage[1:].count("0") for stage in stages(cell))
    return int("".join(moved))


@functools.cache
def counts(cell: int, num_classes: int = 10) -> tuple[int, int]:
    """Return the trainable weights, and the multiply-accumulates of an image of 32x32 pixels, from arithmetic alone.

    Both are counted as the authors do: the classifier's bias is a weight and no multiply-accumulate.
    """
    parts = list(_convolutions(cell))
    params = sum(weights + 2 * outputs for weights, outputs, _ in parts)
    flops = sum(weights * height**2 for weights, _, height in parts)
    return params + (HEAD + 1) * num_classes, flops + HEAD * num_classes


def _convolutions(cell: int) -> Iterator[tuple[int, int, int]]:
    # Weights, channels and height of what each convolution returns.
    width, height = WIDTH, 32
    yield 3 * width * 9, width, height
    for stage in stages(cell):
        for position, digit in enumerate(stage):
            inputs, before = width, height
            if position == 0:
                width, height = 2 * width, height // 2
            layer = LAYERS[int(digit)]
            if layer is not None:
                kernel, expansion = layer
                wide = inputs * expansion
                yield inputs * wide, wide, before
                yield wide * kernel**2, wide, height
                yield wide * width, width, height
            elif position == 0:
                yield inputs * width, width, height
    yield width * HEAD, HEAD, height


def build(cell: int, *, num_classes: int = 10) -> MobileNet:
    """Build a network, with torch's default initialisation."""
    from diswot.benchmarks.mobilenet import MobileNet

    layers = [[LAYERS[int(digit)] for digit in stage] for stage in stages(cell)]
    return MobileNet(layers, num_classes=num_classes, width=WIDTH, head=HEAD)


def _parse(text: str) -> int:
    number = whole_number(text)
    if number is None:
        raise _unknown(text)
    digits(number)
    return number


def _unknown(text: str) -> InputError:
    return InputError(
        f"cell: {quoted(text)} is not in NAS-Bench-Macro; its networks are named by eight digits 0, 1 or 2, "
        "such as 02012100."
    )


def _facts(cell: int) -> dict[str, Any]:
    params, flops = counts(cell)
    return {"representative": digits(representative(cell)), "params": params, "flops": flops}


def _drawing() -> Iterator[Block]:
    positions = [(stage, position) for stage, depth in enumerate(STAGES) for position in range(depth)]
    for place, (stage, position) in enumerate(positions):
        if position == 0:
            yield Block(stage, position, place, (0,), width=1 / 6)
        yield Block(stage, position, place, (1,), width=1 / 2)
        yield Block(stage, position, place, (2,))


SPACE = Space(
    name="nbmacro",
    cells=NUMBERS,
    parse=_parse,
    describe=digits,
    build=lambda cell, classes, **_skeleton: build(cell, num_classes=classes),
    classes=10,
    costs={
        "params": lambda cell, classes: counts(cell, classes)[0],
        "flops": lambda cell, classes: counts(cell, classes)[1],
        "live_params": lambda cell, classes: counts(cell, classes)[0],
        "live_flops": lambda cell, classes: counts(cell, classes)[1],
    },
    options=(len(LAYERS),) * _LENGTH,
    encode=lambda cell: tuple(map(int, digits(cell))),
    decode=lambda places: int("".join(map(str, places))),
    representative=representative,
    canonical=representative,
    teacher="nbmacro:22222222",
    subsets={
        "all": Subset("every network", every),
        "distinct": Subset("one network of each function; of all networks 3,969", one_a_function(representative)),
    },
    targets=("nas-bench-macro:test",),
    facts=_facts,
    drawing=Chain(
        "a wide box is a block with kernel 5 and expansion 6, a narrower one with kernel 3 and expansion 3, the "
        "narrowest a 1\N{MULTIPLICATION SIGN}1 convolution; below: the channels of the stage",
        (2 * WIDTH, 4 * WIDTH, 8 * WIDTH),
        tuple(_drawing()),
    ),
)
