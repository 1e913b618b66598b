"""The precomputed scores: where they lie, their cards, and their rows as a run's store would give them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from diswot.benchmarks.errors import InputError, unknown
from diswot.harness import records
from diswot.harness.runs.provenance import Card, devices
from diswot.harness.runs.store import SCORES

if TYPE_CHECKING:
    import pandas as pd

#: Where they lie. There may be none, and then there need not be a folder.
FOLDER = Path(__file__).with_name("data")

_CARD = ".card.json"

_TEXTS = ("proxy", "version", "status", "cause")


@dataclass(frozen=True, eq=False)
class Precomputed:
    """The scores of some proxies on all cells of a space, made with the same settings.

    Attributes:
        name: which stands for a run.
        path: of the Parquet file, one row a score, in the order of proxy, seed and cell.
        card: how the scores were made; its fields stand in docs/scores.md.
    """

    name: str
    path: Path
    card: Card

    @property
    def data_hash(self) -> str:
        """SHA-256 of the Parquet file, in hexadecimal."""
        return self.card.data_hash

    @property
    def versions(self) -> dict[str, str]:
        """The version of each proxy by its name."""
        return {proxy.name: proxy.version for proxy in self.card.proxies}

    @property
    def devices(self) -> dict[str, str]:
        """The device on which the scores of each proxy were made, by the proxy's name."""
        return devices(self.card)

    def frame(self, proxies: Collection[str] | None = None) -> pd.DataFrame:
        """Return the scores of some proxies, at least one, or of all: as `runs.results.Results.scores` has them.

        Raises:
            InputError: if the file is missing, or is not that of the card.
        """
        import pandas as pd  # the names are asked for where nothing heavy is loaded
        import pyarrow as pa
        from pyarrow import parquet

        content = self.path.read_bytes() if self.path.is_file() else b""
        if hashlib.sha256(content).hexdigest() != self.data_hash:
            raise InputError(
                f"scores: {self.path} is missing or damaged, it is not the file of its card; install diswot-bench "
                "anew, or evaluate with --no-shipped."
            )
        chosen = None if proxies is None else [("proxy", "in", list(proxies))]
        table = parquet.read_table(pa.BufferReader(content), read_dictionary=list(_TEXTS), filters=chosen)
        frame = table.to_pandas().sort_values("cell", kind="stable", ignore_index=True)
        frame = frame.astype({"cell": "int64", "seed": "int64", "seconds": "float64"})
        for name in _TEXTS:  # texts stay texts and no cause stays None, as in a store
            texts = frame[name].astype(object)
            frame[name] = texts.where(texts.notna(), None)
        frame["space"] = pd.Series(self.card.space, frame.index, dtype=object)
        return frame[[name for name in SCORES.columns if name != "settings"]]


def names() -> tuple[str, ...]:
    """Return the names of the precomputed scores."""
    return tuple(sorted(path.name.removesuffix(_CARD) for path in FOLDER.glob(f"*{_CARD}")))


def load(name: str) -> Precomputed:
    """Return precomputed scores by name; the values are read on first use.

    Raises:
        InputError: if there is none of this name, or its card is damaged or of another schema.
    """
    if not names():
        raise InputError(f"scores: {name!r} is not known; this version has no precomputed scores.")
    if name not in names():
        raise unknown("scores", name, names())
    return Precomputed(name, data_path(name), records.read(Card, card_path(name), "scores"))


def data_path(name: str) -> Path:
    """Return the file of the scores."""
    return FOLDER / f"{name}.parquet"


def folder(name: str) -> Path:
    """Return the folder with the answer that comes with the scores, see `diswot.harness.runs.answers`.

    It is taken where it answers exactly the question that is asked, so that not every machine need judge all cells.
    """
    return FOLDER / name


def card_path(name: str) -> Path:
    """Return the file that says how they were made."""
    return FOLDER / f"{name}{_CARD}"
