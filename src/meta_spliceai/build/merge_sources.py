"""Datasets that are to be merged: each one whole and as it was built, all of them built alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from meta_spliceai.build.layout import CHOICE_OF_GENES, LAYOUT, SHARD, Batch, batch_identities, batches_of, whole_plan
from meta_spliceai.build.master import MASTER
from meta_spliceai.build.patches import PATCH_PART
from meta_spliceai.build.run import FORMAT_VERSION, KIND
from meta_spliceai.errors import InputError, PlanMismatchError, StoreError, first_few
from meta_spliceai.schema.tables import GENE_MANIFEST_TABLE
from meta_spliceai.store.folder import MANIFEST, Manifest, differences, file_is_whole, read_manifest

_OF_NO_CONSEQUENCE = CHOICE_OF_GENES | LAYOUT | {"batch_size"}
"""Parameters on which no row depends."""
GENE_MANIFEST = "gene_manifest.csv"


@dataclass(frozen=True, slots=True)
class Source:
    """A dataset that is merged with others.

    Parameters
    ----------
    path, manifest
        Its folder, and what that says about itself.
    batches
        Its batches.
    genes
        Its `GENE_MANIFEST_TABLE`.
    """

    path: Path
    manifest: Manifest
    batches: tuple[Batch, ...]
    genes: pl.DataFrame

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The parameters in its manifest."""
        return self.manifest.parameters

    @property
    def shard(self) -> Mapping[str, Any] | None:
        """Its number and how many there are, if it is a shard."""
        held: Mapping[str, Any] | None = self.parameters.get(SHARD)
        return held


def dataset_folder(path: Path) -> Path:
    """The folder of a dataset that is named by itself or by its master folder."""
    return path.parent if path.name == MASTER and not (path / MANIFEST).exists() else path


def missing_batches(folder: Path, manifest: Manifest, *, verify: bool = False) -> list[str]:
    """Batches that are not there, not whole, or not those that the manifest's parameters ask for."""
    identities = batch_identities(manifest.parameters, manifest.inputs)
    return [
        name
        for name, identity in identities.items()
        if (entry := manifest.parts.get(name)) is None
        or entry.fingerprint != identity
        or not all(file_is_whole(folder, file, verify=verify) for file in entry.files)
    ]


def open_sources(paths: Sequence[Path], *, verify: bool = False) -> list[Source]:
    """Open datasets, and check that rows of one could stand in any other.

    Raises
    ------
    InputError
        A dataset is named twice.
    StoreError
        One is not finished, damaged, or was changed after it was built.
    PlanMismatchError
        They were built with other options, or from other references or base passes; the differences are listed.
    """
    folders = [dataset_folder(path) for path in paths]
    doubled = sorted({str(folder) for n, folder in enumerate(folders) if folder.resolve() in _resolved(folders[:n])})
    if doubled:
        raise InputError("each dataset once", f"named more than once: {first_few(doubled)}", "name it once")
    manifests = [read_manifest(folder, KIND, FORMAT_VERSION) for folder in folders]
    for folder, manifest in zip(folders, manifests, strict=True):
        _check_as_built(folder, manifest)
    _check_alike(folders, manifests)
    for folder, manifest in zip(folders, manifests, strict=True):
        _check_whole(folder, manifest, verify=verify)
    return [
        Source(folder, manifest, batches_of(manifest.parameters), _gene_manifest(folder, manifest))
        for folder, manifest in zip(folders, manifests, strict=True)
    ]


def _resolved(folders: Sequence[Path]) -> set[Path]:
    return {folder.resolve() for folder in folders}


def _check_as_built(folder: Path, manifest: Manifest) -> None:
    """A dataset that was mended or added to has other rows or columns than its parameters say."""
    patches = [name for name in manifest.parts if name.startswith(PATCH_PART)]
    if patches or "maintenance" in manifest.parameters:
        raise StoreError(
            expected=f"{folder} as `build` or `dataset merge` made it",
            found=f"patches: {first_few(patches)}" if patches else "rows or columns changed afterwards",
            action="merge the datasets as they were built; deduplicate and patch the merged one",
        )


def _check_alike(folders: Sequence[Path], manifests: Sequence[Manifest]) -> None:
    first = manifests[0]
    own = {name: value for name, value in first.parameters.items() if name in _OF_NO_CONSEQUENCE}
    found = []
    for folder, manifest in zip(folders[1:], manifests[1:], strict=True):
        others = {name: value for name, value in manifest.parameters.items() if name not in _OF_NO_CONSEQUENCE}
        words = (f"in {folders[0]}", f"in {folder}")
        found += differences(first, {**own, **others}, manifest.inputs, words=words)
    if found:
        raise PlanMismatchError(
            expected="datasets built with the same options, reference and base pass, but for the genes",
            found="; ".join(found),
            action="build them anew with the same options, or merge those that agree",
        )


def _check_whole(folder: Path, manifest: Manifest, *, verify: bool) -> None:
    missing = missing_batches(folder, manifest, verify=verify)
    if missing or not manifest.complete:
        raise StoreError(
            expected=f"a finished dataset in {folder}",
            found=f"{len(missing)} of {len(batches_of(manifest.parameters))} batches missing or damaged"
            + (f": {first_few(missing)}" if missing else ""),
            action="run its build command again; finished batches are kept",
        )


def _gene_manifest(folder: Path, manifest: Manifest) -> pl.DataFrame:
    entry = next((file for file in manifest.files() if file.name == GENE_MANIFEST), None)
    if entry is None or not file_is_whole(folder, entry, verify=True):
        raise StoreError(
            expected=f"{GENE_MANIFEST} of {folder} as the build wrote it",
            found="it is missing or was changed",
            action="run its build command again, with the gene manifest; only what is missing or damaged is made",
        )
    return pl.read_csv(folder / GENE_MANIFEST, schema=GENE_MANIFEST_TABLE.polars_schema())


def shards_of_one_plan(sources: Sequence[Source]) -> bool:
    """Whether the sources are the shards of one plan, all of them.

    Raises
    ------
    InputError
        Some are shards and others are not, or a batch is in several.
    PlanMismatchError
        They are shards of different plans; the differences are listed.
    StoreError
        Shards are missing; they are named.
    """
    shards = [source for source in sources if source.shard is not None]
    if not shards:
        return False
    if len(shards) < len(sources):
        others = [str(source.path) for source in sources if source.shard is None]
        raise InputError(
            expected="shards of one plan, or datasets that are no shards",
            found=f"both; no shard is {first_few(others)}",
            action="merge the shards of the plan first, then that dataset with the others",
        )
    whole = whole_plan(shards[0].parameters)
    _check_one_plan(shards, whole)
    _check_every_batch_once(shards, [batch.number for batch in batches_of(whole)])
    return True


def _check_one_plan(shards: Sequence[Source], whole: Mapping[str, Any]) -> None:
    planned, found = dataclasses.replace(shards[0].manifest, parameters=whole), []
    for other in shards[1:]:
        words = (f"in {shards[0].path}", f"in {other.path}")
        found += differences(planned, whole_plan(other.parameters), other.manifest.inputs, words=words)
    if found:
        raise PlanMismatchError(
            expected="shards of one plan", found="; ".join(found), action="build all shards with the same options"
        )


def _check_every_batch_once(shards: Sequence[Source], planned: Sequence[int]) -> None:
    held = [batch.number for source in shards for batch in source.batches]
    doubled = sorted({number for number in held if held.count(number) > 1})
    if doubled:
        raise InputError(
            expected="each batch of the plan in one shard",
            found=f"in several: batches {first_few(doubled)}",
            action="name each shard once, and shards of one division only",
        )
    missing = [number for number in planned if number not in set(held)]
    if missing:
        of = int((shards[0].shard or {})["of"])
        names = sorted({(number - 1) % of + 1 for number in missing})
        raise StoreError(
            expected=f"all {len(planned)} batches of the plan",
            found=f"{len(missing)} missing: batches {first_few(missing)}",
            action=f"build the missing shards first: {first_few([f'--shard {name}/{of}' for name in names], 20)}",
        )
