"""The commands that mend a dataset, with its own paths and options filled in."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from meta_spliceai.basepass.artifacts import open_artifacts
from meta_spliceai.basepass.plan import META_MODELS
from meta_spliceai.build.documents import GENE_MANIFEST
from meta_spliceai.build.layout import ADDITIONS, BATCH_GENES, MERGED, SHARD, batches_of
from meta_spliceai.build.master import MASTER
from meta_spliceai.build.patches import MERGED_UNITS
from meta_spliceai.build.select import DEFAULT_GENES, DEFAULT_POLICY
from meta_spliceai.errors import MetaSpliceAIError
from meta_spliceai.maintain.rewrite import MAINTENANCE
from meta_spliceai.schema.enrichers import BUILT_IN
from meta_spliceai.schema.tables import BASE_MODELS, ENRICHED_COLUMNS, ENRICHERS
from meta_spliceai.store.folder import MANIFEST, Manifest

UNKNOWN_OPTIONS = "OPTIONS"
"""Stands for the options that a dataset was built with where its manifest cannot be read."""


def commands_for(folder: Path, manifest: Manifest | None, reference: Path | None) -> Mapping[str, str]:
    """Commands by the names that remedies use.

    Parameters
    ----------
    folder
        The dataset.
    manifest
        Its manifest; where it cannot be read, its options are not known.
    reference
        The reference it was built with, if given; the folder of the base pass is looked for there.
    """
    quoted = shlex.quote(str(folder))
    given = f" --reference {shlex.quote(str(reference))}" if reference else ""
    build = f"meta-spliceai build --output-dir {quoted}{given}"
    if manifest is None:
        resume, rebuild = f"{build} {UNKNOWN_OPTIONS} --verify", f"{build} {UNKNOWN_OPTIONS} --overwrite"
    elif MAINTENANCE in manifest.parameters:  # `build` does not undo what was done to it afterwards
        again = shlex.quote(f"{folder}_again")
        options = _options(folder, manifest, reference, extends=False)
        resume = rebuild = f"meta-spliceai build --output-dir {again}{given}{options}"
    else:
        resume = f"{build}{_options(folder, manifest, reference, extends=True)} --verify"
        rebuild = f"{build}{_options(folder, manifest, reference, extends=False)} --overwrite"
    dedup = f"meta-spliceai dataset dedup {quoted} --inplace{_one_row(manifest)}"
    patch = f"meta-spliceai dataset patch {quoted}{given} --inplace --kind"
    return {
        "folder": quoted,
        "resume": resume,
        "rebuild": rebuild,
        "patch": f"{patch} structural` and `{patch} gene_type",
        "dedup": dedup,
        "clear": dedup if manifest is not None and _has_strays(folder, manifest) else resume,
        "migrate": f"meta-spliceai dataset migrate {quoted} --dst {shlex.quote(str(folder) + '_migrated')}{given}",
    }


def _has_strays(folder: Path, manifest: Manifest) -> bool:
    """Whether master holds Parquet files that are no part, finished or planned: `build` refuses to go on beside them."""
    planned = () if MAINTENANCE in manifest.parameters else batches_of(manifest.parameters)
    known = {*manifest.parts, *(batch.name for batch in planned)}
    return any(path.stem not in known for path in (folder / MASTER).glob("*.parquet"))


def _one_row(manifest: Manifest | None) -> str:
    """How rows of different genes at one base are removed, where a base has one row in the dataset."""
    merged = manifest is not None and manifest.parameters.get(MERGED_UNITS)
    return " --subset-cols chrom position strand" if merged else ""


def _options(folder: Path, manifest: Manifest, reference: Path | None, *, extends: bool) -> str:
    """The options of `build` that made a dataset; those with their default values are left out."""
    held = manifest.parameters
    words: list[str] = []
    if reference and (found := _eval_dir(reference, manifest.inputs.get("base_pass", ""))):
        words += ["--eval-dir", str(found)]
    words += _genes(folder, held, extends=extends)
    numbers = {"batch_size": 1_000, "hard_prob": 0.15, "window": 75, "easy_ratio": 0.5, "seed": 42}
    for name, default in numbers.items():
        if name in held and held[name] != default:
            words += [f"--{name.replace('_', '-')}", str(held[name])]
    if list(held.get("kmer_sizes", [6])) != [6] and "kmer" in held.get(ENRICHERS, BUILT_IN):
        words += ["--kmer-sizes", *(map(str, held["kmer_sizes"]) if held["kmer_sizes"] else "0")]
    if set(held.get(ENRICHERS, BUILT_IN)) != set(BUILT_IN):
        words += ["--enrichers", *held[ENRICHERS]]
    words += ["--base-models", *held[BASE_MODELS]] if BASE_MODELS in held else []
    # which files evidence came from is not recorded, only what is in them
    evidence = [f"{name}=FILE" for name in sorted(held.get(ENRICHED_COLUMNS, {}))]
    words += ["--evidence", *evidence] if evidence else []
    return "".join(f" {shlex.quote(word)}" for word in words)


def _genes(folder: Path, held: Mapping[str, Any], *, extends: bool) -> list[str]:
    listed = ["--subset-policy", "custom", "--gene-ids-file", str(folder / GENE_MANIFEST)]
    types = ["--gene-types", *held["gene_types"]] if held.get("gene_types") else []
    if SHARD in held:
        return ["--shard", f"{held[SHARD]['number']}/{held[SHARD]['of']}"]
    if any(name in held for name in (BATCH_GENES, ADDITIONS, MERGED)):
        return [*(["--extend"] if extends else []), *listed]
    policy = held.get("subset_policy", "all")
    if policy == "custom":
        return [*listed, *types]
    words = [] if policy == DEFAULT_POLICY else ["--subset-policy", policy]
    if policy != "all" and held["n_genes"] != DEFAULT_GENES:
        words += ["--n-genes", str(held["n_genes"])]
    return [*words, *types]


def _eval_dir(reference: Path, fingerprint: str) -> Path | None:
    for path in sorted(reference.glob(f"*_eval/{META_MODELS}/{MANIFEST}")):
        try:
            if open_artifacts(path.parent).fingerprint == fingerprint:
                return path.parent.parent
        except MetaSpliceAIError:
            continue
    return None
