"""The folder that training reads: `master/batch_00001.parquet`, … each the same file as its finished batch.

A batch appears here as soon as it is finished, so training can start on a growing dataset. Readers take every Parquet
file in the folder, so nothing else may lie there.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from meta_spliceai.errors import StoreError, first_few
from meta_spliceai.store import atomic
from meta_spliceai.store.fingerprint import file_sha256
from meta_spliceai.store.folder import FileEntry

MASTER = "master"
_OURS = re.compile(r"(master/)?batch_\d{5}(_trim\.parquet|_ledger\.csv|_raw\.tmp\.parquet|\.parquet)")


def batch_name(number: int) -> str:
    """Name of batch `number`, counted from 1."""
    return f"batch_{number:05d}"


def trim_file(name: str) -> str:
    """File of a finished batch, relative to the dataset folder."""
    return f"{name}_trim.parquet"


def master_file(name: str) -> str:
    """The same file under the name that training reads, relative to the dataset folder."""
    return f"{MASTER}/{name}.parquet"


def ledger_file(name: str) -> str:
    """The batch's sampling ledger, relative to the dataset folder."""
    return f"{name}_ledger.csv"


def is_linked(folder: Path, name: str, file: FileEntry) -> bool:
    """Whether the batch's file in the master folder is the finished batch `file`, by identity or by content."""
    in_master = folder / master_file(name)
    if not in_master.is_file():
        return False
    return in_master.samefile(folder / file.name) or file_sha256(in_master) == file.sha256


def link(folder: Path, name: str) -> None:
    """Put a finished batch into the master folder, in place of what is there under its name."""
    atomic.link_or_copy(folder / trim_file(name), folder / master_file(name))


def remove_strays(folder: Path, planned: Collection[str]) -> list[Path]:
    """Delete what earlier runs left: temporary files, raw scratch, and files of batches that are not planned.

    Raises
    ------
    StoreError
        The master folder holds Parquet files that no build writes: training would read them as rows.
    """
    removed = atomic.remove_leftovers(folder / MASTER)
    wanted = {path for name in planned for path in (trim_file(name), master_file(name), ledger_file(name))}
    strays = []
    for path in sorted([*folder.glob("batch_*"), *folder.glob(f"{MASTER}/batch_*")]):
        relative = path.relative_to(folder).as_posix()
        if _OURS.fullmatch(relative) and relative not in wanted:
            strays.append(path)
    for path in strays:
        atomic.remove(path)
    foreign = sorted(
        path.name for path in folder.glob(f"{MASTER}/*.parquet") if path.relative_to(folder).as_posix() not in wanted
    )
    if foreign:
        raise StoreError(
            expected=f"only the batches of this dataset in {folder / MASTER}",
            found=f"other Parquet files: {first_few(foreign)}",
            action="move them away: training reads every Parquet file there",
        )
    return [*removed, *strays]
