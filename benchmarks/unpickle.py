"""Pickles read without trusting them: only the globals that the caller lists resolve, and to the caller's stand-ins.

A pickle is a program that may call any importable function. Here it may call what stands in the caller's table
and nothing else, so a foreign file can do no more than build the few values that its format needs.
"""

from __future__ import annotations

import pickle
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np

from diswot.benchmarks.errors import InputError

#: What unpicklers and the readers of compressed files raise on a damaged stream, beside their own errors.
DAMAGE = (
    pickle.UnpicklingError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RecursionError,
    SystemError,  # of the interpreter's own unpickler, on opcodes that do not fit each other
    TypeError,
    ValueError,
)


def load(path: str | Path, allowed: Mapping[tuple[str, str], object], encoding: str = "ASCII") -> Any:
    """Read a pickle in which only the listed globals may be used.

    Args:
        path: the file.
        allowed: what each global (module, name), as it is written in the file, stands for.
        encoding: how strings written by Python 2 are decoded; ``"bytes"`` leaves them as bytes.

    Raises:
        InputError: if the file cannot be read, is damaged, or asks for any other global.
    """
    with explained(path), Path(path).open("rb") as file:
        return read(file, path, allowed, encoding)


def read(file: IO[bytes], path: str | Path, allowed: Mapping[tuple[str, str], object], encoding: str = "ASCII") -> Any:
    """Read one pickle from an open file; see `load`. What damage raises is for `explained` to tell.

    Raises:
        InputError: if it asks for a global that is not listed.
    """
    return _Restricted(file, str(path), allowed, encoding).load()


def reduce(
    file: IO[bytes],
    path: str | Path,
    allowed: Mapping[tuple[str, str], object],
    kept: Mapping[object, Callable[[Any], object]],
) -> Any:
    """Read one pickle from an open file as `read` does, but keep of its dictionaries only what is wanted.

    A dictionary is filled when all that it holds has been read. An entry whose key is in ``kept`` is then replaced by
    what the function there makes of its value. A function that also empties the value frees its memory at once: the
    pickle's own table of what it may refer to again holds on to every dictionary until the end. Slower than `read`.

    Raises:
        InputError: if it asks for a global that is not listed.
    """
    return _Reducing(file, str(path), allowed, kept).load()


@contextmanager
def explained(path: str | Path) -> Iterator[None]:
    """Turn what reading a missing or damaged file raises into one sentence that names it.

    Raises:
        InputError: in place of these errors.
    """
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {error.strerror or error}.") from error
    except DAMAGE as error:
        detail = str(error) or type(error).__name__
        raise InputError(f"'{path}' is damaged or is not a pickle ({detail}); get the file again.") from error


class _Restricted(pickle.Unpickler):
    def __init__(self, file: IO[bytes], name: str, allowed: Mapping[tuple[str, str], object], encoding: str) -> None:
        super().__init__(file, encoding=encoding)
        self._name = name
        self._allowed = allowed

    def find_class(self, module: str, name: str) -> Any:
        return _listed(self._allowed, module, name, self._name)


# The interpreter's own unpickler in Python: the one in C gives no say in how a dictionary is filled.
_InPython: Any = pickle._Unpickler


class _Reducing(_InPython):
    dispatch: ClassVar = dict(_InPython.dispatch)

    def __init__(
        self,
        file: IO[bytes],
        name: str,
        allowed: Mapping[tuple[str, str], object],
        kept: Mapping[object, Callable[[Any], object]],
    ) -> None:
        super().__init__(file)
        self.memo = _Memo()
        self._name = name
        self._allowed = allowed
        self._kept = kept

    def find_class(self, module: str, name: str) -> Any:
        return _listed(self._allowed, module, name, self._name)

    def load_binunicode(self) -> None:
        super().load_binunicode()
        self.stack[-1] = sys.intern(self.stack[-1])  # keys are written anew for every dictionary

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set([key], [value])

    def load_setitems(self) -> None:
        items = self.pop_mark()
        self._set(items[::2], items[1::2])

    def _set(self, keys: list[Any], values: list[Any]) -> None:
        target, kept = self.stack[-1], self._kept
        for key, value in zip(keys, values, strict=True):
            target[key] = kept[key](value) if key in kept else value

    dispatch[pickle.BINUNICODE[0]] = load_binunicode
    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems


class _Memo(list[Any]):
    # Picklers number what they may refer to again from 0 on. A list takes a tenth of a dictionary's memory.
    def __setitem__(self, number: Any, value: Any) -> None:
        if number == len(self):
            self.append(value)
        else:
            super().__setitem__(number, value)


def _listed(allowed: Mapping[tuple[str, str], object], module: str, name: str, file: str) -> Any:
    if (module, name) not in allowed:
        raise InputError(f"'{file}' asks for {module}.{name}, which data has no need of; it is not read.")
    return allowed[module, name]


@dataclass(frozen=True)
class _Function:
    # A pickle may set attributes of whatever it holds, which of a plain function would change what the next file gets.
    call: Callable[..., object]

    def __call__(self, *arguments: object) -> object:
        return self.call(*arguments)

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("it would change a function")


class _Type:
    # Stands in for numpy's own, in which a pickle could also set how the memory of an array is taken.
    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order: Any = _text(state[1])  # the second of eight or nine
        self.dtype = self.dtype.newbyteorder(order)


class _Array(np.ndarray):
    # Filled in place by the state that follows in the stream, which brings shape, type and contents.
    def __setstate__(self, state: tuple[Any, ...], /) -> None:
        version, shape, kind, fortran, raw = state
        super().__setstate__((version, shape, kind.dtype, fortran, raw))


def _text(written: str | bytes) -> str:
    return written.decode("ascii") if isinstance(written, bytes) else str(written)


@_Function
def _dtype(code: str | bytes, _align: object = False, _copy: object = True) -> _Type:
    kind = np.dtype(_text(code))
    if kind.kind not in "biuf":
        raise ValueError(f"an array of {kind} is not an array of numbers")
    return _Type(kind)


@_Function
def _reconstruct(_class: object, _shape: object, _code: object) -> np.ndarray:
    return _Array((0,), np.uint8)


@_Function
def _frombuffer(buffer: bytes, kind: _Type, shape: tuple[int, ...], order: Any) -> np.ndarray:
    # Copied, because what lends its memory may be changed by what follows in the stream.
    return np.array(np.frombuffer(buffer, kind.dtype).reshape(shape, order=order))


@_Function
def _scalar(kind: _Type, raw: bytes) -> np.generic:
    return np.frombuffer(raw, kind.dtype)[0]


@_Function
def _encode(text: str, _encoding: str = "latin1") -> bytes:
    return text.encode("latin1")  # how Python 3 writes bytes for Python 2; the encoding is always this one


@_Function
def _no_bytes() -> bytes:
    return b""  # how Python 3 writes the empty string for Python 2: bytes(), without an argument


#: The globals with which numpy, of any version, writes arrays of numbers, and Python 3 bytes for Python 2. Arrays come
#: back as a subclass of numpy's own, of which `numpy.asarray` makes these.
ARRAYS: Mapping[tuple[str, str], object] = {
    ("numpy", "ndarray"): "ndarray",  # only ever handed to _reconstruct, so it need not be callable
    ("numpy", "dtype"): _dtype,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _no_bytes,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _reconstruct for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _frombuffer for core in ("core", "_core")},
}
