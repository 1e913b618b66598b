"""Distances between a student and a teacher, as tensors: one definition serves the zero-proxy and the loss.

Every function takes the student first and returns a scalar tensor; batch is N. Row normalisations divide by the norm or
1e-12, whichever is larger, as the reference code does; shapes that must agree are checked by `same_shape`.
Sources: the papers named at each function, in the form of the DisWOT release (distiller_zoo) and of RepDistiller.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F

from diswot.benchmarks.errors import InputError

#: The proxies of the families KD and DisWOT that compare networks of any widths, map sizes and numbers of classes.
ANY_SHAPE = ("at", "diswot_relation", "nst", "pkt", "rkd", "rmi", "sp")


class ShapeMismatchError(InputError):
    """A student and a teacher whose features a distance cannot compare."""


def kd(student: Tensor, teacher: Tensor, temperature: float = 4.0) -> Tensor:
    """Hinton, Vinyals and Dean, 2015: KL(teacher || student) of softened logits, times temperature squared.

    Args:
        student: logits (N, classes).
        teacher: logits (N, classes).
        temperature: of the softmax.
    """
    same_shape("kd", student, teacher)
    log_student = F.log_softmax(student / temperature, dim=1)
    log_teacher = F.log_softmax(teacher / temperature, dim=1)
    return F.kl_div(log_student, log_teacher, reduction="batchmean", log_target=True) * temperature**2


def fitnet(student: Tensor, teacher: Tensor) -> Tensor:
    """Romero et al., ICLR 2015: mean squared difference of features of equal shape."""
    same_shape("fitnet", student, teacher)
    return F.mse_loss(student, teacher)


def attention(student: Tensor, teacher: Tensor) -> Tensor:
    """Zagoruyko and Komodakis, ICLR 2017: mean squared difference of normalised spatial attention maps.

    Args:
        student: feature map (N, channels, height, width).
        teacher: feature map; channels may differ, and the larger image is pooled to the smaller.
    """
    student, teacher = _pooled_alike(student, teacher)
    one, other = (F.normalize(f.square().mean(1).flatten(1)) for f in (student, teacher))
    return F.mse_loss(one, other)


def similarity(student: Tensor, teacher: Tensor) -> Tensor:
    """Tung and Mori, ICCV 2019; DisWOT's relation term M_r: squared distance of row-normalised N x N Gram matrices.

    Args:
        student: features (N, ...).
        teacher: features (N, ...); only N need agree.
    """
    return (relations(student) - relations(teacher)).square().sum() / len(student) ** 2


def relations(features: Tensor) -> Tensor:
    """Return the Gram matrix of a batch's flattened features with every row divided by its norm: (N, N)."""
    flat = features.flatten(1)
    return F.normalize(flat @ flat.T)


def correlation(student: Tensor, teacher: Tensor) -> Tensor:
    """Peng et al., ICCV 2019, as in RepDistiller: mean product of the absolute differences of consecutive images."""
    same_shape("cc", student, teacher)
    difference = (student - teacher).abs()
    return (difference[:-1] * difference[1:]).sum(1).mean()


def relational(student: Tensor, teacher: Tensor) -> Tensor:
    """Park et al., RKD, CVPR 2019: 25 times the distance term plus 50 times the angle term, both smooth L1.

    Args:
        student: vectors (N, features).
        teacher: vectors (N, features); the lengths may differ.
    """
    distance = F.smooth_l1_loss(_mean_one_distances(student), _mean_one_distances(teacher))
    angle = F.smooth_l1_loss(_angles(student), _angles(teacher))
    return 25 * distance + 50 * angle


def probabilistic(student: Tensor, teacher: Tensor) -> Tensor:
    """Passalis and Tefas, PKT, ECCV 2018: mean divergence of cosine similarities read as row probabilities."""
    eps = 1e-7
    rows = []
    for vectors in (student, teacher):
        normed = vectors / (vectors.norm(dim=1, keepdim=True) + eps)
        cosine = (normed @ normed.T + 1) / 2
        rows.append(cosine / cosine.sum(1, keepdim=True))
    return (rows[1] * ((rows[1] + eps) / (rows[0] + eps)).log()).mean()


def neuron_selectivity(student: Tensor, teacher: Tensor) -> Tensor:
    """Huang and Wang, NST, arXiv 1707.01219: squared maximum mean discrepancy with kernel (a . b)^2 over channels.

    Args:
        student: feature map (N, channels, height, width).
        teacher: feature map; channels may differ, and the larger image is pooled to the smaller.
    """
    student, teacher = (F.normalize(f.flatten(2), dim=2) for f in _pooled_alike(student, teacher))
    return _kernel_mean(teacher, teacher) + _kernel_mean(student, student) - 2 * _kernel_mean(student, teacher)


def singular_vectors(student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
    """Lee, Kim and Song, KDSVD, ECCV 2018, as in RepDistiller with one vector: RBF of consecutive maps' vectors.

    Args:
        student: feature maps (N, channels, height, width), at least two.
        teacher: as many, with the same channels.
    """
    maps = pairs("kdsvd", student, teacher)
    for one, other in maps:
        same_shape("kdsvd", one, other, axes=2)
    aligned = [_aligned_vectors(s, t) for s, t in maps]
    total = student[0].new_zeros(())
    for (s_before, t_before), (s_now, t_now) in pairwise(aligned):
        s_rbf = (-(s_now[:, :, None] - s_before[:, None, :]).square() / 8).exp()
        t_rbf = (-(t_now[:, :, None] - t_before[:, None, :]).square() / 8).exp()
        total = total + (s_rbf - t_rbf).square().sum() / len(student[0])
    return total


def flow(student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
    """Yim et al., FSP, CVPR 2017: mean squared difference of the flow matrices between consecutive maps, summed.

    Args:
        student: feature maps (N, channels, height, width), at least two.
        teacher: as many, with the same channels.
    """
    total = student[0].new_zeros(())
    for (s_bottom, t_bottom), (s_top, t_top) in pairwise(pairs("fsp", student, teacher)):
        one, other = _flow_matrix(s_bottom, s_top), _flow_matrix(t_bottom, t_top)
        same_shape("fsp", one, other)
        total = total + F.mse_loss(one, other)
    return total


def inter_channel(student: Tensor, teacher: Tensor, name: str = "ickd") -> Tensor:
    """Liu et al., ICKD, ICCV 2021; DisWOT's semantic term M_s: distance of row-normalised channel Gram matrices.

    Args:
        student: (N, channels, ...); for M_s the classifier's gradient, one class a row.
        teacher: the same N and channels.
        name: whose distance it is, for the sentence where shapes disagree.

    Returns:
        The squared distance, divided by N times channels. In float32 with eps 1e-12 a row of tiny norm contributes
        less than one: this is what the release computes, and its closed form (cosines and signs) is not equal to it.
    """
    same_shape(name, student, teacher, axes=2)
    n, channels = student.shape[:2]
    return (channel_relations(student) - channel_relations(teacher)).square().sum() / (n * channels)


def semantic(student: Tensor, teacher: Tensor) -> Tensor:
    """DisWOT's semantic term M_s, to be minimised: the channels' relations in the classifier's gradient.

    Args:
        student: the gradient of the classifier's weight, (classes, channels).
        teacher: the same shape.
    """
    return inter_channel(student[:, :, None], teacher[:, :, None], "diswot_semantic")


def classifier_gradient(logits: Tensor, labels: Tensor, pooled: Tensor) -> Tensor:
    """Return d(mean cross-entropy)/d(classifier weight), (classes, channels), in closed form.

    Args:
        logits: (N, classes).
        labels: (N,).
        pooled: the classifier's input, (N, channels).
    """
    error = logits.softmax(1) - F.one_hot(labels, logits.shape[1])
    return error.T @ pooled / len(pooled)


def channel_relations(features: Tensor) -> Tensor:
    """Return every sample's channel Gram matrix with its rows divided by their norms: (N, channels, channels)."""
    flat = features.flatten(2) if features.dim() > 2 else features[:, :, None]
    return F.normalize(flat @ flat.transpose(1, 2), dim=2)


def kernel_alignment(student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
    """RMI of the DisWOT release: the number of map pairs minus the sum of their linear CKA (Kornblith et al., 2019).

    Args:
        student: features (N, ...), one a stage.
        teacher: as many; only N need agree.
    """
    total = student[0].new_zeros(())
    for one, other in pairs("rmi", student, teacher):
        k, h = _centred_gram(one), _centred_gram(other)
        total = total + 1 - (k * h).sum() / (k.norm() * h.norm())
    return total


def pairs(name: str, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Pair the features of a student with those of a teacher.

    Raises:
        ShapeMismatchError: if they are not equally many.
    """
    if len(student) != len(teacher):
        raise ShapeMismatchError(
            f"teacher: {name} compares feature by feature, and the student has {len(student)} where the teacher has "
            f"{len(teacher)}; give both as many."
        )
    return list(zip(student, teacher, strict=True))


def same_shape(name: str, student: Tensor, teacher: Tensor, axes: int | None = None) -> None:
    """Refuse a student and a teacher whose shapes, or the first axes of them, cannot be compared.

    Raises:
        ShapeMismatchError: naming the distance and both shapes.
    """
    if student.shape[:axes] != teacher.shape[:axes]:
        raise ShapeMismatchError(
            f"teacher: {name} needs equal shapes, and the student has {tuple(student.shape)} where the teacher has "
            f"{tuple(teacher.shape)}; use what compares networks of any shape ({', '.join(ANY_SHAPE)}), or give both "
            "the same shape."
        )


def _pooled_alike(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    size = (min(student.shape[2], teacher.shape[2]), min(student.shape[3], teacher.shape[3]))
    return _pooled(student, size), _pooled(teacher, size)


def _pooled(features: Tensor, size: tuple[int, int]) -> Tensor:
    return features if features.shape[2:] == size else F.adaptive_avg_pool2d(features, size)


def _mean_one_distances(vectors: Tensor) -> Tensor:
    squares = vectors.square().sum(1)
    distances = (squares[:, None] + squares[None, :] - 2 * vectors @ vectors.T).clamp_min(1e-12).sqrt()
    distances = distances * (1 - torch.eye(len(vectors), dtype=vectors.dtype, device=vectors.device))
    return distances / distances[distances > 0].mean()


def _angles(vectors: Tensor) -> Tensor:
    directions = F.normalize(vectors[None, :, :] - vectors[:, None, :], dim=2)
    return directions @ directions.transpose(1, 2)


def _kernel_mean(one: Tensor, other: Tensor) -> Tensor:
    return (one @ other.transpose(1, 2)).square().mean()


def _aligned_vectors(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    _, values, t_vectors = _right_singular(teacher, 1)
    _, _, s_vectors = _right_singular(student, 4)
    cosine = s_vectors.transpose(1, 2) @ t_vectors
    largest = cosine.abs().amax(1, keepdim=True)
    choice = torch.where(cosine.abs() == largest, cosine.sign(), torch.zeros_like(cosine))
    return ((s_vectors @ choice) * values[:, None]).squeeze(2), (t_vectors * values[:, None]).squeeze(2)


def _right_singular(features: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    u, s, vh = torch.linalg.svd(features.flatten(2).transpose(1, 2), full_matrices=False)
    v = vh.transpose(1, 2)
    return u, F.normalize(s[:, :count], dim=1), F.normalize(v[:, :, :count], dim=1)


def _flow_matrix(bottom: Tensor, top: Tensor) -> Tensor:
    size = (top.shape[2], top.shape[3])
    return _pooled(bottom, size).flatten(2) @ top.flatten(2).transpose(1, 2) / (size[0] * size[1])


def _centred_gram(features: Tensor) -> Tensor:
    flat = features.flatten(1)
    flat = flat - flat.mean(0, keepdim=True)
    return flat @ flat.T
