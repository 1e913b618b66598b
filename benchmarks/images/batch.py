"""A batch of images with their labels, and the hash by which a run knows it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from diswot.benchmarks.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Batch:
    """Images and labels.

    Attributes:
        images: (count, 3, size, size) float32, normalised.
        labels: (count,) int64.
    """

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)

    def digest(self) -> str:
        """Return the SHA-256 of types, shapes and contents, in hexadecimal: equal batches have equal digests."""
        digest = hashlib.sha256()
        for tensor in (self.images, self.labels):
            array = tensor.detach().cpu().contiguous().numpy()
            digest.update(f"{array.dtype} {array.shape} ".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()

    def split(self, *counts: int) -> tuple[Batch, ...]:
        """Cut into consecutive batches of these sizes, which need not use up all images.

        Raises:
            InputError: if a size is below 1 or their sum is more than there are images.
        """
        if min(counts, default=0) < 1 or sum(counts) > len(self):
            asked = " + ".join(str(count) for count in counts) or "nothing"
            raise InputError(f"split: {asked} of a batch of {len(self)}; each part has 1 or more of its images.")
        ends = [sum(counts[: number + 1]) for number in range(len(counts))]
        return tuple(
            Batch(self.images[end - count : end], self.labels[end - count : end])
            for count, end in zip(counts, ends, strict=True)
        )
