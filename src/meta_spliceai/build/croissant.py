"""`croissant.json`: the dataset described in Croissant 1.0 (MLCommons), so that other tools find, check and load it.

One record set holds the rows, one the genes, one the sampling ledger; every file has its checksum, every column its type
and meaning. The description names no place, no time and no person: like the dataset, it depends on the contents alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import polars as pl

from meta_spliceai.build.summary import Summary, headline
from meta_spliceai.schema.column import Column, Table
from meta_spliceai.schema.tables import GENE_MANIFEST_TABLE, LEDGER_TABLE
from meta_spliceai.store.folder import FileEntry

CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
ROWS = "rows"

_CROISSANT_TERMS = (
    "citeAs", "column", "equivalentProperty", "extract", "field", "fileProperty", "fileObject", "fileSet", "format",
    "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex",
    "repeated", "replace", "samplingRate", "separator", "source", "subField", "transform",
)  # fmt: skip
_MEDIA_TYPES = {".parquet": "application/x-parquet", ".csv": "text/csv", ".json": "application/json"}
_TABLES = {"gene_manifest.csv": GENE_MANIFEST_TABLE, "sampling_ledger.csv": LEDGER_TABLE}


def croissant(summary: Summary, files: Sequence[FileEntry]) -> dict[str, Any]:
    """The description of a dataset as JSON-LD.

    Parameters
    ----------
    summary
        What the documents tell.
    files
        The files of the dataset that a reader may want, relative to its folder: the batches in `master/`, the tables.
    """
    shown = [file for file in files if _media_type(file.name)]
    record_sets = [_record_set(ROWS, summary.table, {"fileSet": {"@id": "master"}})]
    for file in shown:
        if file.name in _TABLES:
            name = file.name.removesuffix(".csv")
            record_sets.append(_record_set(name, _TABLES[file.name], {"fileObject": {"@id": file.name}}))
    model = summary.base_model
    return {
        "@context": _context(),
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": re.sub(
            r"[^A-Za-z0-9_]+", "_", f"splice_sites_{summary.build}_{model['name']}_{summary.genes.height}_genes"
        ),
        "description": headline(summary),
        "version": f"{summary.table.version}.0.0",
        "keywords": ["splicing", "splice sites", "genomics", summary.build, str(model["name"])],
        "license": f"scores: {model['licence']}; labels: the terms of the annotation",
        "isLiveDataset": False,
        "distribution": [*map(_file_object, shown), _FILE_SET],
        "recordSet": record_sets,
    }


_FILE_SET = {
    "@type": "cr:FileSet",
    "@id": "master",
    "name": "master",
    "description": "the rows, in as many files as there are batches",
    "encodingFormat": _MEDIA_TYPES[".parquet"],
    "includes": "master/*.parquet",
}


def _context() -> dict[str, Any]:
    return {
        "@language": "en",
        "@vocab": "https://schema.org/",
        "cr": "http://mlcommons.org/croissant/",
        "rai": "http://mlcommons.org/croissant/RAI/",
        "dct": "http://purl.org/dc/terms/",
        "sc": "https://schema.org/",
        "conformsTo": "dct:conformsTo",
        "data": {"@id": "cr:data", "@type": "@json"},
        "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
        "examples": {"@id": "cr:examples", "@type": "@json"},
        **{term: f"cr:{term}" for term in _CROISSANT_TERMS},
    }


def _media_type(name: str) -> str | None:
    return next((kind for suffix, kind in _MEDIA_TYPES.items() if name.endswith(suffix)), None)


def _file_object(file: FileEntry) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file.name,
        "name": file.name,
        "contentUrl": file.name,
        "contentSize": f"{file.bytes} B",
        "encodingFormat": _media_type(file.name),
        "sha256": file.sha256,
    }


def _record_set(name: str, table: Table, source: dict[str, Any]) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": table.meaning,
        "field": [_field(name, column, source) for column in table],
    }


def _field(record_set: str, column: Column, source: dict[str, Any]) -> dict[str, Any]:
    unit = f", in {column.unit}" if column.unit else ""
    return {
        "@type": "cr:Field",
        "@id": f"{record_set}/{column.name}",
        "name": column.name,
        "description": f"{column.meaning}{unit} ({column.role}, {column.origin})",
        "dataType": _data_type(column),
        "source": {**source, "extract": {"column": column.name}},
    }


def _data_type(column: Column) -> str:
    dtype = column.dtype() if isinstance(column.dtype, type) else column.dtype
    if dtype == pl.Boolean:
        return "sc:Boolean"
    if dtype.is_integer():
        return "sc:Integer"
    return "sc:Float" if dtype.is_float() else "sc:Text"
