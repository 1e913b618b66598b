from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from diswot.benchmarks import spaces
from diswot.benchmarks.errors import InputError
from diswot.harness import evidence
from diswot.harness.evidence import table
from diswot.harness.evidence.table import TargetAccuracies
from diswot.harness.runs import answers, packing, results, run_folder
from diswot.harness.runs.precomputed import catalogue
from diswot.harness.runs.precomputed.catalogue import Precomputed

#: What a table of evidence takes from the record of a proxy.
SHOWN = ("name", "family", "direction")

FILES = ("targets.csv", "correlations.csv", "evidence.csv", "cards.json")


def test_kept_evidence_is_what_would_be_computed(
    finished: Path, shipped: Precomputed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_run = tmp_path / "run"
    shutil.copytree(finished, of_run)
    computed = results.correlate(of_run)
    assert packing.keep_evidence(shipped.name)
    assert not packing.keep_evidence(shipped.name)
    monkeypatch.setattr(table, "tables", lambda *_: pytest.fail("it was kept"))
    folder = run_folder.show(shipped, tmp_path)
    found = results.correlate(folder)
    assert found.method.kept
    pd.testing.assert_frame_equal(found.correlations, computed.correlations, check_dtype=False, check_exact=True)
    pd.testing.assert_frame_equal(found.evidence, computed.evidence, check_dtype=False, check_exact=True)
    for name in FILES:
        assert (folder / name).read_bytes() == (of_run / name).read_bytes()


def test_another_question_is_computed(shipped: Precomputed, tmp_path: Path) -> None:
    packing.keep_evidence(shipped.name)
    folder = run_folder.show(shipped, tmp_path)
    found = results.correlate(folder, metric="kendall")
    assert not found.method.kept
    assert set(found.evidence["metric"]) == {"kendall"}
    assert results.correlate(folder, ("s0-diswot:distilled",)).method.kept  # what the default stands for


def question(one: Precomputed, targets: list[TargetAccuracies], metric: str, undefined: str, space: str = "s0") -> str:
    proxies = pd.DataFrame(map(dict, one.card.proxies))
    return answers.question(one.data_hash, proxies, targets, metric, undefined, spaces.get(space))


def test_a_question_depends_on_all_that_an_answer_does(
    shipped: Precomputed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accuracies = pd.Series([1.0, 2.0], index=[111, 113])
    target = TargetAccuracies("a:b", accuracies, pd.DataFrame({"0": accuracies}))
    other = Precomputed(shipped.name, shipped.path, shipped.card.model_copy(update={"data_hash": "0"}))
    asked = [
        question(shipped, [target], "spearman", "worst"),
        question(other, [target], "spearman", "worst"),
        *(question(with_proxy(shipped, **{key: "x"}), [target], "spearman", "worst") for key in SHOWN),
        question(shipped, [target, target], "spearman", "worst"),
        question(shipped, [replace(target, name="a:c")], "spearman", "worst"),
        question(shipped, [replace(target, accuracies=accuracies + 1e-9)], "spearman", "worst"),
        question(shipped, [replace(target, accuracies=accuracies.set_axis([111, 115]))], "spearman", "worst"),
        question(shipped, [replace(target, seeds=target.seeds + 1)], "spearman", "worst"),
        question(shipped, [target], "kendall", "worst"),
        question(shipped, [replace(target, by_function=True)], "spearman", "worst"),
        question(shipped, [target], "spearman", "omit"),
        question(shipped, [target], "spearman", "worst", "nb201"),
    ]
    assert question(shipped, [target], "spearman", "worst") == asked[0]
    code = tmp_path / "evidence"
    shutil.copytree(Path(evidence.__file__).parent, code)
    with (code / "metrics.py").open("a") as file:
        file.write("# changed\n")
    monkeypatch.setattr(evidence, "__file__", str(code / "__init__.py"))
    asked.append(question(shipped, [target], "spearman", "worst"))
    assert len(set(asked)) == len(asked)


def with_proxy(one: Precomputed, **changes: str) -> Precomputed:
    """The set with another record of its first proxy."""
    first, *others = one.card.proxies
    return replace(one, card=one.card.model_copy(update={"proxies": [first.model_copy(update=changes), *others]}))


def test_a_corrected_direction_reaches_the_answer(shipped: Precomputed, tmp_path: Path) -> None:
    packing.keep_evidence(shipped.name)
    folder = run_folder.show(shipped, tmp_path)
    before = results.correlate(folder)
    corrected = with_proxy(shipped, direction="lower")
    catalogue.card_path(shipped.name).write_text(json.dumps(corrected.card.stored()))
    with pytest.raises(InputError, match=r"shows s0-noise as another version shipped it; `diswot correlate s0-noise`"):
        results.load(folder)
    assert run_folder.show(corrected, tmp_path) == folder
    assert results.load(folder).evidence.empty
    after = results.correlate(folder)
    assert not after.method.kept
    name = corrected.card.proxies[0].name
    old, new = (of.correlations.set_index("proxy").loc[[name], "spearman"].to_numpy() for of in (before, after))
    assert new == pytest.approx(-old, abs=1e-12)  # the same ranks from the other end


def test_precomputed_without_evidence_is_judged(shipped: Precomputed, tmp_path: Path) -> None:
    assert not results.correlate(run_folder.show(shipped, tmp_path)).method.kept


@pytest.mark.parametrize(
    "damage",
    [
        lambda evidence, correlations: evidence.unlink(),
        lambda evidence, correlations: correlations.write_bytes(b"PAR1"),
    ],
)
def test_damaged_evidence_is_computed_again(
    shipped: Precomputed, tmp_path: Path, damage: Callable[[Path, Path], Any]
) -> None:
    packing.keep_evidence(shipped.name)
    before = results.correlate(run_folder.show(shipped, tmp_path / "before"))
    found = [*catalogue.folder(shipped.name).glob("answers/*")]
    damage(*(next(path for path in found if table in path.name) for table in ("evidence", "correlations")))
    after = results.correlate(run_folder.show(shipped, tmp_path / "after"))
    assert before.method.kept
    assert not after.method.kept
    pd.testing.assert_frame_equal(after.evidence, before.evidence, check_exact=True)


def test_the_evidence_of_what_is_shipped_is_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def judge(*_: object) -> None:
        raise AssertionError("`diswot scores judge NAME` brings the evidence of a set up to date")

    monkeypatch.setattr(table, "tables", judge)
    shown = [run_folder.show(catalogue.load(name), tmp_path) for name in catalogue.names()]
    kept_with = [results.correlate(run).method.kept for run in shown]
    assert all(kept_with)
