"""`evaluate`: a folder of predictions as it is, or anyone's table of scores against the annotation of a reference.

A table is first made into predictions: every base of the genes once, what the annotation says of it, and the scores of each
tool. From there on it is measured by the same code on the same bases as everything else.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.basepass.artifacts import Artifacts
from meta_spliceai.build.plan import artifacts_of, check_covered
from meta_spliceai.errors import InputError, first_few
from meta_spliceai.evaluate.predictions import DESCRIPTION
from meta_spliceai.evaluate.run import EvaluationResult, check_options
from meta_spliceai.evaluate.run import evaluate as evaluate_predictions
from meta_spliceai.formats.score_table import ScoreTable, open_score_table
from meta_spliceai.genome.labels import SITE_TYPES, BoolArray
from meta_spliceai.predict.base import base_arms, base_columns, divided, groups_of
from meta_spliceai.predict.placed import GeneBases, PlacedScores, warn_of_shift
from meta_spliceai.reference.genes import choose_genes
from meta_spliceai.reference.load import Reference
from meta_spliceai.reference.registry import load_reference
from meta_spliceai.reference.truth import Truth
from meta_spliceai.store.atomic import write_json
from meta_spliceai.store.fingerprint import file_sha256, plain
from meta_spliceai.store.tables import TableWriter
from meta_spliceai.train.arms import Arm
from meta_spliceai.train.predictions import KnownBases, prediction_table
from meta_spliceai.train.whole_gene import Tile, score_tiles, tiles_of
from meta_spliceai.workers.progress import track

log = logging.getLogger(__name__)

Missing = Literal["refuse", "zero", "ignore"]
_PART = "part_00001.parquet"


def evaluate(
    *,
    predictions: Path,
    out_dir: Path,
    reference: Path | None = None,
    eval_dir: Path | None = None,
    tool: Sequence[str] = (),
    columns: Sequence[str] = (),
    against: str | None = None,
    missing: Missing = "refuse",
    trained_on: Sequence[str] = (),
    genes: Sequence[str] | None = None,
    gene_ids_file: Path | None = None,
    gene_col: str = "gene_id",
    chromosomes: Sequence[str] | None = None,
    gene_types: Sequence[str] | None = None,
    junctions: Sequence[Path] = (),
    min_reads: int = 5,
    psi: Path | None = None,
    draws: int = 1000,
    seed: int = 42,
) -> EvaluationResult:
    """Measure predictions, or anyone's table of scores, on every base of whole genes, with paired intervals.

    Parameters
    ----------
    predictions
        Folder with part_*.parquet and predictions.json, as `train` and `cv` write it. Or a table of scores: tab- or
        comma-separated text with a header, also gzipped, or Parquet, with chrom, position (1-based), strand, and donor and
        acceptor probabilities of one tool or several. The options from `--reference` to `--gene-types` are for tables.
    out_dir
        Folder for metrics.json and the tables; an earlier evaluation in it is replaced.
    reference
        What a table is measured against: a prepared reference; default: the one that `reference audit` finds.
    eval_dir
        A base pass over the genes: its base models are measured beside the tools, on the same bases.
    tool
        Tools of a table, as NAME=DONOR_COLUMN,ACCEPTOR_COLUMN; default: every pair of columns whose names differ in the
        words donor and acceptor only, such as mytool_donor and mytool_acceptor.
    columns
        Keys of a table that have other names, as KEY=COLUMN with a KEY of chrom, position, strand and gene_id. With
        gene_id a base may stand in a row for each of its genes.
    against
        The arm that the others are compared with; default: `base`, the first base model of `--eval-dir`, else the first
        tool.
    missing
        Bases of the genes without a score in the table: `refuse`, say how many and stop; `zero`, count them as scored 0, as is
        right for tables of all scores above a cut; `ignore`, leave them out for all arms, true sites among them too.
    trained_on
        Contigs that the tools were trained on, so that the others are reported apart; default: those of the first base model
        of `--eval-dir`, else nothing is known.
    genes
        Names or ids of the genes to measure on; all of the reference by default.
    gene_ids_file
        A file of names or ids: one per line, or a TSV or CSV table.
    gene_col
        The column of that table that holds them.
    chromosomes
        Only genes on these contigs.
    gene_types
        Only genes of these types.
    junctions
        RNA-seq junctions, a file for each sample: STAR's SJ.out.tab or the BED12 of regtools. Sites that reads support are
        then a second truth, in the genes that are expressed: the stratum `junctions`.
    min_reads
        Reads that map to one place, in all samples, from which a site is supported.
    psi
        Per cent spliced in of exons: a tab-separated table with chrom, start, end, strand and psi_mean. Says how well each
        arm's scores tell used from unused annotated sites (`site_usage` in metrics.json).
    draws
        Draws of the bootstrap over gene groups.
    seed
        Seed of the draws, and of the folds that choose thresholds for a table.

    Raises
    ------
    InputError, StoreError, SchemaError
        Before anything is measured: predictions are missing or damaged, count a base twice, hold a gene group in two folds,
        or hold values that are no probabilities; a table lacks columns, or bases of the genes with `--missing refuse`.
    GeneError
        Unknown genes, genes without artifacts, or too few gene groups.
    """
    check_options(draws=draws, min_reads=min_reads)
    truths: dict[str, Any] = {"junctions": junctions, "min_reads": min_reads, "psi": psi}
    given = {
        "--reference": reference, "--eval-dir": eval_dir, "--tool": tool, "--columns": columns, "--against": against,
        "--trained-on": trained_on, "--genes": genes, "--gene-ids-file": gene_ids_file,
        "--chromosomes": chromosomes, "--gene-types": gene_types, "--missing": missing != "refuse",
    }  # fmt: skip
    for_tables = [name for name, value in given.items() if value]
    if predictions.is_dir() or not (predictions.exists() or for_tables):
        if for_tables:
            raise InputError(
                expected="a table of scores where options for one are given",
                found=f"the folder {predictions} and {first_few(for_tables)}",
                action="leave these options out: a folder of predictions says all of this itself",
            )
        return evaluate_predictions(predictions=predictions, out_dir=out_dir, draws=draws, seed=seed, **truths)
    if missing not in get_args(Missing):
        raise InputError(f"--missing {', '.join(get_args(Missing))}", f"{missing!r}", "choose one of them")
    table = open_score_table(predictions, tool, columns)
    loaded = load_reference(reference)
    artifacts = None if eval_dir is None else artifacts_of(loaded, eval_dir)
    chosen = choose_genes(
        loaded,
        genes=genes,
        gene_ids_file=gene_ids_file,
        gene_col=gene_col,
        chromosomes=chromosomes,
        gene_types=gene_types,
    )
    if artifacts is not None:
        check_covered(artifacts, loaded, chosen["gene_id"].to_list())
    arms = _arms(table, artifacts, against)
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{out_dir.name}.", dir=out_dir.parent) as scratch:
        folder = _TablePredictions(loaded, chosen, artifacts, arms, missing, tuple(trained_on), seed)
        made = folder.write(table, Path(scratch))
        return evaluate_predictions(predictions=made, out_dir=out_dir, draws=draws, seed=seed, **truths)


def _arms(table: ScoreTable, artifacts: Artifacts | None, against: str | None) -> list[Arm]:
    """What is compared; the arm that the others are compared with comes first."""
    tools = [
        Arm(one.name, one.name, None, f"columns {one.donor} and {one.acceptor} of the table") for one in table.tools
    ]
    arms = [*([] if artifacts is None else base_arms(artifacts)), *tools]
    names = [arm.name for arm in arms]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise InputError(
            "tools that are not called as an arm of the base pass is",
            first_few(doubled),
            "give them other names with --tool",
        )
    if against is not None and against not in names:
        raise InputError(f"--against one of {first_few(names, 20)}", against, "choose one of them")
    return sorted(arms, key=lambda arm: arm.name != (against or names[0]))


@dataclass(slots=True)
class _Written:
    """Bases that are measured, by gene, and what the table has no score of."""

    of_gene: dict[str, int] = field(default_factory=dict)
    lacking: int = 0
    lacking_sites: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SITE_TYPES, 0))


@dataclass(frozen=True, slots=True)
class _TablePredictions:
    """Makes a folder of predictions of a table."""

    reference: Reference
    genes: pl.DataFrame
    artifacts: Artifacts | None
    arms: list[Arm]
    missing: Missing
    trained_on: tuple[str, ...]
    seed: int

    def write(self, table: ScoreTable, scratch: Path) -> Path:
        """Read the table, check it, and write the folder, which is returned."""
        placed = PlacedScores(table, GeneBases(self.genes), scratch)
        self._say_what_was_read(placed)
        lacking = placed.count_lacking()
        if lacking and self.missing == "refuse":
            self._refuse(placed, lacking)
        shift = warn_of_shift(placed, Truth(self.reference.splice_sites()))
        folder = scratch / "predictions"
        split = divided(self.reference, self.genes, self._training_chromosomes, self.seed)
        written = self._write_bases(folder, placed, split)
        write_json(folder / DESCRIPTION, plain(self._description(placed, split, written, shift)))
        return folder

    @property
    def _training_chromosomes(self) -> Sequence[str]:
        if self.trained_on or self.artifacts is None:
            return self.trained_on
        return self.artifacts.training_chromosomes

    @property
    def _knows_training(self) -> bool:
        return bool(self.trained_on) or self.artifacts is not None

    def _say_what_was_read(self, placed: PlacedScores) -> None:
        counts = placed.counts
        elsewhere = sum(counts.unknown_contigs.values())
        log.info("%s rows, %s of them at bases of the genes", f"{counts.rows:,}", f"{counts.inside:,}")
        if counts.repeated:
            log.info("%s rows repeat a base for another of its genes; it counts once", f"{counts.repeated:,}")
        if counts.outside:
            log.info("%s rows lie outside the chosen genes, and are left out", f"{counts.outside:,}")
        if elsewhere:
            log.warning(
                "%s rows lie on contigs without a chosen gene, such as %s, and are left out",
                f"{elsewhere:,}", first_few(sorted(counts.unknown_contigs)),
            )  # fmt: skip

    def _refuse(self, placed: PlacedScores, lacking: int) -> None:
        genes = [
            gene["gene_name"]
            for where, on_span in tiles_of(self.genes, self.genes["end"].max())  # type: ignore[arg-type]
            for gene in on_span.iter_rows(named=True)
            if placed.lacking(
                placed.bases.rows_of(where)
            )[max(0, gene["start"] - 1 - where.start) : gene["end"] - where.start].any()
        ]  # fmt: skip
        raise InputError(
            expected=f"donor and acceptor scores of all {placed.bases.size:,} bases of the {self.genes.height:,} genes in {placed.table.path}",
            found=f"none for {lacking:,} bases ({100 * lacking / placed.bases.size:.1f} %) of {len(genes):,} genes, such as {first_few(genes)}",
            action="choose the genes that were scored with --genes or --chromosomes; or say what an absent base means: --missing "
            "zero where the table lists scores above a cut, --missing ignore to measure on the listed bases only",
        )

    def _write_bases(self, folder: Path, placed: PlacedScores, split: pl.DataFrame) -> _Written:
        table = prediction_table([arm.name for arm in self.arms])
        known, written = KnownBases(self.reference, split), _Written()
        with (
            TableWriter(folder / _PART, table) as writer,
            track("matching with the annotation", placed.bases.size, "bases") as progress,
        ):
            for part in split.partition_by("fold", maintain_order=True):
                of_fold = self.genes.filter(pl.col("gene_id").is_in(part["gene_id"].to_list()))
                for tile in self._tiles(of_fold):
                    scores = placed.of(tile.interval)
                    facts = known.columns(tile)
                    kept = self._kept(tile, scores, facts, written)
                    own = {name: np.nan_to_num(values, nan=0.0) for name, values in scores.items()}
                    base = base_columns(tile) if self.artifacts is not None else {}
                    where = tile.interval
                    frame = pl.DataFrame({**facts, **base, **own}).with_columns(
                        chrom=pl.lit(where.chrom), strand=pl.lit(where.strand)
                    )
                    writer.append(table.conform(frame.filter(pl.Series(kept))))
                    progress.advance(where.length)
        return written

    def _tiles(self, genes: pl.DataFrame) -> Iterator[Tile]:
        if self.artifacts is None:
            for interval, on_tile in tiles_of(genes):
                yield Tile(interval, tuple(on_tile.iter_rows(named=True)), {}, {}, {}, {})
            return
        with self.reference.open_genome() as genome:
            yield from score_tiles(genes, self.artifacts, genome, {})

    def _kept(
        self,
        tile: Tile,
        scores: Mapping[str, npt.NDArray[np.float32]],
        facts: Mapping[str, npt.NDArray[np.generic]],
        written: _Written,
    ) -> BoolArray:
        """Which bases of a tile are measured; counts them, and those without a score."""
        lacking = np.asarray(np.isnan(np.stack(list(scores.values()))).any(axis=0))
        written.lacking += int(lacking.sum())
        for kind in SITE_TYPES:
            written.lacking_sites[kind] += int(np.count_nonzero(lacking & facts[f"is_{kind}"].astype(bool)))
        kept = ~lacking if self.missing == "ignore" else np.ones(lacking.size, dtype=bool)
        for gene in tile.genes:
            first = tile.interval.start
            inside = kept[max(0, gene["start"] - 1 - first) : gene["end"] - first]
            written.of_gene[gene["gene_id"]] = written.of_gene.get(gene["gene_id"], 0) + int(inside.sum())
        return kept

    def _description(
        self, placed: PlacedScores, split: pl.DataFrame, written: _Written, shift: str | None
    ) -> dict[str, Any]:
        counts = placed.counts
        measured = [gene for gene, bases in written.of_gene.items() if bases]
        base = None if self.artifacts is None else dict(self.artifacts.base_model)
        return {
            "arms": [{"name": arm.name, "title": arm.title, "profile": "", "note": arm.note} for arm in self.arms],
            "reference arm": self.arms[0].name,
            "groups": list(groups_of(split.filter(pl.col("gene_id").is_in(measured)))),
            **({} if base is None else {"base_model": base}),
            "build": self.reference.build,
            "seed": self.seed,
            "skipped_arms": [],
            "calibrations": [],
            "table": {
                "file": placed.table.path.name,
                "sha256": file_sha256(placed.table.path),
                "rows": counts.rows,
                "rows_in_genes": counts.inside,
                "rows_repeated": counts.repeated,
                "rows_outside_genes": counts.outside,
                "rows_on_other_contigs": sum(counts.unknown_contigs.values()),
                "bases_of_genes": placed.bases.size,
                "bases_without_score": written.lacking,
                "sites_without_score": written.lacking_sites,
                "genes_without_score": self.genes.height - len(measured) if self.missing == "ignore" else 0,
                "missing": self.missing,
                "training_known": self._knows_training,
                "warnings": [] if shift is None else [shift],
            },
        }
