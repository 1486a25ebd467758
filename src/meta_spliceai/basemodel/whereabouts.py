"""Where a base model's weights lie on this machine, when nobody says it."""

from __future__ import annotations

from pathlib import Path

from meta_spliceai.basemodel.catalogue import weight_files
from meta_spliceai.basemodel.weights_home import weights_home
from meta_spliceai.errors import ModelError


def found_weights(name: str) -> Path | None:
    """The folder in which a shipped base model finds its weights by itself; None where there are none.

    Files that can be fetched count when all are there and have their sizes; whether they are the right ones is said by
    `basemodel check`.
    """
    if name == "spliceai":
        return _installed_spliceai()
    folder = weights_home(name)
    listed = weight_files(name)
    if listed:
        return folder if all(_size(folder / file.name) == file.bytes for file in listed) else None
    return folder if folder.is_dir() and any(folder.iterdir()) else None


def _installed_spliceai() -> Path | None:
    from meta_spliceai.basemodel import spliceai  # deferred: it loads h5py

    try:
        return spliceai.weight_files()[0].parent
    except ModelError:
        return None


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None
