"""What a distilled accuracy depends on besides cell, seed and distiller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from diswot.harness.distillation.recipes import Recipe
from diswot.harness.runs.settings import Identified


@dataclass(frozen=True)
class Settings(Identified):
    """The settings of a distillation.

    Attributes:
        space: the search space.
        images: the image set.
        pictures: SHA-256 of the training images and of the test images, with their labels.
        recipe: of the training.
        teacher: its name and recipe, or its name and the hash of its weights; see `teacher.Source`.
        device: its kind, such as ``cpu``.
    """

    consequences = frozenset({"pictures"})

    space: str
    images: str
    pictures: str
    recipe: Recipe
    teacher: str
    device: str

    def as_dict(self) -> dict[str, Any]:
        """The settings by name, the recipe's among them."""
        values = super().as_dict()
        return values | values.pop("recipe")
