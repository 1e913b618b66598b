from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from diswot.benchmarks.errors import InputError
from diswot.harness.evidence import panel
from diswot.harness.runs.results import Results
from diswot.reports import paper
from diswot.reports.figures import (
    agreement,
    bars,
    cost,
    distilled_vanilla,
    gallery,
    recall,
    scatter,
    seeds,
)
from diswot.reports.figures.drawing import Drawing
from diswot.reports.figures.kinds import KINDS
from diswot.reports.style import canvas, look

TARGET = "s0-diswot:distilled"


LONG = [f"a_proxy_whose_name_goes_on_and_on_{number}_until_$x^2$ nothing_fits" for number in range(6)]


LONG_TARGETS = [
    *(
        f"table-with-a-name-of-some-length:{column}"
        for column in ("baseline", "quantised_after_training", "noisy", "analog")
    ),
    "another:vanilla",
]


OF_CORRELATIONS = [name for name, kind in KINDS.items() if not kind.of_search]


MANY = "forty proxies, three seeds"


CASES: dict[str, dict[str, Any]] = {
    MANY: {"cells": 64, "seeds": 3, "undefined_share": 0.05, "trainings": 2},
    "one proxy, three cells, one seed": {},
    "one cell": {"cells": 1},
    "all undefined": {"names": ["snip", "zen"], "cells": 8, "seeds": 2, "undefined_share": 1},
    "constant scores": {"names": ["snip", "zen"], "cells": 8, "seeds": 2, "constant": True},
    "long names": {"names": LONG, "cells": 30, "seeds": 2, "targets": LONG_TARGETS, "undefined_share": 0.2},
    "four tables": {"names": ["snip"], "cells": 9, "targets": [f"table{number}:vanilla" for number in range(4)]},
    "many targets": {"names": ["snip", "zen"], "cells": 9, "targets": [f"table:column{number}" for number in range(9)]},
    "dense": {
        "names": ["snip", "zen"],
        "cells": 4000,
        "targets": ["analog-nasbench:baseline"],
        "undefined_share": 0.02,
    },
}


@pytest.fixture(scope="module")
def case(
    make: Callable[..., Results], proxies: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Results]:
    @cache
    def made(name: str) -> Results:
        folder = tmp_path_factory.mktemp("run")
        store_relations(folder)
        return make(folder, **({"names": proxies} if name == MANY else {}) | CASES[name])

    return made


def store_relations(folder: Path) -> None:
    random = np.random.default_rng(0)
    arrays = {
        f"{network}_{matrix}": random.normal(size=(side, side))
        for network in ("teacher", "good", "bad")
        for matrix, side in (("relation", 16), ("semantic", 10))
    }
    np.savez(
        folder / "relations.npz", teacher="resnet56", good="a cell whose name is " + "long " * 9, bad="0", **arrays
    )


def words(figure: Figure) -> str:
    return " ".join(text.get_text() for text in figure.texts)


def only(drawings: list[Drawing]) -> Drawing:
    (drawing,) = drawings
    return drawing


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", OF_CORRELATIONS)
def test_every_kind_of_figure_is_legible(
    case: Callable[[str], Results], kind: str, name: str, assert_legible: Callable[[Figure], None]
) -> None:
    drawings = KINDS[kind].draw(case(name))
    for drawing in drawings[:1] + drawings[1:][-1:]:
        assert_legible(drawing.figure)
    assert len({drawing.stem for drawing in drawings}) == len(drawings)


@pytest.mark.parametrize("kind", OF_CORRELATIONS)
def test_every_kind_is_drawn_and_saved_the_same_twice(
    case: Callable[[str], Results], kind: str, proxies: tuple[str, ...], tmp_path: Path
) -> None:
    results = paper.chosen(case(MANY), proxies[:8])
    drawing = KINDS[kind].draw(results)[0]
    again = KINDS[kind].draw(results)[0]
    assert "batch of 64" in drawing.caption or kind == "distilled-vanilla"
    assert "64 cells" in drawing.caption or kind == "relations"
    assert drawing.alternative
    first = canvas.save(drawing.figure, tmp_path / "one", drawing.stem, drawing.data)
    second = canvas.save(again.figure, tmp_path / "two", again.stem, again.data)
    assert [path.suffix for path in first] == [".png", ".pdf", ".svg", ".csv"]
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == sorted(path.name for path in first)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    _, pdf, svg, csv = (path.read_bytes() for path in first)
    assert b"/Type0" in pdf
    assert b"/Type3" not in pdf
    assert b"CreationDate" not in pdf
    assert b"<text" in svg
    assert b"<dc:date>" not in svg
    assert csv.count(b"\n") == len(drawing.data) + 1
    pd.testing.assert_frame_equal(
        pd.read_csv(first[3], dtype={"name": str}), drawing.data, check_dtype=False, check_index_type=False
    )


def test_a_run_gets_the_figures_that_were_asked_for_in_the_order_of_the_page(
    run: Callable[..., Results], tmp_path: Path
) -> None:
    results = run(names=["snip", "zen"], cells=6, seeds=2)
    groups, paths = gallery.draw(results, tmp_path, ["cost", "bars"])
    assert [group.name for group in groups] == ["bars", "cost"]
    assert [path.name for path in paths[:4]] == [f"correlations.{end}" for end in ("png", "pdf", "svg", "csv")]
    assert groups[0].thumbnails[0].png.startswith(b"\x89PNG")
    assert 490 <= groups[0].thumbnails[0].width <= 500
    with pytest.raises(InputError, match="figures: 'bar' is not known; did you mean 'bars'"):
        gallery.draw(results, tmp_path, ["bar"])


def test_kinds_without_what_they_need_have_no_group(run: Callable[..., Results], tmp_path: Path) -> None:
    groups, _ = gallery.draw(run(targets=["table:column"]), tmp_path)
    assert [group.name for group in groups] == ["bars", "cost", "recall", "scatters"]
    nothing = run()
    object.__setattr__(nothing, "correlations", nothing.correlations.iloc[:0])
    assert gallery.draw(nothing, tmp_path) == ((), [])


def test_all_proxies_stand_at_the_bars_best_first(case: Callable[[str], Results], proxies: tuple[str, ...]) -> None:
    results = case(MANY)
    figure = only(bars.drawings(results)).figure
    assert figure.get_size_inches()[0] == pytest.approx(canvas.SINGLE_COLUMN)
    names = [label.get_text().removeprefix("† ") for label in figure.axes[0].get_yticklabels()]
    assert set(proxies) <= set(names)
    assert names == list(dict.fromkeys(bars.bar_data(results)["proxy"]))
    rho = bars.bar_data(results).query("target == @TARGET")["spearman"]
    assert rho.is_monotonic_decreasing


def test_bars_show_means_and_whiskers_the_interval_over_functions(run: Callable[..., Results]) -> None:
    results = run(names=["snip"], cells=30, seeds=3, trainings=2)
    rho = results.correlations.loc[results.correlations["target"] == TARGET, "spearman"]
    row = bars.bar_data(results).iloc[0]
    figure = only(bars.drawings(results)).figure
    assert figure.axes[0].patches[0].get_width() == pytest.approx(rho.mean())
    drawn = figure.axes[0].containers[1].lines[2][0].get_segments()[0][:, 0]
    assert drawn == pytest.approx([row["low"], row["high"]])
    assert "95 % interval over functions" in words(figure)
    assert "ceiling" in " ".join(words(figure).split())


def test_bars_follow_the_metric_of_the_evidence(run: Callable[..., Results]) -> None:
    results = run(names=["snip"], cells=20, trainings=2)
    results.evidence["metric"] = "kendall"
    figure = only(bars.drawings(results)).figure
    assert figure.axes[0].get_xlabel() == "Kendall correlation"
    assert figure.axes[0].patches[0].get_width() == pytest.approx(bars.bar_data(results)["kendall"].iloc[0])


def test_gains_have_no_bars_next_to_the_accuracies_that_they_are_made_of(run: Callable[..., Results]) -> None:
    targets = [TARGET, "s0-diswot:vanilla", "s0-diswot:gain"]
    assert set(bars.bar_data(run(targets=targets))["target"]) == set(targets[:2])
    assert set(bars.bar_data(run(targets=targets[2:]))["target"]) == set(targets[2:])


def test_undefined_correlations_come_last(run: Callable[..., Results]) -> None:
    results = run(names=["b", "a", "c"], cells=10)
    results.evidence.loc[results.evidence["target"] == TARGET, "spearman"] = [np.nan, 0.1, 0.9]
    assert list(dict.fromkeys(bars.bar_data(results)["proxy"])) == ["c", "a", "b"]


def test_ranks_have_one_for_the_best_and_undefined_scores_last(run: Callable[..., Results]) -> None:
    results = run(cells=4, targets=[TARGET])
    results.scores["value"] = [3.0, np.nan, 9.0, np.inf]
    results.scores["status"] = ["ok", "undefined", "ok", "ok"]
    results.targets["accuracy"] = [70.0, 71.0, 72.0, 70.0]
    data = only(scatter.drawings(results)).data
    assert data["score_rank"].tolist() == [2, 3.5, 1, 3.5]
    assert data["accuracy_rank"].tolist() == [3.5, 2, 1, 3.5]
    assert data["status"].tolist() == ["ok", "undefined", "ok", "undefined"]


def test_a_lower_is_better_proxy_is_turned(run: Callable[..., Results]) -> None:
    results = run(cells=3, targets=[TARGET])
    results.scores["value"] = [3.0, 1.0, 2.0]
    results.evidence["direction"] = results.proxies["direction"] = "lower"
    assert only(scatter.drawings(results)).data["score_rank"].tolist() == [3, 1, 2]


def test_ranks_agree_with_the_stored_correlation(run: Callable[..., Results]) -> None:
    results = run(names=["snip", "zen"], cells=64, seeds=3, undefined_share=0.1)
    data = next(drawing.data for drawing in scatter.drawings(results) if "zen" in drawing.stem)
    stored = results.correlations[(results.correlations["proxy"] == "zen") & (results.correlations["target"] == TARGET)]
    for seed, points in data.groupby("seed"):
        rho = points["score_rank"].corr(points["accuracy_rank"])
        assert rho == pytest.approx(stored.loc[stored["seed"] == seed, "spearman"].item())


def test_figures_leave_out_what_correlations_left_out(run: Callable[..., Results]) -> None:
    names = ["snip", "zen", "nwot"]
    results = run(names=names, cells=30, targets=[TARGET], undefined_share=0.3)
    defined = int((results.scores["proxy"].eq("zen") & results.scores["status"].eq("ok")).sum())
    assert 5 < defined < 30
    results = replace(results, method=results.method.model_copy(update={"undefined": "omit"}))
    points = next(drawing.data for drawing in scatter.drawings(results) if "zen" in drawing.stem)
    assert len(points) == defined == points["score_rank"].max()
    curves, _ = recall.recall_data(results, TARGET, 0, names)
    assert set(curves.loc[curves["proxy"] == "zen", "cells"]) == {defined}
    wide = results.scores.pivot_table(index="cell", columns="proxy", values="value")
    found = only(agreement.drawings(results)).data.set_index(["proxy", "other"])["spearman"]
    assert found["snip", "zen"] == pytest.approx(wide.corr(method="spearman").loc["snip", "zen"])
    assert all("ranked worst" not in one.caption for one in (*agreement.drawings(results), *recall.drawings(results)))


def test_ensembles_have_bars_and_scatters(run: Callable[..., Results]) -> None:
    results = run(names=["diswot_semantic", "diswot_relation"], cells=8)
    assert "diswot_rank" in set(bars.bar_data(results)["proxy"])
    stems = {drawing.stem for drawing in scatter.drawings(results)}
    assert stems & {f"scatter_{name}_s0-diswot-distilled" for name in ("diswot_rank", "diswot_log_rank")}


def test_of_proxies_that_rank_all_cells_alike_one_has_a_scatter(run: Callable[..., Results]) -> None:
    results = run(names=["snip", "zen", "nwot"], cells=9, seeds=2)
    scores = results.scores.set_index("proxy")["value"]
    results.scores.loc[results.scores["proxy"] == "zen", "value"] = np.exp(scores["snip"].to_numpy())
    captions = [drawing.caption for drawing in scatter.drawings(results)]
    assert len(captions) == 2
    assert (
        sum(
            bool(re.search("; (zen ranks the cells exactly as snip|snip ranks the cells exactly as zen)", one))
            for one in captions
        )
        == 1
    )
    with look.using(look.Look(("snip", "zen"))):
        assert len(scatter.drawings(paper.chosen(results, ("snip", "zen")))) == 2


def test_failed_scores_are_left_out_and_counted(run: Callable[..., Results]) -> None:
    results = run(cells=5, targets=[TARGET])
    results.scores.loc[0, "status"] = "failed"
    results.scores.loc[0, "value"] = np.nan
    results.evidence["failed"] = 1
    drawing = only(scatter.drawings(results))
    assert len(drawing.data) == 4
    assert "1 score failed" in drawing.caption
    for figure in (drawing.figure, only(bars.drawings(results)).figure):
        assert "1 score failed" in words(figure)


def test_undefined_scores_have_a_marker_of_their_own_and_are_counted(run: Callable[..., Results]) -> None:
    results = run(names=["snip"], cells=6, seeds=2, undefined_share=1)
    drawing = only(scatter.drawings(results))
    assert len(drawing.figure.axes[0].collections[-1].get_offsets()) == 12
    assert "12 of 12" in words(drawing.figure)
    assert "12 of 12" in drawing.caption


def test_many_points_become_hexagons(run: Callable[..., Results]) -> None:
    few, many = (only(scatter.drawings(run(cells=cells))).figure for cells in (2000, 2001))
    assert len(many.axes) == len(few.axes) + 1


def test_far_and_huge_scores_do_not_break_the_margins(
    run: Callable[..., Results], assert_legible: Callable[[Figure], None]
) -> None:
    results = run(cells=4, targets=[TARGET])
    results.scores["value"] = [-1.7e308, 1.7e308, 0.0, 1e-300]
    assert_legible(only(scatter.drawings(results)).figure)


def test_seeds_hold_every_correlation_of_a_seed(run: Callable[..., Results]) -> None:
    results = run(names=["snip", "zen"], cells=9, seeds=3)
    data = only(seeds.drawings(results)).data
    stored = results.correlations[results.correlations["target"] == TARGET]
    assert sorted(data["correlation"]) == sorted(stored["spearman"])
    assert seeds.drawings(run(names=["snip"], cells=9)) == []


def test_agreement_is_spearman_and_pairs_share_their_cells(run: Callable[..., Results]) -> None:
    results = run(names=["snip", "zen", "nwot"], cells=20, seeds=2)
    wide = results.scores.pivot_table(index=["seed", "cell"], columns="proxy", values="value")
    expected = np.mean([part.corr(method="spearman").loc["snip", "nwot"] for _, part in wide.groupby("seed")])
    found = agreement.agreement(panel.build(results.scores, results.proxies))
    assert found.loc["snip", "nwot"] == pytest.approx(expected)
    failed = (results.scores["proxy"] == "snip") & (results.scores["cell"] < 5)
    results.scores.loc[failed, ["status", "value"]] = ["failed", np.nan]
    kept = wide[wide.index.get_level_values("cell") >= 5]
    expected = np.mean([part.corr(method="spearman").loc["snip", "nwot"] for _, part in kept.groupby("seed")])
    found = agreement.agreement(panel.build(results.scores, results.proxies))
    assert found.loc["snip", "nwot"] == pytest.approx(expected)
    assert found.loc["zen", "zen"] == pytest.approx(1)


def test_alike_proxies_stand_side_by_side(run: Callable[..., Results]) -> None:
    results = run(names=["a", "b", "c"], cells=30)
    value = results.scores.set_index("proxy")["value"]
    results.scores.loc[results.scores["proxy"] == "c", "value"] = value["a"].to_numpy() ** 3
    results.scores.loc[results.scores["proxy"] == "b", "value"] = -value["a"].to_numpy()
    order = list(dict.fromkeys(only(agreement.drawings(results)).data["proxy"]))
    assert abs(order.index("a") - order.index("c")) == 1


def test_the_front_holds_what_no_cheaper_proxy_beats(run: Callable[..., Results]) -> None:
    results = run(names=["a", "b", "c", "d"], cells=10, targets=[TARGET])
    costs = results.folder / "costs.csv"
    costs.write_text("name,seconds,relative_cost\na,1,1\nb,1,2\nc,1,3\nd,1,0\n")
    results.evidence["spearman"] = results.evidence["proxy"].map({"a": 0.5, "b": 0.4, "c": 0.6, "d": 0.9})
    drawing = only(cost.drawings(results))
    assert drawing.data.set_index("proxy")["front"].to_dict() == {"a": True, "b": False, "c": True}
    assert "1 proxy without a correlation or a cost left out" in drawing.caption
    costs.write_text("name,seconds\na,1\n")
    with pytest.raises(InputError, match=r"run: .*costs.csv cannot be read"):
        cost.drawings(results)
    costs.unlink()
    assert cost.drawings(results) == []


def test_cost_names_the_front_and_the_user_s_own_proxies(run: Callable[..., Results]) -> None:
    results = run(names=["a", "b", "c", "mine", "d", "e"], cells=10, targets=[TARGET])
    rows = "name,seconds,relative_cost\na,1,1\nb,1,2\nc,1,3\nmine,1,4\nd,1,2\ne,1,2\n"
    (results.folder / "costs.csv").write_text(rows)
    correlations = {"a": 0.5, "b": 0.4, "c": 0.6, "mine": -0.4, "d": 0.4, "e": 0.4}
    results.evidence["spearman"] = results.evidence["proxy"].map(correlations)
    results.evidence.loc[results.evidence["proxy"] == "mine", "family"] = "plug-in"
    axes = only(cost.drawings(results)).figure.axes[0]
    assert axes.get_xlabel() == "Cost relative to one forward and backward pass"
    named = [text.get_text() for text in axes.texts if text.get_text()]
    assert named == ["mine", "a", "c", "b", "d"]  # at the right from below, then at both sides of the dot of b, d and e


def test_recall_of_the_accuracy_itself_is_one_and_of_a_constant_is_chance(run: Callable[..., Results]) -> None:
    results = run(names=["right", "constant"], cells=40, targets=[TARGET])
    accuracies = results.targets["accuracy"].to_numpy()
    results.scores["value"] = [*accuracies, *np.ones(40)]
    data, _ = recall.recall_data(results, TARGET, 0, ["right", "constant"])
    assert data.loc[data["proxy"] == "right", "recall"].tolist() == pytest.approx([1.0] * data["k"].nunique())
    chance = data[data["proxy"] == "constant"]
    assert chance["recall"].tolist() == pytest.approx(chance["share"].tolist())


def test_the_best_cells_are_named(run: Callable[..., Results]) -> None:
    results = run(cells=5)
    wide = results.targets.pivot(index="cell", columns="target", values="accuracy")
    drawing = only(distilled_vanilla.drawings(results))
    assert f"the best cell is {wide['s0-diswot:vanilla'].idxmax()} when trained alone" in drawing.caption
    assert f"{wide[TARGET].idxmax()} when distilled" in drawing.caption


def test_damaged_relations_are_refused(run: Callable[..., Results]) -> None:
    results = run()
    assert KINDS["relations"].draw(results) == []
    (results.folder / "relations.npz").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"relations\.npz cannot be read"):
        KINDS["relations"].draw(results)
    np.savez(results.folder / "relations.npz", teacher="resnet56")
    with pytest.raises(InputError, match=r"relations\.npz cannot be read"):
        KINDS["relations"].draw(results)


def test_bars_without_a_correlation_are_not_drawn(run: Callable[..., Results]) -> None:
    empty = run(targets=[TARGET])
    object.__setattr__(empty, "evidence", empty.evidence.iloc[:0])
    assert bars.drawings(empty) == []


def test_cells_that_learn_nothing_are_counted_and_not_drawn(run: Callable[..., Results]) -> None:
    results = run(cells=50)
    assert "not drawn" not in only(distilled_vanilla.drawings(results)).caption
    results.targets.loc[results.targets["cell"] == 117, "accuracy"] = 10.0
    drawing = only(distilled_vanilla.drawings(results))
    assert "1 cell below" in drawing.caption
    assert len(drawing.data) == 50
