import polars as pl
import pytest

from meta_spliceai.evaluate.run import evaluate, main_table, plain_words
from meta_spliceai.evaluate.words import change, verdict
from tests.evaluate import toys


def _evaluated(folder, frame, **changed):
    return evaluate(predictions=toys.write(folder / "p", frame, **changed), out_dir=folder / "e", draws=100)


@pytest.fixture(scope="module")
def unseen(tmp_path_factory):
    frame = toys.frame().with_columns(base_unseen=pl.lit(value=True))
    return _evaluated(tmp_path_factory.mktemp("unseen"), frame)


def test_the_table_sets_every_arm_beside_the_reference(unseen):
    lines = main_table(unseen).splitlines()
    assert lines[0].split() == ["donors", "(144", "sites)", "AP", "change", "[95", "%", "interval]", "FP", "FN"]
    row = unseen.ranking("all", "donor", "meta")
    errors = unseen.errors("donor", "meta")
    assert lines[5] == (
        f"{'meta-model':<27}   {row['average_precision']:.4f}  {change(row):<27}  "
        f"{errors['false_positives']:>6}  {errors['false_negatives']:>6}"
    )
    assert "reference" in lines[2]
    assert "none: the same order" in lines[3]
    assert lines[6].startswith("gene-conditioned model *")
    assert max(map(len, lines)) < 100


def test_a_gain_is_called_a_gain(unseen):
    words = " ".join(plain_words(unseen))
    assert "Meta-model against the base model: donors, a gain, +" in words


def test_gene_conditioned_is_called_a_different_claim(unseen):
    words = " ".join(plain_words(unseen))
    assert "Gene-conditioned model (a different claim: it also knows where the annotated gene begins and ends)" in words
    assert "it is not to be set beside the other arms as if it were the same" in words


def test_what_the_other_features_add_is_measured_against_base_scores_alone(unseen):
    row = unseen.contrasts.filter(splice_type="donor", arm="meta", other="base_scores").row(0, named=True)
    words = " ".join(plain_words(unseen))
    assert f"add to those made of base scores: donors, a gain, {change(row)}" in words


def test_truth_and_arms_not_measured_are_said(unseen):
    words = " ".join(plain_words(unseen))
    assert "some false positives are real sites that nobody annotated" in words
    assert "Not measured: base_mean, because there is one base model." in words
    assert "never saw these chromosomes" in words


def test_verdicts_are_about_unseen_bases_where_only_some_are(tmp_path):
    found = _evaluated(tmp_path, toys.frame())
    words = " ".join(plain_words(found))
    assert "trained on the chromosomes of 50 % of these bases" in words
    assert change(found.ranking("base_unseen", "donor", "meta")) in words
    assert change(found.ranking("all", "donor", "meta")) not in words


def test_nothing_is_claimed_where_the_base_model_has_seen_everything(tmp_path):
    found = _evaluated(tmp_path, toys.frame().with_columns(base_unseen=pl.lit(value=False)))
    assert any("nothing here supports a claim about new genes" in sentence for sentence in plain_words(found))


def test_few_groups_are_said(tmp_path):
    found = _evaluated(tmp_path, toys.frame(groups=6))
    assert found.ranking("all", "donor", "meta")["caution"] == "few groups"
    assert any(sentence.startswith("Only 6 gene groups have sites") for sentence in plain_words(found))


def test_a_single_fold_is_said_to_flatter(tmp_path):
    found = _evaluated(tmp_path, toys.frame().with_columns(fold=pl.lit(0, pl.Int8)))
    assert any(
        "Errors over all bases, at cuts chosen on these same bases, which flatters" in sentence
        for sentence in plain_words(found)
    )


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.001, 0.2, "a gain, +0.1000 [+0.0010, +0.2000]"),
        (-0.2, -0.001, "a loss, +0.1000 [-0.2000, -0.0010]"),
        (-0.1, 0.2, "no gain shown, +0.1000 [-0.1000, +0.2000]"),
        (0.0, 0.2, "no gain shown, +0.1000 [+0.0000, +0.2000]"),
        (None, None, "too few draws with sites for an interval (+0.1000 [no interval])"),
    ],
)
def test_verdict_follows_the_interval(low, high, word):
    row = {"difference": 0.1, "difference_low": low, "difference_high": high, "sites": 50}
    assert verdict(row) == word


def test_a_verdict_that_depends_on_pooling_the_folds_is_said(tmp_path):
    # within each fold the meta-model is better, but each fold's scores have another scale
    frame = toys.frame().with_columns(base_unseen=pl.lit(value=True))
    shifted = [
        (pl.col(f"meta_{kind}") ** (1 + 7 * pl.col("fold"))).alias(f"meta_{kind}") for kind in ("donor", "acceptor")
    ]
    words = " ".join(plain_words(_evaluated(tmp_path, frame.with_columns(shifted))))
    assert (
        "Ranked fold by fold, so that no base is compared with one that another model scored, the meta-model on"
        in words
    )
