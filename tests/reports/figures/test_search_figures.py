from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from diswot.benchmarks import spaces
from diswot.benchmarks.spaces import nb201
from diswot.harness.runs.results import Results
from diswot.harness.runs.stored_search import Search
from diswot.reports.figures import (
    cells,
    gallery,
    search_accuracy,
    search_cells,
    search_curves,
    search_teachers,
)
from diswot.reports.figures.kinds import KINDS
from diswot.reports.style import canvas

SEARCHES = (
    *("one driver", "eight drivers, three teachers", "s0, live", "no accuracies", "some accuracies", "one search"),
    *("one evaluation", "no targets", "long names", "nothing known", "empty tables"),
)
OF_SEARCH = [name for name, kind in KINDS.items() if kind.of_search]


TARGET = "nb201-kd:distilled"


def of(results: Results) -> Search:
    assert results.search is not None
    return results.search


def searched_only(results: Results) -> Results:
    """Return the run as one that was made by its search alone."""
    empty = {
        name: getattr(results, name).iloc[:0] for name in ("scores", "correlations", "evidence", "targets", "proxies")
    }
    return replace(results, cards={}, method={}, **empty)


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("kind", OF_SEARCH)
def test_every_kind_of_figure_is_legible(
    search_case: Callable[[str], Results], kind: str, name: str, assert_legible: Callable[[Figure], None]
) -> None:
    drawings = KINDS[kind].draw(search_case(name))
    for drawing in drawings[:1] + drawings[1:][-1:]:
        assert_legible(drawing.figure)
    for drawing in drawings:
        assert len(drawing.data)
        assert "nan" not in drawing.caption
    assert len({drawing.stem for drawing in drawings}) == len(drawings)


@pytest.mark.parametrize("kind", OF_SEARCH)
def test_every_kind_is_drawn_and_saved_the_same_twice(
    search_case: Callable[[str], Results], kind: str, tmp_path: Path
) -> None:
    results = search_case("eight drivers, three teachers")
    drawing, again = KINDS[kind].draw(results)[0], KINDS[kind].draw(results)[0]
    assert "12 searches, 60 evaluations each out of 600 cells; cifar100 images, batch of 64" in drawing.caption
    first = canvas.save(drawing.figure, tmp_path / "one", drawing.stem, drawing.data)
    second = canvas.save(again.figure, tmp_path / "two", again.stem, again.data)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert b"/Type3" not in first[1].read_bytes()
    assert len(pd.read_csv(io.BytesIO(first[3].read_bytes()))) == len(drawing.data)


def test_a_run_made_by_a_search_alone_has_the_figures_of_the_search(
    search_case: Callable[[str], Results], tmp_path: Path
) -> None:
    alone = searched_only(search_case("one driver"))
    groups, paths = gallery.draw(alone, tmp_path)
    assert [group.name for group in groups] == ["search", "search-accuracy", "search-cells"]
    assert all(group.of_search for group in groups)
    assert all(path.is_file() for path in paths)
    assert gallery.draw(replace(alone, search=None), tmp_path) == ((), [])


def test_of_many_drivers_some_are_left_out_and_counted(search_case: Callable[[str], Results]) -> None:
    results = search_case("long names")
    [scores] = search_curves.drawings(results)
    assert scores.data["driver"].nunique() == search_curves.MOST
    assert "2 drivers left out" in scores.caption
    accuracies = search_accuracy.drawings(results)
    assert len(accuracies) == search_accuracy.MOST_TARGETS
    assert "4 drivers left out" in accuracies[0].caption


def test_panels_show_the_best_of_all_cells_and_say_when_lower_is_better(searched: Callable[..., Search]) -> None:
    search = searched(drivers=("a",))
    record = search.info.drivers[0].model_copy(update={"direction": "lower"})
    search = replace(search, info=search.info.model_copy(update={"drivers": [record]}))
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


def test_seconds_have_an_axis_where_they_are_known(search_case: Callable[[str], Results]) -> None:
    known, unknown = search_case("one driver"), search_case("eight drivers, three teachers")
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
        cells.draw(axes, spaces.get("nb201"), cell.index, 0, 0, 2.2, 1.08)
    written = [text.get_text() for text in axes.texts]
    edges = [cells.OPERATIONS[operation][0] for operation in operations if operation != "none"]
    assert sorted(written) == sorted([*edges, "0", "1", "2", "3"])
    assert len(axes.patches) == 4 + len(edges)
    dead = [patch for patch in axes.patches if patch.get_linestyle() not in ("solid", "-")]
    assert len(dead) == len(edges) - sum(cell.live_edges)


def test_teachers_are_compared_where_there_are_two(search_case: Callable[[str], Results]) -> None:
    assert search_teachers.drawings(search_case("one driver")) == []
    found = search_teachers.drawings(search_case("eight drivers, three teachers"))
    assert found[0].stem == "search-teachers"
    assert found[0].data["pair"].nunique() == 3
    assert found[1].data["teacher"].nunique() == 3
    many = search_teachers.pair_data(of(search_case("long names")))
    assert many["pair"].nunique() == 5
    assert set(many["teacher"]) == {"a teacher with a long name, 0"}
