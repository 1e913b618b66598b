"""What a check comes to, prints and writes."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from diswot.benchmarks.errors import InputError
from diswot.harness.check import output
from diswot.harness.check.answer import Answer, exit_status


def answer(verdict: str, stage: str = "conformance", decides: bool = True, figure: str = "0.5 | <b>") -> Answer:
    return Answer(stage, f"{verdict} one", verdict, figure, f"diswot check mine.py --only {verdict}", decides)


PASS, FAIL, UNDECIDED = (answer(verdict) for verdict in ("pass", "fail", "undecided"))
EXPECTED, UNEXPECTED, SKIPPED = (answer(verdict) for verdict in ("expected", "unexpected", "skipped"))
TOLD = answer("fail", "worth", decides=False)


@pytest.mark.parametrize(
    ("answers", "undecided", "status"),
    [
        ([PASS], "fail", 0),
        ([PASS, TOLD], "fail", 0),
        ([EXPECTED, UNEXPECTED, SKIPPED], "fail", 0),
        ([PASS, UNDECIDED], "fail", 2),
        ([PASS, UNDECIDED], "pass", 0),
        ([PASS, UNDECIDED, FAIL], "fail", 1),
        ([FAIL, UNDECIDED], "pass", 1),
    ],
)
def test_the_exit_status(answers: list[Answer], undecided: str, status: int) -> None:
    assert exit_status(answers, undecided) == status


def test_a_line_has_the_answer_the_question_and_the_figure() -> None:
    assert output.line(FAIL).split() == ["fail", "fail", "one", "0.5", "|", "<b>"]
    assert output.line(TOLD).startswith("(fail)")
    long = output.line(answer("pass", figure="word " * 60)).splitlines()
    assert len(long) == 3
    assert max(map(len, long)) <= 160
    assert long[1].startswith(" " * 40 + "  ")


def test_a_summary_says_how_to_ask_again() -> None:
    said = output.summary([PASS, FAIL, UNDECIDED, EXPECTED, UNEXPECTED, SKIPPED, SKIPPED, TOLD], 1)
    assert said.splitlines() == [
        "failed: 1 pass, 1 fail, 1 undecided, 1 expected, 1 unexpected, 2 skipped; "
        "what stands in brackets is for information",
        "  again: diswot check mine.py --only fail",
        "  again: diswot check mine.py --only undecided",
    ]


def test_json_has_everything() -> None:
    found = json.loads(output.as_json([PASS, TOLD], 0))
    assert found["status"] == 0
    assert [Answer(**one) for one in found["answers"]] == [PASS, TOLD]


def test_markdown_is_a_table() -> None:
    text = output.markdown([PASS, UNDECIDED, TOLD], 2, "diswot check mine.py")
    assert text.startswith("### `diswot check mine.py`\n\nundecided.")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {row.replace("\\|", "").count("|") for row in rows} == {5}
    assert rows[-1].startswith("| worth | fail one | (fail) | 0.5 \\| <b>")
    assert "diswot check mine.py --only undecided" in text
    assert "Again" not in output.markdown([PASS, EXPECTED, SKIPPED], 0, "diswot check mine.py")


@pytest.mark.parametrize(("undecided", "kind"), [("fail", "error"), ("pass", "skipped")])
def test_junit_is_xml_that_counts(undecided: str, kind: str) -> None:
    root = ElementTree.fromstring(output.junit([PASS, FAIL, UNDECIDED, TOLD], undecided, "diswot check mine.py"))
    first, second = root
    assert first.attrib == {
        "name": "conformance",
        "tests": "3",
        "failures": "1",
        "errors": str(int(kind == "error")),
        "skipped": str(int(kind == "skipped")),
    }
    cases = {case.get("name"): case for case in first}
    assert cases["fail one"].find("failure").get("message") == "fail: 0.5 | <b>"  # type: ignore[union-attr]
    assert cases["undecided one"].find(kind) is not None
    assert len(cases["pass one"]) == 1
    assert second[0].find("skipped") is not None
    assert second.get("failures") == "0"


def test_junit_skips_what_need_not_pass() -> None:
    (suite,) = ElementTree.fromstring(output.junit([EXPECTED, UNEXPECTED, SKIPPED], "fail", "diswot check mine.py"))
    assert [case.find("skipped") is not None for case in suite] == [True, False, True]
    assert (suite.get("failures"), suite.get("errors"), suite.get("skipped")) == ("0", "0", "2")


def test_what_a_proxy_s_message_holds_can_be_written_everywhere(tmp_path: Path) -> None:
    strange = Answer("conformance", "one_number", "fail", "no caf\udce9\x1b[31m", "diswot check 'm\udcfc.py'")
    title = "diswot check m\udcfc.py"
    texts = {
        "junit": output.junit([strange], "fail", title),
        "markdown": output.markdown([strange], 1, title),
        "json": output.as_json([strange], 1),
        "line": output.line(strange),
        "summary": output.summary([strange], 1),
    }
    for name, text in texts.items():
        assert output.write(tmp_path / name, text, "--junit").read_text(encoding="utf-8") == text
    failure = ElementTree.fromstring(texts["junit"]).find(".//failure")
    assert failure is not None
    assert failure.get("message") == r"fail: no caf\udce9\x1b[31m"
    assert json.loads(texts["json"])["answers"][0]["figure"] == r"no caf\udce9\x1b[31m"


def test_a_file_is_written_or_its_option_is_named(tmp_path: Path) -> None:
    assert output.write(tmp_path / "new" / "a.md", "text", "--markdown").read_text() == "text"
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"junit: .*file cannot be written to: "):
        output.write(tmp_path / "file" / "a.xml", "text", "--junit")
