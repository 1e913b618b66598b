"""What results depend on besides cell and seed: stated once, hashed into every score's identity."""

from __future__ import annotations

import hashlib
import json
from typing import Any, ClassVar, Literal

from pydantic import AliasChoices, Field, ValidationInfo, model_validator

from diswot.harness.records import Document, SpaceName, Whole

#: Settings of a sweep that are arguments of `diswot.evaluate`.
OPTIONS = {"space", "images", "batch_size", "batch_seed", "augment", "teacher"}
OPTIONS |= {"vectorised_seeds", "tf32", "deterministic"}

#: Settings whose name has changed are hashed under the first one, so that stored scores keep their identity.
_HASHED_AS = {"vectorised_seeds": "stack", "images_hash": "pictures"}


class Identified(Document):
    """Settings that are known by their hash."""

    #: Fields that follow from the others, such as the hash of the images.
    consequences: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="after")
    def _states_all(self, made: ValidationInfo) -> Identified:
        # What is read from a file states what its version knew of, and has the hash of that.
        if made.mode == "python":
            self.model_fields_set.update(type(self).model_fields)
        return self

    @property
    def hash(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of all settings."""
        return hash_of(self.stored())

    def differences(self, other: Identified) -> list[str]:
        """Say in which settings another run differs, such as ``batch_size 64 (there: 32)``.

        What follows from others is named only where nothing else differs.
        """
        return differences(self.stored(), other.stored(), self.consequences)


def hash_of(settings: dict[str, Any]) -> str:
    """Return the hash of settings that are plain values, as `Identified.hash`."""
    hashed = {_HASHED_AS.get(name, name): value for name, value in settings.items()}
    return hashlib.sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest()[:16]


def differences(
    mine: dict[str, Any], other: dict[str, Any], consequences: frozenset[str] = frozenset(), absent: object = None
) -> list[str]:
    """Say in which settings two runs differ, as `Identified.differences`; one may lack what the other has."""
    different = [name for name in mine | other if mine.get(name) != other.get(name)]
    chosen = [name for name in different if name not in consequences] or different
    return [f"{name} {mine.get(name, absent)} (there: {other.get(name, absent)})" for name in chosen]


class Settings(Identified):
    """The settings of a sweep.

    Attributes:
        space: the search space.
        images: the image set.
        batch_size: images in a batch.
        batch_seed: which images; the batch is the same for every cell and seed.
        augment: whether the images went through the training augmentation.
        classes: outputs of every network.
        teacher: the teacher's canonical name; its weights are drawn anew for every seed.
        device: ``cpu`` or ``cuda``: numbers differ by rounding between the two.
        batch: SHA-256 of the images and labels.
        drawing: how weights derive from cell and seed; raised when that changes. 2: from the cell of which the network
            is, and where only live edges matter that is the one that stands for all of the same function.
        vectorised_seeds: how many weight seeds of a network are computed in one pass; more than one changes the
            rounding, which moves ``epe_nas`` by 1 % and ``zico`` and ``fisher`` by .4 % at a batch of 4.
        tf32: whether a GPU may round what it multiplies to TF32's ten bits.
        deterministic: whether cuDNN must take kernels that give the same bits each time.
    """

    consequences = frozenset({"batch"})

    space: SpaceName
    images: str
    batch_size: Whole
    batch_seed: Whole
    augment: bool
    classes: Whole
    teacher: str
    device: Literal["cpu", "cuda"]
    batch: str
    drawing: Whole = 2
    vectorised_seeds: Whole = Field(default=1, validation_alias=AliasChoices("vectorised_seeds", "stack"))
    tf32: bool = False
    deterministic: bool = True

    @property
    def options(self) -> dict[str, Any]:
        """Those that are arguments of `diswot.evaluate`; the others follow from them and from the machine."""
        return self.model_dump(include=OPTIONS, exclude_unset=True)
