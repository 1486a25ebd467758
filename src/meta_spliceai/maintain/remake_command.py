"""The one command that makes parts of a base pass again that were removed."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from meta_spliceai.basepass.candidates import CandidateRule
from meta_spliceai.basepass.chunks import CHUNK_SIZE
from meta_spliceai.basepass.plan import SCORES, PositionOptions
from meta_spliceai.reference.load import KIND as REFERENCE
from meta_spliceai.schema.features import REACH
from meta_spliceai.store.atomic import read_json
from meta_spliceai.store.folder import MANIFEST, Manifest


def command_to_make_again(eval_dir: Path, manifest: Manifest, parts: Sequence[str]) -> str:
    """The command, with the paths and options of the pass.

    Where only tables made from scores are gone, no model is run. The reference is named where the pass lies inside it;
    otherwise it is the one that `reference audit` finds.

    Parameters
    ----------
    eval_dir, manifest
        The pass, and its manifest before the parts were removed.
    parts
        Names of the parts that go.
    """
    place = ["--eval-dir", str(eval_dir)]
    if _is_reference(eval_dir.parent):
        place = ["--reference", str(eval_dir.parent), *place]
    scores = [name for name in parts if name.startswith(SCORES)]
    if not scores:
        return shlex.join(["meta-spliceai", "basepass", "positions", *place])
    genes = sorted({gene for name in scores for gene in manifest.parts[name].facts["genes"]})
    options = _options(manifest.parameters)
    return shlex.join(["meta-spliceai", "basepass", "run", *place, *options, "--genes", *genes])


def _is_reference(folder: Path) -> bool:
    path = folder / MANIFEST
    return path.is_file() and read_json(path).get("kind") == REFERENCE


def _options(held: Mapping[str, Any]) -> list[str]:
    """Options of `basepass run` that are not at their defaults."""
    said: dict[str, Any] = {"flank": held["flank"], "chunk_size": held["chunk_size"], "precision": held["precision"]}
    usual: dict[str, Any] = {"flank": REACH, "chunk_size": CHUNK_SIZE, "precision": "exact"}
    bases = [held["base_model"]["name"]]
    if held["positions"] is not None:
        made, plain = PositionOptions.from_parameters(held["positions"]), PositionOptions(CandidateRule())
        bases += [base.name for base in made.further_bases]
        said |= {
            **dataclasses.asdict(made.rule),
            "position_id_mode": made.position_id_mode,
            "artifact_format": made.artifact_format,
        }
        usual |= {
            **dataclasses.asdict(plain.rule),
            "position_id_mode": plain.position_id_mode,
            "artifact_format": plain.artifact_format,
        }
    words = [
        word
        for name, value in said.items()
        if value != usual[name]
        for word in (f"--{name.replace('_', '-')}", str(value))
    ]
    return ["--base", *bases, *words]
