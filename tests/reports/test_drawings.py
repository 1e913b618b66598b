"""Every space that says how its networks are drawn is drawn, in figures and on pages."""

from __future__ import annotations

import re

import pytest

from diswot.benchmarks import spaces
from diswot.benchmarks.spaces import Chain, Graph
from diswot.reports.figures import cells
from diswot.reports.page import cell as page
from diswot.reports.style import canvas

DRAWN = [name for name, space in spaces.SPACES.items() if space.drawing is not None]


@pytest.mark.parametrize("name", DRAWN)
def test_page_form_holds_what_every_cell_shows(name: str) -> None:
    space = spaces.get(name)
    form = re.findall(r'data-place="(\d+)" data-option="([\d ]+)" hidden', page.svg(name))
    for number in list(space.cells)[:: len(space.cells) // 7]:
        shown = re.findall(r'data-place="(\d+)" data-option="([\d ]+)">', page.svg(name, number))
        options = space.encode(number)
        assert shown == [(place, some) for place, some in form if str(options[int(place)]) in some.split()]


@pytest.mark.parametrize("name", DRAWN)
def test_figure_draws_what_the_space_says(name: str) -> None:
    space = spaces.get(name)
    number = space.cells[len(space.cells) // 3]
    with canvas.style():
        _, (axes,) = canvas.sheet(3, 2)
        cells.draw(axes, space, number, 0, 0, 2.2, cells.height(space, number))
    written = [text.get_text() for text in axes.texts]
    if isinstance(space.drawing, Graph):
        assert written[-4:] == ["0", "1", "2", "3"]
    if isinstance(space.drawing, Chain):
        arrows = len(space.drawing.channels) - 1
        assert written == list(map(str, space.drawing.channels))
        assert len(axes.patches) == len(space.drawing.of(space.encode(number))) + arrows


def test_space_without_a_drawing_has_no_drawing() -> None:
    assert page.svg("nowhere") == ""
