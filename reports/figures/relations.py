"""What DisWOT compares: the relations of images and the maps of classes, of the teacher and of two students."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from diswot.benchmarks.errors import InputError
from diswot.harness import files
from diswot.harness.runs.results import Results
from diswot.reports.figures.drawing import Drawing
from diswot.reports.style import canvas, typography
from diswot.reports.summary import conditions

NETWORKS = {"teacher": "Teacher", "good": "Good student", "bad": "Bad student"}
MATRICES = {"relation": "Relations of images", "semantic": "Relations of classes"}


def drawings(results: Results) -> list[Drawing]:
    """Return the heat maps of the matrices stored as ``relations.npz`` beside the run; nothing without that file.

    Raises:
        InputError: the file is damaged or lacks an array.
    """
    path = results.folder / "relations.npz"
    if not path.is_file():
        return []
    arrays = _read(path)
    called = {network: str(arrays[network]) for network in NETWORKS}
    among = "; ".join(f"{words.lower()}: {called[network]}" for network, words in NETWORKS.items())
    where = conditions(results)
    return [
        Drawing(
            "relations",
            _sheet(arrays, called),
            _tidy(arrays, called),
            "What DisWOT compares, in untrained networks: how alike the images of a batch (above) and the class "
            f"activation maps (below) look to each network; {among}{'; ' if where else ''}{where}.",
            "Heat maps of the relations of images and of classes for the teacher and two students",
        )
    ]


def _read(path: Path) -> dict[str, np.ndarray]:
    needed = [*NETWORKS, *(f"{network}_{matrix}" for matrix in MATRICES for network in NETWORKS)]
    hint = "; `diswot run` makes it anew"
    with files.reading(path, "run", hint), path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in needed}
    flat = [name for name in needed if "_" in name and not _is_matrix(arrays[name])]
    if flat:
        raise InputError(f"run: {path} holds no matrix {flat[0]}.")
    return arrays


def _is_matrix(array: np.ndarray) -> bool:
    return array.ndim == 2 and array.size > 0 and array.dtype.kind in "fiu"


def _tidy(arrays: dict[str, np.ndarray], called: dict[str, str]) -> pd.DataFrame:
    parts = []
    for matrix in MATRICES:
        for network in NETWORKS:
            values = arrays[f"{network}_{matrix}"]
            row, column = np.indices(values.shape)
            head = {"matrix": matrix, "network": network, "name": called[network]}
            parts.append(pd.DataFrame({**head, "row": row.ravel(), "column": column.ravel(), "value": values.ravel()}))
    return pd.concat(parts, ignore_index=True)


def _sheet(arrays: dict[str, np.ndarray], called: dict[str, str]) -> Figure:
    with canvas.style():
        figure, sheet = canvas.sheet(canvas.DOUBLE_COLUMN, 4.3, rows=2, columns=3)
        for line, (matrix, label) in enumerate(MATRICES.items()):
            shown = [arrays[f"{network}_{matrix}"] for network in NETWORKS]
            low, high = _scale(shown)
            panels = sheet[3 * line : 3 * line + 3]
            for axes, values in zip(panels, shown, strict=True):
                image = axes.imshow(values, vmin=low, vmax=high, cmap="cividis", interpolation="nearest", aspect="auto")
                canvas.number(axes, "x", integer=True)
                canvas.number(axes, "y", integer=True)
            panels[0].set_ylabel("Image" if line == 0 else "Class")
            bar = panels[0].figure.colorbar(image, ax=panels, aspect=20, pad=0.02)
            bar.set_label(label)
            bar.locator = MaxNLocator(4)
            bar.update_ticks()
            bar.outline.set_visible(False)
        for axes, (network, words) in zip(sheet, NETWORKS.items(), strict=False):
            axes.set_title(typography.elide(f"{words}: {called[network]}", 1.8, 8), pad=4)
        for axes in sheet[3:]:
            axes.set_xlabel("Class")
    return figure


def _scale(matrices: list[np.ndarray]) -> tuple[float, float]:
    values = np.concatenate([matrix.ravel() for matrix in matrices]).astype(float)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    # One value alone has no scale; its colour then says nothing.
    return (low, high) if low < high else (low - 0.5, high + 0.5)
