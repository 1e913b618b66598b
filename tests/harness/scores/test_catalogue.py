from __future__ import annotations

import json
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from diswot.benchmarks.errors import InputError
from diswot.harness.runs import answers, results
from diswot.harness.runs.precomputed import catalogue
from diswot.harness.runs.precomputed.catalogue import Precomputed

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[3]


def test_no_set_needs_no_folder(shelf: Path) -> None:
    assert not shelf.exists()
    assert catalogue.names() == ()
    with pytest.raises(InputError, match="'nb201' is not known; this version has no precomputed scores"):
        catalogue.load("nb201")


def test_precomputed_holds_what_the_run_holds(finished: Path, shipped: Precomputed) -> None:
    expected = results.load(finished).scores
    found = shipped.frame()
    assert list(found) == list(expected)
    pd.testing.assert_frame_equal(found.drop(columns="seconds"), expected.drop(columns="seconds"), check_exact=True)
    assert found["cause"].dropna().tolist() == ["no reason"]
    # Three digits: off by at most half a unit in the third, which is 0.5 % of the smallest number with this exponent.
    assert found["seconds"].to_numpy() == pytest.approx(expected["seconds"].to_numpy(), rel=5e-3)


def test_some_proxies_can_be_read_alone(shipped: Precomputed) -> None:
    whole = shipped.frame()
    part = whole[whole["proxy"] == "nwot"].reset_index(drop=True)
    pd.testing.assert_frame_equal(shipped.frame(["nwot"]), part, check_exact=True)


def test_precomputed_are_found_by_name(shipped: Precomputed) -> None:
    assert catalogue.names() == (shipped.name,)
    assert catalogue.load(shipped.name).card == shipped.card
    with pytest.raises(InputError, match="scores: 's0-nois' is not known; did you mean 's0-noise'"):
        catalogue.load("s0-nois")


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(path.read_bytes()[:-1]), Path.unlink])
def test_a_damaged_file_is_told(shipped: Precomputed, damage: Callable[[Path], Any]) -> None:
    damage(shipped.path)
    with pytest.raises(
        InputError, match=r"s0-noise\.parquet is missing or damaged, .* or evaluate with --no-shipped\."
    ):
        shipped.frame()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda card: {**card, "schema": 2}, "has schema 2; this version reads 1"),
        (lambda card: [], "has schema None"),
        (
            lambda card: {"schema": 1, **{k: v for k, v in card.items() if k not in ("seeds",)}},
            "is damaged: it lacks seeds",
        ),
        (None, "cannot be read"),
    ],
)
def test_a_damaged_card_is_told(shipped: Precomputed, change: Callable[[Any], Any] | None, says: str) -> None:
    path = catalogue.card_path(shipped.name)
    path.write_text("{" if change is None else json.dumps(change(shipped.card.stored())))
    with pytest.raises(InputError, match=rf"scores: .*s0-noise\.card\.json {says}"):
        catalogue.load(shipped.name)


def test_what_is_shipped_is_whole_and_small_enough_for_a_wheel() -> None:
    files = sorted(path for path in catalogue.FOLDER.rglob("*") if path.is_file())
    assert sum(path.stat().st_size for path in files) < 20 * 2**20
    named = [catalogue.load(name) for name in catalogue.names()]
    for one in named:
        assert len(one.frame()) == one.card.scores
    known = {path(one.name) for one in named for path in (catalogue.data_path, catalogue.card_path)}
    of_answers = [path for one in named for path in (catalogue.folder(one.name) / "answers").glob("*.parquet")]
    assert len(of_answers) == len(answers.TABLES) * len(named)
    known |= set(of_answers)
    # What proxies cost is measured by `diswot bench`, and may come with a set.
    known |= {path for one in named if (path := catalogue.FOLDER / f"{one.name}.costs.csv") in files}
    assert set(files) == known, "`diswot scores pack` writes the other four files of a set"


def test_the_package_holds_its_sets() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    held = project["tool"]["setuptools"]["package-data"]["diswot.harness.runs.precomputed"]
    answer = catalogue.folder("x") / "answers" / "0.evidence.parquet"
    for path in (catalogue.data_path("x"), catalogue.card_path("x"), answer):
        relative = path.relative_to(Path(catalogue.__file__).parent)
        assert any(fnmatch(relative.as_posix(), pattern) for pattern in held)
