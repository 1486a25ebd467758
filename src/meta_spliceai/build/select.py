"""Which genes a dataset holds.

A gene list (`gene_ids`) is taken as it is. Otherwise a policy fills the dataset up to `max(n_genes, additional)`
genes, the additional ones first. Every policy orders the genes completely (ties by gene id), so the same call chooses
the same genes on every machine, and asking for more genes only adds some.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import polars as pl

from meta_spliceai.errors import GeneError, InputError, first_few
from meta_spliceai.genome.draws import seeded_word
from meta_spliceai.reference.genes import choose_genes, read_gene_list
from meta_spliceai.reference.load import Reference

Policy = Literal["all", "random", "custom", "error_total", "error_fp", "error_fn"]
POLICIES: tuple[Policy, ...] = get_args(Policy)

DEFAULT_POLICY: Policy = "error_total"
DEFAULT_GENES = 20_000

_ERRORS_COUNTED = {"error_total": ("FP", "FN"), "error_fp": ("FP",), "error_fn": ("FN",)}

ErrorCounter = Callable[[Sequence[str], Sequence[str]], dict[str, int]]
"""(gene ids, pred_types) -> number of distinct positions with one of these pred_types, by gene id."""


@dataclass(frozen=True, slots=True)
class GeneRequest:
    """Which genes a user asks for.

    Parameters
    ----------
    n_genes
        How many genes a policy chooses, together with the additional ones; `all` and `custom` take no notice of it.
    policy
        `all` (every gene with artifacts), `random`, `custom` (only the listed genes), or the genes with the most
        base-model errors: `error_total`, `error_fp`, `error_fn`. None means `custom` where genes are listed and `all`
        otherwise.
    gene_ids
        Exactly these genes, names or ids; the policy is then not used.
    additional_gene_ids, gene_ids_file, gene_col
        Genes added to the policy's choice, as a list, and in a file (text, or TSV/CSV with a column `gene_col`).
    gene_types
        Only genes of these types, however they were chosen.
    seed
        Seed of the random policy.
    """

    n_genes: int = 20_000
    policy: Policy | None = None
    gene_ids: Sequence[str] | None = None
    additional_gene_ids: Sequence[str] | None = None
    gene_ids_file: Path | None = None
    gene_col: str = "gene_id"
    gene_types: Sequence[str] | None = None
    seed: int = 42

    def __post_init__(self) -> None:
        if self.policy is not None and self.policy not in POLICIES:
            raise InputError(f"--subset-policy of {', '.join(POLICIES)}", f"{self.policy}", "choose one of these")
        if self.n_genes < 1:
            raise InputError("--n-genes of at least 1", f"{self.n_genes}", "give a number of genes")
        if self.gene_ids is not None and (self.additional_gene_ids is not None or self.gene_ids_file is not None):
            raise InputError(
                expected="either exactly these genes (gene_ids) or genes added to a policy's choice",
                found="both gene_ids and additional_gene_ids or a gene file",
                action="put all genes in gene_ids, or all in additional_gene_ids and the gene file",
            )

    @property
    def listed(self) -> list[str] | None:
        """The genes that the user lists, as written; None where there is no list."""
        if self.gene_ids is not None:
            return list(self.gene_ids)
        if self.additional_gene_ids is None and self.gene_ids_file is None:
            return None
        from_file = read_gene_list(self.gene_ids_file, self.gene_col) if self.gene_ids_file is not None else []
        return [*(self.additional_gene_ids or ()), *from_file]


@dataclass(frozen=True, slots=True)
class GeneChoice:
    """The chosen genes.

    Parameters
    ----------
    policy
        The policy in force.
    genes
        Their rows of the gene table, in reference order.
    notes
        What a user should know: genes that were left out and why, fewer genes than asked for.
    """

    policy: Policy
    genes: pl.DataFrame
    notes: tuple[str, ...]

    @property
    def gene_ids(self) -> tuple[str, ...]:
        """Ids of the chosen genes, in reference order."""
        return tuple(self.genes["gene_id"])


def select_genes(
    reference: Reference, request: GeneRequest, available: Collection[str], count_errors: ErrorCounter
) -> GeneChoice:
    """Choose genes of the reference.

    Parameters
    ----------
    available
        Ids of the genes that have artifacts; the policy `all` chooses these, and so does the default where no policy is
        given. A policy that is given chooses among all genes of the reference, so that what it chooses does not depend
        on how far a base pass has come.
    count_errors
        Called only by the `error_*` policies, with the genes they choose among.

    Raises
    ------
    GeneError
        Unknown names (with near matches), or no gene left.
    """
    names = request.listed
    policy = _policy_of(request, names)
    listed = choose_genes(reference, genes=names) if names else reference.genes.clear()
    eligible, notes = _of_types(reference, listed, request.gene_types)
    if policy == "all" or (policy == DEFAULT_POLICY and request.policy is None):
        eligible, left_out = _with_artifacts(eligible, listed, available)
        notes += left_out
    chosen = _fill_up(eligible, listed, policy, request, count_errors)
    if policy not in ("all", "custom") and len(chosen) < request.n_genes != DEFAULT_GENES:
        notes.append(f"{len(chosen):,} genes chosen, not {request.n_genes:,}: there are no more of them")
    genes = eligible.filter(pl.col("gene_id").is_in(chosen))
    if genes.is_empty():
        of_types = f" of the types {', '.join(request.gene_types)}" if request.gene_types else ""
        raise GeneError(
            expected=f"at least one gene{of_types}",
            found=f"none among {listed.height or reference.genes.height:,} genes" + "".join(f"; {n}" for n in notes),
            action="check the gene list and --gene-types, and that the base pass has run",
        )
    return GeneChoice(policy, genes, tuple(notes))


def seeded_order(gene_ids: Iterable[str], seed: int, purpose: str) -> list[str]:
    """The genes in an order that depends on the seed and their ids alone: leaving one out moves no other."""
    return sorted(gene_ids, key=lambda gene_id: (seeded_word(seed, purpose, gene_id), gene_id))


def _policy_of(request: GeneRequest, names: Sequence[str] | None) -> Policy:
    policy: Policy = request.policy or (DEFAULT_POLICY if names is None else "custom")
    if request.gene_ids is not None:
        policy = "custom"
    if policy == "custom" and not names:
        raise GeneError(
            expected="a list of genes for the policy custom",
            found="no list" if names is None else "an empty list",
            action="give genes with --gene-ids-file, --gene-ids or --additional-gene-ids, or choose another policy",
        )
    return policy


def _with_artifacts(
    genes: pl.DataFrame, listed: pl.DataFrame, available: Collection[str]
) -> tuple[pl.DataFrame, list[str]]:
    """The genes that have artifacts or are listed, and a note on the others."""
    held = genes.filter(pl.col("gene_id").is_in(list(available)) | pl.col("gene_id").is_in(listed["gene_id"].to_list()))
    absent = genes.height - held.height
    return held, [f"{absent:,} genes of the reference have no artifacts and are left out"] if absent else []


def _of_types(
    reference: Reference, listed: pl.DataFrame, gene_types: Sequence[str] | None
) -> tuple[pl.DataFrame, list[str]]:
    """The genes of these types, and a note on listed genes that are of none of them."""
    if not gene_types:
        return reference.genes, []
    genes = choose_genes(reference, gene_types=gene_types)
    others = listed.filter(~pl.col("gene_type").is_in(list(gene_types)))["gene_id"].to_list()
    return genes, [
        f"{len(others):,} listed genes are of other types and left out: {first_few(others)}"
    ] if others else []


def _fill_up(
    genes: pl.DataFrame, listed: pl.DataFrame, policy: Policy, request: GeneRequest, count_errors: ErrorCounter
) -> list[str]:
    """Ids of the listed genes of the right types, then of others in the policy's order."""
    first = set(listed["gene_id"]) & set(genes["gene_id"])
    if policy == "custom":
        return sorted(first)
    others = [gene_id for gene_id in genes["gene_id"] if gene_id not in first]
    if policy == "all":
        return [*sorted(first), *others]
    if len(others) <= request.n_genes - len(first):
        return [*sorted(first), *others]  # all of them, in whatever order
    if policy == "random":
        others = seeded_order(others, request.seed, "select")
    else:
        errors = count_errors(others, _ERRORS_COUNTED[policy])
        others.sort(key=lambda gene_id: (-errors.get(gene_id, 0), gene_id))
    return [*sorted(first), *others[: max(0, request.n_genes - len(first))]]
