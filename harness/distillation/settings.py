"""What a distilled accuracy depends on besides cell, seed and distiller."""

from __future__ import annotations

from diswot.harness.distillation.recipes import Recipe
from diswot.harness.records import SpaceName


class Settings(Recipe):
    """The settings of a distillation: the recipe of its trainings, and these.

    Attributes:
        space: the search space.
        images: the image set.
        pictures: SHA-256 of the training images and of the test images, with their labels.
        teacher: its name and recipe, or its name and the hash of its weights; see `teacher.Source`.
        device: its kind, such as ``cpu``.
    """

    consequences = frozenset({"pictures"})

    space: SpaceName
    images: str
    pictures: str
    teacher: str
    device: str
