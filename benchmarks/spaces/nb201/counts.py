"""Parameters and multiply-accumulates of a NAS-Bench-201 network, from arithmetic alone.

*Official* counts take every edge, as the benchmark's own files do; *live* counts take what lies on a path from the
image to the logits: the live edges and the skeleton around them (of a degenerate cell the classifier alone).
A multiply-accumulate is counted for convolutions and for the classifier (whose bias adds one per class);
normalisation, pooling and activations count nothing. This is what NATS-Bench calls FLOPs: its published values for
indices 0, 11 and 284 come out exactly (15.64737, 113.95137 and 11.71521 million).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from diswot.benchmarks.spaces.nb201.cell import Cell

_KERNEL_AREA = {"nor_conv_1x1": 1, "nor_conv_3x3": 9}


@dataclass(frozen=True)
class Counts:
    """Trainable weights, and multiply-accumulates of one image's forward pass."""

    params: int
    flops: int


def official(cell: Cell, *, num_classes: int = 10, C: int = 16, N: int = 5, size: int = 32) -> Counts:
    """Count every edge of the cell.

    Args:
        cell: the cell.
        num_classes: outputs of the classifier.
        C: channels of the stem.
        N: cells per stage.
        size: height and width of an image in pixels.
    """
    return _network(
        tuple(_KERNEL_AREA[name] for name in cell.operations if name in _KERNEL_AREA), num_classes, C, N, size
    )


def live(cell: Cell, *, num_classes: int = 10, C: int = 16, N: int = 5, size: int = 32) -> Counts:
    """Count only what lies on a path from the image to the logits; see `official` for the arguments."""
    if cell.is_degenerate:
        classifier = (4 * C + 1) * num_classes
        return Counts(classifier, classifier)
    return official(cell.live, num_classes=num_classes, C=C, N=N, size=size)


@functools.cache  # cells with the same convolutions cost the same, whatever edges these are on
def _network(areas: tuple[int, ...], num_classes: int, C: int, N: int, size: int) -> Counts:
    parts = [_convolution(3, C, 9, size)]
    for stage, width in enumerate((C, 2 * C, 4 * C)):
        height = size >> stage
        if stage:
            parts += [_convolution(width // 2, width, 9, height), _convolution(width, width, 9, height)]
            parts += [_convolution(width // 2, width, 1, height, normalised=False)]
        parts += N * [_convolution(width, width, area, height) for area in areas]
    features = 4 * C
    parts.append(Counts(2 * features, 0))  # the last normalisation
    parts.append(Counts((features + 1) * num_classes, (features + 1) * num_classes))
    return Counts(sum(part.params for part in parts), sum(part.flops for part in parts))


def _convolution(inputs: int, outputs: int, area: int, height: int, *, normalised: bool = True) -> Counts:
    weights = inputs * outputs * area
    return Counts(weights + (2 * outputs if normalised else 0), weights * height * height)
