"""Batches into a dataset folder: what is done is kept, what is missing or damaged is made, strays are removed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from meta_spliceai.build import master
from meta_spliceai.build.batch import FinishedBatch
from meta_spliceai.store.folder import Folder, PartEntry, file_is_whole
from meta_spliceai.workers.pool import run_parts
from meta_spliceai.workers.progress import track

log = logging.getLogger(__name__)


class PlannedBatch(Protocol):
    """A batch that can be made."""

    @property
    def name(self) -> str:
        """`batch_00001` and so on: the name of the part."""

    @property
    def gene_ids(self) -> tuple[str, ...]:
        """Its genes."""


Planned = TypeVar("Planned", bound=PlannedBatch)


def assemble(
    folder: Folder,
    batches: Sequence[Planned],
    identities: Mapping[str, str],
    make: Callable[[Planned], FinishedBatch],
    *,
    title: str,
    workers: int = 1,
    verify: bool = False,
) -> int:
    """Make the batches that are missing, damaged or outdated; returns how many were made.

    Parameters
    ----------
    identities
        Fingerprint by batch name.
    make
        A module-level function that writes the files of a batch and puts it into the master folder.
    title
        What is shown while it works.
    verify
        Compare checksums of finished batches, not only sizes and footers.

    Raises
    ------
    StoreError
        The master folder holds Parquet files of others.
    """
    master.remove_strays(folder.path, list(identities))
    for batch in batches:
        _repair_link(folder, batch.name, identities[batch.name])
    todo = [batch for batch in batches if not folder.is_done(batch.name, identities[batch.name], verify=verify)]
    log.info("%d of %d batches to make", len(todo), len(batches))
    with track(title, sum(len(batch.gene_ids) for batch in todo), "genes") as progress:
        for batch, finished in run_parts(make, todo, workers=workers):
            folder.record(batch.name, PartEntry(identities[batch.name], finished.files, finished.facts))
            progress.advance(len(batch.gene_ids))
    return len(todo)


def _repair_link(folder: Folder, name: str, identity: str) -> None:
    """Put a finished batch back into the master folder where its file there is missing or another one."""
    entry = folder.manifest.parts.get(name)
    if entry is None or entry.fingerprint != identity:
        return
    trimmed = next((file for file in entry.files if file.name == master.trim_file(name)), None)
    if trimmed is None or not file_is_whole(folder.path, trimmed) or master.is_linked(folder.path, name, trimmed):
        return
    log.warning("%s was missing or stale and is linked again", master.master_file(name))
    master.link(folder.path, name)
