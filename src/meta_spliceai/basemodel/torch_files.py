"""Reading the tensors of a file that `torch.save` wrote, without torch and without running what the file contains.

Such a file is a zip archive: a pickle that says which tensors there are, and the bytes of their storages. Pickles are
programs; this one may only make ordered dictionaries and tensors. Whatever else it asks for is refused by name before
anything of it runs. Nothing is compressed in these archives, so no size can exceed that of the file.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

Tensors = dict[str, npt.NDArray[Any]]

_ZIP = b"PK\x03\x04"
_DTYPES: dict[str, np.dtype[Any]] = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": np.dtype("<u2"),
    "LongStorage": np.dtype("<i8"),
}


class TorchFileError(ValueError):
    """The content is not a plain dictionary of tensors as torch writes it; the message says why, as a clause."""


def read_tensors(content: bytes) -> Tensors:
    """The tensors in a file's content, by name; float32, float64, float16 and int64 as they are, bfloat16 as float32.

    Raises
    ------
    TorchFileError
        The file is damaged or of another format, or holds anything but tensors.
    """
    if not content.startswith(_ZIP):
        raise TorchFileError("it is no zip archive as torch writes them since version 1.6, or is damaged")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _tensors(_Records(archive, len(content)))
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise TorchFileError(f"it is damaged ({error})") from error


class _Records:
    """The named byte strings of the archive, all in one folder whose name differs from file to file."""

    def __init__(self, archive: zipfile.ZipFile, size: int) -> None:
        self._archive = archive
        members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise TorchFileError("it holds compressed data, which torch never writes")
        if sum(member.file_size for member in members) > size:
            raise TorchFileError("its parts claim to be larger than the file")
        pickles = [member.filename for member in members if member.filename.endswith("/data.pkl")]
        if len(pickles) != 1 or pickles[0].count("/") != 1:
            raise TorchFileError("it holds no data.pkl, or several")
        self._folder = pickles[0].removesuffix("data.pkl")
        self._names = {member.filename for member in members}

    def __contains__(self, name: str) -> bool:
        return self._folder + name in self._names

    def __getitem__(self, name: str) -> bytes:
        if name not in self:
            raise TorchFileError(f"its part {name} is missing")
        return self._archive.read(self._folder + name)


def _tensors(records: _Records) -> Tensors:
    if "byteorder" in records and records["byteorder"] != b"little":
        raise TorchFileError("its numbers are big-endian")
    program = records["data.pkl"]
    _check_program(program)
    try:
        made = _TensorUnpickler(program, records).load()
    except TorchFileError:
        raise
    except Exception as error:  # a damaged pickle fails in any way: KeyError, IndexError, TypeError, AttributeError, …
        raise TorchFileError(f"its data.pkl is damaged ({type(error).__name__}: {error})") from error
    if not isinstance(made, dict) or not all(isinstance(name, str) for name in made):
        raise TorchFileError("it is no dictionary of tensors by name")
    others = [name for name, value in made.items() if not isinstance(value, np.ndarray)]
    if others:
        raise TorchFileError(f"its entry {others[0]!r} is no tensor")
    return dict(made)


def _check_program(program: bytes) -> None:
    """Refuse unknown globals before anything runs, and places in the memo that would take more memory than the file."""
    try:
        for opcode, argument, _ in pickletools.genops(program):
            if opcode.name == "GLOBAL":
                _known_global(*str(argument).split(" ", 1))
            elif opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(str(argument)) > len(program):
                raise TorchFileError("its data.pkl is damaged (a memo place beyond its end)")
    except TorchFileError:
        raise
    except Exception as error:  # as in `_tensors`
        raise TorchFileError(f"its data.pkl is damaged ({error})") from error


@dataclass(frozen=True, slots=True)
class _StorageType:
    name: str


@dataclass(frozen=True, slots=True)
class _Storage:
    values: npt.NDArray[Any]


def _known_global(module: str, name: str) -> Any:
    """What stands for a global that the pickle names; never anything of another module."""
    if (module, name) == ("collections", "OrderedDict"):
        return OrderedDict
    if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
        return _Rebuild()
    if module == "torch" and name in _DTYPES:
        return _StorageType(name)
    raise TorchFileError(f"it wants to run {module}.{name}, which no file of weights needs; nothing of it was run")


class _Rebuild:
    """What stands for torch's function that makes a tensor; it has no attributes that a pickle could change."""

    __slots__ = ()

    def __call__(self, storage: object, offset: object, shape: object, strides: object, *_: object) -> npt.NDArray[Any]:
        """A copy of a view of a storage; offset, shape and strides are in numbers of elements."""
        if not (isinstance(storage, _Storage) and isinstance(shape, tuple) and isinstance(strides, tuple)):
            raise TorchFileError("one of its tensors is not described as torch does it")
        numbers = (offset, *shape, *strides)
        if len(shape) != len(strides) or not all(isinstance(number, int) and number >= 0 for number in numbers):
            raise TorchFileError("one of its tensors has no valid shape")
        values = storage.values
        if prod(shape) == 0:
            return np.empty(shape, dtype=values.dtype)
        start = int(str(offset))
        last = start + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
        if last >= values.size or prod(shape) > values.size:
            raise TorchFileError("one of its tensors is larger than its data")
        view = np.lib.stride_tricks.as_strided(values[start:], shape, [stride * values.itemsize for stride in strides])
        return view.copy()


class _TensorUnpickler(pickle.Unpickler):
    """Knows the globals of `_known_global` and the storages of one archive, nothing else."""

    def __init__(self, program: bytes, records: _Records) -> None:
        super().__init__(io.BytesIO(program))
        self._records = records
        self._storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        return _known_global(module, name)

    def persistent_load(self, pid: Any) -> _Storage:
        kind, storage_type, key, _, size = pid
        if kind != "storage" or not isinstance(storage_type, _StorageType) or not isinstance(key, str):
            raise TorchFileError("one of its storages is not described as torch does it")
        if key not in self._storages:
            self._storages[key] = _Storage(_values(self._records[f"data/{key}"], storage_type))
        storage = self._storages[key]
        if storage.values.size != size:
            raise TorchFileError(f"its part data/{key} holds {storage.values.size} numbers instead of {size}")
        return storage


def _values(content: bytes, storage_type: _StorageType) -> npt.NDArray[Any]:
    dtype = _DTYPES[storage_type.name]
    if len(content) % dtype.itemsize:
        raise TorchFileError("one of its parts is cut off")
    values: npt.NDArray[Any] = np.frombuffer(content, dtype=dtype)
    if storage_type.name == "BFloat16Storage":
        # bfloat16 is the upper half of a float32.
        values = (values.astype(np.uint32) << 16).view(np.float32)
    return values
