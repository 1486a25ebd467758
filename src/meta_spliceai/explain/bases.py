"""Single bases explained: the base model's logit, what the meta-model adds, and which features make it do so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from meta_spliceai.basepass.artifacts import Artifacts
from meta_spliceai.build.plan import check_covered
from meta_spliceai.calibration import IDENTITY
from meta_spliceai.errors import GeneError, InputError
from meta_spliceai.explain.contributions import contributions, is_residual
from meta_spliceai.explain.held_out import TrainedRun
from meta_spliceai.features.assemble import needs_gene
from meta_spliceai.features.base_scores import logit
from meta_spliceai.features.enricher import Enricher
from meta_spliceai.formats.contigs import common_name
from meta_spliceai.formats.fasta import Genome
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.reference.genes import resolve_genes
from meta_spliceai.reference.load import Reference
from meta_spliceai.reference.truth import Truth
from meta_spliceai.train.residual import Ensemble, base_margin
from meta_spliceai.train.split import SET_ASIDE
from meta_spliceai.train.whole_gene import SeenBase, see_base

SHOWN = 10
"""Contributions of a base that are listed; the others are summed."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one feature, with this value at the base (None where it is missing), adds to the logit."""

    feature: str
    family: str
    origin: str
    value: float | None
    contribution: float


@dataclass(frozen=True, slots=True)
class ChannelExplanation:
    """One base as a donor, or as an acceptor.

    Parameters
    ----------
    is_site
        Whether the annotation has it as one.
    base_probability
        The base model's score.
    start_logit
        What the correction starts from: the logit of the base model's score, or the mean logit of several base models.
    corrected
        Whether the base reaches the gate; below it, the score stands.
    correction
        What is added to `start_logit`.
    logit, probability
        The sum, and its probability, as in the run's predictions.
    calibrated_probability
        Through the saved model's calibration, as `predict` gives it.
    average
        What the models add on average, whatever the features; with `contributions` and `other_features` it sums to
        `correction`.
    contributions
        The largest, by absolute value.
    other_features
        The sum of all others.
    """

    is_site: bool
    base_probability: float
    start_logit: float
    corrected: bool
    correction: float
    logit: float
    probability: float
    calibrated_probability: float
    average: float
    contributions: tuple[Contribution, ...]
    other_features: float


@dataclass(frozen=True, slots=True)
class BaseExplanation:
    """One base, as seen from one gene; position is 1-based.

    `models` says which explain it: those of the fold that held the gene out, or all where no fold did.
    """

    chrom: str
    position: int
    strand: str
    gene_id: str
    gene_name: str
    models: str
    splice_types: Mapping[str, ChannelExplanation]

    def summary(self) -> str:
        """For people."""
        where = f"{self.chrom}:{self.position}:{self.strand}"
        lines = [f"{where}  {self.gene_name or self.gene_id}, explained by {self.models}"]
        for kind, one in self.splice_types.items():
            site = "an annotated site" if one.is_site else "no annotated site"
            lines.append(
                f"  {kind:<8} {site}: base model {one.base_probability:.4f}; "
                f"logit {one.start_logit:+.2f} {one.correction:+.2f} = {one.logit:+.2f}, probability {one.probability:.4f}"
            )
            if not one.corrected:
                lines.append("    below the gate: the base model's score stands")
                continue
            for held in one.contributions:
                value = "missing" if held.value is None else f"{held.value:.4g}"
                lines.append(f"    {held.contribution:+7.3f}  {held.feature} = {value}  ({held.family})")
            lines.append(f"    {one.other_features:+7.3f}  all other features")
            lines.append(f"    {one.average:+7.3f}  on average, whatever the features")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class WantedBase:
    """A base that is to be explained, and the row of `GENE_TABLE` it is seen from."""

    position: int
    gene: Mapping[str, Any]


def wanted_bases(texts: Sequence[str], reference: Reference, artifacts: Artifacts) -> list[WantedBase]:
    """Bases given as `chrom:position:strand`, seen from each gene that holds them, or as `gene:position`.

    Raises
    ------
    InputError, GeneError
        Texts that cannot be understood, unknown genes, bases in no gene, genes without artifacts.
    """
    found = [one for text in texts for one in _wanted(text, reference)]
    check_covered(artifacts, reference, sorted({one.gene["gene_id"] for one in found}))
    return found


def _wanted(text: str, reference: Reference) -> list[WantedBase]:
    parts = text.strip().rsplit(":", 2)
    number = parts[1].replace(",", "") if len(parts) > 1 else ""
    if len(parts) not in (2, 3) or not number.isdecimal() or (len(parts) == 3 and parts[2] not in ("+", "-")):
        raise InputError(
            expected="--position as CHROM:POSITION:STRAND or GENE:POSITION, with 1-based positions",
            found=repr(text),
            action="give for example chr3:42600000:+ or VIPR1:42600000",
        )
    position, genes = int(number), reference.genes
    if len(parts) == 3:
        same = [name for name in genes["chrom"].unique() if common_name(name) == common_name(parts[0])]
        named = genes.filter(pl.col("chrom").is_in(same), pl.col("strand") == parts[2])
    else:
        named = genes.filter(pl.col("gene_id").is_in(resolve_genes(reference, [parts[0]]).gene_ids))
    holding = named.filter(pl.col("start") <= position, pl.col("end") >= position)
    if holding.is_empty():
        bodies = ", ".join(f"{row['gene_id']} {row['start']}–{row['end']}" for row in named.head(3).to_dicts())
        raise GeneError(
            expected=f"the base {text} inside a gene of the reference",
            found="it lies in none"
            if len(parts) == 3
            else f"the gene's body is {bodies}"
            if bodies
            else "no such gene",
            action="give a base of a gene; positions are 1-based, and the strand is the gene's",
        )
    return [WantedBase(position, row) for row in holding.to_dicts()]


class BaseExplainer:
    """Explains bases with the models of a run."""

    def __init__(
        self,
        run: TrainedRun,
        reference: Reference,
        artifacts: Artifacts,
        enrichers: Sequence[Enricher],
        families: Mapping[str, str],
    ) -> None:
        self._run, self._artifacts, self._enrichers, self._families = run, artifacts, enrichers, families
        self._truth = Truth(reference.splice_sites())
        self._fold_of = dict(run.split.select("gene_id", "fold").iter_rows())
        self._names = [feature.name for feature in run.model.features]

    def explain(self, wanted: Sequence[WantedBase], genome: Genome) -> list[BaseExplanation]:
        """Each base once from each of its genes; once in all where the model does not look at genes.

        A base seen from several genes of one fold has in the predictions the mean of their logits.
        """
        found: dict[tuple[Any, ...], BaseExplanation] = {}
        for one in wanted:
            gene = one.gene
            fold = self._fold_of.get(gene["gene_id"], SET_ASIDE)
            seen_from = gene["gene_id"] if needs_gene(self._names, self._enrichers) else ""
            key = (gene["chrom"], one.position, gene["strand"], fold, seen_from)
            if key not in found:
                found[key] = self._explained(one, fold, genome)
        return list(found.values())

    def _explained(self, wanted: WantedBase, fold: int, genome: Genome) -> BaseExplanation:
        gene, position = wanted.gene, wanted.position
        seen = see_base(gene, position, self._artifacts, genome, self._names, self._enrichers)
        ensemble = self._run.ensemble(fold)
        truth = self._truth.on(gene["chrom"], gene["strand"], position - 1, position)
        return BaseExplanation(
            chrom=gene["chrom"],
            position=position,
            strand=gene["strand"],
            gene_id=gene["gene_id"],
            gene_name=gene["gene_name"] or "",
            models="the models of all folds"
            if fold == SET_ASIDE
            else f"the model of fold {fold + 1}, which had not seen it",
            splice_types={
                channel: self._of_channel(channel, seen, ensemble, is_site=bool(is_site[0]))
                for channel, is_site in zip(SITE_TYPES, truth, strict=True)
            },
        )

    def _of_channel(self, channel: str, seen: SeenBase, ensemble: Ensemble, *, is_site: bool) -> ChannelExplanation:
        calibration = self._run.model.calibration[channel]
        start = base_margin(seen.start[channel])
        corrected = bool(seen.start[channel][0] >= np.float32(ensemble.gate))
        margin = ensemble.margin(channel, seen.features, start) if corrected else start
        added = (
            contributions(ensemble, channel, seen.features, start)[0] if corrected else np.zeros(len(self._names) + 1)
        )
        if corrected and not is_residual(ensemble, channel):
            added[-1] -= float(start[0])  # the model's own logit stands: all of the base model's is taken away
        largest = [at for at in np.argsort(-np.abs(added[:-1]), kind="stable").tolist() if added[at]][:SHOWN]
        probabilities = [
            one.of_margin(margin) if corrected else one.of_probability(seen.start[channel])
            for one in (IDENTITY, calibration)
        ]
        return ChannelExplanation(
            is_site=is_site,
            base_probability=float(seen.base[channel][0]),
            start_logit=float(logit(seen.start[channel])[0]),
            corrected=corrected,
            correction=float(margin[0]) - float(start[0]),
            logit=float(margin[0]),
            probability=float(probabilities[0][0]),
            calibrated_probability=float(probabilities[1][0]),
            average=float(added[-1]),
            contributions=tuple(self._contribution(at, seen, added[at]) for at in largest),
            other_features=float(added[:-1].sum() - added[largest].sum()),
        )

    def _contribution(self, at: int, seen: SeenBase, added: float) -> Contribution:
        feature, value = self._run.model.features[at], float(seen.features[0, at])
        return Contribution(
            feature.name,
            self._families[feature.name],
            feature.origin,
            None if np.isnan(value) else value,
            float(added),
        )
