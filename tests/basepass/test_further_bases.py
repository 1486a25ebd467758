import json
import shutil

import numpy as np
import polars as pl
import pytest

from meta_spliceai.basepass.artifacts import open_artifacts
from meta_spliceai.basepass.remake import positions
from meta_spliceai.basepass.run import run
from meta_spliceai.errors import InputError, ModelError, PlanMismatchError, StoreError
from meta_spliceai.features.base_scores import logit
from meta_spliceai.genome.coordinates import Interval
from meta_spliceai.reference.load import load
from meta_spliceai.schema.features import BASE_SCORE_FEATURES
from tests.basepass.conftest import SecondToy
from tests.toys.tiny_genome import GENES

FEW = [GENES[index].gene_id for index in (1, 2, 9)]
BASES = ["toy", "second", "toysites"]


@pytest.fixture(scope="module")
def joined(reference, tmp_path_factory):
    from meta_spliceai.basemodel import registry
    from tests.basepass.conftest import TOYS

    with pytest.MonkeyPatch.context() as patch:
        for name, model in TOYS.items():
            patch.setitem(registry._SHIPPED, name, lambda model=model, **_: model())
        folder = tmp_path_factory.mktemp("joined") / "toy_eval"
        return run(reference=reference, base=BASES, eval_dir=folder, genes=FEW, tn_rate=0.3).eval_dir


def test_each_base_keeps_its_scores_in_a_folder_of_its_own(joined):
    for name, channels in (
        ("toy", ("donor", "acceptor")),
        ("second", ("donor", "acceptor")),
        ("toysites", ("site_heart", "site_brain", "usage_heart", "usage_brain")),
    ):
        assert open_artifacts(joined.parent / f"{name}_eval").channels == channels


def test_rows_and_calls_are_those_of_the_first_base_alone(reference, joined, tmp_path):
    alone = run(reference=reference, base=["toy"], eval_dir=tmp_path / "toy_eval", genes=FEW, tn_rate=0.3).eval_dir
    ours, theirs = (open_artifacts(folder).candidates(FEW) for folder in (joined, alone))
    assert ours.select(theirs.columns).equals(theirs)


def test_a_further_typed_base_has_the_same_features_under_its_name(reference, joined, tmp_path):
    alone = run(reference=reference, base=["second"], eval_dir=tmp_path / "second_eval", genes=FEW, tn_sampling="none")
    whole = open_artifacts(alone.eval_dir).candidates(FEW)
    ours = open_artifacts(joined).candidates(FEW)
    names = [column.name for column in BASE_SCORE_FEATURES]
    theirs = ours.select("gene_id", "position").join(whole, on=["gene_id", "position"], how="left")
    assert (
        ours.select(f"second_{name}" for name in names).to_numpy().tolist() == theirs.select(names).to_numpy().tolist()
    )


def test_site_probability_is_shared_out_by_the_first_base(joined):
    rows = open_artifacts(joined).candidates(FEW).cast({"donor_score": pl.Float64, "acceptor_score": pl.Float64})
    d, a = rows["donor_score"].to_numpy(), rows["acceptor_score"].to_numpy()
    site = (rows["toysites_site_heart"] + rows["toysites_site_brain"]).to_numpy() / 2
    np.testing.assert_allclose(rows["toysites_donor_score"], site * (d + 1e-5) / (d + a + 2e-5), rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(
        rows["toysites_donor_score"] + rows["toysites_acceptor_score"], site, rtol=1e-5, atol=1e-9
    )


def test_the_mean_logit_counts_site_and_usage_of_a_base_as_one(joined):
    rows = open_artifacts(joined).candidates(FEW)
    untyped = (rows["toysites_donor_logit"] + rows["toysites_usage_donor_logit"]) / 2
    expected = (rows["donor_logit"] + rows["second_donor_logit"] + untyped) / 3
    np.testing.assert_allclose(rows["mean_donor_logit"], expected, rtol=1e-5, atol=1e-4)


def test_dense_scores_of_a_further_base_are_those_of_its_model(reference, joined):
    loaded = load(reference)
    gene = loaded.genes.filter(pl.col("gene_id") == FEW[0]).row(0, named=True)
    with loaded.open_genome() as genome:
        direct = SecondToy().score(genome.codes(gene["chrom"], gene["start"] - 11, gene["end"] + 10)).donor
    stored = open_artifacts(joined.parent / "second_eval").scores(
        gene["chrom"], gene["strand"], gene["start"] - 1, gene["end"]
    )
    assert np.abs(stored.donor - direct).max() <= 5e-7


def test_logits_of_the_first_base_are_its_own(joined):
    rows = open_artifacts(joined).candidates(FEW)
    np.testing.assert_allclose(rows["donor_logit"], logit(rows["donor_score"].to_numpy()), rtol=1e-4, atol=1e-4)


def test_leaving_a_base_out_is_another_pass_until_positions_are_made_again(reference, joined, tmp_path):
    for name in BASES:
        shutil.copytree(joined.parent / f"{name}_eval", tmp_path / f"{name}_eval")
    folder = tmp_path / "toy_eval"
    with pytest.raises(PlanMismatchError, match="further_bases"):
        run(reference=reference, base=["toy"], eval_dir=folder, genes=FEW, tn_rate=0.3)
    assert positions(reference=reference, eval_dir=folder, base=["toy", "second"]).genes == len(FEW)
    assert [base.name for base in open_artifacts(folder).further_bases] == ["second"]
    assert positions(reference=reference, eval_dir=folder, base=BASES).genes == len(FEW)
    assert open_artifacts(folder).candidates(FEW).equals(open_artifacts(joined).candidates(FEW))


def test_other_scores_in_the_place_of_a_further_base_are_noticed(reference, joined, tmp_path):
    for name in BASES:
        shutil.copytree(joined.parent / f"{name}_eval", tmp_path / f"{name}_eval")
    path = tmp_path / "second_eval" / "meta_models" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["parameters"]["base_model"]["weights_fingerprint"] = "f" * 64
    path.write_text(json.dumps(manifest))
    artifacts = open_artifacts(tmp_path / "toy_eval")
    with load(reference).open_genome() as genome, pytest.raises(StoreError, match=r"other ones in .*second_eval"):
        artifacts.stretch(genome, _body(reference), 0)


def _body(reference):
    from meta_spliceai.reference.load import gene_body

    return gene_body(load(reference).genes.filter(pl.col("gene_id") == FEW[0]).row(0, named=True))


def test_a_base_without_donors_and_acceptors_cannot_come_first(reference, tmp_path):
    with pytest.raises(ModelError, match="toysites, which gives site_heart"):
        run(reference=reference, base=["toysites"], eval_dir=tmp_path / "out", genes=FEW)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("names", [[], ["toy", "toy"], ["=folder"]])
def test_names_of_bases_that_make_no_sense_are_refused(reference, tmp_path, names):
    with pytest.raises(InputError, match="names of different base models"):
        run(reference=reference, base=names, eval_dir=tmp_path / "out", genes=FEW)


def test_scores_only_are_no_positions(joined):
    with pytest.raises(StoreError, match="scores only"):
        _ = open_artifacts(joined.parent / "second_eval").rule


def test_overwriting_the_first_bases_positions_leaves_those_of_another_base_alone(reference, tmp_path):
    own = run(reference=reference, base=["second"], eval_dir=tmp_path / "second_eval", genes=FEW, tn_rate=0.3).eval_dir
    before = {path.name: path.read_bytes() for path in (own / "meta_models").glob("*.parquet")}
    run(reference=reference, base=["toy", "second"], eval_dir=tmp_path / "toy_eval", genes=FEW)
    run(
        reference=reference,
        base=["toy", "second"],
        eval_dir=tmp_path / "toy_eval",
        genes=FEW,
        threshold=0.4,
        overwrite=True,
    )
    assert {path.name: path.read_bytes() for path in (own / "meta_models").glob("*.parquet")} == before
    assert open_artifacts(own).genes == set(FEW)


@pytest.mark.parametrize("names", [["toy"], ["toy", "second"], ["toysites", "toy"]])
def test_fewer_bases_give_the_rows_of_a_pass_with_just_these(reference, joined, tmp_path, names):
    ours = open_artifacts(joined).with_bases(names)
    in_order = [name for name in BASES if name in names]
    made = run(reference=reference, base=in_order, eval_dir=tmp_path / "toy_eval", genes=FEW, tn_rate=0.3).eval_dir
    theirs = open_artifacts(made)
    assert ours.base_names == theirs.base_names == in_order
    assert ours.table == theirs.table
    mine, own = ours.candidates(FEW), theirs.candidates(FEW)
    means = [name for name in own.columns if name.startswith("mean_")]
    assert mine.drop(means).equals(own.drop(means))
    np.testing.assert_allclose(mine.select(means).to_numpy(), own.select(means).to_numpy(), atol=2e-6)
    columns = [*means[:1], "position", "gene_id"]
    assert ours.candidates(FEW, columns).equals(mine.select(columns))
    with load(reference).open_genome() as genome:
        place = Interval("chrT1", 5_200, 5_400, "+")
        few, whole = (one.stretch(genome, place, 100) for one in (ours, theirs))
    assert list(few.further) == list(whole.further) == in_order[1:]


def test_the_first_base_is_always_there_and_others_must_be_known(joined):
    artifacts = open_artifacts(joined)
    assert artifacts.with_bases(None) is artifacts
    for names in (["second"], [], ["toy", "pangolin"]):
        with pytest.raises(InputError, match="toy always included"):
            artifacts.with_bases(names)
