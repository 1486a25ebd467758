from __future__ import annotations

import sys
from pathlib import Path

import pytest

from meta_spliceai.basemodel import processor
from meta_spliceai.basemodel.openvino_engine import cpu_capabilities
from meta_spliceai.basemodel.options import EngineOptions
from meta_spliceai.basemodel.processor import bfloat16_obstacle
from meta_spliceai.basemodel.registry import load_base_model
from meta_spliceai.errors import ModelError

ABLE = ("FP32", "BF16")


def cpuinfo(flags: str) -> str:
    return "".join(
        f"processor\t: {core}\nmodel name\t: amx_tile amx_bf16\nflags\t\t: fpu {flags}\n\n" for core in (0, 1)
    )


@pytest.mark.parametrize(
    ("flags", "capabilities", "obstacle"),
    [
        ("avx512_bf16 amx_bf16 amx_tile", ABLE, None),
        ("amx_bf16 amx_tile", ("FP32",), "the inference library cannot use it"),
        ("avx512_bf16", ABLE, "no amx_tile and no amx_bf16; AVX512-BF16, which it has, is not enough"),
        ("avx2", ABLE, "no amx_tile and no amx_bf16$"),
        ("amx_tile amx_int8", ABLE, "no amx_bf16$"),
    ],
)
def test_bfloat16_is_offered_with_amx_only(flags: str, capabilities: tuple[str, ...], obstacle: str | None) -> None:
    found = bfloat16_obstacle(cpuinfo=cpuinfo(flags), capabilities=capabilities)
    if obstacle is None:
        assert found is None
    else:
        with pytest.raises(ValueError, match=obstacle):
            raise ValueError(found)


def test_systems_that_do_not_tell_are_refused() -> None:
    assert "cannot be told" in str(bfloat16_obstacle(cpuinfo=None, capabilities=ABLE))
    assert "no amx_tile" in str(bfloat16_obstacle(cpuinfo="processor: 0\n", capabilities=ABLE))


def test_fast_is_refused_on_this_machine_unless_it_has_amx(spliceai_files: list[Path]) -> None:
    info = Path("/proc/cpuinfo")
    has_amx = sys.platform == "linux" and {"amx_tile", "amx_bf16"} <= set(info.read_text().split())
    if has_amx and "BF16" in cpu_capabilities():
        pytest.skip("this processor has AMX")
    with pytest.raises(ModelError, match=r"for the precision fast\nfound: .*\nwhat to do: use the precision exact"):
        load_base_model("spliceai", options=EngineOptions(precision="fast"))


def test_fast_is_allowed_with_amx(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(processor, "_CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr("meta_spliceai.basemodel.openvino_engine.cpu_capabilities", lambda: ABLE)
    (tmp_path / "cpuinfo").write_text(cpuinfo("amx_bf16 amx_tile"))
    processor.require_bfloat16()
    (tmp_path / "cpuinfo").write_text(cpuinfo("avx512_bf16"))
    with pytest.raises(ModelError, match="AVX512-BF16"):
        processor.require_bfloat16()
