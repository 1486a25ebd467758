"""What is known of every base besides its scores, in a few bytes each, and whether the table can be measured at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.errors import SchemaError, StoreError, first_few
from meta_spliceai.evaluate.predictions import BASE_COLUMNS, Predictions
from meta_spliceai.evaluate.strata import Traits, traits_of
from meta_spliceai.evaluate.thresholds import Folds
from meta_spliceai.schema.check import check_frame
from meta_spliceai.schema.column import Table
from meta_spliceai.schema.tables import STRANDS

_POSITION_BITS = 40


@dataclass(frozen=True, slots=True)
class Bases:
    """The bases of a predictions table, in its order.

    Parameters
    ----------
    group
        Gene group, numbered from 0, shape (n,).
    traits
        What strata ask of a base, shape (n,).
    group_names
        The groups as in the predictions, ascending, shape (groups,).
    folds
        The fold of each group.
    """

    group: npt.NDArray[np.int32]
    traits: Traits
    group_names: npt.NDArray[np.int32]
    folds: Folds

    @property
    def fold(self) -> npt.NDArray[np.int8]:
        """The fold of each base, as in the predictions, shape (n,)."""
        return self.folds.names.astype(np.int8)[self.folds.of_group][self.group]

    @property
    def groups(self) -> int:
        """Number of gene groups."""
        return int(self.group_names.size)


def load_bases(predictions: Predictions) -> Bases:
    """Read all keys once, check them, and keep what measuring needs.

    Raises
    ------
    SchemaError
        Nulls, values out of bounds, a unit that occurs twice, or a gene group in more than one fold: its bases would
        have been scored by a model that had seen the group.
    StoreError
        Gene groups that predictions.json announces have no base, so a part is missing.
    """
    n = predictions.bases
    keys = Table("predictions", 1, "what the table says besides scores", (*BASE_COLUMNS, *predictions.optional))
    group, traits, unit = np.empty(n, np.int32), np.empty(n, np.uint16), np.empty(n, np.int64)
    contigs: dict[str, int] = {}
    held: list[pl.DataFrame] = []
    done = 0
    for frame in predictions.batches(keys.names):
        check_frame(frame, keys, source=str(predictions.folder))
        rows = slice(done, done + frame.height)
        group[rows] = frame["group"].to_numpy()
        traits[rows] = traits_of(
            *(frame[name].to_numpy() for name in ("is_coding", "base_unseen", "site_class")),
            **{column.name: frame[column.name].to_numpy() for column in predictions.optional},
        )
        unit[rows] = _units(frame, contigs)
        held.append(frame.select("group", "fold").unique())
        done += frame.height
    _refuse_doubled(unit, contigs, predictions)
    folds = pl.concat(held).unique().sort("group", "fold")
    _refuse_split_groups(folds, predictions)
    _refuse_absent_groups(set(folds["group"].to_list()), predictions)
    _refuse_partly_calibrated(folds["fold"].unique().to_numpy(), predictions)
    names, of_group = np.unique(folds["fold"].to_numpy().astype(np.int64), return_inverse=True)
    group_names = folds["group"].to_numpy()
    return Bases(np.searchsorted(group_names, group).astype(np.int32), traits, group_names, Folds(names, of_group))


def _units(frame: pl.DataFrame, contigs: dict[str, int]) -> npt.NDArray[np.int64]:
    """One number per (chrom, strand, position); new contigs are added to `contigs`."""
    for name in frame["chrom"].unique(maintain_order=True).to_list():
        contigs.setdefault(name, len(contigs))
    chrom = frame["chrom"].replace_strict(contigs, return_dtype=pl.Int64).to_numpy()
    strand = (frame["strand"] == STRANDS[1]).to_numpy()
    number: npt.NDArray[np.int64] = ((chrom * 2 + strand) << _POSITION_BITS) + frame["position"].to_numpy()
    return number


def _refuse_doubled(unit: npt.NDArray[np.int64], contigs: dict[str, int], predictions: Predictions) -> None:
    unit.sort()
    doubled = np.flatnonzero(unit[1:] == unit[:-1])
    if doubled.size:
        where, position = divmod(int(unit[doubled[0]]), 1 << _POSITION_BITS)
        chrom = {number: name for name, number in contigs.items()}[where // 2]
        raise SchemaError(
            expected=f"each (chrom, position, strand) once in {predictions.folder}",
            found=f"{doubled.size:,} rows too many, the first at {chrom}:{position}:{STRANDS[where % 2]}",
            action="remove the doubled part, then evaluate again",
        )


def _refuse_split_groups(folds: pl.DataFrame, predictions: Predictions) -> None:
    split = folds.group_by("group").len().filter(pl.col("len") > 1)["group"].sort()
    if split.len():
        raise SchemaError(
            expected=f"each gene group in one fold in {predictions.folder}",
            found=f"groups in several folds: {first_few(split.to_list())}",
            action="split by gene group and train again: these bases were scored by models that knew their group",
        )


def _refuse_absent_groups(found: set[int], predictions: Predictions) -> None:
    announced = predictions.description.genes
    absent = sorted(set(announced) - found)
    if absent:
        raise StoreError(
            expected=f"bases of all {len(announced)} gene groups in {predictions.folder}",
            found=f"none of {len(absent)}, such as {first_few([' '.join(announced[group]) for group in absent], 3)}",
            action="a part is missing: run the same train command again; it makes what is not there",
        )
    unknown = sorted(found - set(announced))
    if unknown:
        raise SchemaError(
            expected=f"gene groups that {predictions.folder}/predictions.json names",
            found=f"others: {first_few(unknown)}",
            action="the parts belong to another run: remove them and train again",
        )


def _refuse_partly_calibrated(folds: npt.NDArray[np.int64], predictions: Predictions) -> None:
    """An arm with maps for some folds only would mix probabilities with scores that are none."""
    for (arm, kind), maps in predictions.description.maps.items():
        without = sorted(set(folds.tolist()) - set(maps))
        if without:
            raise SchemaError(
                expected=f"a calibration of arm {arm}, {kind}, for every fold in {predictions.folder}/predictions.json",
                found=f"none for folds {first_few(without)}",
                action="make the predictions again with `meta-spliceai train`; it resumes",
            )
