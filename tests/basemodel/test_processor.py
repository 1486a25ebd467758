from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
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
        ("avx512_bf16", ABLE, None),
        ("amx_bf16 amx_tile", ("FP32",), "the inference library cannot use it"),
        ("avx512f avx512_vnni", ABLE, "neither amx_bf16 nor avx512_bf16: it would be slower"),
        ("amx_tile amx_int8", ABLE, "neither amx_bf16"),
    ],
)
def test_bfloat16_is_offered_only_where_the_processor_multiplies_in_it(
    flags: str, capabilities: tuple[str, ...], obstacle: str | None
) -> None:
    found = bfloat16_obstacle(cpuinfo=cpuinfo(flags), capabilities=capabilities)
    if obstacle is None:
        assert found is None
    else:
        with pytest.raises(ValueError, match=obstacle):
            raise ValueError(found)


def test_systems_that_do_not_tell_are_refused() -> None:
    assert "cannot be told" in str(bfloat16_obstacle(cpuinfo=None, capabilities=ABLE))
    assert "neither amx_bf16" in str(bfloat16_obstacle(cpuinfo="processor: 0\n", capabilities=ABLE))


def _has_bfloat16() -> bool:
    info = Path("/proc/cpuinfo")
    flags = set(info.read_text().split()) if sys.platform == "linux" else set()
    return not flags.isdisjoint({"amx_bf16", "avx512_bf16"}) and "BF16" in cpu_capabilities()


def test_fast_is_refused_on_this_machine_unless_it_has_bfloat16(spliceai_files: list[Path]) -> None:
    if _has_bfloat16():
        pytest.skip("this processor multiplies in bfloat16")
    with pytest.raises(ModelError, match=r"for the precision fast\nfound: .*\nwhat to do: use the precision exact"):
        load_base_model("spliceai", options=EngineOptions(precision="fast"))


def test_fast_scores_are_near_the_exact_ones_where_the_machine_has_bfloat16(spliceai_files: list[Path]) -> None:
    if not _has_bfloat16():
        pytest.skip("this processor does not multiply in bfloat16")
    codes = np.random.default_rng(3).integers(0, 4, 12_000, dtype=np.uint8)
    exact, fast = (load_base_model("spliceai", options=EngineOptions(precision=name)) for name in ("exact", "fast"))
    difference = np.abs(exact.score(codes).donor - fast.score(codes).donor).max()
    assert 0 < difference < 0.025


def test_fast_is_refused_by_name_where_the_flags_lack_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(processor, "_CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr("meta_spliceai.basemodel.openvino_engine.cpu_capabilities", lambda: ABLE)
    (tmp_path / "cpuinfo").write_text(cpuinfo("amx_bf16 amx_tile"))
    processor.require_bfloat16()
    (tmp_path / "cpuinfo").write_text(cpuinfo("avx512f"))
    with pytest.raises(ModelError, match="neither amx_bf16"):
        processor.require_bfloat16()
