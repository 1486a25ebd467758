"""The corruption laboratory: kinds of damage to a good dataset, each with the check that must find it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from tests.maintain.conftest import change_part, copy_part

TRIM, MASTER = "batch_00001_trim.parquet", "master/batch_00001.parquet"


@dataclass(frozen=True)
class Damage:
    name: str
    code: str
    make: Callable[[Path], None]
    restored: bool = True
    """Whether the commands that the check prints restore the original bytes."""


def rows(*changes: pl.Expr, **named: pl.Expr) -> Callable[[Path], None]:
    return lambda dataset: change_part(dataset, 1, lambda frame: frame.with_columns(*changes, **named))


def frame(change: Callable[[pl.DataFrame], pl.DataFrame]) -> Callable[[Path], None]:
    return lambda dataset: change_part(dataset, 1, change)


def cut(name: str, size: int) -> Callable[[Path], None]:
    def make(dataset: Path) -> None:
        content = (dataset / name).read_bytes()
        (dataset / name).unlink()
        (dataset / name).write_bytes(content[:size])

    return make


def flip(dataset: Path) -> None:
    content = bytearray((dataset / TRIM).read_bytes())
    content[len(content) // 2] ^= 0xFF
    (dataset / TRIM).write_bytes(content)


def lose(name: str) -> Callable[[Path], None]:
    return lambda dataset: (dataset / name).unlink()


def put(name: str, source: str | None = None) -> Callable[[Path], None]:
    return lambda dataset: void((dataset / name).write_bytes((dataset / source).read_bytes() if source else b"scratch"))


def void(_: object) -> None:
    return None


def stale(dataset: Path) -> None:
    (dataset / MASTER).unlink()
    pl.read_parquet(dataset / TRIM).write_parquet(dataset / MASTER)


def manifest(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def make(dataset: Path) -> None:
        held = json.loads((dataset / "manifest.json").read_text())
        change(held)
        (dataset / "manifest.json").write_text(json.dumps(held))

    return make


def csv(name: str, column: str) -> Callable[[Path], None]:
    def make(dataset: Path) -> None:
        table = pl.read_csv(dataset / name)
        first = pl.int_range(pl.len()) == 0
        table.with_columns(pl.when(first).then(pl.col(column) + 1).otherwise(column).alias(column)).write_csv(
            dataset / name
        )

    return make


def text(name: str, old: str, new: str) -> Callable[[Path], None]:
    return lambda dataset: void((dataset / name).write_text((dataset / name).read_text().replace(old, new)))


IS_SITE = pl.col("splice_type") != "neither"
FIRST = pl.int_range(pl.len()) == 0
OTHER_STRAND = pl.when(pl.col("strand") == "+").then(pl.lit("-")).otherwise(pl.lit("+"))
SWAPPED = pl.col("splice_type").replace({"donor": "acceptor", "acceptor": "donor"})


def first(name: str, value: Any, dtype: Any = None) -> Callable[[Path], None]:
    return rows(pl.when(FIRST).then(pl.lit(value, dtype)).otherwise(name).alias(name))


DAMAGES = (
    Damage("truncated batch", "DS003", cut(TRIM, 1000)),
    Damage("truncated file in master", "DS003", cut(MASTER, 1000)),
    Damage("truncated footer", "DS006", cut(MASTER, 4000)),
    Damage("empty file", "DS003", cut(MASTER, 0)),
    Damage("flipped byte", "DS003", flip),
    Damage("lost batch", "DS003", lose(TRIM)),
    Damage("lost ledger of a batch", "DS003", lose("batch_00001_ledger.csv")),
    Damage("lost gene manifest", "DS003", lose("gene_manifest.csv")),
    Damage("lost link", "DS004", lose(MASTER)),
    Damage("stale link", "DS004", stale),
    Damage("foreign file in master", "DS005", put("master/part-0.parquet", TRIM)),
    Damage("leftover raw file", "DS005", put("batch_00001_raw.tmp.parquet")),
    Damage("interrupted rewrite", "DS005", lambda dataset: (dataset / ".staging").mkdir(), restored=False),
    Damage("batch of an earlier plan", "DS005", put("batch_00099_trim.parquet", TRIM)),
    Damage("lost manifest", "DS001", lose("manifest.json"), restored=False),
    Damage("cut manifest", "DS001", cut("manifest.json", 200), restored=False),
    Damage("version from the future", "DS001", manifest(lambda held: held.update(format_version=99)), restored=False),
    Damage("manifest of another kind", "DS001", manifest(lambda held: held.update(kind="model_run")), restored=False),
    Damage("manifest without a part", "DS005", manifest(lambda held: void(held["parts"].pop("batch_00001")))),
    Damage("interrupted build", "DS002", manifest(lambda held: held.update(complete=False))),
    Damage("other k-mers in the manifest", "DS006", manifest(lambda held: held["parameters"].update(kmer_sizes=[2])), restored=False),
    Damage("schema.json edited", "DS006", text("schema.json", '"donor_score"', '"donor_prob"')),
    Damage("wrong dtype", "DS006", rows(pl.col("position").cast(pl.Int32))),
    Damage("lost column", "DS006", frame(lambda held: held.drop("spread"))),
    Damage("extra column", "DS006", rows(own=pl.lit(1.0))),
    Damage("null key", "DS007", first("chrom", None, pl.String)),
    Damage("null score", "DS007", first("donor_score", None, pl.Float32)),
    Damage("NaN score", "DS008", first("spread", float("nan"), pl.Float32)),
    Damage("infinite log-odds", "DS024", first("donor_acceptor_logodds", float("inf"), pl.Float32)),
    Damage("probability above 1", "DS008", first("donor_score", 1.5, pl.Float32)),
    Damage("unknown strand", "DS008", first("strand", "*")),
    Damage("unknown label", "DS008", first("splice_type", "exon")),
    Damage("unknown tier", "DS008", first("sampling_tier", "lucky")),
    Damage("k-mer above its window", "DS024", first("1mer_A", 9999, pl.UInt16)),
    Damage("swapped donor and acceptor labels", "DS009", rows(splice_type=SWAPPED)),
    Damage("label noise", "DS009", rows(is_donor=pl.when(IS_SITE).then(~pl.col("is_donor")).otherwise("is_donor"))),
    Damage("calls of other labels", "DS009", rows(pred_type=pl.lit("FN"))),
    Damage("positions one base on", "DS010", rows(pl.col("position") + 1)),
    Damage("positions one base back", "DS010", rows(pl.col("position") - 1)),
    Damage("swapped strands", "DS010", rows(strand=OTHER_STRAND)),
    Damage(
        "swapped donor and acceptor, flags too",
        "DS010",
        rows(splice_type=SWAPPED, is_donor=pl.col("is_acceptor"), is_acceptor=pl.col("is_donor")),
    ),
    Damage("one invented site", "DS011", rows(
        splice_type=pl.when(FIRST).then(pl.lit("donor")).otherwise("splice_type"),
        is_donor=FIRST | pl.col("is_donor"),
    )),
    Damage("doubled rows", "DS012", frame(lambda held: pl.concat([held, held.head(3)]))),
    Damage("unit doubled in two files", "DS019", lambda dataset: copy_part(dataset, 1, 3)),
    Damage("probabilities that do not sum to one", "DS013", rows(neither_score=pl.lit(0.0, pl.Float32))),
    Damage("score of something else", "DS014", rows(score=pl.lit(0.5, pl.Float32))),
    Damage("logit of another score", "DS014", rows(donor_logit=pl.lit(0.0, pl.Float32))),
    Damage("wrong k-mer", "DS015", rows(pl.col("1mer_A") + 1)),
    Damage("k-mer counted twice", "DS025", first("1mer_A", 400, pl.UInt16)),
    Damage("row outside its gene", "DS026", first("position", 90_000, pl.Int64)),
    Damage("contig of another gene", "DS026", first("chrom", "chrT9")),
    Damage("swapped k-mers", "DS015", rows(**{"1mer_A": pl.col("1mer_C"), "1mer_C": pl.col("1mer_A")})),
    Damage("GC content of something else", "DS015", rows(gc_content=pl.lit(0.123, pl.Float32))),
    Damage("lost sites", "DS016", frame(lambda held: held.filter(~IS_SITE))),
    Damage("weight lost: null", "DS017", first("inclusion_probability", None, pl.Float64)),
    Damage("weight lost: 0", "DS017", first("inclusion_probability", 0.0)),
    Damage("weight above 1", "DS017", first("inclusion_probability", 1.5)),
    Damage("sites with a share of a weight", "DS017", rows(inclusion_probability=pl.lit(0.5))),
    Damage("tier of another row", "DS018", rows(sampling_tier=pl.lit("easy"))),
    Damage("ledger edited", "DS018", csv("sampling_ledger.csv", "rows_kept")),
    Damage("rows lost", "DS018", frame(lambda held: held.head(held.height - 5))),
    Damage("gene manifest edited", "DS019", csv("gene_manifest.csv", "rows")),
    Damage("foreign gene", "DS019", first("gene_id", "ENSG_FOREIGN")),
    Damage("missing gene", "DS019", frame(lambda held: held.filter(pl.col("gene_id") != held["gene_id"][0]))),
    Damage("structural feature that varies", "DS020", first("num_exons", 99.0, pl.Float32)),
    Damage("gene type that varies", "DS020", first("gene_type", "lncRNA_other")),
    Damage("wrong n_splice_sites", "DS021", rows(n_splice_sites=pl.lit(77.0, pl.Float32))),
    Damage("wrong gene type", "DS021", rows(gene_type=pl.lit("tRNA"))),
    Damage("feature out of range", "DS024", first("gc_content", -1.0, pl.Float32)),
    Damage("missing feature", "DS024", first("donor_max_up_1_10", None, pl.Float32)),
    Damage("built with another reference", "DS028", manifest(lambda held: held["inputs"].update(reference="0" * 64))),
    Damage("wrong build", "DS028", manifest(lambda held: [held["inputs"].update(reference="0" * 64), held["facts"].update(build="GRCh36")])),
    Damage("result of the boundary probe lost", "DS022", manifest(lambda held: void(held["facts"].pop("boundary_probe")))),
    Damage("leak: copy of the label", "DS022", lambda dataset: [
        change_part(dataset, number, lambda held: held.with_columns(sequence_complexity=pl.col("is_acceptor").cast(pl.Float32)))
        for number in range(1, 1 + len(list((dataset / "master").iterdir())))
    ] and None),
)  # fmt: skip
