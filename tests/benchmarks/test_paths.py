from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from diswot.benchmarks import cache, images, tables
from diswot.benchmarks.errors import InputError
from diswot.benchmarks.paths import expanded
from diswot.benchmarks.tables import readers, user
from diswot.harness import fetch
from diswot.harness.distillation import teacher

NOBODY = "~nobody-of-that-name"


def test_the_user_s_own_home_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded("table", "~/a.csv") == expanded("table", Path("~/a.csv")) == tmp_path / "a.csv"
    assert expanded("table", "a~b/~") == Path("a~b/~")


@pytest.mark.parametrize(
    ("argument", "use"),
    [
        ("table", tables.load),
        ("table", readers.read),
        ("table", user.card_path),
        ("image_dir", lambda path: images.read("cifar10", "test", path)),
        ("image_dir", lambda path: fetch.images("cifar10", Path(path), None)),
        ("teacher", teacher.parse),
        ("teacher", lambda path: teacher.parse(f"nb201:13={path}")),
        ("teacher", lambda path: teacher.parse(path.removesuffix(".csv"))),
    ],
)
def test_a_home_that_nobody_has_is_one_sentence(argument: str, use: Callable[[str], object]) -> None:
    with pytest.raises(
        InputError, match=rf"^{argument}: '{NOBODY}/x.*' begins with {NOBODY}, .* no home folder; write"
    ):
        use(f"{NOBODY}/x.csv")


def test_the_cache_says_which_variable_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISWOT_CACHE", f"{NOBODY}/kept")
    with pytest.raises(InputError, match=rf"^\$DISWOT_CACHE: '{NOBODY}/kept' begins with {NOBODY}"):
        cache.folder()
