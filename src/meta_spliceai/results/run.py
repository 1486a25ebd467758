"""`results`: everything that a base pass lets one say about meta-models, measured and written as page, picture and numbers.

<out>/results.md, results.json, results.svg   what was measured; or in another folder
<out>/<bases>/…, ablation/…, unweighted/…     the runs behind it; see `steps`
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from meta_spliceai.build.plan import artifacts_of
from meta_spliceai.errors import InputError
from meta_spliceai.reference.registry import load_reference
from meta_spliceai.results.numbers import numbers_of
from meta_spliceai.results.page import page, title_of
from meta_spliceai.results.picture import draw
from meta_spliceai.results.steps import Measured, Options, base_sets, measure_ablation, measure_set, measure_unweighted
from meta_spliceai.store.atomic import write_json, write_text
from meta_spliceai.store.fingerprint import file_sha256

PAGE, NUMBERS, PICTURE = "results.md", "results.json", "results.svg"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ResultsMade:
    """Where the results are, and how the meta-model of each set of base models did.

    Parameters
    ----------
    page, numbers, picture
        The files.
    gains
        By set of base models: the meta-model's gain in average precision over the base model by site type; None where
        there are too few sites.
    seconds
        How long it took.
    """

    page: Path
    numbers: Path
    picture: Path
    gains: dict[str, dict[str, float | None]]
    seconds: float

    def summary(self) -> str:
        """A line per set of base models, and where everything is."""
        lines = [
            f"{bases}: "
            + ", ".join(f"{kind}s {'–' if gain is None else f'{gain:+.4f}'}" for kind, gain in gains.items())
            for bases, gains in self.gains.items()
        ]
        return "\n".join([*lines, f"page     {self.page}", f"numbers  {self.numbers}", f"picture  {self.picture}"])


def results(
    *,
    reference: Path | None = None,
    eval_dir: Path | None = None,
    out_dir: Path,
    write_to: Path | None = None,
    introduction: Path | None = None,
    psi: Path | None = None,
    junctions: Sequence[Path] = (),
    evidence: Sequence[str] = (),
    kmer_sizes: tuple[int, ...] = (3,),
    model: str = "xgboost",
    ablation: bool = True,
    folds: int = 5,
    draws: int = 1000,
    seed: int = 42,
    workers: int = 1,
    threads: int | None = None,
    overwrite: bool = False,
) -> ResultsMade:
    """Measure what meta-models are worth: with the first base model, the first two, and so on, in every stratum.

    For each set of base models a dataset is built, meta-models are cross-validated, and every base of every gene is
    measured; with the largest set, what each family of features adds, and what would have been believed on sampled rows.
    What is finished is kept when the same command is given again; evaluations are made anew.

    Parameters
    ----------
    reference
        The reference; default: the one that `reference audit` finds.
    eval_dir
        The base pass over its genes, with one or several base models; default: the only one in the reference folder.
    out_dir
        Where the runs go.
    write_to
        Folder for results.md, results.json and results.svg; default: `out_dir`.
    introduction
        A file of Markdown that the page begins with.
    psi
        A table of percent spliced in: are used sites told from unused ones?
    junctions
        Files of RNA-seq junctions, as a second truth.
    evidence
        Files of evidence that become features, as NAME=FILE.
    kmer_sizes
        Sizes of the k-mers counted in the datasets.
    model
        What learns, as for `train`.
    ablation
        Whether to measure what each family of features adds, which takes longest.
    folds
        Folds over gene groups.
    draws
        Draws of the bootstrap.
    seed
        Seed of every random choice.
    workers
        Processes of the builds.
    threads
        Fits that run at the same time; default: all cores.
    overwrite
        Start anew where `out_dir` holds runs made with other options.

    Raises
    ------
    InputError, GeneError, StoreError, ModelError
        Before anything is built: a reference, base pass or file that is missing or does not fit.
    """
    started = time.monotonic()
    for path in (introduction, psi, *junctions):
        if path is not None and not path.is_file():
            raise InputError("a file", f"no {path}", "correct the path, or leave the option out")
    loaded = load_reference(reference)
    artifacts = artifacts_of(loaded, eval_dir)
    options = Options(
        reference=loaded.path,
        eval_dir=artifacts.path,
        out_dir=out_dir,
        kmer_sizes=kmer_sizes,
        model=model,
        evidence=tuple(evidence),
        psi=psi,
        junctions=tuple(junctions),
        folds=folds,
        draws=draws,
        seed=seed,
        workers=workers,
        threads=threads,
        overwrite=overwrite,
    )
    names = artifacts.base_names
    sets = [measure_set(bases, options) for bases in base_sets(names)]
    ablated = measure_ablation(names, options) if ablation else None
    unweighted = measure_unweighted(names, options)
    target = write_to or out_dir
    made = _write(target, sets, ablated, unweighted, options, introduction)
    log.info("results of %d sets of base models in %s", len(sets), target)
    return ResultsMade(target / PAGE, target / NUMBERS, target / PICTURE, made, time.monotonic() - started)


def _write(
    target: Path,
    sets: Sequence[Measured],
    ablated: Measured | None,
    unweighted: Measured | None,
    options: Options,
    introduction: Path | None,
) -> dict[str, dict[str, float | None]]:
    numbers = numbers_of(sets, ablated, unweighted, _asked(options))
    target.mkdir(parents=True, exist_ok=True)
    write_json(target / NUMBERS, numbers)
    draw(numbers, target / PICTURE)
    write_text(target / PAGE, page(numbers, PICTURE, introduction.read_text() if introduction else ""))
    return {
        title_of(one["base_models"]): {
            kind: row["whole_gain"] for kind, row in one["sampled_and_whole"]["meta"].items()
        }
        for one in numbers["sets"]
    }


def _asked(options: Options) -> dict[str, object]:
    """The options that decide the numbers; files by name and checksum, for a path says nothing elsewhere."""
    files = {"psi": [options.psi] if options.psi else [], "junctions": list(options.junctions)}
    return {
        **{name: getattr(options, name) for name in ("folds", "draws", "seed", "kmer_sizes", "model")},
        "evidence": [item.partition("=")[0] for item in options.evidence],
        **{name: [f"{path.name} ({file_sha256(path)[:12]})" for path in paths] for name, paths in files.items()},
    }
