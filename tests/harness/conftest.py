from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from diswot.harness import pool
from diswot.harness.cli import main
from diswot.harness.compute.plan import Plan
from diswot.harness.runs.settings import Settings
from diswot.harness.runs.store import Record
from diswot.proxies import registry


class Inline(Executor):
    """Carries out a task in this process when it is submitted, so that a test need not wait for workers to start."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments, **named))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the future's
            future.set_exception(error)
        return future


@pytest.fixture
def inline() -> Iterator[Callable[[int], Executor]]:
    """Makes executors that work here, with one thread, as a worker does."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield lambda workers: Inline()
    torch.set_num_threads(threads)


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    status: int
    out: str
    sentence: str


@pytest.fixture
def cli(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, inline: Callable[[int], Executor]
) -> Callable[..., Said]:
    """Runs a command in this process, workers included."""
    monkeypatch.setattr(pool, "local", lambda workers, devices: inline(workers))
    monkeypatch.setattr(pool, "plain", inline)

    def run(*arguments: object) -> Said:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Said(status, captured.out, captured.err)

    return run


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Writes a file of proxies; what was loaded of it is forgotten after the test."""
    registry.names()
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    loaded = set(sys.modules)

    def write(body: str, name: str = "mine", file: str = "plugin.py", needs: str = "") -> Path:
        path = tmp_path / file
        lines = "\n".join(f"    {line}" for line in body.splitlines())
        path.write_text(
            f"import os, random, signal, time, torch\nfrom diswot import proxies\n"
            f"@proxies.register(needs=[{needs}], source='test', version='1')\n"
            f"def {name}(trace):\n{lines}\n"
        )
        return path

    yield write
    for module in set(sys.modules) - loaded:
        if module.startswith("diswot_plugin_"):
            del sys.modules[module]


@pytest.fixture
def make_plan() -> Callable[..., Plan]:
    """Makes plans that take milliseconds."""

    def make(proxies: str = "params,snip,zen,diswot", **changes: Any) -> Plan:
        values = {
            "space": "s0",
            "cells": (111, 113),
            "seeds": (0,),
            "images": "noise",
            "image_dir": None,
            "batch_size": 4,
            "batch_seed": 0,
            "augment": False,
            "teacher": "s0:111",
            "devices": ("cpu",),
            "device_name": "test",
            "workers": 1,
        }
        return Plan(proxies=registry.select(proxies), **{**values, **changes})

    return make


@pytest.fixture
def settings() -> Settings:
    return Settings(
        space="s0",
        images="noise",
        batch_size=4,
        batch_seed=0,
        augment=False,
        classes=100,
        teacher="resnet56",
        device="cpu",
        batch="0123",
    )


@pytest.fixture
def record(settings: Settings) -> Callable[..., Record]:
    def make(cell: int = 111, value: float | None = 1.0, **changes: Any) -> Record:
        values = {
            "space": "s0",
            "cell": cell,
            "proxy": "params",
            "version": registry.get("params").version,
            "settings": settings.hash,
            "seed": 0,
            "status": "ok" if value is not None else "undefined",
            "value": value,
            "cause": None if value is not None else "no reason",
            "seconds": 0.5,
        }
        return Record(**{**values, **changes})

    return make
