"""What can be fetched: a file, its place on the network, and the hash by which it is known to be the right one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Remote:
    """A published file.

    Attributes:
        url: where it is; its last part is the file's name.
        digest: the hash, in hexadecimal.
        algorithm: of the hash, as `hashlib` calls it.
    """

    url: str
    digest: str
    algorithm: str = "sha256"

    @property
    def name(self) -> str:
        """The file's name."""
        return self.url.rpartition("/")[2]
