"""Whole genes: each base once, the same scores for any tile, and features equal to those of the training rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest
import xgboost

from meta_spliceai.basepass.artifacts import Artifacts, open_artifacts
from meta_spliceai.features.profile import admitted_features
from meta_spliceai.formats.fasta import Genome
from meta_spliceai.genome.labels import SITE_TYPES
from meta_spliceai.reference.load import load
from meta_spliceai.schema.features import REACH
from meta_spliceai.train.learners.xgboost_learner import XGBoostModel
from meta_spliceai.train.matrix import load_rows, open_dataset
from meta_spliceai.train.residual import Correction, Ensemble, base_margin
from meta_spliceai.train.whole_gene import merged_length, score_tiles, tiles_of
from tests.train.conftest import Inputs

GATE = 1e-5
PARAMETERS = {"objective": "binary:logistic", "max_depth": 4, "base_score": 0.5, "nthread": 1}


@dataclass(frozen=True)
class Opened:
    genes: pl.DataFrame
    artifacts: Artifacts
    genome: Genome

    def named(self, *names: str) -> pl.DataFrame:
        return self.genes.filter(pl.col("gene_name").is_in(names))


@pytest.fixture(scope="module")
def opened(inputs: Inputs) -> Iterator[Opened]:
    reference = load(inputs.reference)
    with reference.open_genome() as genome:
        yield Opened(reference.genes, open_artifacts(inputs.eval_dir), genome)


def model_of(inputs: Inputs, names: list[str], gate: float = GATE) -> Ensemble:
    """A model that reads every one of the features."""
    rows = load_rows(open_dataset(inputs.dataset), names, load(inputs.reference).genes, gate)
    corrections = {}
    for channel in SITE_TYPES:
        margin = base_margin(rows.score(channel)[rows.gated])
        matrix = xgboost.DMatrix(rows.features, label=rows.truth(channel)[rows.gated], base_margin=margin)
        corrections[channel] = (Correction(XGBoostModel(xgboost.train(PARAMETERS, matrix, 10)), 0.8),)
    return Ensemble(tuple(names), gate, corrections)


def features(inputs: Inputs, profile: str) -> list[str]:
    return admitted_features(open_dataset(inputs.dataset).table, profile)  # type: ignore[arg-type]


def dense(opened: Opened, genes: pl.DataFrame, model: Ensemble, tile_size: int = 10**9) -> pl.DataFrame:
    """Base scores and corrected margins (NaN where the base stands) of every base, in the order of the tiles."""
    frames = []
    for tile in score_tiles(genes, opened.artifacts, opened.genome, {"m": model}, tile_size=tile_size):
        where = tile.interval
        columns = {"position": np.arange(where.start + 1, where.end + 1)}
        for channel in SITE_TYPES:
            margin = np.full(where.length, np.nan)
            margin[tile.corrected["m"][channel].at] = tile.corrected["m"][channel].margin
            columns |= {channel: tile.base[channel], f"{channel}_margin": margin}
        frames.append(pl.DataFrame(columns).with_columns(chrom=pl.lit(where.chrom), strand=pl.lit(where.strand)))
    return pl.concat(frames)


def test_tiles_hold_each_base_of_every_gene_once_in_order(opened: Opened) -> None:
    where = [interval for interval, _ in tiles_of(opened.genes, 700)]
    keys = [(item.chrom, item.strand, position) for item in where for position in range(item.start + 1, item.end + 1)]
    expected = {
        (gene["chrom"], gene["strand"], position)
        for gene in opened.genes.iter_rows(named=True)
        for position in range(gene["start"], gene["end"] + 1)
    }
    assert keys == sorted(expected)
    assert merged_length(opened.genes) == len(expected)
    assert max(item.length for item in where) == 700


def test_a_tile_knows_the_genes_on_it(opened: Opened) -> None:
    on_tiles = [rows["gene_name"].to_list() for _, rows in tiles_of(opened.named("LEFT", "RIGHT", "SENSE"), 1_000)]
    assert on_tiles[:7] == [["LEFT"]] * 3 + [["LEFT", "RIGHT"]] + [["RIGHT"]] * 3


def test_base_scores_ascend_the_genome_on_both_strands(opened: Opened) -> None:
    for tile in score_tiles(opened.genes, opened.artifacts, opened.genome, {}, tile_size=3_000):
        where = tile.interval
        scores = opened.artifacts.scores(where.chrom, where.strand, where.start, where.end)
        np.testing.assert_array_equal(tile.base["donor"], scores.donor)
        np.testing.assert_array_equal(tile.base["acceptor"], scores.acceptor)


@pytest.mark.parametrize("profile", ["de_novo", "annotated"])
def test_the_size_of_tiles_changes_no_score(opened: Opened, inputs: Inputs, profile: str) -> None:
    genes = opened.named("MINUSALT", "LEFT", "RIGHT", "START", "END")
    model = model_of(inputs, features(inputs, profile))
    whole, pieces = dense(opened, genes, model), dense(opened, genes, model, 1_777)
    assert whole["donor_margin"].is_not_nan().sum() > 100
    assert whole.equals(pieces)


@pytest.mark.parametrize("profile", ["de_novo", "annotated"])
def test_features_of_whole_genes_are_those_of_the_training_rows(
    opened: Opened, inputs: Inputs, profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = features(inputs, profile)
    rows = load_rows(open_dataset(inputs.dataset), names, opened.genes, GATE)
    seen: dict[int, np.ndarray] = {}

    def spy(self: Ensemble, channel: str, matrix: np.ndarray, margin: np.ndarray) -> np.ndarray:
        seen[len(seen)] = matrix.copy()
        return margin

    monkeypatch.setattr(Ensemble, "margin", spy)
    model = Ensemble(tuple(names), GATE, dict.fromkeys(SITE_TYPES, ()))
    for gene_id in ("TG03.1", "TG13.1", "TG02.3"):
        gene = opened.genes.filter(pl.col("gene_id") == gene_id)
        seen.clear()
        (tile,) = score_tiles(gene, opened.artifacts, opened.genome, {"m": model})
        at = tile.corrected["m"]["donor"].at
        order = at if tile.interval.strand == "+" else at[::-1]
        matrix = {int(tile.interval.start + 1 + offset): row for offset, row in zip(order, seen[0], strict=True)}
        places = np.flatnonzero(
            (rows.keys["gene_id"].to_numpy() == gene_id)[rows.gated] & (rows.donor_score[rows.gated] >= GATE)
        )
        assert places.size > 20
        for place in places:
            position = rows.keys["position"][int(rows.gated[place])]
            np.testing.assert_array_equal(matrix[position], rows.features[place])


def test_below_the_gate_the_base_score_stands(opened: Opened, inputs: Inputs) -> None:
    scores = dense(opened, opened.genes, model_of(inputs, features(inputs, "de_novo"), gate=0.01))
    for channel in SITE_TYPES:
        stands = scores[f"{channel}_margin"].is_nan()
        assert stands.equals(scores[channel] < np.float32(0.01))


def test_a_base_in_two_genes_gets_the_mean_of_both_views(opened: Opened, inputs: Inputs) -> None:
    model = model_of(inputs, features(inputs, "gene_conditioned"))
    both, left, right = (
        dense(opened, opened.named(*names), model) for names in (("LEFT", "RIGHT"), ("LEFT",), ("RIGHT",))
    )
    views = left.join(right, on="position", suffix="_right").filter(pl.col("donor_margin").is_not_nan())
    shared = views.join(both, on="position", suffix="_both")
    assert shared.height > 20
    mean = (shared["donor_margin"] + shared["donor_margin_right"]) / 2
    np.testing.assert_allclose(shared["donor_margin_both"], mean, atol=1e-6)
    assert (shared["donor_margin"] != shared["donor_margin_right"]).any()
    alone = left.join(right, on="position", how="anti")
    assert both.join(alone, on="position", how="semi").equals(alone)


def test_a_blind_model_sees_no_genes(opened: Opened, inputs: Inputs) -> None:
    model = model_of(inputs, features(inputs, "de_novo"))
    both, left = dense(opened, opened.named("LEFT", "RIGHT"), model), dense(opened, opened.named("LEFT"), model)
    assert both.join(left, on="position", how="semi").equals(left)


def test_several_models_with_other_gates_are_applied_in_one_pass(opened: Opened, inputs: Inputs) -> None:
    gene = opened.named("PLUSALT")
    models = {
        "low": model_of(inputs, ["donor_logit"], 1e-6),
        "high": model_of(inputs, ["gc_content", "donor_logit"], 0.1),
    }
    (tile,) = score_tiles(gene, opened.artifacts, opened.genome, models)
    for name, model in models.items():
        (alone,) = score_tiles(gene, opened.artifacts, opened.genome, {name: model})
        for channel in SITE_TYPES:
            np.testing.assert_array_equal(tile.corrected[name][channel].at, alone.corrected[name][channel].at)
            np.testing.assert_array_equal(tile.corrected[name][channel].margin, alone.corrected[name][channel].margin)


def test_the_flank_lies_inside_what_was_scored(opened: Opened) -> None:
    assert opened.artifacts.flank >= REACH


def test_a_margin_starts_from_the_base_models_logit(opened: Opened, inputs: Inputs) -> None:
    matrix = xgboost.DMatrix(np.zeros((2, 1), np.float32), label=[0, 1])
    untrained = XGBoostModel(xgboost.train(PARAMETERS, matrix, 0))
    model = Ensemble(("donor_logit",), GATE, dict.fromkeys(SITE_TYPES, (Correction(untrained, 1.0),)))
    (tile,) = score_tiles(opened.named("RARE"), opened.artifacts, opened.genome, {"m": model})
    corrected = tile.corrected["m"]["acceptor"]
    np.testing.assert_array_equal(corrected.margin, base_margin(tile.base["acceptor"][corrected.at]))
