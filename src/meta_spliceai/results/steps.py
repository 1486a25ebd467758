"""The runs behind a table of results: a dataset, a training run and an evaluation for each set of base models.

<out>/<bases>/dataset      rows with the scores of these base models only
<out>/<bases>/model_run    its cross-validated arms, with evaluation/ in it
<out>/ablation             the largest set without each family of features, and with each alone
<out>/unweighted           the largest set, learnt from rows as if each stood for one base

A set is the first base model alone, the first two, and so on: what is asked is what each one adds.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from meta_spliceai.build.run import build
from meta_spliceai.evaluate.result import EvaluationResult
from meta_spliceai.evaluate.run import evaluate
from meta_spliceai.report.run import EVALUATION
from meta_spliceai.train.parts import PREDICTIONS
from meta_spliceai.train.run import train

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """What all runs share.

    Parameters
    ----------
    reference, eval_dir, out_dir
        The reference, its base pass, and where the runs go.
    kmer_sizes, evidence, model
        As for `build` and `train`.
    psi, junctions
        Second truths, as for `evaluate`.
    folds, draws, seed
        Of cross-validation, bootstrap, and every random choice.
    workers, threads
        Processes of the build, and fits at the same time.
    overwrite
        Start anew where the folders hold runs made with other options.
    """

    reference: Path
    eval_dir: Path
    out_dir: Path
    kmer_sizes: tuple[int, ...]
    model: str
    evidence: tuple[str, ...]
    psi: Path | None
    junctions: tuple[Path, ...]
    folds: int
    draws: int
    seed: int
    workers: int
    threads: int | None
    overwrite: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """A training run and its evaluation."""

    base_models: tuple[str, ...]
    run_dir: Path
    evaluation: EvaluationResult


def base_sets(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The first base model, the first two, and so on."""
    for count in range(1, len(names) + 1):
        yield tuple(names[:count])


def measure_set(bases: Sequence[str], options: Options) -> Measured:
    """Build, train and evaluate with some of the base models."""
    return _measured(bases, options, options.out_dir / "_".join(bases) / "model_run")


def measure_ablation(bases: Sequence[str], options: Options) -> Measured:
    """The same dataset once more, with an arm without each family of features and one with each alone."""
    return _measured(bases, options, options.out_dir / "ablation", arms=("meta",), ablation=True)


def measure_unweighted(bases: Sequence[str], options: Options) -> Measured:
    """The same dataset once more, each row counting as one base in learning."""
    return _measured(bases, options, options.out_dir / "unweighted", arms=("meta",), weighted=False)


def _measured(
    bases: Sequence[str],
    options: Options,
    run_dir: Path,
    *,
    arms: Sequence[str] = ("base_scores", "meta", "gene_conditioned"),
    ablation: bool = False,
    weighted: bool = True,
) -> Measured:
    dataset = options.out_dir / "_".join(bases) / "dataset"
    log.info("== %s: %s", run_dir.relative_to(options.out_dir), ", ".join(bases))
    build(
        reference=options.reference,
        eval_dir=options.eval_dir,
        output_dir=dataset,
        base_models=bases,
        subset_policy="all",
        kmer_sizes=options.kmer_sizes,
        evidence=options.evidence,
        seed=options.seed,
        workers=options.workers,
        overwrite=options.overwrite,
    )
    train(
        dataset=dataset,
        reference=options.reference,
        eval_dir=options.eval_dir,
        evidence=options.evidence,
        out_dir=run_dir,
        arms=arms,
        model=options.model,
        folds=options.folds,
        seed=options.seed,
        threads=options.threads,
        weights="inverse_inclusion" if weighted else "none",
        ablation=ablation,
        overwrite=options.overwrite,
    )
    evaluation = evaluate(
        predictions=run_dir / PREDICTIONS,
        out_dir=run_dir / EVALUATION,
        psi=options.psi,
        junctions=options.junctions,
        draws=options.draws,
        seed=options.seed,
    )
    return Measured(tuple(bases), run_dir, evaluation)
