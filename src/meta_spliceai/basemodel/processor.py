"""Whether the precision `fast`, bfloat16, is offered on this processor: only with AMX, which is made for it.

Without any bfloat16 instructions the same networks were 4 to 8 times slower than in float32 (torch with a restricted
instruction set). With AVX512-BF16 alone it depends on library and processor: 0.7 times the speed of float32 in torch with a
restricted instruction set, but twice its speed in OpenVINO on an AMD EPYC, with scores that differ by up to 0.003. As no
flag tells the two cases apart, AVX512-BF16 alone does not count.
"""

from __future__ import annotations

import sys
from pathlib import Path

from meta_spliceai.errors import ModelError

_CPUINFO = Path("/proc/cpuinfo")
_NEEDED = ("amx_tile", "amx_bf16")


def bfloat16_obstacle(*, cpuinfo: str | None, capabilities: tuple[str, ...]) -> str | None:
    """Why bfloat16 is not offered here; None where it is.

    Parameters
    ----------
    cpuinfo
        The text of /proc/cpuinfo; None where the system has none.
    capabilities
        What the inference library says that the processor can do.
    """
    if cpuinfo is None:
        return "whether this processor has AMX cannot be told on this system"
    lines = [line for line in cpuinfo.splitlines() if line.split(":")[0].strip() == "flags"]
    flags = set(lines[0].split(":", 1)[1].split()) if lines else set()
    missing = [flag for flag in _NEEDED if flag not in flags]
    if missing:
        also = "; AVX512-BF16, which it has, is not enough" if "avx512_bf16" in flags else ""
        return f"this processor has no {' and no '.join(missing)}{also}"
    if "BF16" not in capabilities:
        return "the processor has AMX, but the inference library cannot use it"
    return None


def require_bfloat16() -> None:
    """Refuse `fast` with a `ModelError` where bfloat16 is not offered."""
    from meta_spliceai.basemodel.openvino_engine import cpu_capabilities

    cpuinfo = _CPUINFO.read_text() if sys.platform == "linux" and _CPUINFO.is_file() else None
    obstacle = bfloat16_obstacle(cpuinfo=cpuinfo, capabilities=cpu_capabilities())
    if obstacle:
        raise ModelError(
            "a processor with AMX for bfloat16 (amx_tile and amx_bf16), for the precision fast",
            obstacle,
            "use the precision exact",
        )
