"""Regularisers of student-oriented teachers: Lipschitz and consistency regularisation.

Source: Dong, Liu and Shang, "Toward Student-Oriented Teacher Network Training for Knowledge Distillation", ICLR 2024.
The definitions are those of the authors' code (shwinshaker/SoTeacher, ``helper/lip_util.py`` and
``helper/consist_util.py`` at ed522ca), with their weights 1e-5 and 1.

Differences from that code: the mean of an image's predictions weighs all its epochs alike (there the second epoch
counts a third), and an image without an earlier prediction adds nothing (there its target is zero).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def lipschitz(network: nn.Module) -> Tensor:
    """Return the sum over layers of what bounds each layer's Lipschitz constant; a scalar.

    - convolution: the sum of the absolute weights;
    - batch normalisation: the largest ``|weight| / sqrt(running variance + eps)`` of a channel;
    - linear layer: the largest sum of the absolute weights of an input.
    """
    bounds = []
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            bounds.append(layer.weight.abs().sum())
        elif isinstance(layer, nn.BatchNorm2d):
            assert layer.running_var is not None
            bounds.append((layer.weight.abs() / (layer.running_var + layer.eps).sqrt()).max())
        elif isinstance(layer, nn.Linear):
            bounds.append(layer.weight.abs().sum(dim=0).max())
    return torch.stack(bounds).sum()


class Consistency(nn.Module):
    """Consistency regularisation: it remembers the mean prediction for every image, also in checkpoints."""

    mean: Tensor
    count: Tensor

    def __init__(self, images: int, classes: int) -> None:
        """Begin without predictions of ``images`` training images."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(images, classes))
        self.register_buffer("count", torch.zeros(images, 1))

    def forward(self, chosen: Tensor, logits: Tensor) -> Tensor:
        """Return how far predictions are from the mean of earlier ones, then add them to that mean.

        Args:
            chosen: positions of the images, (N,), each at most once.
            logits: of these images, (N, classes).

        Returns:
            The squared Euclidean distance of the softmax from the mean softmax of earlier epochs, averaged over the
            batch; an image without earlier predictions counts as 0.
        """
        predictions = logits.softmax(1)
        mean, count = self.mean[chosen], self.count[chosen]
        distances = (predictions - mean).square().sum(1) * (count[:, 0] > 0)
        self.mean[chosen] = mean + (predictions.detach() - mean) / (count + 1)
        self.count[chosen] = count + 1
        return distances.mean()
