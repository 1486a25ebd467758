"""The boundary probe of a dataset: some of its genes, with their annotated ends moved.

A `de_novo` model claims to know nothing of where the annotation says a gene begins and ends. Here this is tried out on
the dataset's own genes before it is called finished.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import polars as pl

from meta_spliceai.build.layout import whole_plan
from meta_spliceai.build.plan import BuildPlan
from meta_spliceai.build.select import seeded_order
from meta_spliceai.errors import LeakageError, first_few
from meta_spliceai.features.assemble import compute_features
from meta_spliceai.features.probe import changed_by_moving_the_ends
from meta_spliceai.features.profile import admitted_features
from meta_spliceai.formats.fasta import Genome
from meta_spliceai.genome.coordinates import Interval
from meta_spliceai.reference.load import gene_body
from meta_spliceai.schema.features import REACH

GENES_PROBED = 5


def probe_boundaries(plan: BuildPlan) -> dict[str, Any]:
    """Compute the `de_novo` features of up to five genes again with both annotated ends moved.

    For a shard they are genes of the whole plan, so that every shard says the same.

    Returns
    -------
    dict
        genes (ids), features_checked (number), changed (names; empty).

    Raises
    ------
    LeakageError
        Names the features that changed.
    """
    seed = int(plan.parameters["seed"])
    genes = seeded_order(whole_plan(plan.parameters)["gene_ids"], seed, "probe")[:GENES_PROBED]
    names = admitted_features(plan.table, "de_novo")
    changed: set[str] = set()
    with plan.reference.open_genome() as genome:
        for gene in plan.reference.genes.filter(pl.col("gene_id").is_in(genes)).iter_rows(named=True):
            body = gene_body(gene)
            changed |= set(_changed(plan, genome, body, names, seed))
    if changed:
        raise LeakageError(
            expected="de_novo features that do not depend on a gene's annotated ends",
            found=f"{len(changed)} changed when the ends of {first_few(genes)} moved: {first_few(sorted(changed))}",
            action="this is a defect of these features: report it; nothing may be trained on this dataset",
        )
    return {"genes": genes, "features_checked": len(names), "changed": []}


def _changed(plan: BuildPlan, genome: Genome, body: Interval, names: list[str], seed: int) -> list[str]:
    return changed_by_moving_the_ends(
        names,
        body,
        genome.contigs[body.chrom],
        lambda interval: plan.artifacts.stretch(genome, interval, REACH, allow_unscored=True),
        seed=seed,
        compute=partial(compute_features, enrichers=plan.enrichers),
    )
