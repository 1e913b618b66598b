"""A finding is a page with one figure, a table and a command, and the index lists it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FINDINGS = Path(__file__).parents[1] / "docs" / "findings"
PAGES = sorted(page for page in FINDINGS.glob("*.md") if page.name != "index.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_finding_has_one_figure_a_table_and_a_command(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    (figure,) = re.findall(r"^!\[[^\]]+\]\(([^)]+)\)$", text, flags=re.MULTILINE)
    assert (FINDINGS / figure).is_file()
    assert re.search(r"^\|-", text, flags=re.MULTILINE)
    assert re.search(r"^```sh\n(diswot|python) ", text, flags=re.MULTILINE)


def test_index_lists_every_finding_by_its_title() -> None:
    titles = {page.name: page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ") for page in PAGES}
    index = (FINDINGS / "index.md").read_text(encoding="utf-8")
    assert {page: title for title, page in re.findall(r"^\| \[(.+?)\]\((.+?)\) \|", index, re.MULTILINE)} == titles
