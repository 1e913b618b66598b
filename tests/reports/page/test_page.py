from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from diswot import reports
from diswot.harness.runs.results import Answered
from diswot.reports.page import board, content, page, tables

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


def rendered(*results: Any) -> Page:
    """Return the page without figures, which take long to draw."""
    found = Page()
    found.feed(page.render([page.Section(one, ()) for one in results]))
    found.close()
    assert found.open == []
    return found


def scripts(page: Page) -> int:
    """Return how many elements hold code; the explorer's data are none."""
    return sum(attributes.get("type") != "application/json" for attributes in page.all("script"))


def with_subset(results: Any, name: str, cells: int) -> Any:
    """Add a subset to the evidence that looks like all cells."""
    everything = results.evidence[results.evidence["subset"] == "all"]
    part = everything.assign(subset=name, n=cells, n_functions=cells)
    return replace(results, evidence=pd.concat([results.evidence, part], ignore_index=True))


def without(results: Any, *frames: str) -> Any:
    return replace(results, **{name: getattr(results, name).iloc[:0] for name in frames})


def texts(table: tables.Table, row: int) -> list[str]:
    return [cell if isinstance(cell, str) else cell.text for cell in table.rows[row]]


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
    paths = reports.build([results], tmp_path / "out", figures=["bars", "scatters"])
    assert paths[0] == tmp_path / "out" / "report.html"
    figures = tmp_path / "out" / results.folder.name / "figures"  # the page is not in the run's folder
    assert {path.name for path in paths[1:]} == {path.name for path in figures.iterdir()}
    assert {path.suffix for path in paths[1:]} == {".png", ".pdf", ".svg", ".csv"}


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
        assert not address.startswith("#") or address[1:].partition(";")[0] in identifiers
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
    found = parse(reports.build([run(names=["snip"], cells=5, undefined_share=1)], tmp_path)[0])
    assert {"title": "not defined"} in found.all("span")
    assert "—" in found.text
    assert "nan" not in found.text.lower().split()
    assert "no correlation is defined" in found.text


def test_hostile_names_and_causes_stay_text(run: Callable[..., Any], tmp_path: Path) -> None:
    runs = [
        run(folder, names=[HOSTILE], cells=6, undefined_share=share, cause=HOSTILE)
        for folder, share in (("one", 0.0), ("two", 1.0))
    ]
    paths = reports.build(runs, tmp_path)
    page = parse(paths[0])
    assert scripts(page) == 1
    assert page.text.count(" ".join(HOSTILE.split())) >= 8
    assert all(path.parent.name == "figures" and path.is_relative_to(tmp_path) for path in paths[1:])


def test_build_writes_the_page_of_a_table_whose_name_is_no_utf8(run: Callable[..., Any], tmp_path: Path) -> None:
    results = run(names=["snip"], cells=8, seeds=2)
    results = replace(results, method=results.method.model_copy(update={"targets": ["Pr\udcfcfung.csv:a"]}))
    page = reports.build([results], tmp_path, figures=["bars"])[0]
    assert "Pr\\udcfcfung.csv:a" in page.read_text(encoding="utf-8")


def test_equal_results_give_equal_bytes(run: Callable[..., Any], tmp_path: Path) -> None:
    # That every kind of figure is saved the same twice is a test of its own.
    def contents() -> list[bytes]:
        results = [run(names=["snip"], cells=8, seeds=2)]
        return [path.read_bytes() for path in reports.build(results, tmp_path, figures=["bars", "scatters"])]

    assert contents() == contents()


def test_a_run_without_correlations_gives_a_sentence(run: Callable[..., Any], tmp_path: Path) -> None:
    paths = reports.build([without(run(names=["snip"], cells=5), "correlations", "evidence")], tmp_path)
    assert len(paths) == 1
    assert "no scored cell has an accuracy" in parse(paths[0]).text


def test_a_run_without_anything_gives_a_page(run: Callable[..., Any], tmp_path: Path) -> None:
    bare = without(run(names=["snip"], cells=5), "scores", "correlations", "evidence", "targets", "proxies")
    paths = reports.build([replace(bare, cards={})], tmp_path)
    assert "Every score is defined" in parse(paths[0]).text


@pytest.mark.parametrize(
    "changes",
    [
        {"cells": 1},
        {"cells": 3, "seeds": 2},
        {"names": ["snip", "zen"], "undefined_share": 1},
        {"names": ["snip", "zen"], "constant": True},
    ],
)
def test_poor_runs_give_a_sensible_page(run: Callable[..., Any], changes: dict[str, Any]) -> None:
    words = rendered(run(**changes)).text
    assert "s0-diswot:distilled:" in words
    assert not {"nan", "none", "inf"} & set(words.lower().replace("[", " ").replace("]", " ").split())


def test_the_search_has_a_section_with_its_own_figures(
    run: Callable[..., Any], searched: Callable[..., Any], tmp_path: Path
) -> None:
    search = searched(drivers=("diswot", "flops"), teachers=("resnet20", "resnet56"))
    results = replace(run(names=["snip"], cells=5), search=search)
    found = parse(reports.build([results], tmp_path, ("bars", "search", "search-teachers"))[0])
    identifiers = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    order = ["run-1-overview", "run-1-proxies", "run-1-search", "run-1-table-search-summary", "run-1-methods"]
    assert [name for name in identifiers if name in order] == order
    assert "run-1-search" in [(attributes["href"] or "")[1:] for attributes in found.all("a")]
    for words in (
        "diswot ranks best with nb201-kd:distilled on 300 cells",
        "12 searches, 60 evaluations each out of 600 cells; cifar100 images, batch of 64; for each driver",
        "diswot search runs/nb201 --proxy winner --searches 12",
        "A training for nb201-kd:distilled",
        "15 min: nb201-kd, median on 2 threads of an Epyc 7B13",
        "Epyc 7B13, 2 threads, torch 2.7.1",
    ):
        assert words in found.text


def test_a_run_made_by_its_search_alone_gives_a_page(
    run: Callable[..., Any], searched: Callable[..., Any], tmp_path: Path
) -> None:
    empty = without(run(names=["snip"], cells=5), "scores", "correlations", "evidence", "targets", "proxies")
    bare = replace(empty, cards={}, method=Answered(), search=searched(known_share=0.0, seconds=False, winner=False))
    paths = reports.build([bare], tmp_path)
    words = parse(paths[0]).text
    assert "the scores were made for a search" in words
    assert content.rebuilt_by(bare) == [f"diswot report {bare.folder}"]
    assert "Evolution driven by diswot ends with the best score of all 600 cells" in words
    assert not {"nan", "None", "inf"} & set(words.split())
    assert any(path.name == "search-scores.pdf" for path in paths)


def test_hostile_names_in_a_search_stay_text(run: Callable[..., Any], searched: Callable[..., Any]) -> None:
    search = searched(drivers=(HOSTILE,), teachers=(HOSTILE, "other"), targets=(f"{HOSTILE}:x",))
    found = rendered(replace(run(), search=search))
    assert scripts(found) == 1
    assert found.text.count(" ".join(HOSTILE.split())) >= 8


def test_a_page_of_many_proxies_is_small(make: Callable[..., Any], tmp_path: Path) -> None:
    targets = [f"s0-diswot:{name}" for name in ("distilled", "vanilla", "gain")]
    results = make(tmp_path, names=[f"proxy_{number}" for number in range(40)], cells=20, seeds=3, targets=targets)
    for name in ("connected", "reachable", "live-convolution"):
        results = with_subset(results, name, 19)
    assert len(page.render([page.Section(results, ())])) < 2_000_000


def test_findings_name_the_best_its_interval_and_who_is_not_different(run: Callable[..., Any]) -> None:
    results = run(names=["snip", "zen", "at"], cells=30, seeds=2, targets=["s0-diswot:vanilla"])
    columns = ["best", "spearman", "low", "high", "partial", "partial_low", "partial_high", "ceiling"]
    results.evidence[columns] = ["zen", 0.8, 0.7, 0.9, 0.4, 0.3, 0.5, 0.95]
    results.evidence["not_significantly_different"] = results.evidence["proxy"] != "at"
    [(target, words)] = content.findings(results)
    assert target == "s0-diswot:vanilla"
    assert words == (
        "zen has the highest Spearman correlation, 0.800 [0.700, 0.900] (n = 30, 2 seeds). "
        "Not significantly different from it is 1 of the 2 others: snip. "
        "Controlling for the network's size, its correlation is 0.400 [0.300, 0.500]. "
        "The accuracies differ from one training seed to the next, which lets no proxy correlate much higher than "
        "about 0.950."
    )
    results.evidence["not_significantly_different"] = True
    assert "None of the others is significantly different from it." in content.findings(results)[0][1]
    results.evidence["not_significantly_different"] = False
    assert "All others are significantly worse" in content.findings(results)[0][1]
    results.evidence["gap_to_best_p"] = float("nan")
    assert "A comparison with the others takes 10 functions." in content.findings(results)[0][1]


def test_distilled_is_compared_with_vanilla(run: Callable[..., Any]) -> None:
    results = run(names=["snip", "zen", "at"], cells=30)
    distilled = results.evidence["target"] == "s0-diswot:distilled"
    results.evidence.loc[distilled, "over_vanilla"] = [0.1, -0.2, 0.3]
    results.evidence.loc[distilled, "over_vanilla_low"] = [0.05, -0.3, -0.1]
    results.evidence.loc[distilled, "over_vanilla_high"] = [0.15, -0.1, 0.7]
    about, words = content.findings(results)[-1]
    assert about == "s0-diswot: distilled against vanilla"
    assert "For 2 of 3 proxies" in words
    assert "1 higher, 1 lower" in words
    assert words.endswith("The largest difference is that of at, 0.300 [\N{MINUS SIGN}0.100, 0.700].")
    [(name, table)] = content.distilled_tables(results)
    assert name == "s0-diswot"
    assert [column.label for column in table.columns] == [
        *("Proxy", "Spearman, distilled", "Spearman, vanilla", "Distilled minus vanilla", "Family")
    ]
    assert {row[0]: texts(table, place)[3] for place, row in enumerate(table.rows)} == {
        "snip": "0.100",
        "zen": "\N{MINUS SIGN}0.200",
        "at": "0.300",
    }


def test_gain_stands_with_distilled_and_vanilla(run: Callable[..., Any]) -> None:
    targets = [f"mine:{name}" for name in ("distilled", "vanilla", "gain")]
    [(_, table)] = content.distilled_tables(run(cells=8, targets=targets))
    assert table.columns[4].label == "Spearman, gain"
    assert content.distilled_tables(run(cells=8, targets=targets[1:])) == []


def test_page_has_every_subset(run: Callable[..., Any]) -> None:
    results = run(names=["snip"], cells=12)
    assert content.subset_tables(results) == []
    results = with_subset(replace(results, info=results.info.model_copy(update={"space": "nb201"})), "connected", 9)
    (first, table), (second, _) = content.subset_tables(results)
    assert (first, second) == ("s0-diswot:distilled", "s0-diswot:vanilla")
    assert [column.label for column in table.columns[1:3]] == ["all, n = 12", "connected, n = 9"]
    assert texts(table, 0)[1] == texts(table, 0)[2]
    assert "without the 341 cells" in rendered(results).text


def test_other_metrics_are_explained(built: Page) -> None:
    assert "share of the top 5 % by score that are in the top 5 % by accuracy; higher is better" in built.text


def test_the_commands_make_the_same_again(run: Callable[..., Any]) -> None:
    results = replace(run(cells=5), method=Answered(targets=["s0-diswot:vanilla"]))
    again = f"{results.folder} --target s0-diswot:vanilla"
    assert content.rebuilt_by(results) == [f"diswot correlate {again}", f"diswot report {again}"]
    other = replace(results, method=Answered(targets=["a/b.csv:x"], metric="kendall", undefined="omit"))
    asked = "--target a/b.csv:x --metric kendall --undefined omit"
    assert content.rebuilt_by(other)[0] == f"diswot correlate {results.folder} {asked}"
    assert content.made_by(results) == ["diswot evaluate --space s0 --images cifar100"]
    twice = results.info.model_copy(update={"commands": ["one", "two"], "command": "two"})
    assert content.made_by(replace(results, info=twice)) == ["one", "two"]


def test_undefined_scores_that_were_left_out_are_said_to_be(run: Callable[..., Any]) -> None:
    results = run(names=["snip", "zen"], cells=8, undefined_share=0.5)
    assert "not defined rank worst" in rendered(results).text
    omitted = replace(results, method=results.method.model_copy(update={"undefined": "omit"}))
    assert "not defined are left out" in rendered(omitted).text


def test_ensembles_and_citations_are_named(run: Callable[..., Any]) -> None:
    results = run(names=["synflow", "jacov", "snip"], cells=8)
    assert texts(content.ensemble_table(results), 0)[:2] == ["vote", "synflow, jacov, snip"]
    cited = dict(content.citations(results))
    assert cited["Dong, Li and Wei, DisWOT, CVPR 2023"] == "table s0-diswot"
    assert cited["Lee et al., SNIP, ICLR 2019, https://arxiv.org/abs/1810.02340"] == "jacov, snip, synflow"
    assert any(names == "vote" for names in cited.values())


def test_the_chart_marks_ensembles_whose_members_were_chosen(run: Callable[..., Any]) -> None:
    chart = board.board(run(names=["jacov", "live_flops", "diswot_semantic", "diswot_relation"], cells=9))
    assert chart is not None
    called = {line.proxy: line.called for line in chart.lines}
    assert called["jacov_flops"] == "jacov_flops ‡"
    assert called["diswot_rank"] == "diswot_rank"
    (note,) = chart.notes
    assert note.startswith("‡ an ensemble of proxies; this project chose its members by 200-epoch CIFAR-10 accuracies")


def test_the_partial_correlation_names_its_target_and_what_it_controls_for(run: Callable[..., Any]) -> None:
    heads = [column.label for column in content.correlation_table(run(names=["snip", "zen"], cells=9)).columns]
    assert "Partial, s0-diswot:distilled, controlling for FLOPs" in heads


def test_a_title_does_not_repeat_itself(run: Callable[..., Any]) -> None:
    assert content.title(run("s0-cifar100")) == "s0 · cifar100"
    assert content.title(run("s0")) == "s0 · cifar100"
    assert content.title(run("mine")) == "s0 · cifar100 · mine"


def test_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one run"):
        reports.build([], tmp_path)


def test_problems_are_counted_by_proxy_and_cause(run: Callable[..., Any]) -> None:
    results = run(names=["snip", "zen"], cells=4, seeds=2)
    scores = results.scores
    scores.loc[(scores["proxy"] == "zen") & (scores["cell"] < 114), ["status", "cause"]] = ["undefined", "flat"]
    scores.loc[(scores["proxy"] == "snip") & (scores["cell"] == 117), ["status", "cause"]] = ["failed", None]
    assert [texts(content.problem_table(results), row) for row in range(2)] == [
        ["snip", "failed", "2", "1", "117", "no cause was stored"],
        ["zen", "not defined", "4", "2", "111", "flat"],
    ]


def test_correlations_defined_for_some_seeds_say_so(run: Callable[..., Any]) -> None:
    results = run(names=["snip"], cells=8, seeds=3)
    results.evidence.loc[0, "spearman_seeds"] = 2
    assert "(2 of 3 seeds)" in rendered(results).text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see https://a.org/b.", 'see <a href="https://a.org/b" rel="noreferrer">https://a.org/b</a>.'),
        ("javascript:alert(1) <b>", "javascript:alert(1) &lt;b&gt;"),
        ('https://a.org/"onclick=x', '<a href="https://a.org/" rel="noreferrer">https://a.org/</a>&#34;onclick=x'),
    ],
)
def test_only_web_addresses_become_links(text: str, expected: str) -> None:
    assert tables.linked(text) == expected
