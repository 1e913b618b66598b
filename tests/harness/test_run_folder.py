from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.errors import InputError
from harness import run_folder
from harness.settings import Settings
from harness.store import Record, Store
from proxies import registry

Claim = Callable[..., dict[str, Any]]


@pytest.fixture
def claim(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Claim:
    def call(proxies: str = "params", plugins: Sequence[Path] = (), argv: str = "evaluate", **changes: Any) -> Any:
        monkeypatch.setattr("sys.argv", ["/somewhere/diswot", *argv.split()])
        run_folder.claim(
            tmp_path, replace(settings, **changes), registry.select(proxies), device="cpu", plugins=plugins
        )
        return run_folder.read_info(tmp_path)

    return call


def test_a_run_says_how_it_was_made(claim: Claim, settings: Settings) -> None:
    info = claim(argv="evaluate --cells 3,7")
    assert info["schema"] == run_folder.SCHEMA
    assert info["settings"] == settings.as_dict()
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
    info = run_folder.read_info(tmp_path)
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
        ('{"schema": 1, "space": "s0"}', "is damaged: it lacks settings, settings_hash, commands, proxies, hashes"),
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
        described = run_folder.describe(registry.get(name))
        assert json.loads(json.dumps(described)) == described
        assert described["summary"]
