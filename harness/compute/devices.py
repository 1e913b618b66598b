"""Where to compute: the devices, workers and clusters that a user's words stand for."""

from __future__ import annotations

import os
import platform
from typing import Any

from diswot.benchmarks.errors import InputError, unknown
from diswot.harness import pool
from diswot.harness.compute.cluster import executor
from diswot.harness.runs.run_folder import processor


def place(device: str, workers: int | None, scheduler: str | None) -> dict[str, Any]:
    """Return what a plan says of where it is carried out: devices, device_name, workers and scheduler.

    Raises:
        InputError: if there is no such device or cluster, or the options contradict each other.
    """
    if scheduler is None:
        chosen = parse(device)
        name = name_of(chosen[0])
        workers = workers or (pool.default_workers() if chosen == ("cpu",) else len(chosen))
    else:
        executor.check(scheduler)
        if workers is not None:
            raise InputError(
                f"workers: {workers} was given, and {scheduler} has as many as were started; leave out --workers "
                "or --scheduler."
            )
        if device not in ("auto", "cpu", "cuda"):
            raise InputError(
                f"device: {device!r} was given; with --scheduler it is cpu, or cuda: the GPU that a worker sees."
            )
        chosen = ("cuda" if device == "cuda" else "cpu",)
        name = f"workers of {scheduler}"
    return {"devices": chosen, "device_name": name, "workers": workers, "scheduler": scheduler}


def parse(text: str) -> tuple[str, ...]:
    """Return the devices that ``auto``, ``cpu`` or a list of GPUs stands for.

    Raises:
        InputError: if the text is no device, or there is no such GPU.
    """
    if text == "cpu":
        return ("cpu",)
    import torch

    found = tuple(f"cuda:{i}" for i in range(torch.cuda.device_count()))
    if text == "auto":
        return found or ("cpu",)
    if text == "cuda":
        text = ",".join(found) or "cuda:0"
    asked = tuple(part.strip() for part in text.split(",") if part.strip()) or (text,)
    for part in asked:
        if part in ("auto", "cpu", "cuda") and len(asked) > 1:
            raise InputError(f"device: {part!r} stands alone; {text!r} mixes it with others.")
        if not part.startswith("cuda:") or not part[5:].isdecimal():
            raise unknown("device", part, ("auto", "cpu", "cuda", "cuda:0"))
        if part not in found:
            raise InputError(f"device: {part} is not there; torch sees {len(found)} GPUs on this machine.")
    return asked


def name_of(device: str) -> str:
    """Return what the device is called by its maker, as far as the system says."""
    if device == "cpu":
        return processor()
    import torch

    return torch.cuda.get_device_name(device)


def machine() -> str:
    """Return what of this machine explains how long something takes: the processor and how many there are."""
    return f"{processor()} ({platform.machine()}), {os.cpu_count()} processors"
