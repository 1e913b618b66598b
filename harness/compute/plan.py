"""What a sweep is asked to do, and the plan of what a user wrote."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from diswot.benchmarks import images, spaces, teachers
from diswot.benchmarks.errors import InputError, counted
from diswot.harness.compute import devices
from diswot.harness.runs import samples
from diswot.harness.runs.precomputed import catalogue
from diswot.proxies import registry

if TYPE_CHECKING:
    from diswot.proxies.registry import Proxy

#: How many cells are sampled unless something else is asked for, where the space has as many.
DEFAULT_CELLS = 100


@dataclass(frozen=True)
class Plan:
    """Everything that a sweep is asked to do.

    Attributes:
        space: the search space's name.
        cells: the cells' numbers.
        proxies: the proxies' records.
        seeds: the weights' seeds.
        images: the image set's name.
        image_dir: the folder of the image set; None for noise.
        batch_size: images in a batch.
        batch_seed: which images.
        augment: whether to augment them.
        teacher: the teacher's name.
        devices: where to compute, such as ``("cpu",)`` or ``("cuda:0", "cuda:1")``.
        device_name: what that machine part is, for the record.
        workers: processes; on a GPU one a device; None where a cluster says how many there are.
        plugins: plug-in files that the workers load.
        vectorised_seeds: how many weight seeds of a network are computed in one pass.
        tf32: whether a GPU may use TF32.
        deterministic: whether a GPU must give the same bits each time.
        precomputed: names of the precomputed scores that are taken from.
        scheduler: address of the cluster whose workers do it; None for processes on this machine.
    """

    space: str
    cells: Sequence[int]
    proxies: Sequence[Proxy]
    seeds: Sequence[int]
    images: str
    image_dir: Path | None
    batch_size: int
    batch_seed: int
    augment: bool
    teacher: str
    devices: Sequence[str]
    device_name: str
    workers: int | None
    plugins: Sequence[Path] = ()
    vectorised_seeds: int = 1
    tf32: bool = False
    deterministic: bool = True
    precomputed: Sequence[str] = ()
    scheduler: str | None = None

    def describe(self, folder: Path) -> str:
        """Say what the sweep will do."""
        return (
            f"{self.space}: {counted(len(self.proxies), 'proxy', 'proxies')} x {counted(len(self.cells), 'cell')} x "
            f"{counted(len(self.seeds), 'seed')}, {self.batch_size} images of {self.images}, teacher {self.teacher}, "
            f"{devices.described(self.devices, self.workers, self.scheduler)}, into {folder}"
        )


def make(
    proxies: str | Iterable[str] = "fast",
    *,
    space: str = "nb201",
    cells: int | str | Iterable[int | str] | None = None,
    seeds: int | str | Iterable[int] = 1,
    images: str = "noise",
    image_dir: Path | None = None,
    batch_size: int = 64,
    batch_seed: int = 0,
    augment: bool = False,
    teacher: str | None = None,
    device: str = "auto",
    workers: int | None = None,
    plugins: Iterable[Path] = (),
    vectorised_seeds: int = 1,
    tf32: bool = False,
    deterministic: bool = True,
    precomputed: bool = True,
    scheduler: str | None = None,
) -> Plan:
    """Make a plan of what a user wrote; see `diswot.run.evaluate` for the arguments.

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
        proxies=registry.select(proxies),
        seeds=samples.seeds(seeds),
        images=_image_set(images, image_dir),
        image_dir=image_dir,
        batch_size=batch_size,
        batch_seed=batch_seed,
        augment=augment,
        teacher=teacher,
        vectorised_seeds=vectorised_seeds,
        tf32=tf32,
        deterministic=deterministic,
        precomputed=catalogue.names() if precomputed else (),
        **devices.place(device, workers, scheduler),
    )


def load_plugins(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Load plug-in files and return their absolute paths."""
    found = tuple(Path(path).resolve() for path in paths)
    for path in found:
        registry.load_file(path)
    return found


def _image_set(name: str, folder: Path | None) -> str:
    if images.get(name).reader is None and folder is not None:
        raise InputError(f"image_dir: it plays a part only with --images other than {name}; leave it away.")
    return name
