"""Ending a base pass: aggregated tables, the list of genes, and the mark that everything is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from meta_spliceai.basepass.aggregates import AGGREGATES, write_aggregates, write_gene_status
from meta_spliceai.basepass.chunks import Chunk
from meta_spliceai.basepass.plan import POSITIONS, SCORES, PositionOptions, genes_with
from meta_spliceai.reference.load import Reference
from meta_spliceai.schema.tables import ANALYSIS_TABLE
from meta_spliceai.store.fingerprint import fingerprint
from meta_spliceai.store.folder import Folder, PartEntry, describe_file


def finish(
    store: Folder, reference: Reference, options: PositionOptions, chunks: Sequence[Chunk], failed: Mapping[str, str]
) -> int:
    """Make the aggregates of all chunks and mark the folder complete, unless a chunk failed.

    Parameters
    ----------
    chunks
        All chunks of the request.
    failed
        Message by label of those that failed.

    Returns
    -------
    int
        Candidate rows of all chunks.
    """
    _drop_obsolete(store)
    parts = {name: entry.fingerprint for name, entry in store.manifest.parts.items() if name != AGGREGATES}
    identity = fingerprint([parts, options])
    if not store.is_done(AGGREGATES, identity):
        files = write_aggregates(store.path, store.manifest, options)
        entries = tuple(describe_file(store.path, name, rows) for name, rows in files.items())
        store.record(AGGREGATES, PartEntry(identity, entries))
    genes_of_failed = {gene_id: chunk.label for chunk in chunks if chunk.label in failed for gene_id in chunk.gene_ids}
    write_gene_status(store.path, store.manifest, options, reference, failed, genes_of_failed)
    files_of_all = list(store.manifest.files())
    candidates = sum(file.rows or 0 for file in files_of_all if file.name.startswith(f"{ANALYSIS_TABLE.name}_"))
    if not failed:
        genes = len(genes_with(store.manifest, POSITIONS))
        store.finalise({**parts, AGGREGATES: identity}, {"genes": genes, "candidates": candidates})
    return candidates


def _drop_obsolete(store: Folder) -> None:
    """Forget score files of an earlier annotation whose genes have all found a place in other files."""
    genes_of = {
        name: set(entry.facts["genes"])
        for name, entry in store.manifest.parts.items()
        if name.startswith((SCORES, POSITIONS))
    }
    held = {
        gene_id
        for name, genes in genes_of.items()
        if name.startswith(SCORES) and POSITIONS + name.removeprefix(SCORES) in genes_of
        for gene_id in genes
    }
    store.drop(
        name
        for name, genes in genes_of.items()
        if name.startswith(SCORES) and POSITIONS + name.removeprefix(SCORES) not in genes_of and genes <= held
    )
