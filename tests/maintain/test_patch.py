"""Columns come later as aligned side files; readers see one table; nothing is ever half patched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from meta_spliceai.build.run import build
from meta_spliceai.errors import GeneError, InputError, PlanMismatchError, StoreError
from meta_spliceai.maintain.patch import patch
from meta_spliceai.reference.load import load
from meta_spliceai.reference.prepare import prepare
from meta_spliceai.store.folder import file_is_whole, read_manifest
from meta_spliceai.train.matrix import load_rows, open_dataset
from meta_spliceai.train.plan import _check_computable
from tests.build.conftest import Passed
from tests.build.kill_driver import contents
from tests.maintain.conftest import change_part, copied, rows_of
from tests.toys.tiny_genome import write_tiny_genome

STRUCTURE = {
    "n_splice_sites": pl.lit(0.0, pl.Float32),
    "num_exons": pl.lit(1.0, pl.Float32),
    "gene_length": pl.lit(7.0, pl.Float32),
    "gene_distance_to_end": pl.lit(3.0, pl.Float32),
}


def outdated(dataset: Path, number: int = 2) -> Path:
    """The dataset with wrong structural features in one part."""
    change_part(dataset, number, lambda rows: rows.with_columns(**STRUCTURE))
    return dataset


def user_file(dataset: Path, path: Path, **columns: pl.Expr) -> Path:
    units = rows_of(dataset).select("chrom", "position", "strand").unique(maintain_order=True)
    units.with_columns(**columns).write_csv(path, separator="\t")
    return path


# ---- structural features and gene types ------------------------------------------------------------------------------


def test_T5_structural_features_are_those_the_builder_writes(good: Path, dataset: Path, passed: Passed) -> None:
    result = patch(outdated(dataset), kind="structural", reference=passed.reference)
    assert (result.action, result.patches) == ("patched", ("structural",))
    assert set(result.changed) == set(STRUCTURE)
    assert rows_of(dataset).equals(rows_of(good))


def test_T5_in_place_there_is_one_physical_table_and_links_are_not_written_through(
    good: Path, dataset: Path, passed: Passed, tmp_path: Path
) -> None:
    outdated(dataset)
    kept = tmp_path / "kept.parquet"
    kept.hardlink_to(dataset / "master/batch_00002.parquet")
    before = kept.read_bytes()
    result = patch(dataset, kind="structural", reference=passed.reference, inplace=True)
    assert (result.action, result.patches) == ("folded", ())
    assert pl.read_parquet(dataset / "master").equals(rows_of(good))
    assert kept.read_bytes() == before
    assert not (dataset / "patches").exists()
    for path in (dataset / "master").iterdir():
        assert path.samefile(dataset / path.name.replace(".parquet", "_trim.parquet"))
    manifest = read_manifest(dataset, "dataset", 1)
    assert manifest.complete
    assert all(file_is_whole(dataset, file, verify=True) for file in manifest.files())


def test_T5_a_dataset_that_is_right_is_left_alone(dataset: Path, passed: Passed) -> None:
    before = contents(dataset)
    result = patch(dataset, kind="structural", reference=passed.reference, inplace=True)
    assert result.action == "unchanged"
    assert "nothing was written" in result.summary()
    assert contents(dataset) == before


def test_T6_gene_types_are_filled_from_the_reference(good: Path, dataset: Path, passed: Passed) -> None:
    unknown = {"gene_type": pl.lit("unknown"), "gene_is_protein_coding": pl.lit(0.0, pl.Float32)}
    change_part(dataset, 1, lambda rows: rows.with_columns(**unknown))
    result = patch(dataset, kind="gene_type", reference=passed.reference)
    assert set(result.changed) == {"gene_type", "gene_is_protein_coding"}
    assert rows_of(dataset).equals(rows_of(good))
    patch(dataset, inplace=True)
    assert pl.read_parquet(dataset / "master").equals(rows_of(good))


def test_T6_gene_types_from_a_file_repair_what_it_knows_and_leave_the_rest(dataset: Path, tmp_path: Path) -> None:
    before = rows_of(dataset)
    (tmp_path / "types.tsv").write_text("gene_id\tgene_type\nTG04.1\tlncRNA\nTG05.1\t\nXX\tmiRNA\n")
    patch(dataset, kind="gene_type", gene_features=tmp_path / "types.tsv", inplace=True)
    rows = rows_of(dataset)
    changed = rows.filter(pl.col("gene_type") != before["gene_type"])
    assert set(changed["gene_id"]) == {"TG04.1"}
    assert set(changed["gene_type"]) == {"lncRNA"}
    assert set(changed["gene_is_protein_coding"]) == {0.0}
    genes = pl.read_csv(dataset / "gene_manifest.csv")
    assert dict(genes.select("gene_id", "gene_type").iter_rows())["TG04.1"] == "lncRNA"


def test_a_reference_without_the_genes_or_of_another_place_is_refused(good: Path, tmp_path: Path) -> None:
    tiny = write_tiny_genome(tmp_path / "tiny")
    lines = [line for line in tiny.gtf.read_text().splitlines() if "TG05.1" not in line]
    tiny.gtf.write_text("\n".join(lines) + "\n")
    prepare(fasta=tiny.fasta, gtf=tiny.gtf, build="tiny1", out=tmp_path / "other")
    with pytest.raises(GeneError, match=r"1 are not there: TG05\.1"):
        patch(good, kind="structural", reference=tmp_path / "other")
    with pytest.raises(InputError, match="--reference FOLDER"):
        patch(good, kind="structural")


# ---- columns of the user's -------------------------------------------------------------------------------------------


def test_columns_by_position_are_joined_and_declared(good: Path, dataset: Path, tmp_path: Path) -> None:
    table = user_file(dataset, tmp_path / "conservation.tsv", phylop=pl.col("position") / 1000, note=pl.lit("x"))
    result = patch(dataset, kind="columns", table=table, columns=["phylop"])
    opened = open_dataset(dataset)
    rows = opened.scan().collect()
    assert rows.drop("phylop").equals(rows_of(good))
    assert rows["phylop"].to_list() == (rows["position"] / 1000).cast(pl.Float32).to_list()
    declared = next(column for column in opened.table if column.name == "phylop")
    assert (declared.role, declared.origin, declared.nullable) == ("feature", "external", True)
    in_schema = json.loads((dataset / "schema.json").read_text())["columns"][-1]
    assert (in_schema["name"], in_schema["origin"]) == ("phylop", "external")
    assert result.changed == {"phylop": rows.height}
    assert all(file_is_whole(dataset, file, verify=True) for file in opened.manifest.files())


def test_side_files_have_the_rows_and_row_groups_of_their_part(dataset: Path, tmp_path: Path) -> None:
    name = "batch_00002"
    rows = pl.read_parquet(dataset / f"master/{name}.parquet")
    schema = pq.read_schema(dataset / f"master/{name}.parquet")
    change_part(dataset, 2, lambda frame: frame)
    pq.write_table(  # as a tool of the user's might have cut it
        rows.to_arrow(compat_level=pl.CompatLevel.oldest()).replace_schema_metadata(schema.metadata),
        dataset / f"{name}_trim.parquet",
        row_group_size=100,
    )
    from tests.maintain.conftest import record

    (dataset / f"master/{name}.parquet").unlink()
    (dataset / f"master/{name}.parquet").hardlink_to(dataset / f"{name}_trim.parquet")
    record(dataset, name, name)
    patch(dataset, kind="columns", table=user_file(dataset, tmp_path / "t.tsv", x=pl.col("position")))
    for path in (dataset / "master").iterdir():
        part, side = (pq.ParquetFile(file) for file in (path, dataset / "patches/t" / path.name))
        groups = [[file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] for file in (part, side)]
        assert groups[0] == groups[1]
    assert pq.ParquetFile(dataset / f"master/{name}.parquet").num_row_groups > 3
    assert (rows_of(dataset)["x"] == rows_of(dataset)["position"]).all()


def test_columns_by_gene_leave_other_genes_null(dataset: Path, tmp_path: Path) -> None:
    pl.DataFrame({"gene_id": ["TG02.3", "TG05.1", "none"], "tpm": [1.5, 2, 3]}).write_parquet(tmp_path / "expr.parquet")
    patch(dataset, kind="columns", table=tmp_path / "expr.parquet", origin="external")
    rows = rows_of(dataset)
    assert set(rows.filter(pl.col("gene_id") == "TG02.3")["tpm"]) == {1.5}
    assert rows.filter(~pl.col("gene_id").is_in(["TG02.3", "TG05.1"]))["tpm"].is_null().all()


def test_contigs_under_another_name_are_understood(dataset: Path, tmp_path: Path) -> None:
    table = user_file(dataset, tmp_path / "t.tsv", x=pl.col("position"), chrom=pl.col("chrom").str.strip_prefix("chr"))
    patch(dataset, kind="columns", table=table)
    assert rows_of(dataset)["x"].null_count() == 0


def test_training_reads_patched_values(dataset: Path, passed: Passed) -> None:
    wrong = outdated(dataset)
    genes = load(passed.reference).genes
    before = load_rows(open_dataset(wrong), ["num_exons", "score", "gene_length"], genes, 0.0)
    patch(wrong, kind="structural", reference=passed.reference)
    after = load_rows(open_dataset(wrong), ["num_exons", "score", "gene_length"], genes, 0.0)
    assert (before.features[:, 1] == after.features[:, 1]).all()
    assert (before.features[:, 2] == 7).any()
    assert not (after.features[:, 2] == 7).any()


def test_a_model_is_not_trained_on_columns_that_whole_genes_do_not_have(dataset: Path, tmp_path: Path) -> None:
    patch(dataset, kind="columns", table=user_file(dataset, tmp_path / "t.tsv", x=pl.col("position")))
    with pytest.raises(InputError, match="added to the dataset's rows: x"):
        _check_computable(["gc_content", "x"], open_dataset(dataset))


def test_the_fingerprint_of_a_dataset_tells_of_its_patches(dataset: Path, tmp_path: Path) -> None:
    before = open_dataset(dataset).fingerprint
    patch(dataset, kind="columns", table=user_file(dataset, tmp_path / "t.tsv", x=pl.col("position")))
    assert open_dataset(dataset).fingerprint != before
    patch(dataset, rollback="t")
    assert open_dataset(dataset).fingerprint == before


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("gene_id\tx\nTG01.1\t1\nTG01.1\t2\n", {}, "several for TG01.1"),
        ("gene_id\tx\nother\t1\n", {}, "no row of .* has a value of x"),
        ("name\tx\nTG01.1\t1\n", {}, "no gene_id"),
        ("gene_id\tscore\nTG01.1\t1\n", {}, "names the dataset has already: score"),
        ("gene_id\tx\nTG01.1\thigh\n", {}, "numbers in column x"),
        ("gene_id\tx\nTG01.1\tinf\n", {}, "finite numbers"),
        ("gene_id\tx y\nTG01.1\t1\n", {}, "other characters"),
        ("gene_id\nTG01.1\n", {}, "none besides the keys"),
        ("gene_id\tx\nTG01.1\t1\n", {"columns": ["z"]}, "no z"),
        ("gene_id\tx\nTG01.1\t1\n", {"name": "../up"}, "--name"),
        ("gene_id\tx\nTG01.1\t1\n", {"role": "label"}, "--role"),
        ("gene_id\tx\nTG01.1\t1\n", {"origin": "label"}, "--origin"),
    ],
)
def test_tables_that_do_not_fit_are_refused_before_anything_is_written(
    good: Path, tmp_path: Path, content: str, options: dict[str, object], message: str
) -> None:
    (tmp_path / "t.tsv").write_text(content)
    before = contents(good)
    with pytest.raises(InputError, match=message):
        patch(good, kind="columns", table=tmp_path / "t.tsv", **options)  # type: ignore[arg-type]
    assert contents(good) == before


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"kind": "columns"},
        {"kind": "odd"},
        {"rollback": "x", "inplace": True},
        {"kind": "structural", "table": Path("t")},
    ],
)
def test_options_that_do_not_go_together_are_refused(good: Path, options: dict[str, object]) -> None:
    with pytest.raises(InputError):
        patch(good, **options)  # type: ignore[arg-type]


# ---- roll-back, staleness, order -------------------------------------------------------------------------------------


def test_rolling_back_restores_every_byte(dataset: Path, tmp_path: Path) -> None:
    before = contents(dataset)
    patch(dataset, kind="columns", table=user_file(dataset, tmp_path / "t.tsv", x=pl.col("position")))
    assert contents(dataset) != before
    result = patch(dataset, rollback="t")
    assert result.action == "rolled back"
    assert contents(dataset) == before
    assert not (dataset / "patches").exists()
    with pytest.raises(InputError, match="no patches"):
        patch(dataset, rollback="t")


def test_a_patch_of_files_that_changed_is_refused_by_name_and_can_be_rolled_back(dataset: Path, tmp_path: Path) -> None:
    table = user_file(dataset, tmp_path / "t.tsv", x=pl.col("position"))
    patch(dataset, kind="columns", table=table)
    patch(dataset, rollback="t")
    stale = dataset
    patch(stale, kind="columns", table=table)
    manifest = json.loads((stale / "manifest.json").read_text())
    for file in manifest["parts"]["batch_00002"]["files"]:
        file["sha256"] = file["sha256"][::-1]
    (stale / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(PlanMismatchError, match=r"patch t of .*\n.*batch_00002\.parquet\n.*--rollback t"):
        open_dataset(stale)
    patch(stale, rollback="t")
    assert "x" not in open_dataset(stale).table.names


def test_a_lost_or_damaged_side_file_is_named_and_the_patch_can_be_rolled_back(dataset: Path, tmp_path: Path) -> None:
    before = rows_of(dataset)
    patch(dataset, kind="columns", table=user_file(dataset, tmp_path / "t.tsv", x=pl.col("position")))
    side = dataset / "patches/t/batch_00003.parquet"
    side.write_bytes(side.read_bytes()[:-9])
    with pytest.raises(StoreError, match=r"damaged: patches/t/batch_00003\.parquet\n.*--rollback t"):
        open_dataset(dataset)
    side.unlink()
    with pytest.raises(StoreError, match="--rollback t"):
        open_dataset(dataset)
    patch(dataset, rollback="t")
    assert rows_of(dataset).equals(before)


def test_the_last_patch_of_a_column_counts_and_all_fold_into_one_table(
    dataset: Path, passed: Passed, tmp_path: Path
) -> None:
    before = rows_of(dataset)
    patch(dataset, kind="columns", table=user_file(dataset, tmp_path / "t.tsv", x=pl.col("position")))
    (tmp_path / "types.tsv").write_text("gene_id\tgene_type\nTG01.1\tfirst\nTG02.3\tfirst\n")
    patch(dataset, kind="gene_type", gene_features=tmp_path / "types.tsv", name="one")
    (tmp_path / "types.tsv").write_text("gene_id\tgene_type\nTG01.1\tsecond\n")
    patch(dataset, kind="gene_type", gene_features=tmp_path / "types.tsv", name="an_earlier_word")
    seen = rows_of(dataset)
    types = dict(seen.select("gene_id", "gene_type").unique().iter_rows())
    assert (types["TG01.1"], types["TG02.3"]) == ("second", "first")
    patch(dataset, inplace=True)
    opened = open_dataset(dataset)
    assert (opened.patches, opened.table.names) == ((), [*before.columns, "x"])
    assert pl.read_parquet(dataset / "master").equals(seen)
    with pytest.raises(InputError, match="folded in"):
        patch(dataset, rollback="one")


def test_a_build_that_runs_again_keeps_the_patches(dataset: Path, passed: Passed, tmp_path: Path) -> None:
    patch(dataset, kind="columns", table=user_file(dataset, tmp_path / "t.tsv", x=pl.col("position")))
    (dataset / "batch_00001_trim.parquet").unlink()
    build(reference=passed.reference, eval_dir=passed.eval_dir, output_dir=dataset, kmer_sizes=(1,), batch_size=5)
    assert rows_of(dataset)["x"].null_count() == 0


def test_nothing_is_asked_and_a_taken_name_is_refused(dataset: Path, tmp_path: Path) -> None:
    table = user_file(dataset, tmp_path / "t.tsv", x=pl.col("position"), y=pl.col("position"))
    patch(dataset, kind="columns", table=table, columns=["x"])
    with pytest.raises(InputError, match="a patch t already"):
        patch(dataset, kind="columns", table=table, columns=["y"])


_KILLED = """
import os, sys
from pathlib import Path
from meta_spliceai.maintain.patch import patch
left = int(sys.argv[3])
replace = Path.replace
def counted(self, target):
    global left
    left -= 1
    if left < 0:
        os._exit(9)
    return replace(self, target)
Path.replace = counted
patch(Path(sys.argv[1]), kind="columns", table=Path(sys.argv[2]))
"""


def test_killed_at_any_moment_a_dataset_is_patched_or_not(good: Path, tmp_path: Path) -> None:
    table = user_file(good, tmp_path / "t.tsv", x=pl.col("position"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    for moment in (1, 6, 8, 10):
        victim = copied(good, tmp_path / "victim")
        subprocess.run(
            [sys.executable, "-c", _KILLED, str(victim), str(table), str(moment)], check=False, env=environment
        )
        try:
            assert "x" not in open_dataset(victim).table.names
        except StoreError as error:
            assert "run the same command again" in error.action
        if "x" not in _after_recovery(victim):
            patch(victim, kind="columns", table=table)
        assert rows_of(victim)["x"].null_count() == 0
        shutil.rmtree(victim)


def _after_recovery(dataset: Path) -> list[str]:
    from meta_spliceai.maintain.rewrite import open_to_change

    return open_to_change(dataset).table.names
