"""Distances against loops written from the papers' formulas, and the properties that each must have."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from diswot.benchmarks.errors import InputError
from diswot.proxies import losses

VECTORS = [losses.kd, losses.fitnet, losses.correlation, losses.relational, losses.probabilistic, losses.similarity]
MAPS = [losses.attention, losses.neuron_selectivity, losses.similarity, losses.inter_channel]
SEQUENCES = [losses.singular_vectors, losses.flow, losses.kernel_alignment]

# In float64 both sides are exact to some 1e-15 relative, and sums of a few thousand terms to 1e-12.
close = {"rtol": 1e-9, "atol": 1e-12}


def vectors(seed: int, features: int = 6) -> Tensor:
    return torch.randn(5, features, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def maps(seed: int, channels: int = 3, pixels: int = 4) -> Tensor:
    shape = (5, channels, pixels, pixels)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def sequence(seed: int) -> list[Tensor]:
    return [maps(seed, 3, 8), maps(seed + 50, 4, 4), maps(seed + 90, 5, 2)]


@pytest.mark.parametrize("loss", VECTORS + MAPS + SEQUENCES)
def test_equal_networks_are_at_no_distance(loss: Callable[..., Tensor]) -> None:
    given = vectors(0) if loss in VECTORS else maps(0) if loss in MAPS else sequence(0)
    assert float(loss(given, given)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("loss", VECTORS + MAPS + SEQUENCES)
def test_different_networks_are_at_a_positive_distance(loss: Callable[..., Tensor]) -> None:
    make = vectors if loss in VECTORS else maps if loss in MAPS else sequence
    assert float(loss(make(0), make(1))) > 0


@pytest.mark.parametrize("loss", VECTORS + MAPS + SEQUENCES)
def test_a_student_can_be_trained_by_it(loss: Callable[..., Tensor]) -> None:
    make = vectors if loss in VECTORS else maps if loss in MAPS else sequence
    student = make(0)
    leaves = student if isinstance(student, list) else [student]
    for leaf in leaves:
        leaf.requires_grad_()
    loss(student, make(1)).backward()
    assert any(leaf.grad is not None and bool(leaf.grad.isfinite().all() and leaf.grad.any()) for leaf in leaves)


def test_kd_is_hinton_s_divergence() -> None:
    s, t = vectors(0), vectors(1)
    p_s, p_t = (s / 4).softmax(1), (t / 4).softmax(1)
    expected = 16 * (p_t * (p_t / p_s).log()).sum(1).mean()
    torch.testing.assert_close(losses.kd(s, t), expected, **close)


def test_similarity_compares_normalised_gram_rows() -> None:
    s, t = maps(0), maps(1, channels=7, pixels=2)
    n = len(s)
    grams = []
    for f in (s, t):
        gram = torch.tensor([[float((f[i] * f[j]).sum()) for j in range(n)] for i in range(n)], dtype=torch.float64)
        grams.append(torch.stack([row / row.norm() for row in gram]))
    torch.testing.assert_close(losses.similarity(s, t), (grams[0] - grams[1]).square().sum() / n**2, **close)


def test_the_semantic_term_has_its_closed_form() -> None:
    # diswot.md, section 1: only directions and sign patterns of the class gradients count, where no row is clamped.
    s, t = vectors(0), vectors(1)
    total = torch.zeros((), dtype=torch.float64)
    for one, other in zip(s, t, strict=True):
        cosine = F.cosine_similarity(one, other, dim=0)
        total += 2 - 2 * cosine * (one.sign() * other.sign()).mean()
    torch.testing.assert_close(losses.inter_channel(s[:, :, None], t[:, :, None]), total / len(s), **close)


def test_relational_distances_and_angles() -> None:
    s, t = vectors(0), vectors(1, features=9)

    def distances(v: Tensor) -> Tensor:
        found = torch.cdist(v, v)
        return found / found[found > 0].mean()

    def angles(v: Tensor) -> Tensor:
        result = torch.zeros(5, 5, 5, dtype=v.dtype)
        for i, j, k in permutations(range(5), 3):
            result[i, j, k] = F.cosine_similarity(v[j] - v[i], v[k] - v[i], dim=0)
        for i in range(5):
            for j in set(range(5)) - {i}:
                result[i, j, j] = 1
        return result

    expected = 25 * F.smooth_l1_loss(distances(s), distances(t)) + 50 * F.smooth_l1_loss(angles(s), angles(t))
    torch.testing.assert_close(losses.relational(s, t), expected, rtol=1e-6, atol=1e-9)  # cdist rounds to some 1e-8


def test_neuron_selectivity_is_a_discrepancy_of_channel_patterns() -> None:
    s, t = maps(0), maps(1, channels=6)
    expected = torch.zeros((), dtype=torch.float64)
    for one, other in zip(s.flatten(2), t.flatten(2), strict=True):
        one, other = F.normalize(one, dim=1), F.normalize(other, dim=1)

        def mean_kernel(a: Tensor, b: Tensor) -> Tensor:
            return torch.stack([(x @ y) ** 2 for x in a for y in b]).mean()

        expected += mean_kernel(other, other) + mean_kernel(one, one) - 2 * mean_kernel(one, other)
    torch.testing.assert_close(losses.neuron_selectivity(s, t), expected / len(s), **close)


def test_flow_matrices() -> None:
    def matrix(bottom: Tensor, top: Tensor) -> Tensor:
        bottom = F.adaptive_avg_pool2d(bottom, top.shape[2:])
        return torch.einsum("nchw,ndhw->ncd", bottom, top) / (top.shape[2] * top.shape[3])

    s, t = sequence(0), sequence(1)
    expected = sum((matrix(s[i], s[i + 1]) - matrix(t[i], t[i + 1])).square().mean() for i in range(2))
    torch.testing.assert_close(losses.flow(s, t), expected, **close)


def test_kernel_alignment_is_linear_cka() -> None:
    s, t = sequence(0), sequence(1)
    expected = torch.tensor(3.0, dtype=torch.float64)
    for one, other in zip(s, t, strict=True):
        x, y = (f.flatten(1) - f.flatten(1).mean(0) for f in (one, other))
        expected -= (y.T @ x).norm() ** 2 / ((x.T @ x).norm() * (y.T @ y).norm())
    torch.testing.assert_close(losses.kernel_alignment(s, t), expected, **close)


def test_attention_ignores_channels_and_size() -> None:
    s = maps(0)
    assert float(losses.attention(s, s.repeat(1, 3, 1, 1))) == pytest.approx(0, abs=1e-12)
    assert float(losses.attention(s, maps(1, channels=5, pixels=2))) > 0


def test_singular_vectors_do_not_depend_on_the_student_s_signs() -> None:
    s, t = sequence(0)[:1] * 2, sequence(1)[:1] * 2
    one = losses.singular_vectors(s, t)
    torch.testing.assert_close(losses.singular_vectors([-f for f in s], t), one, **close)


@pytest.mark.parametrize("loss", [losses.kd, losses.fitnet, losses.correlation])
def test_shapes_that_must_agree_are_named(loss: Callable[..., Tensor]) -> None:
    with pytest.raises(InputError, match=r"needs equal shapes, .* \(5, 6\) .* \(5, 7\)"):
        loss(vectors(0), vectors(1, features=7))


def test_features_that_must_be_equally_many_are_named() -> None:
    for name, loss in (("kdsvd", losses.singular_vectors), ("fsp", losses.flow), ("rmi", losses.kernel_alignment)):
        with pytest.raises(InputError, match=f"{name} compares feature by feature, .* 3 where the teacher has 2"):
            loss(sequence(0), sequence(1)[:2])


def test_channels_that_must_agree_are_named() -> None:
    for loss in (losses.inter_channel, lambda s, t: losses.singular_vectors([s, s], [t, t])):
        with pytest.raises(InputError, match="needs equal shapes"):
            loss(maps(0, channels=3), maps(1, channels=4))
    with pytest.raises(InputError, match="fsp needs equal shapes"):
        losses.flow([maps(0, channels=3)] * 2, [maps(1, channels=4)] * 2)


def test_the_classifier_s_gradient_in_closed_form_is_autograd_s() -> None:
    pooled, labels = vectors(0), torch.tensor([0, 2, 1, 1, 3])
    classifier = torch.nn.Linear(6, 4, dtype=torch.float64)
    logits = classifier(pooled)
    (expected,) = torch.autograd.grad(F.cross_entropy(logits, labels), [classifier.weight], retain_graph=True)
    torch.testing.assert_close(losses.classifier_gradient(logits, labels, pooled), expected, **close)


def test_the_semantic_term_compares_channel_relations_class_by_class() -> None:
    s, t = vectors(0), vectors(1)

    def gram(row: Tensor) -> Tensor:
        return F.normalize(torch.outer(row, row))

    expected = sum((gram(one) - gram(other)).square().sum() for one, other in zip(s, t, strict=True)) / (5 * 6)
    torch.testing.assert_close(losses.semantic(s, t), expected, **close)
