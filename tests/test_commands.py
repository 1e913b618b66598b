"""Every command line that a page tells the reader to type is run here, or marked with what it needs."""

from __future__ import annotations

import re
import shlex
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from diswot.harness import pool
from diswot.harness.cli import main
from diswot.harness.runs import run_folder
from diswot.harness.runs.precomputed import catalogue
from diswot.proxies import registry

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

#: Command lines that are not run as they stand: what they need, and which tests do the same in small.
MARKED = {
    r".* (DATA|ACCURACIES)\b.*|.*--images cifar10 .*": "images or accuracies that the project does not bring",
    r".*\bnb201:.*|.* official\.parquet.*|.* tables (import|show nb201$).*": "official accuracies; test_official.py",
    r".* fetch .*": "a network; tests/benchmarks/test_fetched.py reads from a folder",
    r".* hw-nas-bench:.*|.*=hw-nas-bench:.*": "a fetched table; tests/harness/search/test_study.py",
    r".* tcp://.*": "a cluster; tests/harness/cluster",
    r".* (tiny|--metric mine|--figures mine|--distillers none,mine|--proxy pair)\b.*": "a package; test_extension.py",
    r"diswot (run|bench|check|distill|report)\b.*|.* --scores live": "minutes; .ci/run, and the tests of each command",
    r".* evaluate --cells 200 .*|.* (runs/nb201|runs/s0-cifar100) .*": "minutes, or a run that took them",
    r".* (nbmacro|runs/macro|nas-bench-macro_cifar10\.\w+)\b.*": "minutes; tests/harness/test_nbmacro.py",
    r".* runs/distill/.*|.* tables model .*": "trained students; tests/harness/distillation, test_model.py",
}


def lines(page: Path) -> list[str]:
    """The command lines of this project in the blocks that a reader types."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    typed = "".join(blocks).replace("\\\n", "").splitlines()
    parts = [part.strip() for line in typed for part in re.sub(r"\s#.*", "", line).split("&&")]
    return [" ".join(part.split()) for part in parts if part.startswith("diswot ")]


def to_run(page: Path) -> list[str]:
    return [line for line in lines(page) if not any(re.fullmatch(pattern, line) for pattern in MARKED)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that pages have shown before they name them, and the runs of `diswot run`."""
    monkeypatch.chdir(tmp_path)
    # Processes take seconds to begin, and have tests of their own.
    monkeypatch.setattr(pool, "local", lambda workers, devices: ThreadPoolExecutor(1))
    monkeypatch.setattr(pool, "plain", ThreadPoolExecutor)
    registry.names()
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))  # a page's plug-in is that page's alone
    for page, language, name in (("add-a-proxy.md", "python", "effective_rank.py"), ("add-a-table.md", "", "kd.csv")):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        first = re.search(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
        assert first is not None
        (tmp_path / name).write_text(first[1], encoding="utf-8")
    (tmp_path / "labels.csv").write_text("proxy,label\nmeco,MeCo\nnwot,NWOT\nsynflow,SynFlow\n", encoding="utf-8")
    for name in ("nb201-cifar10", "s0-noise"):
        run_folder.show(catalogue.load(name), tmp_path / "runs" / "default")
    return tmp_path


@pytest.mark.parametrize("page", [page for page in PAGES if to_run(page)], ids=lambda page: page.name)
def test_commands_of_a_page_run(page: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for line in to_run(page):
        in_small = re.sub(r"--cells \d+(?= )", "--cells 6", line)  # fewer cells show as well that it works
        status = main(shlex.split(in_small)[1:])
        said = capsys.readouterr()
        assert status == 0, f"{line}: {said.err}"
        assert said.out or said.err, line


@pytest.mark.parametrize("pattern", MARKED)
def test_marks_of_commands_are_used(pattern: str) -> None:
    assert any(re.fullmatch(pattern, line) for page in PAGES for line in lines(page))
