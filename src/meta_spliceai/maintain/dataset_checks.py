"""The coded checks of a dataset, in the order in which they are made."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from meta_spliceai.build import master
from meta_spliceai.build.layout import batches_of
from meta_spliceai.build.patches import PATCHES, stored_table
from meta_spliceai.build.run import FORMAT_VERSION, KIND
from meta_spliceai.errors import MetaSpliceAIError, first_few
from meta_spliceai.features.profile import admitted_features
from meta_spliceai.features.sequence import sequence_features
from meta_spliceai.genome.sequences import reverse_complement
from meta_spliceai.maintain.examined import ExaminedDataset
from meta_spliceai.maintain.findings import Check, NotApplicableError
from meta_spliceai.maintain.rewrite import MAINTENANCE, read_ledger
from meta_spliceai.maintain.row_checks import FURTHER_KEYS, MOST_SITES
from meta_spliceai.maintain.row_looks import TOLERANCE, UNIT, place
from meta_spliceai.reference.motifs import site_motifs
from meta_spliceai.schema.features import SEQUENCE_FEATURES, SEQUENCE_REACH, kmer_names
from meta_spliceai.schema.tables import NOT_CANDIDATE
from meta_spliceai.store.atomic import read_json
from meta_spliceai.store.folder import file_is_whole, read_manifest
from meta_spliceai.store.staged import is_leftover
from meta_spliceai.train.leakage import FEWEST_POSITIVES, check_probe, check_rows
from meta_spliceai.train.matrix import load_rows

LOWEST_MOTIF_RATE = 0.8
"""Share of sites with the usual intron bases below which the labels do not belong to the genome, as in the guard."""

_USUAL = {"donor": ("GT", "GC", "AT"), "acceptor": ("AG", "AC")}
_DRIFT = 5.0
_FEWEST_SITES = 10
_LINTED_CELLS = 40_000_000
_NAMED = {"gene_manifest.csv", "schema.json", "README.md", "BUILD_INFO.md", "croissant.json"}


def _manifest(seen: ExaminedDataset) -> Iterator[str]:
    try:
        read_manifest(seen.path, KIND, FORMAT_VERSION)
    except MetaSpliceAIError as error:
        yield f"expected {error.expected}, found {error.found}: {error.action}"


def _complete(seen: ExaminedDataset) -> Iterator[str]:
    if not seen.manifest.complete:
        if MAINTENANCE in seen.manifest.parameters:
            yield f"{len(seen.manifest.parts):,} parts are finished of a dataset that is written anew from another one"
            return
        planned = [batch.name for batch in batches_of(seen.manifest.parameters)]
        finished = sum(name in seen.manifest.parts for name in planned)
        yield f"{finished:,} of {len(planned):,} batches are finished; the build runs still, or was interrupted"


def _parts(seen: ExaminedDataset) -> Iterator[str]:
    for file in seen.manifest.files():
        if not (seen.path / file.name).is_file():
            yield f"{file.name} is missing"
        elif not file_is_whole(seen.path, file):
            yield f"{file.name} has not the recorded size or rows"
        elif seen.verify and not file_is_whole(seen.path, file, verify=True):
            yield f"{file.name} has another checksum"


def _links(seen: ExaminedDataset) -> Iterator[str]:
    files = {file.name: file for file in seen.manifest.files()}
    for name in seen.manifest.parts:
        trimmed = files.get(master.trim_file(name))
        if trimmed is None or not (seen.path / trimmed.name).is_file():
            continue  # no batch, or one whose loss another check tells
        if not master.is_linked(seen.path, name, trimmed):
            yield f"{master.master_file(name)} is missing, or is not {trimmed.name}"


def _foreign(seen: ExaminedDataset) -> Iterator[str]:
    known = {file.name for file in seen.manifest.files()} | _NAMED
    patched = (path for path in (seen.path / PATCHES).rglob("*") if path.is_file())
    candidates = [
        *seen.path.glob("batch_*"),
        *seen.path.glob("*.tmp*"),
        *(seen.path / master.MASTER).glob("*"),
        *patched,
    ]
    for path in sorted(path for path in seen.path.iterdir() if is_leftover(path.name)):
        yield f"{path.name} was left by an interrupted command: repeat that one, or delete it"
    for path in sorted(candidates):
        if path.relative_to(seen.path).as_posix() not in known:
            yield f"{path.relative_to(seen.path).as_posix()} belongs to no part"


def _schema(seen: ExaminedDataset) -> Iterator[str]:
    table = stored_table(seen.manifest)
    for file in seen.manifest.files():
        if not file.name.startswith(f"{master.MASTER}/"):
            continue
        try:
            empty = pl.from_arrow(pa.Table.from_batches([], pq.read_schema(seen.path / file.name)))
        except Exception as error:  # whatever a damaged footer raises
            yield f"{file.name} cannot be read: {str(error).splitlines()[0]}"
            continue
        assert isinstance(empty, pl.DataFrame)
        if dict(empty.schema) != dict(table.empty().schema):
            wanted, held = table.empty().schema, empty.schema
            other = [name for name in {**wanted, **held} if wanted.get(name) != held.get(name)]
            yield f"{file.name}: {first_few(other) if other else 'the order of columns'} differs from the schema"
    described = seen.path / "schema.json"
    if described.is_file():
        listed = [column["name"] for column in read_json(described).get("columns", ())]
        if listed != table.names:
            yield "schema.json lists other columns"


def _of_rows(code: str) -> Check[ExaminedDataset]:
    title, remedy = _ROW_CHECKS[code]

    def look(seen: ExaminedDataset) -> Iterator[str]:
        yield from seen.rows.of(code)

    return Check(code, title, "error", remedy, look)


def _motifs(seen: ExaminedDataset) -> Iterator[str]:
    reference = seen.reference
    seen.rows.require("DS010")
    found = seen.rows.sites
    with reference.open_genome() as genome:
        for kind, usual in _USUAL.items():
            sites = found.filter(pl.col(f"is_{kind}")).with_columns(splice_type=pl.lit(kind))
            outside = sites.filter(~pl.col("chrom").is_in(list(genome.contigs)))
            if outside.height:
                yield f"{outside.height} {kind}s on contigs that the genome has not"
            sites = sites.filter(pl.col("chrom").is_in(list(genome.contigs)))
            for strand in ("+", "-"):
                own = sites.filter(pl.col("strand") == strand)
                if own.height:
                    rate = float(site_motifs(own, genome).is_in(usual).sum()) / own.height
                    if rate < LOWEST_MOTIF_RATE:
                        bases = ", ".join(usual)
                        yield f"{rate:.1%} of {own.height} {kind}s on strand {strand} read {bases}"


def _truth(seen: ExaminedDataset) -> pl.DataFrame:
    sites = seen.reference.splice_sites()
    return sites.group_by(UNIT).agg(
        donor=(pl.col("splice_type") == "donor").any(), acceptor=(pl.col("splice_type") == "acceptor").any()
    )


def _annotation(seen: ExaminedDataset) -> Iterator[str]:
    truth = _truth(seen)
    seen.rows.require("DS011")
    joined = seen.rows.sites.join(truth, on=UNIT, how="left").with_columns(pl.col("donor", "acceptor").fill_null(False))
    wrong = joined.filter((pl.col("donor") != pl.col("is_donor")) | (pl.col("acceptor") != pl.col("is_acceptor")))
    for row in wrong.iter_rows(named=True):
        yield f"{place(row)} is no such site in the annotation"


def _lost_sites(seen: ExaminedDataset) -> Iterator[str]:
    truth = seen.reference.splice_sites()
    seen.rows.require("DS016")
    if seen.rows.rows_of_sites >= MOST_SITES:
        raise NotApplicableError(f"at least {MOST_SITES:,} rows are labelled as sites, see DS011")
    keys = list(UNIT) if seen.dataset.one_row_per_unit else ["gene_id", *UNIT]
    keys += FURTHER_KEYS.get(seen.rows.mode, ())
    own = truth.filter(pl.col("gene_id").is_in(seen.dataset.gene_ids)).unique(keys, maintain_order=True)
    for row in own.join(seen.rows.sites, on=keys, how="anti", maintain_order="left").iter_rows(named=True):
        yield f"{place(row)}, a {row['splice_type']}, has no row that says so"


def _ledger(seen: ExaminedDataset) -> Iterator[str]:
    keys = ["gene_id", "sampling_tier"]
    seen.rows.require("DS018")
    ledger = read_ledger(seen.dataset).filter(pl.col("sampling_tier") != NOT_CANDIDATE)
    counted = seen.rows.counts.group_by(keys).agg(found=pl.col("rows").sum())
    joined = ledger.join(counted, on=keys, how="full", coalesce=True).with_columns(
        pl.col("rows_kept", "rows_seen", "rows_dropped", "found").fill_null(0)
    )
    wrong = (pl.col("rows_kept") != pl.col("found")) | (
        pl.col("rows_seen") != pl.col("rows_kept") + pl.col("rows_dropped")
    )
    for row in joined.filter(wrong).iter_rows(named=True):
        yield f"{row['gene_id']}, {row['sampling_tier']}: {row['rows_kept']} in the ledger, {row['found']} rows"


def _gene_manifest(seen: ExaminedDataset) -> Iterator[str]:
    seen.rows.require("DS019")
    if seen.genes["gene_id"].to_list() != seen.dataset.gene_ids:
        yield "it lists other genes than the dataset was built of"
    counted = seen.rows.counts.group_by("gene_id").agg(found=pl.col("rows").sum(), parts=pl.col("part").unique().sort())
    joined = seen.genes.join(counted, on="gene_id", how="full", coalesce=True)
    own_part = pl.col("file_name").str.split("/").list.last()
    is_elsewhere = (pl.col("parts").list.len() != 1) | (pl.col("parts").list.first() != own_part)
    is_miscounted = pl.col("found").fill_null(0) != pl.col("rows")
    wrong = pl.col("file_name").is_null() | is_miscounted | is_elsewhere
    for row in joined.filter(wrong.fill_null(False)).iter_rows(named=True):
        if row["file_name"] is None:
            yield f"{row['gene_id']} has rows but is not listed"
        elif (row["found"] or 0) != row["rows"]:
            yield f"{row['gene_id']}: {row['rows']} listed, {row['found'] or 0} rows"
        else:
            yield f"{row['gene_id']} is listed in {row['file_name']} and lies in {first_few(row['parts'])}"


def _constant(seen: ExaminedDataset) -> Iterator[str]:
    seen.rows.require("DS020")
    columns = seen.rows.constant
    if not columns:
        raise NotApplicableError("the dataset has no such columns")
    by_gene = seen.rows.values.group_by("gene_id", maintain_order=True).agg(
        pl.col(columns).n_unique(), pl.col("varying").str.join(",")
    )
    varies = pl.any_horizontal(pl.col(columns) > 1) | (pl.col("varying") != "")
    for row in by_gene.filter(varies).iter_rows(named=True):
        varying = [name for name in columns if row[name] > 1 or name in row["varying"].split(",")]
        if varying:
            yield f"{row['gene_id']}: {first_few(varying)} differ between its rows"


def _bodies(seen: ExaminedDataset) -> Iterator[str]:
    seen.rows.require("DS026")
    genes = seen.bodies.rename({"chrom": "chrom_of_gene", "strand": "strand_of_gene"})
    is_outside = (
        (pl.col("varying") != "")
        | (pl.col("chrom") != pl.col("chrom_of_gene"))
        | (pl.col("strand") != pl.col("strand_of_gene"))
        | (pl.col("lowest") < pl.col("start"))
        | (pl.col("highest") > pl.col("end"))
    )
    joined = seen.rows.values.join(genes, on="gene_id", maintain_order="left")
    for row in joined.filter(is_outside.fill_null(True)).iter_rows(named=True):
        body = f"{row['chrom_of_gene']}:{row['start']}-{row['end']}({row['strand_of_gene']})"
        if {"chrom", "strand"}.intersection(row["varying"].split(",")):
            yield f"{row['gene_id']} has rows on several contigs or strands; its body is {body}"
        elif (row["chrom"], row["strand"]) != (row["chrom_of_gene"], row["strand_of_gene"]):
            yield f"{row['gene_id']} has rows on {row['chrom']}({row['strand']}); its body is {body}"
        elif row["lowest"] is None:
            yield f"{row['gene_id']} has no positions; its body is {body}"
        elif row["lowest"] < row["start"] or row["highest"] > row["end"]:
            yield f"{row['gene_id']} has rows from {row['lowest']} to {row['highest']}; its body is {body}"


def _authoritative(seen: ExaminedDataset) -> Iterator[str]:
    known = seen.reference.genes
    seen.rows.require("DS021")
    columns = [name for name in seen.rows.constant if name in known.columns]
    if not columns:
        raise NotApplicableError("the dataset has no such columns")
    values = seen.rows.values.unique(["gene_id", *columns], maintain_order=True)
    joined = values.join(
        known.select("gene_id", *columns), on="gene_id", how="left", suffix="_of_reference", maintain_order="left"
    )
    for row in joined.iter_rows(named=True):
        wrong = [name for name in columns if not _alike(row[name], row[f"{name}_of_reference"])]
        if wrong:
            first = wrong[0]
            yield f"{row['gene_id']}: {first} is {row[first]}, in the reference {row[f'{first}_of_reference']}"


def _same_reference(seen: ExaminedDataset) -> Iterator[str]:
    reference = seen.reference
    built_with = seen.manifest.inputs.get("reference")
    if built_with is None:
        raise NotApplicableError("the dataset does not say which reference it was built with")
    if built_with == reference.fingerprint:
        return
    build = seen.manifest.facts.get("build")
    if build not in (None, "unknown", reference.build):
        yield f"the dataset was built on {build}, {reference.path} is {reference.build}"
    else:
        yield f"{reference.path} is {reference.build} too, but another annotation or another copy of the genome"


def _alike(held: object, wanted: object) -> bool:
    if isinstance(held, (int, float)) and isinstance(wanted, (int, float)):
        return bool(np.isclose(held, wanted, rtol=1e-5))
    return held == wanted


def _sequence(seen: ExaminedDataset) -> Iterator[str]:
    reference = seen.reference
    seen.require_time("reads the genome")
    sizes = tuple(seen.manifest.parameters["kmer_sizes"])
    held = set(seen.dataset.table.names)
    if held.isdisjoint([*(column.name for column in SEQUENCE_FEATURES), *(n for k in sizes for n in kmer_names(k))]):
        raise NotApplicableError("the dataset has no sequence features and no k-mers")
    with reference.open_genome() as genome:
        for row in seen.sample.drop_nulls(UNIT).iter_rows(named=True):  # DS007 tells what is null
            at = row["position"] - 1
            codes = genome.codes(row["chrom"], at - SEQUENCE_REACH, at + SEQUENCE_REACH + 1)
            if row["strand"] == "-":
                codes = reverse_complement(codes)
            made = sequence_features(codes, [SEQUENCE_REACH], sizes)
            wrong = [
                name
                for name, value in made.items()
                if name in held
                and abs(float(value[0]) - float(row[name] if row[name] is not None else np.nan)) > TOLERANCE
            ]
            if wrong:
                yield f"{place(row)}: {first_few(wrong)} differ from the genome"


def _leakage(seen: ExaminedDataset) -> Iterator[str]:
    dataset = seen.dataset
    seen.require_time("reads all features")
    seen.rows.require("DS022")
    if any(True for _ in seen.rows.of("DS017")):
        raise NotApplicableError("rows cannot be weighted, see DS017")
    check_probe(dataset.manifest.facts, "de_novo")
    names = admitted_features(dataset.table, "annotated")
    files, cells = [], 0
    for path in dataset.files:
        cells += pq.read_metadata(path).num_rows * len(names)
        files.append(path)
        if cells > _LINTED_CELLS:
            break
    some = dataclasses.replace(dataset, files=tuple(files))
    if max(int(seen.rows.sites[f"is_{kind}"].sum()) for kind in _USUAL) < FEWEST_POSITIVES:
        raise NotApplicableError(f"fewer than {FEWEST_POSITIVES} donors and acceptors say nothing about a feature")
    check_rows(load_rows(some, names, seen.bodies, 0.0), names, dataset.table)
    yield from ()  # what leaks is raised, by name


def _drift(seen: ExaminedDataset) -> Iterator[str]:
    seen.rows.require("DS023")
    if not seen.rows.counts.height:
        return
    by_part = seen.rows.counts.group_by("part").agg(
        rows=pl.col("rows").sum(), sites=pl.col("rows").filter(pl.col("splice_type") != "neither").sum()
    )
    share = float(by_part["sites"].sum()) / max(float(by_part["rows"].sum()), 1)
    for row in by_part.sort("part").iter_rows(named=True):
        own = row["sites"] / row["rows"]
        if row["sites"] + share * row["rows"] > _FEWEST_SITES and not share / _DRIFT <= own <= share * _DRIFT:
            yield f"{row['part']}: {own:.2%} of the rows are sites, {share:.2%} in the whole"


_RESUME = "run `{resume}`; only what is damaged is made again"
_RESUME_OR_REBUILD = "run `{resume}`; where that changes nothing, run `{rebuild}`"
_REBUILD = "run `{rebuild}`: it makes the rows again from the artifacts; the values of these cannot be trusted"
_PATCH = "run `{patch}`"
_ROW_CHECKS = {
    "DS007": ("no nulls in keys, labels, calls, sampling and own scores where the schema allows none", _REBUILD),
    "DS008": ("these columns are in range, finite and among the allowed values", _REBUILD),
    "DS009": ("labels, flags and calls agree", _REBUILD),
    "DS012": ("no row is doubled", "run `{dedup}`"),
    "DS013": ("donor, acceptor and neither sum to one", _REBUILD),
    "DS014": ("score and logits follow from the probabilities", _REBUILD),
    "DS017": ("inclusion probabilities are above 0, at most 1, and 1 for sites and calls", _REBUILD),
    "DS027": ("unit_rows counts the rows of a base in its gene", _REBUILD),
}


def _of_features(code: str) -> Callable[[ExaminedDataset], Iterator[str]]:
    def look(seen: ExaminedDataset) -> Iterator[str]:
        if code == "DS025" and not seen.features.kmer_sizes:
            raise NotApplicableError("the dataset has no k-mers")
        yield from seen.features.problems[code]

    return look


DATASET_CHECKS: tuple[Check[ExaminedDataset], ...] = (
    Check("DS001", "the manifest can be read and has this format version", "error", "restore manifest.json from a copy; without one, build again in another folder with the options in BUILD_INFO.md, and the bytes are the same; a dataset of an older version is converted by `{migrate}`", _manifest),
    Check("DS002", "the build was completed", "error", "run `{resume}`; finished parts are kept", _complete),
    Check("DS003", "every file is there with the recorded size, rows and (with --verify) checksum", "error", _RESUME, _parts),
    Check("DS004", "every file in master is its finished batch", "error", _RESUME, _links),
    Check("DS005", "no foreign and no leftover files", "error", "run `{clear}`: it deletes what was left over or is a copy, and names what it does not know; move such files away, because readers take every Parquet file in master for a part", _foreign),
    Check("DS006", "every file has the declared columns and types, and schema.json lists them", "error", _RESUME_OR_REBUILD, _schema),
    _of_rows("DS007"), _of_rows("DS008"), _of_rows("DS009"),
    Check("DS010", "sites read GT, GC, AT and AG, AC in the genome", "error", "give the reference that the dataset was built with, see DS028; if that is the one given, run `{rebuild}`", _motifs),
    Check("DS011", "labels agree with the annotation", "error", _REBUILD, _annotation),
    _of_rows("DS012"), _of_rows("DS013"), _of_rows("DS014"),
    Check("DS015", "sequence features and k-mers of sampled rows follow from the genome", "error", _REBUILD, _sequence),
    Check("DS016", "no true site is lost", "error", _REBUILD, _lost_sites),
    _of_rows("DS017"),
    Check("DS018", "the ledger agrees with the rows", "error", _RESUME_OR_REBUILD, _ledger),
    Check("DS019", "the gene manifest agrees with the rows", "error", _RESUME_OR_REBUILD, _gene_manifest),
    Check("DS020", "gene type and structural features are constant within a gene", "error", _PATCH, _constant),
    Check("DS021", "gene type, n_splice_sites and structural features are those of the reference", "error", _PATCH, _authoritative),
    Check("DS022", "no feature gives the label away", "error", "find out how the columns named were made; `{rebuild}` makes those of this package again", _leakage),
    Check("DS023", "the parts have alike shares of sites", "warning", "look at the genes of the parts named; genes without introns can explain it", _drift),
    Check("DS024", "the other features are in range, finite, and null only where the schema allows it", "error", _REBUILD, _of_features("DS024")),
    Check("DS025", "the k-mers of each size add up to those of the window", "error", _REBUILD, _of_features("DS025")),
    Check("DS026", "every row lies in the body of its gene", "error", _REBUILD, _bodies),
    _of_rows("DS027"),
    Check("DS028", "the reference given is the one the dataset was built with", "error", "give the reference named in BUILD_INFO.md; a dataset of this one is made by `{rebuild}`", _same_reference),
)  # fmt: skip
"""All checks of a dataset."""
