"""`genes list` and `genes select`: gene lists to build datasets from.

Every order is complete: what a strategy ranks equally is ordered by a hash of the seed and the gene id, so the same call
gives the same list on every machine, and leaving one gene out moves no other.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import polars as pl

from meta_spliceai.basepass.artifacts import Artifacts, open_artifacts
from meta_spliceai.build.plan import artifacts_of, count_errors
from meta_spliceai.build.select import seeded_order
from meta_spliceai.errors import GeneError, InputError
from meta_spliceai.reference.genes import choose_genes, read_gene_list, resolved_ids, separated
from meta_spliceai.reference.load import Reference, load
from meta_spliceai.store.atomic import write_bytes, write_text

Strategy = Literal["meta-optimized", "high-density", "length-strata", "error-focused"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)

_LENGTH_STEPS = ((50_000, 1.0), (20_000, 0.9), (15_000, 0.8))
_DENSITY_STEPS = ((15.0, 1.0), (10.0, 0.8), (8.0, 0.6))
_META_SHORTEST = 15_000
_DENSE_SHORTEST = 5_000
_MIN_DENSITY: dict[Strategy, float] = {"meta-optimized": 8.0, "high-density": 10.0}
_GENES_READ_AT_A_TIME = 200
_RANGES = ("0-10000", "10000-50000", "50000-200000", "200000-")


@dataclass(frozen=True, slots=True)
class GeneList:
    """A written list of genes.

    Parameters
    ----------
    path
        The file.
    gene_ids
        In the order of the file.
    """

    path: Path
    gene_ids: tuple[str, ...]

    def summary(self) -> str:
        """One line: how many genes, and where they are."""
        return f"{len(self.gene_ids):,} genes  {self.path}"


def genes_list(*, eval_dir: Path, n_genes: int | None = None, seed: int = 42, out: Path) -> GeneList:
    """List the genes and transcripts that have artifacts.

    The table has columns type, id, gene_id and transcript_id: rows of genes come first, sorted by id, so the first
    lines of the file are the first genes; then the transcripts with sites among the artifacts, sorted.

    Parameters
    ----------
    eval_dir
        Folder of a base pass, or the `meta_models` folder in it.
    n_genes
        Only that many genes, chosen at random.
    seed
        Seed of that choice.
    out
        Where the table goes, separated by tabs, or by commas where the name ends in `.csv`.

    Raises
    ------
    GeneError
        There are fewer genes than asked for, or none.
    """
    artifacts = open_artifacts(eval_dir)
    held = sorted(artifacts.genes)
    if n_genes is not None and not 0 < n_genes <= len(held):
        raise GeneError(f"{n_genes} genes in {artifacts.path}", f"{len(held)}", "give --n-genes of at most that")
    chosen = held if n_genes is None else sorted(seeded_order(held, seed, "list")[:n_genes])
    table = _genes_and_transcripts(artifacts, chosen)
    write_bytes(out, table.write_csv(separator="," if out.suffix == ".csv" else "\t").encode())
    return GeneList(out, tuple(chosen))


def _genes_and_transcripts(artifacts: Artifacts, gene_ids: Sequence[str]) -> pl.DataFrame:
    text = pl.String
    pairs = pl.concat(
        artifacts.candidates(gene_ids[first : first + _GENES_READ_AT_A_TIME])
        .select("gene_id", "transcript_id")
        .drop_nulls()
        .unique()
        for first in range(0, len(gene_ids), _GENES_READ_AT_A_TIME)
    ).sort("transcript_id", "gene_id")
    genes = pl.DataFrame({"type": "gene", "id": gene_ids, "gene_id": gene_ids, "transcript_id": None})
    transcripts = pairs.select(pl.lit("transcript").alias("type"), pl.col("transcript_id").alias("id"), pl.all())
    return pl.concat([genes.cast({"transcript_id": text, "type": text}), transcripts])


def genes_select(
    *,
    strategy: Strategy,
    reference: Path,
    eval_dir: Path | None = None,
    count: int = 1_000,
    min_density: float | None = None,
    ranges: Sequence[str] | None = None,
    gene_types: Sequence[str] | None = None,
    exclude_file: Path | None = None,
    gene_col: str = "gene_id",
    seed: int = 42,
    output: Path,
) -> GeneList:
    """Select genes by a strategy and write their ids, best first, one per line.

    Parameters
    ----------
    strategy
        `meta-optimized`: genes of at least 15,000 nt and the minimal density, by a sum of steps of length, density and
        type; `high-density`: genes of at least 5,000 nt, densest first; `length-strata`: as many at random from each
        range of lengths; `error-focused`: genes with the most positions that the base model gets wrong.
    reference
        Folder made by `reference prepare`.
    eval_dir
        Folder of the base pass that errors are counted in; default: the only one in the reference folder.
    count
        How many genes; fewer where there are no more.
    min_density
        Least number of distinct splice sites per 1,000 nt; default 8 for `meta-optimized`, 10 for `high-density`.
    ranges
        Ranges of lengths in nt for `length-strata`, `FROM-TO` with TO left out of it, `FROM-` for no end.
    gene_types
        Only genes of these types.
    exclude_file
        A list or table of genes to leave out.
    gene_col
        The column of that table that holds them.
    seed
        Seed of random choices and of the order of equals.
    output
        Where the list goes.

    Raises
    ------
    InputError, GeneError
        Options out of range, unknown names, or no gene left.
    """
    if strategy not in STRATEGIES:
        raise InputError(f"a strategy: {', '.join(STRATEGIES)}", f"{strategy}", "choose one of them")
    if count < 1:
        raise InputError("--count of at least 1", f"{count}", "give a number of genes")
    loaded = load(reference)
    genes = choose_genes(loaded, gene_types=separated(gene_types))
    if exclude_file is not None:
        excluded = resolved_ids(loaded, read_gene_list(exclude_file, gene_col))
        genes = genes.filter(~pl.col("gene_id").is_in(excluded))
    least = _MIN_DENSITY.get(strategy, 0.0) if min_density is None else min_density
    genes = genes.filter(pl.col("splice_density_per_kb") >= least)
    if strategy == "length-strata":
        ordered = _by_stratum(genes, [_range_of(text) for text in separated(ranges) or _RANGES], count, seed)
    else:
        ordered = _ranked(genes, strategy, loaded, eval_dir, seed)
    if not ordered:
        raise GeneError("at least one gene that the strategy admits", "none", "relax --min-density or --gene-types")
    write_text(output, "".join(f"{gene_id}\n" for gene_id in ordered[:count]))
    return GeneList(output, tuple(ordered[:count]))


def _ranked(
    genes: pl.DataFrame, strategy: Strategy, reference: Reference, eval_dir: Path | None, seed: int
) -> list[str]:
    """Ids of the admitted genes, best first."""
    if strategy == "error-focused":
        artifacts = artifacts_of(reference, eval_dir)
        held = genes.filter(pl.col("gene_id").is_in(list(artifacts.genes)))["gene_id"].to_list()
        errors = count_errors(artifacts, reference, held, ("FP", "FN"))
        ranks = {gene_id: float(errors.get(gene_id, 0)) for gene_id in held}
    elif strategy == "high-density":
        long = genes.filter(pl.col("gene_length") >= _DENSE_SHORTEST)
        ranks = dict(long.select("gene_id", "splice_density_per_kb").iter_rows())
    else:
        long = genes.filter(pl.col("gene_length") >= _META_SHORTEST)
        ranks = {
            gene_id: round(
                _step(length, _LENGTH_STEPS, 0.6) + _step(density, _DENSITY_STEPS, 0.4) + _type_score(kind), 6
            )
            for gene_id, length, density, kind in long.select(
                "gene_id", "gene_length", "splice_density_per_kb", "gene_type"
            ).iter_rows()
        }
    return sorted(seeded_order(ranks, seed, "strategy"), key=lambda gene_id: -ranks[gene_id])


def _step(value: float, steps: Sequence[tuple[float, float]], otherwise: float) -> float:
    return next((score for least, score in steps if value >= least), otherwise)


def _type_score(gene_type: str) -> float:
    return {"protein_coding": 0.8, "lncRNA": 0.9}.get(gene_type, 0.5)


def _by_stratum(genes: pl.DataFrame, ranges: Sequence[tuple[int, int | None]], count: int, seed: int) -> list[str]:
    """The ranges take turns, so that `count` genes are spread over them as evenly as they allow."""
    strata = []
    for low, high in ranges:
        within = (pl.col("gene_length") >= low) & (pl.lit(True) if high is None else pl.col("gene_length") < high)
        strata.append(seeded_order(genes.filter(within)["gene_id"], seed, "strategy"))
    turns = itertools.chain.from_iterable(itertools.zip_longest(*strata))
    return list(dict.fromkeys(gene_id for gene_id in turns if gene_id is not None))[:count]


def _range_of(text: str) -> tuple[int, int | None]:
    low, dash, high = text.partition("-")
    if not dash or not low.isdigit() or not (high.isdigit() or not high) or (high and int(high) <= int(low)):
        raise InputError("ranges of lengths such as 5000-20000 or 200000-", text, "give FROM-TO in nt")
    return int(low), int(high) if high else None
