"""A reference of a genome that is prepared already, with another annotation."""

from __future__ import annotations

from pathlib import Path

from meta_spliceai.errors import InputError
from meta_spliceai.genome.sites import MIN_INTRON
from meta_spliceai.reference.load import Reference, load
from meta_spliceai.reference.prepare import prepare


def derive(
    *, reference: Path, gtf: Path, out: Path, min_intron: int = MIN_INTRON, overwrite: bool = False
) -> Reference:
    """Derive the tables of another annotation on the genome of a prepared reference, as a reference of its own.

    The genome is linked, not copied, where that is possible; the check of genome against annotation is made as in
    `reference prepare`. The given reference stays as it is.

    Parameters
    ----------
    reference
        Folder of the prepared reference whose genome is used.
    gtf
        Annotation of the same build, such as a newer release: GTF or GFF3, plain or gzip-compressed.
    out
        Folder of the new reference.
    min_intron
        Gaps between exons shorter than this many nt are annotation artefacts: listed, never labels.
    overwrite
        Start anew where `out` holds a reference made from other files or options.

    Raises
    ------
    InputError
        `out` is the given reference, or a file is missing or not understood.
    GuardError
        The annotation does not belong to this genome.
    StoreError
        There is no finished reference, or its genome is gone.
    """
    if out.resolve() == reference.resolve():
        raise InputError(
            expected="a folder for the new reference",
            found=f"the given reference itself, {reference}",
            action="give another --out; artifacts of the given reference would not belong to it any more",
        )
    given = load(reference)
    given.open_genome().close()  # says so if it is gone, before any work
    fasta = given.path / given.genome_file.name
    return prepare(fasta=fasta, gtf=gtf, build=given.build, out=out, min_intron=min_intron, overwrite=overwrite)
