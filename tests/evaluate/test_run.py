import json

import numpy as np
import polars as pl
import polars.testing
import pytest

from meta_spliceai.errors import InputError, SchemaError
from meta_spliceai.evaluate.result import TABLES, load_evaluation
from meta_spliceai.evaluate.run import evaluate, main_table, plain_words
from meta_spliceai.evaluate.strata import SCORE_EDGES, STRATA
from meta_spliceai.schema.check import problems_of
from tests.evaluate import toys
from tests.oracles import evaluation_oracles as slow


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return toys.frame()


@pytest.fixture(scope="module")
def result(tmp_path_factory, table):
    folder = tmp_path_factory.mktemp("evaluated")
    return evaluate(predictions=toys.write(folder / "predictions", table), out_dir=folder / "evaluation", draws=200)


def _changed(tmp_path, table, **columns):
    frame = table.with_columns(**columns)
    return evaluate(predictions=toys.write(tmp_path / "p", frame), out_dir=tmp_path / "e", draws=50)


def test_a_better_arm_is_shown_better_with_an_interval_above_zero(result):
    for kind in ("donor", "acceptor"):
        row = result.ranking("all", kind, "meta")
        assert 0 < row["difference_low"] <= row["difference"] <= row["difference_high"]


def test_the_numbers_are_those_of_the_slow_twin(result, table):
    worst = table.filter("is_donor")["meta_donor"].min()
    small = table.filter(pl.col("meta_donor") >= worst)  # bases below the worst site never count
    row = result.ranking("all", "donor", "meta")
    expected = slow.average_precision(small["meta_donor"].to_list(), small["is_donor"].to_list())
    assert row["average_precision"] == pytest.approx(expected)
    assert (row["bases"], row["sites"], row["groups"]) == (table.height, 24 * 6, 24)


def test_every_arm_is_measured_on_the_same_bases(result):
    assert result.arms.select("splice_type", "sites", "bases").n_unique() == 2
    assert result.strata.select("splice_type", "stratum", "sites", "bases").n_unique() == 2 * (len(STRATA) - 1)


def test_an_arm_with_the_same_order_has_no_difference(result):
    row = result.ranking("all", "donor", "recalibrated")
    assert (row["difference"], row["difference_low"], row["difference_high"]) == (0, 0, 0)


def test_the_reference_arm_has_no_differences_and_comes_first(result):
    assert result.about["arms"][0]["name"] == "base"
    assert result.arms.filter(pl.col("arm") == "base")["difference"].null_count() == 2


def test_contrasts_are_differences_between_all_pairs_of_arms(result):
    assert result.contrasts.height == 2 * 5 * 4 / 2
    pair = result.contrasts.filter(splice_type="donor", arm="meta", other="base_scores").row(0, named=True)
    own, other = (result.ranking("all", "donor", arm)["average_precision"] for arm in ("meta", "base_scores"))
    assert pair["difference"] == pytest.approx(own - other)


def test_number_of_parts_and_order_of_rows_do_not_matter(tmp_path, table, result):
    shuffled = toys.write(tmp_path / "predictions", table.sample(fraction=1, shuffle=True, seed=3), parts=1)
    again = evaluate(predictions=shuffled, out_dir=tmp_path / "evaluation", draws=200)
    for name in TABLES:
        exact = not name.startswith("calibration")  # sums of probabilities, whose last digit depends on the order
        pl.testing.assert_frame_equal(getattr(again, name), getattr(result, name), check_exact=exact)


def test_strata_hold_their_own_bases(result, table):
    coding = result.ranking("protein_coding", "donor", "base")
    assert (coding["bases"], coding["sites"]) == (table.height // 2, 72)
    unseen = result.ranking("base_unseen", "acceptor", "base")
    assert (unseen["bases"], unseen["sites"]) == (table.filter("base_unseen").height, 72)
    canonical = table.filter(pl.col("is_donor") & (pl.col("site_class") == 1)).height
    row = result.ranking("canonical", "donor", "base")
    assert (row["sites"], row["bases"]) == (canonical, table.height - 144 + canonical)


def test_bins_of_the_reference_score_part_all_bases_alike_for_every_arm(result, table):
    edges = [0.0, *SCORE_EDGES, 1.1]
    names = [stratum.name for stratum in STRATA if stratum.name.startswith("score_")]
    for kind in ("donor", "acceptor"):
        for name, low, high in zip(names, edges[:-1], edges[1:], strict=True):
            inside = table.filter(pl.col(f"base_{kind}").cast(pl.Float64).is_between(low, high, closed="left"))
            for arm in ("base", "meta"):
                row = result.ranking(name, kind, arm)
                assert (row["bases"], row["sites"]) == (inside.height, inside[f"is_{kind}"].sum())


def test_strata_of_sites_and_genes_come_from_optional_columns(tmp_path, table, result):
    codes = {
        "motif": pl.when(is_donor=True).then(1 + pl.int_range(pl.len()) % 2).otherwise(0),
        "exon_place": pl.when(is_donor=True).then(2 - pl.col("group") // 12).otherwise(0),
        "gene_class": pl.when("is_coding").then(1).otherwise(2 + pl.col("group") % 3).replace(4, 0),
    }
    found = _changed(tmp_path, table, **{name: value.cast(pl.UInt8) for name, value in codes.items()})
    sites = table.with_columns(**codes).filter("is_donor")
    for stratum, of in (("gt_ag", {"motif": 1}), ("gc_ag", {"motif": 2}), ("at_ac", {"motif": 3})):
        row = found.ranking(stratum, "donor", "meta")
        assert (row["sites"], row["bases"]) == (sites.filter(**of).height, table.height - 144 + row["sites"])
    assert [found.ranking(name, "donor", "meta")["sites"] for name in ("terminal_exon", "inner_exon")] == [72, 72]
    for stratum, number in (("lncrna", 2), ("pseudogene", 3)):
        own = table.with_columns(**codes).filter(pl.col("gene_class") == number)
        assert found.ranking(stratum, "donor", "meta")["bases"] == own.height
    both = sites.filter("is_acceptor", motif=1).height  # what is said of a base holds for all it is
    assert found.ranking("gt_ag", "acceptor", "meta")["sites"] == both
    assert result.ranking("gt_ag", "donor", "meta")["caution"] == "too few sites"  # and a table may say nothing


def test_a_stratum_with_few_sites_is_counted_and_not_measured(tmp_path, table):
    found = _changed(tmp_path, table, site_class=pl.lit(0, pl.UInt8), is_coding=pl.col("group") < 3)
    for stratum, sites in (("canonical", 0), ("protein_coding", 18)):
        row = found.ranking(stratum, "donor", "meta")
        assert (row["sites"], row["average_precision"], row["caution"]) == (sites, None, "too few sites")


def test_no_sites_at_all_give_counts_and_no_numbers(tmp_path, table):
    found = _changed(tmp_path, table, is_donor=pl.lit(value=False))
    assert found.ranking("all", "donor", "meta")["average_precision"] is None
    assert "too few" in main_table(found)
    assert found.errors("donor", "meta")["false_negatives"] == 0
    assert any("too few sites (0 of the 20 it takes)" in sentence for sentence in plain_words(found))


def test_every_table_has_the_declared_columns_and_can_be_read_back(result):
    again = load_evaluation(result.out_dir)
    for name, declared in TABLES.items():
        frame = getattr(result, name)
        assert problems_of(frame, declared) == []
        pl.testing.assert_frame_equal(getattr(again, name), frame)
    assert again.about == json.loads(json.dumps(result.about))


def test_metrics_hold_every_number_by_site_type_and_arm(result):
    metrics = json.loads((result.out_dir / "metrics.json").read_text())
    assert [arm["name"] for arm in metrics["arms"]] == [arm["name"] for arm in toys.ARMS]
    assert metrics["measured"]["sites"] == {"donor": 144, "acceptor": 144}
    assert metrics["bootstrap"] == {"draws": 200, "seed": 42, "level": 0.95, "unit": "gene group", "few_groups": False}
    found = metrics["results"]["donor"]["meta"]
    assert sorted(found) == ["against", "calibration", "strata", "thresholds"]
    assert found["strata"]["all"]["average_precision"] == result.ranking("all", "donor", "meta")["average_precision"]
    assert sorted(found["against"]) == ["base", "base_scores", "recalibrated"]


def test_the_same_predictions_and_seed_give_the_same_bytes(tmp_path, table):
    predictions = toys.write(tmp_path / "p", table)
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        evaluate(predictions=predictions, out_dir=folder, draws=20)
    for path in folders[0].glob("*.*"):
        assert path.read_bytes() == (folders[1] / path.name).read_bytes(), path.name


def test_an_earlier_evaluation_is_replaced(tmp_path, table):
    predictions = toys.write(tmp_path / "p", table)
    evaluate(predictions=predictions, out_dir=tmp_path / "e", draws=20)
    again = evaluate(predictions=predictions, out_dir=tmp_path / "e", draws=30)
    assert load_evaluation(tmp_path / "e").about["bootstrap"]["draws"] == again.about["bootstrap"]["draws"] == 30


def test_too_few_draws_are_refused_before_anything_is_read(tmp_path):
    with pytest.raises(InputError, match="--draws of at least 2"):
        evaluate(predictions=tmp_path / "none", out_dir=tmp_path / "e", draws=1)


def test_half_is_a_cut_nobody_chose(result, table):
    called = table["meta_donor"].to_numpy() >= np.float32(0.5)
    truth = table["is_donor"].to_numpy()
    row = result.errors("donor", "meta")
    assert row["false_positives_at_half"] == (called & ~truth).sum()
    assert row["false_negatives_at_half"] == (~called & truth).sum()


def _maps(table, **changed):
    """A calibration of the meta-model's donors for every fold."""
    return [
        {"fold": fold, "arm": "meta", "splice_type": "donor", "a": 1.0 + fold, "b": 0.5, "c": -1.0, **changed}
        for fold in table["fold"].unique().sort().to_list()
    ]


def test_calibration_maps_change_probabilities_and_no_ranking(tmp_path, table, result):
    predictions = toys.write(tmp_path / "p", table, calibrations=_maps(table))
    mapped = evaluate(predictions=predictions, out_dir=tmp_path / "e", draws=200)
    pl.testing.assert_frame_equal(mapped.arms, result.arms)
    chosen = [column for column in mapped.thresholds.columns if not column.endswith("_at_half")]
    pl.testing.assert_frame_equal(mapped.thresholds.select(chosen), result.thresholds.select(chosen))
    p = table["meta_donor"].to_numpy().astype(float)
    margin = (1 + table["fold"].to_numpy()) * np.log(p) - 0.5 * np.log1p(-p) - 1
    truth = table["is_donor"].to_numpy()
    found = mapped.calibration_summary.filter(splice_type="donor", arm="meta").row(0, named=True)
    assert found["brier"] == pytest.approx(np.mean((1 / (1 + np.exp(-margin)) - truth) ** 2), rel=1e-5)
    assert mapped.errors("donor", "meta")["false_negatives_at_half"] == ((margin < 0) & truth).sum()
    other = [frame.filter(arm="base") for frame in (mapped.calibration, result.calibration)]
    pl.testing.assert_frame_equal(*other)


def test_a_map_that_ties_all_scores_changes_no_ranking(tmp_path, table, result):
    level = [
        {"fold": fold, "arm": "meta", "splice_type": "donor", "kind": "isotonic", "p": [0.0, 1.0], "q": [0.01, 0.01]}
        for fold in table["fold"].unique().sort().to_list()
    ]
    mapped = evaluate(
        predictions=toys.write(tmp_path / "p", table, calibrations=level), out_dir=tmp_path / "e", draws=200
    )
    pl.testing.assert_frame_equal(mapped.arms, result.arms)
    pl.testing.assert_frame_equal(mapped.strata, result.strata)
    assert mapped.errors("donor", "meta")["false_positives"] == result.errors("donor", "meta")["false_positives"]
    assert mapped.errors("donor", "meta")["false_negatives_at_half"] == 144


@pytest.mark.parametrize(
    "changed", [{"q": [0.5, 0.4]}, {"p": [0.5, 0.5]}, {"q": [0.1]}, {"p": [], "q": []}, {"q": [0, 2]}]
)
def test_an_isotonic_calibration_that_falls_or_lacks_points_is_refused(tmp_path, table, changed):
    points = {"kind": "isotonic", "p": [0.1, 0.2], "q": [0.1, 0.3], **changed}
    with pytest.raises(SchemaError, match="p and q that never fall, of kind isotonic"):
        evaluate(
            predictions=toys.write(tmp_path / "p", table, calibrations=_maps(table, **points)), out_dir=tmp_path / "e", draws=20
        )  # fmt: skip


def test_calibration_of_some_folds_only_is_refused(tmp_path, table):
    predictions = toys.write(tmp_path / "p", table, calibrations=_maps(table)[:2])
    with pytest.raises(
        SchemaError, match=r"a calibration of arm meta, donor, for every fold.*\nfound: none for folds 2, 3"
    ):
        evaluate(predictions=predictions, out_dir=tmp_path / "e", draws=20)


@pytest.mark.parametrize(
    "changed", [{"a": -1.0}, {"b": 0.0}, {"c": float("nan")}, {"splice_type": "neither"}, {"a": None}]
)
def test_a_calibration_that_is_no_increasing_map_is_refused(tmp_path, table, changed):
    predictions = toys.write(tmp_path / "p", table, calibrations=_maps(table, **changed))
    with pytest.raises(SchemaError, match=r"calibrations \(arm, splice_type, fold, a, b, c with a and b above 0; or"):
        evaluate(predictions=predictions, out_dir=tmp_path / "e", draws=20)
