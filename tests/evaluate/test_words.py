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
    assert lines[6].startswith("gene-conditioned model *")
    assert max(map(len, lines)) < 100


def test_a_gain_is_called_a_gain(unseen):
    words = " ".join(plain_words(unseen))
    assert "Meta-model against the base model. Donors: a gain (average precision +" in words


def test_gene_conditioned_is_called_a_different_claim(unseen):
    assert any(
        sentence.startswith("Gene-conditioned model also knows where the annotated gene begins and ends. That is a different")
        for sentence in plain_words(unseen)
    )  # fmt: skip


def test_truth_and_arms_not_measured_are_said(unseen):
    words = " ".join(plain_words(unseen))
    assert "some false positives are real sites that nobody annotated" in words
    assert "Not measured: base_mean, because there is one base model." in words
    assert "never saw these chromosomes" in words


def test_verdicts_are_about_unseen_bases_where_only_some_are(tmp_path):
    found = _evaluated(tmp_path, toys.frame())
    words = " ".join(plain_words(found))
    assert "trained on the chromosomes of 50% of these bases" in words
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
    assert any("at cuts chosen on these same bases, which flatters" in sentence for sentence in plain_words(found))


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(0.001, 0.2, "a gain"), (-0.2, -0.001, "a loss"), (-0.1, 0.2, "no gain shown"), (0.0, 0.2, "no gain shown")],
)
def test_verdict_follows_the_interval(low, high, word):
    row = {"difference": 0.1, "difference_low": low, "difference_high": high, "sites": 50}
    assert verdict(row).startswith(word)
