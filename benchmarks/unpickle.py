"""Pickles read without trusting them: only the globals that the caller lists resolve, and to the caller's stand-ins.

A pickle is a program that may call any importable function. Here it may call what stands in the caller's table
and nothing else, so a foreign file can do no more than build the few values that its format needs.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from benchmarks.errors import InputError

# What the C unpickler raises on a damaged stream, beside its own error.
_DAMAGE = (
    pickle.UnpicklingError,
    ArithmeticError,
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
    try:
        with Path(path).open("rb") as file:
            return _Restricted(file, str(path), allowed, encoding).load()
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {error.strerror or error}.") from error
    except _DAMAGE as error:
        detail = str(error) or type(error).__name__
        raise InputError(f"'{path}' is damaged or is not a pickle ({detail}); get the file again.") from error


class _Restricted(pickle.Unpickler):
    def __init__(self, file: BinaryIO, name: str, allowed: Mapping[tuple[str, str], object], encoding: str) -> None:
        super().__init__(file, encoding=encoding)
        self._name = name
        self._allowed = allowed

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._allowed:
            raise InputError(f"'{self._name}' asks for {module}.{name}, which data has no need of; it is not read.")
        return self._allowed[module, name]


def _dtype(code: str | bytes, align: object = False, copy: object = True) -> np.dtype[Any]:
    # Files written by Python 2 hold 0 and 1 for the two flags, of which newer versions of numpy warn.
    # The state that follows in the stream is set on the value returned, which must not be numpy's own.
    kind = np.dtype(code.decode("ascii") if isinstance(code, bytes) else code, copy=True)
    if kind.kind not in "biuf":
        raise ValueError(f"an array of {kind} is not an array of numbers")
    return kind


def _reconstruct(_class: object, _shape: object, _code: object) -> np.ndarray:
    return np.ndarray((0,), np.uint8)  # the state that follows in the stream brings shape, type and contents


def _frombuffer(buffer: bytes, dtype: np.dtype[Any], shape: tuple[int, ...], order: Any) -> np.ndarray:
    return np.frombuffer(buffer, dtype).reshape(shape, order=order)


def _scalar(dtype: np.dtype[Any], raw: bytes) -> np.generic:
    return np.frombuffer(raw, dtype)[0]


def _encode(text: str, _encoding: str = "latin1") -> bytes:
    return text.encode("latin1")  # how Python 3 writes bytes for Python 2; the encoding is always this one


def _no_bytes() -> bytes:
    return b""  # how Python 3 writes the empty string for Python 2: bytes(), without an argument


#: The globals with which numpy, of any version, writes arrays of numbers, and Python 3 bytes for Python 2.
ARRAYS: Mapping[tuple[str, str], object] = {
    ("numpy", "ndarray"): "ndarray",  # only ever handed to _reconstruct, so it need not be callable
    ("numpy", "dtype"): _dtype,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _no_bytes,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _reconstruct for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _frombuffer for core in ("core", "_core")},
}
