"""From a run folder to report.html."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl

from meta_spliceai.errors import StoreError
from meta_spliceai.evaluate.result import TABLES, EvaluationResult, load_evaluation
from meta_spliceai.evaluate.words import is_ablation
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.report import background, page, second_truths, sections
from meta_spliceai.report.drawing import styled
from meta_spliceai.store.atomic import write_text

EVALUATION = "evaluation"


def report(*, run_dir: Path, out: Path | None = None) -> Path:
    """Write one self-contained HTML page about a training run: the arms, the pictures, and the numbers behind each.

    Parameters
    ----------
    run_dir
        Folder of the training run, with `evaluation/` in it and, where there are such, `feature_manifest.csv` and `ablation.tsv`.
    out
        The page; default `report.html` in `run_dir`.

    Returns
    -------
    Path
        Where the page is. The same run gives the same bytes.

    Raises
    ------
    StoreError
        There is no evaluation yet, or it is damaged.
    """
    result = load_evaluation(run_dir / EVALUATION)
    target = out or run_dir / "report.html"
    write_text(
        target, render(result, _features(run_dir / background.FEATURES), _ablation(run_dir / background.ABLATION))
    )
    return target


def _ablation(path: Path) -> pl.DataFrame | None:
    """The table of an ablation, or None where the run has none."""
    if not path.is_file():
        return None
    try:
        return pl.read_csv(path, separator="\t", schema_overrides={"average_precision": pl.Float64})
    except pl.exceptions.PolarsError as error:
        raise StoreError(
            f"a table of an ablation in {path}", str(error).splitlines()[0], "run `meta-spliceai ablation` again"
        ) from error


def _features(path: Path) -> pl.DataFrame | None:
    """What the model reads and gains, or None where the run has no such table."""
    if not path.is_file():
        return None
    try:
        return pl.read_csv(path, schema_overrides={f"{kind}_gain": pl.Float64 for kind in SITE_TYPES})
    except pl.exceptions.PolarsError as error:
        raise StoreError(
            f"a table of features in {path}", str(error).splitlines()[0], "run the same train command again"
        ) from error


def render(result: EvaluationResult, features: pl.DataFrame | None = None, ablation: pl.DataFrame | None = None) -> str:
    """The page as HTML.

    Parameters
    ----------
    result
        What was measured.
    features
        feature, origin, donor_gain, acceptor_gain of the saved model; the page says so where it is missing.
    ablation
        What each family of features adds, where that was measured.
    """
    measured = result.about["measured"]
    models = [result.about.get("base_model", {}), *result.about.get("further_base_models", [])]
    names = " + ".join(model.get("name") or "base model" for model in models)
    subtitle = (
        f"{names}{_build(result)} · {measured['genes']:,} genes in "
        f"{measured['gene_groups']:,} groups · {measured['bases']:,} bases, every one of them in whole held-out genes · "
        f"meta-spliceai {result.about['software'].get('meta-spliceai', '')}"
    )
    with styled():
        adding = background.ablation(result, ablation)
        result = _without_ablation(result)
        parts = [
            sections.summary(result),
            sections.arms(result),
            sections.curves(result),
            sections.errors(result),
            sections.calibration(result),
            sections.groups(result),
            sections.strata(result),
            second_truths.section(result),
            background.importance(result, features),
            adding,
            background.sampling(result),
            background.made_from(result),
        ]
    return page.page("Does the meta-model beat the base model?", subtitle, parts)


def _without_ablation(result: EvaluationResult) -> EvaluationResult:
    """The same without the arms of an ablation, which have a part of their own and would crowd out the others."""
    left_out = [arm["name"] for arm in result.about["arms"] if is_ablation(arm)]
    about = {**result.about, "arms": [arm for arm in result.about["arms"] if not is_ablation(arm)]}
    frames = {name: getattr(result, name).filter(~pl.col("arm").is_in(left_out)) for name in TABLES}
    contrasts = frames.pop("contrasts").filter(~pl.col("other").is_in(left_out))
    return replace(result, about=about, contrasts=contrasts, **frames)


def _build(result: EvaluationResult) -> str:
    return f" on {result.about['build']}" if result.about.get("build") else ""
