"""Rows made in code, shaped as training reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from meta_spliceai.schema.tables import dataset_table
from meta_spliceai.train.matrix import TrainingRows

TABLE = dataset_table(())


def toy_rows(
    rows: int = 4_000, *, seed: int = 1, names: tuple[str, ...] = ("gc_content", "donor_max_up_1_10"), **features: Any
) -> TrainingRows:
    """Rows whose donors are drawn from calibrated base scores; features are noise unless given."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(-3, 3, rows)
    donor = (1 / (1 + np.exp(-logit))).astype(np.float32)
    is_donor = rng.random(rows) < donor
    matrix = rng.random((rows, len(names))).astype(np.float32)
    for name, values in features.items():
        matrix[:, names.index(name)] = values(is_donor, donor, rng)
    keys = pl.DataFrame({"gene_id": [f"G{n % 20:02d}" for n in range(rows)]})
    return TrainingRows(
        keys=keys.with_columns(chrom=pl.lit("c1"), strand=pl.lit("+"), position=pl.int_range(1, rows + 1)),
        donor_score=donor,
        acceptor_score=donor,
        donor_start=donor,
        acceptor_start=donor,
        is_donor=is_donor,
        is_acceptor=is_donor,
        weight=np.where(donor < 0.01, 40.0, 1.0),
        gated=np.arange(rows),
        names=names,
        features=matrix,
    )
