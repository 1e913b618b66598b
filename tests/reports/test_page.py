from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reports
from reports import content, names, numbers

VOID = {"meta", "link", "img", "input", "br", "hr", "wbr"}
HOSTILE = "<script>alert('1')</script>\"&{{ 7*7 }}/../$x"


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


def parse(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    page.close()
    assert page.open == []
    return page


@pytest.fixture(scope="module")
def built(make: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Page:
    folder = tmp_path_factory.mktemp("report")
    runs = [
        make(folder / "nb201", names=["snip", "zen"], cells=12, targets=["analog-nasbench:baseline"]),
        make(folder / "s0", names=["snip", "zen"], cells=12, seeds=3, undefined_share=0.2),
    ]
    return parse(reports.build(runs, folder)[0])


def test_build_returns_the_files_that_it_wrote(run: Callable[..., Any], tmp_path: Path) -> None:
    results = run("s0", names=["snip"], cells=5)
    paths = reports.build([results], tmp_path / "out")
    assert paths[0] == tmp_path / "out" / "report.html"
    assert {path.name for path in paths[1:]} == {path.name for path in (results.folder / "figures").iterdir()}
    assert {path.suffix for path in paths[1:]} == {".png", ".pdf", ".csv"}
    assert len(paths) == 1 + 3 * 2


def test_the_page_loads_nothing_from_elsewhere(built: Page) -> None:
    for tag, attributes in built.elements:
        for name in ("src", "srcset", "data", "poster", "action"):
            assert (attributes.get(name) or "data:").startswith("data:")
        if tag != "a":
            assert (attributes.get("href") or "data:").startswith("data:")
    addresses = {attributes["href"] for attributes in built.all("a")}
    assert "https://arxiv.org/abs/2303.15678" in addresses
    policy = next(meta for meta in built.all("meta") if meta.get("http-equiv"))
    assert "default-src 'none'" in (policy["content"] or "")


def test_the_page_is_semantic_and_can_be_read_without_a_mouse(built: Page) -> None:
    assert built.all("html")[0]["lang"] == "en"
    assert [len(built.all(tag)) for tag in ("h1", "main", "header")] == [1, 1, 1]
    identifiers = [attributes["id"] for _, attributes in built.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    for _, attributes in built.elements:
        for name in ("aria-labelledby", "aria-describedby"):
            assert attributes.get(name) in [None, *identifiers]
    for attributes in built.all("a"):
        address = attributes["href"] or ""
        assert not address.startswith("#") or address[1:] in identifiers
    scrolling = [attributes for attributes in built.all("div") if attributes.get("class") == "scroll"]
    assert len(scrolling) == len(built.all("table"))
    assert all(attributes["tabindex"] == "0" for attributes in scrolling)
    assert all(attributes["alt"] and attributes["width"] for attributes in built.all("img"))
    assert all(attributes.get("scope") for attributes in built.all("th"))


def test_sample_settings_command_and_sources_are_stated(built: Page) -> None:
    for words in (
        "diswot evaluate --space s0 --images cifar100",
        "12 cells, 3 seeds; cifar100 images, batch of 64, teacher resnet56",
        "the features are constant",
        "versions.torch 2.7.1",
        "Dong, Li and Wei, DisWOT, CVPR 2023",
        "Lee et al., SNIP, ICLR 2019",
    ):
        assert words in built.text.replace("versions.torch2.7.1", "versions.torch 2.7.1")


def test_numbers_that_are_not_defined_are_a_dash_with_a_reason(run: Callable[..., Any], tmp_path: Path) -> None:
    page = parse(reports.build([run(names=["snip"], cells=5, undefined_share=1)], tmp_path)[0])
    assert {"title": "not defined"} in page.all("span")
    assert "—" in page.text
    assert "nan" not in page.text.lower().split()
    assert "no correlation is defined" in page.text


def test_hostile_names_and_causes_stay_text(run: Callable[..., Any], tmp_path: Path) -> None:
    runs = [
        run(folder, names=[HOSTILE], cells=6, undefined_share=share, cause=HOSTILE)
        for folder, share in (("one", 0.0), ("two", 1.0))
    ]
    paths = reports.build(runs, tmp_path)
    page = parse(paths[0])
    assert len(page.all("script")) == 1
    assert page.text.count(" ".join(HOSTILE.split())) >= 8
    assert all(path.parent.name == "figures" and path.is_relative_to(tmp_path) for path in paths[1:])


def test_equal_results_give_equal_bytes(run: Callable[..., Any], tmp_path: Path) -> None:
    def contents() -> list[bytes]:
        return [path.read_bytes() for path in reports.build([run(names=["snip"], cells=8, seeds=2)], tmp_path)]

    assert contents() == contents()


def test_a_run_without_correlations_gives_a_sentence(run: Callable[..., Any], tmp_path: Path) -> None:
    results = run(names=["snip"], cells=5)
    object.__setattr__(results, "correlations", results.correlations.iloc[:0])
    paths = reports.build([results], tmp_path)
    assert len(paths) == 1
    assert "no scored cell has an accuracy" in parse(paths[0]).text


def test_a_run_without_anything_gives_a_page(run: Callable[..., Any], tmp_path: Path) -> None:
    results = run(names=["snip"], cells=5)
    for name in ("scores", "correlations", "targets", "proxies"):
        object.__setattr__(results, name, getattr(results, name).iloc[:0])
    object.__setattr__(results, "info", {})
    object.__setattr__(results, "cards", {})
    assert "Every score is defined" in parse(reports.build([results], tmp_path)[0]).text


def test_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one run"):
        reports.build([], tmp_path)


def test_problems_are_counted_by_proxy_and_cause(run: Callable[..., Any]) -> None:
    results = run(names=["snip", "zen"], cells=4, seeds=2)
    scores = results.scores
    scores.loc[(scores["proxy"] == "zen") & (scores["cell"] < 2), ["status", "cause"]] = ["undefined", "flat"]
    scores.loc[(scores["proxy"] == "snip") & (scores["cell"] == 3), ["status", "cause"]] = ["failed", None]
    assert content.problem_rows(results) == [
        {"proxy": "snip", "status": "failed", "cause": "no cause was stored", "units": 2, "cells": 1, "example": 3},
        {"proxy": "zen", "status": "not defined", "cause": "flat", "units": 4, "cells": 2, "example": 0},
    ]


def test_correlations_defined_for_some_seeds_say_so(run: Callable[..., Any], tmp_path: Path) -> None:
    results = run(names=["snip"], cells=8, seeds=3)
    results.correlations.loc[0, "spearman"] = np.nan
    assert "(2 of 3 seeds)" in parse(reports.build([results], tmp_path)[0]).text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see https://a.org/b.", 'see <a href="https://a.org/b" rel="noreferrer">https://a.org/b</a>.'),
        ("javascript:alert(1) <b>", "javascript:alert(1) &lt;b&gt;"),
        ('https://a.org/"onclick=x', '<a href="https://a.org/" rel="noreferrer">https://a.org/</a>&#34;onclick=x'),
    ],
)
def test_only_web_addresses_become_links(text: str, expected: str) -> None:
    assert content.linked(text) == expected


def test_numbers_are_written_alike() -> None:
    assert numbers.decimal(-0.12345) == "\N{MINUS SIGN}0.123"
    assert numbers.decimal(-0.0001) == "0.000"
    assert numbers.with_deviation(0.5, float("nan")) == "0.500"
    assert numbers.with_deviation(float("nan"), 0.1) == "not defined"
    assert numbers.counted(15625, "cell") == "15,625 cells"


def test_different_names_have_different_files() -> None:
    given = ["a b", "a-b", "a/b", "a?b", "x" * 200, "x" * 201, "", "."]
    stems = [names.stem("scatter", name) for name in given]
    assert len(set(stems)) == len(stems)
    assert all(stem and "/" not in stem and len(stem) < 100 for stem in stems)


def test_importing_reports_is_light() -> None:
    code = "import sys, reports; print([m for m in ('matplotlib', 'pandas', 'jinja2', 'torch') if m in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
