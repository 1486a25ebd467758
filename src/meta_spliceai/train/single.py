"""`train` with one split instead of cross-validation, in memory or from disk; what it estimates, it estimates on sampled rows."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meta_spliceai.basepass.aggregates import PERFORMANCE_FILE
from meta_spliceai.errors import MetaSpliceAIError
from meta_spliceai.features.profile import Profile, admitted_features
from meta_spliceai.reference.registry import load_reference
from meta_spliceai.store.atomic import write_bytes
from meta_spliceai.store.fingerprint import fingerprint
from meta_spliceai.store.folder import Folder, PartEntry, describe_file
from meta_spliceai.train.baseline import read_baseline
from meta_spliceai.train.incremental import IncrementalTrainer
from meta_spliceai.train.leakage import check_probe
from meta_spliceai.train.learners.spec import learner_of, settings_of
from meta_spliceai.train.matrix import DatasetFolder, open_dataset
from meta_spliceai.train.memory import needed_from_disk, needed_in_memory, rows_of_batch
from meta_spliceai.train.profile_file import profile_of
from meta_spliceai.train.prune import PRUNED_FILE, TRIMMED_FILE, find_prunable, write_trimmed
from meta_spliceai.train.trainer import PREDICTIONS_FILE, Trainer

log = logging.getLogger(__name__)

KIND, FORMAT_VERSION = "single_split_run", 1


@dataclass(frozen=True, slots=True)
class SingleSplitOptions:
    """Options of one split; the words are those of `train` and `Trainer`."""

    model: str
    target: str
    group_col: str
    test_size: float
    valid_size: float
    feature_profile: str
    base_margin: bool
    weights: str
    early_stopping: bool
    corr_thr: float | None
    seed: int
    threads: int
    incremental: bool
    batch_size: int
    memory_limit: str | None


@dataclass(frozen=True, slots=True)
class SingleSplitResult:
    """A finished run of one split.

    Parameters
    ----------
    out_dir
        Its folder.
    rows, features
        Of the dataset, and what the model reads of it.
    metrics
        The content of metrics.json.
    """

    out_dir: Path
    rows: int
    features: int
    metrics: dict[str, Any]

    def summary(self) -> str:
        """A few lines for people."""
        test = self.metrics.get("test", {})
        lines = [
            f"model        {self.out_dir}: {self.features:,} features, {self.rows:,} rows",
            f"estimated on {test.get('rows', 0):,} sampled rows of {test.get('groups', 0):,} held-out groups, "
            "average precision of the meta-model and the base model",
        ]
        for channel, found in test.items():
            if isinstance(found, dict):
                arms = (found.get(arm, {}).get("auc_pr") for arm in ("meta", "base"))
                lines.append(f"  {channel:<11}" + "  ".join("   –  " if one is None else f"{one:.4f}" for one in arms))
        return "\n".join(
            [
                *lines,
                "next         meta-spliceai train without --single-split measures whole genes, which is what counts",
            ]
        )


def train_single_split(
    *,
    dataset: Path,
    reference: Path | None,
    eval_dir: Path | None,
    baseline_tsv: Path | None,
    out_dir: Path,
    options: SingleSplitOptions,
    overwrite: bool,
) -> SingleSplitResult:
    """Train one model, estimate what it is worth on held-out groups, and write everything; done work is kept.

    Raises
    ------
    InputError, SchemaError, GeneError, LeakageError
        Options, datasets or features that cannot be used.
    PlanMismatchError
        The folder holds a run made with other options or inputs.
    """
    opened = open_dataset(dataset)
    profile, named = profile_of(options.feature_profile, opened.table)
    check_probe(opened.manifest.facts, profile)
    names = [name for name in admitted_features(opened.table, profile) if named is None or name in named]
    trainer = _trainer(options, profile, out_dir, len(names), opened)
    _say_what_memory_it_needs(trainer, int(opened.manifest.facts["rows"]), len(names))
    baseline = baseline_tsv or _own_baseline(reference, eval_dir)
    if baseline is not None:
        read_baseline(baseline, opened.gene_ids)
    parameters = {
        **{name: getattr(options, name) for name in _DECIDING},
        "learner": settings_of(trainer.method.learner),
        "feature_profile": profile,
        "named_features": sorted(named) if named is not None else None,
    }
    inputs = {"dataset": opened.fingerprint}
    with Folder.opened(
        out_dir, kind=KIND, format_version=FORMAT_VERSION, parameters=parameters, inputs=inputs, overwrite=overwrite
    ) as folder:
        identity = fingerprint([KIND, parameters, inputs])
        if not folder.is_done("model", identity):
            files = _make(trainer, opened, dataset, names, baseline, options)
            entries = tuple(describe_file(out_dir, name, rows) for name, rows in files.items())
            folder.record("model", PartEntry(identity, entries, {"features": len(trainer.model.features)}))
        if not folder.manifest.complete:
            folder.finalise({"model": identity}, {"rows": opened.manifest.facts["rows"]})
        folder.log("train", incremental=options.incremental)
        features = int(folder.manifest.parts["model"].facts["features"])
    metrics = json.loads((out_dir / "metrics.json").read_text(encoding="utf-8"))
    return SingleSplitResult(out_dir, int(opened.manifest.facts["rows"]), features, metrics)


_DECIDING = (
    *("target", "group_col", "test_size", "valid_size", "base_margin", "weights", "early_stopping"),
    *("corr_thr", "seed", "threads", "incremental"),
)


def _trainer(
    options: SingleSplitOptions, profile: Profile, out_dir: Path, width: int, dataset: DatasetFolder
) -> Trainer:
    shared: dict[str, Any] = {
        "out_dir": out_dir,
        "label_col": options.target,
        "group_col": options.group_col,
        "test_size": options.test_size,
        "valid_size": options.valid_size,
        "feature_profile": profile,
        "base_margin": options.base_margin,
        "weights": options.weights,
        "early_stopping": options.early_stopping,
        "seed": options.seed,
        "threads": options.threads,
    }
    if not options.incremental:
        return Trainer(options.model, **shared)
    rows = int(dataset.manifest.facts["rows"])
    size = rows_of_batch(options.memory_limit, options.batch_size, rows, width, learner_of(options.model).name)
    return IncrementalTrainer(options.model, batch_rows=size, **shared)


def _say_what_memory_it_needs(trainer: Trainer, rows: int, width: int) -> None:
    size = trainer.batch_rows
    if size is None:
        needed, instead = needed_in_memory(rows, width), "--incremental needs less"
    else:
        needed = needed_from_disk(rows, width, trainer.method.learner.name, size)
        instead = f"features are read {min(size, rows):,} rows at a time"
    log.info("%s rows x %d features: about %s MB of memory; %s", f"{rows:,}", width, f"{needed >> 20:,}", instead)


def _own_baseline(reference: Path | None, eval_dir: Path | None) -> Path | None:
    """The base pass's table, where the folder of the artifacts is named or found; a dataset alone is enough to train."""
    found = eval_dir
    if found is None:
        try:
            folders = sorted(load_reference(reference).path.glob(f"*_eval/{PERFORMANCE_FILE}"))
        except MetaSpliceAIError:
            return None
        return folders[0] if len(folders) == 1 else None
    return found / PERFORMANCE_FILE if (found / PERFORMANCE_FILE).is_file() else None


def _make(
    trainer: Trainer,
    opened: DatasetFolder,
    dataset: Path,
    names: list[str],
    baseline: Path | None,
    options: SingleSplitOptions,
) -> dict[str, int | None]:
    """Train and write; returns the files by name, with rows of Parquet files."""
    out = trainer.out_dir
    files: dict[str, int | None] = {}
    if options.corr_thr is not None:
        pruned = find_prunable(opened, names, corr_thr=options.corr_thr, seed=options.seed)
        names = [name for name in names if name not in pruned.names]
        write_bytes(out / PRUNED_FILE, pruned.as_frame().write_csv().encode())
        files |= {PRUNED_FILE: None, TRIMMED_FILE: write_trimmed(opened, pruned.names, out / TRIMMED_FILE)}
    trainer.fit(dataset, columns=names)
    trainer.compare_baseline(baseline)
    trainer.save()
    held = trainer.held_out_rows().height
    written = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    saved = {*trainer.model.to_files(), *_SAVED} & written
    return {**files, **dict.fromkeys(sorted(saved)), PREDICTIONS_FILE: held}


_SAVED = ("model.pkl", "metrics.json", "feature_manifest.csv", "model_card.md", "delta_vs_baseline.csv")
