"""Meta-SpliceAI: splice-site scores, datasets built from them, and meta-models measured on whole held-out genes.

The commands are the functions of `meta_spliceai.commands`.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_FROM_ELSEWHERE = {"incremental_build_training_dataset": "meta_spliceai.build.incremental"}


def __getattr__(name: str) -> Any:
    """What is offered here by name and loaded when it is asked for: importing the package itself does nothing."""
    if name not in _FROM_ELSEWHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_FROM_ELSEWHERE[name]), name)
