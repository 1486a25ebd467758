"""`basepass evaluate`: how good base models are by themselves, on every base of their genes.

Scores are written as a predictions table with one arm for each base model, and measured like any other: the same code on
the same bases. No model is trained, so the folds only choose thresholds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from meta_spliceai.basepass.artifacts import Artifacts
from meta_spliceai.build.plan import artifacts_of, check_covered
from meta_spliceai.evaluate.predictions import DESCRIPTION
from meta_spliceai.evaluate.run import EvaluationResult, evaluate
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.reference.genes import choose_genes
from meta_spliceai.reference.load import Reference
from meta_spliceai.reference.registry import load_reference
from meta_spliceai.schema.column import Table
from meta_spliceai.store.atomic import write_json
from meta_spliceai.store.fingerprint import plain
from meta_spliceai.store.tables import TableWriter
from meta_spliceai.train.arms import BASE, BASE_MEAN, Arm
from meta_spliceai.train.groups import gene_groups
from meta_spliceai.train.likeness import Similarity
from meta_spliceai.train.predictions import KnownBases, prediction_table
from meta_spliceai.train.split import plan_split
from meta_spliceai.train.whole_gene import Floats, Tile, merged_length, score_tiles
from meta_spliceai.workers.progress import track

PREDICTIONS, EVALUATION = "predictions", "evaluation"
_PART = "part_00001.parquet"
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class BaseEvaluation:
    """How good base models are by themselves: the evaluation, and its folder."""

    out_dir: Path
    evaluation: EvaluationResult

    def summary(self) -> str:
        """Average precision and top-k accuracy by site type, stratum and base model."""
        rows = pl.concat([self.evaluation.arms, self.evaluation.strata]).filter(
            pl.col("average_precision").is_not_null()
        )
        titles = {arm["name"]: arm["title"] for arm in self.evaluation.about["arms"]}
        lines = [f"{'bases':16}{'site':10}{'base model':28}{'sites':>8}  {'average precision':26}top-k"]
        for row in rows.iter_rows(named=True):
            interval = f"{row['average_precision_low']:.4f} to {row['average_precision_high']:.4f}"
            lines.append(
                f"{row['stratum']:16}{row['splice_type']:10}{titles[row['arm']]:28}{row['sites']:>8,}  "
                f"{row['average_precision']:.4f} ({interval})  {row['top_k_accuracy']:.4f}"
            )
        measured = self.evaluation.about["measured"]
        lines.append(
            f"{measured['bases']:,} bases of {measured['genes']:,} genes, each strand's once; 95 % intervals over "
            f"{measured['gene_groups']:,} gene groups; tables in {self.out_dir}"
        )
        return "\n".join(lines)


def evaluate_base(
    *,
    reference: Path | None = None,
    eval_dir: Path | None = None,
    genes: Sequence[str] | None = None,
    gene_ids_file: Path | None = None,
    gene_col: str = "gene_id",
    chromosomes: Sequence[str] | None = None,
    gene_types: Sequence[str] | None = None,
    out_dir: Path | None = None,
    draws: int = 1000,
    seed: int = 42,
) -> BaseEvaluation:
    """Measure base models by themselves on every base of genes: average precision and top-k accuracy, with intervals.

    Measured are the first base model, each further one whose scores stand in the rows, and the mean of their logits.

    Parameters
    ----------
    reference
        A prepared reference; default: the one that `reference audit` finds.
    eval_dir
        A base pass over the genes; default: the only one in the reference folder.
    genes
        Names or ids; all genes that have artifacts by default.
    gene_ids_file
        A file of names or ids: one per line, or a TSV or CSV table.
    gene_col
        The column of that table that holds them.
    chromosomes
        Only genes on these contigs.
    gene_types
        Only genes of these types.
    out_dir
        Folder for `predictions/` and `evaluation/`; default `<eval_dir>/accuracy`. What these held is replaced.
    draws
        Draws of the bootstrap over gene groups.
    seed
        Seed of the draws.

    Raises
    ------
    GeneError
        Unknown genes, genes without artifacts, or too few gene groups.
    """
    loaded = load_reference(reference)
    artifacts = artifacts_of(loaded, eval_dir)
    chosen = choose_genes(
        loaded,
        genes=genes,
        gene_ids_file=gene_ids_file,
        gene_col=gene_col,
        chromosomes=chromosomes,
        gene_types=gene_types,
    )
    if genes is None and gene_ids_file is None:
        chosen = chosen.filter(pl.col("gene_id").is_in(list(artifacts.genes)))
    check_covered(artifacts, loaded, chosen["gene_id"].to_list())
    folder = out_dir or artifacts.path / "accuracy"
    _write_predictions(folder / PREDICTIONS, loaded, artifacts, chosen, seed)
    result = evaluate(predictions=folder / PREDICTIONS, out_dir=folder / EVALUATION, draws=draws, seed=seed)
    return BaseEvaluation(folder / EVALUATION, result)


def _write_predictions(
    folder: Path, reference: Reference, artifacts: Artifacts, genes: pl.DataFrame, seed: int
) -> None:
    split = divided(reference, genes, artifacts.training_chromosomes, seed)
    with reference.open_genome() as genome:
        arms = base_arms(artifacts)
        table = prediction_table([arm.name for arm in arms])
        known = KnownBases(reference, split)
        with TableWriter(folder / _PART, table) as writer, track("reading", merged_length(genes), "bases") as progress:
            for part in split.partition_by("fold", maintain_order=True):
                of_fold = genes.filter(pl.col("gene_id").is_in(part["gene_id"].to_list()))
                for tile in score_tiles(of_fold, artifacts, genome, {}):
                    writer.append(_frame(tile, known, table))
                    progress.advance(tile.interval.length)
    write_json(folder / DESCRIPTION, plain(_description(reference, artifacts, split, arms, seed)))


def divided(reference: Reference, genes: pl.DataFrame, training_chromosomes: Sequence[str], seed: int) -> pl.DataFrame:
    """`SPLIT_TABLE` of genes whose scores nobody trained here: the folds choose thresholds for one another, and no more.

    Raises
    ------
    GeneError
        Fewer than two gene groups.
    """
    with reference.open_genome() as genome:
        groups = gene_groups(genes, reference.exons(), genome, Similarity())
    return plan_split(
        genes,
        groups,
        folds=min(_FOLDS, max(2, groups["group"].n_unique())),
        test_size=0.0,
        seed=seed,
        training_chromosomes=training_chromosomes,
    )


def base_arms(artifacts: Artifacts) -> list[Arm]:
    """An arm for each base model of a base pass, and one for the mean of their logits where there are several."""
    first = str(artifacts.base_model["name"])
    further = [Arm(base.name, base.name, None, "its scores as they are") for base in artifacts.further_bases]
    named = Arm(BASE.name, first, None, "its scores as they are")
    return [named, *further, *([BASE_MEAN] if further else [])]


def _frame(tile: Tile, known: KnownBases, table: Table) -> pl.DataFrame:
    columns: dict[str, Any] = {**known.columns(tile), **base_columns(tile)}
    where = tile.interval
    return table.conform(pl.DataFrame(columns).with_columns(chrom=pl.lit(where.chrom), strand=pl.lit(where.strand)))


def base_columns(tile: Tile) -> dict[str, Floats]:
    """`{arm}_donor` and `{arm}_acceptor` of the arms of `base_arms`, for the bases of a tile."""
    scored = {BASE.name: tile.base, **tile.further, **({BASE_MEAN.name: tile.mean} if tile.mean else {})}
    return {f"{name}_{kind}": by_kind[kind] for name, by_kind in scored.items() for kind in SITE_TYPES}


def _description(
    reference: Reference,
    artifacts: Artifacts,
    split: pl.DataFrame,
    arms: Sequence[Arm],
    seed: int,
) -> dict[str, Any]:
    return {
        "arms": [{"name": arm.name, "title": arm.title, "profile": "", "note": arm.note} for arm in arms],
        "reference arm": BASE.name,
        "groups": list(groups_of(split)),
        "base_model": dict(artifacts.base_model),
        "further_base_models": [dict(one) for one in artifacts.further_base_models],
        "build": reference.build,
        "seed": seed,
        "skipped_arms": [],
        "calibrations": [],
    }


def groups_of(genes: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """The gene groups of a `SPLIT_TABLE`, as predictions.json lists them."""
    for (group,), frame in genes.sort("group").group_by("group", maintain_order=True):
        yield {"group": group, "gene_ids": frame["gene_id"].to_list(), "gene_names": frame["gene_name"].to_list()}
