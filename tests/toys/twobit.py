"""Writes 2bit files."""

from __future__ import annotations

import struct
from pathlib import Path

_BITS = {"T": 0, "C": 1, "A": 2, "G": 3}


def write_twobit(path: Path, sequences: dict[str, str]) -> None:
    """Write sequences; letters other than A, C, G and T become N."""
    records = [_record(letters.upper()) for letters in sequences.values()]
    names = [name.encode() for name in sequences]
    at = 16 + sum(1 + len(name) + 4 for name in names)
    index = b""
    for name, record in zip(names, records, strict=True):
        index += bytes([len(name)]) + name + struct.pack("<I", at)
        at += len(record)
    path.write_bytes(struct.pack("<4I", 0x1A412743, 0, len(names), 0) + index + b"".join(records))


def _record(letters: str) -> bytes:
    runs: list[list[int]] = []
    for at, letter in enumerate(letters):
        if letter not in _BITS:
            if runs and sum(runs[-1]) == at:
                runs[-1][1] += 1
            else:
                runs.append([at, 1])
    bits = [_BITS.get(letter, 0) for letter in letters] + [0, 0, 0]
    packed = bytes(bits[i] << 6 | bits[i + 1] << 4 | bits[i + 2] << 2 | bits[i + 3] for i in range(0, len(letters), 4))
    starts, sizes = [run[0] for run in runs], [run[1] for run in runs]
    head = struct.pack(f"<{2 + 2 * len(runs)}I", len(letters), len(runs), *starts, *sizes)
    return head + struct.pack("<2I", 0, 0) + packed
