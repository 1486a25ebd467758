"""Which genes are in which batch, and what makes a batch the same: all of it follows from a dataset's parameters.

A dataset that is built in one go is cut evenly: `batch_size` genes per batch, in reference order. Genes that were added
later, and genes of merged datasets, are in batches of their own after the earlier ones; the sizes of the batches are then
a parameter, and the parameter `gene_ids` has the order of the batches. A shard holds some batches of a whole plan, under
the numbers that they have in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from meta_spliceai.build.master import batch_name
from meta_spliceai.build.sampling import TrimRule
from meta_spliceai.errors import InputError
from meta_spliceai.schema.tables import dataset_table_of
from meta_spliceai.store.fingerprint import fingerprint

BATCH_GENES = "batch_genes"
"""Parameter: genes in each batch, where they are not cut evenly."""
ADDITIONS = "additions"
"""Parameter: how genes were added to a dataset that existed, in order."""
MERGED = "merged"
"""Parameter: which datasets it was merged from, in order."""
SHARD = "shard"
"""Parameter of a shard: its number, how many there are, and the genes and batches of the whole plan."""

CHOICE_OF_GENES = frozenset({"gene_ids", "subset_policy", "n_genes", "gene_types"})
"""Parameters that say which genes a dataset holds and why; no row depends on them."""
LAYOUT = frozenset({BATCH_GENES, ADDITIONS, MERGED, SHARD})
"""Parameters that no option of `build` has; no row depends on them either."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The genes of one batch, in the order of its rows, and its number in the whole plan, counted from 1."""

    number: int
    gene_ids: tuple[str, ...]

    @property
    def name(self) -> str:
        """`batch_00001` and so on: the name of the part."""
        return batch_name(self.number)


@dataclass(frozen=True, slots=True)
class Shard:
    """Every `of`-th batch of a plan, beginning with batch `number` (counted from 1)."""

    number: int
    of: int

    @classmethod
    def parsed(cls, text: str) -> Shard:
        """From `2/8`.

        Raises
        ------
        InputError
            It is not two whole numbers, the first from 1 to the second.
        """
        number, slash, of = text.partition("/")
        if not (slash and number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            raise InputError(
                expected="--shard as NUMBER/HOW_MANY, from 1/HOW_MANY to HOW_MANY/HOW_MANY",
                found=text,
                action="give for example --shard 1/8 in the first job of eight",
            )
        return cls(int(number), int(of))

    def holds(self, batch: int) -> bool:
        """Whether the batch of this number is one of its batches."""
        return (batch - self.number) % self.of == 0


def even_sizes(genes: int, batch_size: int) -> list[int]:
    """Genes per batch when this many are cut into batches of `batch_size`; only the last one may have fewer."""
    return [min(batch_size, genes - first) for first in range(0, genes, batch_size)]


def layout_parameters(sizes: Sequence[int], batch_size: int) -> dict[str, list[int]]:
    """The parameter that records these numbers of genes per batch; none where they are an even cut."""
    return {} if list(sizes) == even_sizes(sum(sizes), batch_size) else {BATCH_GENES: list(sizes)}


def whole_plan(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of the whole plan that a shard is a share of; those of any other dataset as they are."""
    if SHARD not in parameters:
        return dict(parameters)
    return {**{name: value for name, value in parameters.items() if name != SHARD}, **parameters[SHARD]["plan"]}


def shard_parameters(parameters: Mapping[str, Any], shard: Shard) -> dict[str, Any]:
    """The parameters of a shard of a plan.

    Raises
    ------
    InputError
        The plan has too few batches for this shard to hold one.
    """
    batches = batches_of(parameters)
    own = [gene_id for batch in batches if shard.holds(batch.number) for gene_id in batch.gene_ids]
    if not own:
        raise InputError(
            expected=f"a shard of {len(batches)} batches to hold one",
            found=f"shard {shard.number}/{shard.of} holds none",
            action=f"make at most {len(batches)} shards, or smaller batches with --batch-size",
        )
    whole = {name: parameters[name] for name in ("gene_ids", BATCH_GENES) if name in parameters}
    kept = {name: value for name, value in parameters.items() if name not in whole}
    return {**kept, "gene_ids": own, SHARD: {"number": shard.number, "of": shard.of, "plan": whole}}


def batches_of(parameters: Mapping[str, Any]) -> tuple[Batch, ...]:
    """The batches of a dataset, in the order of their numbers."""
    plan = whole_plan(parameters)
    genes = plan["gene_ids"]
    sizes = plan.get(BATCH_GENES) or even_sizes(len(genes), int(plan["batch_size"]))
    ends = list(accumulate(sizes))
    batches = (
        Batch(number, tuple(genes[end - size : end]))
        for number, (size, end) in enumerate(zip(sizes, ends, strict=True), start=1)
    )
    held = parameters.get(SHARD)
    return tuple(b for b in batches if held is None or Shard(held["number"], held["of"]).holds(b.number))


def trim_rule(parameters: Mapping[str, Any]) -> TrimRule:
    """How the true negatives of a dataset were trimmed."""
    return TrimRule(parameters["hard_prob"], parameters["window"], parameters["easy_ratio"], parameters["seed"])


def batch_identities(
    parameters: Mapping[str, Any], inputs: Mapping[str, str], batches: Iterable[Batch] | None = None
) -> dict[str, str]:
    """What the content of each batch depends on, by its name.

    That is its genes, the columns, the rule of trimming, and what the dataset is made from; not its number, where it lies,
    which other genes there are, nor how many rows are held at a time.

    Parameters
    ----------
    parameters, inputs
        As in the dataset's manifest.
    batches
        Which ones; default: all of the dataset.
    """
    table = dataset_table_of(parameters)
    shared = fingerprint([table.name, table.version, table.names, dict(inputs), trim_rule(parameters)])
    chosen = batches_of(parameters) if batches is None else batches
    return {batch.name: fingerprint([shared, batch.gene_ids]) for batch in chosen}


def history(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """How a dataset came by its genes beyond one choice, as sentences without a full stop."""
    sources = parameters.get(MERGED, ())
    said = (
        [f"merged from {len(sources)} datasets: {'; '.join(_genes(source) for source in sources)}"] if sources else []
    )
    said += [f"later extended by {_genes(added)}" for added in parameters.get(ADDITIONS, ())]
    if SHARD in parameters:
        held, batches = parameters[SHARD], batches_of(whole_plan(parameters))
        said.append(
            f"shard {held['number']} of {held['of']}: {len(batches_of(parameters))} of {len(batches)} batches, "
            f"{len(parameters['gene_ids']):,} of {len(held['plan']['gene_ids']):,} genes of the whole plan"
        )
    return tuple(said)


def _genes(choice: Mapping[str, Any]) -> str:
    left_out = choice.get("left_out")
    of_types = f", only {', '.join(choice['gene_types'])}" if choice["gene_types"] else ""
    more = f", {left_out:,} more of another dataset before it" if left_out else ""
    return f"{choice['genes']:,} genes (policy {choice['subset_policy']}{of_types}{more})"
