from __future__ import annotations

import io
import os
import pickle
import re
import warnings
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from diswot.benchmarks import unpickle
from diswot.benchmarks.errors import InputError

# hypothesis runs one test body many times in the same tmp_path; every body overwrites the one file that it reads.
SAME_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)

NUMBERS = arrays.arrays(
    dtype=st.sampled_from(["u1", "i8", "f4", "f8", "?"]), shape=arrays.array_shapes(max_dims=3, min_side=0)
)


class Stranger:
    """A class that no table lists."""


class Executing:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("exit 1",)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def python2(array: np.ndarray) -> bytes:
    """The bytes that numpy under Python 2 wrote for {'data': array}: byte strings, old module, flags as 0 and 1."""

    class Python2Pickler(pickle._Pickler):  # type: ignore[name-defined]
        dispatch: ClassVar = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]

        def save_string(self, value: bytes | str) -> None:
            raw = value.encode("latin1") if isinstance(value, str) else value
            self.write(pickle.BINSTRING + len(raw).to_bytes(4, "little") + raw)

        dispatch[bytes] = dispatch[str] = save_string

    buffer = io.BytesIO()
    Python2Pickler(buffer, protocol=2, fix_imports=True).dump({b"data": array})
    return (
        buffer.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray").replace(b"\x89\x88", b"K\0K\1")
    )


@SAME_FOLDER
@given(
    protocol=st.integers(0, pickle.HIGHEST_PROTOCOL),
    array=NUMBERS,
    scalar=st.integers(-9, 9).map(np.int64),
    raw=st.binary(max_size=20),
)
def test_arrays_of_every_protocol_come_back(
    tmp_path: Path, protocol: int, array: np.ndarray, scalar: np.int64, raw: bytes
) -> None:
    content = {"array": array, "scalar": scalar, "raw": raw, "labels": [1, 2]}
    file = write(tmp_path / "file", pickle.dumps(content, protocol=protocol))
    read = unpickle.load(file, unpickle.ARRAYS, encoding="bytes")
    np.testing.assert_array_equal(read["array"], array)
    assert read["array"].dtype == array.dtype
    assert (read["scalar"], read["raw"], read["labels"]) == (scalar, raw, [1, 2])


def test_the_array_of_a_python_2_file_comes_back_without_a_warning(tmp_path: Path) -> None:
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    content = python2(array)
    for trace in (b"numpy.core.multiarray", b"T\2\0\0\0u1K\0K\1", b"T\4\0\0\0data"):
        assert trace in content
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read = unpickle.load(write(tmp_path / "file", content), unpickle.ARRAYS, encoding="bytes")
    np.testing.assert_array_equal(read[b"data"], array)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("order", "<>")
def test_either_byte_order_is_read(tmp_path: Path, protocol: int, order: str) -> None:
    array = np.array([1, 256, -7]).astype(f"{order}i4")
    file = write(tmp_path / "file", pickle.dumps([array, array[1]], protocol=protocol))
    read, scalar = unpickle.load(file, unpickle.ARRAYS)
    np.testing.assert_array_equal(read, [1, 256, -7])
    assert scalar == 256


def test_reading_leaves_the_types_of_numpy_alone(tmp_path: Path) -> None:
    swapped = pickle.dumps(np.arange(3, dtype="<i4"), protocol=2).replace(b"<", b">")
    unpickle.load(write(tmp_path / "file", swapped), unpickle.ARRAYS)
    assert np.dtype("i4").byteorder == "="


def test_a_listed_global_becomes_its_stand_in(tmp_path: Path) -> None:
    class StandIn:
        pass

    original = Stranger()
    original.value = 3.5  # type: ignore[attr-defined]
    file = write(tmp_path / "file", pickle.dumps(original))
    read = unpickle.load(file, {(Stranger.__module__, "Stranger"): StandIn})
    assert type(read) is StandIn
    assert vars(read) == {"value": 3.5}


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (pickle.dumps(Executing()), f"{os.system.__module__}.system"),
        (pickle.dumps(Stranger()), "Stranger"),
        (pickle.dumps(print), "builtins.print"),
        (b"cos\nsystem\n(S'exit 1'\ntR.", "os.system"),
        (b"c__builtin__\neval\n(S'1'\ntR.", "__builtin__.eval"),
    ],
)
def test_any_other_global_is_refused_by_name(tmp_path: Path, content: bytes, named: str) -> None:
    file = write(tmp_path / "file", content)
    with pytest.raises(InputError, match=rf"'{re.escape(str(file))}' asks for .*{re.escape(named)}"):
        unpickle.load(file, unpickle.ARRAYS)


def test_an_array_of_objects_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "file", pickle.dumps(np.array([{}, []], dtype=object)))
    with pytest.raises(InputError, match="not an array of numbers"):
        unpickle.load(file, unpickle.ARRAYS)


# Opcodes by hand, as no pickler writes them: "b" sets on what lies below it the state that lies on top.
EMPTY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0tC\1btRq\0"
U8 = b"cnumpy\ndtype\n(X\2\0\0\0u8tR"
OF_OBJECTS = b"(K\3X\1\0\0\0<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x3ftb"  # but for its last flags, as numpy writes it


def array(kind: bytes, count: int) -> bytes:
    """What goes on top of an empty array to make it one of so many numbers, all alike."""
    raw = bytes([0xAB]) * 8 * count
    return b"(K\1(J%bt%bI00\nB%b%bt" % (count.to_bytes(4, "little"), kind, len(raw).to_bytes(4, "little"), raw)


@pytest.mark.parametrize("function", sorted(unpickle.ARRAYS))
@pytest.mark.parametrize(
    "state",
    [b"}X\4\0\0\0callNs", b"N}X\4\0\0\0callNs\x86", b"N}X\x0c\0\0\0__defaults__Ns\x86"],
    ids=["dictionary", "attribute", "defaults"],
)
def test_a_pickle_cannot_change_what_it_may_call(function: tuple[str, str], state: bytes) -> None:
    content = "c{}\n{}\n".format(*function).encode() + state + b"b."
    with pytest.raises(InputError, match="is damaged"), unpickle.explained("file"):
        unpickle.read(io.BytesIO(content), "file", unpickle.ARRAYS)
    with pytest.raises(InputError, match="is damaged"):
        reduced(content, {})


def test_a_pickle_sets_the_byte_order_of_a_type_and_nothing_else(tmp_path: Path) -> None:
    file = write(tmp_path / "file", b"\x80\4" + EMPTY + array(U8 + OF_OBJECTS, 3) + b"b.")
    read = np.asarray(unpickle.load(file, unpickle.ARRAYS))
    assert not read.dtype.hasobject
    np.testing.assert_array_equal(read, np.full(3, 0xABABABABABABABAB, np.uint64))


def test_an_array_keeps_its_memory_when_what_lent_it_changes(tmp_path: Path) -> None:
    count = 200_000
    lent = b"cnumpy.core.numeric\n_frombuffer\n(h\0%b(J%btX\1\0\0\0CtR" % (U8, count.to_bytes(4, "little"))
    content = b"\x80\4" + EMPTY + array(U8, count) + b"b0" + lent + b"h\0" + array(U8, 1) + b"b0."
    read = unpickle.load(write(tmp_path / "file", content), unpickle.ARRAYS)
    assert (read == 0xABABABABABABABAB).all()


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_every_truncation_is_one_sentence(tmp_path: Path, protocol: int) -> None:
    whole = pickle.dumps({"data": np.zeros((2, 3), np.uint8), "labels": [1, 2]}, protocol=protocol)
    for length in range(len(whole)):
        with pytest.raises(InputError, match="is damaged or is not a pickle"):
            unpickle.load(write(tmp_path / "file", whole[:length]), unpickle.ARRAYS)


@SAME_FOLDER
@given(position=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_damaged_byte_is_one_sentence_or_harmless(tmp_path: Path, position: int, byte: int) -> None:
    whole = bytearray(pickle.dumps({"data": np.zeros((2, 3), np.uint8), "labels": [1, 2]}))
    if bytes([byte]) in (pickle.LONG_BINPUT, pickle.LONG_BINGET):
        return  # its four-byte number makes the interpreter itself reserve gigabytes
    whole[position % len(whole)] = byte
    file = write(tmp_path / "file", bytes(whole))
    sentence = ""
    try:
        unpickle.load(file, unpickle.ARRAYS)
    except InputError as error:
        sentence = str(error)
    assert not sentence or (str(file) in sentence and "\n" not in sentence)


@pytest.mark.parametrize("content", [b"", b"not a pickle", b"PK\x03\x04", b"\x80\x04."])
def test_what_is_no_pickle_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match="is damaged or is not a pickle"):
        unpickle.load(write(tmp_path / "file", content), {})


def reduced(content: bytes, kept: dict) -> object:
    with unpickle.explained("file"):
        return unpickle.reduce(io.BytesIO(content), "file", unpickle.ARRAYS, kept)


@SAME_FOLDER
@given(
    protocol=st.integers(0, pickle.HIGHEST_PROTOCOL),
    content=st.recursive(
        st.none() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    ),
)
def test_with_nothing_to_reduce_everything_comes_back(protocol: int, content: object) -> None:
    assert reduced(pickle.dumps([content, content], protocol), {}) == [content, content]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_entries_are_reduced_where_they_stand(protocol: int) -> None:
    curve = {epoch: epoch / 7 for epoch in range(3000)}
    content = pickle.dumps({"a": {"curve": curve, "b": [{"curve": curve}]}, -1: "curve"}, protocol)
    assert reduced(content, {"curve": len, -1: str.upper}) == {
        "a": {"curve": 3000, "b": [{"curve": 3000}]},
        -1: "CURVE",
    }


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (pickle.dumps(Executing(), 2), r"'file' asks for .*\.system"),
        (pickle.dumps({"a": 1}, 2)[:-3], "'file' is damaged or is not a pickle"),
        (b"not a pickle", "'file' is damaged or is not a pickle"),
        (b"G\0.", "'file' is damaged or is not a pickle"),
        (b"\x80\x02j\xff\xff\xff\xff.", "'file' is damaged or is not a pickle"),
        (b"\x80\x02K\x01r\xff\xff\xff\x7f.", "'file' is damaged or is not a pickle"),
    ],
)
def test_reducing_trusts_a_file_no_more(content: bytes, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        reduced(content, {})


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_every_truncation_of_what_is_reduced_is_one_sentence(protocol: int) -> None:
    whole = pickle.dumps({"data": np.zeros((2, 3), np.uint8), "labels": [1, 2.5, {"a": "b"}]}, protocol=protocol)
    for length in range(len(whole)):
        # The Python unpickler takes half a name for a whole one, which is then no listed one.
        with pytest.raises(InputError, match=r"is damaged or is not a pickle|data has no need of"):
            reduced(whole[:length], {})


def test_a_missing_file_and_a_folder_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="absent' cannot be read: No such file"):
        unpickle.load(tmp_path / "absent", {})
    with pytest.raises(InputError, match="cannot be read"):
        unpickle.load(tmp_path, {})
