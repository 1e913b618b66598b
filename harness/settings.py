"""What a sweep's scores depend on besides cell, proxy and seed: stated once, hashed into every unit's identity."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Settings:
    """The settings of a sweep.

    Attributes:
        space: the search space.
        images: the image set.
        batch_size: pictures in a batch.
        batch_seed: which pictures; the batch is the same for every cell and seed.
        augment: whether the pictures went through the training augmentation.
        classes: outputs of every network.
        teacher: the teacher's canonical name; its weights are drawn anew for every seed.
        device: ``cpu`` or ``cuda``: numbers differ in their last digits between the two.
        batch: SHA-256 of the pictures and labels.
    """

    space: str
    images: str
    batch_size: int
    batch_seed: int
    augment: bool
    classes: int
    teacher: str
    device: str
    batch: str

    @property
    def hash(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of all settings."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()[:16]

    def as_dict(self) -> dict[str, Any]:
        """The settings by name."""
        return asdict(self)

    def differences(self, other: dict[str, Any]) -> list[str]:
        """Say in which settings another run differs, such as ``batch_size 64 (there: 32)``.

        The batch is named only where nothing else differs, since it follows from the others.
        """
        different = {name: value for name, value in self.as_dict().items() if other.get(name) != value}
        if len(different) > 1:
            different.pop("batch", None)
        return [f"{name} {value} (there: {other.get(name)})" for name, value in different.items()]
