from __future__ import annotations

from pathlib import Path

import pytest

from diswot.benchmarks import spaces
from diswot.benchmarks.errors import InputError
from diswot.benchmarks.spaces import nb201
from diswot.harness.runs import samples

NB201 = spaces.get("nb201")
S0 = spaces.get("s0")


def test_all_cells_come_in_the_official_order() -> None:
    assert samples.cells("all", S0) == S0.cells
    assert samples.cells(" all ", NB201) == tuple(range(nb201.SIZE))


def test_a_longer_sample_begins_with_the_shorter_one() -> None:
    longer = samples.cells("1000", NB201)
    assert samples.cells("10", NB201) == longer[:10]
    assert len(set(longer)) == 1000
    assert set(samples.cells("64", S0)) == set(S0.cells)


def test_the_sample_is_the_same_everywhere() -> None:
    assert samples.cells("5", NB201) == (12148, 1871, 13226, 1291, 2012)


@pytest.mark.parametrize("text", ["3,7,9", " 3 , 7 ,9,", "3,7,3,9,7"])
def test_a_list_keeps_its_order_without_repetition(text: str) -> None:
    assert samples.cells(text, NB201) == (3, 7, 9)


def test_a_single_cell_has_a_comma() -> None:
    assert samples.cells("3,", NB201) == (3,)


def test_cells_may_be_architecture_strings() -> None:
    first, second = str(nb201.Cell.from_index(3)), str(nb201.Cell.from_index(7))
    assert samples.cells(first, NB201) == (3,)
    assert samples.cells(f"{first},{second}", NB201) == (3, 7)


def test_a_table_stands_for_its_cells_one_a_function() -> None:
    assert samples.cells("s0-diswot", S0) == S0.cells
    some = samples.cells("s0-diswot:5", S0)
    assert len(some) == 5
    assert samples.cells("s0-diswot:9", S0)[:5] == some
    with pytest.raises(InputError, match="cells: '65' cells were asked for; s0-diswot stands for 1 to 64"):
        samples.cells("s0-diswot:65", S0)
    chosen = samples.cells("analog-nasbench", NB201)
    assert len({nb201.Cell.from_index(cell).function for cell in chosen}) == len(chosen) == 5260
    with pytest.raises(InputError, match="is of the search space s0, not nb201"):
        samples.cells("s0-diswot", NB201)


def test_a_file_has_one_cell_a_line(tmp_path: Path) -> None:
    path = tmp_path / "cells.txt"
    path.write_text(f"3\n\n {nb201.Cell.from_index(7)} \n3\n")
    assert samples.cells(str(path), NB201) == (3, 7)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0", "0 cells were asked for; nb201 has 1 to 15625"),
        ("15626", "15626 cells were asked for; nb201 has 1 to 15625"),
        ("-5", "'-5' is neither all, a number of cells"),
        ("every", "'every' is neither all, a number of cells"),
        (",", "',' names no cell"),
        ("3,15625", "index 15625 is out of range; NAS-Bench-201 has the indices 0 to 15624"),
        ("3,four", "'four' is not an architecture string"),
        ("x" * 5000, "is neither all, a number of cells|cannot be read as a file"),
    ],
)
def test_what_stands_for_no_cell(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        samples.cells(text, NB201)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "cells.bin"
    path.write_bytes(b"3\xff\xfe")
    with pytest.raises(InputError, match=r"cells: .*cells.bin' cannot be read as a file with one cell a line"):
        samples.cells(str(path), NB201)
    path.write_bytes(b"")
    with pytest.raises(InputError, match=r"cells.bin' names no cell"):
        samples.cells(str(path), NB201)


def test_a_wrong_cell_in_a_file_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "cells.txt"
    path.write_text("713\n\n712\n")
    with pytest.raises(InputError, match=r"cells.txt', line 3: cell: 712 is not in S0"):
        samples.cells(str(path), S0)


@pytest.mark.parametrize(
    ("text", "seeds"), [("1", (0,)), ("3", (0, 1, 2)), ("5,", (5,)), ("0,5,0", (0, 5)), (" 2, 1 ", (2, 1))]
)
def test_seeds(text: str, seeds: tuple[int, ...]) -> None:
    assert samples.seeds(text) == seeds


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "a", "", ",", "0,x", "0,-1", "1001", "9" * 30, "9" * 30 + ","])
def test_what_stands_for_no_seed(text: str) -> None:
    with pytest.raises(InputError, match=r"seeds: .* is neither a number of seeds, 1 to 1000, nor a list"):
        samples.seeds(text)


def test_cells_may_be_written_as_pandas_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "cells.txt"
    path.write_text("3.0\n 7.00 \n9\n")
    assert samples.cells(str(path), NB201) == (3, 7, 9)
    assert samples.cells("3.0,7", NB201) == (3, 7)
    assert samples.cells("713.0,", S0) == (713,)
    with pytest.raises(InputError, match=r"'3\.5' is not an architecture string"):
        samples.cells("3.5,", NB201)


def test_cells_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "cells.txt"
    path.write_bytes(b"\xef\xbb\xbf3\r\n7\r\n")
    assert samples.cells(str(path), NB201) == (3, 7)


def test_cells_file_may_be_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "cells.txt").write_text("3\n7\n")
    assert samples.cells("~/cells.txt", NB201) == (3, 7)


@pytest.mark.parametrize("text", ["9" * 5000, f"s0-diswot:{'9' * 5000}", f"{'9' * 5000},", "²", "s0-diswot:²"])
def test_cells_refuse_what_is_no_number_in_one_sentence(text: str) -> None:
    with pytest.raises(InputError, match=r"^cells: ") as caught:
        samples.cells(text, S0)
    assert len(str(caught.value)) < 300
