"""What results depend on besides cell and seed: stated once, hashed into every unit's identity."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, cast


@dataclass(frozen=True)
class Identified:
    """Settings that are known by their hash."""

    #: Fields that follow from the others, such as the hash of the images.
    consequences: ClassVar[frozenset[str]] = frozenset()

    @property
    def hash(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of all settings."""
        return hash_of(self.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """The settings by name, as they are read back from JSON."""
        return cast("dict[str, Any]", json.loads(json.dumps(asdict(self))))

    def differences(self, other: dict[str, Any]) -> list[str]:
        """Say in which settings another run differs, such as ``batch_size 64 (there: 32)``.

        What follows from others is named only where nothing else differs.
        """
        return differences(self.as_dict(), other, self.consequences)


def hash_of(settings: dict[str, Any]) -> str:
    """Return the hash of settings that are plain values, as `Identified.hash`."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def differences(mine: dict[str, Any], other: dict[str, Any], consequences: frozenset[str]) -> list[str]:
    """Say in which settings two runs differ, as `Identified.differences`; one may lack a setting that the other has."""
    different = [name for name in mine | other if mine.get(name) != other.get(name)]
    chosen = [name for name in different if name not in consequences] or different
    return [f"{name} {mine.get(name)} (there: {other.get(name)})" for name in chosen]


@dataclass(frozen=True)
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
        stack: how many weight seeds of a network are computed in one pass; more than one changes the rounding, which
            moves ``epe_nas`` by 1 % and ``zico`` and ``fisher`` by .4 % at a batch of 4.
        tf32: whether a GPU may round what it multiplies to TF32's ten bits.
        deterministic: whether cuDNN must take kernels that give the same bits each time.
    """

    consequences = frozenset({"batch"})

    space: str
    images: str
    batch_size: int
    batch_seed: int
    augment: bool
    classes: int
    teacher: str
    device: str
    batch: str
    drawing: int = 2
    stack: int = 1
    tf32: bool = False
    deterministic: bool = True
