"""CIFAR ResNets of basic blocks: the networks of space S0, and the usual teachers.

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, section 4.2: a stem of 16 channels and three
stages of 16, 32 and 64 channels. Shortcuts that change shape are a strided 1x1 convolution with normalisation, as
in RepDistiller (models/resnet.py), whose recipe the DisWOT paper follows. At 100 classes, depths (7, 1, 3) then have
259.89 thousand weights and (3, 3, 3) have 278.32 thousand, the paper's figures. Some published weights need He et
al.'s own shortcut A: every other pixel, and channels of zeros.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_WIDTHS = (16, 32, 64)

#: The shortcuts where the shape changes: RepDistiller's, and He et al.'s A.
CONVOLUTION, ZERO_PADDING = "convolution", "zero padding"


class ResNet(nn.Module):
    """A CIFAR ResNet with the given numbers of basic blocks per stage."""

    def __init__(self, depths: tuple[int, int, int], *, num_classes: int, shortcut: str = CONVOLUTION) -> None:
        """Build the modules.

        Args:
            depths: basic blocks in each of the three stages; (9, 9, 9) is ResNet-56.
            num_classes: outputs of the classifier.
            shortcut: where the shape changes, `CONVOLUTION` or `ZERO_PADDING`.
        """
        super().__init__()
        self.shortcut = shortcut
        self.conv1 = nn.Conv2d(3, _WIDTHS[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(_WIDTHS[0])
        self.relu = nn.ReLU(inplace=False)
        stages = []
        inputs = _WIDTHS[0]
        for stage, (outputs, depth) in enumerate(zip(_WIDTHS, depths, strict=True)):
            blocks = [BasicBlock(inputs, outputs, 2 if stage else 1, shortcut)]
            blocks += [BasicBlock(outputs, outputs, 1, shortcut) for _ in range(depth - 1)]
            stages.append(nn.Sequential(*blocks))
            inputs = outputs
        self.layer1, self.layer2, self.layer3 = stages
        self.classifier = nn.Linear(inputs, num_classes)

    @property
    def blocks(self) -> list[nn.Module]:
        """The modules whose outputs follow from one another: the stem's activation, and all basic blocks."""
        return [self.relu, *self.layer1, *self.layer2, *self.layer3]

    def features(self, images: Tensor) -> list[Tensor]:
        """Return what proxies compare.

        Args:
            images: (batch, 3, height, width).

        Returns:
            The ends of the three stages, (batch, 16, height, width), (batch, 32, height/2, width/2) and
            (batch, 64, height/4, width/4), the third being the last activation; and the pooled vector, (batch, 64).
        """
        first = self.layer1(self.relu(self.bn1(self.conv1(images))))
        second = self.layer2(first)
        last = self.layer3(second)
        return [first, second, last, torch.nn.functional.adaptive_avg_pool2d(last, 1).flatten(1)]

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, (batch, num_classes)."""
        logits: Tensor = self.classifier(self.features(images)[-1])
        return logits


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int, shortcut: str) -> None:
        """Build the modules; the shortcut is the identity where shapes agree."""
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu1 = nn.ReLU(inplace=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu2 = nn.ReLU(inplace=False)
        self.downsample: nn.Module = nn.Identity()
        if (stride, inputs) != (1, outputs):
            self.downsample = (
                _ZeroPadding(outputs - inputs)
                if shortcut == ZERO_PADDING
                else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, inputs, height, width) to (batch, outputs, height/stride, width/stride)."""
        residual = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        result: Tensor = self.relu2(residual + self.downsample(x))
        return result


class _ZeroPadding(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self._channels = channels

    def forward(self, x: Tensor) -> Tensor:
        before = self._channels // 2
        return nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, before, self._channels - before))
