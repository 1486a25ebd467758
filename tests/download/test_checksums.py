from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from meta_spliceai.download.checksums import Checksum, bsd_checksum
from meta_spliceai.errors import InputError


def test_sha256_and_md5_are_those_of_the_bytes(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"ACGT" * 1000)
    assert Checksum("sha256", hashlib.sha256(b"ACGT" * 1000).hexdigest()).fits(file)
    assert Checksum("md5", hashlib.md5(b"ACGT" * 1000).hexdigest()).fits(file)
    assert not Checksum("md5", hashlib.md5(b"ACGT").hexdigest()).fits(file)


@pytest.mark.skipif(shutil.which("sum") is None, reason="no Unix command `sum`, the witness of the BSD sum")
@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, 70_001])
def test_bsd_sum_is_that_of_the_unix_command(tmp_path: Path, size: int) -> None:
    file = tmp_path / "f"
    file.write_bytes(bytes((7 * place * place + 13) % 256 for place in range(size)))
    printed = subprocess.run(["sum", "-r", file], capture_output=True, text=True, check=True).stdout.split()
    assert bsd_checksum(int(printed[0]), int(printed[1])).fits(file)


def test_bsd_sum_known_by_heart(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"a")
    assert Checksum("bsd", "").of_same_kind(file) == bsd_checksum(97, 1)


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"a readable file {tmp_path / 'gone'}"):
        Checksum("md5", "").of_same_kind(tmp_path / "gone")
