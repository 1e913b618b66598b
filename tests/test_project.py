"""The files around the code say what the code does."""

from __future__ import annotations

import inspect
import os
import re
import shlex
import subprocess
import sys
import sysconfig
from itertools import chain
from pathlib import Path

import click
import pytest
import torch

from diswot import proxies
from diswot.benchmarks import tables
from diswot.benchmarks.spaces import nb201
from diswot.harness.cli import _diswot
from diswot.harness.evidence import table as evidence_table
from diswot.harness.runs import store
from diswot.harness.runs import stored_search as search
from diswot.proxies import registry

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

FOLDERS = ("benchmarks", "harness", "proxies", "reports")

RUN_COMMAND = "pip install -e . -c requirements.lock && diswot run"
TEST_COMMAND = "pip install -e '.[test]' -c requirements.lock && pytest"


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def parts(path: Path) -> tuple[dict[str, list[str]], str]:
    """The fenced blocks of a page by their language, and the text between them."""
    pieces = re.split(r"^```(.*)\n", text_of(path), flags=re.MULTILINE)  # text, language, block, "", text, ...
    found: dict[str, list[str]] = {}
    for language, block in zip(pieces[1::4], pieces[2::4], strict=True):
        found.setdefault(language, []).append(block)
    return found, "".join(pieces[0::4])


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    return parts(path)[0].get(language, [])


def shell_lines() -> list[tuple[str, str]]:
    """Every command that a page tells the reader to type, with the page's name."""
    return [
        (page.name, part.strip())
        for page in PAGES
        for block in blocks(page, "sh")
        for line in block.replace("\\\n", "").splitlines()
        for part in re.sub(r"\s#.*", "", line).split("&&")
        if part.strip()
    ]


def mentions() -> list[tuple[str, str]]:
    """Every command line that stands inside a sentence, with the page's name."""
    found = []
    for page in PAGES:
        found += [(page.name, " ".join(code.split())) for code in re.findall(r"`(diswot [^`]*)`", parts(page)[1])]
    return found


def find_command(words: list[str]) -> tuple[click.Command | None, list[str]]:
    """The command that words stand for, and the words after it; None where there is no such command."""
    command: click.Command = _diswot
    context = click.Context(_diswot)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        if found is None:
            return None, words
        command, words = found, words[1:]
    return command, words


@pytest.mark.parametrize("command", [RUN_COMMAND, TEST_COMMAND])
def test_the_two_commands_stand_in_the_readme_to_the_letter(command: str) -> None:
    assert text_of(ROOT / "README.md").splitlines().count(command) == 1


@pytest.mark.skipif(os.name == "nt", reason="needs bash and grep")
def test_ci_finds_the_test_command_in_the_readme() -> None:
    script = text_of(ROOT / ".ci" / "run")
    (extraction,) = re.findall(r"^test_command=\$\((grep .*)\)$", script, flags=re.MULTILINE)
    found = subprocess.run(["bash", "-c", extraction], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == TEST_COMMAND + "\n"
    subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")], check=True)


@pytest.mark.parametrize(("page", "line"), [found for found in shell_lines() if found[1].startswith("diswot")])
def test_command_lines_to_type_are_accepted(page: str, line: str) -> None:
    command, arguments = find_command(shlex.split(line)[1:])
    assert command is not None, f"{page}: {line}"
    assert not isinstance(command, click.Group), f"{page}: {line}"
    with click.Context(command, info_name=line) as context:
        command.parse_args(context, list(arguments))  # option names, types and the number of arguments


def test_every_block_with_commands_is_marked_as_such() -> None:
    for page in PAGES:
        for language in ("", "text", "bash", "console"):
            for block in blocks(page, language):
                assert not re.match("(diswot|pip|pytest|python) .* --", block), f"{page.name}: {block}"


#: Commands of other programs that pages tell the reader to type, and what shows that they work.
OTHER_COMMANDS = {
    r"pip install (-e )?'?\.(\[\w+\])?'? -c requirements.lock": ".ci/run installs the package so",
    r"pytest( .*)?|DISWOT_FUZZ=30 pytest tests/fuzz": ".ci/run runs all tests",
    r"\.ci/(lint|docs)": ".ci/run runs them",
    r"python3 -m venv .venv|source .venv/bin/activate": ".ci/run does so",
    r"dask (scheduler|worker) .*|ssh HOST 'cd PROJECT|\. .venv/bin/activate": "tests/harness/cluster starts them",
    r"python (docs/measurements/\w+\.py)( .*)?": "needs data or minutes",
}


@pytest.mark.parametrize(("page", "line"), [found for found in shell_lines() if not found[1].startswith("diswot")])
def test_other_commands_to_type_are_known(page: str, line: str) -> None:
    assert any(re.fullmatch(pattern, line) for pattern in OTHER_COMMANDS), f"{page}: {line}"
    for path in re.findall(r"(?:docs|tests|\.ci)/[\w/.]+", line):
        assert (ROOT / path).exists(), f"{page}: {line}"


@pytest.mark.parametrize(("page", "line"), mentions())
def test_command_lines_in_sentences_name_what_is_there(page: str, line: str) -> None:
    words = shlex.split(line)[1:]
    if words[:1] == ["COMMAND"]:
        return
    command, rest = find_command(words)
    assert command is not None, f"{page}: {line}"
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    for option in (word for word in rest if word.startswith("-")):
        assert option in known | {"--help"}, f"{page}: {line}"


@pytest.mark.parametrize("page", ["README.md", "docs/add-a-proxy.md"])
def test_the_pages_plug_in_scores_a_network(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.names()
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    (source,) = (block for block in blocks(ROOT / page, "python") if "@proxies.register" in block)
    file = tmp_path / "effective_rank.py"
    file.write_text(source)
    assert registry.load_file(file) == ("effective_rank",)
    network = nb201.build(6111, C=4, N=1)
    images = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    score = proxies.score(network, images, torch.arange(8), ["effective_rank"])["effective_rank"]
    assert 1 < score <= 8  # the pooled vectors are an 8 x 16 matrix
    degenerate = nb201.build("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|", C=4, N=1)
    with pytest.raises(proxies.UndefinedScore, match="every pooled vector is zero"):
        proxies.score(degenerate, images, torch.arange(8), ["effective_rank"])


def test_the_page_on_proxies_lists_every_pass_and_argument() -> None:
    page = text_of(ROOT / "docs" / "add-a-proxy.md")
    for name in (*registry.PASSES, *inspect.signature(registry.register).parameters):
        assert f"`{name}`" in page


def test_the_page_on_tables_shows_a_table_that_loads(tmp_path: Path) -> None:
    (source,) = (block for block in blocks(ROOT / "docs" / "add-a-table.md", "") if block.startswith("cell,"))
    file = tmp_path / "kd.csv"
    file.write_text(source)
    frame = tables.load(file).frame
    assert list(frame.columns) == ["vanilla", "distilled"]
    assert list(frame["distilled"].isna()) == [False, False, True, False, False]


def test_the_page_on_stored_formats_knows_schemas_and_columns() -> None:
    page = text_of(ROOT / "docs" / "stored-formats.md")
    assert f"## scores.sqlite, schema {store.SCHEMA}\n" in page
    known = (*store.SCORES.columns, *store.TRAININGS.columns, *evidence_table.CORRELATION_COLUMNS)
    searched = (*search.CURVE_COLUMNS, *search.PICK_COLUMNS, *search.SUMMARY_COLUMNS, *search.TEACHER_COLUMNS)
    for name in (*known, *searched):
        assert f"`{name}`" in page


def test_the_design_states_the_contracts_that_hold() -> None:
    page = " ".join(text_of(ROOT / "docs" / "design.md").split())
    for function, name in (
        (proxies.score, "diswot.score"),
        (nb201.build, "diswot.benchmarks.spaces.nb201.build"),
    ):
        (stated,) = set(re.findall(rf"\*\*contract\*\*: `{re.escape(name)}\(([^)]*)\)", page))
        parameters = inspect.signature(function).parameters.values()
        bare = [p.replace(annotation=p.empty) for p in parameters]
        assert stated.replace('"', "'") == str(inspect.Signature(bare))[1:-1]


def test_the_number_of_proxies_is_that_of_the_registry() -> None:
    built_in = [
        name for name in registry.names() if registry.get(name).function.__module__.startswith("diswot.proxies.")
    ]
    assert f"It has {len(built_in)}\nproxies" in text_of(ROOT / "README.md")
    assert f"proxies, {len(built_in)} in all:" in text_of(ROOT / "CHANGELOG.md")


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text_of(page)):
            assert (page.parent / target).is_file(), f"{page.name} links to {target}"


def test_the_changelog_and_the_citation_know_the_version() -> None:
    version = PROJECT["version"]
    assert f"## [{version}]" in text_of(ROOT / "CHANGELOG.md")
    assert f"\nversion: {version}\n" in text_of(ROOT / "CITATION.cff")


def test_the_lock_pins_what_the_project_needs_and_no_build_of_torch() -> None:
    lines = [line for line in text_of(ROOT / "requirements.lock").splitlines() if not line.startswith("#")]
    pins = [re.fullmatch(r"([a-z0-9-]+)==([^ ;]+)( ; .+)?", line) for line in lines]
    assert all(pins)
    names = {pin[1] for pin in pins if pin}
    needed = [*PROJECT["dependencies"], *chain(*PROJECT["optional-dependencies"].values())]
    assert {re.split(r"[^a-z0-9-]", need)[0] for need in needed} <= names
    assert not [line for line in lines if "+" in line or re.match("nvidia|cuda|triton|torchvision", line)]


def test_no_file_names_a_registry_host_or_a_path_of_one_machine() -> None:
    hosts = ["pypi." + "org", "python" + "hosted", "anaconda." + "org", "npm" + "js", "index" + "-url"]
    pattern = re.compile("|".join(map(re.escape, hosts)) + r"|(?<![\w.$}])/(?:work|root|tmp)/")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.is_file() and path != Path(__file__):
            found = pattern.search(path.read_bytes().decode("utf-8", errors="ignore"))
            assert not found, f"{name} names {found[0]}" if found else ""


def test_import_contracts_hold(tmp_path: Path) -> None:
    (tmp_path / "diswot").mkdir()  # the folders as they are imported, as .ci/links links them
    for path in (*(ROOT / "diswot").glob("*.py"), *(ROOT / name for name in FOLDERS)):
        (tmp_path / "diswot" / path.name).symlink_to(path)
    script = Path(sysconfig.get_path("scripts")) / "lint-imports"
    command = [str(script), "--no-cache", "--config", str(ROOT / "pyproject.toml")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
