"""From an evaluation folder to report.html."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from meta_spliceai.errors import StoreError
from meta_spliceai.evaluate.run import METRICS, EvaluationResult
from meta_spliceai.evaluate.words import change, number, plain_words, row_of
from meta_spliceai.report import figures, page
from meta_spliceai.store.atomic import read_json, write_bytes, write_text

EVALUATION = "evaluation"
FEATURES = "feature_manifest.csv"
_FRAMES = ("ranking", "errors", "calibration", "calibration_errors", "curves", "per_group")


def report(*, run_dir: Path, out: Path | None = None) -> Path:
    """Write one self-contained HTML page about a training run: the arms, the pictures, and the numbers behind each.

    Parameters
    ----------
    run_dir
        Folder of the training run, with `evaluation/` in it.
    out
        The page; default `report.html` in `run_dir`.

    Returns
    -------
    Path
        Where the page is. The main picture is written beside it as `report.svg`.

    Raises
    ------
    StoreError
        There is no evaluation yet, or it is damaged.
    """
    result = load_evaluation(run_dir / EVALUATION)
    target = out or run_dir / "report.html"
    write_text(target, _html(result, _features(run_dir / FEATURES)))
    write_bytes(target.with_suffix(".svg"), figures.as_svg(_main_picture(result)).encode())
    return target


def load_evaluation(folder: Path) -> EvaluationResult:
    """Read an evaluation folder back."""
    if not (folder / METRICS).is_file():
        raise StoreError(f"an evaluation in {folder}", f"no {METRICS}", "run `meta-spliceai evaluate` first")
    raw = read_json(folder / METRICS)
    missing = [name for name in _FRAMES if name not in raw]
    if missing:
        raise StoreError(f"{', '.join(_FRAMES)} in {folder / METRICS}", f"no {', '.join(missing)}", "evaluate again")
    frames = {name: pl.DataFrame(raw[name], infer_schema_length=None) for name in _FRAMES}
    about = {name: value for name, value in raw.items() if name not in _FRAMES}
    return EvaluationResult(
        folder, about, frames["ranking"], frames["errors"], frames["calibration"], frames["calibration_errors"],
        frames["curves"], frames["per_group"],
    )  # fmt: skip


def _features(path: Path) -> pl.DataFrame | None:
    return pl.read_csv(path) if path.is_file() else None


def _main_picture(result: EvaluationResult) -> Any:
    return figures.differences(result.ranking, result.about["arms"], result.about["reference_arm"])


def _html(result: EvaluationResult, features: pl.DataFrame | None) -> str:
    about = result.about
    model = about.get("base_model", {})
    subtitle = (
        f"{model.get('name', 'a base model')} and meta-models on {about['bases']:,} bases of whole held-out genes, "
        f"{about['gene_groups']} gene groups"
    )
    parts = [
        f'<div class="lead">{page.bullets(plain_words(result))}</div>',
        _arms(result),
        _curves(result),
        _errors(result),
        _calibration(result),
        _groups(result),
        _strata(result),
        _importance(features),
        _made_from(result),
    ]
    return page.page("Does the meta-model beat the base model?", subtitle, parts)


def _titled(frame: pl.DataFrame, result: EvaluationResult) -> pl.DataFrame:
    titles = {arm["name"]: arm["title"] for arm in result.about["arms"]}
    return frame.with_columns(pl.col("arm").replace(titles))


def _arms(result: EvaluationResult) -> str:
    everything = _titled(result.ranking.filter(pl.col("stratum") == "all"), result).select(
        "arm", "splice_type", "sites", "average_precision", "ap_low", "ap_high", "difference", "difference_low",
        "difference_high", "top_k_accuracy",
    )  # fmt: skip
    notes = [f"{arm['title']}: {arm['note']}" for arm in result.about["arms"] if arm.get("note")]
    caption = (
        "Change in average precision against the base model, on the same bases. Bars are 95 % intervals of a paired "
        "bootstrap over gene groups; an interval that touches 0 proves no change."
    )
    return page.section(
        "The arms",
        page.figure(figures.as_svg(_main_picture(result)), caption, everything),
        page.table(_side_by_side(result, "all")),
        page.bullets(notes),
    )


def _side_by_side(result: EvaluationResult, stratum: str) -> pl.DataFrame:
    """One row per arm, donors and acceptors side by side, intervals in brackets."""
    rows = []
    for arm in result.about["arms"]:
        cells: dict[str, object] = {"arm": arm["title"]}
        for kind in figures.KINDS:
            row = row_of(result, stratum, kind, arm["name"])
            cells |= {
                f"{kind} AP": number(row["average_precision"]),
                f"{kind}: change [95 %]": change(row),
                f"{kind} top-k": number(row["top_k_accuracy"]),
            }
        rows.append(cells)
    return pl.DataFrame(rows)


def _curves(result: EvaluationResult) -> str:
    picture = figures.curves(result.curves, result.about["arms"])
    caption = "Precision and recall over every base of the held-out genes, at the prevalence nature has."
    thinned = _titled(result.curves.filter(pl.int_range(pl.len()).over("splice_type", "arm") % 15 == 0), result)
    return page.section(
        "Precision and recall",
        page.figure(
            figures.as_svg(picture), caption, thinned.select("arm", "splice_type", "recall", "precision", "cut")
        ),
    )


_ERROR_TITLES = {
    "arm": "arm",
    "splice_type": "site",
    "sites": "sites",
    "cut": "cut",
    "false_positives": "FP",
    "false_negatives": "FN",
    "false_positives_per_mb": "FP per Mb",
    "false_positives_at_base_misses": "FP at base's FN",
    "false_negatives_at_base_false_calls": "FN at base's FP",
}


def _errors(result: EvaluationResult) -> str:
    words = (
        "FP and FN at the cut where the other folds have their best F1; then the false positives at the base model's number "
        "of misses, and the misses at its number of false calls, with those cuts chosen on the other folds too."
    )
    shown = _titled(result.errors, result).select(*_ERROR_TITLES)
    return page.section("Errors at a cut", page.paragraph(words), page.table(shown, _ERROR_TITLES))


def _calibration(result: EvaluationResult) -> str:
    picture = figures.calibration(result.calibration, result.about["arms"])
    caption = (
        "Ten bins of equal numbers of bases among those with probability of at least .01; the dashed line is perfect."
    )
    return page.section(
        "Calibration",
        page.figure(
            figures.as_svg(picture),
            caption,
            _titled(result.calibration, result).select("arm", "splice_type", "bin", "bases", "predicted", "observed"),
        ),
        page.table(
            _titled(result.calibration_errors, result).select(
                "arm", "splice_type", "expected_calibration_error", "brier"
            )
        ),
    )


def _groups(result: EvaluationResult) -> str:
    arms = [arm for arm in result.about["arms"] if arm["name"] == "meta"] or result.about["arms"][-1:]
    arm, reference = arms[0], result.about["reference_arm"]
    picture = figures.per_group(result.per_group, arm["name"], reference, arm["title"])
    named = {group["group"]: ", ".join(group["gene_names"]) for group in result.about.get("groups", [])}
    numbers = pl.concat(
        [
            figures.group_changes(result.per_group, arm["name"], reference, kind).with_columns(splice_type=pl.lit(kind))
            for kind in figures.KINDS
        ]
    ).with_columns(genes=pl.col("group").replace_strict(named, default="", return_dtype=pl.String))
    caption = (
        f"{arm['title']} against the base model in each group of genes that has sites. Single genes scatter widely: a dot "
        "is no evidence, the interval over all groups above is."
    )
    return page.section("Gene by gene", page.figure(figures.as_svg(picture), caption, numbers))


def _strata(result: EvaluationResult) -> str:
    rows = result.ranking.filter(pl.col("stratum") != "all")
    if rows.is_empty():
        return page.section(
            "Strata", page.paragraph("No subset of these bases differs from the whole and can be told apart.")
        )
    shown = _titled(rows, result).select(
        "stratum", "splice_type", "arm", "sites", "average_precision", "difference", "difference_low", "difference_high"
    )
    meanings = rows.select("stratum", "meaning").unique(maintain_order=True)
    words = [f"{name}: {meaning}" for name, meaning in meanings.iter_rows()]
    return page.section("Strata", page.bullets(words), page.table(shown))


def _importance(features: pl.DataFrame | None) -> str:
    title = "What the meta-model looks at"
    if features is None or not {"feature", "donor_gain", "acceptor_gain"} <= set(features.columns):
        return page.section(title, page.paragraph(f"There is no {FEATURES} with gains beside this run."))
    picture = figures.importance(features)
    caption = "Share of the total gain of the boosted trees, mean over folds. It says what is used, not what would be lost without it."
    return page.section(title, page.figure(figures.as_svg(picture), caption, features))


def _made_from(result: EvaluationResult) -> str:
    about = result.about
    model = about.get("base_model", {})
    pairs: dict[str, object] = {
        "base model": f"{model.get('name', '')} (trained on {model.get('training_build', '?')})",
        "licence of its weights": model.get("licence", ""),
        "training seed": about.get("seed"),
        "bootstrap": f"{about['draws']} draws, seed {about['bootstrap_seed']}",
        **{f"{name} version": version for name, version in about.get("software", {}).items()},
    }
    pairs |= {
        f"dataset {name}": value
        for name, value in about.get("dataset", {}).items()
        if isinstance(value, (str, int, float))
    }
    definitions = pl.DataFrame({"word": list(about["definitions"]), "meaning": list(about["definitions"].values())})
    return page.section("How it was made", page.facts(pairs), page.table(definitions))
