"""A dataset of the tiny genome, made once, and ways to change a copy of it while its manifest stays true."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from meta_spliceai.build.run import build
from meta_spliceai.store.folder import Folder, describe_file
from meta_spliceai.store.tables import write_parquet
from meta_spliceai.train.matrix import open_dataset
from tests.build.conftest import Passed, pass_over

KMERS = (1,)


@pytest.fixture(scope="session")
def passed(tmp_path_factory: pytest.TempPathFactory) -> Passed:
    return pass_over(tmp_path_factory.mktemp("passed"))


@pytest.fixture(scope="session")
def good(passed: Passed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset that no test may change."""
    folder = tmp_path_factory.mktemp("good") / "dataset"
    build(reference=passed.reference, eval_dir=passed.eval_dir, output_dir=folder, kmer_sizes=KMERS, batch_size=5)
    return folder


@pytest.fixture
def dataset(good: Path, tmp_path: Path) -> Path:
    """A copy to be changed; links stay links."""
    return copied(good, tmp_path / "dataset")


def copied(dataset: Path, to: Path) -> Path:
    shutil.copytree(dataset, to)
    for path in (to / "master").iterdir():
        path.unlink()
        path.hardlink_to(to / path.name.replace(".parquet", "_trim.parquet"))
    return to


def rows_of(dataset: Path) -> pl.DataFrame:
    """All rows as readers see them."""
    return open_dataset(dataset).scan().collect()


def change_part(dataset: Path, number: int, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """Rewrite a part, and its entry, as if the builder had made it so."""
    opened = open_dataset(dataset)
    name = f"batch_{number:05d}"
    frame = change(pl.read_parquet(dataset / f"master/{name}.parquet"))
    (dataset / f"{name}_trim.parquet").unlink()
    write_parquet(frame, dataset / f"{name}_trim.parquet", opened.table, checked=False)
    (dataset / f"master/{name}.parquet").unlink()
    (dataset / f"master/{name}.parquet").hardlink_to(dataset / f"{name}_trim.parquet")
    record(dataset, name, name)


def copy_part(dataset: Path, number: int, to: int) -> None:
    """Add a part that is a copy of another one."""
    old, new = f"batch_{number:05d}", f"batch_{to:05d}"
    for pattern in ("{}_trim.parquet", "master/{}.parquet", "{}_ledger.csv"):
        shutil.copy(dataset / pattern.format(old), dataset / pattern.format(new))
    record(dataset, old, new)


def record(dataset: Path, like: str, name: str) -> None:
    with Folder.existing(dataset, kind="dataset", format_version=1) as folder:
        entry = folder.manifest.parts[like]
        files = []
        for file in entry.files:
            own = file.name.replace(like, name)
            rows = pl.read_parquet(dataset / own).height if own.endswith(".parquet") else file.rows
            files.append(describe_file(dataset, own, rows))
        parts = {**folder.manifest.parts, name: dataclasses.replace(entry, files=tuple(files))}
        folder.amend(dataclasses.replace(folder.manifest, parts=parts))
