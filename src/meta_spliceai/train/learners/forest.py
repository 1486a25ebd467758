"""Random forest: fitted by scikit-learn, kept and applied as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from meta_spliceai.train.learners.arrays import pack, unpack
from meta_spliceai.train.learners.base import Settings
from meta_spliceai.train.learners.protocol import (
    SHARE,
    Doubles,
    Floats,
    LearningRows,
    Range,
    check_ranges,
    imported,
    logit_of,
)
from meta_spliceai.train.learners.scaling import fit_scaling

_ARRAYS = ("filler", "roots", "left", "right", "feature", "threshold", "share", "importance")


@dataclass(frozen=True, slots=True)
class ForestModel:
    """Trees, end to end.

    `left` and `right` are the places of a node's children, -1 for a leaf; a value at most `threshold` of `feature` goes
    left; `share` is the share of true bases in a node; `roots` are the places of the trees' roots; `filler` is what a
    missing value of each feature counts as.
    """

    arrays: dict[str, npt.NDArray[Any]]

    @property
    def rounds(self) -> int:
        """Trees."""
        return int(self.arrays["roots"].size)

    def margin(self, features: Floats, start: Floats | None) -> Floats:
        """Logits of the mean share over the trees; see `Fitted`."""
        held = self.arrays
        filled = np.where(np.isnan(features), held["filler"].astype(np.float32), features)
        rows = np.arange(len(filled))
        total = np.zeros(len(filled))
        for root in held["roots"].tolist():
            node = np.full(len(filled), root)
            moving = rows[held["left"][node] >= 0]
            while moving.size:
                here = node[moving]
                goes_left = filled[moving, held["feature"][here]] <= held["threshold"][here]
                node[moving] = np.where(goes_left, held["left"][here], held["right"][here])
                moving = moving[held["left"][node[moving]] >= 0]
            total += held["share"][node]
        return logit_of(total / max(1, self.rounds))

    def gains(self, width: int) -> Doubles:
        """Impurity that the splits on each feature take away."""
        assert self.arrays["importance"].size == width
        found: Doubles = self.arrays["importance"]
        return found

    def to_bytes(self) -> bytes:
        """The arrays as .npz."""
        return pack("forest", **self.arrays)

    @classmethod
    def load(cls, raw: bytes) -> ForestModel:
        """What `to_bytes` gave; `ValueError` for anything else."""
        return cls(unpack(raw, "forest", _ARRAYS))


@dataclass(frozen=True, slots=True)
class RandomForest(Settings):
    """A random forest; the names are scikit-learn's.

    Parameters
    ----------
    n_estimators
        Trees.
    max_depth
        Depth of a tree.
    min_samples_leaf
        Rows that a leaf must hold.
    max_features
        Share of the features that a split may choose among.
    """

    n_estimators: int = 200
    max_depth: int = 12
    min_samples_leaf: int = 5
    max_features: float = 0.2

    name: ClassVar[str] = "random_forest"
    suffix: ClassVar[str] = ".npz"
    starts_from_margin: ClassVar[bool] = False
    stops_early: ClassVar[bool] = False
    rounds_field: ClassVar[str | None] = "n_estimators"
    fitted: ClassVar[type[Any]] = ForestModel

    def __post_init__(self) -> None:
        at_least = {"n_estimators": 1, "max_depth": 1, "min_samples_leaf": 1}
        check_ranges(self, {name: Range(low) for name, low in at_least.items()} | {"max_features": SHARE})

    def fit(self, rows: LearningRows, *, seed: int, held: LearningRows | None = None, threads: int = 1) -> ForestModel:
        """Grow the trees; see `Learner`."""
        filler = fit_scaling([(rows.features, rows.weight)]).mean
        forest = imported("sklearn.ensemble", "learners").RandomForestClassifier(
            n_estimators=self.n_estimators,
            max_depth=self.max_depth,
            min_samples_leaf=self.min_samples_leaf,
            max_features=self.max_features,
            n_jobs=threads,
            random_state=seed % 2**32,
        )
        filled = np.where(np.isnan(rows.features), filler.astype(np.float32), rows.features)
        forest.fit(filled, rows.label, sample_weight=rows.weight)
        return ForestModel({"filler": filler, "importance": forest.feature_importances_, **_stacked(forest)})


def _stacked(forest: Any) -> dict[str, npt.NDArray[Any]]:
    trees = [one.tree_ for one in forest.estimators_]
    sizes = np.array([tree.node_count for tree in trees])
    roots = np.cumsum(sizes) - sizes
    of_true = list(forest.classes_).index(True)

    def children(name: str) -> npt.NDArray[np.int64]:
        moved = [
            np.where(getattr(tree, name) < 0, -1, getattr(tree, name) + root)
            for tree, root in zip(trees, roots, strict=True)
        ]
        return np.concatenate(moved)

    values = [tree.value[:, 0, :] for tree in trees]
    return {
        "roots": roots,
        "left": children("children_left"),
        "right": children("children_right"),
        "feature": np.concatenate([tree.feature for tree in trees]),
        "threshold": np.concatenate([tree.threshold for tree in trees]),
        "share": np.concatenate([value[:, of_true] / value.sum(axis=1) for value in values]),
    }
