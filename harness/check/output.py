"""What a check prints and writes: lines, JSON, JUnit XML and Markdown."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from xml.etree import ElementTree

from diswot.benchmarks.errors import named, printable
from diswot.harness import files
from diswot.harness.check.answer import SETTLED, VERDICTS, Answer

#: The width of a question's name, and of a line; figures that are longer go on below.
_NAME, _LINE = 34, 160


def line(answer: Answer) -> str:
    """Return an answer in a line or, with a long figure, several."""
    head = f"{_verdict(answer):<12}{answer.name:<{_NAME}}"
    return textwrap.fill(f"{head}  {answer.figure}", _LINE, subsequent_indent=" " * (len(head) + 2))


def summary(answers: Sequence[Answer], status: int) -> str:
    """Say how a check ended, and how to ask again what did not pass."""
    counts = Counter(answer.verdict for answer in answers if answer.decides)
    told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
    again = {answer.reproduce: None for answer in answers if answer.decides and answer.verdict not in SETTLED}
    lines = [f"{_ENDS[status]}: {told or 'nothing asked for decides'}; what stands in brackets is for information"]
    return "\n".join([*lines, *(f"  again: {command}" for command in again)])


def as_json(answers: Sequence[Answer], status: int) -> str:
    """Return everything as JSON."""
    return json.dumps({"status": status, "answers": [asdict(answer) for answer in answers]}, indent=1)


def markdown(answers: Sequence[Answer], status: int, title: str) -> str:
    """Return a summary for a pull request."""
    rows = [
        f"| {answer.stage} | {answer.name} | {_verdict(answer)} | {_escaped(answer.figure)} |" for answer in answers
    ]
    commands = {answer.reproduce: None for answer in answers if answer.decides and answer.verdict not in SETTLED}
    again = ["", "Again:", "", "```sh", *commands, "```"] if commands else []
    table = ["| stage | question | answer | figure |", "|---|---|---|---|", *rows]
    ending = f"{_ENDS[status]}. What stands in brackets is for information."
    return "\n".join([f"### `{printable(title)}`", "", ending, "", *table, *again]) + "\n"


def junit(answers: Sequence[Answer], undecided: str, title: str) -> str:
    """Return JUnit XML: a suite a stage; undecided is an error where it counts, and else skipped."""
    root = ElementTree.Element("testsuites", name=printable(title))
    for stage, group in groupby(answers, key=lambda answer: answer.stage):
        suite = ElementTree.SubElement(root, "testsuite", name=stage)
        results = [_case(suite, answer, undecided_counts=undecided == "fail") for answer in group]
        counted = Counter(results)
        names = {"failure": "failures", "error": "errors", "skipped": "skipped"}
        suite.attrib |= {"tests": str(len(results))} | {names[kind]: str(counted[kind]) for kind in names}
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def write(path: Path, text: str, option: str) -> Path:
    """Write a text, whole or not at all, into the file that an option names.

    Raises:
        InputError: if its folder cannot be written to.
    """
    with named(option, "out"):
        return files.write(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


_ENDS = {0: "passed", 1: "failed", 2: "undecided"}


def _case(suite: ElementTree.Element, answer: Answer, undecided_counts: bool) -> str:
    case = ElementTree.SubElement(suite, "testcase", classname=f"diswot.{answer.stage}", name=answer.name)
    ElementTree.SubElement(case, "system-out").text = f"{answer.figure}\n{answer.reproduce}"
    if answer.verdict in ("pass", "unexpected"):
        return "pass"
    kind = "skipped"
    if answer.decides and answer.verdict == "fail":
        kind = "failure"
    elif answer.decides and answer.verdict == "undecided" and undecided_counts:
        kind = "error"
    ElementTree.SubElement(case, kind, message=f"{answer.verdict}: {answer.figure}")
    return kind


def _verdict(answer: Answer) -> str:
    return answer.verdict if answer.decides else f"({answer.verdict})"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
