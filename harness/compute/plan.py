"""What a sweep is asked to do, and the plan of what a user wrote."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from diswot.benchmarks import images, spaces, teachers
from diswot.benchmarks.errors import InputError, counted
from diswot.benchmarks.paths import expanded
from diswot.harness.compute import devices
from diswot.harness.runs import arithmetic, members, samples
from diswot.harness.runs.arithmetic import Arithmetic
from diswot.harness.runs.precomputed import catalogue
from diswot.proxies import registry
from diswot.proxies.registry import Proxy

#: How many cells are sampled unless something else is asked for, where the space has as many.
DEFAULT_CELLS = 100


@dataclass(frozen=True, kw_only=True)
class Computation:
    """What a sweep and a distillation are asked alike: which networks, images and teacher, and where to compute.

    Attributes:
        space: the search space's name.
        cells: the cells' numbers.
        seeds: of the weights; in a distillation also of the order of the images.
        images: the image set's name.
        image_dir: the folder of the image set; None for noise.
        teacher: the teacher's name; in a distillation, a name or a file of weights.
        devices: where to compute, such as ``("cpu",)`` or ``("cuda:0", "cuda:1")``.
        device_name: what that machine part is, for the record.
        workers: processes; on a GPU one a device; None where a cluster says how many there are.
        scheduler: address of the cluster whose workers do it; None for processes on this machine.
    """

    space: str
    cells: Sequence[int]
    seeds: Sequence[int]
    images: str
    image_dir: Path | None
    teacher: str
    devices: Sequence[str]
    device_name: str
    workers: int | None
    scheduler: str | None = None

    @property
    def device(self) -> Literal["cpu", "cuda"]:
        """The kind of device."""
        return "cuda" if self.devices[0].startswith("cuda") else "cpu"

    @property
    def arithmetic(self) -> Arithmetic | None:
        """What decides the numbers; None where other machines compute."""
        return None if self.scheduler else arithmetic.here(self.device)

    @property
    def where(self) -> str:
        """The teacher, the workers and their devices, in words."""
        workers = f"workers of {self.scheduler}" if self.workers is None else counted(self.workers, "worker")
        return f"teacher {self.teacher}, {workers} on {', '.join(self.devices)}"


@dataclass(frozen=True, kw_only=True)
class Plan(Computation):
    """Everything that a sweep is asked to do.

    Attributes:
        proxies: the proxies' records.
        batch_size: images in a batch.
        batch_seed: which images.
        augment: whether to augment them.
        plugins: plug-in files that the workers load.
        vectorised_seeds: how many weight seeds of a network are computed in one pass.
        tf32: whether a GPU may use TF32.
        deterministic: whether a GPU must give the same bits each time.
        precomputed: names of the precomputed scores that are taken from.
    """

    proxies: Sequence[Proxy]
    batch_size: int = 64
    batch_seed: int = 0
    augment: bool = False
    plugins: Sequence[Path] = ()
    vectorised_seeds: int = 1
    tf32: bool = False
    deterministic: bool = True
    precomputed: Sequence[str] = ()

    def describe(self, folder: Path) -> str:
        """Say what the sweep will do."""
        return (
            f"{self.space}: {counted(len(self.proxies), 'proxy', 'proxies')} x {counted(len(self.cells), 'cell')} x "
            f"{counted(len(self.seeds), 'seed')}, {self.batch_size} images of {self.images}, {self.where}, "
            f"into {folder}"
        )


def make(
    proxies: str | Iterable[str] = "fast",
    *,
    space: str = "nb201",
    cells: int | str | Iterable[int | str] | None = None,
    seeds: int | str | Iterable[int] = 1,
    images: str = "noise",
    image_dir: Path | None = None,
    teacher: str | None = None,
    device: str = "auto",
    workers: int | None = None,
    plugins: Iterable[Path] = (),
    precomputed: bool = True,
    scheduler: str | None = None,
    **settings: Any,
) -> Plan:
    """Make a plan of what a user wrote; see `diswot.run.evaluate` for the arguments. Settings are fields of `Plan`.

    Raises:
        InputError: if one of them stands for nothing.
    """
    walked = spaces.get(space)
    teacher = walked.teacher if teacher is None else teacher
    teachers.canonical(teacher)
    asked = min(DEFAULT_CELLS, len(walked.cells)) if cells is None else cells
    return Plan(
        space=space,
        plugins=load_plugins(plugins),  # before the proxies, which may be theirs
        cells=samples.cells(asked, walked),
        proxies=_selected(proxies),
        seeds=samples.seeds(seeds),
        images=_image_set(images, image_dir),
        image_dir=image_dir,
        teacher=teacher,
        precomputed=catalogue.names() if precomputed else (),
        **devices.place(device, workers, scheduler),
        **settings,
    )


def _selected(proxies: str | Iterable[str]) -> tuple[Proxy, ...]:
    asked = [name.strip() for name in (proxies.split(",") if isinstance(proxies, str) else proxies)]
    members.refuse("proxies", asked)
    return registry.select(asked)


def load_plugins(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Load plug-in files and return their absolute paths."""
    found = tuple(expanded("plugins", path).resolve() for path in paths)
    for path in found:
        registry.load_file(path)
    return found


def _image_set(name: str, folder: Path | None) -> str:
    if images.get(name).reader is None and folder is not None:
        raise InputError(f"image_dir: it plays a part only with --images other than {name}; leave it out.")
    return name
