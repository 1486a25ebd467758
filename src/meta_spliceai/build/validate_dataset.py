"""Check a dataset folder against what it declares of itself. Needs Python and pyarrow, and nothing but the folder.

    python validate_dataset.py [FOLDER] [--quick]

Compares the checksum of every file with manifest.json (not with --quick), the columns, types, missing values and bounds of
every batch with schema.json, and gene_manifest.csv with the rows. Exit status: 0 where all is well, 1 where something is not,
2 where the folder cannot be read.
"""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

TYPES = {
    "String": {pa.string(), pa.large_string()},
    "Boolean": {pa.bool_()},
    "Float32": {pa.float32()},
    "Float64": {pa.float64()},
    "Int8": {pa.int8()},
    "Int16": {pa.int16()},
    "Int32": {pa.int32()},
    "Int64": {pa.int64()},
    "UInt8": {pa.uint8()},
    "UInt16": {pa.uint16()},
    "UInt32": {pa.uint32()},
    "UInt64": {pa.uint64()},
}
SHOWN = 5


class Dataset:
    """A folder with its manifest and schema."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        self.columns: list[dict[str, Any]] = json.loads((folder / "schema.json").read_text(encoding="utf-8"))["columns"]
        self.batches = sorted((folder / "master").glob("*.parquet"))
        self.rows_by_gene: Counter[str] = Counter()
        self.labels: Counter[str] = Counter()

    def files(self) -> Iterator[dict[str, Any]]:
        """Every file that the manifest names."""
        for part in self.manifest["parts"].values():
            yield from part["files"]


def check_complete(dataset: Dataset) -> Iterator[str]:
    """The build was finished, and no batch is missing or foreign."""
    if not dataset.manifest["complete"]:
        yield "the build was not finished: run the same command again"
    named = {file["name"] for file in dataset.files() if file["name"].startswith("master/")}
    found = {f"master/{path.name}" for path in dataset.batches}
    yield from (f"{name} is missing" for name in sorted(named - found))
    yield from (f"{name} is not of this dataset" for name in sorted(found - named))


def check_checksums(dataset: Dataset) -> Iterator[str]:
    """Every file has the bytes that it was written with."""
    for file in dataset.files():
        path = dataset.folder / file["name"]
        if not path.exists():
            yield f"{file['name']} is missing"
        elif path.stat().st_size != file["bytes"]:
            yield f"{file['name']} has {path.stat().st_size:,} bytes, not {file['bytes']:,}"
        elif _sha256(path) != file["sha256"]:
            yield f"{file['name']} was changed"


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def check_schema(dataset: Dataset) -> Iterator[str]:
    """Every batch has the declared columns, in their order, with their types."""
    names = [column["name"] for column in dataset.columns]
    for path in dataset.batches:
        schema = pq.read_schema(path)
        if schema.names != names:
            lost, strange = sorted(set(names) - set(schema.names)), sorted(set(schema.names) - set(names))
            yield f"{path.name}: columns lacking {lost[:SHOWN]}, not declared {strange[:SHOWN]}, or another order"
            continue
        for column in dataset.columns:
            if schema.field(column["name"]).type not in TYPES[column["dtype"]]:
                yield f"{path.name}: {column['name']} is {schema.field(column['name']).type}, not {column['dtype']}"


def check_values(dataset: Dataset) -> Iterator[str]:
    """No value is missing, out of bounds or of another kind than declared; one row group is held at a time."""
    for path in dataset.batches:
        file = pq.ParquetFile(path)
        for number in range(file.num_row_groups):
            group = file.read_row_group(number)
            dataset.rows_by_gene.update(_counts(group["gene_id"]))
            dataset.labels.update(_counts(group["splice_type"]))
            for column in dataset.columns:
                for problem in _problems(group[column["name"]], column):
                    yield f"{path.name}, row group {number}: {column['name']} {problem}"


def _counts(values: pa.ChunkedArray) -> dict[str, int]:
    return {entry["values"]: entry["counts"] for entry in pc.value_counts(values).to_pylist()}


def _problems(values: pa.ChunkedArray, column: dict[str, Any]) -> Iterator[str]:
    if values.null_count and not column["nullable"]:
        yield f"has {values.null_count} missing values"
    if pa.types.is_floating(values.type) and not pc.all(pc.is_finite(values), min_count=0).as_py():
        yield "has values that are NaN or infinite"
    if column["choices"] and (strange := set(_counts(values)) - {*column["choices"], None}):
        yield f"holds {sorted(strange)[:SHOWN]}"
    for bound, holds in (("low", pc.less), ("high", pc.greater)):
        if column[bound] is not None and pc.any(holds(values, column[bound]), min_count=0).as_py():
            yield f"leaves its bounds, {column['low']} to {column['high']}"


def check_gene_manifest(dataset: Dataset) -> Iterator[str]:
    """gene_manifest.csv counts the rows of each gene, and names no gene that has none of its own."""
    path = dataset.folder / "gene_manifest.csv"
    if not path.exists():
        return
    with path.open(encoding="utf-8", newline="") as file:
        stated = {row["gene_id"]: int(row["rows"]) for row in csv.DictReader(file)}
    for gene_id in sorted({*stated, *dataset.rows_by_gene}):
        if stated.get(gene_id, 0) != dataset.rows_by_gene[gene_id]:
            yield f"{gene_id}: {stated.get(gene_id, 0)} rows stated, {dataset.rows_by_gene[gene_id]} found"


CHECKS: dict[str, Callable[[Dataset], Iterator[str]]] = {
    "Batch file": check_complete,
    "Checksum": check_checksums,
    "Schema": check_schema,
    "Feature range": check_values,
    "Enhanced manifest": check_gene_manifest,
}


def main(arguments: list[str]) -> int:
    """Print the outcome of every check and what the dataset holds; returns the exit status."""
    quick = "--quick" in arguments
    places = [argument for argument in arguments if not argument.startswith("-")]
    try:
        dataset = Dataset(Path(places[0]) if places else Path(__file__).parent)
    except (OSError, ValueError, KeyError) as error:
        print(
            f"expected: a dataset folder\nfound: {error}\nwhat to do: give the folder that holds manifest.json",
            file=sys.stderr,
        )
        return 2
    failed = False
    for name, check in CHECKS.items():
        if quick and check is check_checksums:
            continue
        problems = list(check(dataset))
        print(f"{'FAILED' if problems else 'passed'}  {name} validation")
        for problem in problems[:SHOWN]:
            print(f"        {problem}")
        if len(problems) > SHOWN:
            print(f"        and {len(problems) - SHOWN} more")
        failed = failed or bool(problems)
        if failed and check is check_schema:
            break
    print(f"Total genes: {len(dataset.rows_by_gene):,}\nTotal records: {sum(dataset.rows_by_gene.values()):,}")
    print("Labels: " + ", ".join(f"{label} {n:,}" for label, n in sorted(dataset.labels.items())))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
