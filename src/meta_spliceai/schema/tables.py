"""The tables that are written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, get_args

import polars as pl

from meta_spliceai.genome.labels import PRED_TYPES, SPLICE_TYPES
from meta_spliceai.schema.column import Column, Table
from meta_spliceai.schema.describe import column_from_json
from meta_spliceai.schema.enrichers import BUILT_IN, chosen_features
from meta_spliceai.schema.features import CHANNELS, GENE_FEATURES, FurtherBase, score_features

STRANDS = ("+", "-")
SAMPLING_TIERS = ("site", "called", "scored", "background", "hard", "neighbourhood", "easy")

_CHROM = Column("chrom", pl.String, "key", "gene", "contig, as the genome file names it")
_STRAND = Column("strand", pl.String, "key", "gene", "strand of transcription", choices=STRANDS)
_POSITION = Column("position", pl.Int64, "key", "sequence", "1-based genomic coordinate of the base", "nt", low=1)
_GENE_ID = Column("gene_id", pl.String, "key", "gene", "gene identifier, as the annotation gives it")
_GENE_NAME = Column("gene_name", pl.String, "key", "gene", "gene symbol; the gene_id where the annotation has none")
_TRANSCRIPT_ID = Column(
    "transcript_id",
    pl.String,
    "key",
    "label",
    "first transcript, by id, of this gene with a site here; null where there is none",
    nullable=True,
)
_START = Column("start", pl.Int64, "key", "gene", "first base, 1-based", "nt", low=1)
_END = Column("end", pl.Int64, "key", "gene", "last base, 1-based, included", "nt", low=1)
_GENE_TYPE = Column(
    "gene_type", pl.String, "text", "gene", "biotype of the gene; 'unknown' where the annotation has none"
)


def _count(name: str, meaning: str) -> Column:
    return Column(name, pl.Int64, "text", "annotation", meaning, low=0)


# ---- reference -------------------------------------------------------------------------------------------------------

GENE_TABLE = Table(
    "gene_features",
    1,
    "one row per gene, in reference order: chrom in the genome's order, then start, end, gene_id",
    (
        Column("ordinal", pl.Int64, "key", "gene", "1-based place of the gene on its contig, in reference order", low=1),
        _GENE_ID, _GENE_NAME, _GENE_TYPE, _CHROM, _STRAND, _START, _END,
        _count("gene_length", "end - start + 1"),
        _count("num_transcripts", "transcripts"),
        _count("num_exons", "distinct exons over all transcripts"),
        _count("transcript_length", "spliced length of the longest transcript"),
        _count("total_exon_length", "bases exonic in any transcript"),
        _count("total_intron_length", "bases exonic in none"),
        _count("n_splice_sites", "distinct splice-site positions"),
        _count("donor_sites", "distinct donor positions"),
        _count("acceptor_sites", "distinct acceptor positions"),
        _count("transcript_site_rows", "site and transcript pairs, as older manifests count sites"),
        Column("splice_density_per_kb", pl.Float64, "text", "annotation", "n_splice_sites per 1,000 nt", low=0),
        _count("num_overlaps", "other genes that overlap this one on either strand"),
    ),
)  # fmt: skip

TRANSCRIPT_TABLE = Table(
    "transcript_features",
    1,
    "one row per transcript, by chrom, start, end, transcript_id",
    (
        Column("transcript_id", pl.String, "key", "annotation", "transcript identifier"),
        _GENE_ID,
        Column("transcript_type", pl.String, "text", "annotation", "biotype of the transcript; 'unknown' where there is none"),
        _CHROM, _STRAND, _START, _END,
        _count("num_exons", "exons"),
        _count("transcript_length", "sum of exon lengths"),
        _count("num_introns", "gaps between exons of at least the minimal intron length"),
        Column("is_canonical", pl.Boolean, "text", "annotation", "tagged canonical, MANE Select or APPRIS principal by the annotation; null where it tags none", nullable=True),
    ),
)  # fmt: skip

EXON_TABLE = Table(
    "exon_features",
    1,
    "one row per exon of each transcript, by chrom, start, end, transcript_id",
    (
        _CHROM, _START, _END, _STRAND, _GENE_ID,
        Column("transcript_id", pl.String, "key", "annotation", "transcript identifier"),
        Column("exon_number", pl.Int64, "text", "annotation", "1 for the first exon in the direction of transcription", low=1),
    ),
)  # fmt: skip

SITE_TABLE = Table(
    "splice_sites",
    1,
    "one row per splice site and transcript, by chrom, position, strand, splice_type",
    (
        _CHROM, _STRAND,
        Column("position", pl.Int64, "label", "label", "1-based: the last base of an exon (donor) or the first base of the next (acceptor)", "nt", low=1),
        Column("splice_type", pl.String, "label", "label", "donor or acceptor", choices=("donor", "acceptor")),
        _GENE_ID,
        Column("transcript_id", pl.String, "key", "annotation", "transcript identifier"),
        Column("motif", pl.String, "text", "sequence", "the two intron bases at the site on the transcript's strand: GT at most donors, AG at most acceptors"),
    ),
)  # fmt: skip

OVERLAP_TABLE = Table(
    "overlapping_genes",
    1,
    "one row per pair of genes whose bodies overlap, both ways round",
    (
        _GENE_ID,
        Column("other_gene_id", pl.String, "key", "gene", "the gene it overlaps"),
        _CHROM,
        Column("same_strand", pl.Boolean, "text", "gene", "whether both lie on one strand"),
        Column("overlap_length", pl.Int64, "text", "gene", "shared bases", "nt", low=1),
    ),
)  # fmt: skip

SHORT_GAP_TABLE = Table(
    "short_gaps",
    1,
    "one row per gap between exons that is too short for an intron, and transcript",
    (
        _CHROM, _STRAND, _GENE_ID,
        Column("transcript_id", pl.String, "key", "annotation", "transcript identifier"),
        Column("start", pl.Int64, "text", "annotation", "first base of the gap, 1-based", "nt", low=1),
        Column("end", pl.Int64, "text", "annotation", "last base of the gap, 1-based, included", "nt", low=1),
        Column("length", pl.Int64, "text", "annotation", "end - start + 1", "nt", low=1),
    ),
)  # fmt: skip

# ---- base pass -------------------------------------------------------------------------------------------------------


def score_table(channels: Sequence[str] = CHANNELS) -> Table:
    """Dense scores of a base model with these channels."""
    return Table(
        "scores",
        1,
        "every base of the chunk's genes and their scored flanks, once per strand, by strand and position",
        (
            _CHROM, _STRAND,
            Column("position", pl.Int32, "key", "sequence", "1-based genomic coordinate of the base", "nt", low=1),
            *(Column(name, pl.Float32, "feature", "base_score", f"{name.replace('_', ' in ', 1)}: probability, mean of the ensemble", "probability", low=0, high=1) for name in channels),
            Column("spread", pl.Float32, "feature", "base_score", "standard deviation over the ensemble of the probability that the base is a site", low=0, high=1),
        ),
    )  # fmt: skip


_ROW_KEYS = (_GENE_ID, _GENE_NAME, _CHROM, _POSITION, _STRAND, _TRANSCRIPT_ID)
_TRUTH = (
    Column(
        "splice_type",
        pl.String,
        "label",
        "label",
        "what the base is in any transcript of any gene on its strand",
        choices=SPLICE_TYPES,
    ),
    Column("is_donor", pl.Boolean, "label", "label", "a donor of any transcript of any gene on the strand"),
    Column("is_acceptor", pl.Boolean, "label", "label", "an acceptor of any transcript of any gene on the strand"),
)
_CALL = (
    Column("pred_type", pl.String, "call", "label", "how the base model did at the threshold", choices=PRED_TYPES),
)
_SAMPLING = (
    Column("sampling_tier", pl.String, "sampling", "label", "the rule that kept the row", choices=SAMPLING_TIERS),
    Column(
        "inclusion_probability",
        pl.Float64,
        "sampling",
        "label",
        "probability with which a row of this kind was kept, over all stages",
        "probability",
        low=0,
        high=1,
    ),
)

ERROR_TABLE = Table(
    "splice_errors",
    1,
    "one row per wrong call or missed site of each gene",
    (
        *_ROW_KEYS,
        Column("error_type", pl.String, "call", "label", "FP: called but not annotated; FN: annotated but not called", choices=("FP", "FN")),
        Column("splice_type", pl.String, "label", "label", "the site type that was called (FP) or missed (FN)", choices=("donor", "acceptor")),
        Column("score", pl.Float32, "feature", "base_score", "the base model's score of that type", "probability", low=0, high=1),
        Column("window_start", pl.Int64, "text", "sequence", "first base of the window of 500 nt on each side, cut at the contig, 1-based", "nt", low=1),
        Column("window_end", pl.Int64, "text", "sequence", "last base of that window, 1-based, included", "nt", low=1),
    ),
)  # fmt: skip

_SCORE_RANKS = tuple(
    column for column in GENE_FEATURES if column.name in ("donor_rank_in_gene", "acceptor_rank_in_gene")
)

_UNIT_ROWS = Column(
    "unit_rows",
    pl.Int64,
    "sampling",
    "label",
    "rows of this base in this gene, one for each of its transcripts with a site here: a sum over bases weighs a row by "
    "1 / (inclusion_probability * unit_rows)",
    low=1,
)
_HYBRID = (
    Column(
        "transcript_ids",
        pl.String,
        "key",
        "label",
        "all transcripts of this gene with a site here, by id, separated by commas; null where there is none",
        nullable=True,
    ),
    Column("is_multi_transcript", pl.Boolean, "label", "label", "whether several transcripts have a site here"),
    Column(
        "splice_types_observed",
        pl.String,
        "label",
        "label",
        "the site types that transcripts of this gene have here, separated by commas; null where there is none",
        nullable=True,
    ),
)
PositionIdMode = Literal["genomic", "transcript", "splice_aware", "hybrid"]
POSITION_ID_MODES: tuple[PositionIdMode, ...] = get_args(PositionIdMode)


def mode_columns(mode: PositionIdMode) -> tuple[Column, ...]:
    """The columns that a position-id mode adds to candidate rows and datasets.

    - `genomic`: one row per gene and base; `transcript_id` is the first transcript with a site there.
    - `transcript`: at a site, one row per transcript of the gene that has it.
    - `splice_aware`: the same rows, and `splice_type` is what the base is in the row's own transcript.
    - `hybrid`: the rows of `genomic`, with all transcripts listed.
    """
    return {"genomic": (), "transcript": (_UNIT_ROWS,), "splice_aware": (_UNIT_ROWS,), "hybrid": _HYBRID}[mode]


def analysis_table(further: Sequence[FurtherBase] = (), mode: PositionIdMode = "genomic") -> Table:
    """Candidate rows with the scores of these further base models, in a position-id mode."""
    return Table(
        "analysis_sequences",
        1,
        "the candidate rows with everything that needs dense scores, by gene in reference order and position",
        (
            *_ROW_KEYS,
            Column("transcript_count", pl.Int64, "label", "label", "transcripts of this gene with a site here, 0 at other bases", low=0),
            Column("window_start", pl.Int64, "text", "sequence", "first base of the sequence window, 1-based", "nt", low=1),
            Column("window_end", pl.Int64, "text", "sequence", "last base of the sequence window, 1-based, included", "nt", low=1),
            *_TRUTH, *_CALL, *_SAMPLING, *mode_columns(mode), *score_features(further), *_SCORE_RANKS,
        ),
    )  # fmt: skip


_POSITION_SCORES = ("donor_score", "acceptor_score", "neither_score", "score", "spread")


def position_table(further: Sequence[FurtherBase] = (), mode: PositionIdMode = "genomic") -> Table:
    """Candidate rows with their scores and calls only."""
    names = {*_POSITION_SCORES, *(f"{base.name}_{name}" for base in further for name in _POSITION_SCORES)}
    return Table(
        "splice_positions_enhanced",
        1,
        "one row per candidate base of each gene, by gene in reference order and position",
        (
            *_ROW_KEYS, *_TRUTH, *_CALL,
            *(column for column in score_features(further) if column.name in names),
            *_SAMPLING, *mode_columns(mode),
        ),
    )  # fmt: skip


ANALYSIS_TABLE = analysis_table()
POSITION_TABLE = position_table()
"""The tables of a single base model, one row per base."""

PERFORMANCE_TABLE = Table(
    "full_splice_performance",
    1,
    "the base model's calls per gene and site type, over every base of the gene body",
    (
        _GENE_ID, _GENE_NAME, _GENE_TYPE, _CHROM, _STRAND,
        Column("splice_type", pl.String, "label", "label", "donor or acceptor", choices=("donor", "acceptor")),
        *(Column(name, pl.Int64, "call", "label", meaning, low=0) for name, meaning in (
            ("TP", "true sites called"), ("FP", "bases called that are no true site"),
            ("FN", "true sites not called"), ("TN", "the other bases"), ("n_splice_sites", "true sites: TP + FN"),
        )),
        *(Column(name, pl.Float64, "call", "label", meaning, nullable=True, low=0, high=1) for name, meaning in (
            ("precision", "TP / (TP + FP); null where nothing is called"),
            ("recall", "TP / (TP + FN); null where there is no site"),
            ("specificity", "TN / (TN + FP)"),
            ("f1_score", "2 TP / (2 TP + FP + FN); null where all are 0"),
            ("fpr", "FP / (FP + TN)"), ("fnr", "FN / (FN + TP); null where there is no site"),
            ("top_k_accuracy", "share of true sites among the k best bases, k the number of true sites; null where k = 0"),
        )),
    ),
)  # fmt: skip

GENE_STATUS_TABLE = Table(
    "gene_manifest of a base pass",
    2,
    "one row per gene that was asked for, in reference order",
    (
        _GENE_ID, _GENE_NAME, _CHROM, _STRAND,
        Column("status", pl.String, "text", "gene", "done: scores and positions exist; failed: the base model failed on the gene's chunk", choices=("done", "failed")),
        Column("reason", pl.String, "text", "gene", "why it failed, empty for done"),
        Column("chunk", pl.String, "text", "gene", "label of the chunk files that hold the gene"),
        _count("num_positions", "bases of the gene body that have scores and a call"),
        _count("num_splice_sites", "true sites of any gene on the strand within the body"),
        Column("seconds", pl.Float64, "text", "gene", "time that scoring the gene body took, as its share of the chunk's; null where unknown", "s", nullable=True, low=0),
        Column("base_model", pl.String, "text", "base_score", "name of the base model"),
        Column("genomic_build", pl.String, "text", "gene", "build of the reference"),
    ),
)  # fmt: skip

# ---- dataset ---------------------------------------------------------------------------------------------------------


def dataset_table(
    kmer_sizes: tuple[int, ...],
    further: Sequence[FurtherBase] = (),
    mode: PositionIdMode = "genomic",
    *,
    enrichers: Collection[str] = BUILT_IN,
    enriched: Sequence[Column] = (),
) -> Table:
    """The training table with the given k-mers, further base models and position-id mode, never depending on the data.

    `enrichers` says which of the built-in features it has; `enriched` are the columns of other enrichers, which come last.
    """
    return Table(
        "dataset",
        1,
        "one row per kept candidate base of each gene, by gene in reference order and position",
        (
            *_ROW_KEYS,
            _GENE_TYPE,
            *_TRUTH,
            *_CALL,
            *_SAMPLING,
            *mode_columns(mode),
            *chosen_features(enrichers, kmer_sizes, further),
            *enriched,
        ),
    )


ENRICHERS, ENRICHED_COLUMNS, BASE_MODELS = "enrichers", "enriched_columns", "base_models"
"""Parameters of a dataset's manifest: names of its enrichers, and by name the columns of those not built in, as JSON."""


def enriched_columns(parameters: Mapping[str, Any]) -> dict[str, list[Column]]:
    """The columns of a dataset that come from enrichers that are not built in, by enricher."""
    held = parameters.get(ENRICHED_COLUMNS, {})
    return {name: [column_from_json(content) for content in columns] for name, columns in sorted(held.items())}


def dataset_table_of(parameters: Mapping[str, Any]) -> Table:
    """The table of a dataset, from the parameters in its manifest.

    The first datasets knew one base model, one mode and no choice of enrichers.
    """
    further = [FurtherBase(base["name"], tuple(base["channels"])) for base in parameters.get("further_bases", ())]
    return dataset_table(
        tuple(parameters["kmer_sizes"]),
        further,
        parameters.get("position_id_mode", "genomic"),
        enrichers=parameters.get(ENRICHERS, BUILT_IN),
        enriched=[c for columns in enriched_columns(parameters).values() for c in columns],
    )


GENE_MANIFEST_TABLE = Table(
    "gene_manifest",
    1,
    "one row per gene of a dataset, in the order of its rows",
    (
        Column("global_index", pl.Int64, "key", "gene", "0-based row number", low=0),
        _GENE_ID, _GENE_NAME, _GENE_TYPE, _CHROM, _STRAND,
        _count("gene_length", "end - start + 1"),
        _START, _END,
        _count("total_splice_sites", "distinct splice-site positions"),
        _count("donor_sites", "distinct donor positions"),
        _count("acceptor_sites", "distinct acceptor positions"),
        Column("splice_density_per_kb", pl.Float64, "text", "annotation", "total_splice_sites per 1,000 nt", low=0),
        Column("file_index", pl.Int64, "text", "gene", "1-based number of the batch that holds the gene", low=1),
        Column("file_name", pl.String, "text", "gene", "that batch's file in master/"),
        _count("transcript_site_rows", "site and transcript pairs, as older manifests count sites"),
        _count("rows", "rows of the gene in the dataset"),
    ),
)  # fmt: skip

DATASET_TIERS = ("site", "called", "hard", "neighbourhood", "easy")
"""Tiers of the rows of a dataset, in the order of the ledger."""

NOT_CANDIDATE = "not_candidate"
"""Ledger line for the bases of a gene body that the base pass did not keep: they are seen, and all dropped."""

LEDGER_TABLE = Table(
    "sampling_ledger",
    1,
    "one row per gene and tier: every base of every gene body is counted once",
    (
        _GENE_ID,
        Column("sampling_tier", pl.String, "sampling", "label", "tier of the dataset, or not_candidate for bases that the base pass did not keep", choices=(*DATASET_TIERS, NOT_CANDIDATE)),
        Column("rows_seen", pl.Int64, "text", "label", "bases of this tier; its rows, where a site has one for each transcript", low=0),
        Column("rows_kept", pl.Int64, "text", "label", "of these, rows of the dataset", low=0),
        Column("rows_dropped", pl.Int64, "text", "label", "rows_seen - rows_kept", low=0),
    ),
)  # fmt: skip

PREDICTION_TABLE_KEYS: tuple[Column, ...] = (
    _CHROM, _STRAND, _POSITION,
    Column("group", pl.Int32, "key", "gene", "gene group: genes that overlap or resemble one another share it", low=0),
    Column("is_donor", pl.Boolean, "label", "label", "a donor of any transcript of any gene on the strand"),
    Column("is_acceptor", pl.Boolean, "label", "label", "an acceptor of any transcript of any gene on the strand"),
)  # fmt: skip
"""Keys of a predictions table; each arm adds `{arm}_donor` and `{arm}_acceptor`, Float32 probabilities."""
