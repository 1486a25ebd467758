"""Classes, motifs and exon places of sites, and classes of genes, on the tiny genome and on real data."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from meta_spliceai.genome.coordinates import Interval
from meta_spliceai.reference.load import Reference, load
from meta_spliceai.train.site_facts import (
    CODING,
    INNER_EXON,
    LNCRNA,
    OTHER_GENE,
    OTHER_MOTIF,
    PSEUDOGENE,
    TERMINAL_EXON,
    SiteFacts,
    gene_class,
    gene_classes,
    site_facts,
)
from tests.toys.tiny_genome import GENES
from tests.train.conftest import Inputs


@pytest.fixture(scope="module")
def reference(inputs: Inputs) -> Reference:
    return load(inputs.reference)


def places_slowly() -> dict[tuple[str, str, int], int]:
    """Terminal where each transcript with the site has it at its first or last exon, walking every transcript."""
    inner: dict[tuple[str, str, int], list[bool]] = {}
    for gene in GENES:
        for exons in gene.transcripts.values():
            ordered = list(exons) if gene.strand == "+" else list(exons)[::-1]
            last = len(ordered) - 1
            for place, (start, end) in enumerate(ordered):
                donor, acceptor = (end, start) if gene.strand == "+" else (start, end)
                if place < last:
                    inner.setdefault((gene.chrom, gene.strand, donor), []).append(place > 0)
                if place > 0:
                    inner.setdefault((gene.chrom, gene.strand, acceptor), []).append(place < last)
    return {site: INNER_EXON if any(found) else TERMINAL_EXON for site, found in inner.items()}


def test_places_are_those_of_the_slow_twin(reference: Reference) -> None:
    expected = places_slowly()
    facts = site_facts(reference)
    assert facts.height > 50
    assert set(facts["exon_place"]) == {INNER_EXON, TERMINAL_EXON}
    for row in facts.iter_rows(named=True):
        assert row["exon_place"] == expected[row["chrom"], row["strand"], row["position"]], row


def test_motifs_are_those_written_into_the_tiny_genome(reference: Reference) -> None:
    numbers = {("GT", "AG"): 1, ("GC", "AG"): 2, ("AT", "AC"): 3}
    expected: dict[tuple[str, str, int], int] = {}
    for gene in GENES:
        for first, last in gene.gaps():
            number = numbers.get(gene.motifs.get(first, ("GT", "AG")), OTHER_MOTIF)
            for position in (first - 1, last + 1):
                site = (gene.chrom, gene.strand, position)
                expected[site] = min(expected.get(site, OTHER_MOTIF), number)
    unread = reference.splice_sites().filter(motif="NN").select("chrom", "position").unique()
    facts = site_facts(reference).join(unread, on=["chrom", "position"], how="anti")
    assert {1, 2, 3} <= set(facts["motif"])
    for row in facts.iter_rows(named=True):
        assert row["motif"] == expected[row["chrom"], row["strand"], row["position"]], row


def test_facts_of_an_interval_lie_at_its_sites(reference: Reference) -> None:
    facts = SiteFacts(reference)
    found = facts.on(Interval("chrT1", 4_100, 5_050, "+"))
    assert found["site_class"].nonzero()[0].tolist() == [99, 900]
    assert [found[name][[99, 900]].tolist() for name in ("site_class", "motif", "exon_place")] == [
        [1, 1],
        [1, 1],
        [2, 1],
    ]
    assert not facts.on(Interval("chrT3", 0, 10, "-"))["motif"].any()


def test_bases_of_several_genes_have_the_first_class_that_applies() -> None:
    genes = [
        {"gene_type": kind, "start": start, "end": end}
        for kind, start, end in (
            ("protein_coding", 3, 4),
            ("lincRNA", 1, 3),
            ("processed_pseudogene", 2, 6),
            ("miRNA", 1, 7),
        )
    ]
    found = gene_classes(genes, Interval("c", 0, 7, "+"))
    assert found.tolist() == [LNCRNA, LNCRNA, CODING, CODING, PSEUDOGENE, PSEUDOGENE, OTHER_GENE]
    assert gene_classes(genes, Interval("c", 3, 5, "+")).tolist() == [CODING, PSEUDOGENE]
    assert [gene_class(kind) for kind in ("lncRNA", "pseudogene", "snRNA", "unknown")] == [2, 3, 0, 0]


@pytest.mark.real_data
def test_most_human_introns_read_gt_ag_and_few_gc_ag_or_at_ac(shared: Path, tmp_path: Path) -> None:
    from meta_spliceai.reference.prepare import prepare

    own = shared / "GRCh38"
    human = prepare(
        fasta=own / "genome.fa.gz", gtf=own / "annotation.gtf.gz", build="GRCh38", out=tmp_path / "reference"
    )
    shares = site_facts(human)["motif"].value_counts(normalize=True)
    of = dict(shares.iter_rows())
    assert of[1] > 0.93
    assert 0.003 < of[2] < 0.03
    assert pl.Series(list(of)).is_between(1, OTHER_MOTIF).all()
