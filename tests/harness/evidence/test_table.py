"""The two tables: what enters, what is counted, in which order, and what is said of subsets, targets and size."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from diswot.benchmarks import spaces
from diswot.benchmarks.spaces.nb201 import Cell, counts
from diswot.harness.evidence import ceiling, panel, table
from diswot.harness.evidence.table import CORRELATION_COLUMNS, EVIDENCE_COLUMNS, TargetAccuracies

#: Few cells of the benchmark, of every kind: the first 200 indices.
CELLS = range(200)


def frame(values: dict[tuple[str, int, int], float | str | None]) -> pd.DataFrame:
    rows = [
        {
            "cell": cell,
            "proxy": proxy,
            "seed": seed,
            "status": "failed" if value == "failed" else "undefined" if value is None else "ok",
            "value": value if isinstance(value, float) else math.nan,
        }
        for (proxy, cell, seed), value in values.items()
    ]
    return pd.DataFrame(rows)


def proxies(**directions: str) -> pd.DataFrame:
    return pd.DataFrame([{"name": n, "family": "f", "direction": d} for n, d in directions.items()])


def target(accuracies: dict[int, float], name: str = "t:a", seeds: dict[str, Any] | None = None) -> TargetAccuracies:
    known = pd.Series(accuracies, dtype=float)
    return TargetAccuracies(name, known, pd.DataFrame(seeds or {}, index=known.index))


def made(
    scores: pd.DataFrame,
    records: pd.DataFrame,
    targets: list[TargetAccuracies],
    undefined: str = "worst",
    **metric: str,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    one = panel.build(scores, records, undefined=undefined)
    return table.tables(one, records, targets, spaces.get("nb201"), **metric)


@pytest.fixture(scope="module")
def sampled() -> Callable[..., tuple[pd.DataFrame, pd.DataFrame]]:
    """Scores of four proxies and three seeds, and the accuracies of 200 cells distilled and vanilla."""
    generator = np.random.default_rng(0)
    vanilla = 60 + 8 * generator.normal(size=len(CELLS))
    distilled = 62 + 0.5 * (vanilla - 60) + 3 * generator.normal(size=len(CELLS))
    names = ("diswot_semantic", "diswot_relation", "snip", "other")
    values: Any = {
        (name, cell, seed): float(vanilla[cell] + (place + 1) * 5 * generator.normal())
        for place, name in enumerate(names)
        for seed in range(3)
        for cell in CELLS
    }
    targets = [
        target(dict(zip(CELLS, accuracies, strict=True)), f"t:{name}")
        for name, accuracies in (
            *(("distilled", distilled), ("vanilla", vanilla)),
            ("gain", distilled - vanilla),
        )
    ]
    return lambda **options: made(frame(values), proxies(**dict.fromkeys(names, "higher")), targets, **options)


def test_a_proxy_on_a_handful_of_cells_is_not_the_best_and_leaves_the_others_compared() -> None:
    generator = np.random.default_rng(0)
    truth = generator.normal(size=64)
    values: Any = {("lucky", cell, 0): float(truth[cell]) for cell in range(3)}
    for name, noise in (("good", 0.3), ("bad", 3.0)):
        values |= {(name, cell, 0): float(truth[cell] + noise * generator.normal()) for cell in range(64)}
    records = proxies(lucky="higher", good="higher", bad="higher")
    _, evidence = made(frame(values), records, [target(dict(enumerate(truth)))])
    rows = evidence.query("subset == 'all'").set_index("proxy")
    assert set(rows["best"]) == {"good"}
    assert rows.loc["lucky", ["spearman", "n"]].tolist() == pytest.approx([1, 3])
    assert rows.loc["lucky", ["low", "gap_to_best", "gap_to_best_p", "not_significantly_different"]].isna().all()
    assert rows.loc["bad", "gap_to_best_p"] < 0.05


def test_the_table_counts_what_enters_and_what_does_not() -> None:
    scores = frame(
        {("p", 1, 0): 1.0, ("p", 2, 0): 2.0, ("p", 3, 0): None, ("p", 4, 0): "failed", ("p", 5, 0): 9.0}
        | {("p", 1, 1): "failed", ("p", 2, 1): "failed"}
    )
    by_seed, evidence = made(scores, proxies(p="higher"), [target({1: 10.0, 2: 20.0, 3: 5.0, 4: 50.0})])
    assert tuple(by_seed.columns) == CORRELATION_COLUMNS
    assert tuple(evidence.columns) == EVIDENCE_COLUMNS
    first, second = by_seed.to_dict("records")
    assert (first["n"], first["undefined"], first["failed"], first["pearson_n"]) == (3, 1, 1, 2)
    assert (first["spearman"], first["kendall"], first["pearson"]) == pytest.approx((1, 1, 1))
    assert (second["seed"], second["n"], second["failed"]) == (1, 0, 2)
    assert math.isnan(second["spearman"])
    row = evidence[evidence["subset"] == "all"].iloc[0]
    assert (row["seeds"], row["spearman_seeds"], row["n"]) == (2, 1, 0)
    assert (row["scores"], row["undefined"], row["failed"], row["best"]) == (3, 1, 3, "p")


def test_undefined_scores_can_be_left_out() -> None:
    scores = frame({("p", 1, 0): 1.0, ("p", 2, 0): 2.0, ("p", 3, 0): None, ("p", 4, 0): 3.0})
    accuracies = [target({1: 10.0, 2: 20.0, 3: 50.0, 4: 30.0})]
    worst, omitted = (
        made(scores, proxies(p="higher"), accuracies, undefined=how)[0].iloc[0] for how in panel.UNDEFINED
    )
    assert (worst["n"], worst["undefined"], omitted["n"], omitted["undefined"]) == (4, 1, 3, 0)
    assert worst["spearman"] < omitted["spearman"] == pytest.approx(1)


def test_the_direction_turns_the_sign_and_undefined_scores_rank_worst_either_way() -> None:
    values: Any = {("p", cell, 0): float(cell % 7) for cell in range(20)} | {("p", 20, 0): None}
    negated = {key: -value if isinstance(value, float) else value for key, value in values.items()}
    accuracies = [target({cell: float(cell * 31 % 11) for cell in range(21)})]
    higher, lower = (
        made(frame(found), proxies(p=direction), accuracies)[1]
        for found, direction in ((values, "higher"), (negated, "lower"))
    )
    pd.testing.assert_frame_equal(higher.drop(columns="direction"), lower.drop(columns="direction"))


def test_the_tables_keep_the_order_of_proxies_targets_and_seeds() -> None:
    scores = frame({(p, cell, seed): float(cell) for p in "ab" for cell in (1, 2) for seed in (1, 0)})
    targets = [target({1: 1.0, 2: 2.0}, "z:z"), target({1: 2.0, 2: 1.0}, "a:a")]
    by_seed, evidence = made(scores, proxies(b="higher", a="lower", unused="higher"), targets)
    assert list(
        zip(by_seed["proxy"], by_seed["target"], by_seed["seed"], by_seed["spearman"].round(9), strict=True)
    ) == [
        *(("b", "z:z", 0, 1), ("b", "z:z", 1, 1), ("b", "a:a", 0, -1), ("b", "a:a", 1, -1)),
        *(("a", "z:z", 0, -1), ("a", "z:z", 1, -1), ("a", "a:a", 0, 1), ("a", "a:a", 1, 1)),
    ]
    everything = evidence[evidence["subset"] == "all"]
    assert list(zip(everything["proxy"], everything["target"], strict=True)) == [
        *(("b", "z:z"), ("b", "a:a"), ("a", "z:z"), ("a", "a:a")),
    ]
    assert table.by_evidence(evidence) == ["b", "a"]


def test_nothing_scored_is_two_empty_tables() -> None:
    by_seed, evidence = made(frame({("p", 1, 0): 1.0}), proxies(q="higher"), [target({1: 1.0})])
    assert by_seed.empty
    assert evidence.empty
    assert tuple(by_seed.columns) == CORRELATION_COLUMNS
    assert tuple(evidence.columns) == EVIDENCE_COLUMNS
    assert table.by_evidence(evidence) == []


def test_means_and_stds_are_over_seeds(sampled: Callable[..., Any]) -> None:
    by_seed, evidence = sampled()
    own = by_seed[(by_seed["proxy"] == "snip") & (by_seed["target"] == "t:vanilla")]
    row = evidence.query("subset == 'all' and proxy == 'snip' and target == 't:vanilla'").iloc[0]
    assert len(own) == row["seeds"] == 3
    for name in ("spearman", "kendall", "regret", "ndcg_10"):
        assert row[name] == pytest.approx(own[name].mean())
        assert row[f"{name}_std"] == pytest.approx(own[name].std(ddof=1))
    assert row["low"] < row["spearman"] < row["high"]


def test_evidence_has_every_subset(sampled: Callable[..., Any]) -> None:
    _, evidence = sampled()
    sizes = evidence.groupby("subset", sort=False)["n"].first().to_dict()
    subsets = spaces.get("nb201").subsets
    assert sizes == {name: subset.of(np.array(CELLS)).sum() for name, subset in subsets.items()}
    assert list(sizes) == list(subsets)
    assert len(set(sizes.values())) == 5
    for name in subsets:  # which may be asked for alone
        own = evidence[(evidence["subset"] == name) & (evidence["target"] == "t:distilled")]
        assert table.by_evidence(own) == own.sort_values("spearman", ascending=False)["proxy"].tolist()


def test_a_subset_that_changes_nothing_has_no_rows_of_its_own() -> None:
    cells = [cell for cell in CELLS if Cell.from_index(cell).live_convolutions][:10]
    scores = frame({("p", cell, 0): float(cell) for cell in cells})
    _, evidence = made(scores, proxies(p="higher"), [target({cell: float(cell) for cell in cells})])
    assert set(evidence["subset"]) - {"reachable", "distinct"} == {"all"}


def test_ensembles_are_ranked_inside_each_subset(sampled: Callable[..., Any]) -> None:
    by_seed, evidence = sampled()
    assert set(evidence.query("family == 'ensemble'")["proxy"]) == {"diswot_rank", "diswot_log_rank"}
    best = evidence.query("subset == 'all' and target == 't:vanilla' and proxy == 'diswot_rank'").iloc[0]
    assert best["seeds"] == 3
    assert best["failed"] == best["undefined"] == 0
    assert set(by_seed.query("proxy == 'diswot_rank'")["seed"]) == {0, 1, 2}


def test_the_difference_between_the_two_targets_is_paired(sampled: Callable[..., Any]) -> None:
    _, evidence = sampled()
    everything = evidence[evidence["subset"] == "all"].set_index(["proxy", "target"])
    distilled = everything.xs("t:distilled", level="target")
    vanilla = everything.xs("t:vanilla", level="target")
    assert distilled["over_vanilla"].to_numpy() == pytest.approx(
        (distilled["spearman"] - vanilla["spearman"]).to_numpy()
    )
    assert (distilled["over_vanilla_low"] < distilled["over_vanilla"]).all()
    assert (distilled["over_vanilla"] < distilled["over_vanilla_high"]).all()
    assert vanilla["over_vanilla"].isna().all()
    # The scores are those of the vanilla accuracy, so every proxy is surely worse on the distilled one.
    assert (distilled["over_vanilla_high"] < 0).all()


def test_the_best_is_not_different_from_itself_and_the_worst_is(sampled: Callable[..., Any]) -> None:
    _, evidence = sampled()
    rows = evidence.query("subset == 'all' and target == 't:vanilla'").set_index("proxy")
    best = rows["best"].iloc[0]
    assert (rows["best"] == best).all()
    assert best == rows["spearman"].idxmax()
    assert rows.loc[best, ["gap_to_best", "gap_to_best_p"]].tolist() == [0, 1]
    assert rows["gap_to_best"].to_numpy() == pytest.approx((rows["spearman"].max() - rows["spearman"]).to_numpy())
    assert rows["not_significantly_different"][best]
    assert not rows["not_significantly_different"]["other"]
    assert rows["gap_to_best_low"]["other"] > 0


def test_partial_correlation_of_a_count_is_undefined_or_zero() -> None:
    generator = np.random.default_rng(1)
    sizes = {cell: float(counts.live(Cell.from_index(cell)).flops) for cell in CELLS}
    accuracies = {cell: size / 1e7 + 2 * generator.normal() for cell, size in sizes.items()}
    values: Any = {("size", cell, 0): size**2 for cell, size in sizes.items()}
    values |= {("noisy", cell, 0): size * math.exp(0.2 * generator.normal()) for cell, size in sizes.items()}
    values |= {("truth", cell, 0): accuracies[cell] + generator.normal() for cell in CELLS}
    _, evidence = made(frame(values), proxies(size="higher", noisy="higher", truth="higher"), [target(accuracies)])
    rows = evidence[evidence["subset"] == "all"].set_index("proxy")
    assert rows["spearman"]["size"] > 0.8
    assert math.isnan(rows["partial"]["size"])
    assert rows["partial_low"]["noisy"] < 0 < rows["partial_high"]["noisy"]
    assert rows["partial_low"]["truth"] > 0.5


def test_partial_correlations_are_those_of_residuals() -> None:
    generator = np.random.default_rng(2)
    values: Any = {("p", cell, 0): float(generator.normal()) for cell in CELLS}
    accuracies = {cell: values["p", cell, 0] + float(generator.normal()) for cell in CELLS}
    _, evidence = made(frame(values), proxies(p="higher"), [target(accuracies)])
    size = [counts.live(Cell.from_index(cell)).flops for cell in CELLS]
    x, y, z = (stats.rankdata(list(column)) for column in (values.values(), accuracies.values(), size))
    residuals = [column - np.polyval(np.polyfit(z, column, 1), z) for column in (x, y)]
    assert evidence["partial"].iloc[0] == pytest.approx(stats.pearsonr(*residuals).statistic, abs=1e-9)


def test_the_seeds_of_a_table_give_its_ceiling() -> None:
    generator = np.random.default_rng(3)
    truth = generator.normal(size=len(CELLS))
    seeds = {str(seed): truth + generator.normal(size=len(CELLS)) for seed in range(2)}
    accuracies = dict(zip(CELLS, np.mean(list(seeds.values()), axis=0), strict=True))
    scores = frame({("p", cell, 0): float(cell) for cell in CELLS})
    _, evidence = made(scores, proxies(p="higher"), [target(accuracies, seeds=seeds), target(accuracies, "t:b")])
    r = stats.spearmanr(*seeds.values()).statistic
    everything = evidence[evidence["subset"] == "all"].set_index("target")["ceiling"]
    assert everything["t:a"] == pytest.approx(math.sqrt(2 * r / (1 + r)))
    assert math.isnan(everything["t:b"])
    _, other = made(scores, proxies(p="higher"), [target(accuracies, seeds=seeds)], metric="kendall")
    assert other["ceiling"].isna().all()


def test_a_ceiling_that_a_proxy_exceeds_is_not_shown() -> None:
    # The cells that have two seeds are nearly alike, and all cells are not.
    generator = np.random.default_rng(4)
    truth = np.where(np.arange(len(CELLS)) < 50, 0.3, 5) * generator.normal(size=len(CELLS))
    first, second = (truth + generator.normal(size=len(CELLS)) for _ in range(2))
    second[50:] = math.nan
    scores = frame({("p", cell, 0): float(truth[cell]) for cell in CELLS})
    aimed = target(dict(enumerate(first)), seeds={"0": first, "1": second})
    _, evidence = made(scores, proxies(p="higher"), [aimed])
    assert 0 < ceiling.of(aimed.seeds) < evidence["low"].iloc[0]
    assert evidence["ceiling"].isna().all()


def test_large_runs_are_judged_in_processes_with_the_same_numbers(
    sampled: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = sampled()
    monkeypatch.setattr(table, "_SMALL", 0)
    for one, other in zip(sampled(), expected, strict=True):
        pd.testing.assert_frame_equal(one, other)


def test_flops_on_the_published_subsets(shared_data: Path) -> None:
    # Reference notes on evaluation measures: .75 (all), .76 (connected), .80 (9,445 cells), .73 (live convolution).
    published = pd.read_csv(shared_data / "nb201_200ep.csv.gz").set_index("index")["c10_test200_nats"]
    scores = pd.DataFrame(
        {
            "cell": published.index,
            "proxy": "flops",
            "seed": 0,
            "status": "ok",
            "value": [float(counts.official(Cell.from_index(int(cell))).flops) for cell in published.index],
        }
    )
    target = TargetAccuracies("nb201:cifar10-test", published, pd.DataFrame(index=published.index))
    records = proxies(flops="higher")
    _, evidence = table.tables(panel.build(scores, records), records, [target], spaces.get("nb201"))
    found = evidence.set_index("subset")["spearman"].round(2).to_dict()
    del found["distinct"]  # a subset of this project's
    assert found == {"all": 0.75, "connected": 0.76, "reachable": 0.80, "live-convolution": 0.73}
    sizes = evidence.set_index("subset")["n"].to_dict()
    assert sizes == {
        **{"all": 15_625, "connected": 15_284, "reachable": 9_445},
        **{"distinct": 5_260, "live-convolution": 13_642},
    }


def copies() -> tuple[list[int], list[int]]:
    """Return some cells among which are copies, and one cell of each of their functions."""
    space = spaces.get("nb201")
    by_function: dict[int, list[int]] = {}
    for cell in space.cells[:3000]:
        by_function.setdefault(space.representative(cell), []).append(cell)
    chosen = [cells for cells in by_function.values() if len(cells) > 1 and space.representative(cells[0]) in cells]
    chosen = [sorted(cells) for cells in chosen[:40]]
    return [cell for cells in chosen for cell in cells], [space.representative(cells[0]) for cells in chosen]


def test_a_function_counts_where_its_representative_has_no_accuracy() -> None:
    cells, once = copies()
    generator = np.random.default_rng(11)
    scores: Any = {("p", cell, 0): float(generator.normal()) for cell in cells}
    accuracies = {cell: float(generator.normal()) for cell in cells if cell not in once}
    _, evidence = made(frame(scores), proxies(p="higher"), [target(accuracies)])
    of_subset = evidence.set_index("subset")
    assert of_subset.loc["distinct", "n"] == of_subset.loc["distinct", "n_functions"] == len(once)
    # The same where nothing but these cells has a score.
    alone = frame({key: value for key, value in scores.items() if key[1] in accuracies})
    _, without = made(alone, proxies(p="higher"), [target(accuracies)])
    pd.testing.assert_frame_equal(evidence, without)


def test_one_training_a_function_counts_each_function_once() -> None:
    cells, once = copies()
    space = spaces.get("nb201")
    assert len(cells) > 1.5 * len(once)
    generator = np.random.default_rng(7)
    accuracy = {cell: float(generator.normal()) for cell in once}
    accuracies = {cell: accuracy[space.representative(cell)] for cell in cells}
    score = {cell: accuracy[cell] + float(generator.normal()) for cell in once}
    scores: Any = {("p", cell, 0): score[space.representative(cell)] for cell in cells}
    shared = TargetAccuracies("t:a", pd.Series(accuracies), pd.DataFrame(index=cells), by_function=True)
    by_seed, evidence = made(frame(scores), proxies(p="higher"), [shared])
    row = evidence.query("subset == 'all'").iloc[0]
    expected = stats.spearmanr([score[cell] for cell in once], [accuracy[cell] for cell in once]).statistic
    assert (row["n"], row["n_functions"]) == (len(once), len(once))
    assert row["spearman"] == by_seed["spearman"].iloc[0] == pytest.approx(expected)
    assert "distinct" not in set(evidence["subset"])
    assert set(table.leading(evidence)["subset"]) == {"all"}
    # The same without the copies: they have changed nothing.
    alone = frame({key: value for key, value in scores.items() if key[1] in once})
    _, without = made(alone, proxies(p="higher"), [target({cell: accuracy[cell] for cell in once})])
    pd.testing.assert_series_equal(row, without.query("subset == 'all'").iloc[0])


def test_an_accuracy_a_cell_keeps_all_cells_and_decides_by_one_a_function() -> None:
    cells, once = copies()
    generator = np.random.default_rng(8)
    accuracies = {cell: float(generator.normal()) for cell in cells}
    scores: Any = {("p", cell, 0): accuracies[cell] + float(generator.normal()) for cell in cells}
    _, evidence = made(frame(scores), proxies(p="higher"), [target(accuracies)])
    rows = evidence.set_index("subset")[["n", "n_functions"]].to_dict("index")
    assert rows["all"] == {"n": len(cells), "n_functions": len(once)}
    assert rows["distinct"] == {"n": len(once), "n_functions": len(once)}
    assert set(table.leading(evidence)["subset"]) == {"distinct"}


def test_leading_keeps_the_order_of_proxies_and_targets() -> None:
    cells, once = copies()
    each = target({cell: float(cell * 7 % 101) for cell in cells}, "t:each")
    shared = replace(target({cell: float(cell * 3 % 97) for cell in once}, "t:shared"), by_function=True)
    scores: Any = {(name, cell, 0): float(cell % 13) for name in "ba" for cell in cells}
    _, evidence = made(frame(scores), proxies(b="higher", a="higher"), [each, shared])
    rows = table.leading(evidence)
    assert list(zip(rows["proxy"], rows["target"], rows["subset"], strict=True)) == [
        *(("b", "t:each", "distinct"), ("b", "t:shared", "all")),
        *(("a", "t:each", "distinct"), ("a", "t:shared", "all")),
    ]
