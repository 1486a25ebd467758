"""The main job, end to end: reference, base pass, dataset, meta-model, evaluation, report."""

from __future__ import annotations

import functools
import inspect
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

from meta_spliceai.basepass.run import run as run_base_pass
from meta_spliceai.build.estimate import BuildEstimate
from meta_spliceai.build.run import BuildResult
from meta_spliceai.build.run import build as build_dataset
from meta_spliceai.errors import InputError
from meta_spliceai.evaluate.run import EvaluationResult, evaluate, main_table, plain_words
from meta_spliceai.maintain.patch import PatchKind, patch
from meta_spliceai.reference.prepare import prepare
from meta_spliceai.report.picture import summary_picture
from meta_spliceai.report.run import report
from meta_spliceai.train.run import train

log = logging.getLogger(__name__)

Result = TypeVar("Result")

DEMO_BUILD = "GRCh37"
DEMO_KMER_SIZES = (3,)


@dataclass(frozen=True, slots=True)
class RunResult:
    """Where the results of the main job are, and the evaluation."""

    out: Path
    report: Path
    picture: Path
    evaluation: EvaluationResult
    seconds: float

    def summary(self) -> str:
        """What a person wants to read first: the table, what it shows, and where everything is."""
        return "\n".join(
            [
                main_table(self.evaluation),
                "",
                *(f"- {sentence}" for sentence in plain_words(self.evaluation)),
                "",
                f"report    {self.report}",
                f"picture   {self.picture}",
                f"dataset   {self.out / 'dataset' / 'master'}",
                f"model     {self.out / 'model_run' / 'model'}",
                f"artifacts {self.out / 'artifacts'}",
                f"took      {self.seconds:,.0f} s",
            ]
        )


def run(
    *,
    fasta: Path,
    gtf: Path,
    build: str,
    out: Path,
    base: Sequence[str] = ("spliceai",),
    weights: Path | None = None,
    genes: Sequence[str] | None = None,
    gene_ids_file: Path | None = None,
    chromosomes: Sequence[str] | None = None,
    gene_types: Sequence[str] | None = None,
    kmer_sizes: tuple[int, ...] = DEMO_KMER_SIZES,
    evidence: Sequence[str] = (),
    folds: int = 5,
    draws: int = 1000,
    seed: int = 42,
    workers: int = 1,
    threads: int | None = None,
    overwrite: bool = False,
) -> RunResult:
    """Do the main job: from a genome and its annotation to a meta-model measured on whole held-out genes.

    Everything is resumed when the same command is given again.

    Parameters
    ----------
    fasta
        Genome: FASTA, bgzip-compressed FASTA or 2bit.
    gtf
        Annotation of the same build: GTF or GFF3, plain or gzip-compressed.
    build
        Name of the build, such as GRCh38; written into every result.
    out
        Folder for all results; made if it does not exist.
    base
        Base models, as NAME or NAME=FOLDER of the weights; the first one's errors are what the meta-model corrects.
    weights
        Folder of the first base model's weight files; default: where the installed package keeps them.
    genes
        Names or ids of the genes to use; all by default.
    gene_ids_file
        A file of genes.
    chromosomes
        Only genes on these contigs.
    gene_types
        Only genes of these types.
    kmer_sizes
        Sizes of the k-mers counted in the dataset.
    evidence
        Files of evidence that become features, as NAME=FILE, such as `junctions=SJ.out.tab`.
    folds
        Folds of the cross-validation over gene groups.
    draws
        Draws of the bootstrap.
    seed
        Seed of every random choice.
    workers
        Processes for the base pass and the build.
    threads
        Threads of the base model and of training.
    overwrite
        Start anew where `out` holds results made with other options.
    """
    started = time.monotonic()
    reference, artifacts, dataset, model_run = (
        out / name for name in ("reference", "artifacts", "dataset", "model_run")
    )
    _step("1/6 reference", lambda: prepare(fasta=fasta, gtf=gtf, build=build, out=reference, overwrite=overwrite))
    _step(
        "2/6 base pass",
        lambda: run_base_pass(
            reference=reference,
            eval_dir=artifacts,
            base=base,
            weights=weights,
            genes=genes,
            gene_ids_file=gene_ids_file,
            chromosomes=chromosomes,
            gene_types=gene_types,
            seed=seed,
            workers=workers,
            threads=threads,
            overwrite=overwrite,
        ),
    )
    _step(
        "3/6 dataset",
        lambda: build_dataset(
            reference=reference,
            eval_dir=artifacts,
            output_dir=dataset,
            subset_policy="all",
            kmer_sizes=kmer_sizes,
            evidence=evidence,
            seed=seed,
            workers=workers,
            overwrite=overwrite,
        ),
    )
    _step(
        "4/6 cross-validation and training",
        lambda: train(
            dataset=dataset,
            reference=reference,
            eval_dir=artifacts,
            evidence=evidence,
            out_dir=model_run,
            folds=folds,
            seed=seed,
            threads=threads,
            overwrite=overwrite,
        ),
    )
    result = _step(
        "5/6 evaluation on whole held-out genes",
        lambda: evaluate(
            predictions=model_run / "predictions", out_dir=model_run / "evaluation", draws=draws, seed=seed
        ),
    )
    page = _step("6/6 report", lambda: report(run_dir=model_run, out=out / "report.html"))
    picture = summary_picture(result, out / "summary.svg")
    return RunResult(out, page, picture, result, time.monotonic() - started)


_PATCH_DATASET = """\
    patch_dataset
        At the end, put right what structural features and gene types have gaps or differ from the reference, in place.
"""


def _and_patch(build: Callable[..., BuildResult | BuildEstimate]) -> Callable[..., BuildResult | BuildEstimate]:
    """`build` with one more option: the builder itself knows no tool that mends datasets."""

    @functools.wraps(build)
    def build_and_patch(*, patch_dataset: bool = False, **options: Any) -> BuildResult | BuildEstimate:
        result = build(**options)
        if patch_dataset and isinstance(result, BuildResult):
            for kind in get_args(PatchKind):
                if kind != "columns":
                    patch(result.path, kind=kind, reference=options.get("reference"), inplace=True)
        return result

    known = inspect.signature(build)
    option = inspect.Parameter("patch_dataset", inspect.Parameter.KEYWORD_ONLY, default=False, annotation="bool")
    extended = known.replace(parameters=[*known.parameters.values(), option])
    build_and_patch.__signature__ = extended  # type: ignore[attr-defined]
    build_and_patch.__annotations__ = {**build.__annotations__, "patch_dataset": "bool"}
    build_and_patch.__doc__ = str(build.__doc__).replace("    dry_run\n", f"{_PATCH_DATASET}    dry_run\n", 1)
    return build_and_patch


build = _and_patch(build_dataset)


def demo(
    *, out: Path = Path("demo"), workers: int = 1, threads: int | None = None, overwrite: bool = False
) -> RunResult:
    """Do the main job on the bundled example: 2 Mb of human chromosome 3, which SpliceAI never saw in training.

    Parameters
    ----------
    out
        Folder for all results.
    workers
        Processes for the base pass and the build.
    threads
        Threads of the base model and of training.
    overwrite
        Start anew where `out` holds results made by another version.
    """
    example = example_folder()
    return run(
        fasta=example / "genome.fa.gz",
        gtf=example / "annotation.gtf.gz",
        build=DEMO_BUILD,
        out=out,
        workers=workers,
        threads=threads,
        overwrite=overwrite,
    )


def example_folder() -> Path:
    """The bundled example: inside the installed package, or in the checkout it is installed from."""
    here = Path(__file__).resolve().parent
    for folder in (here / "example", here.parents[1] / "examples" / "chr3_42M"):
        if (folder / "genome.fa.gz").is_file():
            return folder
    raise InputError(
        expected="the bundled example beside the installed package",
        found=f"none in {here / 'example'}",
        action="install the package again, or use `meta-spliceai run` with your own genome",
    )


def _step(title: str, work: Callable[[], Result]) -> Result:
    log.info("== %s", title)
    started = time.monotonic()
    result = work()
    log.info("   %.1f s", time.monotonic() - started)
    return result
