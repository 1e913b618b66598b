from __future__ import annotations

from pathlib import Path

import pytest
from platformdirs import user_cache_path

from diswot.benchmarks import cache


def test_the_environment_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DISWOT_CACHE", "~/kept")
    assert cache.folder() == tmp_path / "kept"


@pytest.mark.parametrize("empty", [True, False])
def test_without_it_the_folder_is_the_system_s(monkeypatch: pytest.MonkeyPatch, empty: bool) -> None:
    if empty:
        monkeypatch.setenv("DISWOT_CACHE", "")
    else:
        monkeypatch.delenv("DISWOT_CACHE")
    assert cache.folder() == user_cache_path("diswot", appauthor=False)
