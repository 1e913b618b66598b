"""The notebook in docs runs, cell after cell, and gives the outputs that are stored in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).resolve().parents[1] / "docs" / "notebook.ipynb"


def texts(notebook: Any) -> list[list[str]]:
    """What each code cell puts out, as text; figures and streams apart."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [
        [output.data["text/plain"] for output in cell.outputs if output.output_type == "execute_result"]
        for cell in cells
    ]


def test_notebook_gives_its_stored_outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.setenv("DISWOT_CACHE", str(tmp_path / "cache"))  # a table that was fetched would be a target, too
    stored = nbformat.read(NOTEBOOK, as_version=4)
    executed = nbformat.read(NOTEBOOK, as_version=4)
    monkeypatch.delenv("MPLBACKEND", raising=False)  # another test's; the kernel shows figures by its own
    NotebookClient(executed, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert texts(executed) == texts(stored)
    assert any("image/png" in output.get("data", {}) for cell in executed.cells for output in cell.get("outputs", []))
    assert (tmp_path / "bars.pdf").stat().st_size
