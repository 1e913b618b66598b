"""What a teacher can teach with: losses by name, each the definition that the zero-proxy of that name reads too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from diswot.benchmarks.errors import InputError, unknown
from diswot.benchmarks.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

    from diswot.harness.distillation.recipes import Recipe

#: The vanilla student: cross-entropy alone.
NONE = "none"

#: What of a teacher a distiller reads, from the least to the most: its logits; its last map and pooled vector besides;
#: the maps of all stages.
READS = ("logits", "last", "maps")

_SP_WEIGHT = 3000.0
_ICKD_WEIGHT = 2.5
# The term compares directions of the classifier's gradient, so its own gradient grows as that one shrinks. Of 2.5, .25,
# .025 and 0, tried on one cell under the recipe mini, .025 was the best: docs/findings/distillers.md.
_SEMANTIC_WEIGHT = 0.025


@dataclass(frozen=True)
class DistillationBatch:
    """What student and teacher make of one batch; batch is N.

    Attributes:
        labels: (N,).
        temperature: of knowledge distillation.
        logits: the student's, (N, classes).
        features: the student's, as `diswot.benchmarks.spaces.nb201.network.Network.features` gives them.
        aligned: the student's last map, with the teacher's channels: mapped by a 1x1 convolution that is trained along
            where the channels differ.
        teacher_logits: (N, classes).
        teacher_features: the teacher's, of which only the end is there where no distiller reads more; see `READS`.
    """

    labels: Tensor
    temperature: float
    logits: Tensor
    features: list[Tensor]
    aligned: Tensor
    teacher_logits: Tensor
    teacher_features: list[Tensor]


@dataclass(frozen=True)
class Distiller:
    """A distiller and what the training needs to know of it.

    Attributes:
        name: unique.
        loss: of a batch; a scalar tensor.
        version: bumped when a number can change.
        reads: what of the teacher it reads, among `READS`.
        aligned: whether it reads the aligned map.
        weight: of its loss; None for the recipe's.
        source: paper, and where the weight is from.
    """

    name: str
    loss: Callable[[DistillationBatch], Tensor]
    version: str
    reads: str
    aligned: bool
    weight: float | None
    source: str

    def __post_init__(self) -> None:
        """Refuse a name that a list of distillers could not hold, and what no teacher has to read."""
        if not self.name.isidentifier() or self.name == NONE:
            raise InputError(f"distiller: {self.name!r} is no identifier, or stands for the vanilla student.")
        if self.reads not in READS:
            raise unknown(f"distiller {self.name}: reads", self.reads, READS)


def distiller(
    *, source: str, weight: float | None = None, reads: str = "maps", aligned: bool = False, version: str = "1"
) -> Callable[[Callable[[DistillationBatch], Tensor]], Distiller]:
    """Make the decorated function of a batch a distiller of its name; see `Distiller` for the arguments.

    Raises:
        InputError: if the name cannot be one; or if the teacher has no such thing to read.
    """
    return lambda loss: Distiller(loss.__name__, loss, version, reads, aligned, weight, source)


def parse(text: str) -> tuple[Distiller, ...]:
    """Return the distillers that ``kd``, ``kd+diswot`` or ``none`` stands for.

    Raises:
        InputError: if one is not known or stands there twice.
    """
    if text == NONE:
        return ()
    parts = text.split("+")
    for part in parts:
        if part not in DISTILLERS:
            raise unknown("distillers", part, [NONE, *DISTILLERS, "kd+diswot"])
    if len(set(parts)) < len(parts):
        raise InputError(f"distillers: {text!r} names one twice.")
    return tuple(DISTILLERS[part] for part in parts)


def select(text: str) -> tuple[str, ...]:
    """Return the names in a list such as ``none,kd,kd+diswot``, each checked, without repetition.

    Raises:
        InputError: if one is not known, or the list is empty.
    """
    chosen = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for part in chosen:
        parse(part)
    if not chosen:
        raise InputError(f"distillers: {text!r} names none; write none,kd or any of {', '.join(DISTILLERS)}.")
    return chosen


def version(text: str) -> str:
    """Return the versions of the distillers that a text stands for, such as ``1+1``; ``1`` for the vanilla student."""
    return "+".join(distiller.version for distiller in parse(text)) or "1"


def weights(distillers: Sequence[Distiller], recipe: Recipe) -> tuple[float, tuple[float, ...]]:
    """Return the weight of the labels' cross-entropy, and that of each distiller's loss.

    Knowledge distillation's weight is the recipe's, and the labels' too where it takes part; else the labels count in
    full.
    """
    own = tuple(recipe.kd_weight if distiller.weight is None else distiller.weight for distiller in distillers)
    return (recipe.label_weight if any(distiller.weight is None for distiller in distillers) else 1.0), own


def describe(text: str, recipe: Recipe) -> str:
    """Return the loss that ``kd``, ``kd+diswot`` or ``none`` stands for, in words."""
    distillers = parse(text)
    if not distillers:
        return "cross-entropy"
    label_weight, own = weights(distillers, recipe)
    terms = [f"{weight:g} {one.name} ({one.source})" for weight, one in zip(own, distillers, strict=True)]
    return " + ".join([f"{label_weight:g} cross-entropy", *terms])


@distiller(source="Hinton, Vinyals and Dean, arXiv 1503.02531; the weight is the recipe's", reads="logits")
def kd(batch: DistillationBatch) -> Tensor:
    """KL(teacher || student) of softened logits, times temperature squared."""
    from diswot.proxies import losses

    return losses.kd(batch.logits, batch.teacher_logits, batch.temperature)


@distiller(source="Zagoruyko and Komodakis, ICLR 2017; weight of RepDistiller", weight=1000.0)
def at(batch: DistillationBatch) -> Tensor:
    """Spatial attention maps of the three stages."""
    from diswot.proxies import losses

    maps = losses.pairs("at", batch.features[:-1], batch.teacher_features[:-1])
    return sum((losses.attention(one, other) for one, other in maps), start=batch.logits.new_zeros(()))


@distiller(source="Tung and Mori, ICCV 2019; weight of RepDistiller", weight=_SP_WEIGHT, reads="last")
def sp(batch: DistillationBatch) -> Tensor:
    """Relations between the images of a batch in the last map."""
    from diswot.proxies import losses

    return losses.similarity(batch.features[-2], batch.teacher_features[-2])


@distiller(source="Park et al., CVPR 2019; weight of RepDistiller", weight=1.0, reads="last")
def rkd(batch: DistillationBatch) -> Tensor:
    """Distances and angles between the pooled vectors of a batch."""
    from diswot.proxies import losses

    return losses.relational(batch.features[-1], batch.teacher_features[-1])


@distiller(source="Liu et al., ICCV 2021, and its weight", weight=_ICKD_WEIGHT, reads="last", aligned=True)
def ickd(batch: DistillationBatch) -> Tensor:
    """Relations between the channels of the last map."""
    from diswot.proxies import losses

    return losses.inter_channel(batch.aligned, batch.teacher_features[-2])


@distiller(
    source="Dong, Li and Wei, DisWOT, CVPR 2023 (DisWOT+). The paper's weights are not published: the "
    "relation term has that of sp, whose loss it is; the semantic one has a weight that was found here",
    version="2",
    weight=1.0,
    reads="last",
    aligned=True,
)
def diswot(batch: DistillationBatch) -> Tensor:
    """DisWOT's two terms: relations between images, and between channels of the classifier's gradient."""
    from diswot.proxies import losses

    relation = losses.similarity(batch.features[-2], batch.teacher_features[-2])
    student, teacher = (
        losses.classifier_gradient(logits, batch.labels, last.mean((2, 3)))
        for logits, last in (
            (batch.logits, batch.aligned),
            (batch.teacher_logits, batch.teacher_features[-2]),
        )
    )
    return _SP_WEIGHT * relation + _SEMANTIC_WEIGHT * losses.semantic(student, teacher)


#: Every distiller by its name.
DISTILLERS: Registry[Distiller] = Registry(
    Distiller, "distillers", "diswot.distillers", {one.name: one for one in (kd, at, sp, rkd, ickd, diswot)}
)
