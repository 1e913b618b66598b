"""The command: from a new file to a passing check, and everything that a check must not let pass."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click
import pytest

from diswot.harness.check import conformance, loading, reference, regression, template
from diswot.harness.check.regression import Limits
from diswot.harness.cli.check import command
from diswot.harness.evidence import intervals
from diswot.harness.runs.settings import Settings
from diswot.proxies import registry
from diswot.proxies.testing import PROPERTIES, conform

Cli = Callable[..., Any]

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli, plugin: object) -> Path:
    """The folder of a user who has begun a proxy ``mine``."""
    monkeypatch.chdir(tmp_path)
    said = cli("proxies", "new", "mine")
    assert said.status == 0
    assert said.out == "wrote mine.py; `diswot check mine.py --quick` tests it\n"
    return tmp_path


@pytest.mark.usefixtures("few_cells")
def test_the_starting_file_passes(cli: Cli, started: Path) -> None:
    told = ["--junit", "answers.xml", "--markdown", "answers.md"]
    said = cli("check", "mine.py", "--quick", "--save", "mine.baseline.json", "--json", *told)
    answers = {answer["name"]: answer for answer in json.loads(said.out)["answers"]}
    assert said.status == 0, said.out
    assert {answer["verdict"] for answer in answers.values() if answer["decides"]} == {"pass", "skipped"}
    skipped = {name for name, answer in answers.items() if answer["verdict"] == "skipped"}
    assert skipped == {name for name, one in PROPERTIES.items() if not one.applies(registry.get("mine"))}
    assert {*PROPERTIES, "workers", "scores", "direction nb201-kd:distilled", "gap_to live_flops"} <= set(answers)
    assert len(ElementTree.parse("answers.xml").getroot()) == 3
    assert "| conformance | order | pass |" in Path("answers.md").read_text()
    assert len(json.loads(Path("mine.baseline.json").read_text())["scores"]) == intervals.FEWEST_FUNCTIONS


def test_the_starting_file_conforms(started: Path) -> None:
    assert registry.load_file(Path("mine.py")) == ("mine",)
    for name in PROPERTIES:
        assert conform(registry.get("mine"), name).verdict in ("pass", "skipped")


def test_a_file_is_begun_once_and_under_a_name_of_its_own(cli: Cli, started: Path) -> None:
    for name, message in (
        ("mine", "is there already; choose another name or remove the file"),
        ("my-metric", "NAME: 'my-metric' can be no proxy's name; take a Python identifier such as my_metric"),
        ("lambda", "NAME: 'lambda' can be no proxy's name"),
        ("fast", "NAME: 'fast' can be no proxy's name"),
        ("snip", "NAME: the proxy 'snip' is there already, in "),
    ):
        said = cli("proxies", "new", name)
        assert said.status == 2
        assert message in said.sentence
    assert template.text("mine") == (started / "mine.py").read_text()


#: Ways to write a bad metric, each with the question that finds it and what is said. Those that need accuracies or a
#: baseline, wrong direction, slower, silently changed and an older version's baseline, are in test_worth.py and
#: test_regression.py; more of these are in tests/proxies/test_testing.py.
BAD = {
    "next(trace.network.parameters()).data.mul_(2)\nreturn 1.0": ("side_effects", "it changes the network's weights"),
    "trace.network.stem.register_forward_hook(lambda *_: None)\nreturn 1.0": ("side_effects", "it leaves a hook"),
    "return torch.rand(())": ("side_effects", "it draws from the global random state"),
    "seen = globals().setdefault('seen', [])\nseen.append(float(trace.features[-1].norm()))\nreturn sum(seen)": (
        "order",
        "in another order of cells the score is",
    ),
    "return float('nan')": ("one_number", "it returned nan on cell"),
    "return trace.features[-1].norm() / 0": ("one_number", "it returned inf on cell"),
    "return trace.features[-1]": ("one_number", "it returned a Tensor of shape (8, 16), not one number"),
    "return 'good'": ("one_number", "it returned a str, not one number"),
    "return 1 / trace.features[-1].norm().item()": ("special_cells", "it raises ZeroDivisionError: float division"),
    "return trace.features[-1].numpy().mean()": ("device", "it calls .numpy() on a tensor"),
}


@pytest.mark.parametrize("body", BAD)
def test_a_bad_metric_fails_by_name(cli: Cli, plugin: Callable[..., Path], body: str) -> None:
    name, message = BAD[body]
    path = plugin(body, needs="'features'")
    said = cli("check", path, "--quick", "--only", name)
    assert said.status == 1
    verdict, question, *figure = said.out.splitlines()[1].split()
    assert (verdict, question) == ("fail", name)
    assert message in " ".join([*figure, *said.out.split()])
    assert f"again: diswot check {path} --quick --only {name}" in said.out


def test_batch_size_dependence_is_found_where_it_is_denied(cli: Cli, plugin: Callable[..., Path]) -> None:
    path = plugin("return trace.features[-1].square().sum()", needs="'features'")
    path.write_text(path.read_text().replace("version='1'", "version='1', independent_of=['batch_size']"))
    said = cli("check", path, "--quick", "--only", "batch_size")
    assert said.status == 1
    assert "independence of batch_size is declared" in said.out


@pytest.fixture
def as_live_flops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores of the checked proxy are taken from the reference, so that no network is made: minus live_flops."""
    stored = reference.load().scores
    rows = stored[stored["proxy"] == "live_flops"]

    def evaluate(conditions: Any, proxies: Any, cells: Any, *others: Any) -> Any:
        return rows[rows["cell"].isin(cells)].assign(proxy="mine", version=proxies[0].version, value=-rows["value"])

    monkeypatch.setattr(reference, "evaluate", evaluate)
    monkeypatch.setattr("diswot.harness.check.stages.relative_times", lambda proxy, repeats: [1.0] * repeats)


@pytest.mark.usefixtures("as_live_flops")
def test_the_wrong_direction_fails_by_name(cli: Cli, plugin: Callable[..., Path]) -> None:
    said = cli("check", plugin("return 1.0"), "--quick", "--only", "worth")
    assert said.status == 1
    assert "fail        direction nb201-kd:distilled" in said.out
    assert "'higher' is declared as the better direction, and 'lower' is" in " ".join(said.out.split())


@pytest.mark.usefixtures("as_live_flops")
def test_an_older_version_s_baseline_is_named(cli: Cli, plugin: Callable[..., Path], tmp_path: Path) -> None:
    path = plugin("return 1.0", needs="'features'")
    quick = ("--quick", "--only", "regression", "--baseline", tmp_path / "old.json")
    assert "there is no baseline of mine" in cli("check", path, *quick[:3]).sentence
    saved = cli("check", path, "--quick", "--only", "workers", "--save", tmp_path / "old.json")
    assert f"(pass)      baseline {'':<25}  saved in {tmp_path / 'old.json'}" in saved.out
    assert cli("check", path, *quick).status == 0
    stored = json.loads((tmp_path / "old.json").read_text())
    (tmp_path / "old.json").write_text(json.dumps(stored | {"version": "0"}))
    said = cli("check", path, *quick)
    assert said.status == 0
    assert "(undecided) version" in said.out
    assert "the baseline is of version 0, this is 1: correlations are compared" in said.out
    assert "pass        correlation" in said.out
    stored["scores"] = [score | {"value": -score["value"]} for score in stored["scores"]]
    (tmp_path / "old.json").write_text(json.dumps(stored | {"version": "0"}))
    assert cli("check", path, *quick).status == 1


@pytest.mark.usefixtures("as_live_flops")
def test_changed_values_and_lost_time_fail_by_name(cli: Cli, plugin: Callable[..., Path], tmp_path: Path) -> None:
    path, kept = plugin("return 1.0", needs="'features'"), tmp_path / "mine.baseline.json"
    cli("check", path, "--quick", "--only", "workers", "--save", kept)
    stored = json.loads(kept.read_text())
    stored["scores"][3]["value"] *= 1.01
    stored["times"] = [time / 10 for time in stored["times"]]
    kept.write_text(json.dumps(stored))
    said = cli("check", path, "--quick", "--only", "regression")
    assert said.status == 1
    assert said.out.splitlines()[0] == "regression"
    assert "fail        values" in said.out
    assert "1 of 30 cells score otherwise" in said.out
    assert "fail        time" in said.out
    assert f"  again: diswot check {path} --quick --only regression" in said.out


@pytest.mark.usefixtures("as_live_flops")
def test_undecided_is_two_unless_it_may_pass(cli: Cli, plugin: Callable[..., Path]) -> None:
    path = plugin("return 1.0")
    path.write_text(path.read_text().replace("version='1'", "version='1', direction='lower'"))
    ask = ("check", path, "--quick", "--only", "worth")
    assert cli(*ask).status == 0
    said = cli(*ask, "--against", "zico")
    assert said.status == 2
    assert said.out.splitlines()[-2].startswith("undecided: ")
    assert cli(*ask, "--against", "zico", "--undecided", "pass").status == 0


def test_what_is_not_a_number_is_asked_nothing_more(cli: Cli, plugin: Callable[..., Path]) -> None:
    said = cli("check", plugin("return 'good'", needs="'features'"), "--quick")
    assert said.status == 1
    assert len(said.out.splitlines()) == 5  # stage, two answers, the summary and the command


def test_a_worker_that_sees_other_numbers_is_found(
    plugin: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = loading.find(str(plugin("return float(len(trace.images))", needs="'features'")))
    cells = reference.cells(quick=True)[:2]
    plan = reference.plan(reference.OWN, (one.proxy,), cells, (), 1)
    monkeypatch.setattr(reference, "plan", lambda *arguments, **named: plan)
    import pandas as pd

    scores = pd.DataFrame({"cell": cells, "status": "ok", "value": 64.0})
    assert conformance.workers(one, reference.OWN, scores).verdict == "pass"
    answer = conformance.workers(one, reference.OWN, scores.assign(value=[64.0, 65.0]))
    assert answer.verdict == "fail"
    assert answer.figure == f"cell {cells[1]} scores 64.0 here and 65.0 in a worker process"


def test_a_subject_is_a_file_one_of_its_proxies_or_an_installed_one(plugin: Callable[..., Path]) -> None:
    path = plugin("return 1.0")
    other = "\n@proxies.register(needs=[], source='test')\ndef other(trace):\n    return 1.0\n"
    path.write_text(path.read_text() + other)
    assert loading.find(f"{path}:other").proxy.name == "other"
    assert loading.find(f"{path}:mine").plugins == (path.resolve(),)
    assert loading.find("snip").file is None
    assert loading.find("snip").command("--only", "order") == "diswot check snip --only order"


def test_the_page_names_every_question_and_key() -> None:
    page = (DOCS / "check.md").read_text()
    for name in (
        *conformance.names(quick=True),
        "scores",
        "direction",
        "partial",
        "gap_to NAME",
        "adds_to NAME",
    ):
        assert f"`{name}`" in page
    formats = (DOCS / "stored-formats.md").read_text()
    assert f"## NAME.baseline.json, schema {regression.Baseline.form}\n" in formats
    for name in (*regression.Baseline.model_fields, *reference._COLUMNS):
        assert f"`{name}`" in formats


def test_workflow_commands_are_accepted() -> None:
    lines = re.findall(r"run: diswot check (.*)", (DOCS / "check-workflow.yml").read_text())
    assert len(lines) == 2
    for line in lines:
        with click.Context(command) as context:
            command.parse_args(context, line.split())
            assert context.params["file"] == "my_metric.py"
            assert regression.limits(context.params["fail_on"]) in (Limits(), Limits(spearman=0.02, cost=0.1))


@pytest.mark.usefixtures("as_live_flops")
def test_fail_on_needs_a_baseline(cli: Cli, plugin: Callable[..., Path], tmp_path: Path) -> None:
    path, baseline = plugin("return 1.0"), tmp_path / "mine.baseline.json"
    line = ("check", path, "--quick", "--only", "regression", "--fail-on", "spearman:0.02")
    said = cli(*line)
    assert (said.status, "--fail-on: it compares with a baseline" in said.sentence) == (2, True)
    assert cli("check", path, "--quick", "--only", "side_effects", "--save", baseline).status == 0
    said = cli(*line)
    assert said.status == 0
    assert "margin 0.02" in " ".join(said.out.split())
    assert "--fail-on: 'rho' is not known" in cli(*line[:-1], "rho:1").sentence


def test_a_check_expects_the_failures_that_a_proxy_declares(cli: Cli, plugin: Callable[..., Path]) -> None:
    said = cli("check", "kdsvd", "--quick", "--only", "float64")
    assert said.status == 0
    assert said.out.splitlines()[1].split()[:2] == ["expected", "float64"]
    assert "; declared: the score depends on the signs of singular vectors" in " ".join(said.out.split())
    assert said.out.splitlines()[-1].startswith("passed: 1 expected")
    path = plugin("return trace.features[-1].square().mean()", needs="'features'")
    declared = "version='1', expected_failed_checks={'order': 'it is fine'}"
    path.write_text(path.read_text().replace("version='1'", declared))
    said = cli("check", path, "--quick", "--only", "order")
    assert said.status == 0
    assert said.out.splitlines()[1].split()[:2] == ["unexpected", "order"]
    assert "remove it from expected_failed_checks, which says: it is fine" in " ".join(said.out.split())


def test_every_check_may_be_declared_to_fail() -> None:
    assert set(registry.CHECKS) == set(conformance.names(quick=False)) - {"cost"}


@pytest.mark.usefixtures("as_live_flops")
def test_a_baseline_that_the_proxy_fails_is_not_overwritten(
    cli: Cli, plugin: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, kept = plugin("return 1.0"), tmp_path / "mine.baseline.json"
    line = ("check", path, "--quick", "--only", "regression", "--baseline", kept, "--save", kept)
    assert cli("check", path, "--quick", "--only", "side_effects", "--save", kept).status == 0
    before = kept.read_bytes()
    measured = reference.evaluate
    monkeypatch.setattr(reference, "evaluate", lambda *given: measured(*given).assign(value=1.0))
    said = cli(*line)
    assert said.status == 1
    assert "not saved: values failed; what is meant takes another version" in " ".join(said.out.split())
    assert kept.read_bytes() == before
    monkeypatch.setattr(reference, "evaluate", measured)
    assert cli(*line).status == 0


@pytest.mark.usefixtures("as_live_flops")
def test_a_baseline_that_nothing_is_compared_with_is_not_overwritten(
    cli: Cli, plugin: Callable[..., Path], tmp_path: Path
) -> None:
    path, kept = plugin("return 1.0"), tmp_path / "kept.json"
    assert cli("check", path, "--quick", "--only", "side_effects", "--save", kept).status == 0
    before = kept.read_bytes()
    said = cli("check", path, "--quick", "--only", "worth", "--save", kept)
    assert (said.status, "is there, and with --only worth nothing is compared with it" in said.sentence) == (2, True)
    other = tmp_path / "other.json"
    other.write_bytes(before)
    said = cli("check", path, "--quick", "--only", "regression", "--baseline", other, "--save", kept)
    assert (said.status, f"with --baseline {other} nothing is compared with it" in said.sentence) == (2, True)
    assert kept.read_bytes() == before
    assert "values" in cli("check", path, "--quick", "--only", "regression", "--save", kept).out


@pytest.mark.usefixtures("as_live_flops")
def test_a_baseline_of_other_settings_is_refused_and_renewed(
    cli: Cli, plugin: Callable[..., Path], tmp_path: Path
) -> None:
    path, kept = plugin("return 1.0"), tmp_path / "mine.baseline.json"
    line = ("check", path, "--quick", "--only", "regression")
    assert cli("check", path, "--quick", "--only", "side_effects", "--save", kept).status == 0
    stored = json.loads(kept.read_text())
    stored["settings"]["batch_size"] = 32
    other = Settings.model_validate(stored["settings"]).hash
    kept.write_text(json.dumps(stored | {"settings_hash": other}))
    said = cli(*line)
    assert said.status == 2
    assert "was made with other settings: batch_size 64 (there: 32); --save" in said.sentence
    assert cli(*line, "--save", kept).status == 0
    assert json.loads(kept.read_text())["settings"]["batch_size"] == 64
    assert cli(*line).status == 0


def test_what_is_wrong_with_a_file_is_said_of_the_file(cli: Cli, tmp_path: Path, plugin: object) -> None:
    path = tmp_path / "broken.py"
    path.write_text("def x(")
    assert f"FILE: {path} cannot be loaded: SyntaxError" in cli("check", path).sentence
