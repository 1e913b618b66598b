from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from diswot.harness.cli import output, summary
from diswot.harness.evidence.table import by_evidence
from diswot.harness.runs.results import Results
from diswot.harness.runs.stored_search import Search
from diswot.reports import answer
from diswot.reports.figures import search_cells
from diswot.reports.page import search_content
from diswot.reports.searches import drivers, seconds_from

TARGET = "nb201-kd:distilled"


def test_the_winner_comes_first_and_the_others_by_their_accuracy(searched: Callable[..., Search]) -> None:
    search = searched(drivers=("a", "b", "c", "d"))
    evolution = (search.summary["algorithm"] == "evolution") & (search.summary["target"] == TARGET)
    search.summary.loc[evolution, "accuracy"] = [91.0, np.nan, 93.0, 92.0]
    assert drivers(search) == ["a", "c", "d", "b"]
    winner = search.info.winner
    assert winner is not None
    for chosen, order in (
        (winner.model_copy(update={"driver": "b"}), ["b", "c", "d", "a"]),
        (None, ["a", "c", "d", "b"]),
    ):
        other = replace(search, info=search.info.model_copy(update={"winner": chosen}))
        assert drivers(other) == order
    assert drivers(search) == ["a", "c", "d", "b"]  # the first asked for, whatever the accuracies


def test_of_picks_that_tie_the_lowest_cell_is_everywhere(searched: Callable[..., Search]) -> None:
    search = searched(searches=4)
    evolution = search.picks["algorithm"] == "evolution"
    search.picks.loc[evolution, "cell"] = [9, 3, 9, 3]
    pick = answer.pick_of(search)
    assert pick is not None
    assert (pick.cell, pick.count) == answer.most_frequent(search.picks.loc[evolution, "cell"]) == (3, 2)
    assert next(one.row["cell"] for one in search_cells.final_cells(search) if one.evolution) == 3
    evolved = next(cells for cells in search_content.pick_table(search).rows if cells[1] == "evolution")
    assert (evolved[2].text, evolved[3].text) == ("3", "2")
    assert "(3), 2 of 4 searches" in output.picked(search)[0]
    assert "3 (50%)" in summary.picks(search, 100).table


def test_the_answer_says_why_another_proxy_than_the_best_drives(
    run: Callable[..., Results], searched: Callable[..., Search]
) -> None:
    results = run(names=["snip", "zen"], cells=30)
    best, second = by_evidence(results.evidence)[:2]
    why = "the best on the half of the functions that chooses the driver,"
    for driver, start in ((second, f"Searches by {second}, {why} "), (best, f"Searches by {best} ")):
        search = searched(space="s0", drivers=(driver,), targets=("s0-diswot:distilled",))
        assert answer.in_short(replace(results, search=search))[1].startswith(start)
    asked = searched(space="s0", drivers=(second,), targets=("s0-diswot:distilled",), winner=False)
    assert why not in answer.in_short(replace(results, search=asked))[1]


def test_the_source_of_the_costs_is_said_once(searched: Callable[..., Search]) -> None:
    search = searched(drivers=("vote", "snip", "zen"))
    ends = ("summed over the members, each computed alone", "computed alone", "computed alone")
    records = [
        record.model_copy(update={"seconds_from": f"costs.csv, one thread of a CPU, {end}"})
        for record, end in zip(search.info.drivers, ends, strict=True)
    ]
    search = replace(search, info=search.info.model_copy(update={"drivers": records}))
    assert seconds_from(search) == (
        "costs.csv, one thread of a CPU; each proxy computed alone, an ensemble as the sum of its members"
    )
    assert seconds_from(searched()) == "costs.csv: each proxy computed alone, 2 threads of an Epyc 7B13"
