"""How students are trained: every recipe, in one place, as data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, ValidationError, field_validator, model_serializer

from diswot.benchmarks.errors import InputError, quoted, unknown
from diswot.benchmarks.parsing import MOST_DIGITS
from diswot.benchmarks.registry import Registry
from diswot.harness.runs.settings import Identified

_Count = Annotated[int, Field(ge=0, lt=10**MOST_DIGITS)]
_Positive = Annotated[int, Field(ge=1, lt=10**MOST_DIGITS)]
_Real = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Above0 = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Recipe(Identified):
    """A training, from the skeleton to the weights of the losses.

    Attributes:
        C: channels of the stem of a NAS-Bench-201 network; S0's networks have their own.
        N: cells per stage of a NAS-Bench-201 network.
        size: pixels of a side, a divisor of the image set's, to which images are averaged.
        samples: training images, a seeded sample that is the same for every student; 0 for all.
        epochs: passes over them.
        batch_size: images in a step; a last, smaller batch is left out.
        learning_rate: the highest one.
        schedule: how the learning rate moves: ``one-cycle``, torch's OneCycleLR (cosine, 30 % warm-up), or ``steps``,
            at the milestones.
        milestones: epochs after which ``steps`` divides the learning rate by ten.
        momentum: of SGD.
        nesterov: whether the momentum is Nesterov's.
        weight_decay: of all parameters.
        padding: pixels of zero padding from which the full-size image is cropped at random; 0 for flips only.
        temperature: of knowledge distillation's softmax.
        kd_weight: of knowledge distillation's loss.
        label_weight: of the cross-entropy beside it; a student without it has 1.
        teacher_recipe: the recipe by which a teacher that is given by its name alone is trained first.
        lipschitz: weight of the Lipschitz regularisation, see `diswot.harness.distillation.regularisers`; None without.
        consistency: weight of the consistency regularisation in the last epoch, to which it rises linearly; None
            without.
    """

    C: _Positive
    N: _Positive
    size: _Positive
    samples: _Count
    epochs: _Positive
    batch_size: _Positive
    learning_rate: _Above0
    schedule: Literal["one-cycle", "steps"]
    milestones: tuple[_Positive, ...]
    momentum: _Real
    nesterov: bool
    weight_decay: _Real
    padding: _Count
    temperature: _Above0
    kd_weight: _Real
    label_weight: _Real
    teacher_recipe: str
    lipschitz: _Above0 | None = None
    consistency: _Above0 | None = None

    @model_serializer(mode="wrap")
    def _without_none(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A recipe without a regulariser has the hash that it had before there were regularisers.
        return {name: value for name, value in dump(self).items() if value is not None}

    @field_validator("milestones", mode="before")
    @classmethod
    def _split(cls, epochs: object) -> object:
        # A list in JSON, a text with commas on the command line.
        if isinstance(epochs, str):
            return [part for part in map(str.strip, epochs.split(",")) if part]
        return tuple(epochs) if isinstance(epochs, list) else epochs

    def steps_an_epoch(self, count: int) -> int:
        """Return how many full batches an epoch has, and at least 1."""
        return max(1, count // self.batch_size)

    def describe(self) -> str:
        """Return how a network is trained, in words."""
        count = f"{self.samples} training images" if self.samples else "all training images"
        augmentation = f"random crop after padding {self.padding}, random flip" if self.padding else "random flip"
        nesterov = " with Nesterov momentum" if self.nesterov else ""
        rate = f"one-cycle rate with peak {self.learning_rate:g}"
        if self.schedule == "steps":
            after = f", divided by 10 after epochs {', '.join(map(str, self.milestones))}" if self.milestones else ""
            rate = f"rate {self.learning_rate:g}{after or ' throughout'}"
        regularisers = {"Lipschitz": self.lipschitz, "consistency": self.consistency}
        added = "".join(f", {name} regularisation {weight:g}" for name, weight in regularisers.items() if weight)
        return (
            f"images averaged to {self.size}x{self.size}; {count}; {augmentation}; {self.epochs} epochs; "
            f"SGD {self.momentum:g}{nesterov}, weight decay {self.weight_decay:g}, batch {self.batch_size}, "
            f"{rate}{added}"
        )


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

# Auto-DAS's run script (lliai/Auto-DAS, scripts/kd_bench/nb201_kd.sh at 3a3c537): cells 1, 10, 20, ..., 650 with
# CIFAR-100 and a ResNet-110. It leaves the epochs of the decay at 150, 180 and 210, which its 90 epochs never reach.
_AUTODAS = _PAPER.model_copy(update={"epochs": 90, "batch_size": 256, "learning_rate": 0.1, "milestones": ()})

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
    teacher_recipe="mini-teacher",
)

# Every image, and crops: a teacher that knows its images by heart says little on them. As small as the students'
# images, since what is only seen in larger ones cannot be learnt from it.
_MINI_TEACHER = _MINI.model_copy(update={"epochs": 6, "learning_rate": 0.2, "padding": 4})

# SoTeacher (ICLR 2024) with the authors' weights.
_SOTEACHER = _MINI_TEACHER.model_copy(update={"lipschitz": 1e-5, "consistency": 1.0})

#: Every recipe by its name.
RECIPES: Registry[Recipe] = Registry(
    Recipe,
    "recipe",
    None,
    {
        "paper": _PAPER,
        "autodas": _AUTODAS,
        "mini": _MINI,
        "mini-teacher": _MINI_TEACHER,
        "soteacher": _SOTEACHER,
    },
)


def get(name: str, changes: Sequence[str] = ()) -> Recipe:
    """Return a recipe, with fields changed as ``name=value`` says.

    Raises:
        InputError: if there is no such recipe or field, or a value is not allowed there.
    """
    recipe = RECIPES[name]
    changed = dict(_change(text) for text in changes)
    try:
        made = Recipe.model_validate(recipe.model_dump() | changed, strict=False)
    except ValidationError as error:
        wrong = error.errors()[0]
        field = str(wrong["loc"][0])
        must = wrong["msg"].replace("Input should", "must").partition(", unable")[0]
        raise InputError(f"changes: {field} is {quoted(changed[field])}; it {must}.") from error
    if made.teacher_recipe not in RECIPES:
        raise unknown("changes: teacher_recipe", made.teacher_recipe, RECIPES)
    return made


def _change(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"changes: {quoted(text)} is not a change; write FIELD=VALUE, such as epochs=20.")
    if name not in Recipe.model_fields:
        raise unknown("changes", name, Recipe.model_fields)
    return name, value.strip()
