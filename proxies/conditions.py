"""What several proxies ask for before they have a value; `UndefinedScore` is raised where it is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diswot.proxies.declarations import UndefinedScore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


def require_two_images(of_each: Tensor) -> None:
    """Refuse a batch of one image, in which nothing can be compared.

    Args:
        of_each: (batch, ...).
    """
    if len(of_each) < 2:
        raise UndefinedScore("it compares images, and the batch has one")


def require_different_images(feature: Tensor) -> None:
    """Refuse a feature that is the same for every image.

    Args:
        feature: (batch, ...).
    """
    require_two_images(feature)
    if not (feature != feature[:1]).any():
        raise UndefinedScore("a feature is the same for every image")


def require_maps(maps: Sequence[Tensor], least: int) -> None:
    """Refuse a network with fewer feature maps than are compared."""
    if len(maps) < least:
        raise UndefinedScore(f"the network has too few feature maps: {len(maps)} where at least {least} must be there")
