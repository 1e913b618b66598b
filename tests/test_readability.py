"""Pages, help texts and docstrings are easy to read: few long sentences, few passive ones, the field's words."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
import textstat

from diswot.harness.cli import _diswot

ROOT = Path(__file__).resolve().parents[1]

#: The most words of a sentence that is not long.
WORDS = 30

#: The shares of sentences that may be long, and passive.
MOST_LONG, MOST_PASSIVE = 0.03, 0.15

#: A sentence is passive where a form of "be" stands before a participle, with at most an adverb between them.
PASSIVE = re.compile(
    r"\b(is|are|was|were|be|been|being)\s+((not|never|also|then|still|always|already|all|only|\w+ly)\s+)?"
    r"(\w+ed|built|chosen|done|drawn|found|given|held|kept|known|laid|left|lost|made|meant|put|read|run|said|seen|sent"
    r"|set|shown|spent|spun|stood|taken|taught|thrown|told|understood|won|written)\b",
    re.IGNORECASE,
)

#: What is not prose, and what stands in its place.
STRIPPED = (
    (r"^```.*?^```$", ""),
    (r"<!--.*?-->", ""),
    (r"^(\||#|!\[).*$", ""),  # tables, headings, figures
    (r"`[^`]*`", "code"),
    (r"\[([^\]]*)\]\([^)]*\)", r"\1"),
    (r"^\s*([-*]|\d+\.) ", "\n\n"),
    (r"\*", ""),
)

#: Expressions that no reader of the field uses, and the field's term.
TERMS = {
    r"pictures?": "images",
    r"lessons?": "distillation batch",
    r"lens(es)?": "preprocessing",
    r"meddl\w+": "tampered",
    r"beside (a|the|its|each|one|all|two|several|another) teachers?": "with a teacher",
    r"bootstrap draws?|draws? of (a|the) bootstrap": "resamples",
    r"(told|tells?|telling) apart": "significantly different, separate",
    r"level with (the )?best": "not significantly different from the best",
    r"behind the best": "gap to the best",
    r"given (the |its )?size": "partial correlation, controlling for FLOPs",
    r"shipped (sets?|scores)|sets? of scores": "precomputed scores",
}

#: Identifiers and stored names that the field calls otherwise, and how: whole words, in any case.
NAMES = {
    r"_?measures?|.*_measures?": "metric; evaluate",
    r"(.*_)?pictures?(_.*)?": "images, drawing, thumbnail",
    r"(.*_)?deviations?": "std of numbers, differences from a reference",
    r"(not_)?behind(_.*)?": "gap_to_best, gap",
    r"level_with_.*": "not_significantly_different",
    r"(.*_)?beside(_.*)?": "with, precomputed, compared",
    r"(.*_)units?|units?_.*": "relative_cost of time; score or task of work",
    r"stack_of_.*|(.*_)?(stacks|stacked)": "vectorised_seeds",
    r"score_?sets?|(of|is|a)_set": "precomputed scores",
    r"(.*_)?draws": "resamples, evaluations",
    r"(.*_)?given_size|(.*_)?(tells?|told)_.*apart": "controlled, significantly different",
    r"(.*_)?(lessons?|lens|lenses|meddl\w+)": "distillation batch, preprocessing, tampered",
}

#: Where such a name must stay, and why.
EXCEPTIONS = {
    "benchmarks/tables/units.py": "is about units of measurement",
    "harness/cli/options.py": "takes options of version 0.2",
    "harness/distillation/settings.py": "reads a key of version 0.2",
    "harness/distillation/teacher.py": "reads a key of version 0.2",
    "harness/earlier.py": "reads columns of version 0.2",
    "harness/fetch.py": "calls a parameter of tqdm",
    "harness/runs/provenance.py": "reads keys of version 0.2",
    "harness/runs/results.py": "reads keys of versions 0.1 and 0.2",
    "harness/runs/settings.py": "reads a key of version 0.2, and hashes settings under their first names",
    "harness/runs/stored_search.py": "reads a key of version 0.2",
    "proxies/registry.py": "takes a keyword of version 0.2",
    "proxies/testing/environment.py": "seeds a generator by a text; another text would give other images",
    "tests/harness/test_earlier.py": "reads what version 0.2 wrote",
    "tests/proxies/test_golden_small.py": "reads a key of a golden file",
    "tests/proxies/test_registry.py": "types a keyword of version 0.2",
    "tests/test_readability.py": "has the list",
}


def sentences(markdown: str) -> Iterator[str]:
    """The sentences of a page, without code, tables, headings and the addresses of links."""
    for pattern, text in STRIPPED:
        markdown = re.sub(pattern, text, markdown, flags=re.MULTILINE | re.DOTALL if "```" in pattern else re.MULTILINE)
    for paragraph in re.split(r"\n\s*\n", markdown):
        for sentence in re.split(r"(?<=[.!?])[\"')]*\s+(?=[\"'(]?[A-Z0-9]|code\b)", " ".join(paragraph.split())):
            if textstat.lexicon_count(sentence) > 2:
                yield sentence


def pages() -> Iterator[str]:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))):
        yield page.read_text(encoding="utf-8")


def helps(command: click.Command = _diswot) -> Iterator[str]:
    yield command.help or ""
    yield from (parameter.help or "" for parameter in command.params if isinstance(parameter, click.Option))
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from helps(found)


def prose() -> Iterator[tuple[str, str]]:
    """Where a text stands, and the text: pages, help texts, templates, docstrings and comments, without code."""
    docs = sorted((ROOT / "docs").rglob("*.md"))
    for page in (*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")), *docs):
        yield page.name, re.sub(r"^```.*?^```$|`[^`]*`", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    yield from (("--help", text) for text in helps())
    for folder in ("benchmarks", "diswot", "harness", "proxies", "reports"):
        for path in sorted((ROOT / folder).rglob("*.j2")):
            yield path.name, re.sub(r"\{[{%#].*?[}%#]\}|<[^>]*>", "", path.read_text("utf-8"), flags=re.DOTALL)
        for path in sorted((ROOT / folder).rglob("*.py")):
            for token in tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline):
                if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and token.string.startswith('"""')):
                    # A field of a record begins a line of its docstring.
                    text = re.sub(r"`[^`]*`|^ +\w+: ", "", token.string, flags=re.MULTILINE)
                    yield f"{path.relative_to(ROOT)}:{token.start[0]}", text


@pytest.mark.parametrize("expression", TERMS)
def test_texts_use_the_terms_of_the_field(expression: str, all_prose: list[tuple[str, str]]) -> None:
    pattern = re.compile(rf"\b({expression})\b", re.IGNORECASE)
    found = [f"{where}: {match[0]}" for where, text in all_prose if (match := pattern.search(" ".join(text.split())))]
    assert not found, f"write {TERMS[expression]!r}: {found}"


def names_in(source: str) -> Iterator[tuple[int, str]]:
    """Where a name stands in Python code, and the name: an identifier, or a text that could be one."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        name = token.string.strip("\"'") if token.type == tokenize.STRING else token.string
        if token.type in (tokenize.NAME, tokenize.STRING) and name.isidentifier():
            yield token.start[0], name


def test_names_are_those_of_the_field() -> None:
    forbidden = {re.compile(pattern, re.IGNORECASE): term for pattern, term in NAMES.items()}
    folders = ("benchmarks", "diswot", "docs", "harness", "proxies", "reports", "tests")
    wrong: dict[str, list[str]] = {}
    for path in sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for line, name in names_in(path.read_text("utf-8")):
            for pattern, term in forbidden.items():
                if pattern.fullmatch(name):
                    wrong.setdefault(path.relative_to(ROOT).as_posix(), []).append(f"line {line}: {name}: {term}")
    unexplained = {path: places for path, places in wrong.items() if path not in EXCEPTIONS}
    assert not unexplained
    assert set(wrong) == set(EXCEPTIONS), "an exception that is none any more"


def test_names_in_code_are_identifiers_and_texts_that_could_be_one() -> None:
    assert list(names_in("x = 'measure', 'a b'  # unit\n")) == [(1, "x"), (1, "measure")]


@pytest.fixture(scope="module")
def all_prose() -> list[tuple[str, str]]:
    texts = list(prose())
    assert len(texts) > 1000
    return texts


@pytest.mark.parametrize("texts", [pages, helps], ids=lambda texts: texts.__name__)
def test_sentences_are_short_and_active(texts: Callable[[], Iterator[str]]) -> None:
    written = [sentence for text in texts() for sentence in sentences(text)]
    long = [sentence for sentence in written if textstat.lexicon_count(sentence) > WORDS]
    passive = [sentence for sentence in written if PASSIVE.search(sentence)]
    assert len(written) > 100
    worst = sorted(long, key=len)[-5:]
    assert len(long) / len(written) < MOST_LONG, f"{len(long)} of {len(written)} sentences are long, as {worst}"
    assert len(passive) / len(written) < MOST_PASSIVE, f"{len(passive)} of {len(written)} are passive: {passive[-5:]}"


def test_sentences_leave_out_what_is_no_prose() -> None:
    page = "# Head\n\nIt is *short* and [a link](there.md).\n| a | b |\n```sh\ndiswot run\n```\n"
    page += "- It `is` read.\n  Twice a day.\n"
    assert list(sentences(page)) == ["It is short and a link.", "It code read.", "Twice a day."]


@pytest.mark.parametrize(
    ("sentence", "is_passive"),
    [
        ("The cell is never scored.", True),
        ("It was made here.", True),
        ("diswot scores cells.", False),
    ],
)
def test_passive_is_a_form_of_be_and_a_participle(sentence: str, is_passive: bool) -> None:
    assert bool(PASSIVE.search(sentence)) == is_passive
