"""How scores were made: the record in ``run.json``, and the card of precomputed scores; see docs/stored-formats.md."""

from __future__ import annotations

from typing import Literal

from pydantic import AliasChoices, Field, model_validator

from diswot.harness.records import Document, SpaceName, Whole
from diswot.harness.runs.arithmetic import Arithmetic
from diswot.harness.runs.settings import Identified, Settings


class ProxyRecord(Document):
    """What a run says of a proxy; the fields of `diswot.proxies.registry.Proxy`."""

    name: str
    version: str
    direction: Literal["higher", "lower"]
    family: str
    needs: list[str] = Field(default_factory=list)
    default_init: str = ""
    live_edges_only: bool
    fast: bool = False
    summary: str = ""
    source: str = ""
    differences: str = Field(default="", validation_alias=AliasChoices("differences", "deviations"))


class Computed(Document):
    """On which device scores of some proxies were computed."""

    device: str
    proxies: list[str]


class Taken(Document):
    """From which precomputed scores, made on which device, scores of some proxies were taken."""

    name: str = Field(validation_alias=AliasChoices("name", "set"))
    data_hash: str
    device: str = "not recorded"
    proxies: list[str]


class Shown(Document):
    """Which precomputed scores a run's folder shows."""

    name: str
    data_hash: str


class Machine(Document):
    """What of a machine and its software may explain a number."""

    device: str | None = None
    arithmetic: Arithmetic | None = None
    threads: str | None = None
    versions: dict[str, str | None] = Field(default_factory=dict)
    git_revision: str | None = None


class Made(Machine):
    """The record of scores or trainings that were made with the same settings."""

    form = 1

    settings: Identified
    settings_hash: str

    @model_validator(mode="after")
    def _is_of_its_settings(self) -> Made:
        if self.settings_hash != self.settings.hash:
            raise ValueError("settings_hash is not that of its settings")
        return self


class Commanded(Made):
    """The record in a folder that commands begin and continue."""

    commands: list[str]


class Info(Commanded):
    """The record of a run."""

    settings: Settings
    created: str = ""
    space: SpaceName
    command: str = ""
    hashes: dict[str, str]
    computed: list[Computed] = Field(default_factory=list)
    taken: list[Taken] = Field(default_factory=list)
    shipped: Shown | None = None
    proxies: list[ProxyRecord]

    @model_validator(mode="after")
    def _agrees(self) -> Info:
        names = [proxy.name for proxy in self.proxies]
        if not names:
            raise ValueError("it has no proxies")
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"it has the proxy {twice[0]} twice")
        if self.space != self.settings.space:
            raise ValueError("its space is not that of its settings")
        return self


class Card(Info):
    """The card of precomputed scores: the record of the run that made them, and what they are."""

    name: str
    devices: dict[str, str] = Field(default_factory=dict)
    cells: Whole
    seeds: list[Whole]
    scores: Whole
    undefined: dict[str, Whole] = Field(default_factory=dict)
    failed: Whole = 0
    hours: float | None = None
    image_source: str = Field(default="", validation_alias=AliasChoices("image_source", "pictures"))
    licence: str = ""
    citation: str = ""
    data_hash: str


def devices(info: Info) -> dict[str, str]:
    """Return the device on which the scores of each proxy were made, by the proxy's name.

    Older records do not say it by proxy: then what was taken was made where the note says, and all else on the last
    call's device.
    """
    named = info.devices if isinstance(info, Card) else {}
    noted: dict[str, list[str]] = {}
    for device, proxies in [(note.device, note.proxies) for notes in (info.computed, info.taken) for note in notes]:
        for proxy in proxies:
            noted.setdefault(proxy, []).append(device)
    usual = [info.device or "not recorded"]
    names = [proxy.name for proxy in info.proxies]
    return {name: named.get(name) or ", ".join(dict.fromkeys(noted.get(name, usual))) for name in names}
