"""The table ``analog-nasbench``: five CIFAR-10 accuracies of all 15,625 cells of NAS-Bench-201.

They are read from the data file of the PyPI package of that name. The package is never imported, and its pickle is
read with stand-ins for its two classes. Cells are keyed by NASLib's tuples: edges 0->1, 0->2, 0->3, 1->2, 1->3, 2->3;
operations 0 skip_connect, 1 none, 2 nor_conv_3x3, 3 nor_conv_1x1, 4 avg_pool_3x3. The package does not say so; it was
found by correlating ``baseline`` with the 200-epoch CIFAR-10 test accuracies of NATS-Bench over all cells: Spearman
0.9914 in this reading, at most 0.79 under any other numbering of the operations or with the edges in the
order of the official string.
"""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path

import pandas as pd

from diswot.benchmarks import unpickle
from diswot.benchmarks.errors import InputError
from diswot.benchmarks.spaces.nb201 import SIZE, Cell
from diswot.benchmarks.tables.table import Table, packaged_card

NAME = "analog-nasbench"
SPACE = "nb201"
COLUMNS = ("baseline", "ptq", "qat", "noisy", "analog")

_PACKAGE = "analog-nasbench"
_FILE = "data.anb"


def load() -> Table:
    """Return the table: 15,625 cells, columns ``baseline``, ``ptq``, ``qat``, ``noisy`` and ``analog`` in percent.

    Raises:
        InputError: if the package is not installed, or its data file is missing, damaged, or holds something else.
    """
    return read(locate(), metadata.version(_PACKAGE))


def locate() -> Path:
    """Return the data file of the installed package.

    Raises:
        InputError: if the package or the file is missing.
    """
    try:
        installed = metadata.files(_PACKAGE) or []
    except metadata.PackageNotFoundError as error:
        raise InputError(
            f"table: {NAME} is read from the package {_PACKAGE}, which is not installed: pip install {_PACKAGE}"
        ) from error
    for file in installed:
        path = Path(str(file.locate()))
        if file.name == _FILE and path.is_file():
            return path
    raise InputError(
        f"table: the installed package {_PACKAGE} lacks {_FILE}: pip install --force-reinstall --no-deps {_PACKAGE}"
    )


def read(path: Path, version: str) -> Table:
    """Return the table that a data file of the package holds.

    Args:
        path: the file ``data.anb``.
        version: of the package, for the card.

    Raises:
        InputError: if the file is missing, damaged, or does not hold these accuracies of all cells.
    """

    class Record:  # made anew for every file, which may set attributes of the class too
        """Stands in for the package's classes: takes whatever attributes the file gives it, and does nothing."""

    module = "analognasbench.data"
    allowed = {(module, "Architecture"): Record, (module, "DriftMeasurement"): Record}
    content = unpickle.load(path, allowed)
    if not isinstance(content, dict) or len(content) != SIZE:
        raise InputError(f"'{path}' does not hold a dictionary of {SIZE} cells as {_PACKAGE} 0.1.3 does.")
    try:
        rows = {
            Cell.from_naslib(key).index: [float(getattr(record, f"{column}_accuracy")) for column in COLUMNS]
            for key, record in content.items()
        }
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(f"'{path}' is not laid out as {_PACKAGE} 0.1.3 is ({error}).") from error
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=list(COLUMNS), dtype="float64")
    frame.index.name = "cell"
    source = f"{_FILE} of the PyPI package {_PACKAGE} {version} (github.com/IBM/analog-nas, folder analognasbench)"
    card = packaged_card(NAME, source=source, data_hash=hashlib.sha256(path.read_bytes()).hexdigest())
    return Table(NAME, SPACE, frame.sort_index(), card)
