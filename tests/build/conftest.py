"""A base pass of the toy base model over the tiny genome, made once for all tests of the builder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from meta_spliceai.basemodel import registry
from meta_spliceai.basepass.run import run as run_base_pass
from meta_spliceai.reference.prepare import prepare
from tests.toys.tiny_genome import write_tiny_genome
from tests.toys.toy_base_model import ToyBaseModel


@dataclass(frozen=True)
class Passed:
    """Options of `build` that every test shares."""

    reference: Path
    eval_dir: Path


def pass_over(folder: Path, **options: object) -> Passed:
    """Prepare the tiny genome in `folder` and run the toy base model over its genes."""
    tiny = write_tiny_genome(folder / "tiny")
    reference = folder / "reference"
    if not reference.exists():
        prepare(fasta=tiny.fasta, gtf=tiny.gtf, build=tiny.build, out=reference)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry._SHIPPED, "toy", lambda **_: ToyBaseModel())
        result = run_base_pass(reference=reference, base=["toy"], **{"tn_rate": 0.3, **options})  # type: ignore[arg-type]
    return Passed(reference, result.eval_dir)


@pytest.fixture(scope="session")
def passed(tmp_path_factory: pytest.TempPathFactory) -> Passed:
    return pass_over(tmp_path_factory.mktemp("passed"))


def rows_of(dataset: Path) -> pl.DataFrame:
    """All rows of a dataset, in the order of its files."""
    return pl.concat(pl.read_parquet(path) for path in sorted((dataset / "master").glob("*.parquet")))
