"""Published figures: the file that ships, and a run beside them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import diswot
from diswot.benchmarks.errors import InputError
from diswot.harness.cli.published import shown
from diswot.harness.runs import published, results
from diswot.harness.runs.published import Accuracy, Figure

STORED = Path(__file__).with_name("stored_run")

FIGURE = Figure(
    proxy="nwot",
    space="s0",
    subset="all",
    accuracy=Accuracy("cifar100", "distilled", None),
    metric="kendall",
    figure=0.3187,
    images="cifar100",
    seeds="5",
    undefined="worst",
    source="a paper",
    place="table 1",
    explanation="",
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of params and nwot on networks of S0."""
    return Path(shutil.copytree(STORED, tmp_path / "run"))


@pytest.mark.parametrize("figure", published.figures(), ids=lambda one: f"{one.proxy}-{one.source}-{one.metric}")
def test_shipped_figure_is_of_known_accuracies(figure: Figure) -> None:
    # What the names must be is checked where the file is read.
    official = Accuracy("cifar10", "test", 200), Accuracy("cifar10-valid", "test", 200), Accuracy("cifar10", "val", 200)
    hundred = [Accuracy(name, split, 200) for name in ("cifar100", "imagenet16-120") for split in ("test", "val")]
    of_s0 = [Accuracy("cifar100", split, None) for split in ("vanilla", "distilled")]
    assert figure.accuracy in (of_s0 if figure.space == "s0" else [*official, *hundred])
    assert not figure.explanation.endswith(".")


def test_shipped_figures_are_each_there_once() -> None:
    keys = [(*vars(replace(one, figure=0, explanation="")).values(),) for one in published.figures()]
    assert len(keys) == len(set(keys)) > 300


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"proxy": "nwott"}, "did you mean 'nwot'"),
        ({"subset": "reachable"}, "subset"),
        ({"metric": "spearmen"}, "metric"),
        ({"images": "cifar"}, "did you mean 'cifar10'"),
        ({"figure": 1.2}, "no correlation"),
        ({"figure": float("nan")}, "no correlation"),
        ({"seeds": "five"}, "seeds 'five'"),
        ({"place": ""}, "no place"),
        ({"undefined": "best"}, "undefined"),
        ({"accuracy": Accuracy("cifar1000", "test", 200)}, "data_set"),
        ({"accuracy": Accuracy("cifar10", "tset", 200)}, "split"),
    ],
)
def test_figure_refuses_unknown_names(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        replace(FIGURE, **changes)


def test_wrong_line_of_the_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head, *lines = published.FILE.read_text().splitlines()
    broken = tmp_path / "published.csv"
    broken.write_text("\n".join([head, lines[0], lines[1].replace("spearman", "rho").replace("kendall", "rho")]))
    monkeypatch.setattr(published, "FILE", broken)
    published.figures.cache_clear()
    with pytest.raises(InputError, match=r"line 3 of published\.csv is wrong: .*metric"):
        published.figures()
    monkeypatch.undo()
    published.figures.cache_clear()


@pytest.mark.parametrize(
    ("target", "accuracy"),
    [
        ("nb201:cifar10-valid-test", Accuracy("cifar10-valid", "test", 200)),
        ("mine:imagenet16-120-test-12", Accuracy("imagenet16-120", "test", 12)),
        ("analog-nasbench:baseline", Accuracy("cifar10", "test", 200, "analog-nasbench")),
        ("mine:latency", None),
    ],
)
def test_accuracy_of_target(target: str, accuracy: Accuracy | None) -> None:
    assert published.accuracy_of(target) == accuracy


def test_compared_gives_difference_and_settings_that_differ(run: Path) -> None:
    correlated = results.correlate(run, ("s0-diswot:distilled",))
    evidence = correlated.evidence
    (ours,) = evidence.loc[(evidence["proxy"] == "nwot") & (evidence["target"] == "s0-diswot:distilled"), "kendall"]
    (found,) = published.compared(correlated, [FIGURE]).to_dict("records")
    assert found["difference"] == pytest.approx(ours - 0.3187)
    assert (found["proxy"], found["target"], found["published"]) == ("nwot", "s0-diswot:distilled", 0.3187)
    assert "images noise (published: cifar100)" in found["details"]
    assert "images" in found["differs"].split(", ")
    assert pd.isna(found["low"])  # the interval is that of Spearman's


def test_compared_marks_what_was_not_stated(run: Path) -> None:
    found = published.compared(results.correlate(run), [replace(FIGURE, images="", seeds="")]).iloc[0]
    assert {"images?", "seeds?"} <= set(found["differs"].split(", "))
    free = published.compared(results.correlate(run), [replace(FIGURE, images="none", seeds="any")]).iloc[0]
    assert not {"images", "images?", "seeds"} & set(free["differs"].split(", "))


def test_compared_explains_large_differences_only(run: Path) -> None:
    correlated = results.correlate(run)
    ours = published.compared(correlated, [FIGURE])["ours"].iloc[0]
    for away, text, said in (
        (0.02, "the images", ""),
        (0.2, "the images", "the images"),
        (0.2, "", published.UNEXPLAINED),
    ):
        figure = replace(FIGURE, figure=ours - away, explanation=text)
        assert published.compared(correlated, [figure])["explanation"].tolist() == [said]


def test_compared_leaves_out_what_the_run_lacks(run: Path) -> None:
    correlated = results.correlate(run)
    others = [
        replace(FIGURE, proxy="meco"),
        replace(FIGURE, space="nb201"),
        replace(FIGURE, accuracy=Accuracy("cifar10", "test", 200)),
    ]
    assert published.compared(correlated, others).empty


def test_compared_takes_the_closest_target() -> None:
    targets = {
        "analog-nasbench:baseline": published.accuracy_of("analog-nasbench:baseline"),
        "nb201:cifar10-valid-test": published.accuracy_of("nb201:cifar10-valid-test"),
    }
    closest = published._closest
    assert closest(replace(FIGURE, accuracy=Accuracy("cifar10-valid", "test", 200)), targets) == (
        "nb201:cifar10-valid-test"
    )
    assert closest(replace(FIGURE, accuracy=Accuracy("cifar10", "test", 200)), targets) == "analog-nasbench:baseline"
    assert closest(FIGURE, targets) is None


def test_run_published_is_the_table_of_compared(run: Path) -> None:
    found = diswot.load(run).published(metric="kendall")
    assert list(found.columns) == list(published.COLUMNS)
    assert sorted(found["target"]) == ["s0-diswot:distilled", "s0-diswot:vanilla"]
    pd.testing.assert_frame_equal(found, published.compared(results.load(run)))


def test_cli_shows_published_figures(cli: Callable[..., Any], run: Path, tmp_path: Path) -> None:
    written = tmp_path / "published.csv"
    answer = cli("correlate", run, "--published", "--metric", "kendall", "--out", written)
    assert answer.status == 0
    assert "DisWOT, CVPR 2023 (figure 1" in answer.out
    assert "+0.319" in answer.out
    assert max(map(len, answer.out.splitlines())) <= 100
    table = pd.read_csv(written)
    assert list(table.columns) == [*published.COLUMNS, "run"]
    as_json = cli("correlate", run, "--published", "--metric", "kendall", "--json")
    assert [one["published"] for one in json.loads(as_json.out)] == table["published"].tolist()


def test_cli_shows_no_correlation_of_few_functions(run: Path) -> None:
    correlated = results.correlate(run, metric="kendall")
    table = published.compared(correlated)
    ours = f" {table['ours'].iloc[0]:+.3f} "
    assert ours in shown(correlated, table.assign(n_functions=10), None)
    assert ours not in shown(correlated, table.assign(n_functions=9), None)


def test_cli_says_where_nothing_was_published(cli: Callable[..., Any], run: Path) -> None:
    answer = cli("correlate", run, "--published")
    assert answer.status == 0
    assert "No figure was published" in answer.out
