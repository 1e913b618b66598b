"""Two runs side by side, on small runs of the 64 networks of S0."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import diswot
from diswot.benchmarks import spaces, tables
from diswot.benchmarks.errors import InputError
from diswot.harness.runs import compare, run_folder
from diswot.harness.runs.settings import Settings
from diswot.harness.runs.store import Record, Store
from diswot.proxies import registry

Cli = Callable[..., Any]

CELLS = spaces.get("s0").cells

TARGET = "s0-diswot:distilled"


def noisy(seed: int, spread: float) -> dict[int, float]:
    """Scores that follow the accuracy, with noise."""
    known = tables.load("s0-diswot").frame["distilled"]
    noise = np.random.default_rng(seed).normal(0, spread, len(CELLS))
    return {cell: float(known[cell] + added) for cell, added in zip(CELLS, noise, strict=True)}


@pytest.fixture
def make(tmp_path: Path, settings: Settings, record: Callable[..., Record]) -> Callable[..., Path]:
    """Writes a run of some proxies' scores by cell; None is undefined."""

    def write(
        name: str,
        scores: dict[str, dict[int, float | None]],
        seeds: tuple[int, ...] = (0,),
        version: str | None = None,
        **changes: Any,
    ) -> Path:
        folder, made = tmp_path / name, settings.model_copy(update=changes)
        proxies = [replace(one, version=version or one.version) for one in registry.select(",".join(scores))]
        run_folder.claim(folder, made, proxies, device="cpu", plugins=())
        identity = {"space": made.space, "settings": made.hash}
        with Store(run_folder.store_path(folder), create=True) as store:
            for one in proxies:
                store.write(
                    record(cell, value, proxy=one.name, version=one.version, **identity, seed=seed)
                    for cell, value in scores[one.name].items()
                    for seed in seeds
                )
        return folder

    return write


@pytest.fixture
def pair(make: Callable[..., Path]) -> tuple[Path, Path]:
    """Two runs that differ in images, in the scores of nwot and of some cells of zen."""
    zen = noisy(3, 2.0)
    changed = {cell: value + (cell in CELLS[:5]) for cell, value in zen.items()}
    first = make("first", {"zen": zen, "nwot": noisy(1, 1.0), "snip": noisy(5, 1.0)})
    second = make("second", {"nwot": noisy(2, 3.0), "zen": changed}, images="cifar100", batch="4567")
    return first, second


def row(found: compare.Comparison, proxy: str) -> pd.Series:
    (found_row,) = (one for _, one in found.proxies.iterrows() if (one["proxy"], one["target"]) == (proxy, TARGET))
    return found_row


def test_correlations_are_those_of_scipy(pair: tuple[Path, Path]) -> None:
    known = tables.load("s0-diswot").frame["distilled"].loc[list(CELLS)]
    for metric, oracle in (("spearman", stats.spearmanr), ("kendall", stats.kendalltau)):
        (found,) = compare.compare(pair, [TARGET], metric=metric)
        one = row(found, "nwot")
        first, second = (list(noisy(seed, spread).values()) for seed, spread in ((1, 1.0), (2, 3.0)))
        assert one["value_first"] == pytest.approx(oracle(first, known).statistic)
        assert one["value_second"] == pytest.approx(oracle(second, known).statistic)
        assert one["difference"] == pytest.approx(one["value_second"] - one["value_first"])
        assert one["agreement"] == pytest.approx(oracle(first, second).statistic)
        assert (one["n"], one["n_functions"], one["scores"], one["changed"]) == (64, 64, 64, 64)
    assert set(found.proxies["proxy"]) == {"zen", "nwot"}


def test_interval_and_p_are_those_of_a_bootstrap(pair: tuple[Path, Path]) -> None:
    known = tables.load("s0-diswot").frame["distilled"].loc[list(CELLS)].to_numpy()
    first, second = (np.array(list(noisy(*made).values())) for made in ((1, 1.0), (2, 3.0)))
    generator = np.random.default_rng(0)
    drawn = [generator.integers(0, 64, 64) for _ in range(1000)]
    differences = [
        stats.spearmanr(second[cells], known[cells]).statistic - stats.spearmanr(first[cells], known[cells]).statistic
        for cells in drawn
    ]
    (found,) = compare.compare(pair, [TARGET])
    one = row(found, "nwot")
    half = (one["high"] - one["low"]) / 2
    assert half == pytest.approx(1.96 * np.std(differences), rel=0.2)
    assert one["low"] + half == pytest.approx(one["difference"])
    # zen changed too little to tell, so Holm doubles the smaller p-value of the two, here by the normal distribution.
    chance = 2 * stats.norm.sf(abs(one["difference"]) / np.std(differences))
    assert np.log10(one["p"]) == pytest.approx(np.log10(2 * chance), abs=1.5)


def test_scores_that_changed_are_counted(pair: tuple[Path, Path]) -> None:
    one = row(compare.compare(pair, [TARGET])[0], "zen")
    assert (one["scores"], one["changed"]) == (64, 5)
    assert one["largest"] == pytest.approx(max(1 / max(abs(v), abs(v + 1)) for v in list(noisy(3, 2.0).values())[:5]))


def test_order_of_runs_swaps_the_sign(pair: tuple[Path, Path]) -> None:
    (there,), (back,) = compare.compare(pair), compare.compare(pair[::-1])
    for proxy in ("nwot", "zen"):
        one, other = row(there, proxy), row(back, proxy)
        assert one["difference"] == pytest.approx(-other["difference"])
        assert (one["low"], one["high"]) == pytest.approx((-other["high"], -other["low"]))
        assert one[["p", "changed", "largest", "agreement"]].equals(other[["p", "changed", "largest", "agreement"]])


def test_a_run_differs_from_itself_in_nothing(pair: tuple[Path, Path]) -> None:
    (found,) = compare.compare([pair[0], pair[0]])
    assert found.settings.empty
    assert (found.proxies[["difference", "low", "high", "changed", "largest"]] == 0).all(axis=None)
    assert (found.proxies["p"] == 1).all()


def test_only_cells_that_both_have_count(make: Callable[..., Path]) -> None:
    scores = noisy(1, 1.0)
    part = {cell: scores[cell] for cell in CELLS[10:]}
    first, second = make("first", {"nwot": scores}), make("second", {"nwot": {**part, CELLS[10]: None}})
    one = row(compare.compare([first, second], [TARGET])[0], "nwot")
    assert (one["n"], one["scores"], one["changed"]) == (54, 54, 1)
    left_out = row(compare.compare([first, second], [TARGET], undefined="omit")[0], "nwot")
    assert (left_out["n"], left_out["changed"], left_out["difference"]) == (53, 0, 0)


def test_seeds_are_paired_by_their_numbers(make: Callable[..., Path]) -> None:
    scores = {"nwot": noisy(1, 1.0)}
    first = make("first", scores, seeds=(0, 1))
    shared, apart = make("shared", scores, seeds=(1, 2)), make("apart", scores, seeds=(5,))
    with_shared, with_apart = (row(found, "nwot") for found in compare.compare([first, shared, apart], [TARGET]))
    assert (with_shared["scores"], with_apart["scores"]) == (64, 128)
    assert (with_shared["changed"], with_apart["changed"]) == (0, 0)


def test_settings_that_differ_are_named(pair: tuple[Path, Path]) -> None:
    settings = compare.compare(pair)[0].settings.set_index("setting")
    assert list(settings.loc["images"]) == ["noise", "cifar100"]
    assert "batch" not in settings.index  # it follows from the images


def test_a_direction_that_differs_is_named_and_counts(pair: tuple[Path, Path]) -> None:
    path = run_folder.info_path(pair[1])
    info = json.loads(path.read_text())
    info["proxies"] = [one | {"direction": "lower"} if one["name"] == "zen" else one for one in info["proxies"]]
    path.write_text(json.dumps(info))
    (found,) = compare.compare(pair, [TARGET])
    assert list(found.settings.set_index("setting").loc["direction of zen"]) == ["higher", "lower"]
    assert row(found, "zen")["value_second"] < 0 < row(found, "zen")["value_first"]


def test_two_versions_of_a_proxy_are_compared(make: Callable[..., Path]) -> None:
    old, new = make("old", {"nwot": noisy(1, 3.0)}), make("new", {"nwot": noisy(1, 1.0)}, version="99")
    (found,) = compare.compare([old, new], [TARGET])
    assert found.settings.to_numpy().tolist() == [["version of nwot", registry.get("nwot").version, "99"]]
    assert row(found, "nwot")["low"] > 0


def test_command_prints_at_most_100_columns(pair: tuple[Path, Path], cli: Cli, tmp_path: Path) -> None:
    said = cli("compare", *pair, "--out", tmp_path / "rows.csv")
    assert said.status == 0, said.sentence
    assert all(len(line) <= 100 for line in said.out.splitlines() if "/" not in line)
    assert "images" in said.out
    written = pd.read_csv(tmp_path / "rows.csv")
    assert tuple(written.columns) == compare.COLUMNS
    (printed,) = json.loads(cli("compare", *pair, "--json").out)
    assert {one["setting"] for one in printed["settings"]} == {"images"}
    assert [one["difference"] for one in printed["proxies"]] == pytest.approx(list(written["difference"]))
    assert not (pair[0] / "evidence.csv").exists()


def test_a_run_has_it_as_a_method(pair: tuple[Path, Path]) -> None:
    run, other = (diswot.load(folder) for folder in pair)
    expected = compare.compare(pair, [TARGET])[0].proxies
    pd.testing.assert_frame_equal(run.compare(other, TARGET).proxies, expected)
    pd.testing.assert_frame_equal(run.compare(pair[1], [TARGET]).proxies, expected)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("first", "RUN: two runs are compared, or more; one was given."),
        ("first other_space", "first is of s0, other_space of nb201; compare runs of one space."),
        ("first other_proxy", "have no proxy in common on the cells that both have"),
        ("first other_cells", "have no cell in common"),
        ("first nowhere", "RUN: nowhere is not a run's folder"),
        ("first second --target s0-diswot:distiled", "--target: "),
        ("first second --subset nosuch", "--subset: 'nosuch' is not known"),
        ("first second --metric spearmann", "--metric: 'spearmann' is not known; did you mean 'spearman'?"),
        ("first second --undefined nosuch", "--undefined: 'nosuch' is not known"),
        ("first second --out rows.txt", "--out: rows.txt must end in .csv"),
        ("first second --target few.csv:accuracy", "has an accuracy for none of the 63 cells that both runs have"),
    ],
)
def test_bad_input_gets_one_sentence(
    line: str, says: str, cli: Cli, make: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    half = {cell: value for cell, value in noisy(1, 1.0).items() if cell != CELLS[0]}
    make("first", {"nwot": half})
    make("second", {"nwot": noisy(2, 1.0)})
    make("other_proxy", {"zen": noisy(2, 1.0)})
    make("other_cells", {"nwot": {CELLS[0]: 1.0}})
    make("other_space", {"nwot": {3: 1.0}}, space="nb201")
    if "few" in line:
        (tmp_path / "few.csv").write_text(f"cell,accuracy\n{CELLS[0]},90\n")
    said = cli("compare", *line.split())
    assert (said.status, said.out) == (2, "")
    assert says in said.sentence
    assert len(said.sentence.splitlines()) == 1


def test_library_refuses_one_run(pair: tuple[Path, Path]) -> None:
    with pytest.raises(InputError, match=r"^run: two runs are compared"):
        compare.compare(pair[:1])
