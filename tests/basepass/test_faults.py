"""What goes wrong outside the package: the disk, other processes, odd sequence. Each ends in a clear outcome."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from meta_spliceai.basepass.artifacts import open_artifacts
from meta_spliceai.basepass.run import run
from meta_spliceai.basepass.scoring import score_interval
from meta_spliceai.genome.coordinates import Interval
from meta_spliceai.genome.sequences import encode
from meta_spliceai.reference.load import load
from meta_spliceai.reference.prepare import prepare
from tests.basepass.kill_driver import contents_of_pass
from tests.toys.tiny_genome import GENES, LENGTHS, tiny_sequences, write_tiny_genome
from tests.toys.toy_base_model import ToyBaseModel

ROOT = Path(__file__).resolve().parents[2]
_PROGRAM = """
import json, resource, sys
from pathlib import Path
from meta_spliceai.basemodel import registry
from meta_spliceai.basepass.run import run
from meta_spliceai.errors import MetaSpliceAIError
from tests.toys.toy_base_model import ToyBaseModel

told = json.load(sys.stdin)
registry._SHIPPED["toy"] = lambda **_: ToyBaseModel()
if told["largest_file"]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (told["largest_file"],) * 2)
try:
    run(reference=Path(told["reference"]), base=["toy"], eval_dir=Path(told["eval_dir"]), chunk_size=4)
except MetaSpliceAIError as error:
    print(type(error).__name__, error)
    sys.exit(3)
"""


def _started(reference: Path, eval_dir: Path, largest_file: int = 0) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    told = {"reference": str(reference), "eval_dir": str(eval_dir), "largest_file": largest_file}
    process.stdin.write(json.dumps(told))
    process.stdin.close()
    process.stdin = None
    return process


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of the file size there")
@pytest.mark.parametrize("largest_file", [4_000, 60_000, 150_000])
def test_a_full_disk_costs_no_finished_chunk_and_the_next_run_goes_on(reference, tmp_path, largest_file):
    whole = run(reference=reference, base=["toy"], eval_dir=tmp_path / "whole", chunk_size=4).eval_dir
    process = _started(reference, tmp_path / "full", largest_file)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 3, said
    assert said.startswith("DiskFullError"), said
    assert "free some space" in said
    run(reference=reference, base=["toy"], eval_dir=tmp_path / "full", chunk_size=4)
    assert contents_of_pass(tmp_path / "full") == contents_of_pass(whole)


def test_two_processes_started_on_one_folder_leave_one_whole_pass(reference, tmp_path):
    processes = [_started(reference, tmp_path / "both") for _ in range(2)]
    ended = [(process.communicate(timeout=120)[0], process.returncode) for process in processes]
    assert sorted(code for _, code in ended) in ([0, 0], [0, 3]), ended
    for said, code in ended:
        assert code == 0 or said.startswith("BusyError"), said
    whole = run(reference=reference, base=["toy"], eval_dir=tmp_path / "whole", chunk_size=4).eval_dir
    assert contents_of_pass(tmp_path / "both") == contents_of_pass(whole)


def test_a_gene_in_nothing_but_n_is_scored_as_a_constant_and_kept(passed, reference):
    gene = load(reference).genes.filter(pl.col("gene_name") == "NOTHING").row(0, named=True)
    artifacts = open_artifacts(passed)
    scores = artifacts.scores(gene["chrom"], gene["strand"], gene["start"] + 20, gene["end"] - 20)
    assert np.unique(scores.donor).size == 1
    assert artifacts.candidates([gene["gene_id"]]).height > 0
    table = pl.read_csv(passed / "meta_models" / "gene_manifest.tsv", separator="\t")
    assert table.filter(pl.col("gene_id") == gene["gene_id"])["status"].to_list() == ["done"]


def test_lower_case_and_other_letters_score_as_upper_case_and_unknown(reference):
    letters = tiny_sequences()["chrT1"]
    plain = "".join(letter if letter in "ACGT" else "N" for letter in letters.upper())
    model = ToyBaseModel()
    with load(reference).open_genome() as genome:
        for start, end in ((2_900, 3_100), (5_900, 8_100)):
            ours = score_interval(model, genome, Interval("chrT1", start, end, "+"))
            theirs = model.score(encode(plain[start - 10 : end + 10]))
            np.testing.assert_array_equal(ours.donor, theirs.donor)


@pytest.mark.parametrize(("name", "end"), [("START", 0), ("END", LENGTHS["chrT1"])])
def test_genes_at_a_contigs_end_see_unknown_bases_beyond_it(passed, reference, name, end):
    gene = load(reference).genes.filter(pl.col("gene_name") == name).row(0, named=True)
    assert end in (gene["start"] - 1, gene["end"])
    scores = open_artifacts(passed).scores(gene["chrom"], gene["strand"], gene["start"] - 50, gene["end"] + 50)
    assert scores.donor.size == gene["end"] - gene["start"] + 100
    beyond = scores.donor[:49] if end == 0 else scores.donor[-50:]
    assert (beyond == 0).all()


def test_genes_on_contigs_absent_from_the_genome_are_left_out_and_counted(tmp_path):
    tiny = write_tiny_genome(tmp_path / "tiny")
    text = tiny.fasta.read_text()
    tiny.fasta.write_text(text[: text.index(">chrT2")] + text[text.index(">chrT3") :])
    prepared = prepare(fasta=tiny.fasta, gtf=tiny.gtf, build="part", out=tmp_path / "reference")
    assert "left out      4 genes" in prepared.summary()
    done = run(reference=prepared.path, base=["toy"], eval_dir=tmp_path / "pass")
    assert done.genes == sum(gene.chrom == "chrT1" for gene in GENES)
