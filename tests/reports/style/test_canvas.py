from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from diswot.harness.runs.results import Results
from diswot.reports.figures import (
    bars,
)
from diswot.reports.figures.drawing import Drawing
from diswot.reports.style import canvas


def only(drawings: list[Drawing]) -> Drawing:
    (drawing,) = drawings
    return drawing


def test_a_failed_save_leaves_nothing_behind(run: Callable[..., Results], tmp_path: Path) -> None:
    drawing = only(bars.drawings(run()))
    folder = tmp_path / "figures"
    (folder / "bars.png").mkdir(parents=True)
    with pytest.raises(OSError, match=r"bars\.png"):
        canvas.save(drawing.figure, folder, "bars", drawing.data)
    assert [path.name for path in folder.iterdir()] == ["bars.png"]


def test_drawing_leaves_global_settings_alone(run: Callable[..., Results]) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    canvas.content(only(bars.drawings(run())).figure, "png", dpi=50)
    assert dict(matplotlib.rcParams) == before
