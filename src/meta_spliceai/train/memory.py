"""How much memory training needs, estimated before it starts, and the batches that keep a limit.

The constants were measured with `bench/training.py` and `bench/incremental.py`; docs/howto/train-a-model.md says how.
"""

from __future__ import annotations

import re

from meta_spliceai.errors import InputError

_IMPORTED = 450 << 20
"""What the process and its libraries need before a row is read, and XGBoost's sketches of the features."""
_ROW_GROUP = 131_072
_COPIES_OF_GROUP = 1.6
"""A row group as it is read, and on its way into a batch."""
_COPIES_OF_BATCH = 4
"""A batch as a matrix, and inside the learner."""
_FEWEST_ROWS = 1_000
_INSTEAD = {
    "xgboost": ", or --model sgd_logistic, which keeps less of each row",
    "lightgbm": ", or --model xgboost, which keeps its bins on disk",
}
_BYTES_OF_ROW = {"xgboost": 48, "lightgbm": 60, "sgd_logistic": 20}
"""Of all rows from disk: label, group and side, places, and what the learner keeps (gradients, margins, weights, partitions);
after the fit, scores of held-out rows and what their metrics sort. Measured over 20.7 million rows for
xgboost and sgd_logistic; supposed for lightgbm."""
_IN_MEMORY_MATRICES = 1.5
"""Peak memory of training with XGBoost in memory, in float32 matrices of all rows: the matrix, the bins, and batches."""


def bytes_of(text: str) -> int:
    """Bytes of a size such as 1GB, 800MB or 2GiB; both kinds of unit are powers of 1,024."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", text, re.IGNORECASE)
    if match is None:
        raise InputError("--memory-limit as a size, such as 1GB", f"{text!r}", "give a number and a unit")
    return int(float(match[1]) * 1024 ** " KMGT".index(match[2].upper() or " "))


def needed_in_memory(rows: int, width: int) -> int:
    """Bytes that training in memory needs at its peak, about."""
    return int(_IMPORTED + _IN_MEMORY_MATRICES * 4 * rows * width)


def needed_from_disk(rows: int, width: int, learner: str, batch_rows: int) -> int:
    """Bytes that incremental training needs at its peak, about."""
    group = _COPIES_OF_GROUP * 4 * width * min(rows, _ROW_GROUP)
    return int(_kept(rows, width, learner) + group + _COPIES_OF_BATCH * 4 * width * min(rows, batch_rows))


def _kept(rows: int, width: int, learner: str) -> int:
    # LightGBM keeps its bins in memory, one byte for each value
    return _IMPORTED + rows * _BYTES_OF_ROW[learner] + (rows * width if learner == "lightgbm" else 0)


def rows_of_batch(limit: str | None, asked: int, rows: int, width: int, learner: str) -> int:
    """Rows of a batch: as many as asked for, or as the memory limit allows.

    Raises
    ------
    InputError
        A limit that cannot be understood, or under which not even small batches fit.
    """
    if limit is None:
        return asked
    least = needed_from_disk(rows, width, learner, _FEWEST_ROWS)
    spare = bytes_of(limit) - needed_from_disk(rows, width, learner, 0)
    size = min(asked, int(spare / (4 * width * _COPIES_OF_BATCH)))
    if size < min(_FEWEST_ROWS, rows):
        raise InputError(
            expected=f"a --memory-limit of at least {-(-least // 2**20):,} MB for {rows:,} rows x {width:,} features",
            found=limit,
            action=f"give more memory, or rows of fewer genes or features{_INSTEAD.get(learner, '')}",
        )
    return size
