"""What a distilled accuracy depends on besides cell, seed and distiller."""

from __future__ import annotations

from pydantic import AliasChoices, Field

from diswot.harness.distillation.recipes import Recipe
from diswot.harness.records import SpaceName


class Settings(Recipe):
    """The settings of a distillation: the recipe of its trainings, and these.

    Attributes:
        space: the search space.
        images: the image set.
        images_hash: SHA-256 of the training images and of the test images, with their labels.
        teacher: its name and recipe, or its name and the hash of its weights; see `teacher.Source`.
        device: its kind, such as ``cpu``.
    """

    consequences = frozenset({"images_hash"})

    space: SpaceName
    images: str
    images_hash: str = Field(validation_alias=AliasChoices("images_hash", "pictures"))
    teacher: str
    device: str
