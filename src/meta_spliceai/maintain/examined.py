"""A dataset being examined: what is read of it is read once, when a check first asks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from meta_spliceai.build.documents import GENE_MANIFEST
from meta_spliceai.build.master import MASTER
from meta_spliceai.build.run import FORMAT_VERSION, KIND
from meta_spliceai.errors import MetaSpliceAIError
from meta_spliceai.maintain.feature_checks import FeatureTally
from meta_spliceai.maintain.findings import NotApplicableError
from meta_spliceai.maintain.remedies import commands_for
from meta_spliceai.maintain.rewrite import read_gene_manifest
from meta_spliceai.maintain.row_checks import RowTally
from meta_spliceai.reference.load import Reference
from meta_spliceai.store.folder import Manifest, read_manifest
from meta_spliceai.train.matrix import DatasetFolder, open_dataset, read_row_group

SAMPLED_GROUPS, SAMPLED_PER_GROUP = 32, 20
"""At most so many row groups are looked into for rows to compute again, and so many rows of each."""


class ExaminedDataset:
    """A dataset folder; what cannot be read makes checks inapplicable, never the examination fail.

    Parameters
    ----------
    path
        The folder.
    reference
        The reference given, if any.
    verify
        Whether checksums are compared.
    quick
        Whether checks that read all features or the genome are left out.
    seed
        Seed of the choice of sampled rows.
    codes
        The checks that will be made.
    """

    def __init__(
        self,
        path: Path,
        reference: Reference | None,
        *,
        verify: bool,
        quick: bool,
        seed: int,
        codes: Collection[str],
    ) -> None:
        self.path, self.given, self.verify, self.quick = path, reference, verify, quick
        self._seed, self._codes = seed, set(codes) | ({"DS017"} if "DS022" in codes else set())

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest."""
        try:
            return read_manifest(self.path, KIND, FORMAT_VERSION)
        except MetaSpliceAIError as error:
            raise NotApplicableError("the manifest cannot be read, see DS001") from error

    @cached_property
    def commands(self) -> Mapping[str, str]:
        """Commands that mend this dataset, by their names in remedies."""
        try:
            manifest = self.manifest
        except NotApplicableError:
            return commands_for(self.path, None, None)
        return commands_for(self.path, manifest, None if self.given is None else self.given.path)

    @cached_property
    def dataset(self) -> DatasetFolder:
        """The opened dataset."""
        try:
            return open_dataset(self.path)
        except MetaSpliceAIError as error:
            raise NotApplicableError("the dataset cannot be opened, see DS001 to DS006") from error

    @cached_property
    def rows(self) -> RowTally:
        """The pass over the columns that the chosen checks need."""
        dataset = self.dataset
        if not any(file.rows for file in dataset.manifest.files() if file.name.startswith(f"{MASTER}/")):
            raise NotApplicableError("the dataset has no rows")
        try:
            return RowTally(dataset, self._codes)
        except (MetaSpliceAIError, pl.exceptions.PolarsError, pa.ArrowException, OSError) as error:
            raise NotApplicableError("the rows cannot be read, see DS003 and DS006") from error

    @cached_property
    def features(self) -> FeatureTally:
        """The pass over all features."""
        self.require_time("reads all features")
        try:
            return FeatureTally(self.dataset)
        except (MetaSpliceAIError, pl.exceptions.PolarsError) as error:
            raise NotApplicableError("the rows cannot be read, see DS003 and DS006") from error

    @cached_property
    def sample(self) -> pl.DataFrame:
        """Some rows with all columns, from row groups spread over the dataset."""
        try:
            return self._drawn(self.dataset)
        except (MetaSpliceAIError, pl.exceptions.PolarsError) as error:
            raise NotApplicableError("the rows cannot be read, see DS003 and DS006") from error

    def _drawn(self, dataset: DatasetFolder) -> pl.DataFrame:
        places = [(path, group) for path in dataset.files for group in range(pq.read_metadata(path).num_row_groups)]
        draw = np.random.default_rng(self._seed)
        chosen = sorted(draw.choice(len(places), min(SAMPLED_GROUPS, len(places)), replace=False).tolist())
        samples = []
        for number in chosen:
            path, group = places[number]
            rows = read_row_group(dataset, path, group, dataset.table.names)
            samples.append(rows.sample(min(SAMPLED_PER_GROUP, rows.height), seed=self._seed + number))
        return pl.concat(samples) if samples else dataset.table.empty()

    def require_time(self, why: str) -> None:
        """Raise `NotApplicableError` where only the cheap checks are wanted."""
        if self.quick:
            raise NotApplicableError(f"left out by --quick: it {why}")

    @property
    def reference(self) -> Reference:
        """The reference."""
        if self.given is None:
            raise NotApplicableError("no reference was given: add --reference")
        return self.given

    @cached_property
    def genes(self) -> pl.DataFrame:
        """The gene manifest."""
        if not (self.dataset.path / GENE_MANIFEST).exists():
            raise NotApplicableError(
                f"there is no {GENE_MANIFEST}; the same build command without --no-manifest writes it"
            )
        return read_gene_manifest(self.dataset)

    @cached_property
    def bodies(self) -> pl.DataFrame:
        """gene_id, chrom, strand, start, end of the genes: of the gene manifest, or else of the reference."""
        place = ["gene_id", "chrom", "strand", "start", "end"]
        if self.given is None or (self.dataset.path / GENE_MANIFEST).exists():
            return self.genes.select(place)
        return self.given.genes.filter(pl.col("gene_id").is_in(self.dataset.gene_ids)).select(place)
