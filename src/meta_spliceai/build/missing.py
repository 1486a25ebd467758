"""Genes without artifacts: how many there are, and a base pass over just these before the build goes on.

Building itself never runs a base model. Where chosen genes have no artifacts, the base pass is called first, with the
options that the folder's artifacts were made with, so that it adds to them.
"""

from __future__ import annotations

import difflib
import inspect
import json
import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from meta_spliceai.basepass.artifacts import Artifacts, open_artifacts
from meta_spliceai.basepass.plan import META_MODELS, held_manifest
from meta_spliceai.basepass.run import run as run_base_pass
from meta_spliceai.errors import InputError, first_few
from meta_spliceai.reference.load import Reference

log = logging.getLogger(__name__)

_NOT_FOR_USERS = {"reference", "eval_dir", "genes", "gene_ids_file", "gene_col", "chromosomes", "gene_types", "all"}
"""Options of the base pass that the build decides."""


def parsed_workflow_options(text: str | None) -> dict[str, Any]:
    """Options of the base pass from JSON.

    Raises
    ------
    InputError
        It is no JSON object, or names options that the base pass does not have, with near matches.
    """
    if text is None:
        return {}
    action = """give for example --workflow-kwargs '{"threshold": 0.3, "workers": 2}'"""
    try:
        options = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError("--workflow-kwargs as a JSON object", f"{text!r}: {error}", action) from error
    if not isinstance(options, dict):
        raise InputError("--workflow-kwargs as a JSON object", f"{text!r}", action)
    known = sorted(set(inspect.signature(run_base_pass).parameters) - _NOT_FOR_USERS)
    strange = [name for name in options if name not in known]
    if strange:
        near = [match for name in strange for match in difflib.get_close_matches(name, known, 2)]
        raise InputError(
            expected=f"options of the base pass: {first_few(known, 30)}",
            found=first_few(strange),
            action=f"did you mean {first_few(near)}?" if near else action,
        )
    paths = {name: Path(options[name]) for name in ("weights",) if name in options}
    return {**options, **paths}


class PassOnDemand:
    """The artifacts of a base pass, completed where genes are missing.

    Parameters
    ----------
    reference
        The prepared reference.
    eval_dir
        Folder of the base pass; it may hold nothing yet.
    options
        Options of the base pass besides those that its artifacts were made with.
    allowed
        Whether it may be run.
    """

    def __init__(self, reference: Reference, eval_dir: Path, options: Mapping[str, Any], *, allowed: bool) -> None:
        self._reference, self._eval_dir, self._options, self._allowed = reference, eval_dir, options, allowed

    @property
    def available(self) -> set[str] | None:
        """Ids of the genes that have artifacts; None where there are no artifacts at all."""
        return open_artifacts(self._eval_dir).genes if self._exists() else None

    def _exists(self) -> bool:
        held = held_manifest(self._eval_dir / META_MODELS)
        return held is not None and held.parameters["positions"] is not None

    def missing(self, gene_ids: Collection[str]) -> list[str]:
        """Those of the genes that have no artifacts."""
        held = self.available or set()
        return [gene_id for gene_id in gene_ids if gene_id not in held]

    def complete(self, gene_ids: Sequence[str]) -> Artifacts:
        """The artifacts, after a base pass over those of the genes that have none, where that is allowed."""
        missing = self.missing(gene_ids)
        covered = len(gene_ids) - len(missing)
        log.info(
            "artifact coverage %.1f %%: %s of %s genes",
            100 * covered / max(1, len(gene_ids)), f"{covered:,}", f"{len(gene_ids):,}",
        )  # fmt: skip
        if missing and self._allowed:
            self._run(missing)
        return open_artifacts(self._eval_dir)

    def _run(self, gene_ids: Sequence[str]) -> None:
        genes = self._reference.genes.filter(pl.col("gene_id").is_in(list(gene_ids)))
        log.warning(
            "%s genes have no artifacts; the base pass runs over their %s bases first (--no-run-workflow to stop instead): %s",
            f"{len(gene_ids):,}", f"{int(genes['gene_length'].sum()):,}", first_few(gene_ids),
        )  # fmt: skip
        options = {**self._as_made_before(), **self._options}
        run_base_pass(reference=self._reference.path, eval_dir=self._eval_dir, genes=list(gene_ids), **options)

    def _as_made_before(self) -> dict[str, Any]:
        """The options that the artifacts were made with; nothing where there are none."""
        held = held_manifest(self._eval_dir / META_MODELS)
        if held is None:
            return {}
        parameters = held.parameters
        options = {name: parameters[name] for name in ("flank", "chunk_size")}
        positions = parameters["positions"]
        bases = [parameters["base_model"]["name"]]
        if positions is not None:
            bases += [base["name"] for base in positions["further_bases"]]
            options |= dict(positions["rule"])
            options |= {name: positions[name] for name in ("position_id_mode", "artifact_format")}
        return {**options, "base": bases}
