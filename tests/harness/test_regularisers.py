"""The regularisers of student-oriented teachers, against values computed one number at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax

from diswot.benchmarks import teachers
from diswot.harness.distillation import regularisers


def test_lipschitz_is_the_sum_over_layers() -> None:
    torch.manual_seed(0)
    network = teachers.build("s0:111", num_classes=10)
    with torch.no_grad():
        for name, buffer in network.named_buffers():
            if name.endswith("running_var"):
                buffer.uniform_(0.1, 2)
    state = {name: value.numpy().astype(float) for name, value in network.state_dict().items()}
    expected = 0.0
    for name, value in state.items():
        if name.endswith("running_var"):
            scales = state[name.replace("running_var", "weight")]
            expected += max(
                abs(scale) / (variance + 1e-5) ** 0.5 for scale, variance in zip(scales, value, strict=True)
            )
        elif value.ndim == 4:
            expected += sum(abs(weight) for weight in value.flat)
        elif value.ndim == 2:
            expected += max(sum(abs(weight) for weight in column) for column in value.T)
    assert regularisers.lipschitz(network).item() == pytest.approx(expected, rel=1e-5)  # sums of float32


def test_lipschitz_has_a_gradient_for_every_kind_of_layer() -> None:
    network = teachers.build("s0:111", num_classes=10)
    regularisers.lipschitz(network).backward()
    moved = {name for name, parameter in network.named_parameters() if parameter.grad is not None}
    assert moved == {name for name, _ in network.named_parameters() if not name.endswith("bias")}


def test_consistency_compares_with_the_mean_of_earlier_predictions() -> None:
    consistency = regularisers.Consistency(images=5, classes=3)
    random = np.random.default_rng(0)
    earlier: dict[int, list[np.ndarray]] = {image: [] for image in range(5)}
    for chosen in ([4, 0, 2], [1, 2, 4], [2, 0, 3], [0, 4, 2]):
        logits = random.normal(size=(3, 3))
        predictions = softmax(logits, axis=1)
        distances = [
            ((prediction - np.mean(earlier[image], axis=0)) ** 2).sum() if earlier[image] else 0.0
            for image, prediction in zip(chosen, predictions, strict=True)
        ]
        value = consistency(torch.tensor(chosen), torch.tensor(logits, dtype=torch.float32))
        assert float(value) == pytest.approx(sum(distances) / 3, abs=1e-6)
        for image, prediction in zip(chosen, predictions, strict=True):
            earlier[image].append(prediction)


def test_consistency_remembers_through_a_checkpoint() -> None:
    first, second = (regularisers.Consistency(images=2, classes=3) for _ in range(2))
    chosen, logits = torch.tensor([1, 0]), torch.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    assert float(first(chosen, logits)) == 0
    second.load_state_dict(first.state_dict())
    assert float(first(chosen, -logits)) == float(second(chosen, -logits)) > 0
