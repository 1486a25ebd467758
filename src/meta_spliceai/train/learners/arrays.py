"""Named arrays in one file: NumPy's .npz, read without ever unpickling."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

_KIND = "kind"


def pack(kind: str, **arrays: npt.NDArray[Any]) -> bytes:
    """Arrays under a name that says what they are; the same arrays give the same bytes."""
    buffer = io.BytesIO()
    named: dict[str, Any] = {_KIND: np.array(kind), **arrays}
    np.savez(buffer, **named)
    return buffer.getvalue()


def unpack(raw: bytes, kind: str, names: Collection[str]) -> dict[str, npt.NDArray[Any]]:
    """The arrays that `pack` was given.

    Raises
    ------
    ValueError
        The bytes are something else, or lack an array.
    """
    try:
        with np.load(io.BytesIO(raw), allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
    except (OSError, EOFError, KeyError, zipfile.BadZipFile, AttributeError) as error:
        raise ValueError(f"no .npz file: {error}") from error
    if str(arrays.pop(_KIND, "nothing known")) != kind or not set(names) <= set(arrays):
        raise ValueError(f"an .npz file that holds no {kind}")
    return arrays
