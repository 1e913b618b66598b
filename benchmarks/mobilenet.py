"""CIFAR networks of MobileNetV2 blocks: those of the space NAS-Bench-Macro.

Su et al., "Prioritized Architecture Sampling with Monto-Carlo Tree Search", CVPR 2021 (arXiv 2103.11922), in the form
of the authors' code, github.com/xiusu/NAS-Bench-Macro, train/model.py. Activations are not in place, so that a hook
sees what a module returned.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class MobileNet(nn.Module):
    """A stem, stages that each begin by halving the image and doubling the channels, a wide 1x1 convolution."""

    def __init__(
        self, stages: Sequence[Sequence[tuple[int, int] | None]], *, num_classes: int, width: int, head: int
    ) -> None:
        """Build the modules.

        Args:
            stages: the layers of each stage: kernel and expansion of a block, or None for the identity.
            num_classes: outputs of the classifier.
            width: channels of the stem.
            head: channels of the last convolution, which the classifier reads.
        """
        super().__init__()
        self.stem = _convolution(3, width, 3, active=True)
        self.stages = nn.ModuleList()
        for layers in stages:
            shapes = [(width, 2 * width, 2)] + (len(layers) - 1) * [(2 * width, 2 * width, 1)]
            self.stages.append(
                nn.Sequential(*(_layer(layer, *shape) for layer, shape in zip(layers, shapes, strict=True)))
            )
            width *= 2
        self.out = _convolution(width, head, 1, active=True)
        self.classifier = nn.Linear(head, num_classes)

    @property
    def blocks(self) -> list[nn.Module]:
        """The modules whose outputs follow from one another: the stem, all layers, and the last convolution."""
        return [self.stem, *(layer for stage in self.stages for layer in stage.children()), self.out]

    def features(self, images: Tensor) -> list[Tensor]:
        """Return what proxies compare.

        Args:
            images: (batch, 3, height, width).

        Returns:
            The ends of all stages but the last: with a stem of 32 channels (batch, 64, height/2, width/2) and
            (batch, 128, height/4, width/4); the last activation, (batch, head, height/8, width/8); and the pooled
            vector, (batch, head).
        """
        x, maps = self.stem(images), []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        last = self.out(x)
        return [*maps[:-1], last, torch.nn.functional.adaptive_avg_pool2d(last, 1).flatten(1)]

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, (batch, num_classes)."""
        logits: Tensor = self.classifier(self.features(images)[-1])
        return logits


class InvertedResidual(nn.Module):
    """Widen by a 1x1 convolution, filter every channel by itself, narrow again; the input is added where it fits."""

    def __init__(self, inputs: int, outputs: int, stride: int, kernel: int, expansion: int) -> None:
        """Build the three convolutions."""
        super().__init__()
        wide = inputs * expansion
        self.conv = nn.Sequential(
            *_convolution(inputs, wide, 1, active=True),
            *_convolution(wide, wide, kernel, stride, groups=wide, active=True),
            *_convolution(wide, outputs, 1),
        )
        self._is_residual = inputs == outputs and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, inputs, height, width) to (batch, outputs, height/stride, width/stride)."""
        result: Tensor = self.conv(x)
        return result + x if self._is_residual else result


def _layer(layer: tuple[int, int] | None, inputs: int, outputs: int, stride: int) -> nn.Module:
    if layer is not None:
        return InvertedResidual(inputs, outputs, stride, *layer)
    return nn.Identity() if stride == 1 else _convolution(inputs, outputs, 1, stride)


def _convolution(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, active: bool = False
) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), *([nn.ReLU(inplace=False)] if active else []))
