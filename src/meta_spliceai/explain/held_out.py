"""The rows of a run's dataset, each beside the fold's models that had not seen its gene."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.errors import InputError, StoreError
from meta_spliceai.genome.draws import seeded_word
from meta_spliceai.genome.labels import BoolArray
from meta_spliceai.reference.load import Reference
from meta_spliceai.store.folder import Manifest, read_manifest
from meta_spliceai.store.tables import read_tsv
from meta_spliceai.train.matrix import DatasetFolder, TrainingRows, load_rows
from meta_spliceai.train.model import MetaModel
from meta_spliceai.train.parts import FORMAT_VERSION, KIND, MODEL, SPLIT_FILE
from meta_spliceai.train.residual import Ensemble, base_margin
from meta_spliceai.train.sampled import weighted_average_precision
from meta_spliceai.train.split import SET_ASIDE, SPLIT_TABLE

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TrainedRun:
    """A finished cross-validated training run: its folder, manifest, saved model, and `SPLIT_TABLE`."""

    path: Path
    manifest: Manifest
    model: MetaModel
    split: pl.DataFrame

    def ensemble(self, fold: int) -> Ensemble:
        """The models that had not seen the genes of a fold; all of them for genes in none."""
        whole = self.model.ensemble
        if fold == SET_ASIDE:
            return whole
        return dataclasses.replace(whole, corrections={c: (held[fold],) for c, held in whole.corrections.items()})

    def check_input(self, name: str, given: str, path: Path) -> None:
        """Refuse a dataset, reference or base pass other than the run's.

        Raises
        ------
        InputError
            It is another one.
        """
        held = self.manifest.inputs[name]
        if held != given:
            raise InputError(
                expected=f"the {name.replace('_', ' ')} of the training run {self.path} ({held[:12]})",
                found=f"{path} is another one ({given[:12]})",
                action="give the folder that the run was trained with",
            )


def open_run(path: Path) -> TrainedRun:
    """Open a training run.

    Raises
    ------
    StoreError
        There is none, it is unfinished, or it is of one split.
    ModelError
        Its model is damaged.
    """
    manifest = read_manifest(path, KIND, FORMAT_VERSION)
    if not manifest.complete:
        raise StoreError(
            expected=f"a finished training run in {path}",
            found="one that was interrupted",
            action="run the same train command again; finished folds are kept",
        )
    return TrainedRun(path, manifest, MetaModel.load(path / MODEL), read_tsv(path / SPLIT_FILE, SPLIT_TABLE))


@dataclass(frozen=True, slots=True)
class ChannelRows:
    """Rows of one site type: first the m rows that reach the gate, then the others.

    Parameters
    ----------
    channel
        donor or acceptor.
    features
        Of those that reach the gate, shape (m, width).
    start
        The logits that corrections start from, shape (m,).
    fold, group
        Shape (m,).
    below
        Logits of the other rows, shape (n - m,): there the base model's scores stand.
    label, weight
        The truth, and how many bases each row stands for, shape (n,).
    """

    channel: str
    features: Floats
    start: Floats
    fold: Indices
    group: Indices
    below: Doubles
    label: BoolArray
    weight: Doubles

    def margin(self, ensembles: Mapping[int, Ensemble], features: Floats) -> Floats:
        """Logits of the m rows by the models of their folds, with other values in place of `self.features`."""
        found = self.start.copy()
        for fold, ensemble in ensembles.items():
            at = np.flatnonzero(self.fold == fold)
            if at.size:
                found[at] = ensemble.margin(self.channel, features[at], self.start[at])
        return found

    def average_precision(self, margin: Floats) -> float | None:
        """Of all n rows, weighted, with these logits for those that reach the gate."""
        return weighted_average_precision(np.concatenate([margin, self.below]), self.label, self.weight)


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Rows of a run's dataset, of whole gene groups.

    Parameters
    ----------
    rows
        All rows of the dataset.
    fold, group
        Of every row, shape (n,).
    chosen
        Which rows belong to the gene groups that are looked at, shape (n,).
    ensembles
        By fold, the models that had not seen its genes.
    """

    rows: TrainingRows
    fold: Indices
    group: Indices
    chosen: BoolArray
    ensembles: Mapping[int, Ensemble]

    @property
    def groups(self) -> int:
        """Number of gene groups that are looked at."""
        return int(np.unique(self.group[self.chosen]).size)

    def of_channel(self, channel: str, gate: float) -> ChannelRows:
        """The chosen rows of one site type."""
        rows = self.rows
        start = rows.start(channel)
        reaching = start >= np.float32(gate)
        # places in the matrix of features, which has a row for those that reach the gate in either site type
        place = np.flatnonzero((self.chosen & reaching)[rows.gated])
        at, others = rows.gated[place], np.flatnonzero(self.chosen & ~reaching)
        with np.errstate(divide="ignore"):
            wide = start[others].astype(np.float64)
            below = np.log(wide) - np.log1p(-wide)
        every = np.concatenate([at, others])
        return ChannelRows(
            channel=channel,
            features=rows.features[place],
            start=base_margin(start[at]),
            fold=self.fold[at],
            group=self.group[at],
            below=below,
            label=rows.truth(channel)[every],
            weight=rows.weight[every],
        )


def load_held_out(
    run: TrainedRun, dataset: DatasetFolder, reference: Reference, *, max_rows: int, seed: int
) -> HeldOut:
    """Read the rows of whole gene groups, drawn in a seeded order until they have `max_rows` rows with features."""
    names = tuple(feature.name for feature in run.model.features)
    genes = reference.genes.filter(pl.col("gene_id").is_in(dataset.gene_ids))
    rows = load_rows(dataset, names, genes, run.model.ensemble.gate)
    placed = rows.keys.select("gene_id").join(run.split, on="gene_id", how="left", maintain_order="left")
    fold, group = (placed[name].cast(pl.Int64).to_numpy() for name in ("fold", "group"))
    counts = np.bincount(group[rows.gated], minlength=int(group.max()) + 1)
    order = sorted(np.unique(group).tolist(), key=lambda one: seeded_word(seed, "explain", one))
    enough = int(np.searchsorted(np.cumsum(counts[order]), max_rows)) + 1
    return HeldOut(
        rows=rows,
        fold=fold,
        group=group,
        chosen=np.isin(group, order[:enough]),
        ensembles={held: run.ensemble(held) for held in np.unique(fold).tolist()},
    )
