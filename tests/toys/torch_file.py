"""Weight files as torch writes them, put together byte by byte, so that they can be wrong in any way."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping

import numpy as np

STORAGES = {"<f4": "FloatStorage", "<f8": "DoubleStorage", "<f2": "HalfStorage", "<i8": "LongStorage"}


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def numbers(*values: int) -> bytes:
    return b"(" + b"".join(b"J" + struct.pack("<i", value) for value in values) + b"t"


def tensor(
    storage: str, key: str, size: int, *, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0
) -> bytes:
    """A view of the storage `key`, which holds `size` numbers."""
    held = b"(" + text("storage") + named("torch", storage) + text(key) + text("cpu") + numbers(size)[1:-1] + b"tQ"
    hooks = named("collections", "OrderedDict") + b")R"
    view = b"(" + held + numbers(offset)[1:-1] + numbers(*shape) + numbers(*strides) + b"\x89" + hooks + b"t"
    return named("torch._utils", "_rebuild_tensor_v2") + view + b"R"


def program(entries: Mapping[str, bytes]) -> bytes:
    """The pickle of a dictionary."""
    return b"\x80\x02}(" + b"".join(text(name) + made for name, made in entries.items()) + b"u."


def archive(pickled: bytes, storages: Mapping[str, bytes], *, compression: int = zipfile.ZIP_STORED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as file:
        file.writestr("model/data.pkl", pickled)
        file.writestr("model/byteorder", "little")
        for key, stored in storages.items():
            file.writestr(f"model/data/{key}", stored)
    return content.getvalue()


def torch_file(tensors: Mapping[str, np.ndarray]) -> bytes:
    """The whole file for some tensors."""
    entries, storages = {}, {}
    for number, (name, values) in enumerate(tensors.items()):
        flat = np.array(values, order="C")
        strides = tuple(stride // flat.itemsize for stride in flat.strides)
        storage = STORAGES[flat.dtype.newbyteorder("<").str]
        entries[name] = tensor(storage, str(number), flat.size, shape=flat.shape, strides=strides)
        storages[str(number)] = flat.tobytes()
    return archive(program(entries), storages)
