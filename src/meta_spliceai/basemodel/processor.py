"""Whether the precision `fast`, bfloat16, is offered on this processor: only where it multiplies in bfloat16 itself.

Elsewhere the library would imitate it, which is 1.4 to 8 times slower than float32 and less exact. With AVX512-BF16 (AMD
EPYC, without AMX) `fast` runs at 1.9 times the rate of float32 and its scores differ by up to 0.007; with AMX at about
seven times, by other people's measurement.
"""

from __future__ import annotations

import sys
from pathlib import Path

from meta_spliceai.errors import ModelError

_CPUINFO = Path("/proc/cpuinfo")
_EITHER = ("amx_bf16", "avx512_bf16")


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
        return "whether this processor multiplies in bfloat16 cannot be told on this system"
    lines = [line for line in cpuinfo.splitlines() if line.split(":")[0].strip() == "flags"]
    flags = set(lines[0].split(":", 1)[1].split()) if lines else set()
    if flags.isdisjoint(_EITHER):
        return f"this processor has neither {' nor '.join(_EITHER)}: it would be slower and less exact than float32"
    if "BF16" not in capabilities:
        return "the processor has it, but the inference library cannot use it"
    return None


def require_bfloat16() -> None:
    """Refuse `fast` with a `ModelError` where bfloat16 is not offered."""
    from meta_spliceai.basemodel.openvino_engine import cpu_capabilities

    cpuinfo = _CPUINFO.read_text() if sys.platform == "linux" and _CPUINFO.is_file() else None
    obstacle = bfloat16_obstacle(cpuinfo=cpuinfo, capabilities=cpu_capabilities())
    if obstacle:
        raise ModelError(
            "a processor that multiplies in bfloat16 (AMX or AVX512-BF16), for the precision fast",
            obstacle,
            "use the precision exact",
        )
