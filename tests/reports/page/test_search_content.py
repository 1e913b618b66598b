from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diswot.harness.runs import stored_search
from diswot.harness.runs.results import Results
from diswot.harness.runs.stored_search import Search
from diswot.reports.figures.kinds import KINDS
from diswot.reports.page import search_content
from diswot.reports.page.search_findings import findings
from diswot.reports.style import canvas

OF_SEARCH = [name for name, kind in KINDS.items() if kind.of_search]


TARGET = "nb201-kd:distilled"


def of(results: Results) -> Search:
    assert results.search is not None
    return results.search


def column(table: Any, label: str) -> list[str]:
    place = [one.label for one in table.columns].index(label)
    return [cell if isinstance(cell, str) else cell.text for cell in (row[place] for row in table.rows)]


def test_what_is_drawn_and_said_is_the_same_of_a_stored_search(
    search_case: Callable[[str], Results], tmp_path: Path
) -> None:
    results = search_case("some accuracies")
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


def test_the_findings_say_how_the_winner_was_chosen_and_judged(searched: Callable[..., Search]) -> None:
    found = dict(findings(searched()))
    assert found["Winner"] == (
        "diswot ranks best with nb201-kd:distilled on 300 cells, one half of those that have an accuracy: Spearman "
        "correlation 0.810. The second, kd, has a gap of 0.012, which is not significant (p = 0.340). On the other 300 "
        "cells, which had no part in the choice, its correlation is 0.790 [0.740, 0.830]."
    )
    assert "Winner" not in dict(findings(searched(winner=False)))


def test_the_findings_compare_evolution_with_random_search(searched: Callable[..., Search]) -> None:
    search = searched(drivers=("a",), targets=(TARGET,))
    evolution = search.summary["algorithm"] == "evolution"
    search.summary.loc[evolution, "random_evaluations"] = 199.0
    search.summary.loc[evolution, "evaluations_saved"] = 199 / 44
    search.summary.loc[evolution, ["fewer", "fewer_low", "fewer_high"]] = [150.5, 140.0, 161.0]
    first = (
        "Evolution reaches random search's median final score after 44 evaluations (median), random search after 199 "
        "(by theory): a factor of 4.52. "
    )
    second = "is there 150 [140, 161] evaluations earlier on average."
    assert f"{first}From the same first cells, evolution {second}" in dict(findings(search))["Best score"]
    search.summary["evaluations_saved"] = np.nan
    alone = "From the same first cells, evolution reaches random search's median final score 150 [140, 161] evaluations"
    assert alone in dict(findings(search))["Best score"]


@pytest.mark.parametrize("name", ["one driver", "eight drivers, three teachers", "some accuracies"])
def test_findings_are_short_sentences(search_case: Callable[[str], Results], name: str) -> None:
    for about, sentences in findings(of(search_case(name))):
        for sentence in re.split(r"(?<=[.:;]) ", re.sub(r"\([^)]*\)|\[[^]]*\]", "", sentences)):
            assert len(sentence.split()) <= 25, (about, sentence)


def test_the_findings_compare_seconds_only_with_both_machines(searched: Callable[..., Search]) -> None:
    search = searched()
    said = dict(findings(search))[TARGET]
    assert "80 trainings on average" in said
    assert "They take 20 h, at 15 min each (nb201-kd, median on 2 threads of an Epyc 7B13)." in said
    assert "A search by diswot takes 24 s (costs.csv: each proxy computed alone" in said
    assert "The ratio, 3,000, belongs to these two measurements alone." in said
    silent = replace(search, info=search.info.model_copy(update={"trainings": {}}))
    assert "trainings" not in dict(findings(silent))[TARGET]


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
        "With each of 2 teachers, flops scores every cell alike. The scores of diswot correlate at 0.500 (Spearman) "
        "between teachers. 25 % of its searches with equal seeds end with the same pick. No driver's picks differ "
        "clearly between two teachers: all intervals of their accuracies overlap."
    )
    better = (search.summary["teacher"] == "resnet56") & (search.summary["driver"] == "diswot")
    search.summary.loc[better, ["accuracy", "accuracy_low", "accuracy_high"]] = [96.0, 95.0, 97.0]
    assert (
        "is 3.000 points of nb201-kd:distilled: diswot, resnet56 above resnet20."
        in (dict(findings(search))["Other teachers"])
    )


def test_the_summary_has_a_row_for_every_driver_algorithm_and_target(search_case: Callable[[str], Results]) -> None:
    search = of(search_case("eight drivers, three teachers"))
    table = search_content.summary_table(search)
    assert len(table.rows) == len(search.summary)
    assert column(table, "Teacher")[:2] == ["resnet20"] * 2
    assert column(table, "Driver")[0] == "diswot"
    assert {"12 of 12"} == set(column(table, "Picks known"))
    table = search_content.summary_table(of(search_case("one driver")))
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


def test_the_section_survives_what_is_not_there(search_case: Callable[[str], Results]) -> None:
    for name in ("nothing known", "empty tables", "no accuracies", "one search", "no targets"):
        section = search_content.section(search_case(name))
        assert section is not None
        words = " ".join(sentence for _, sentence in section["findings"])
        assert not {"nan", "None", "inf"} & set(words.replace("(", " ").replace(",", " ").split())
    assert search_content.section(replace(search_case("one driver"), search=None)) is None
