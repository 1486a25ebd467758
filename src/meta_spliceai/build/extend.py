"""`build --extend`: more genes into a dataset that exists.

Genes that it has not get batches of their own, numbered after the last one. The batches that are there stay as they are,
whether or not the last one is full: no row depends on which other genes a batch holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from meta_spliceai.build.layout import (
    ADDITIONS,
    BATCH_GENES,
    CHOICE_OF_GENES,
    LAYOUT,
    SHARD,
    batches_of,
    even_sizes,
    layout_parameters,
)
from meta_spliceai.build.patches import PATCH_PART
from meta_spliceai.build.plan import BuildPlan
from meta_spliceai.errors import InputError, PlanMismatchError, StoreError, first_few
from meta_spliceai.store.fingerprint import plain
from meta_spliceai.store.folder import Manifest, differences


def check_extension(held: Manifest, options: Mapping[str, Any], *, overwrite: bool, shard: str | None) -> None:
    """Refuse what can be refused before the genes are chosen, which may take a base pass.

    Parameters
    ----------
    held
        Manifest of the dataset.
    options
        Options that must be those of the dataset, as far as they are known already.
    overwrite, shard
        Options that contradict `--extend`.

    Raises
    ------
    InputError
        An option that contradicts.
    PlanMismatchError
        Other options than those of the dataset; the differences are listed.
    """
    given = "--overwrite" if overwrite else "--shard" if shard is not None else None
    if given is not None:
        raise InputError(
            expected="--extend to add to what is there",
            found=f"{given} besides",
            action="leave one of them out; genes added as a dataset of their own can be joined by `dataset merge`",
        )
    _refuse(differences(held, {**held.parameters, **options}, held.inputs))


def extended_plan(plan: BuildPlan, held: Manifest) -> BuildPlan:
    """The plan for the genes of a dataset and, in new batches, those of the plan that it has not.

    Without new genes it is the plan that the dataset has already.

    Raises
    ------
    PlanMismatchError
        Anything but the genes is another than in the dataset; the differences are listed.
    StoreError
        The dataset has patches.
    """
    _check_same(plan, held)
    present = set(held.parameters["gene_ids"])
    new = [gene_id for gene_id in plan.choice.gene_ids if gene_id not in present]
    if not new:
        return plan.with_parameters(held.parameters)
    _refuse_patches(held)
    batch_size = int(plan.parameters["batch_size"])
    sizes = [len(batch.gene_ids) for batch in batches_of(held.parameters)] + even_sizes(len(new), batch_size)
    addition = {name: plan.parameters[name] for name in sorted(CHOICE_OF_GENES - {"gene_ids"})}
    parameters = {
        **{name: value for name, value in held.parameters.items() if name != BATCH_GENES},
        **layout_parameters(sizes, batch_size),
        "gene_ids": [*held.parameters["gene_ids"], *new],
        ADDITIONS: [*held.parameters.get(ADDITIONS, ()), {**addition, "genes": len(new)}],
    }
    return plan.with_parameters(plain(parameters))


def _check_same(plan: BuildPlan, held: Manifest) -> None:
    of_genes = CHOICE_OF_GENES | (LAYOUT - {SHARD})
    there: Mapping[str, Any] = {name: value for name, value in held.parameters.items() if name in of_genes}
    options = {name: value for name, value in plan.parameters.items() if name not in of_genes}
    _refuse(differences(held, plain({**there, **options}), plan.inputs))


def _refuse(found: Sequence[str]) -> None:
    if found:
        raise PlanMismatchError(
            expected="a dataset that was built with the same options, reference and base pass, but for the genes",
            found="; ".join(found),
            action="repeat the options that the dataset was built with, or build the genes into another folder",
        )


def _refuse_patches(held: Manifest) -> None:
    patches = [name.removeprefix(PATCH_PART) for name in held.parts if name.startswith(PATCH_PART)]
    if patches:
        raise StoreError(
            expected="a dataset without patches, whose side files would lack the new rows",
            found=f"patches {first_few(patches)}",
            action="take them back with `meta-spliceai dataset patch DIR --rollback NAME`, extend, then patch again",
        )
