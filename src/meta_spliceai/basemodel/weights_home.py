"""Where weights that were fetched are kept, so that a base model finds them without being told."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HOME_VARIABLE = "META_SPLICEAI_HOME"


def weights_home(name: str) -> Path:
    """The folder of a base model's weights: META_SPLICEAI_HOME, or meta-spliceai in the user's data folder, / weights / name."""
    chosen = os.environ.get(HOME_VARIABLE)
    home = Path(chosen).expanduser() if chosen else _user_data() / "meta-spliceai"
    return home / "weights" / name


def _user_data() -> Path:
    """The folder in which the platform wants programs to keep a user's data."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
