"""`build` as a call of Python, for scripts that want the path of the rows and nothing else."""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from meta_spliceai.build.master import MASTER
from meta_spliceai.build.run import BuildResult, build

_PATHS = ("reference", "eval_dir", "output_dir", "gene_ids_file")
_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)


def incremental_build_training_dataset(*, verbose: int = 1, **options: Any) -> Path:
    """Build a dataset, for training or for inference, and return its `master/` folder.

    Parameters
    ----------
    verbose
        What the package's logger lets through: 0 warnings, 1 messages as well, 2 everything.
    **options
        The options of `build`, with the same names and defaults. Paths may be text, `workflow_kwargs` a dict. With
        `dry_run`, nothing is there afterwards.

    Raises
    ------
    TypeError
        An option that `build` does not have.
    MetaSpliceAIError
        As `build`.
    """
    bound = inspect.signature(build).bind(**options)
    bound.apply_defaults()
    given: dict[str, Any] = dict(bound.arguments)
    for name in _PATHS:
        if given.get(name) is not None:
            given[name] = Path(given[name])
    if isinstance(given.get("workflow_kwargs"), Mapping):
        given["workflow_kwargs"] = json.dumps(given["workflow_kwargs"])
    with _log_level(_LEVELS[min(max(verbose, 0), len(_LEVELS) - 1)]):
        result = build(**given)
    return result.master if isinstance(result, BuildResult) else given["output_dir"] / MASTER


@contextmanager
def _log_level(level: int) -> Iterator[None]:
    package = logging.getLogger("meta_spliceai")
    before = package.level
    package.setLevel(level)
    try:
        yield
    finally:
        package.setLevel(before)
