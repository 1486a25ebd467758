"""Replacing what a folder holds, whole or not at all.

The new content is made in a hidden folder inside (`.staging`), complete with its own `manifest.json`, while the old content
stays untouched. One rename to `.staged` decides; from then on the new files are moved over the old ones, and whoever opens
the folder after an interruption finishes that first. Files that neither manifest names are left alone.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from meta_spliceai.store import atomic

_STAGING = ".staging"
_STAGED = ".staged"
_MANIFEST = "manifest.json"
_OWN = frozenset({".lock", "run_log.jsonl", _MANIFEST})
"""Files of the staging folder itself: not moved, but for the manifest, which is moved last."""


def staging_area(folder: Path) -> Path:
    """Where the new content of `folder` is made."""
    return folder / _STAGING


def is_leftover(name: str) -> bool:
    """Whether a name in a folder is that of new content that was never put in place."""
    return name in (_STAGING, _STAGED)


def is_half_replaced(folder: Path) -> bool:
    """Whether a replacement was decided and then interrupted."""
    return (folder / _STAGED / _MANIFEST).exists()


def replace_content(folder: Path) -> None:
    """Put the finished content of the staging area in place of what the folder's manifest names."""
    with atomic.disk_errors(folder):
        staging_area(folder).rename(folder / _STAGED)
    finish_replacement(folder)


def finish_replacement(folder: Path) -> None:
    """Move what is staged into place; nothing where nothing is. Call it while holding the folder's lock."""
    staged = folder / _STAGED
    if not staged.is_dir():
        return
    with atomic.disk_errors(folder):
        if (staged / _MANIFEST).exists():
            obsolete = _files(folder / _MANIFEST) - _files(staged / _MANIFEST)
            for source in sorted(path for path in staged.rglob("*") if path.is_file()):
                name = source.relative_to(staged)
                if name.as_posix() not in _OWN:
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    source.replace(folder / name)
            for gone in sorted(obsolete):
                (folder / gone).unlink(missing_ok=True)
                _remove_empty((folder / gone).parent, folder)
            (staged / _MANIFEST).replace(folder / _MANIFEST)
        shutil.rmtree(staged)


def _remove_empty(path: Path, top: Path) -> None:
    """Remove folders below `top` that hold nothing any more."""
    while path != top and path.is_dir() and not any(path.iterdir()):
        path.rmdir()
        path = path.parent


def _files(manifest: Path) -> set[str]:
    content: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
    return {file["name"] for part in content["parts"].values() for file in part["files"]}
