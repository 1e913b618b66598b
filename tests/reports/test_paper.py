"""What a paper takes from a run: a choice of proxies with labels, in tables and figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from diswot import reports
from diswot.benchmarks.errors import InputError
from diswot.harness.cli import main
from diswot.reports import paper
from diswot.reports.figures import bars, scatter
from diswot.reports.style import canvas, look
from diswot.reports.summary import best_first

NAMES = ["snip", "az_nas", "zen", "nwot"]


@pytest.fixture
def results(run: Callable[..., Any]) -> Any:
    return run(names=NAMES, cells=20)


def test_labels_are_read_in_the_order_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("zen,Zen, the score\n\nsnip , SNIP\n")
    assert list(paper.read_labels(file).items()) == [("zen", "Zen, the score"), ("snip", "SNIP")]
    file.write_text("\ufeffzen,Zen\n")
    assert paper.read_labels(file) == {"zen": "Zen"}
    file.write_text("zen,Zen\nsnip\n")
    with pytest.raises(InputError, match=r"^labels: line 2 of .* is 'snip'; a line is NAME,LABEL\.$"):
        paper.read_labels(file)
    with pytest.raises(InputError, match=r"^labels: .* cannot be read"):
        paper.read_labels(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": "give"}, "^order: 'give' is not known; did you mean 'given'"),
        ({"order": "given"}, "^order: 'given' takes proxies or labels"),
        ({"order": "value", "width": "tripel"}, "^width: 'tripel' is not known"),
    ],
)
def test_a_look_that_means_nothing_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        paper.look_of(proxies=(), labels=None, **options)


def test_chosen_proxies_stand_alone_in_the_order_given(results: Any) -> None:
    shown = paper.chosen(results, ("zen", "az_nas"))
    assert set(shown.scores["proxy"]) == set(shown.evidence["proxy"]) == set(shown.correlations["proxy"])
    with look.using(look.Look(("zen", "az_nas"), order="given")):
        assert list(dict.fromkeys(best_first(shown)["proxy"])) == ["zen", "az_nas"]
    assert look.current() == look.Look()
    with pytest.raises(InputError, match=r"^proxies: 'zem' is not known; did you mean 'zen'"):
        paper.chosen(results, ("zem",))


def test_latex_table_marks_the_best_and_its_equals(results: Any) -> None:
    labels = {"az_nas": "AZ & NAS", "s0-diswot:distilled": "KD"}
    with look.using(look.Look(("zen", "az_nas", "snip"), labels, "given")):
        comment, *lines = paper.latex(paper.chosen(results, ("zen", "az_nas", "snip"))).splitlines()
    assert comment.startswith("% needs \\usepackage{booktabs}; Spearman correlation, 95 % interval")
    assert lines[:4] == ["\\begin{tabular}{lrr}", "\\toprule", "Proxy & KD & vanilla \\\\", "\\midrule"]
    assert [line.partition(" & ")[0] for line in lines[4:7]] == ["zen", "AZ \\& NAS", "snip"]
    assert lines[7:] == ["\\bottomrule", "\\end{tabular}"]
    values = best_first(results).set_index(["target", "proxy"])["spearman"]
    for column, target in enumerate(("s0-diswot:distilled", "s0-diswot:vanilla"), start=1):
        bold = ["\\textbf{" in line.split(" & ")[column] for line in lines[4:7]]
        shown = values[target][["zen", "az_nas", "snip"]]
        assert bold == list(shown == shown.max())


def test_markdown_table_says_what_it_shows(results: Any) -> None:
    lines = paper.markdown(results).splitlines()
    assert lines[:2] == ["| Proxy | distilled | vanilla |", "| --- | ---: | ---: |"]
    assert {line.split(" | ")[0] for line in lines[2:6]} == {f"| {name}" for name in NAMES}
    highest = best_first(results).groupby("target")["spearman"].transform("max")
    assert sum(line.count("**") for line in lines) == 2 * (best_first(results)["spearman"] == highest).sum()
    assert "not significantly different from the best" in lines[-1]


def test_bars_follow_labels_width_and_caption(results: Any) -> None:
    labels = {"zen": "Zen-score", "s0-diswot:vanilla": "alone"}
    wanted = look.Look(("zen", "nwot"), labels, "given", "double", caption=False)
    with look.using(wanted):
        figure = bars.drawings(paper.chosen(results, wanted.proxies))[0].figure
    assert figure.get_figwidth() == canvas.DOUBLE_COLUMN
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["Zen-score", "nwot"]
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["distilled", "alone"]
    assert figure.texts == []


def test_scatters_of_a_choice_are_annotated(results: Any) -> None:
    with look.using(look.Look(("zen",), {"zen": "Zen-score"}, annotate=3)):
        (drawing,) = scatter.drawings(paper.chosen(results, ("zen",)))
    axes = drawing.figure.axes[0]
    best = drawing.data.nsmallest(3, "accuracy_rank")["cell"]
    assert {text.get_text() for text in axes.texts if text.get_text()} == set(map(str, best))
    assert drawing.figure.get_suptitle().startswith("Zen-score\n")
    assert drawing.stem == "scatter_zen_s0-diswot-distilled"


def test_a_page_without_the_best_proxy_says_so(results: Any, tmp_path: Path) -> None:
    best = results.evidence["best"].iloc[0]
    others = tuple(name for name in NAMES if name != best)
    page = reports.build([results], tmp_path, ("bars",), look.Look(others))[0].read_text()
    assert f"the highest correlation is that of {best}, which is not among those shown" in page


def test_an_unknown_name_in_labels_is_refused_with_the_nearest(
    results: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match=r"^labels: 'zenn' is not known; did you mean 'zen'\?"):
        reports.build([results], tmp_path, ("bars",), look.Look(labels={"zenn": "Zen-NAS"}))
    labels = tmp_path / "labels.csv"
    labels.write_text("diswot,DisWOT\ns0-diswot:vanila,alone\n")
    words = ["correlate", "s0-noise", "--labels", str(labels), "--latex", str(tmp_path / "table.tex")]
    assert main(words) == 2
    assert "--labels: 's0-diswot:vanila' is not known; did you mean 's0-diswot:vanilla'?" in capsys.readouterr().err


def test_correlate_writes_tables_of_a_choice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "table.tex"
    words = ["correlate", "s0-noise", "--target", "s0-diswot:vanilla", "--proxies", "snip,diswot", "--latex", str(file)]
    assert main(words) == 0
    assert [line.split(" & ")[0] for line in file.read_text().splitlines()[5:7]] in (
        ["snip", "diswot"],
        ["diswot", "snip"],
    )
    assert main([*words[:4], "--order", "given"]) == 2
    assert "order: 'given' takes proxies or labels" in capsys.readouterr().err
    assert main([*words[:6], "--order", "given"]) == 2
    assert "--order: it plays a part only with --latex or --markdown" in capsys.readouterr().err
