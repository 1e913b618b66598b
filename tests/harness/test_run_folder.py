from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from diswot.benchmarks.errors import InputError
from diswot.harness import files
from diswot.harness.runs import arithmetic, provenance, run_folder
from diswot.harness.runs.settings import Settings
from diswot.harness.runs.store import Record, Store
from diswot.proxies import registry

Claim = Callable[..., dict[str, Any]]


@pytest.fixture
def claim(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Claim:
    def call(proxies: str = "params", plugins: Sequence[Path] = (), argv: str = "evaluate", **changes: Any) -> Any:
        monkeypatch.setattr("sys.argv", ["/somewhere/diswot", *argv.split()])
        run_folder.claim(
            tmp_path, settings.model_copy(update=changes), registry.select(proxies), device="cpu", plugins=plugins
        )
        return run_folder.read_info(tmp_path).stored()

    return call


def test_a_run_says_how_it_was_made(claim: Claim, settings: Settings) -> None:
    info = claim(argv="evaluate --cells 3,7")
    assert info["schema"] == 1
    assert info["settings"] == settings.stored()
    assert info["settings_hash"] == settings.hash
    assert info["command"] == "diswot evaluate --cells 3,7"
    assert {"python", "torch", "numpy", "scipy"} <= info["versions"].keys()
    assert info["hashes"] == {"batch": settings.batch}
    assert info["created"].endswith("+00:00")


def test_a_run_is_continued(claim: Claim, tmp_path: Path) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text("")
    first = claim("params,snip", argv="evaluate --seeds 1", plugins=[plugin])
    second = claim("nwot,snip", argv="evaluate --seeds 2")
    assert [record["name"] for record in second["proxies"]] == ["params", "snip", "nwot"]
    assert second["commands"] == ["diswot evaluate --seeds 1", "diswot evaluate --seeds 2"]
    assert second["hashes"] == first["hashes"]
    assert str(plugin) in second["hashes"]
    assert second["created"] == first["created"]
    assert claim("params", argv="evaluate --seeds 2")["commands"] == second["commands"]


def test_what_was_made_of_another_version_is_forgotten(
    claim: Claim, tmp_path: Path, plugin: Callable[..., Path]
) -> None:
    registry.load_file(plugin("return 1.0"))
    claim("mine,params")
    (tmp_path / "evidence.csv").write_text("")
    claim("mine")
    assert (tmp_path / "evidence.csv").exists()
    info = run_folder.read_info(tmp_path).stored()
    info["proxies"][0]["version"] = "another"
    run_folder.info_path(tmp_path).write_text(json.dumps(info))
    claim("params")
    assert (tmp_path / "evidence.csv").exists()
    claim("mine")
    assert not (tmp_path / "evidence.csv").exists()


def test_another_runs_folder_is_refused_and_left_alone(claim: Claim, tmp_path: Path) -> None:
    claim()
    before = run_folder.info_path(tmp_path).read_bytes()
    with pytest.raises(InputError, match=r"holds a run with other settings: batch_size 8 \(there: 4\), device cuda"):
        claim(batch_size=8, device="cuda", batch="other")
    assert run_folder.info_path(tmp_path).read_bytes() == before


def test_a_store_of_nobody_is_refused(claim: Claim, tmp_path: Path, record: Callable[..., Record]) -> None:
    with Store(run_folder.store_path(tmp_path), create=True) as store:
        store.write([record()])
    with pytest.raises(InputError, match=r"has a store but no .*run\.json; choose another folder"):
        claim()


def test_a_folder_of_runs_becomes_no_run(claim: Claim, tmp_path: Path) -> None:
    claim()
    (tmp_path / "nb201").mkdir()
    run_folder.info_path(tmp_path).rename(run_folder.info_path(tmp_path / "nb201"))
    with pytest.raises(InputError, match=r"holds several runs; name one of .*nb201, or another folder"):
        claim()
    assert run_folder.find(tmp_path) == [tmp_path / "nb201"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "cannot be read"),
        ("[]", "has schema None; this version reads 1"),
        ('{"schema": 2}', "has schema 2; this version reads 1"),
        ('{"schema": 1, "space": "s0"}', "is damaged: it lacks settings, settings_hash, commands, hashes, proxies"),
        ("\xff", "cannot be read"),
    ],
)
def test_a_damaged_record(tmp_path: Path, claim: Claim, text: str, says: str) -> None:
    run_folder.info_path(tmp_path).write_bytes(text.encode("latin-1"))
    for read in (lambda: run_folder.read_info(tmp_path), claim):
        with pytest.raises(InputError, match=f"run: .*run.json {says}"):
            read()


def test_a_missing_record(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"run.json cannot be read"):
        run_folder.read_info(tmp_path)


def test_runs_are_found_where_they_are(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        (tmp_path / name).mkdir()
    for name in ("b", "a"):
        run_folder.info_path(tmp_path / name).write_text("{}")
    assert run_folder.find(tmp_path) == [tmp_path / "a", tmp_path / "b"]
    assert run_folder.find(tmp_path / "b") == [tmp_path / "b"]
    (tmp_path / "file").touch()
    for name in ("c", "file", "missing"):
        with pytest.raises(InputError, match="is not a run's folder and holds none; `diswot evaluate --out"):
            run_folder.find(tmp_path / name)


def test_the_description_of_every_proxy_is_plain() -> None:
    for name in registry.names():
        described = run_folder.describe(registry.get(name)).stored()
        assert json.loads(json.dumps(described)) == described
        assert described["summary"]


OWN = ("targets.csv", "cards.json", "correlations.csv", "evidence.csv", "method.json", "relations.npz", "search")


@pytest.mark.parametrize("name", OWN)
def test_claim_refuses_a_folder_with_files_of_somebodys_own(claim: Claim, tmp_path: Path, name: str) -> None:
    path = tmp_path / name if name != "search" else tmp_path / "search" / "search.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    with pytest.raises(InputError, match=rf"out: .* holds {name} and no run\.json, so it is no run's folder"):
        claim()
    assert path.read_text() == "mine"
    assert not run_folder.store_path(tmp_path).exists()


def test_claim_leaves_other_files_of_a_folder_alone(claim: Claim, tmp_path: Path) -> None:
    (tmp_path / "cells.txt").write_text("3")
    claim()
    assert (tmp_path / "cells.txt").read_text() == "3"


def test_claim_takes_up_what_a_kill_left_between_store_and_record(claim: Claim, tmp_path: Path) -> None:
    Store(run_folder.store_path(tmp_path), create=True).__exit__()
    assert claim()["proxies"]


def test_two_claims_at_once_keep_each_others_records(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_folder, "environment", lambda device, arithmetic=None: {"device": device})
    meet = threading.Barrier(2)
    refused: list[str] = []

    def claim(folder: Path, name: str, batch_size: int) -> None:
        meet.wait()
        try:
            run_folder.claim(
                folder,
                settings.model_copy(update={"batch_size": batch_size}),
                registry.select(name),
                device=name,
                plugins=(),
            )
        except InputError as error:
            refused.append(str(error))

    for number in range(12):
        folder = tmp_path / str(number)
        sizes = (4, 4) if number % 2 else (4, 8)
        refused.clear()
        pairs = zip(("params", "flops"), sizes, strict=True)
        both = [threading.Thread(target=claim, args=(folder, *pair)) for pair in pairs]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        names = {proxy.name for proxy in run_folder.read_info(folder).proxies}
        if number % 2:
            assert (refused, names) == ([], {"params", "flops"})
        else:
            assert len(names) == len(refused) == 1
            assert "holds a run with other settings" in refused[0]


def test_two_notes_keep_each_other(claim: Claim, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    claim("params,snip")
    with Store(run_folder.store_path(tmp_path), create=False) as store:
        run_folder.note_computed(tmp_path, store, "one", ["params"])
        run_folder.note_computed(tmp_path, store, "one", ["snip"])
        assert capsys.readouterr().err == ""
        run_folder.note_computed(tmp_path, store, "another", ["snip"])
    info = run_folder.read_info(tmp_path)
    assert info.stored()["computed"] == [
        {"device": "one", "proxies": ["params", "snip"]},
        {"device": "another", "proxies": ["snip"]},
    ]
    assert provenance.devices(info) == {"params": "one", "snip": "one, another"}
    assert "has scores that were computed on one; this is another" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["run.json", "scores.sqlite", "targets.csv", "evidence.csv", "report.html", "figures/x.csv", "search/x.csv"]
)
def test_a_file_that_a_run_keeps_is_not_written_over(claim: Claim, tmp_path: Path, name: str) -> None:
    claim()
    (tmp_path / "link").symlink_to(tmp_path)
    for path in (tmp_path / name, tmp_path / "link" / name):
        with pytest.raises(InputError, match=r"export: .* is a file that the run in .* keeps; choose another name"):
            run_folder.refuse_kept("--export", path)
    run_folder.refuse_kept("--export", tmp_path / "mine.csv")
    run_folder.refuse_kept("--export", tmp_path / "costs.csv")  # which `diswot bench --out` makes


def test_a_folder_that_becomes_a_run_has_its_names_already(tmp_path: Path) -> None:
    run_folder.refuse_kept("--export", tmp_path / "evidence.csv")
    with pytest.raises(InputError, match="is a file that the run in"):
        run_folder.refuse_kept("--export", tmp_path / "evidence.csv", tmp_path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"settings": {"space": "s0"}}, "settings lacks images"),
        ({"settings_hash": "0"}, "settings_hash is not that of its settings"),
        ({"space": "nb201"}, "its space is not that of its settings"),
        ({"space": "nb20"}, "space is 'nb20', and must be one of nb201, s0"),
        ({"spaces": "nb201"}, r"the key of it: 'spaces' is not known; did you mean 'space'\?"),
        ({"space": ["s0"]}, r"space is \['s0'\], and must be a valid string"),
        ({"proxies": []}, "it has no proxies"),
        ({"proxies": [3]}, r"proxies\[0\] is 3, and must be an object"),
        ({"commands": "x"}, "commands is 'x', and must be a valid array"),
        ({"taken": [{}]}, r"taken\[0\] lacks name, data_hash, proxies"),
        ({"shipped": {"name": 1}}, "shipped.name is 1, and must be a valid string"),
    ],
)
def test_a_record_edited_by_hand_is_refused(claim: Claim, tmp_path: Path, change: dict[str, Any], says: str) -> None:
    path = run_folder.info_path(tmp_path)
    path.write_text(json.dumps(claim() | change))
    with pytest.raises(InputError, match=rf"run: .*run\.json is damaged: {says}"):
        run_folder.read_info(tmp_path)


def test_a_proxy_that_is_recorded_twice_is_refused(claim: Claim, tmp_path: Path) -> None:
    info = claim()
    run_folder.info_path(tmp_path).write_text(json.dumps(info | {"proxies": info["proxies"] * 2}))
    with pytest.raises(InputError, match="it has the proxy params twice"):
        run_folder.read_info(tmp_path)


def test_other_instructions_are_refused(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def claim(now: arithmetic.Arithmetic | None) -> None:
        run_folder.claim(tmp_path, settings, registry.select("params"), device="cpu", plugins=(), arithmetic=now)

    monkeypatch.delenv("MKL_CBWR", raising=False)
    claim(None)  # as an older version, or a cluster, left it
    here = arithmetic.here("cpu")
    claim(here)
    assert run_folder.read_info(tmp_path).arithmetic == here
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    with pytest.raises(InputError, match=r"computed with other instructions: MKL_CBWR COMPATIBLE \(there: not set\);"):
        claim(arithmetic.here("cpu"))
    with pytest.raises(InputError, match="CPU capability OTHER"):
        claim(here.model_copy(update={"capability": "OTHER"}))
    with pytest.raises(InputError, match="mkldnn"):
        claim(here.model_copy(update={"mkldnn": not here.mkldnn}))
    claim(here)


def test_a_gpu_does_not_depend_on_the_processors_instructions() -> None:
    assert arithmetic.here("cuda").capability is None


def test_the_revision_is_that_of_this_projects_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*arguments: str) -> None:
        head = ("git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@example.org")
        subprocess.run([*head, *arguments], check=True, capture_output=True)

    package = tmp_path / "lib" / "harness" / "runs"
    package.mkdir(parents=True)
    module = package / "run_folder.py"
    module.write_text("")
    git("init")
    git("commit", "--allow-empty", "-m", "somebody's own")
    monkeypatch.setattr(run_folder, "__file__", str(module))
    assert run_folder._git_revision() is None  # installed below a repository
    git("add", ".")
    git("commit", "-m", "a copy")
    assert run_folder._git_revision() is None  # kept in one
    (tmp_path / "lib").rename(tmp_path / "other")
    (tmp_path / "other" / "harness").rename(tmp_path / "harness")
    monkeypatch.setattr(run_folder, "__file__", str(tmp_path / "harness" / "runs" / "run_folder.py"))
    assert run_folder._git_revision() is None  # not tracked there
    git("add", ".")
    git("commit", "-m", "a checkout")
    revision = run_folder._git_revision()
    assert revision is not None
    assert len(revision) == 40
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    assert run_folder._git_revision() == revision


def test_this_checkout_has_a_revision() -> None:
    checkout = Path(run_folder.__file__).parents[2]
    head = subprocess.run(["git", "-C", str(checkout), "rev-parse", "HEAD"], capture_output=True, text=True)
    if head.returncode or not (checkout / ".git").exists():
        pytest.skip("the project is no checkout that git reads here")
    revision = run_folder._git_revision()
    assert revision is not None
    assert revision.removesuffix("-dirty") == head.stdout.strip()


def test_a_folder_that_cannot_be_written_to_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_folder.keeps(tmp_path)
    monkeypatch.setattr(files, "can_be_written", lambda path: False)
    assert not run_folder.keeps(tmp_path)
    assert capsys.readouterr().err == f"{tmp_path} cannot be written to: nothing is kept there\n"


def test_a_command_line_that_is_no_utf8_can_be_read_again(claim: Claim) -> None:
    assert claim(argv="evaluate --out r\udcfc")["command"] == r"diswot evaluate --out 'r\udcfc'"
