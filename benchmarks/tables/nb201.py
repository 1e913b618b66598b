"""The table ``nb201``: the 200-epoch accuracies of all 15,625 cells of NAS-Bench-201, fetched once.

They come from three CSV files of the repository of NASGraph, in which every cell is named by its official string.
What is called cifar10 there is the protocol ``cifar10-valid``: trained on half of the training images.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from diswot.benchmarks.remote import Remote
from diswot.benchmarks.spaces.nb201 import Cell
from diswot.benchmarks.tables import readers
from diswot.benchmarks.tables.fetched import Fetched
from diswot.benchmarks.tables.table import packaged_card

_COMMIT = "1f8fd621c60a48728fcc890818b6b94eee62e4dc"
_FOLDER = f"https://raw.githubusercontent.com/Zhenhan-Huang/NASGraph-Public/{_COMMIT}/data"

#: The published files, by the name that their images have in the columns.
FILES = {
    "cifar10-valid": Remote(
        f"{_FOLDER}/nasbench201_cifar10.csv", "c82e70b5ffb0dba0f09d88ecc8df5a6d3ce8da8a99ad223285104f4537314033"
    ),
    "cifar100": Remote(
        f"{_FOLDER}/nasbench201_cifar100.csv", "87a42005d7005fdb5e4a938ed83dd306d907523f23e70af907dfd276dd5fe35d"
    ),
    "imagenet16-120": Remote(
        f"{_FOLDER}/nasbench201_ImageNet16-120.csv", "f5225573584977b283f473b0ded7fe51ae599a67063b3bd02b18de36b29fcd6b"
    ),
}
_SPLITS = {"val": "validation accuracy", "test": "test accuracy"}
COLUMNS = tuple(f"{images}-{split}" for images in FILES for split in _SPLITS)


def convert(folder: Path) -> pd.DataFrame:
    """Return the frame that the published files in a folder hold: ``cell``, then `COLUMNS`, by ascending cell."""
    parts = [_part(folder / remote.name, images) for images, remote in FILES.items()]
    return pd.concat(parts, axis="columns").sort_index().reset_index()


def _part(path: Path, images: str) -> pd.DataFrame:
    published = readers.read(path)
    cells = [Cell.from_string(str(text)).index for text in published["arch str"]]
    columns = {f"{images}-{split}": [float(str(text)) for text in published[name]] for split, name in _SPLITS.items()}
    return pd.DataFrame(columns, index=pd.Index(cells, name="cell", dtype="int64"), dtype="float64")


TABLE = Fetched(
    name="nb201",
    space="nb201",
    columns=COLUMNS,
    files=FILES,
    convert=convert,
    card=packaged_card(
        "nb201",
        source=(
            f"github.com/Zhenhan-Huang/NASGraph-Public, commit {_COMMIT[:7]}, folder data: "
            f"{', '.join(remote.name for remote in FILES.values())}"
        ),
        # Of the three files one after the other: unlike that of the Parquet file it does not depend on who wrote it.
        data_hash="8dc7b5f298e9697bc41bf01cf162d05bd23bfc9f5704ae1469a697f045bef235",
    ),
)
