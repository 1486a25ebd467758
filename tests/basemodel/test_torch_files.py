from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meta_spliceai.basemodel.torch_files import TorchFileError, read_tensors
from tests.toys.torch_file import archive, named, numbers, program, tensor, text, torch_file

SIX = np.arange(6, dtype="<f4")


def one(made: bytes, stored: bytes = SIX.tobytes()) -> bytes:
    return archive(program({"w": made}), {"0": stored})


@pytest.mark.parametrize("dtype", ["<f4", "<f8", "<f2", "<i8"])
def test_tensors_come_back_as_they_were(dtype: str) -> None:
    tensors = {"a.weight": np.arange(24, dtype=dtype).reshape(2, 3, 4), "count": np.array(7, dtype=dtype)}
    found = read_tensors(torch_file(tensors))
    assert list(found) == list(tensors)
    for name, values in tensors.items():
        np.testing.assert_array_equal(found[name], values, strict=True)


def test_views_with_offsets_and_strides() -> None:
    view = tensor("FloatStorage", "0", 6, shape=(2, 2), strides=(1, 3), offset=1)
    np.testing.assert_array_equal(read_tensors(one(view))["w"], [[1, 4], [2, 5]])
    empty = tensor("FloatStorage", "0", 6, shape=(0, 3), strides=(3, 1))
    assert read_tensors(one(empty))["w"].shape == (0, 3)


def test_bfloat16_becomes_float32() -> None:
    # The sign, the 8 bits of the exponent and 7 of the fraction of 1, -2.5 and 3.140625.
    stored = struct.pack("<3H", 0x3F80, 0xC020, 0x4049)
    values = read_tensors(one(tensor("BFloat16Storage", "0", 3, shape=(3,), strides=(1,)), stored))["w"]
    assert values.dtype == np.float32
    assert values.tolist() == [1, -2.5, 3.140625]


@pytest.mark.parametrize(("module", "name"), [("posix", "system"), ("os", "system"), ("builtins", "eval")])
def test_code_in_a_file_is_refused_and_not_run(tmp_path: Path, module: str, name: str) -> None:
    victim = tmp_path / "victim"
    argument = f"open({str(victim)!r}, 'w')" if name == "eval" else f"touch {victim}"
    call = named(module, name) + b"(" + text(argument) + b"tR"
    with pytest.raises(TorchFileError, match=rf"it wants to run {module}.{name}, .*nothing of it was run"):
        read_tensors(one(call))
    # The same with the name made on the stack, which no scan of the file sees.
    stacked = text(module) + text(name) + b"\x93(" + text(argument) + b"tR"
    with pytest.raises(TorchFileError, match=f"it wants to run {module}.{name}"):
        read_tensors(one(stacked))
    assert not victim.exists()


def test_known_names_do_not_lead_elsewhere() -> None:
    for module, name in (("torch._utils", "_rebuild_tensor_v2.__globals__"), ("torch", "hub"), ("collections", "abc")):
        with pytest.raises(TorchFileError, match="it wants to run"):
            read_tensors(one(named(module, name)))


def test_a_file_cannot_change_how_the_next_one_is_read() -> None:
    rebuild = named("torch._utils", "_rebuild_tensor_v2")
    state = b"}(" + text("__defaults__") + b")u"
    for changed in (state, b"N" + state + b"\x86"):
        with pytest.raises(TorchFileError, match=r"data.pkl is damaged"):
            read_tensors(one(rebuild + changed + b"b"))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "no zip archive"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "no zip archive as torch writes them since version 1.6"),
        (b"PK\x03\x04garbage", "damaged"),
        (archive(program({}), {}, compression=zipfile.ZIP_DEFLATED), "compressed data"),
        (archive(b"\x80\x02", {}), "data.pkl is damaged"),
        (archive(b"not a pickle", {}), "data.pkl is damaged"),
        (archive(b"\x80\x02}r" + struct.pack("<I", 2**32 - 1) + b".", {}), "a memo place beyond its end"),
        (archive(b"\x80\x02" + numbers(1, 2) + b".", {}), "no dictionary of tensors"),
        (one(text("words")), "entry 'w' is no tensor"),
        (one(tensor("FloatStorage", "9", 6, shape=(6,), strides=(1,))), "part data/9 is missing"),
        (one(tensor("FloatStorage", "0", 7, shape=(6,), strides=(1,))), "holds 6 numbers instead of 7"),
        (one(tensor("DoubleStorage", "0", 6, shape=(6,), strides=(1,))), "holds 3 numbers instead of 6"),
        (one(tensor("FloatStorage", "0", 6, shape=(6,), strides=(1,)), b"12345"), "cut off"),
        (one(tensor("FloatStorage", "0", 6, shape=(7,), strides=(1,))), "larger than its data"),
        (one(tensor("FloatStorage", "0", 6, shape=(2,), strides=(6,))), "larger than its data"),
        (one(tensor("FloatStorage", "0", 6, shape=(2**30, 2**30), strides=(0, 0))), "larger than its data"),
        (one(tensor("FloatStorage", "0", 6, shape=(6,), strides=(-1,), offset=5)), "no valid shape"),
        (one(tensor("FloatStorage", "0", 6, shape=(6,), strides=(1, 1))), "no valid shape"),
        (one(named("torch._utils", "_rebuild_tensor_v2") + numbers(1, 2, 3, 4) + b"R"), "not described as torch"),
    ],
)
def test_anything_but_tensors_is_refused(content: bytes, found: str) -> None:
    with pytest.raises(TorchFileError, match=found):
        read_tensors(content)


@given(cut=st.integers(0, 400), changed=st.integers(0, 400), bit=st.integers(0, 7))
def test_damage_never_ends_in_another_error(cut: int, changed: int, bit: int) -> None:
    content = bytearray(torch_file({"w": SIX}))
    content[changed % len(content)] ^= 1 << bit
    for damaged in (bytes(content), bytes(content[:cut])):
        try:
            found = read_tensors(damaged)
        except TorchFileError:
            continue
        assert all(isinstance(values, np.ndarray) for values in found.values())
