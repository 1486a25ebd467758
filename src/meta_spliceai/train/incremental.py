"""`IncrementalTrainer`: a `Trainer` for more rows than memory holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from meta_spliceai.errors import InputError
from meta_spliceai.train.row_store import BATCH_ROWS
from meta_spliceai.train.rows import Rows
from meta_spliceai.train.trainer import Trainer


class IncrementalTrainer(Trainer):
    """A `Trainer` for datasets larger than memory: features stay on disk and are read batch by batch.

    The learners are those that can be fed so: xgboost (its external memory), lightgbm (its sequences) and sgd_logistic
    (partial_fit). All options, outputs and metrics are the `Trainer`'s. Of each row, its label, group and side are kept, at
    most 10 bytes, and what the learner needs; see `memory`. Of more than 100,000 validation rows, evenly spaced ones
    decide.

    Parameters
    ----------
    batch_rows
        Rows of features in memory at once.
    **options
        As of `Trainer`.

    Raises
    ------
    InputError
        Another learner, or options that cannot be used.
    """

    def __init__(
        self, model_spec: str | Mapping[str, Any] | Path = "xgboost", *, batch_rows: int = BATCH_ROWS, **options: Any
    ) -> None:
        super().__init__(model_spec, **options)
        if batch_rows < 1:
            raise InputError("--batch-size of at least 1 row", f"{batch_rows}", "200000 is usual")
        if self.method.learner.name not in ("xgboost", "lightgbm", "sgd_logistic"):
            raise InputError(
                expected="--model xgboost, lightgbm or sgd_logistic for incremental training",
                found=self.method.learner.name,
                action="choose one of them, or train in memory",
            )
        self.batch_rows = batch_rows

    def _read(self, data: Any, labels: Any, groups: Any, weight: Any, columns: Sequence[str] | None) -> Rows:
        if not isinstance(data, (str, Path)):
            raise InputError("the path of a dataset for incremental training", f"{type(data).__name__}", "use Trainer")
        return super()._read(data, labels, groups, weight, columns)
