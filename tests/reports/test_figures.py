from __future__ import annotations

import re
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from reports import canvas, figures, typography

TARGET = "s0-diswot:distilled"
LONG = [f"a_proxy_whose_name_goes_on_and_on_{number}_until_$x^2$ nothing_fits" for number in range(6)]
LONG_TARGETS = [
    *(
        f"table-with-a-name-of-some-length:{column}"
        for column in ("baseline", "quantised_after_training", "noisy", "analog")
    ),
    "another:vanilla",
]
CASES: dict[str, dict[str, Any]] = {
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


def texts(figure: Figure) -> list[Text]:
    found = list(figure.texts)
    for axes in figure.axes:
        titles = [child for child in axes.get_children() if isinstance(child, Text)]
        legend = axes.get_legend()
        found += [axes.xaxis.label, axes.yaxis.label, *titles, *(legend.get_texts() if legend else [])]
        found += [*labels(axes.xaxis), *labels(axes.yaxis)]
    return [text for text in found if text.get_visible() and text.get_text().strip()]


def labels(axis: Axis) -> list[Text]:
    low, high = sorted(axis.get_view_interval())
    ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    return [label for tick in ticks for label in (tick.label1, tick.label2)]


def assert_legible(figure: Figure) -> None:
    for dpi in (100, 150, 300):
        figure.set_dpi(dpi)
        figure.draw_without_rendering()
        found = [(text.get_text(), text.get_window_extent()) for text in texts(figure)]
        page = figure.bbox
        for words, box in found:
            assert box.x0 >= page.x0, f"{words!r} is clipped on the left at {dpi} dpi"
            assert box.x1 <= page.x1, f"{words!r} is clipped on the right at {dpi} dpi"
            assert box.y0 >= page.y0, f"{words!r} is clipped at the foot at {dpi} dpi"
            assert box.y1 <= page.y1, f"{words!r} is clipped at the head at {dpi} dpi"
        for (one, first), (other, second) in combinations(found, 2):
            shared = Bbox.intersection(first, second)
            # Boxes hold the room for the tails of letters that a line need not have: a fifth of a line may be shared.
            room = 0.2 * min(first.height, second.height)
            overlap = shared is not None and min(shared.width, shared.height) > room
            assert not overlap, f"{one!r} and {other!r} overlap at {dpi} dpi"
    assert min(text.get_fontsize() for text in figure.findobj(Text)) >= 7


@pytest.mark.parametrize("case", CASES)
def test_bars_are_legible(run: Callable[..., Any], case: str) -> None:
    assert_legible(figures.correlation_bars(run(**CASES[case])))


@pytest.mark.parametrize("case", CASES)
def test_scatter_is_legible(run: Callable[..., Any], case: str) -> None:
    results = run(**CASES[case])
    first = results.correlations.iloc[0]
    last = results.correlations.iloc[-1]
    for row in (first, last):
        assert_legible(figures.rank_scatter(results, row["proxy"], row["target"]))


def test_thirty_two_proxies_are_legible(run: Callable[..., Any], proxies: tuple[str, ...]) -> None:
    results = run(names=proxies, cells=64, seeds=3, undefined_share=0.05)
    figure = figures.correlation_bars(results)
    assert_legible(figure)
    assert figure.get_size_inches()[0] == pytest.approx(canvas.SINGLE_COLUMN)
    names = [label.get_text().removeprefix("† ") for label in figure.axes[0].get_yticklabels()]
    assert sorted(names) == sorted(proxies)
    assert names == list(dict.fromkeys(figures.bar_data(results)["proxy"]))


def test_bars_and_whiskers_show_mean_and_deviation_over_seeds(run: Callable[..., Any]) -> None:
    results = run(names=["snip"], cells=20, seeds=3)
    rho = results.correlations.loc[results.correlations["target"] == TARGET, "spearman"]
    row = figures.bar_data(results).iloc[0]
    assert row["spearman"] == pytest.approx(rho.mean())
    assert row["spearman_deviation"] == pytest.approx(rho.std(ddof=1))
    figure = figures.correlation_bars(results)
    assert figure.axes[0].patches[0].get_width() == pytest.approx(rho.mean())
    low, high = figure.axes[0].containers[1].lines[2][0].get_segments()[0][:, 0]
    assert (high - low) / 2 == pytest.approx(rho.std(ddof=1))


def test_proxies_are_sorted_by_the_first_target_and_undefined_ones_come_last(run: Callable[..., Any]) -> None:
    results = run(names=["b", "a", "c"], cells=10)
    frame = results.correlations
    frame.loc[frame["target"] == TARGET, "spearman"] = [np.nan, 0.1, 0.9]
    assert list(dict.fromkeys(figures.bar_data(results)["proxy"])) == ["c", "a", "b"]


def test_ranks_have_one_for_the_best_and_undefined_scores_last(run: Callable[..., Any]) -> None:
    results = run(cells=4, targets=[TARGET])
    results.scores["value"] = [3.0, np.nan, 9.0, np.inf]
    results.scores["status"] = ["ok", "undefined", "ok", "ok"]
    results.targets["accuracy"] = [70.0, 71.0, 72.0, 70.0]
    data = figures.scatter_data(results, "snip", TARGET)
    assert data["score_rank"].tolist() == [2, 3.5, 1, 3.5]
    assert data["accuracy_rank"].tolist() == [3.5, 2, 1, 3.5]
    assert data["status"].tolist() == ["ok", "undefined", "ok", "undefined"]


def test_a_lower_is_better_proxy_is_turned(run: Callable[..., Any]) -> None:
    results = run(cells=3, targets=[TARGET])
    results.scores["value"] = [3.0, 1.0, 2.0]
    results.correlations["direction"] = "lower"
    assert figures.scatter_data(results, "snip", TARGET)["score_rank"].tolist() == [3, 1, 2]


def test_ranks_agree_with_the_stored_correlation(run: Callable[..., Any]) -> None:
    results = run(names=["snip", "zen"], cells=64, seeds=3, undefined_share=0.1)
    data = figures.scatter_data(results, "zen", TARGET)
    stored = results.correlations[(results.correlations["proxy"] == "zen") & (results.correlations["target"] == TARGET)]
    for seed, points in data.groupby("seed"):
        rho = points["score_rank"].corr(points["accuracy_rank"])
        assert rho == pytest.approx(stored.loc[stored["seed"] == seed, "spearman"].item())


def test_failed_units_are_left_out_and_counted(run: Callable[..., Any]) -> None:
    results = run(cells=5, targets=[TARGET])
    results.scores.loc[0, "status"] = "failed"
    results.scores.loc[0, "value"] = np.nan
    results.correlations["failed"] = 1
    assert len(figures.scatter_data(results, "snip", TARGET)) == 4
    for figure in (figures.rank_scatter(results, "snip", TARGET), figures.correlation_bars(results)):
        assert "1 unit failed" in " ".join(text.get_text() for text in figure.texts)


def test_undefined_scores_have_a_marker_of_their_own_and_are_counted(run: Callable[..., Any]) -> None:
    results = run(names=["snip"], cells=6, seeds=2, undefined_share=1)
    figure = figures.rank_scatter(results, "snip", TARGET)
    assert len(figure.axes[0].collections[-1].get_offsets()) == 12
    assert "12 of 12" in " ".join(text.get_text() for text in figure.texts)


def test_many_points_become_hexagons(run: Callable[..., Any]) -> None:
    few, many = run(cells=2000), run(cells=2001)
    assert len(figures.rank_scatter(few, "snip", TARGET).axes) == 1
    assert len(figures.rank_scatter(many, "snip", TARGET).axes) == 2


def test_what_is_not_there_is_refused(run: Callable[..., Any]) -> None:
    results = run()
    with pytest.raises(ValueError, match="no correlation of proxy 'zen'"):
        figures.rank_scatter(results, "zen", TARGET)
    empty = run(targets=["s0-diswot:distilled"])
    object.__setattr__(empty, "correlations", empty.correlations.iloc[:0])
    with pytest.raises(ValueError, match="no correlation"):
        figures.correlation_bars(empty)


def test_save_writes_three_files_whole_and_the_same_twice(run: Callable[..., Any], tmp_path: Path) -> None:
    results = run(names=["snip", "zen"], cells=10, seeds=2)
    data = figures.bar_data(results)
    twice = [figures.save(figures.correlation_bars(results), tmp_path / name, "bars", data) for name in ("one", "two")]
    assert [path.name for path in twice[0]] == ["bars.png", "bars.pdf", "bars.csv"]
    assert [path.read_bytes() for path in twice[0]] == [path.read_bytes() for path in twice[1]]
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == ["bars.csv", "bars.pdf", "bars.png"]
    pd.testing.assert_frame_equal(pd.read_csv(twice[0][2]), data, check_dtype=False)
    pdf = twice[0][1].read_bytes()
    assert b"/Type0" in pdf
    assert b"/Type3" not in pdf
    assert not re.search(rb"CreationDate", pdf)


def test_a_failed_save_leaves_nothing_behind(run: Callable[..., Any], tmp_path: Path) -> None:
    results = run()
    (tmp_path / "bars.png").mkdir()
    with pytest.raises(OSError, match=r"bars\.png"):
        figures.save(figures.correlation_bars(results), tmp_path, "bars", figures.bar_data(results))
    assert [path.name for path in tmp_path.iterdir()] == ["bars.png"]


def test_drawing_leaves_global_settings_alone(run: Callable[..., Any]) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    figures.png(figures.correlation_bars(run()), 50)
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("available", [0.3, 1.0, 2.0])
def test_elided_and_wrapped_text_fits(available: float) -> None:
    text = "some words and an_exceedingly_long_word_without_any_space in one line"
    assert typography.width(typography.elide(text, available)) <= available
    assert all(typography.width(line) <= available for line in typography.wrap(text, available))
    assert typography.elide("short", 5) == "short"
