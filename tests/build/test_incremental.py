"""`build` as a call of Python."""

from __future__ import annotations

import logging
from pathlib import Path

import polars as pl
import pytest

from meta_spliceai.build.incremental import incremental_build_training_dataset
from meta_spliceai.build.run import build
from meta_spliceai.errors import GeneError
from tests.build.conftest import Passed, pass_over
from tests.build.kill_driver import contents

GENES = ["TG03.1", "START"]


def genes_of(master: Path) -> set[str]:
    return set(pl.read_parquet(master / "*.parquet")["gene_id"])


@pytest.mark.rows("B27")
def test_a_list_of_genes_gives_the_path_of_their_rows(passed: Passed, tmp_path: Path) -> None:
    master = incremental_build_training_dataset(
        reference=str(passed.reference),
        eval_dir=str(passed.eval_dir),
        gene_ids=GENES,
        subset_policy="custom",
        output_dir=str(tmp_path / "d"),
        kmer_sizes=[2],
        run_workflow=False,
        verbose=0,
    )
    assert master == tmp_path / "d/master"
    assert genes_of(master) == {"TG01.1", "TG03.1"}
    build(
        reference=passed.reference, eval_dir=passed.eval_dir, gene_ids=GENES, output_dir=tmp_path / "e", kmer_sizes=[2]
    )
    assert contents(tmp_path / "d") == contents(tmp_path / "e")


@pytest.mark.rows("B26")
def test_additional_genes_are_added_to_a_policys_choice(passed: Passed, tmp_path: Path) -> None:
    options = {"reference": passed.reference, "eval_dir": passed.eval_dir, "kmer_sizes": [], "verbose": 0}
    more = {"subset_policy": "error_total", "n_genes": 3, "additional_gene_ids": GENES}
    master = incremental_build_training_dataset(**options, **more, output_dir=tmp_path / "d")
    assert {"TG01.1", "TG03.1"} < genes_of(master)
    assert len(genes_of(master)) == 3
    custom = {"subset_policy": "custom", "additional_gene_ids": GENES}
    master = incremental_build_training_dataset(**options, **custom, output_dir=tmp_path / "e")
    assert genes_of(master) == {"TG01.1", "TG03.1"}


@pytest.mark.rows("B26")
def test_options_of_the_base_pass_may_be_a_dict_and_unknown_ones_are_refused(passed: Passed, tmp_path: Path) -> None:
    some = pass_over(passed.reference.parent, eval_dir=tmp_path / "some", genes=["START"])
    options = {"reference": some.reference, "eval_dir": some.eval_dir, "gene_ids": GENES, "output_dir": tmp_path / "d"}
    level = logging.getLogger("meta_spliceai").level
    with pytest.raises(GeneError, match="none for 1 genes: TG03"):
        incremental_build_training_dataset(**options, run_workflow=False, workflow_kwargs={"workers": 1})
    with pytest.raises(TypeError, match="unexpected keyword argument 'n_gens'"):
        incremental_build_training_dataset(**options, n_gens=3)
    assert logging.getLogger("meta_spliceai").level == level
    assert not (tmp_path / "d").exists()
