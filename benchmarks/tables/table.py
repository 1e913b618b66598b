"""An accuracy table, and the card that says how its figures were made."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import ClassVar

import pandas as pd

#: What a card says where its source says nothing.
NOT_STATED = "not stated"

#: How the recipe on the card of a modelled table begins.
MODELLED = "modelled, not trained"


@dataclass(frozen=True)
class Card:
    """How the figures of a table were made.

    Attributes:
        source: where they come from.
        licence: under which terms.
        images: the images that the networks were trained and tested on.
        recipe: how the networks were trained, and what each column means.
        teacher: of the distilled accuracies; "none" where nothing was distilled.
        seeds: how many trainings a figure stands for.
        epochs: how long they were.
        citation: what to cite.
        data_hash: SHA-256 of the file that the figures were read from, in hexadecimal; of several, one after the other.
        measured: what the figures say of themselves: agreement of seeds, of columns, with other tables; cost.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}  # where it is read from a file

    source: str
    licence: str
    images: str
    recipe: str
    teacher: str
    seeds: str
    epochs: str
    citation: str
    data_hash: str
    measured: str = NOT_STATED

    @property
    def is_modelled(self) -> bool:
        """Whether the figures are predictions of a model that was fitted to other accuracies."""
        return self.recipe.startswith(MODELLED)


@dataclass(frozen=True, eq=False)
class Table:
    """Accuracies by cell.

    Attributes:
        name: of the table; for a file of the user's, its name without suffix.
        space: the search space of its cells.
        frame: one row per cell, ascending; the index ``cell`` is its number in the space; float64 columns in percent,
            NaN where unknown.
        card: how the figures were made.
    """

    name: str
    space: str
    frame: pd.DataFrame
    card: Card


def packaged(name: str) -> bytes:
    """Return a file of the folder ``data`` that the package brings."""
    return (files("diswot.benchmarks.tables") / "data" / name).read_bytes()


def packaged_card(name: str, **computed: str) -> Card:
    """Return the card ``NAME.card.json`` of that folder, with fields that are computed, such as the hash."""
    return Card(**json.loads(packaged(f"{name}.card.json")) | computed)
