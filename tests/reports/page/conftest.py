"""What tests of the page share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from matplotlib.figure import Figure

from diswot.reports.style import canvas


@pytest.fixture(scope="module", autouse=True)
def _empty_pdf() -> Iterator[None]:
    """The page links to PDF files and never reads one; their fonts would take half of a figure's time."""
    content = canvas.content

    def quick(figure: Figure, ending: str, **options: object) -> bytes:
        return b"%PDF-1.4" if ending == "pdf" else content(figure, ending, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(canvas, "content", quick)
        yield
