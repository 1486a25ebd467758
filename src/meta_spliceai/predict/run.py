"""`predict`: a saved meta-model, the artifacts of its base model, some genes.

predictions.parquet   every base of the genes once: base scores and the meta-model's probabilities
called_sites.bed      the bases called at the threshold, for a genome browser: BED6 (0-based half-open, score 0 to 1000), then
                      the genes that hold the base, base score, meta-probability, and whether training saw one of them
genes.tsv             the genes, and whether the model was trained on them
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from meta_spliceai.basepass.artifacts import Artifacts
from meta_spliceai.build.plan import artifacts_of, check_covered
from meta_spliceai.errors import InputError
from meta_spliceai.features.registry import identities_of
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.reference.genes import choose_genes
from meta_spliceai.reference.load import Reference
from meta_spliceai.reference.registry import load_reference
from meta_spliceai.schema.column import Column, Table
from meta_spliceai.schema.tables import GENE_TABLE, PREDICTION_TABLE_KEYS
from meta_spliceai.store.atomic import write_bytes
from meta_spliceai.store.fingerprint import file_sha256, fingerprint
from meta_spliceai.store.folder import Folder, PartEntry, describe_file
from meta_spliceai.store.tables import TableWriter, write_tsv
from meta_spliceai.train.model import MODEL_FILE, MetaModel, ScoredBases
from meta_spliceai.train.whole_gene import merged_length
from meta_spliceai.workers.progress import track

KIND = "meta-model predictions"
FORMAT_VERSION = 1
TABLE_FILE, BED_FILE, GENES_FILE = "predictions.parquet", "called_sites.bed", "genes.tsv"

log = logging.getLogger(__name__)

_KEYS = {column.name: column for column in PREDICTION_TABLE_KEYS}
_GENE = {column.name: column for column in GENE_TABLE}
_SEEN = "whether the model was trained on"

META_PREDICTION_TABLE = Table(
    "meta_predictions",
    1,
    "every base of the genes, once, by contig in the genome's order, strand and position",
    (
        *(_KEYS[name] for name in ("chrom", "strand", "position")),
        *(Column(kind, pl.Float32, "call", "base_score", f"{kind} probability of the base model", "probability", low=0, high=1) for kind in SITE_TYPES),
        *(Column(f"meta_{kind}", pl.Float32, "call", "base_score", f"calibrated {kind} probability of the meta-model", "probability", low=0, high=1) for kind in SITE_TYPES),
        Column("seen_in_training", pl.Boolean, "text", "gene", f"{_SEEN} one of the genes that hold the base"),
    ),
)  # fmt: skip

PREDICTED_GENE_TABLE = Table(
    "predicted_genes",
    1,
    "one row per predicted gene, in reference order",
    (
        *(_GENE[name] for name in ("gene_id", "gene_name", "gene_type", "chrom", "strand", "start", "end")),
        Column("seen_in_training", pl.Boolean, "text", "gene", f"{_SEEN} the gene"),
    ),
)


@dataclass(frozen=True, slots=True)
class PredictResult:
    """What a prediction left.

    Parameters
    ----------
    out, table, bed
        The folder, the table of every base, and the track of called sites.
    genes, seen_in_training
        Genes predicted, and how many of them the model was trained on.
    bases
        Bases predicted, each once.
    called_donors, called_acceptors
        Sites called at the threshold.
    """

    out: Path
    table: Path
    bed: Path
    genes: int
    seen_in_training: int
    bases: int
    called_donors: int
    called_acceptors: int

    def summary(self) -> str:
        """A few lines for people."""
        unseen = self.genes - self.seen_in_training
        return "\n".join(
            [
                f"table   {self.table}: {self.bases:,} bases of {self.genes:,} genes",
                f"track   {self.bed}: {self.called_donors:,} donors and {self.called_acceptors:,} acceptors called",
                f"genes   {self.seen_in_training:,} the model was trained on, {unseen:,} it has not seen",
            ]
        )


def predict(
    *,
    model: Path,
    reference: Path | None = None,
    eval_dir: Path | None = None,
    evidence: Sequence[str] = (),
    genes: Sequence[str] | None = None,
    gene_ids_file: Path | None = None,
    gene_col: str = "gene_id",
    out: Path,
    threshold: float = 0.5,
    overwrite: bool = False,
) -> PredictResult:
    """Apply a trained meta-model to every base of genes.

    A base in several of the genes is written once. A gene-conditioned model sees it from each of the genes given, so its
    probability there depends on which are given; other models' probabilities do not.

    Parameters
    ----------
    model
        Folder of the meta-model, or of the training run that made it.
    reference
        A prepared reference; default: the one that `reference audit` finds.
    eval_dir
        A base pass over the genes with the model's own base model; default: the only one in the reference folder.
    evidence
        Files of evidence that the model needs, as NAME=FILE; a message says where they are not those it learnt from.
    genes
        Names or ids; all genes that have artifacts by default.
    gene_ids_file
        A file of names or ids: one per line, or a TSV or CSV table.
    gene_col
        The column of that table that holds them.
    out
        Folder for the results.
    threshold
        Probability of the meta-model from which a base is called.
    overwrite
        Start anew where the folder holds a prediction made with other options.

    Raises
    ------
    ModelError
        The model cannot be loaded, or corrects another base model.
    InputError
        Evidence that the model needs is missing or cannot be used.
    GeneError
        Unknown genes, or genes without artifacts.
    PlanMismatchError
        The folder holds a prediction made with other options or inputs.
    """
    if not 0 < threshold <= 1:
        raise InputError("--threshold above 0 and at most 1", f"{threshold}", "give a probability; 0.5 is usual")
    loaded_model = MetaModel.load(model)
    loaded = load_reference(reference)
    artifacts = loaded_model.base_scores_in(artifacts_of(loaded, eval_dir))
    chosen = _chosen(loaded, artifacts, genes, gene_ids_file, gene_col)
    enrichers = loaded_model.load_enrichers(evidence, loaded)
    parameters = {"gene_ids": chosen["gene_id"].to_list(), "threshold": threshold, "profile": loaded_model.profile}
    inputs = {
        "model": _model_digest(model),
        "reference": loaded.fingerprint,
        "base_pass": artifacts.fingerprint,
        **identities_of(enrichers),
    }
    with Folder.opened(
        out, kind=KIND, format_version=FORMAT_VERSION, parameters=parameters, inputs=inputs, overwrite=overwrite
    ) as folder:
        identity = fingerprint([parameters, inputs])
        if not folder.is_done("predictions", identity):
            score = partial(loaded_model.predict, chosen, artifacts, enrichers=enrichers)
            files, facts = _write(out, score, set(loaded_model.training_genes), chosen, loaded, threshold)
            entries = tuple(describe_file(out, name, rows) for name, rows in files.items())
            folder.record("predictions", PartEntry(identity, entries, facts))
        facts = dict(folder.manifest.parts["predictions"].facts)
        if not folder.manifest.complete:
            folder.finalise({"predictions": identity}, facts)
        folder.log("predict", **facts)
    return PredictResult(out, out / TABLE_FILE, out / BED_FILE, **facts)


def _chosen(
    reference: Reference,
    artifacts: Artifacts,
    genes: Sequence[str] | None,
    gene_ids_file: Path | None,
    gene_col: str,
) -> pl.DataFrame:
    if genes is None and gene_ids_file is None:
        return reference.genes.filter(pl.col("gene_id").is_in(list(artifacts.genes)))
    chosen = choose_genes(reference, genes=genes, gene_ids_file=gene_ids_file, gene_col=gene_col)
    check_covered(artifacts, reference, chosen["gene_id"].to_list())
    return chosen


def _model_digest(model: Path) -> str:
    own = model / MODEL_FILE
    return file_sha256(own if own.exists() else model / "model" / MODEL_FILE)


def _write(
    out: Path,
    score: Callable[..., Iterator[ScoredBases]],
    trained: set[str],
    genes: pl.DataFrame,
    reference: Reference,
    threshold: float,
) -> tuple[dict[str, int | None], dict[str, int]]:
    """Write all files; returns their rows by name, and the counts of `PredictResult`.

    `score` scores every base of the genes, given the genome.
    """
    table = genes.with_columns(seen_in_training=pl.col("gene_id").is_in(list(trained)))
    write_tsv(PREDICTED_GENE_TABLE.conform(table), out / GENES_FILE)
    called: list[pl.DataFrame] = []
    with (
        reference.open_genome() as genome,
        TableWriter(out / TABLE_FILE, META_PREDICTION_TABLE) as writer,
        track("predicting", merged_length(genes), "bases") as progress,
    ):
        for scored in score(genome=genome):
            frame = _frame(scored, trained)
            writer.append(frame)
            called.append(_called(frame, scored, threshold))
            progress.advance(scored.interval.length)
    order = pl.Enum(genes["chrom"].unique(maintain_order=True))
    bed = pl.concat(called).sort(pl.col("chrom").cast(order), "start", "strand", "name")
    write_bytes(out / BED_FILE, bed.write_csv(separator="\t", include_header=False, float_precision=6).encode())
    kinds = dict(bed["name"].value_counts().iter_rows())
    counts = {
        "genes": genes.height,
        "seen_in_training": int(table["seen_in_training"].sum()),
        "bases": writer.rows,
        **{f"called_{kind}s": int(kinds.get(kind, 0)) for kind in SITE_TYPES},
    }
    return {TABLE_FILE: writer.rows, BED_FILE: bed.height, GENES_FILE: genes.height}, counts


def _frame(scored: ScoredBases, trained: set[str]) -> pl.DataFrame:
    where = scored.interval
    seen = np.zeros(where.length, dtype=bool)
    for gene in scored.genes:
        if gene["gene_id"] in trained:
            seen[_inside(gene, scored)] = True
    columns: dict[str, Any] = {"position": np.arange(where.start + 1, where.end + 1), "seen_in_training": seen}
    columns |= dict(scored.base) | {f"meta_{kind}": values for kind, values in scored.meta.items()}
    frame = pl.DataFrame(columns).with_columns(chrom=pl.lit(where.chrom), strand=pl.lit(where.strand))
    return META_PREDICTION_TABLE.conform(frame)


def _inside(gene: Mapping[str, Any], scored: ScoredBases) -> slice:
    where = scored.interval
    return slice(max(0, gene["start"] - 1 - where.start), gene["end"] - where.start)


def _called(frame: pl.DataFrame, scored: ScoredBases, threshold: float) -> pl.DataFrame:
    """The called sites of a tile as BED rows: 0-based half-open, the score in thousandths of the meta-probability."""
    parts = []
    for kind in SITE_TYPES:
        rows = frame.filter(pl.col(f"meta_{kind}") >= threshold)
        holders = [
            ",".join(gene["gene_id"] for gene in scored.genes if gene["start"] <= position <= gene["end"])
            for position in rows["position"].to_list()
        ]
        parts.append(
            rows.select(
                "chrom",
                start=pl.col("position") - 1,
                end="position",
                name=pl.lit(kind),
                score=(pl.col(f"meta_{kind}") * 1000).round().cast(pl.Int64),
                strand="strand",
                gene_ids=pl.Series(holders, dtype=pl.String),
                base=kind,
                meta=f"meta_{kind}",
                seen_in_training="seen_in_training",
            )
        )
    return pl.concat(parts)
