"""metrics.json, field by field: what a program may count on.

A path names an object's entries with dots; `{word}` stands for names that depend on the data, `[]` for each item of a list,
and `*` for entries that are passed on as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from meta_spliceai.evaluate.tables import (
    CALIBRATION_SUMMARY_TABLE,
    CONTRAST_TABLE,
    RANKING_TABLE,
    THRESHOLD_TABLE,
)
from meta_spliceai.schema.column import Column, Table

SCHEMA_VERSION = 1
"""Rises when a field goes, or means something else; a new field does not raise it."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field.

    Parameters
    ----------
    path
        Where it is.
    kind
        string, integer, number, boolean or any (as the base model, dataset or table says of itself).
    unit
        What a number counts; empty for others.
    meaning
        One sentence.
    always
        Whether every metrics.json has it.
    nullable
        Whether it may be null.
    """

    path: str
    kind: str
    unit: str
    meaning: str
    always: bool = True
    nullable: bool = False

    @property
    def pattern(self) -> re.Pattern[str]:
        """What a concrete path must match."""
        text = re.escape(self.path).replace(r"\*", ".+")
        return re.compile(re.sub(r"\\\{\w+\\\}", r"[^\\[\\]]+", text))

    @property
    def types(self) -> tuple[type, ...]:
        """Python types of its values; bool is none of the numbers."""
        return {
            "string": (str,),
            "integer": (int,),
            "number": (int, float),
            "boolean": (bool,),
            "any": (str, int, float, bool, list, type(None)),
        }[self.kind]


_UNITS = {
    "false_positives_per_mb": "bases per million bases",
    "predicted_sites": "sites",
    "draws": "draws",
    "bases": "bases",
    "groups": "gene groups",
    "sites": "sites",
    "lowest_cut": "probability",
    "highest_cut": "probability",
}


def _unit(column: Column) -> str:
    if column.name in _UNITS:
        return _UNITS[column.name]
    if column.dtype == pl.Int64:
        return "sites" if "negatives" in column.name else "bases"
    if "difference" in column.name:
        return "difference of shares"
    return "share" if column.dtype == pl.Float64 else ""


def _of_table(prefix: str, table: Table, left_out: frozenset[str]) -> Iterator[Field]:
    kinds = {pl.Int64: "integer", pl.Float64: "number", pl.Boolean: "boolean", pl.String: "string"}
    for column in table:
        if column.name not in left_out:
            kind = kinds[column.dtype]  # type: ignore[index]
            yield Field(
                f"{prefix}.{column.name}", kind, _unit(column), column.meaning, prefix.split(".")[-1] != "{other}", column.nullable
            )  # fmt: skip


_KEYS = frozenset({"splice_type", "arm"})
_ARM = "results.{splice_type}.{arm}"

FIELDS: tuple[Field, ...] = (
    Field("schema_version", "integer", "", "version of this description"),
    Field("arms[].name", "string", "", "an arm, one way of scoring bases; the reference arm comes first"),
    Field("arms[].title", "string", "", "its name for people"),
    Field("arms[].profile", "string", "", "the features it may use; empty for arms that are not trained"),
    Field("arms[].note", "string", "", "what it does"),
    Field("reference_arm", "string", "", "the arm that the others are compared with"),
    Field("skipped_arms[].name", "string", "", "an arm that was not measured", always=False),
    Field("skipped_arms[].reason", "string", "", "why not", always=False),
    Field("measured.bases", "integer", "bases", "bases measured; each strand's once"),
    Field("measured.genes", "integer", "genes", "genes whose bodies they are"),
    Field("measured.gene_groups", "integer", "gene groups", "groups of genes that overlap or resemble one another"),
    Field("measured.folds", "integer", "folds", "folds that choose thresholds for one another; a set that was set aside is none"),
    Field("measured.sites.{splice_type}", "integer", "sites", "true sites among the bases"),
    Field("measured.groups_with_sites.{splice_type}", "integer", "gene groups", "gene groups that hold a true site"),
    Field("measured.base_unseen_share", "number", "share", "share of the bases on contigs that the base model was not trained on"),
    Field("bootstrap.draws", "integer", "draws", "draws of whole gene groups, the same ones for every arm"),
    Field("bootstrap.seed", "integer", "", "seed of the draws"),
    Field("bootstrap.level", "number", "share", "share of the draws inside every interval (fields that end in _low and _high)"),
    Field("bootstrap.unit", "string", "", "what is drawn"),
    Field("bootstrap.few_groups", "boolean", "", "whether too few groups have sites for intervals to say much"),
    Field("strata[].name", "string", "", "a stratum, a subset of bases"),
    Field("strata[].meaning", "string", "", "what belongs to it"),
    Field("fewest_sites_measured", "integer", "sites", "a stratum with fewer true sites is counted and not measured"),
    Field("fewest_groups_trusted", "integer", "gene groups", "an interval over fewer groups with sites is marked"),
    Field("training_seed", "integer", "", "seed of the run that made the predictions", nullable=True),
    Field("software.{package}", "string", "", "version of the software that measured"),
    Field("definitions[].word", "string", "", "a word used here"),
    Field("definitions[].meaning", "string", "", "what it means"),
    Field("base_model.*", "any", "", "what the base model says of itself: name, training build and chromosomes, licence …", always=False),
    Field("dataset.*", "any", "", "identity and size of the dataset that the meta-model learnt from", always=False),
    Field("build", "string", "", "genome build", always=False),
    Field("feature_profile", "string", "", "profile of the meta-model's features", always=False),
    Field("row_cap", "integer", "rows", "rows that models were limited to by --row-cap", always=False),
    Field("calibration.choice", "string", "", "what --calibration said; auto chose a kind for each fold on the others", always=False),
    Field("calibration.kinds.{arm}.{splice_type}.{fold}", "string", "", "none, temperature, platt, beta or isotonic: the map of a fold, which the others gave", always=False),
    Field("table.file", "string", "", "name of the table of scores that was measured", always=False),
    Field("table.sha256", "string", "", "its checksum", always=False),
    Field("table.rows", "integer", "rows", "its rows", always=False),
    Field("table.rows_in_genes", "integer", "rows", "those at bases of the genes, repeated ones included", always=False),
    Field("table.rows_repeated", "integer", "rows", "those that say again what another row says of their base", always=False),
    Field("table.rows_outside_genes", "integer", "rows", "those elsewhere on contigs of the genes", always=False),
    Field("table.rows_on_other_contigs", "integer", "rows", "those on contigs without a chosen gene", always=False),
    Field("table.bases_of_genes", "integer", "bases", "bases of the chosen genes; each strand's once", always=False),
    Field("table.bases_without_score", "integer", "bases", "those that lack a score of a tool", always=False),
    Field("table.sites_without_score.{splice_type}", "integer", "sites", "true sites among these", always=False),
    Field("table.genes_without_score", "integer", "genes", "genes that --missing ignore left out entirely", always=False),
    Field("table.missing", "string", "", "what --missing said: refuse, zero or ignore", always=False),
    Field("table.training_known", "boolean", "", "whether it is known which contigs the tools were trained on", always=False),
    Field("table.warnings[]", "string", "", "what looks wrong with the table", always=False),
    Field("site_usage[].splice_type", "string", "", "donor or acceptor; with --psi", always=False),
    Field("site_usage[].arm", "string", "", "the arm", always=False),
    Field("site_usage[].used", "integer", "sites", "annotated sites with a mean PSI of at least .1", always=False),
    Field("site_usage[].unused", "integer", "sites", "annotated sites with a mean PSI below .01", always=False),
    Field("site_usage[].auc", "number", "share", "chance that a used site scores higher than an unused one, ties counting half", always=False),
    Field("site_usage[].auc_low", "number", "share", "lower end of its 95 % interval", always=False, nullable=True),
    Field("site_usage[].auc_high", "number", "share", "upper end", always=False, nullable=True),
    Field("site_usage[].difference", "number", "difference of shares", "auc minus that of the reference arm", always=False),
    Field("site_usage[].difference_low", "number", "difference of shares", "lower end of its 95 % interval, paired", always=False, nullable=True),
    Field("site_usage[].difference_high", "number", "difference of shares", "upper end", always=False, nullable=True),
    *_of_table(f"{_ARM}.strata.{{stratum}}", RANKING_TABLE, _KEYS | {"stratum"}),
    *_of_table(f"{_ARM}.against.{{other}}", CONTRAST_TABLE, _KEYS | {"other"}),
    *_of_table(f"{_ARM}.thresholds", THRESHOLD_TABLE, _KEYS),
    *_of_table(f"{_ARM}.calibration", CALIBRATION_SUMMARY_TABLE, _KEYS),
)  # fmt: skip


def paths_of(content: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a JSON document that is no object and no list of anything, with its path."""
    if isinstance(content, Mapping):
        for name, value in content.items():
            yield from paths_of(value, f"{path}.{name}" if path else name)
    elif isinstance(content, list) and not path.startswith(("base_model.", "dataset.")):
        for value in content:
            yield from paths_of(value, f"{path}[]")
    else:
        yield path, content


def as_markdown() -> str:
    """The fields as a table."""
    lines = ["| field | type | unit | always there | may be null | meaning |", "|---|---|---|---|---|---|"]
    lines += [
        f"| `{one.path}` | {one.kind} | {one.unit} | {'yes' if one.always else 'no'} | {'yes' if one.nullable else 'no'} | {one.meaning} |"
        for one in FIELDS
    ]
    return "\n".join(lines) + "\n"
