from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from diswot.benchmarks.spaces import nb201
from diswot.harness.runs import stored_search
from diswot.harness.runs.results import Results
from diswot.harness.runs.stored_search import Search
from diswot.reports.figures import cells, gallery, search_accuracy, search_cells, search_curves, search_teachers
from diswot.reports.figures.kinds import KINDS
from diswot.reports.page import search_content
from diswot.reports.page.search_findings import findings
from diswot.reports.searches import drivers
from diswot.reports.style import canvas, scales, wording

OF_SEARCH = [name for name, kind in KINDS.items() if kind.of_search]
TARGET = "nb201-kd:distilled"
EIGHT = ("diswot", "diswot_semantic", "diswot_relation", "flops", "synflow", "nwot", "kd", "a_vote")
LONG = [f"a_driver_whose_name_goes_on_and_on_{number}_until_$x^2$ nothing_fits" for number in range(11)]
CASES: dict[str, dict[str, Any]] = {
    "one driver": {},
    "eight drivers, three teachers": {"drivers": EIGHT, "teachers": ("resnet20", "resnet32", "resnet56")},
    "s0, live": {
        **{"space": "s0", "drivers": EIGHT[:3], "teachers": ("resnet20", "resnet56"), "scores": "live"},
        **{"targets": ("s0-diswot:distilled", "s0-diswot:vanilla"), "evaluations": 20},
    },
    "no accuracies": {"drivers": EIGHT[:2], "known_share": 0.0, "seconds": False},
    "some accuracies": {"drivers": EIGHT[:4], "known_share": 0.6},
    "one search": {"drivers": EIGHT[:2], "searches": 1, "winner": False},
    "one evaluation": {"drivers": EIGHT[:5], "evaluations": 1},
    "no targets": {"targets": (), "winner": False, "drivers": EIGHT[:3]},
    "long names": {
        **{"drivers": LONG, "teachers": [f"a teacher with a long name, {number}" for number in range(6)]},
        **{"targets": [f"table-with-a-long-name-{number}:the accuracy after_training" for number in range(5)]},
        **{"searches": 3, "evaluations": 12},
    },
}


def nothing_known(search: Search) -> Search:
    """Return the search with every number that may be missing missing."""
    numeric = {"mean", "deviation", "low", "high", "seconds", "score", "params", "flops", "found_at", "spearman"}
    numeric |= {"same_pick", "searches", "picks", "evaluations", "known", *search.summary.columns[9:]}
    tables = {}
    for name in ("curves", "picks", "summary", "teachers"):
        frame: pd.DataFrame = getattr(search, name).copy()
        for column in numeric & set(frame):
            frame[column] = np.nan
        tables[name] = frame
    info = search.info | {"options": {}, "machine": None, "trainings": {}, "cells": None, "commands": []}
    return replace(
        search, info=info | {"winner": dict.fromkeys(search.info["winner"]) | {"driver": "diswot"}}, **tables
    )


@pytest.fixture(scope="module")
def case(
    make: Callable[..., Results], searched: Callable[..., Search], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Results]:
    @cache
    def made(name: str) -> Results:
        if name == "nothing known":
            search = nothing_known(searched(drivers=EIGHT[:3], teachers=("resnet20", "resnet56")))
        elif name == "empty tables":
            search = searched()
            empty = {table: getattr(search, table).iloc[:0] for table in ("curves", "picks", "summary", "teachers")}
            search = replace(search, **empty)
        else:
            search = searched(**CASES[name])
        return replace(make(tmp_path_factory.mktemp("run")), search=search)

    return made


def of(results: Results) -> Search:
    assert results.search is not None
    return results.search


def searched_only(results: Results) -> Results:
    """Return the run as one that was made by its search alone."""
    empty = {
        name: getattr(results, name).iloc[:0] for name in ("scores", "correlations", "evidence", "targets", "proxies")
    }
    return replace(results, cards={}, method={}, **empty)


def column(table: Any, label: str) -> list[str]:
    place = [one.label for one in table.columns].index(label)
    return [cell if isinstance(cell, str) else cell.text for cell in (row[place] for row in table.rows)]


@pytest.mark.parametrize("name", [*CASES, "nothing known", "empty tables"])
@pytest.mark.parametrize("kind", OF_SEARCH)
def test_every_kind_of_figure_is_legible(
    case: Callable[[str], Results], kind: str, name: str, legible: Callable[[Figure], None]
) -> None:
    drawings = KINDS[kind].draw(case(name))
    for drawing in drawings:
        legible(drawing.figure)
        assert len(drawing.data)
        assert "nan" not in drawing.caption
    assert len({drawing.stem for drawing in drawings}) == len(drawings)


@pytest.mark.parametrize("kind", OF_SEARCH)
def test_every_kind_is_drawn_and_saved_the_same_twice(
    case: Callable[[str], Results], kind: str, tmp_path: Path
) -> None:
    results = case("eight drivers, three teachers")
    drawing, again = KINDS[kind].draw(results)[0], KINDS[kind].draw(results)[0]
    assert "12 searches, 60 evaluations each out of 600 cells; cifar100 images, batch of 64" in drawing.caption
    first = canvas.save(drawing.figure, tmp_path / "one", drawing.stem, drawing.data)
    second = canvas.save(again.figure, tmp_path / "two", again.stem, again.data)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert b"/Type3" not in first[1].read_bytes()
    assert len(pd.read_csv(io.BytesIO(first[3].read_bytes()))) == len(drawing.data)


def test_what_is_drawn_and_said_is_the_same_of_a_stored_search(case: Callable[[str], Results], tmp_path: Path) -> None:
    results = case("some accuracies")
    stored_search.write(tmp_path, of(results))
    read = stored_search.read(tmp_path)
    assert read is not None
    again = replace(results, search=read)
    assert search_content.section(again) == search_content.section(results)
    for kind in OF_SEARCH:
        for one, other in zip(KINDS[kind].draw(results), KINDS[kind].draw(again), strict=True):
            first, second = (canvas.content(drawing.figure, "png", dpi=50) for drawing in (one, other))
            assert first == second
            assert one.caption == other.caption


def test_a_run_made_by_a_search_alone_has_the_figures_of_the_search(
    case: Callable[[str], Results], tmp_path: Path
) -> None:
    alone = searched_only(case("one driver"))
    groups, paths = gallery.draw(alone, tmp_path)
    assert [group.name for group in groups] == ["search", "search-accuracy", "search-cells"]
    assert all(group.of_search for group in groups)
    assert all(path.is_file() for path in paths)
    assert gallery.draw(replace(alone, search=None), tmp_path) == ((), [])


def test_the_winner_comes_first_and_the_others_by_their_accuracy(searched: Callable[..., Search]) -> None:
    search = searched(drivers=("a", "b", "c", "d"))
    evolution = (search.summary["algorithm"] == "evolution") & (search.summary["target"] == TARGET)
    search.summary.loc[evolution, "accuracy"] = [91.0, np.nan, 93.0, 92.0]
    assert drivers(search) == ["a", "c", "d", "b"]
    search.info["winner"]["driver"] = "b"
    assert drivers(search) == ["b", "c", "d", "a"]
    search.info["winner"] = None
    assert drivers(search) == ["a", "c", "d", "b"]  # the first asked for, whatever the accuracies


def test_of_many_drivers_some_are_left_out_and_counted(case: Callable[[str], Results]) -> None:
    results = case("long names")
    [scores] = search_curves.drawings(results)
    assert scores.data["driver"].nunique() == search_curves.MOST
    assert "2 drivers left out" in scores.caption
    accuracies = search_accuracy.drawings(results)
    assert len(accuracies) == search_accuracy.MOST_TARGETS
    assert "4 drivers left out" in accuracies[0].caption


def test_panels_show_the_best_of_all_cells_and_say_when_lower_is_better(searched: Callable[..., Search]) -> None:
    search = searched(drivers=("a",))
    search.info["drivers"][0]["direction"] = "lower"
    data = search_curves.score_data(search)
    best = search.picks.loc[search.picks["algorithm"] == "exhaustive", "score"].item()
    assert set(data["best"]) == {best}
    assert set(data["algorithm"]) == {"evolution", "random"}
    assert (data["mean"] <= best).all()


def test_curves_that_few_searches_know_are_left_out(searched: Callable[..., Search]) -> None:
    search = searched(drivers=("a", "b"), searches=10)
    mine = (search.curves["quantity"] == TARGET) & (search.curves["driver"] == "a")
    search.curves.loc[mine & (search.curves["algorithm"] == "evolution"), "searches"] = 4
    assert set(search_accuracy.accuracy_data(search, TARGET)["driver"]) == {"b"}
    search.curves.loc[search.curves["quantity"] == TARGET, "searches"] = 4
    assert search_accuracy.accuracy_data(search, TARGET).empty


def test_seconds_have_an_axis_where_they_are_known(case: Callable[[str], Results]) -> None:
    known, unknown = case("one driver"), case("eight drivers, three teachers")
    assert len(search_accuracy.drawings(known)[0].figure.axes) == 2
    without = replace(of(unknown), curves=of(unknown).curves.assign(seconds=np.nan))
    drawing = search_accuracy.drawings(replace(unknown, search=without))[0]
    assert len(drawing.figure.axes) == 1
    assert "seconds" not in drawing.caption


def test_final_cells_are_drawn_once_with_all_who_pick_them(searched: Callable[..., Search]) -> None:
    search = searched(drivers=("a", "b"), searches=4)
    evolution = search.picks["algorithm"] == "evolution"
    search.picks.loc[evolution, "cell"] = [7, 7, 7, 9, 9, 9, 7, 7]
    search.picks.loc[search.picks["algorithm"] == "exhaustive", "cell"] = [3, 9]
    search.picks.loc[search.picks["algorithm"] == "oracle", "cell"] = [7, 11]
    found = {int(pick.row["cell"]): pick for pick in search_cells.final_cells(search)}
    assert sorted(found) == [3, 7, 9, 11]
    assert found[7].evolution["a"] == 0.75
    assert found[7].evolution["b"] == 0.5  # as frequent as 9, and lower
    assert found[7].oracle == [TARGET]
    assert (found[3].best, found[9].best) == (["a"], ["b"])


def test_final_cells_show_the_same_accuracies_wherever_they_are_known(searched: Callable[..., Search]) -> None:
    targets = ("nb201-kd:distilled", "nb201-kd:vanilla", "analog-nasbench:baseline", "nb201:cifar10-valid-test")
    search = searched(drivers=("a", "b"), searches=4, targets=(*targets, "nb201:cifar100-test"))
    every, some = {}, {}
    for number, target in enumerate((*targets, "nb201:cifar100-test")):
        every[target] = 90.0 + number
        some[target] = every[target] if number > 1 else float("nan")
    for row in (every, some):
        _, facts = search_cells._lines(search_cells.Pick({"params": 1, "flops": 1} | row), search, 3.0)
        assert "cifar100-test 94.00" in " ".join(facts)


def test_of_cells_that_tie_for_the_best_score_one_that_is_there_is_taken(searched: Callable[..., Search]) -> None:
    search = searched(drivers=("a",), searches=2)
    best = search.picks[search.picks["algorithm"] == "exhaustive"].iloc[0].to_dict()
    search.picks.loc[search.picks["algorithm"] == "evolution", "cell"] = 500
    tied = pd.DataFrame([best | {"cell": cell} for cell in (400, 500)])
    found = search_cells.final_cells(replace(search, picks=pd.concat([search.picks, tied], ignore_index=True)))
    assert next(pick for pick in found if pick.row["cell"] == 500).best == ["a"]
    assert all(pick.row["cell"] != 400 for pick in found)


@pytest.mark.parametrize("operations", [["none"] * 6, ["nor_conv_3x3"] * 6, ["skip_connect"] * 3 + ["none"] * 3])
def test_a_cell_has_an_arrow_and_a_word_for_every_edge_that_is_not_none(operations: list[str]) -> None:
    cell = nb201.Cell(tuple(operations))
    with canvas.style():
        _, (axes,) = canvas.sheet(3, 2)
        cells.draw(axes, "nb201", cell.index, 0, 0, 2.2, 1.08)
    written = [text.get_text() for text in axes.texts]
    edges = [cells.OPERATIONS[operation][0] for operation in operations if operation != "none"]
    assert sorted(written) == sorted([*edges, "0", "1", "2", "3"])
    assert len(axes.patches) == 4 + len(edges)
    dead = [patch for patch in axes.patches if patch.get_linestyle() not in ("solid", "-")]
    assert len(dead) == len(edges) - sum(cell.live_edges)


def test_teachers_are_compared_where_there_are_two(case: Callable[[str], Results]) -> None:
    assert search_teachers.drawings(case("one driver")) == []
    found = search_teachers.drawings(case("eight drivers, three teachers"))
    assert found[0].stem == "search-teachers"
    assert found[0].data["pair"].nunique() == 3
    assert found[1].data["teacher"].nunique() == 3
    many = search_teachers.pair_data(of(case("long names")))
    assert many["pair"].nunique() == 5
    assert set(many["teacher"]) == {"a teacher with a long name, 0"}


def test_the_findings_say_how_the_winner_was_chosen_and_judged(searched: Callable[..., Search]) -> None:
    found = dict(findings(searched()))
    assert found["Winner"] == (
        "diswot ranks best with nb201-kd:distilled on 300 cells, one half of those that have an accuracy: Spearman "
        "correlation 0.810. The second, kd, is 0.012 behind, which is not significant (p = 0.340). On the other 300 "
        "cells, which had no part in the choice, its correlation is 0.790 [0.740, 0.830]."
    )
    assert "Winner" not in dict(findings(searched(winner=False)))


def test_the_findings_compare_seconds_only_with_both_machines(searched: Callable[..., Search]) -> None:
    search = searched()
    said = dict(findings(search))[TARGET]
    assert "80 trainings on average" in said
    assert "20 h at 15 min each (nb201-kd, median on 2 threads of an Epyc 7B13)" in said
    assert "a search by diswot takes 24 s (costs.csv: each proxy computed alone" in said
    assert "The ratio, 3,000, belongs to these two measurements alone." in said
    search.info["trainings"][TARGET]["source"] = ""
    assert "ratio" not in dict(findings(search))[TARGET]
    search.info["trainings"] = {}
    assert "trainings" not in dict(findings(search))[TARGET]


def test_the_findings_count_the_searches_whose_pick_is_known(searched: Callable[..., Search]) -> None:
    search = searched(drivers=("a",), searches=10)
    row = (search.summary["algorithm"] == "evolution") & (search.summary["target"] == TARGET)
    search.summary.loc[row, ["known", "accuracy", "accuracy_low", "accuracy_high"]] = [7, 93.0, 92.5, 93.5]
    said = dict(findings(search))[TARGET]
    assert said.startswith(
        "Evolution driven by a ends at 93.000 [92.500, 93.500] % (7 of 10 searches whose pick has an accuracy)"
    )
    search.summary["accuracy"] = np.nan
    assert dict(findings(search))[TARGET] == "no search with evolution ends with a cell that has an accuracy."


def test_the_findings_say_whether_the_teacher_matters(searched: Callable[..., Search]) -> None:
    search = searched(drivers=("diswot", "flops"), teachers=("resnet20", "resnet56"))
    search.teachers["spearman"] = [0.5, 1.0]
    search.summary[["accuracy", "accuracy_low", "accuracy_high"]] = [93.0, 92.0, 94.0]
    assert dict(findings(search))["Other teachers"] == (
        "Beside 2 teachers, flops scores every cell alike. The scores of diswot correlate at 0.500 (Spearman) between "
        "teachers; 25 % of the searches with equal seeds end with the same pick. For no driver and target do the "
        "intervals of the picks' accuracies beside two teachers lie apart."
    )
    better = (search.summary["teacher"] == "resnet56") & (search.summary["driver"] == "diswot")
    search.summary.loc[better, ["accuracy", "accuracy_low", "accuracy_high"]] = [96.0, 95.0, 97.0]
    assert (
        "is 3.000 points of nb201-kd:distilled: diswot, resnet56 above resnet20."
        in (dict(findings(search))["Other teachers"])
    )


def test_the_summary_has_a_row_for_every_driver_algorithm_and_target(case: Callable[[str], Results]) -> None:
    search = of(case("eight drivers, three teachers"))
    table = search_content.summary_table(search)
    assert len(table.rows) == len(search.summary)
    assert column(table, "Teacher")[:2] == ["resnet20"] * 2
    assert column(table, "Driver")[0] == "diswot"
    assert {"12 of 12"} == set(column(table, "Picks known"))
    table = search_content.summary_table(of(case("one driver")))
    assert "Teacher" not in [one.label for one in table.columns]


def test_the_table_of_picks_counts_equal_ones_and_stays_short(searched: Callable[..., Search]) -> None:
    search = searched(drivers=("a",), searches=8, targets=(TARGET,))
    search.picks.loc[search.picks["algorithm"] == "evolution", "cell"] = [5, 5, 5, 4, 4, 3, 2, 1]
    search.picks.loc[search.picks["algorithm"] == "random", "cell"] = 9
    table = search_content.pick_table(search)
    assert column(table, "Cell")[:4] == ["5", "4", "1", "9"]
    assert column(table, "Searches")[:4] == ["3", "2", "1", "8"]
    assert column(table, "Share %")[:4] == ["37.5", "25.0", "12.5", "100.0"]
    assert column(table, "Algorithm")[4:] == ["best of all cells", "oracle"]
    assert column(table, "Driver")[-1] == search_content.ORACLE
    assert "2 more rows" in search_content.picks_left_out(search)
    search.picks.loc[search.picks["algorithm"] == "evolution", "cell"] = 5
    assert search_content.picks_left_out(search) == ""


def test_the_section_survives_what_is_not_there(case: Callable[[str], Results]) -> None:
    for name in ("nothing known", "empty tables", "no accuracies", "one search", "no targets"):
        section = search_content.section(case(name))
        assert section is not None
        words = " ".join(sentence for _, sentence in section["findings"])
        assert not {"nan", "None", "inf"} & set(words.replace("(", " ").replace(",", " ").split())
    assert search_content.section(replace(case("one driver"), search=None)) is None


@pytest.mark.parametrize(
    ("values", "kind", "labels", "word"),
    [
        ([1.0, 2.0, 3.0], "linear", ("1", "2", "3"), ""),
        ([3e8, 4.2e8], "linear", ("300", "350", "400"), " / 10⁶"),
        ([1e-7, 3e-7], "linear", ("100", "200", "300"), " / 10⁻⁹"),
        ([1e2, 1e9], "log", ("10²", "10⁴", "10⁶", "10⁸"), ""),
        ([0.1, 100.0], "log", ("0.1", "1", "10", "100"), ""),
        ([-1e4, -1.0], "log", ("\N{MINUS SIGN}10⁴", "\N{MINUS SIGN}10²", "\N{MINUS SIGN}1"), ""),
        ([-1e9, -1.0, 0.5, 1.0, 1e6], "symlog", (), ""),
        ([5.0], "linear", (), ""),
        ([np.nan, np.inf], "linear", (), ""),
        ([-1e308, 1e308, 0.0], "linear", (), " / 10³⁰⁶"),
        ([5e-324, 1e308], "log", (), ""),
        ([-1e308, 5e-324, 1e-320, 1e-310], "symlog", (), ""),
    ],
)
def test_scales_fit_numbers_of_any_size(values: list[float], kind: str, labels: tuple[str, ...], word: str) -> None:
    scale = scales.fitting(np.array(values))
    assert (scale.kind, scale.word) == (kind, word)
    if labels:
        assert scale.labels == labels
    shown = scale.shown(np.sort([value for value in values if np.isfinite(value)]))
    assert ((shown > scale.low) & (shown < scale.high)).all()
    assert (np.diff(shown) >= 0).all()
    assert all(scale.low <= tick <= scale.high for tick in scale.ticks)
    assert np.isnan(scale.shown(np.array([np.nan]))).all()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0123, "0.0123 s"), (90.0, "90 s"), (600.0, "10 min"), (36000.0, "10 h"), (864000.0, "10 days")],
)
def test_durations_are_written_in_the_unit_that_suits_them(seconds: float, text: str) -> None:
    assert wording.duration(seconds) == text
    assert wording.duration(float("nan")) == "not defined"
    assert wording.rough(1234567.8) == "1,234,568"
    assert wording.rough(-0.00012345) == "\N{MINUS SIGN}0.000123"
