"""What DisWOT compares: the relations of pictures and the maps of classes, of the teacher and of two students."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from diswot.benchmarks.errors import InputError
from diswot.harness import files
from diswot.reports.figures.drawing import Drawing
from diswot.reports.style import canvas, typography
from diswot.reports.summary import conditions

if TYPE_CHECKING:
    from diswot.harness.runs.results import Results

NETWORKS = {"teacher": "Teacher", "good": "Good student", "bad": "Bad student"}
MATRICES = {"relation": "Relations of pictures", "semantic": "Relations of classes"}
LEFT, RIGHT, GAP, HEAD, BETWEEN = 0.46, 0.74, 0.3, 0.3, 0.36


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
            _figure(arrays, called),
            _tidy(arrays, called),
            "What DisWOT compares, in untrained networks: how alike the pictures of a batch (above) and the class "
            f"activation maps (below) look to each network; {among}{'; ' if where else ''}{where}.",
            "Heat maps of the relations of pictures and of classes for the teacher and two students",
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


def _figure(arrays: dict[str, np.ndarray], called: dict[str, str]) -> Figure:
    side = (canvas.DOUBLE_COLUMN - LEFT - RIGHT - 2 * GAP) / 3
    foot = 0.4
    with canvas.style():
        figure = canvas.sheet(canvas.DOUBLE_COLUMN, foot + 2 * side + BETWEEN + HEAD)
        for line, (matrix, label) in enumerate(MATRICES.items()):
            bottom = foot + (1 - line) * (side + BETWEEN)
            shown = [arrays[f"{network}_{matrix}"] for network in NETWORKS]
            low, high = _scale(shown)
            for place, (network, words) in enumerate(NETWORKS.items()):
                axes = canvas.axes_at(figure, LEFT + place * (side + GAP), bottom, side, side)
                image = axes.imshow(shown[place], vmin=low, vmax=high, cmap="cividis", interpolation="nearest")
                axes.set_aspect("auto")
                for axis in (axes.xaxis, axes.yaxis):
                    axis.set_major_locator(MaxNLocator(4, integer=True))
                if line == 0:
                    axes.set_title(typography.elide(f"{words}: {called[network]}", side + 0.2, 8), pad=4)
                else:
                    axes.set_xlabel("Class")
                if place == 0:
                    axes.set_ylabel("Picture" if line == 0 else "Class")
            bar_axes = canvas.axes_at(figure, LEFT + 3 * side + 2 * GAP + 0.08, bottom, 0.09, side)
            bar = figure.colorbar(image, cax=bar_axes)
            bar.set_label(label)
            bar.locator = MaxNLocator(4)
            bar.update_ticks()
            bar.outline.set_visible(False)
    return figure


def _scale(matrices: list[np.ndarray]) -> tuple[float, float]:
    values = np.concatenate([matrix.ravel() for matrix in matrices]).astype(float)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    # One value alone has no scale; its colour then says nothing.
    return (low, high) if low < high else (low - 0.5, high + 0.5)
