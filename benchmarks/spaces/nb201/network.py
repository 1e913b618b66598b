"""The network of a NAS-Bench-201 cell, with the modules, keys and shapes of the official ``infer.tiny``.

Source: AutoDL-Projects, xautodl/models/cell_infers/{tiny_network,cells}.py and cell_operations.py. Two things are
left out because they change no number: the multiplication by zero of a ``none`` edge, and the second output of
``forward`` (the pooled vector, which is the last entry of `Network.features`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from diswot.benchmarks.spaces.nb201.cell import EDGES, Cell


class Network(nn.Module):
    """Stem, three stages of N cells with a residual reduction block between them, and a linear classifier."""

    def __init__(self, cell: Cell, *, num_classes: int, C: int, N: int) -> None:
        """Build the modules; see `diswot.benchmarks.spaces.nb201.build` for the arguments."""
        super().__init__()
        self.cell = cell
        self.stem = nn.Sequential(nn.Conv2d(3, C, 3, padding=1, bias=False), nn.BatchNorm2d(C))
        first, second, third = (C, 2 * C, 4 * C)
        self.cells = nn.ModuleList(
            [InferCell(cell, first) for _ in range(N)]
            + [ReductionBlock(first, second)]
            + [InferCell(cell, second) for _ in range(N)]
            + [ReductionBlock(second, third)]
            + [InferCell(cell, third) for _ in range(N)]
        )
        self._ends_of_stages = (N - 1, 2 * N)
        self.lastact = nn.Sequential(nn.BatchNorm2d(third), nn.ReLU(inplace=True))
        self.global_pooling = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(third, num_classes)

    @property
    def blocks(self) -> list[nn.Module]:
        """The modules that run one after another: the stem, and all cells and reduction blocks."""
        return [self.stem, *self.cells]

    def features(self, images: Tensor) -> list[Tensor]:
        """Return what proxies compare.

        Args:
            images: (batch, 3, height, width).

        Returns:
            The ends of stages 1 and 2, (batch, C, height, width) and (batch, 2C, height/2, width/2); the last
            activation before pooling, (batch, 4C, height/4, width/4); and the pooled vector, (batch, 4C).
        """
        maps = []
        x = self.stem(images)
        for position, module in enumerate(self.cells):
            x = module(x)
            if position in self._ends_of_stages:
                maps.append(x)
        last = self.lastact(x)
        return [*maps, last, self.global_pooling(last).flatten(1)]

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, (batch, num_classes)."""
        logits: Tensor = self.classifier(self.features(images)[-1])
        return logits


class InferCell(nn.Module):
    """The cell as a module; ``layers.e`` is edge e of `EDGES`."""

    def __init__(self, cell: Cell, channels: int) -> None:
        """Build one module an edge."""
        super().__init__()
        self.layers = nn.ModuleList(_operation(name, channels) for name in cell.operations)
        self._inputs_of_nodes = [
            [
                (edge, source)
                for edge, (source, target) in enumerate(EDGES)
                if target == node and cell.operations[edge] != "none"
            ]
            for node in (1, 2, 3)
        ]

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, height, width) to the same shape."""
        nodes = [x]
        for inputs in self._inputs_of_nodes:
            terms = [self.layers[edge](nodes[source]) for edge, source in inputs]
            nodes.append(sum(terms[1:], start=terms[0]) if terms else torch.zeros_like(x))
        return nodes[-1]


class ReLUConvBN(nn.Module):
    """ReLU, convolution without bias, normalisation; the official order of an edge."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        """Build the three modules under the official name ``op``."""
        super().__init__()
        self.op = nn.Sequential(
            nn.ReLU(inplace=False),
            nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, inputs, height, width) to (batch, outputs, height/stride, width/stride)."""
        result: Tensor = self.op(x)
        return result


class ReductionBlock(nn.Module):
    """The residual block between stages: it halves the image and doubles the channels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        """Build the two convolutions and the pooled shortcut."""
        super().__init__()
        self.conv_a = ReLUConvBN(inputs, outputs, 3, stride=2)
        self.conv_b = ReLUConvBN(outputs, outputs, 3)
        self.downsample = nn.Sequential(nn.AvgPool2d(2, stride=2), nn.Conv2d(inputs, outputs, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, inputs, height, width) to (batch, outputs, height/2, width/2)."""
        result: Tensor = self.downsample(x) + self.conv_b(self.conv_a(x))
        return result


class Pooling(nn.Module):
    """The official average pooling: borders are averaged over the pixels that exist."""

    def __init__(self) -> None:
        """Build the pooling under the official name ``op``."""
        super().__init__()
        self.op = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, height, width) to the same shape."""
        result: Tensor = self.op(x)
        return result


def _operation(name: str, channels: int) -> nn.Module:
    if name == "nor_conv_3x3":
        return ReLUConvBN(channels, channels, 3)
    if name == "nor_conv_1x1":
        return ReLUConvBN(channels, channels, 1)
    if name == "avg_pool_3x3":
        return Pooling()
    return nn.Identity()  # skip_connect; and none, which no node reads
