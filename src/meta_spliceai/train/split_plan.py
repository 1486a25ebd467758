"""`split plan`: a reference, perhaps a base pass -> a saved split, and what it looks like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from meta_spliceai.build.plan import artifacts_of
from meta_spliceai.errors import InputError, first_few
from meta_spliceai.formats.contigs import common_name, common_names
from meta_spliceai.reference.genes import choose_genes
from meta_spliceai.reference.registry import load_reference
from meta_spliceai.store.fingerprint import plain
from meta_spliceai.train.groups import gene_groups
from meta_spliceai.train.likeness import Similarity
from meta_spliceai.train.split import Scheme, plan_split
from meta_spliceai.train.split_file import write_split

_SHOWN_GROUPS, _SHOWN_NAMES = 5, 6


@dataclass(frozen=True, slots=True)
class SplitResult:
    """A split that was saved.

    Parameters
    ----------
    out
        The file.
    scheme
        The unit that was divided.
    genes, groups, families
        How many there are; a gene that resembles no other is a family by itself.
    left_out
        Genes on neither side, because their family is on the other one.
    largest_groups
        Genes of the largest groups, and some of their names.
    parts
        Genes, groups, splice sites and base-seen genes by side and fold.
    """

    out: Path
    scheme: Scheme
    genes: int
    groups: int
    families: int
    left_out: int
    largest_groups: tuple[tuple[int, str], ...]
    parts: pl.DataFrame

    def summary(self) -> str:
        """A few lines for people."""
        lines = [
            f"split     {self.out}, by {self.scheme}",
            f"genes     {self.genes:,} in {self.groups:,} groups and {self.families:,} families; {self.left_out:,} left out",
            *(f"{'largest' if not place else '':9} {size:,} genes: {names}" for place, (size, names) in enumerate(self.largest_groups)),
            f"{'side':9} {'fold':>4} {'genes':>7} {'groups':>7} {'sites':>8} {'base-seen genes':>16}",
        ]  # fmt: skip
        for row in self.parts.iter_rows(named=True):
            lines.append(
                f"{row['side']:9} {row['fold']:>4} {row['genes']:>7,} {row['groups']:>7,} {row['sites']:>8,} {row['base_seen']:>16,}"
            )
        lines.append(f"next      meta-spliceai train --split {self.out}")
        return "\n".join(lines)


def split_plan(
    *,
    reference: Path | None = None,
    eval_dir: Path | None = None,
    training_chromosomes: Sequence[str] | None = None,
    scheme: Scheme = "family",
    folds: int = 5,
    test_size: float = 0.0,
    valid_size: float = 0.0,
    chromosomes_test: Sequence[str] = (),
    chromosomes: Sequence[str] | None = None,
    gene_types: Sequence[str] | None = None,
    kmer: int = 7,
    min_shared: int = 20,
    seed: int = 42,
    out: Path,
) -> SplitResult:
    """Divide genes into sides and folds, so that no gene is measured by a model that saw it or one like it.

    Genes that overlap on either strand, or resemble one another, are one group and stay together. The table that is
    saved can be given to `train --split`.

    Parameters
    ----------
    reference
        A prepared reference; default: the one that `reference audit` finds.
    eval_dir
        A base pass; its genes are divided, and its base model says which chromosomes it was trained on.
    training_chromosomes
        Chromosomes the base model was trained on, where there is no base pass to say so; default: none.
    scheme
        What is divided: `family` (groups of genes that overlap or resemble one another), `gene` (overlap alone, which
        lets paralogs of training genes into the evaluation and flatters) or `chromosome` (whole contigs; genes of a group
        that then lies in several folds are left out, but for one fold).
    folds
        Folds over everything that is not set aside.
    test_size
        Share of the units that is set aside.
    valid_size
        Share of the units that is marked `valid`, for learners that take one validation set.
    chromosomes_test
        Contigs to set aside instead of a share, or `spliceai` for those its authors kept: 1, 3, 5, 7, 9. Genes elsewhere
        that belong to a group with a gene there are left out.
    chromosomes
        Only genes on these contigs.
    gene_types
        Only genes of these types.
    kmer
        Amino acids of the words by which genes are compared.
    min_shared
        Words that two genes share at least when they are alike.
    seed
        Seed of every random choice.
    out
        The file to write: tab-separated text, with a first line that says how it was made.

    Raises
    ------
    InputError
        Options that cannot be used.
    GeneError
        Too few groups for the folds.
    """
    similarity = Similarity(word=kmer, min_shared=min_shared)
    if eval_dir is not None and training_chromosomes is not None:
        raise InputError(
            "--eval-dir or --training-chromosomes",
            "both",
            "leave --training-chromosomes out: the base pass names its base model's",
        )
    loaded = load_reference(reference)
    chosen = choose_genes(loaded, chromosomes=chromosomes, gene_types=gene_types)
    seen = tuple(training_chromosomes or ())
    _refuse_unknown_contigs(seen, loaded.genes["chrom"])
    if eval_dir is not None:
        artifacts = artifacts_of(loaded, eval_dir)
        chosen = chosen.filter(pl.col("gene_id").is_in(list(artifacts.genes)))
        seen = tuple(artifacts.training_chromosomes)
    with loaded.open_genome() as genome:
        groups = gene_groups(chosen, loaded.exons(), genome, similarity)
    table = plan_split(
        chosen,
        groups,
        folds=folds,
        test_size=test_size,
        seed=seed,
        training_chromosomes=seen,
        scheme=scheme,
        valid_size=valid_size,
        test_chromosomes=chromosomes_test,
    )
    made = {
        "scheme": scheme, "folds": folds, "test_size": test_size, "valid_size": valid_size, "seed": seed,
        "chromosomes_test": list(chromosomes_test), "training_chromosomes": list(seen), "build": loaded.build,
        "reference": loaded.fingerprint, "similarity": plain(similarity),
    }  # fmt: skip
    write_split(out, table, made)
    return _described(out, scheme, table, chosen)


def _refuse_unknown_contigs(names: Sequence[str], contigs: pl.Series) -> None:
    """A base model may know more contigs than the reference, but if none is among them the names are wrong."""
    held = set(common_names(contigs.unique()))
    if names and not any(common_name(name) in held for name in names):
        raise InputError(
            expected=f"--training-chromosomes among the contigs {first_few(sorted(held), 30)}",
            found=first_few(list(names)),
            action="name them one by one, with a space between",
        )


def _described(out: Path, scheme: Scheme, table: pl.DataFrame, genes: pl.DataFrame) -> SplitResult:
    by_group = table.group_by("group", maintain_order=True).agg(pl.len(), pl.col("gene_name"))
    largest = by_group.sort("len", descending=True, maintain_order=True).head(_SHOWN_GROUPS)
    parts = (
        table.join(genes.select("gene_id", "n_splice_sites"), on="gene_id")
        .group_by("side", "fold")
        .agg(
            genes=pl.len(), groups=pl.col("group").n_unique(), sites=pl.col("n_splice_sites").sum(),
            base_seen=pl.col("base_seen").sum(),
        )
        .sort("fold", "side")
    )  # fmt: skip
    return SplitResult(
        out=out,
        scheme=scheme,
        genes=table.height,
        groups=by_group.height,
        families=table["family"].n_unique(),
        left_out=int((table["side"] == "left_out").sum()),
        largest_groups=tuple((size, _names(names)) for size, names in largest.select("len", "gene_name").iter_rows()),
        parts=parts,
    )


def _names(names: Sequence[str]) -> str:
    shown = " ".join(names[:_SHOWN_NAMES])
    return shown if len(names) <= _SHOWN_NAMES else f"{shown} …"
