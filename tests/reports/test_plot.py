"""`diswot.plot`: the numbers that are drawn are those of the evidence."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import diswot
from diswot.benchmarks.errors import InputError
from diswot.harness.runs.results import Results
from diswot.reports.figures import recall

DISTILLED, VANILLA = "s0-diswot:distilled", "s0-diswot:vanilla"
PROXIES = ["snip", "zen", "nwot", "meco"]


@pytest.fixture(autouse=True)
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    plt.switch_backend("agg")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def results(
    make: Callable[..., Results], searched: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Results:
    run = make(tmp_path_factory.mktemp("plot") / "s0", names=PROXIES, cells=30, seeds=2, trainings=2)
    return replace(run, search=searched(drivers=("meco", "zen"), teachers=("resnet20",), targets=(DISTILLED,)))


def evidence(results: Results, target: str = DISTILLED) -> pd.DataFrame:
    found = results.evidence[(results.evidence["subset"] == "all") & (results.evidence["target"] == target)]
    return found.set_index("proxy")


def names(axes: Axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


def widths(axes: Axes) -> list[float]:
    return [float(bar.get_width()) for bar in axes.patches]


def legend(axes: Axes) -> list[str]:
    return [text.get_text() for text in (axes.get_legend() or axes.figure.legends[0]).get_texts()]


@pytest.mark.parametrize("name", diswot.plot.__all__)
def test_every_function_draws_onto_new_and_onto_given_axes(results: Results, name: str) -> None:
    draw = getattr(diswot.plot, name)
    settings = dict(mpl.rcParams)
    axes = draw(SimpleNamespace(results=results))
    axes.figure.draw_without_rendering()
    assert dict(mpl.rcParams) == settings
    _, given = plt.subplots()
    assert draw(results, ax=given) is given
    assert given.has_data()


@pytest.fixture(scope="module")
def only_vanilla(make: Callable[..., Results], tmp_path_factory: pytest.TempPathFactory) -> Results:
    return make(tmp_path_factory.mktemp("vanilla") / "s0", names=PROXIES, cells=10, targets=[VANILLA])


@pytest.fixture(scope="module")
def long_named(
    make: Callable[..., Results], searched: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Results:
    proxies = [f"a_proxy_whose_name_goes_on_and_on_{number}_until_$x^2$ nothing_fits" for number in range(4)]
    columns = ("distilled", "vanilla", "quantised_after_training", "noisy")
    targets = [*(f"table-with-a-name-of-some-length:{column}" for column in columns), "analog-nasbench:baseline"]
    run = make(tmp_path_factory.mktemp("long") / "s0", names=proxies, cells=30, targets=targets, trainings=2)
    return replace(run, search=searched(drivers=proxies, targets=targets[:2]))


@pytest.mark.parametrize("name", diswot.plot.__all__)
def test_nothing_is_cut_off_however_long_names_are(
    long_named: Results, name: str, assert_legible: Callable[[Figure], None]
) -> None:
    draw = getattr(diswot.plot, name)
    target = next(iter(long_named.evidence["target"]))
    several = {"targets": [target]} if name in ("bars", "heatmap") else {"target": target}
    labels = {target: "the target " * 12, long_named.evidence["proxy"].iloc[0]: "a label " * 12}
    for options in ({}, several, {**several, "labels": labels}):
        assert_legible(draw(long_named, **options).figure)


def test_bars_name_a_target_whole_where_it_has_room(long_named: Results) -> None:
    label = diswot.plot.bars(long_named, target="analog-nasbench:baseline").get_xlabel()
    assert label == "Spearman correlation with analog-nasbench:baseline"


def test_bars_are_the_correlations_best_first(results: Results) -> None:
    axes = diswot.plot.bars(results, target=DISTILLED)
    expected = evidence(results)["spearman"].sort_values(ascending=False)
    assert names(axes) == list(expected.index)
    assert widths(axes) == pytest.approx(list(expected))
    whiskers = axes.containers[1].lines[2][0].get_segments()
    drawn = [tuple(line[:, 0]) for line in whiskers]
    assert np.allclose(drawn, evidence(results).loc[expected.index, ["low", "high"]].to_numpy(float))


def test_bars_honour_proxies_order_and_labels(results: Results) -> None:
    axes = diswot.plot.bars(
        results,
        targets=[VANILLA, DISTILLED],
        proxies=["zen", "snip"],
        order="given",
        labels={"zen": "Zen-NAS", VANILLA: "trained alone"},
    )
    assert names(axes) == ["Zen-NAS", "snip"]
    expected = [evidence(results, target).loc[["zen", "snip"], "spearman"] for target in (VANILLA, DISTILLED)]
    assert widths(axes) == pytest.approx(list(pd.concat(expected)))
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["trained alone", "distilled"]


def test_scatter_draws_ranks_and_marks_the_most_accurate_cells(results: Results) -> None:
    axes = diswot.plot.scatter(results, proxy="zen", target=DISTILLED, annotate=10, labels={"zen": "Zen-NAS"})
    stated = evidence(results).loc["zen", ["spearman", "spearman_std"]]
    assert axes.get_title().startswith(f"Zen-NAS\nSpearman {stated.iloc[0]:.3f} ± {stated.iloc[1]:.3f}   Kendall 0.")
    drawn = axes.collections[0].get_offsets()
    scores = results.scores[results.scores["proxy"] == "zen"].sort_values(["seed", "cell"])
    assert list(drawn[:, 0]) == list(scores.groupby("seed")["value"].rank(ascending=False))
    accuracies = results.targets[results.targets["target"] == DISTILLED].set_index("cell")["accuracy"]
    written = [text.get_text() for text in axes.texts if text.get_text()]
    assert written == [str(cell) for cell in accuracies.nlargest(10).index[::-1]]


def test_scatter_is_of_the_best_scored_proxy_by_default(results: Results) -> None:
    best = evidence(results).loc[PROXIES, "spearman"].idxmax()
    assert diswot.plot.scatter(results).get_title().split("\n")[0] == best


def test_heatmap_holds_the_correlations_between_proxies(results: Results) -> None:
    axes = diswot.plot.heatmap(results, proxies=["zen", "snip"], order="given")
    assert names(axes) == ["zen", "snip"]
    wide = results.scores.pivot_table(index=["seed", "cell"], columns="proxy", values="value")
    expected = np.mean([part.corr(method="spearman").loc["zen", "snip"] for _, part in wide.groupby("seed")])
    assert axes.images[0].get_array()[0, 1] == pytest.approx(expected)
    assert sorted(names(diswot.plot.heatmap(results))) == sorted(PROXIES)


def test_heatmap_with_targets_holds_the_correlations_with_them(results: Results) -> None:
    axes = diswot.plot.heatmap(results, targets=[VANILLA, DISTILLED], proxies=PROXIES, order="given")
    expected = np.stack([evidence(results, target).loc[PROXIES, "spearman"] for target in (VANILLA, DISTILLED)], 1)
    assert np.allclose(axes.images[0].get_array(), expected)


def test_recall_draws_a_curve_a_proxy_that_ends_at_one(results: Results) -> None:
    axes = diswot.plot.recall(results, proxies=["zen", "snip"], order="given", labels={"zen": "Zen-NAS"})
    assert legend(axes) == ["Zen-NAS", "snip", "chance"]
    assert [line.get_ydata()[-1] for line in axes.lines] == [1, 1, 1]


def test_recall_and_the_report_choose_alike(run: Callable[..., Results]) -> None:
    results = run(names=[*"abcdefgh"], cells=20)
    scores = results.scores.set_index("proxy")["value"]
    results.scores.loc[results.scores["proxy"] == "b", "value"] = np.exp(scores["a"].to_numpy())
    drawing = recall.drawings(results)[0]
    shown = list(drawing.data["proxy"].unique())
    assert len(shown) == 6
    assert len({"a", "b"} & set(shown)) == 1
    assert re.search("; (b ranks the cells exactly as a|a ranks the cells exactly as b)", drawing.caption)
    assert legend(diswot.plot.recall(results)) == [*shown, "chance"]
    assert legend(diswot.plot.recall(results, proxies=["a", "b"], order="given")) == ["a", "b", "chance"]


def test_recall_and_scatter_draw_ensembles(run: Callable[..., Results]) -> None:
    results = run(names=["diswot_semantic", "diswot_relation"], cells=12)
    axes = diswot.plot.recall(results, proxies=["diswot_rank"])
    assert legend(axes) == ["diswot_rank", "chance"]
    axes = diswot.plot.scatter(results, proxy="diswot_rank")
    ranks, accuracies = np.asarray(axes.collections[0].get_offsets()).T
    assert np.corrcoef(ranks, accuracies)[0, 1] == pytest.approx(evidence(results).loc["diswot_rank", "spearman"])


def test_cost_draws_relative_costs_against_correlations(results: Results) -> None:
    axes = diswot.plot.cost(results, target=VANILLA)
    costs = pd.read_csv(results.folder / "costs.csv").set_index("name")["relative_cost"]
    dots = [point for line in axes.lines if line.get_marker() == "o" for point in zip(*line.get_data(), strict=True)]
    expected = [(costs[name], evidence(results, VANILLA).loc[name, "spearman"]) for name in PROXIES]
    assert np.allclose(sorted(dots), sorted(expected))


def test_over_vanilla_draws_the_paired_differences(results: Results) -> None:
    axes = diswot.plot.over_vanilla(results, proxies=["zen", "snip"], order="given")
    assert names(axes) == ["zen", "snip"]
    dots = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]
    assert dots == pytest.approx(list(evidence(results).loc[["zen", "snip"], "over_vanilla"]))


def test_trajectories_draw_the_curves_of_evolution(results: Results) -> None:
    axes = diswot.plot.trajectories(results, proxies=["zen"], labels={"zen": "Zen-NAS"})
    assert results.search is not None
    curves = results.search.curves.query("driver == 'zen' and algorithm == 'evolution' and quantity == @DISTILLED")
    assert any(np.allclose(line.get_ydata(), curves["mean"]) for line in axes.lines if len(line.get_ydata()) > 2)
    assert "Zen-NAS" in [text.get_text() for text in axes.texts]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda run: diswot.plot.bars(run, target="s0-diswot:destilled"), "target: .* did you mean 's0-diswot:dis"),
        (lambda run: diswot.plot.heatmap(run, targets=["s0-diswot:vanila"]), "targets: .* did you mean 's0-diswot:van"),
        (lambda run: diswot.plot.bars(run, target="nb201-kd:vanilla"), "target: 'nb201-kd:vanilla' is not known"),
        (lambda run: diswot.plot.bars(run, labels={"zenn": "Zen"}), "labels: 'zenn' is not known; did you mean 'zen'"),
        (lambda run: diswot.plot.bars(run, proxies=["zenn"]), "proxies: 'zenn' is not known; did you mean 'zen'"),
        (lambda run: diswot.plot.bars(run, proxies=[]), "proxies: the list is empty"),
        (lambda run: diswot.plot.heatmap(run, order="values"), "order: 'values' is not known; did you mean 'value'"),
        (lambda run: diswot.plot.scatter(run, proxy="snap"), "proxy: 'snap' is not known; did you mean 'snip'"),
        (lambda run: diswot.plot.recall(run, seed=7), "seed: '7' is not known"),
        (lambda run: diswot.plot.trajectories(run, proxies=["mecco"]), "did you mean 'meco'"),
        (lambda run: diswot.plot.trajectories(replace(run, search=None)), "holds no search; run `diswot search"),
        (lambda run: diswot.plot.cost(replace(run, folder=run.folder / "no")), "no costs; run `diswot bench --out"),
        (lambda run: diswot.plot.bars(replace(run, evidence=run.evidence[:0])), "no correlation; run `run.correlate"),
    ],
)
def test_what_is_not_there_is_refused_in_a_sentence(
    results: Results, call: Callable[[Results], Axes], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        call(results)


@pytest.mark.parametrize("name", [name for name in diswot.plot.__all__ if name != "trajectories"])
def test_a_target_that_the_run_lacks_names_the_command(only_vanilla: Results, name: str) -> None:
    several = name == "heatmap"
    options = {"targets": [DISTILLED]} if several else {"target": DISTILLED}
    sentence = f"the run was not correlated with {DISTILLED}; run `run.correlate(['{DISTILLED}'])` first."
    with pytest.raises(InputError, match=re.escape(f"target{'s' * several}: {sentence}")):
        getattr(diswot.plot, name)(only_vanilla, **options)


def test_a_target_that_the_search_lacks_names_the_command(results: Results) -> None:
    sentence = f"target: the search does not know {VANILLA}; run `run.search('meco', targets=['{VANILLA}'])` first."
    with pytest.raises(InputError, match=re.escape(sentence)):
        diswot.plot.trajectories(results, target=VANILLA)


@pytest.mark.parametrize("name", ["nwot", "log_rank_6", DISTILLED, "nb201-kd:distilled", "zen"])
def test_labels_of_the_registry_and_of_tables_are_known(results: Results, name: str) -> None:
    assert diswot.plot.recall(results, proxies=["zen"], labels={name: "a label"}).has_data()


@pytest.mark.parametrize("name", diswot.plot.__all__)
def test_every_function_refuses_the_label_of_nothing(results: Results, name: str) -> None:
    with pytest.raises(InputError, match=r"^labels: 's0-diswot:destilled' is not known; did you mean '"):
        getattr(diswot.plot, name)(results, labels={"s0-diswot:destilled": "KD"})


def test_over_vanilla_takes_a_table_with_both_accuracies(run: Callable[..., Results]) -> None:
    with pytest.raises(InputError, match="both a distilled and a vanilla accuracy"):
        diswot.plot.over_vanilla(run(targets=[VANILLA]))


def test_new_axes_look_the_same_when_ticks_are_added_later(results: Results) -> None:
    axes = diswot.plot.recall(results)
    with mpl.rc_context({"ytick.labelsize": 30, "ytick.major.width": 9}):
        axes.set_yticks(np.linspace(0, 1, 30))
        axes.figure.draw_without_rendering()
    assert {label.get_fontsize() for label in axes.get_yticklabels()} == {7}


def test_the_example_of_the_docs_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "paper-figures.md").read_text(encoding="utf-8")
    example = page.split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    exec(example, {})
    assert all((tmp_path / name).stat().st_size for name in ("bars.pdf", "both.pdf"))


def test_importing_plot_loads_no_matplotlib() -> None:
    code = "import sys, diswot; diswot.plot; print(sorted({'matplotlib', 'pandas', 'torch'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
