"""A small neural network: fitted by scikit-learn, kept and applied as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from meta_spliceai.train.learners.arrays import pack, unpack
from meta_spliceai.train.learners.base import Settings
from meta_spliceai.train.learners.protocol import (
    Doubles,
    Floats,
    LearningRows,
    Range,
    check_ranges,
    imported,
)
from meta_spliceai.train.learners.scaling import Scaling, fit_scaling


@dataclass(frozen=True, slots=True)
class PerceptronModel:
    """Layers: matrices of shape (inputs, outputs) with their biases; ReLU between them."""

    scaling: Scaling
    layers: tuple[tuple[Floats, Floats], ...]

    @property
    def rounds(self) -> int:
        """There is no such number."""
        return 1

    def margin(self, features: Floats, start: Floats | None) -> Floats:
        """Logits; see `Fitted`."""
        held = self.scaling(features)
        for number, (matrix, bias) in enumerate(self.layers):
            held = held @ matrix + bias
            if number < len(self.layers) - 1:
                np.maximum(held, 0.0, out=held)
        return held[:, 0]

    def gains(self, width: int) -> Doubles:
        """The sizes of the weights on all ways from each feature to the output."""
        weight = np.ones(1)
        for matrix, _ in reversed(self.layers):
            weight = np.abs(matrix.astype(np.float64)) @ weight
        assert weight.size == width
        return weight

    def to_bytes(self) -> bytes:
        """The arrays as .npz."""
        layers = {
            f"{kind}_{number}": array
            for number, layer in enumerate(self.layers)
            for kind, array in zip(("matrix", "bias"), layer, strict=True)
        }
        return pack("perceptron", mean=self.scaling.mean, deviation=self.scaling.deviation, **layers)

    @classmethod
    def load(cls, raw: bytes) -> PerceptronModel:
        """What `to_bytes` gave; `ValueError` for anything else."""
        held = unpack(raw, "perceptron", ("mean", "deviation", "matrix_0", "bias_0"))
        count = sum(name.startswith("matrix_") for name in held)
        try:
            layers = tuple((held[f"matrix_{number}"], held[f"bias_{number}"]) for number in range(count))
        except KeyError as error:
            raise ValueError(f"an .npz file that lacks {error}") from error
        return cls(Scaling(held["mean"], held["deviation"]), layers)


@dataclass(frozen=True, slots=True)
class Perceptron(Settings):
    """A perceptron with hidden layers, on standardised features.

    Parameters
    ----------
    hidden
        Units of each hidden layer.
    alpha
        Strength by which weights are drawn towards 0.
    learning_rate_init
        Size of the first steps of Adam.
    epochs
        Passes over the rows.
    """

    hidden: tuple[int, ...] = (64, 32)
    alpha: float = 1e-3
    learning_rate_init: float = 1e-3
    epochs: int = 20

    name: ClassVar[str] = "mlp"
    suffix: ClassVar[str] = ".npz"
    starts_from_margin: ClassVar[bool] = False
    stops_early: ClassVar[bool] = False
    rounds_field: ClassVar[str | None] = "epochs"
    fitted: ClassVar[type[Any]] = PerceptronModel

    def __post_init__(self) -> None:
        above = Range(0, above=True)
        check_ranges(self, {"hidden": Range(1), "alpha": Range(0), "learning_rate_init": above, "epochs": Range(1)})

    def fit(
        self,
        rows: LearningRows,
        *,
        seed: int,
        held: LearningRows | None = None,
        threads: int = 1,
    ) -> PerceptronModel:
        """Fit by Adam; see `Learner`."""
        scaling = fit_scaling([(rows.features, rows.weight)])
        network = imported("sklearn.neural_network", "learners").MLPClassifier(
            hidden_layer_sizes=self.hidden,
            alpha=self.alpha,
            learning_rate_init=self.learning_rate_init,
            random_state=seed % 2**32,
        )
        scaled, weight = scaling(rows.features), rows.weight / rows.weight.mean()
        for _ in range(self.epochs):
            network.partial_fit(scaled, rows.label, sample_weight=weight, classes=np.array([False, True]))
        return PerceptronModel(
            scaling,
            tuple(
                (matrix.astype(np.float32), bias.astype(np.float32))
                for matrix, bias in zip(network.coefs_, network.intercepts_, strict=True)
            ),
        )
