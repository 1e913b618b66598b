"""Things by name: clashes, unknown names, lazy ones, and what installed distributions bring."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from diswot.benchmarks.errors import InputError
from diswot.benchmarks.registry import Registry
from diswot.benchmarks.spaces.space import Subset, every

OWN = Subset("own", every)
MODULE = "from diswot.benchmarks.spaces.space import Subset, every\nTHING = Subset('theirs', every)\n"

Install = Callable[[str, str], Registry[Subset]]


def make(group: str | None = None) -> Registry[Subset]:
    lazy = "diswot.benchmarks.spaces.nb201.space:SPACE"
    return Registry(Subset, "--subset", group, {"own": OWN, "lazy": lazy})


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Lays a distribution whose module, and whose entry point, are given, where Python finds it."""
    monkeypatch.syspath_prepend(tmp_path)

    def lay(module: str, entry: str) -> Registry[Subset]:
        name = f"lab_{abs(hash((module, entry)))}"
        (tmp_path / f"{name}.py").write_text(module)
        record = tmp_path / f"{name}-1.0.dist-info"
        record.mkdir()
        (record / "METADATA").write_text("Metadata-Version: 2.1\nName: their-lab\nVersion: 1.0\n")
        (record / "entry_points.txt").write_text(f"[{name}]\n{entry.replace('LAB', name)}\n")
        return make(name)

    return lay


def test_a_registry_is_a_mapping_in_the_order_of_registration() -> None:
    registry = make()
    registry.add("last", OWN)
    assert (tuple(registry), len(registry), registry["last"]) == (("own", "lazy", "last"), 3, OWN)
    assert (registry.get("own"), registry.get("none"), "none" in registry) == (OWN, None, False)


def test_a_name_that_is_taken_and_one_that_is_not_known_are_refused() -> None:
    registry = make()
    with pytest.raises(InputError, match=r"^--subset: 'own' is registered already\.$"):
        registry.add("own", OWN)
    with pytest.raises(InputError, match=r"^--subset: 'owm' is not known; did you mean 'own'\? Allowed: own, lazy\.$"):
        registry["owm"]


def test_what_is_installed_is_loaded_when_it_is_first_asked_for(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = install(f"print('loaded')\n{MODULE}", "theirs = LAB:THING")
    assert tuple(registry) == ("own", "lazy", "theirs")
    assert capsys.readouterr().err == ""
    assert registry["theirs"].summary == registry["theirs"].summary == "theirs"
    assert capsys.readouterr() == ("", "loaded\n")


@pytest.mark.parametrize(
    ("module", "entry", "name", "cause"),
    [
        ("raise OSError('no disk')", "theirs = LAB", "theirs", "cannot be loaded: OSError: no disk"),
        (
            "import torch\ntorch.set_grad_enabled(False)",
            "theirs = LAB",
            "theirs",
            "cannot be loaded: it changes torch's grad mode, from True to False while it is loaded",
        ),
        ("THING = 3", "theirs = LAB:THING", "theirs", "is a int, and must be a Subset"),
        (f"{MODULE}object.__setattr__(THING, 'name', 'x')", "theirs = LAB:THING", "theirs", "calls itself 'x'"),
        (MODULE, "own = LAB:THING", "own", "brings a name for --subset that is taken"),
    ],
)
def test_a_broken_plug_in_is_one_sentence_that_names_the_distribution(
    module: str, entry: str, name: str, cause: str, install: Install
) -> None:
    registry = install(module, entry)
    with pytest.raises(InputError) as raised:
        registry[name]
    begins, _, ends = str(raised.value).partition(") of the installed distribution ")
    assert begins.startswith(f"the plug-in {name!r} (lab_")
    assert ends == f"their-lab {cause}; mend or uninstall it."
