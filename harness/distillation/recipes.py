"""How students are trained: every recipe, in one place, as data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from diswot.benchmarks.errors import InputError, quoted, unknown
from diswot.benchmarks.parsing import whole_number
from diswot.benchmarks.registry import Registry

#: How the learning rate moves: torch's OneCycleLR (cosine, 30 % warm-up), or divided by ten at milestones.
SCHEDULES = ("one-cycle", "steps")


@dataclass(frozen=True)
class Recipe:
    """A training, from the skeleton to the weights of the losses.

    Attributes:
        C: channels of the stem of a NAS-Bench-201 network; S0's networks have their own.
        N: cells per stage of a NAS-Bench-201 network.
        size: pixels of a side, a divisor of the image set's, to which images are averaged.
        samples: training images, a seeded sample that is the same for every student; 0 for all.
        epochs: passes over them.
        batch_size: images in a step; a last, smaller batch is left out.
        learning_rate: the highest one.
        schedule: one of `SCHEDULES`.
        milestones: epochs after which ``steps`` divides the learning rate by ten.
        momentum: of SGD.
        nesterov: whether the momentum is Nesterov's.
        weight_decay: of all parameters.
        padding: pixels of zero padding from which the full-size image is cropped at random; 0 for flips only.
        temperature: of knowledge distillation's softmax.
        kd_weight: of knowledge distillation's loss.
        label_weight: of the cross-entropy beside it; a student without it has 1.
        teacher_recipe: the recipe by which a teacher that is given by its name alone is trained first.
    """

    C: int
    N: int
    size: int
    samples: int
    epochs: int
    batch_size: int
    learning_rate: float
    schedule: str
    milestones: tuple[int, ...]
    momentum: float
    nesterov: bool
    weight_decay: float
    padding: int
    temperature: float
    kd_weight: float
    label_weight: float
    teacher_recipe: str

    def steps_an_epoch(self, count: int) -> int:
        """Return how many full batches an epoch has, and at least 1."""
        return max(1, count // self.batch_size)

    def digest(self) -> str:
        """Return the SHA-256 of all fields, in hexadecimal."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def describe(self) -> str:
        """Return how a network is trained, in words."""
        count = f"{self.samples} training images" if self.samples else "all training images"
        augmentation = f"random crop after padding {self.padding}, random flip" if self.padding else "random flip"
        nesterov = " with Nesterov momentum" if self.nesterov else ""
        rate = (
            f"one-cycle rate with peak {self.learning_rate:g}"
            if self.schedule == "one-cycle"
            else f"rate {self.learning_rate:g}, divided by 10 after epochs {', '.join(map(str, self.milestones))}"
        )
        return (
            f"images averaged to {self.size}x{self.size}; {count}; {augmentation}; {self.epochs} epochs; "
            f"SGD {self.momentum:g}{nesterov}, weight decay {self.weight_decay:g}, batch {self.batch_size}, {rate}"
        )


_MINI_TEACHER = "mini-teacher"

# DisWOT's: RepDistiller's settings, for a GPU.
_PAPER = Recipe(
    C=16,
    N=5,
    size=32,
    samples=0,
    epochs=240,
    batch_size=64,
    learning_rate=0.05,
    schedule="steps",
    milestones=(150, 180, 210),
    momentum=0.9,
    nesterov=False,
    weight_decay=5e-4,
    padding=4,
    temperature=4.0,
    kd_weight=0.9,
    label_weight=0.1,
    teacher_recipe="paper",
)

# For hundreds of students on two processor cores: the cheapest of three that agree equally well, see
# docs/findings/distillation.md.
_MINI = Recipe(
    C=8,
    N=1,
    size=16,
    samples=0,
    epochs=2,
    batch_size=256,
    learning_rate=0.4,
    schedule="one-cycle",
    milestones=(),
    momentum=0.9,
    nesterov=True,
    weight_decay=5e-4,
    padding=0,
    temperature=4.0,
    kd_weight=0.9,
    label_weight=0.1,
    teacher_recipe=_MINI_TEACHER,
)

# Every image, and crops: a teacher that knows its images by heart says little on them. As small as the students'
# images, since what is only seen in larger ones cannot be learnt from it.
_MINI_S_TEACHER = replace(_MINI, samples=0, epochs=6, batch_size=256, learning_rate=0.2, padding=4)

#: Every recipe by its name.
RECIPES: Registry[Recipe] = Registry(
    Recipe, "recipe", None, {"paper": _PAPER, "mini": _MINI, _MINI_TEACHER: _MINI_S_TEACHER}
)


def get(name: str, changes: Sequence[str] = ()) -> Recipe:
    """Return a recipe, with fields changed as ``name=value`` says.

    Raises:
        InputError: if there is no such recipe or field, or a value is not allowed there.
    """
    return replace(RECIPES[name], **dict(_change(text) for text in changes))


def _change(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    kinds = {field.name: str(field.type) for field in fields(Recipe)}
    if not equals:
        raise InputError(f"changes: {quoted(text)} is not a change; write FIELD=VALUE, such as epochs=20.")
    if name not in kinds:
        raise unknown("changes", name, kinds)
    try:
        return name, _PARSERS[kinds[name]](name, value.strip())
    except ValueError as error:
        raise InputError(f"changes: {name} is {quoted(value)}; {error}.") from error


def _whole(name: str, value: str) -> int:
    lowest = 0 if name in ("samples", "padding") else 1
    number = whole_number(value)
    if number is None or number < lowest:
        raise ValueError(f"it must be a whole number, {lowest} or more, of at most 18 digits")
    return number


def _real(name: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    lowest_is_allowed = name not in ("learning_rate", "temperature")
    if not (0 <= number < float("inf")) or (number == 0 and not lowest_is_allowed):
        raise ValueError("it must be a number of 0 or more" if lowest_is_allowed else "it must be above 0")
    return number


def _truth(name: str, value: str) -> bool:
    if value not in ("true", "false"):
        raise ValueError("it must be true or false")
    return value == "true"


def _text(name: str, value: str) -> str:
    allowed = SCHEDULES if name == "schedule" else tuple(RECIPES)
    if value not in allowed:
        raise ValueError(f"it must be {' or '.join(allowed)}")
    return value


def _epochs(name: str, value: str) -> tuple[int, ...]:
    return tuple(_whole("epochs", part.strip()) for part in value.split(",") if part.strip())


_PARSERS = {"int": _whole, "float": _real, "bool": _truth, "str": _text, "tuple[int, ...]": _epochs}
