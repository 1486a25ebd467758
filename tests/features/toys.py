"""Made-up stretches: mostly near-zero scores with peaks, ties, exact zeros and unknown bases."""

from __future__ import annotations

import numpy as np

from meta_spliceai.features.stretch import Stretch


def scores(rng: np.random.Generator, length: int) -> np.ndarray:
    values = rng.random(length) ** 60
    values[rng.random(length) < 0.3] = 0
    values[rng.random(length) < 0.002] = rng.choice([0.02, 0.1, 0.5, 0.9, 1.0])
    return values.astype(np.float32)


def stretch(seed: int, length: int) -> Stretch:
    rng = np.random.default_rng(seed)
    donor, acceptor = scores(rng, length), scores(rng, length)
    acceptor = np.minimum(acceptor, 1 - donor)
    codes = rng.integers(0, 4, length).astype(np.uint8)
    codes[rng.random(length) < 0.01] = 4
    return Stretch(codes, donor, acceptor, (rng.random(length) * 0.3).astype(np.float32))
