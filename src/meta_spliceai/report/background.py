"""What the page says about the model and how everything was made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from meta_spliceai.evaluate.result import EvaluationResult
from meta_spliceai.evaluate.words import BEST_MEAN, plain_family
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.report import detail_figures, page, ranking_figures
from meta_spliceai.report.drawing import BETTER, WORSE, Look, as_svg

FEATURES, ABLATION = "feature_manifest.csv", "ablation.tsv"

_ENDS = ("", "_low", "_high")


def importance(result: EvaluationResult, features: pl.DataFrame | None) -> str:
    """What the saved model looks at."""
    title = "What the meta-model looks at"
    needed = ["feature", "origin", *(f"{kind}_gain" for kind in SITE_TYPES)]
    if features is None:
        words = f"The run folder holds no {FEATURES}, so what the model looks at is not shown."
        return page.section(title, page.paragraph(words))
    missing = [name for name in needed if name not in features.columns]
    if missing:
        words = f"{FEATURES} has no column {', '.join(missing)}, so what the model looks at is not shown."
        return page.section(title, page.paragraph(words))
    caption = (
        "Share of each feature in the total gain of the boosted trees, by its mean over donors and acceptors. It says what "
        "is used; it does not say what would be lost without it, because features share information."
    )
    if _has_several_bases(result):
        caption += " The mean of base models' logits that corrections start from is no part of it: `explain` says what that carries."
    shares = detail_figures.gain_shares(features)
    numbers = page.table(shares.select("feature", "origin", *(f"{kind}_share" for kind in SITE_TYPES)))
    by_origin = shares.group_by("origin").agg(
        pl.len().alias("features"), *(pl.col(f"{kind}_share").sum() for kind in SITE_TYPES)
    )
    titles = {f"{kind}_share": f"{kind} gain" for kind in SITE_TYPES}
    svg = as_svg(detail_figures.importance(features))
    return page.section(
        title,
        page.figure(svg, "Bar chart of feature gains", caption, numbers),
        page.table(by_origin.sort("donor_share", descending=True), titles),
    )


def ablation(result: EvaluationResult, table: pl.DataFrame | None) -> str:
    """What each family of features adds, where `meta-spliceai ablation` made a table of it; nothing elsewhere."""
    title = "What each family of features adds"
    if table is None:
        return ""
    keys = ["splice_type", "arm"]
    own = result.arms.select(*keys, "average_precision")
    if table.join(own, on=[*keys, "average_precision"], how="anti", nulls_equal=True).height:
        words = f"{ABLATION} is of another evaluation, so it is not shown; `meta-spliceai ablation` makes it again."
        return page.section(title, page.paragraph(words))
    words = (
        "Models trained without each family of features, and with one family only, on the same bases: average precision, and "
        "its difference to the whole model and to the base model with 95 % intervals, paired. A family without which nothing "
        "is lost may still help alone, because families share information."
    )
    several = (
        "There are several base models. An arm starts from the best mean of those logits of theirs that it may read, or from the mean of "
        "all where it may read fewer than two, and that mean is a family of its own: what is lost without a base model's family is not "
        "all that the base model adds. That is measured with fewer base "
        "models (the command results)."
    )
    shown = table.select(
        "splice_type", "arm", "average_precision", *(f"to_{other}{end}" for other in ("full", "base") for end in _ENDS)
    )
    titles = {"splice_type": "sites", "average_precision": "average precision"}
    for other, against in (("full", "to the whole model"), ("base", "to the base model")):
        titles |= dict(zip((f"to_{other}{end}" for end in _ENDS), (against, "from", "to"), strict=True))
    formats = {f"to_{other}{end}": page.signed for other in ("full", "base") for end in _ENDS}
    caption = (
        "Change in average precision against the whole model: above, what is lost (or gained) without a family of features; below "
        "the line, what one family reaches alone. Bars are 95 % intervals, paired."
    )
    svg = as_svg(ranking_figures.forest(_ablation_rows(table)))
    return page.section(
        title,
        page.paragraph(words),
        page.paragraph(several) if _has_several_bases(result) else "",
        page.figure(
            svg,
            "Forest plot of the ablation",
            caption,
            page.table(shown, titles, formats, parted_by="splice_type"),
        ),
    )


def _has_several_bases(result: EvaluationResult) -> bool:
    return any(arm["name"] == BEST_MEAN for arm in result.about["arms"])


def _ablation_rows(table: pl.DataFrame) -> list[ranking_figures.ForestRow]:
    """A line per arm but the whole model: without the family that matters most first, then with the best one alone."""
    arms = table.filter(pl.col("change") != "whole").group_by("change", "of", "arm").agg(pl.col("to_full").mean())
    lost = pl.when(pl.col("change") == "only").then(-pl.col("to_full")).otherwise(pl.col("to_full"))
    ordered = arms.sort(pl.col("change") == "only", lost, "arm", nulls_last=True)
    found: list[ranking_figures.ForestRow] = []
    for one in ordered.iter_rows(named=True):
        rows = {}
        for kind in SITE_TYPES:
            row = table.filter(arm=one["arm"], splice_type=kind).row(0, named=True)
            rows[kind] = {f"difference{end}": row[f"to_full{end}"] for end in _ENDS} | {"sites": 0}
        label = f"{one['change']} {plain_family(one['of'])}"
        first_alone = one["change"] == "only" and not any(line.label.startswith("only") for line in found)
        look = Look(BETTER if one["change"] == "only" else WORSE, marker="D" if one["change"] == "only" else "o")
        found.append(ranking_figures.ForestRow(label, rows, look, rule_above=first_alone and bool(found)))
    return found


def sampling(result: EvaluationResult) -> str:
    """The rows the model learnt from, out of those there were."""
    title = "What the model learnt from"
    tiers: dict[str, dict[str, int]] = result.about.get("dataset", {}).get("sampling", {})
    if not tiers:
        words = "The predictions carry no sampling ledger, so the share of rows that was learnt from is not shown."
        return page.section(title, page.paragraph(words))
    rows = [{"tier": tier, **counts} for tier, counts in sorted(tiers.items())]
    total = {name: sum(int(row[name]) for row in rows) for name in ("rows_seen", "rows_kept", "rows_dropped")}  # type: ignore[call-overload]
    frame = pl.DataFrame([*rows, {"tier": "all", **total}]).select("tier", *total)
    words = (
        "Rows of the training data by sampling tier. Learning from a sample is sound because every row knows the probability "
        "with which it was kept; nothing on this page is measured on a sample."
    )
    titles = {"rows_seen": "bases seen", "rows_kept": "kept", "rows_dropped": "left out"}
    return page.section(title, page.paragraph(words), page.table(frame, titles))


def made_from(result: EvaluationResult) -> str:
    """Everything one needs to do it again."""
    about = result.about
    genes = result.per_group.filter(
        splice_type=SITE_TYPES[0], arm=about["reference_arm"]
    ).select("group", "fold", "genes", "bases")  # fmt: skip
    definitions = page.facts({item["word"]: item["meaning"] for item in about["definitions"]})
    return page.section(
        "How it was made",
        page.facts(dict(_provenance(about))),
        page.folded("the gene groups", page.table(genes)),
        page.heading("Words"),
        definitions,
    )


def _provenance(about: Any) -> Iterator[tuple[str, object]]:
    model, measured, dataset = about.get("base_model", {}), about["measured"], about.get("dataset", {})
    yield "base model", model.get("name")
    yield "trained on", _training(model)
    yield "licence of its weights", model.get("licence")
    yield "weights", model.get("weights_fingerprint")
    for place, further in enumerate(about.get("further_base_models", []), 2):
        yield f"base model {place}", f"{further.get('name')}; trained on {_training(further)}; {further.get('licence')}"
    yield "genome build", about.get("build")
    yield "dataset", dataset.get("fingerprint")
    yield "dataset rows", dataset.get("rows")
    yield "feature profile of the saved model", about.get("feature_profile")
    yield "folds", measured["folds"]
    yield "training seed", about.get("training_seed")
    yield "bootstrap", f"{about['bootstrap']['draws']:,} draws of gene groups, seed {about['bootstrap']['seed']}"
    yield "software", ", ".join(f"{name} {version}" for name, version in about["software"].items())


def _training(model: Any) -> str:
    chromosomes: Sequence[str] = model.get("training_chromosomes") or []
    build = model.get("training_build") or "an unknown build"
    return f"{build}, chromosomes {', '.join(chromosomes)}" if chromosomes else str(build)
