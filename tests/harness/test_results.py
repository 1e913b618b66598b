from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from diswot.benchmarks import spaces, tables
from diswot.benchmarks.errors import InputError
from diswot.harness.evidence.table import CORRELATION_COLUMNS, EVIDENCE_COLUMNS, TargetAccuracies
from diswot.harness.runs import results, run_folder
from diswot.harness.runs.settings import Settings
from diswot.harness.runs.store import Record, Store
from diswot.proxies import registry

CELLS = (111, 113, 115, 333, 777)


@pytest.fixture
def run(tmp_path: Path, settings: Settings, record: Callable[..., Record]) -> Path:
    """A run of two proxies on five cells, with what must not be counted beside it."""
    folder = tmp_path / "run"
    run_folder.claim(folder, settings, registry.select("params,snip"), device="cpu", plugins=())
    snip = {"proxy": "snip", "version": registry.get("snip").version}
    with Store(run_folder.store_path(folder), create=True) as store:
        store.write(record(cell=cell, value=float(cell)) for cell in CELLS)
        store.write([record(cell=cell, value=1.5, **snip) for cell in CELLS[:3]])
        store.write([record(cell=333, value=None, **snip), record(cell=777, value=None, status="failed", **snip)])
        store.write([record(cell=135, settings="other"), record(cell=137, version="of another version")])
        store.write([record(cell=153, proxy="forgotten")])
    return folder


def test_a_run_is_loaded_as_tidy_tables(run: Path) -> None:
    loaded = results.load(run)
    assert isinstance(loaded, results.Results)
    assert len(loaded.scores) == 10
    assert set(loaded.scores["cell"]) == set(CELLS)
    assert loaded.scores["status"].value_counts().to_dict() == {"ok": 8, "undefined": 1, "failed": 1}
    assert "settings" not in loaded.scores
    assert list(loaded.proxies["name"]) == ["params", "snip"]
    assert loaded.targets.empty
    assert tuple(loaded.correlations.columns) == CORRELATION_COLUMNS
    assert tuple(loaded.evidence.columns) == EVIDENCE_COLUMNS
    assert loaded.cards == {}


def test_a_folder_may_be_given_as_text(run: Path) -> None:
    assert results.load(str(run)).folder == run


def test_correlations_with_the_spaces_own_targets_are_stored(run: Path) -> None:
    found = results.correlate(run)
    names = ["s0-diswot:distilled", "s0-diswot:vanilla", "s0-diswot:gain"]
    assert list(found.correlations["target"].unique()) == names
    assert len(found.correlations) == len(found.evidence) == 2 * len(names)
    assert len(found.targets) == len(names) * len(CELLS)
    by_name = found.targets.pivot(index="cell", columns="target", values="accuracy")
    assert by_name[names[2]].to_numpy() == pytest.approx((by_name[names[0]] - by_name[names[1]]).to_numpy())
    assert found.cards["s0-diswot"].source == tables.load("s0-diswot").card.source
    snip = found.correlations[found.correlations["proxy"] == "snip"].iloc[0]
    assert (snip["n"], snip["undefined"], snip["failed"]) == (4, 1, 1)
    again = results.load(run)
    pd.testing.assert_frame_equal(again.correlations, found.correlations)
    pd.testing.assert_frame_equal(again.evidence, found.evidence, check_dtype=False)
    pd.testing.assert_frame_equal(again.targets, found.targets)


@pytest.mark.parametrize("name", ["s0-diswot:vanilla", "s0-diswot:distilled", "s0-diswot"])
def test_the_vanilla_and_the_distilled_accuracy_bring_each_other(run: Path, name: str) -> None:
    found = results.correlate(run, (name,))
    assert set(found.targets["target"]) == {"s0-diswot:distilled", "s0-diswot:vanilla", "s0-diswot:gain"}


def test_a_table_of_the_users(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("cell,accuracy\n111,50\n113,60\n115,70\n333,\n777,65\n155,99\n")
    found = results.correlate(run, (str(path), "s0-diswot:vanilla"))
    s0 = [f"s0-diswot:{column}" for column in ("vanilla", "distilled", "gain")]
    assert list(dict.fromkeys(found.targets["target"])) == ["mine:accuracy", *s0]
    mine = found.correlations[found.correlations["target"] == "mine:accuracy"].set_index("proxy")
    assert mine["n"].to_dict() == {"params": 4, "snip": 3}
    assert mine["spearman"]["params"] == pytest.approx(0.8)
    assert math.isnan(mine["spearman"]["snip"])
    assert set(found.cards) == {"mine", "s0-diswot"}


def test_a_target_without_a_scored_cell(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("cell,accuracy\n155,99\n111,\n")
    with pytest.raises(InputError, match="targets: mine:accuracy has an accuracy for none of the 5 cells"):
        results.correlate(run, (str(path),))


def test_a_run_without_a_score(tmp_path: Path, settings: Settings) -> None:
    run_folder.claim(tmp_path, settings, registry.select("params"), device="cpu", plugins=())
    assert results.load(tmp_path).scores.empty
    with pytest.raises(InputError, match="none of the 0 cells evaluated"):
        results.correlate(tmp_path)
    run_folder.store_path(tmp_path).unlink()
    with pytest.raises(InputError, match=r"store: .* does not exist"):
        results.load(tmp_path)


@pytest.mark.parametrize("name", ["targets.csv", "correlations.csv", "evidence.csv", "cards.json", "method.json"])
def test_what_was_derived_is_made_anew_where_it_is_damaged(run: Path, name: str) -> None:
    expected = results.correlate(run)
    (run / name).write_bytes(b"\xff" if name == "targets.csv" else b"")
    with pytest.raises(InputError, match=f"run: .*{name} cannot be read: .*; `diswot correlate` makes it anew"):
        results.load(run)
    pd.testing.assert_frame_equal(results.correlate(run).correlations, expected.correlations)


def test_numbers_keep_all_their_digits(run: Path) -> None:
    found = results.correlate(run)
    info = json.loads(run_folder.info_path(run).read_text())
    assert info == found.info.stored()
    loaded = results.load(run)
    for name in ("pearson", "spearman", "regret"):
        assert loaded.correlations[name].tolist() == pytest.approx(found.correlations[name], abs=0, nan_ok=True)


def test_a_space_without_usual_targets_asks_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(spaces.SPACES._entries, "s0", replace(spaces.get("s0"), targets=()))
    with pytest.raises(InputError, match="targets: the search space s0 has no usual one; name a table"):
        results.default_targets("s0", [111])


def test_the_default_targets_are_those_that_know_enough_cells() -> None:
    trained = tables.load("nb201-kd").frame.index.tolist()
    others = [cell for cell in range(400) if cell not in trained]
    distilled, baseline = spaces.get("nb201").targets
    assert results.default_targets("nb201", trained[:3]) == (distilled,)
    assert results.default_targets("nb201", trained[:40] + others) == (distilled, baseline)
    assert results.default_targets("nb201", trained[:3] + others) == (baseline,)


def test_the_seeds_of_a_table_are_found_in_its_columns(tmp_path: Path, settings: Settings) -> None:
    cells = tables.load("nb201-kd").frame.dropna().index
    folder = tmp_path / "run"
    nb201 = settings.model_copy(update={"space": "nb201"})
    run_folder.claim(folder, nb201, registry.select("params"), device="cpu", plugins=())
    version = registry.get("params").version
    with Store(run_folder.store_path(folder), create=True) as store:
        store.write(
            Record("nb201", int(cell), "params", version, nb201.hash, 0, "ok", float(cell), None, 0.1) for cell in cells
        )
    found = results.correlate(folder)
    ceilings = found.evidence[found.evidence["subset"] == "all"].set_index("target")["ceiling"]
    assert list(ceilings.index) == [f"nb201-kd:{column}" for column in ("distilled", "vanilla", "gain")]
    assert ceilings["nb201-kd:vanilla"] > 0.8


def aimed(column: str, frame: pd.DataFrame) -> TargetAccuracies:
    return results.target_of(f"t:{column}", column, frame, frame.index.tolist(), spaces.get("nb201"))


def test_columns_whose_mean_is_not_the_accuracy_are_no_seeds() -> None:
    frame = pd.DataFrame({"a": [90.0, 91.0], "a-12": [60.0, 62.0], "a-200": [90.0, 91.0]}, index=[1, 2])
    assert aimed("a", frame).seeds.empty
    of_seeds = pd.DataFrame({"a": [90.0, 91.33], "a-0": [89.0, 91.33], "a-seed777": [91.0, None]}, index=[1, 2])
    assert list(results.target_of("t:a", "a", of_seeds, of_seeds.index, spaces.get("nb201")).seeds.columns) == [
        "0",
        "777",
    ]


def test_the_gain_is_paired_by_seed() -> None:
    frame = pd.DataFrame(
        {
            "vanilla": [50.0, 51.0],
            "vanilla-0": [48.0, 50.0],
            "vanilla-1": [52.0, 52.0],
            "distilled": [51.0, 52.0],
            "distilled-0": [51.0, 51.0],
            "distilled-1": [None, 53.0],
        },
        index=[1, 2],
    )
    pair = [
        results.target_of(f"t:{name}", name, frame, frame.index, spaces.get("nb201"))
        for name in ("distilled", "vanilla")
    ]
    (gain,) = results.gains(pair)
    assert gain.accuracies.to_dict() == {1: 3.0, 2: 1.0}


def test_two_files_of_one_name_are_refused_whatever_their_columns(run: Path, tmp_path: Path) -> None:
    paths = []
    for folder, column in (("a", "distilled"), ("b", "vanilla")):
        paths.append(tmp_path / folder / "kd.csv")
        paths[-1].parent.mkdir()
        paths[-1].write_text(f"cell,{column}\n111,50\n113,60\n")
    with pytest.raises(InputError, match=r"a/kd.csv and .*b/kd.csv would both be called kd; rename one"):
        results.correlate(run, tuple(map(str, paths)))


def test_correlate_says_which_answer_it_replaces(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results.correlate(run)
    results.correlate(run)
    assert "replaced" not in capsys.readouterr().err
    results.correlate(run, ("s0-diswot:vanilla",), metric="kendall")
    assert "the correlations with s0-diswot:distilled, s0-diswot:vanilla (spearman) are replaced" in (
        capsys.readouterr().err
    )


def test_with_intervals_keeps_every_row_of_the_correlations(run: Path) -> None:
    answered = results.correlate(run)
    wide = results.with_intervals(answered)
    pd.testing.assert_frame_equal(wide[list(CORRELATION_COLUMNS)], answered.correlations)
    assert {"low", "high", "n_functions"} <= set(wide.columns)


def test_table_counts_a_function_once_where_its_cells_share_one_accuracy() -> None:
    shared = tables.load("nb201-kd").frame
    assert aimed("distilled", shared).by_function
    each = tables.load("analog-nasbench").frame
    assert not aimed("baseline", each).by_function


def test_correlate_compares_two_distillations(run: Path, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "distillation.json").write_text("{}")
        (tmp_path / folder / "accuracies.csv").write_text("cell,distilled\n111,50\n113,60\n")
    names = [f"{tmp_path / folder / 'accuracies.csv'}:distilled" for folder in ("one", "two")]
    correlations = results.correlate(run, tuple(names)).correlations
    assert set(correlations["target"]) == {"one:distilled", "two:distilled"}


def test_correlate_says_that_fractions_are_read_as_percent(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.csv").write_text("cell,acc,gain,percent\n111,0.5,0.5,50\n113,0.6,0.6,60\n")
    targets = results.correlate(run, (str(tmp_path / "t.csv"),)).targets
    assert targets[targets["target"] == "t:acc"]["accuracy"].tolist() == [0.5, 0.6]
    said = "t:acc: all accuracies lie within 0 and 1 and are read as percent; if they are fractions, "
    assert capsys.readouterr().err == f"{said}multiply them by 100.\n"


def test_correlate_refuses_accuracies_above_100(run: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("cell,acc,latency\n111,5000,5000\n113,60,60\n")
    with pytest.raises(InputError, match="targets: t:acc is 5000 for cell 111, and accuracies are percent, 0 to 100;"):
        results.correlate(run, (str(tmp_path / "t.csv"),))
    assert len(results.correlate(run, (f"{tmp_path / 't.csv'}:latency",)).targets) == 2
