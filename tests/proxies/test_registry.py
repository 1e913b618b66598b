"""The registry: what every record must say, and how plug-ins come in."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from diswot.benchmarks import initialisation, isolation
from diswot.benchmarks.errors import InputError
from diswot.benchmarks.isolation import kept_apart
from diswot.harness.check import loading
from diswot.proxies import by_value, registry
from diswot.proxies.registry import INITIALISATIONS, PASSES, get, names, register, select

PLUGIN = '''
from diswot import proxies

@proxies.register(needs=["weights"], source="a test", direction="lower")
def {name}(trace):
    """Count the weight tensors."""
    return len(trace.weights)
'''


@pytest.fixture(autouse=True)
def clean_registry() -> Iterator[None]:
    """Forget what a test registers."""
    names()
    before = dict(registry._registered)
    yield
    registry._registered.clear()
    registry._registered.update(before)


@pytest.mark.parametrize("name", names())
def test_a_record_says_what_a_reader_needs(name: str) -> None:
    proxy = get(name)
    assert proxy.name == name
    assert proxy.direction in ("higher", "lower")
    assert proxy.needs <= set(PASSES)
    assert proxy.source
    assert proxy.summary.endswith(".")
    assert proxy.version.isdecimal()
    assert Path(registry.origin(proxy).rpartition(":")[0]).is_file()


def test_the_issue_s_proxies_are_there() -> None:
    asked = """params flops live_params live_flops live_convs l2_norm grad_norm snip plain grasp fisher synflow
    logsynflow zico nwot jacov epe_nas zen diswot_semantic diswot_relation diswot kd fitnet at sp cc rkd pkt nst kdsvd
    fsp ickd rmi ntk_cond linear_regions gradsign swap reg_swap meco az_expressivity az_progressivity az_trainability
    vkdnw near dextr_svd dextr wrcor eznas ntk_trace rbflex autodas autodas_nb101"""
    assert set(asked.split()) <= set(names())


def test_the_fast_suite_leaves_out_what_costs_much_ties_all_cells_or_is_not_precomputed() -> None:
    slow = {proxy.name for proxy in select("all")} - {proxy.name for proxy in select("fast")}
    assert slow == {
        *("grasp", "gradsign", "ntk_cond", "vkdnw", "linear_regions"),
        *("az_expressivity", "az_progressivity", "az_trainability", "dextr", "wrcor", "ntk_trace"),
        # which no precomputed set holds
        *("near", "dextr_svd", "rbflex", "eznas", "autodas", "autodas_nb101"),
    }


def test_the_initialisations_that_may_be_declared_are_those_there_are() -> None:
    assert set(INITIALISATIONS) == set(initialisation.BY_NAME)


def test_names_select_in_the_order_given_without_repetition() -> None:
    assert [proxy.name for proxy in select(" nwot, params,nwot ")] == ["nwot", "params"]
    assert select("grasp,fast")[0].name == "grasp"


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "no proxy was named"), ("synflo", "did you mean 'synflow'"), ("fsat", "did you mean 'fast'")],
)
def test_what_selects_nothing_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        select(text)


def test_a_plugin_file_registers_once(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(PLUGIN.format(name="tensors_once"))
    assert registry.load_file(path) == ("tensors_once",)
    assert registry.load_file(path) == ("tensors_once",)
    assert get("tensors_once").direction == "lower"
    assert registry.origin(get("tensors_once")).startswith(str(path))


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a folder that is not this project's, where `proxies` is nothing that can be imported."""
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if not (Path(entry) / "proxies").is_dir()])
    for name in [name for name in sys.modules if name.partition(".")[0] in isolation._MOVED]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("import proxies", "write `from diswot import proxies` or `import diswot` instead of `import proxies`"),
        ("import harness as h", "write `from diswot import harness` or `import diswot` instead of `import harness`"),
        (
            "from proxies import register, UndefinedScore  # both",
            "write `from diswot.proxies import register, UndefinedScore  # both` instead of "
            "`from proxies import register, UndefinedScore  # both`",
        ),
        (
            "from benchmarks.seeding import generator",
            "write `from diswot.benchmarks.seeding import generator` instead of "
            "`from benchmarks.seeding import generator`",
        ),
    ],
)
def test_an_import_of_a_moved_package_is_told_its_new_line(tmp_path: Path, line: str, sentence: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(f'"""A plug-in."""\n{line}\n')
    with pytest.raises(InputError) as raised:
        registry.load_file(path)
    assert str(raised.value) == f"plugins: {path} cannot be loaded: {sentence} in line 2 of mine.py"
    with pytest.raises(InputError, match=r"^FILE: .*mine\.py cannot be loaded: write `from diswot"):
        loading.find(str(path))


@pytest.mark.usefixtures("elsewhere")
def test_a_user_s_own_package_of_a_moved_name_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "proxies").mkdir()
    (tmp_path / "proxies" / "__init__.py").write_text("tensors = 3\n")
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "mine.py"
    path.write_text(PLUGIN.format(name="with_own_package") + "\nfrom proxies import tensors\nassert tensors == 3\n")
    assert registry.load_file(path) == ("with_own_package",)
    monkeypatch.delitem(sys.modules, "proxies")


@pytest.mark.usefixtures("elsewhere")
def test_an_old_import_is_told_where_the_user_has_such_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "proxies").mkdir()
    (tmp_path / "proxies" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "old.py"
    path.write_text("import proxies\n@proxies.register(needs=[], source='', version='1')\ndef mine(trace): ...\n")
    with pytest.raises(InputError, match=r"its `proxies` is .*__init__\.py; write `from diswot import proxies`"):
        registry.load_file(path)
    monkeypatch.delitem(sys.modules, "proxies")


@pytest.mark.usefixtures("elsewhere")
def test_an_entry_point_and_a_module_with_a_moved_import_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "of_a_distribution.py").write_text("import proxies\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"of_a_distribution of proxies cannot be loaded: write `from diswot import"):
        registry.load_module("of_a_distribution")
    old = EntryPoint("old", "of_a_distribution", "diswot.proxies")
    monkeypatch.setattr(registry, "entry_points", lambda group: [old])
    with pytest.raises(
        InputError, match=r"^the plug-in 'old' .* cannot be loaded: write `from diswot import proxies` or"
    ):
        registry._load_installed.__wrapped__()


def test_a_version_follows_the_source(tmp_path: Path) -> None:
    versions = set()
    for number, body in enumerate(["return 1", "return 2"]):
        path = tmp_path / f"v{number}.py"
        path.write_text(
            f"import diswot\n@diswot.register(needs=[], source='x')\ndef same{number}(trace):\n    {body}\n"
        )
        versions.add(get(*registry.load_file(path)).version)
    assert len(versions) == 2


def test_a_proxy_without_a_source_needs_a_version() -> None:
    text = (
        "from diswot import proxies\n@proxies.register(needs=[], source='x'{})\ndef typed_in(trace):\n    return 1.0\n"
    )
    with pytest.raises(InputError, match=r"^proxy typed_in: its source cannot be read; give version=\.$"):
        exec(text.format(""), {})
    exec(text.format(", version='3'"), {})
    assert get("typed_in").version == "3"


@pytest.mark.parametrize(("version", "text"), [(1, "1"), ("1", "1"), (20240101, "20240101")])
def test_a_whole_number_as_version_becomes_its_text(version: Any, text: str) -> None:
    register(needs=[], source="x", version=version, name="numbered")(lambda trace: 1.0)
    assert get("numbered").version == text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"source": object()}, "proxy p: source=a object is not allowed; give a text that UTF-8 can hold."),
        ({"source": "caf\udce9"}, "proxy p: source='caf\\udce9' is not allowed; give a text that UTF-8 can hold."),
        ({"version": 1.5}, "proxy p: version=1.5 is not allowed; give a text, or a whole number, which becomes its"),
        ({"version": True}, "proxy p: version=True is not allowed"),
        ({"version": ""}, "proxy p: version='' is not allowed"),
        ({"needs": "weights"}, "proxy p: needs='weights' is not allowed; give a list of texts."),
        ({"needs": [1]}, "proxy p: needs=a list is not allowed; give a list of texts."),
        ({"needs": None}, "proxy p: needs=a NoneType is not allowed"),
        (
            {"independent_of": "batch_size"},
            "proxy p: independent_of='batch_size' is not allowed; give a list of texts.",
        ),
        ({"direction": 1}, "proxy p: direction=1 is not allowed"),
        ({"family": None}, "proxy p: family=a NoneType is not allowed"),
        ({"init": b"default"}, "proxy p: init=a bytes is not allowed"),
        ({"differences": 3}, "proxy p: differences=3 is not allowed"),
        ({"live_edges_only": "yes"}, "proxy p: live_edges_only='yes' is not allowed; give True or False."),
        ({"fast": 1}, "proxy p: fast=1 is not allowed; give True or False."),
        ({"time_limit": "3"}, "proxy p: time_limit='3' is not allowed; give a number above 0, or None."),
        ({"time_limit": 0}, "proxy p: time_limit=0 is not allowed"),
        (
            {"expected_failed_checks": {"order": 1}},
            "proxy p: expected_failed_checks=a dict is not allowed; give a dictionary of checks and reasons.",
        ),
        ({"memory_limit": float("nan")}, "proxy p: memory_limit=nan is not allowed"),
        ({"name": 3}, "name=3 is not allowed; give a text that UTF-8 can hold."),
    ],
)
def test_register_refuses_an_argument_of_the_wrong_type_in_one_sentence(
    arguments: dict[str, Any], sentence: str
) -> None:
    before = names()
    with pytest.raises(InputError) as raised:
        register(**{"needs": [], "source": "x", "version": "1", "name": "p", **arguments})(lambda trace: 1.0)
    assert str(raised.value).startswith(sentence)
    assert "\n" not in str(raised.value)
    assert names() == before


def test_register_takes_the_name_that_differences_had() -> None:
    with pytest.warns(DeprecationWarning, match="write differences="):
        decorate = register(needs=[], source="x", version="1", name="earlier", deviations="float32")
    decorate(lambda trace: 1.0)
    assert get("earlier").differences == "float32"


def test_register_takes_a_callable_object_and_refuses_what_cannot_be_called() -> None:
    register(needs=[], source="x", version="1", name="partial")(functools.partial(len))
    assert registry.origin(get("partial")) == "functools.partial"
    assert not registry.is_built_in(get("partial"))
    with pytest.raises(InputError, match=r"^name=a NoneType is not allowed"):
        register(needs=[], source="x", version="1")(functools.partial(len))
    with pytest.raises(InputError, match=r"^proxy number: a int is not a function of a trace\.$"):
        register(needs=[], source="x", version="1", name="number")(3)  # type: ignore[arg-type]


def test_a_plugin_that_wraps_a_built_in_is_no_built_in() -> None:
    record = get("nwot")
    register(needs=["relu_outputs"], source="x", version="1", name="wrapped")(
        functools.wraps(record.function)(lambda trace: record.function(trace))
    )
    assert registry.is_built_in(record)
    assert not registry.is_built_in(get("wrapped"))


LOADS = {
    "import torch; torch.backends.mkldnn.enabled = False": "it changes torch.backends.mkldnn.enabled, from True to",
    "import torch; torch.set_default_dtype(torch.float64)": "it changes torch's default type",
    "import torch; torch.set_grad_enabled(False)": "it changes torch's grad mode, from True to False",
    "import torch; torch.inference_mode().__enter__()": None,
    "import torch; kept = torch.inference_mode(); kept.__enter__()": "it changes torch's grad mode",
    "import torch; torch.use_deterministic_algorithms(True)": "it changes torch's deterministic algorithms",
    "import torch; torch.set_float32_matmul_precision('medium')": "it changes torch's float32 matmul precision",
    "import torch; torch.autograd.set_detect_anomaly(True)": "it changes torch's anomaly mode",
    "import torch; torch.set_flush_denormal(True)": "it changes torch's flushing of denormal numbers",
    "import torch; torch.autocast('cpu').__enter__()": "it changes torch's autocast on cpu, from False to True",
    "import torch; torch.nn.functional.cross_entropy = None": "it replaces torch.nn.functional.cross_entropy",
    "import diswot.proxies.losses; diswot.proxies.losses.kd = max": "it replaces diswot.proxies.losses.kd",
    "import os; os.chdir('/')": "it changes the working directory",
    "import numpy; numpy.seterr(all='raise')": "it changes numpy's handling of errors",
    "raise SystemExit(0)": "it calls sys.exit(0)",
    "raise GeneratorExit": "GeneratorExit: ",
    "import os; raise ValueError(os.fsdecode(b'caf\\xe9'))": r"ValueError: caf\udce9",
}


@pytest.mark.parametrize("text", LOADS)
def test_what_a_plugin_does_to_torch_while_it_is_loaded_is_undone(tmp_path: Path, text: str) -> None:
    path, cause = tmp_path / "sets.py", LOADS[text]
    path.write_text(PLUGIN.format(name="sets") + text + "\n")
    before, folder = names(), Path.cwd()
    with kept_apart() as changed:
        if cause is None:
            assert registry.load_file(path) == ("sets",)
        else:
            with pytest.raises(InputError) as raised:
                registry.load_file(path)
            assert str(raised.value).startswith(f"plugins: {path} cannot be loaded: {cause}")
            assert names() == before
        assert changed() is None
    assert Path.cwd() == folder


def test_what_a_plugin_prints_while_it_is_loaded_goes_to_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "prints.py"
    path.write_text(PLUGIN.format(name="prints") + "print('plug-in loaded')\n")
    registry.load_file(path)
    assert capsys.readouterr() == ("", "plug-in loaded\n")


def test_an_interrupt_while_a_plugin_is_loaded_stops_the_command(tmp_path: Path) -> None:
    path = tmp_path / "stops.py"
    path.write_text(PLUGIN.format(name="stops") + "raise KeyboardInterrupt\n")
    before = names()
    with pytest.raises(KeyboardInterrupt):
        registry.load_file(path)
    assert names() == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PLUGIN.format(name="nwot"), "'nwot' is registered already"),
        ("x = 1", "registers no proxy"),
        ("def (", "SyntaxError"),
        ("import nothing_of_that_name", "ModuleNotFoundError"),
        (PLUGIN.format(name="p").replace('"lower"', '"down"'), "direction: 'down' is not known"),
        (PLUGIN.format(name="p").replace('"weights"', '"gradient"'), "did you mean 'gradients'"),
        (PLUGIN.format(name="p").replace("needs=", "init='xavier', needs="), "init: 'xavier' is not known"),
    ],
)
def test_a_bad_plugin_is_refused_in_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.py"
    path.write_text(text)
    before = names()
    with pytest.raises(InputError, match=message):
        registry.load_file(path)
    assert names() == before


def test_a_missing_plugin_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.py is not a file"):
        registry.load_file(tmp_path / "nowhere.py")


@pytest.mark.parametrize("module", ["benchmarks", "proxies", "harness", "reports"])
def test_importing_and_listing_load_no_torch(module: str) -> None:
    code = (
        f"import sys, diswot.{module}, diswot.benchmarks.spaces.nb201; from diswot.benchmarks import images, tables; "
        "from diswot.proxies.registry import get, names; [get(n).summary for n in names()]; "
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_homes_are_what_another_process_must_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a_plugin.py"
    path.write_text(PLUGIN.format(name="from_a_file"))
    registry.load_file(path)
    (tmp_path / "a_module.py").write_text(PLUGIN.format(name="from_a_module"))
    monkeypatch.syspath_prepend(tmp_path)
    registry.load_module("a_module")
    assert registry.homes([get("snip"), get("from_a_file"), get("from_a_module")]) == ("a_module",)


def test_a_proxy_of_the_running_script_travels_by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    def mine(trace: object) -> float:
        return 1.0

    monkeypatch.setattr(registry, "_registered", {n: get(n) for n in names()})
    mine.__module__ = "__main__"
    registry.register(needs=[], source="a test", version="1")(mine)
    assert registry.homes([get("mine")]) == ()
    (packed,) = by_value.pack([get("mine"), get("snip")])
    monkeypatch.setattr(registry, "_registered", {n: get(n) for n in names() if n != "mine"})
    by_value.unpack(packed)
    assert get("mine").version == "1"
    assert get("mine").function(None) == 1.0  # type: ignore[arg-type]
    known = get("mine")
    by_value.unpack(packed)
    assert get("mine") is known  # it is there already


def test_a_proxy_of_a_notebook_may_be_defined_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {n: get(n) for n in names()})
    packed = []
    for version, value in (("1", 1.0), ("2", 2.0)):

        def mine(trace: object, value: float = value) -> float:
            return value

        mine.__module__ = "__main__"
        registry.register(needs=[], source="a test", version=version)(mine)
        assert get("mine").function(None) == value  # type: ignore[arg-type]
        packed += by_value.pack([get("mine")])
    for content, value in ((packed[0], 1.0), (packed[1], 2.0), (packed[0], 1.0)):  # as clients of a cluster come
        by_value.unpack(content)
        assert get("mine").function(None) == value  # type: ignore[arg-type]
    mine.__module__ = "elsewhere"
    with pytest.raises(InputError, match="'mine' is registered already"):
        registry.register(needs=[], source="a test", version="3")(mine)


def test_a_module_that_cannot_be_loaded_is_one_sentence() -> None:
    with pytest.raises(InputError, match="the module no_such_module of proxies cannot be loaded: ModuleNotFoundError"):
        registry.load_module("no_such_module")
