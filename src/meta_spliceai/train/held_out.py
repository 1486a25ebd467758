"""What a trained correction is worth on rows that were held out, beside the base model on the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from meta_spliceai.errors import InputError
from meta_spliceai.train.baseline import deltas, read_baseline
from meta_spliceai.train.holdout import SIDES, TEST, VALID, places_of
from meta_spliceai.train.light import Light
from meta_spliceai.train.rows import Rows
from meta_spliceai.train.sampled import calls_by_gene, estimates
from meta_spliceai.train.trained import TrainedCorrection, probability_of

NOTE = (
    "weighted estimates from the sampled rows of held-out groups, base model and meta-model on the same rows; the result "
    "that counts is measured on whole genes by `meta-spliceai train` and `meta-spliceai evaluate`"
)
MEASURED = (VALID, TEST)

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.signedinteger[Any]]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Rows that were held out, scored.

    Parameters
    ----------
    rows
        All rows.
    places
        Which of them were held out, ascending, shape (m,).
    side
        Their places in `SIDES`, shape (m,).
    known
        Their weights and base scores.
    scores
        The model's probabilities by channel, shape (m,).
    """

    rows: Rows
    places: Indices
    side: npt.NDArray[np.int8]
    known: Light
    scores: Mapping[str, Floats]

    def _of(self, side: str) -> Indices:
        return np.flatnonzero(self.side == SIDES.index(side))

    def estimates(self, threshold: float) -> dict[str, Any]:
        """Metrics by side, channel and arm; see `sampled.estimates`."""
        rows = self.rows
        found: dict[str, Any] = {}
        for side in MEASURED:
            at = self._of(side)
            if not at.size:
                continue
            places = self.places[at]
            found[side] = {"rows": int(places.size), "groups": int(np.unique(rows.group[places]).size)}
            for channel in rows.channels:
                truth, weight = rows.truth(channel, places), self.known.weight[at]
                arms = {"meta": self.scores[channel][at]}
                if rows.has_base:
                    arms["base"] = self.known.base[channel][at]
                found[side][channel] = {
                    "sites": int(truth.sum()),
                    **{
                        arm: estimates(score.astype(np.float64), truth, weight, threshold)
                        for arm, score in arms.items()
                    },
                }
        return found

    def deltas(self, tsv: Path | None, threshold: float) -> pl.DataFrame:
        """Each test group (validation group, where none is tested on) beside the base model; see `baseline.deltas`.

        Raises
        ------
        InputError
            The rows have no base scores, or the table is one of other genes.
        """
        rows = self.rows
        if not rows.has_base:
            raise InputError("base scores of the rows", "features only", "fit a dataset, or a frame with its columns")
        at = next((own for own in (self._of(side) for side in (TEST, VALID)) if own.size), self._of(TEST))
        places = self.places[at]
        groups = self._groups(places)
        baseline = None if tsv is None else read_baseline(tsv, rows.groups)
        frames = [
            calls_by_gene(
                groups,
                rows.truth(channel, places),
                self.known.weight[at],
                {
                    "base": self.known.base[channel][at].astype(np.float64),
                    "meta": self.scores[channel][at].astype(np.float64),
                },
                threshold,
            ).with_columns(splice_type=pl.lit(channel))
            for channel in rows.channels
        ]
        calls = pl.concat(frames).sort("gene_id", "splice_type", descending=[False, True])
        return deltas(calls, "base", "meta", baseline)

    def frame(self, group_col: str) -> pl.DataFrame:
        """Group, row number, side, label, weight, and both models' probabilities."""
        rows, held = self.rows, self.places
        return pl.DataFrame(
            {
                group_col: self._groups(held),
                "row": held,
                "side": [SIDES[side] for side in self.side.tolist()],
                "label": rows.codes[held],
                "weight": self.known.weight,
                **{f"base_{channel}": score for channel, score in self.known.base.items()},
                **{f"meta_{channel}": score for channel, score in self.scores.items()},
            }
        )

    def _groups(self, places: Indices) -> pl.Series:
        return pl.Series(np.array(self.rows.groups, dtype=object)[self.rows.group[places]].tolist(), dtype=pl.String)


def score_held_out(rows: Rows, side: npt.NDArray[np.int8], model: TrainedCorrection) -> HeldOut:
    """Score the rows that are not trained on; `side` holds each row's place in `SIDES`, shape (n,)."""
    held = places_of(side, VALID, TEST)
    scores = {channel: np.empty(held.size, dtype=np.float32) for channel in rows.channels}
    lights = []
    for at, batch, light in rows.store.batches(held):
        for channel in rows.channels:
            scores[channel][at] = probability_of(model.corrections[channel], batch, light.start(channel))
        lights.append(light)
    known = (
        Light.joined(lights) if lights else Light(np.empty(0), dict.fromkeys(rows.channels, np.empty(0, np.float32)))
    )
    return HeldOut(rows, held, side[held], known, scores)
