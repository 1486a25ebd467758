import numpy as np
import pytest

from meta_spliceai.basepass.candidates import NEAR, TN_SAMPLINGS, CandidateRule, GeneTruthAndScores, choose_candidates
from meta_spliceai.basepass.performance import gene_performance, top_k_accuracy
from meta_spliceai.genome.draws import draws
from tests.oracles.basepass_oracles import inclusion_near_sites, pred_type, tier, top_k


def _gene(length: int = 4_000, seed: int = 0, gene_id: str = "G1") -> GeneTruthAndScores:
    rng = np.random.default_rng(seed)
    donor, acceptor = (rng.beta(0.02, 0.6, length).astype(np.float32) for _ in range(2))
    return GeneTruthAndScores(gene_id, 1_001, donor, acceptor, rng.random(length) < 0.01, rng.random(length) < 0.01)


def test_every_row_and_tier_agrees_with_the_slow_twin():
    gene, rule = _gene(), CandidateRule(tn_rate=0.1, seed=7)
    chosen = choose_candidates(gene, rule)
    draw = draws(7, "candidate", "G1", gene.first_position + np.arange(gene.donor.size))
    expected = []
    for i in range(gene.donor.size):
        d, a = float(gene.donor[i]), float(gene.acceptor[i])
        found = tier(max(d, a), bool(gene.is_donor[i] or gene.is_acceptor[i]), max(d, a) >= 0.5, float(draw[i]), 0.1)
        if found:
            expected.append((i, *found, pred_type(d, a, bool(gene.is_donor[i]), bool(gene.is_acceptor[i]), 0.5)))
    found = zip(chosen.index, chosen.sampling_tier, chosen.inclusion_probability, chosen.pred_type, strict=True)
    assert [tuple(row) for row in found] == expected


def test_no_site_and_no_error_is_ever_left_out():
    gene = _gene(seed=3)
    chosen = choose_candidates(gene, CandidateRule(tn_rate=0.001))
    must = gene.is_donor | gene.is_acceptor | (np.maximum(gene.donor, gene.acceptor) >= 0.01)
    assert set(np.flatnonzero(must)) <= set(chosen.index)


def test_sampling_none_keeps_every_base():
    gene = _gene(500)
    chosen = choose_candidates(gene, CandidateRule(tn_sampling="none"))
    assert chosen.index.size == 500
    assert (chosen.inclusion_probability == 1).all()


@pytest.mark.parametrize("mode", TN_SAMPLINGS)
def test_weights_estimate_the_number_of_bases(mode):
    rules = [CandidateRule(seed=seed, tn_sampling=mode) for seed in range(40)]
    sizes = [(1 / choose_candidates(_sparse_gene(f"G{rule.seed}"), rule).inclusion_probability).sum() for rule in rules]
    assert np.mean(sizes) == pytest.approx(20_000, rel=0.03)


def _sparse_gene(gene_id: str) -> GeneTruthAndScores:
    """20,000 bases with low scores and twenty sites, in two clusters."""
    rng = np.random.default_rng(8)
    donor, acceptor = (rng.uniform(0, 0.009, 20_000).astype(np.float32) for _ in range(2))
    is_donor, is_acceptor = np.zeros((2, 20_000), dtype=bool)
    is_donor[rng.integers(2_000, 3_000, 10)] = True
    is_acceptor[rng.integers(12_000, 13_000, 10)] = True
    return GeneTruthAndScores(gene_id, 1, donor, acceptor, is_donor, is_acceptor)


def test_proximity_keeps_about_the_rate_and_the_nearer_the_likelier_as_the_slow_twin_says():
    gene = _sparse_gene("G")
    every = choose_candidates(gene, CandidateRule(tn_sampling="proximity", tn_rate=0.05))
    marked = gene.is_donor | gene.is_acceptor
    expected = inclusion_near_sites(marked.tolist(), 0.05)
    rest = every.sampling_tier != "site"
    np.testing.assert_allclose(every.inclusion_probability[rest], np.asarray(expected)[every.index[rest]], rtol=1e-12)
    assert rest.sum() == pytest.approx(0.05 * 20_000, rel=0.2)


def test_proximity_without_a_site_is_random():
    gene = _sparse_gene("G")
    nowhere = np.zeros_like(gene.is_donor)
    bare = GeneTruthAndScores("G", 1, gene.donor, gene.acceptor, nowhere, nowhere)
    ours, theirs = (choose_candidates(bare, CandidateRule(tn_sampling=mode)) for mode in ("proximity", "random"))
    np.testing.assert_array_equal(ours.index, theirs.index)


def test_window_keeps_all_near_sites_and_runs_of_bases_elsewhere():
    gene = _sparse_gene("G")
    chosen = choose_candidates(gene, CandidateRule(tn_sampling="window", tn_rate=0.05, seed=5))
    marked = np.flatnonzero(gene.is_donor | gene.is_acceptor)
    near = {i for site in marked.tolist() for i in range(max(0, site - NEAR), min(20_000, site + NEAR + 1))}
    assert near <= set(chosen.index.tolist())
    tiers = dict(zip(chosen.index.tolist(), chosen.sampling_tier.tolist(), strict=True))
    assert {tiers[i] for i in near} == {"site", "neighbourhood"}
    blocks = {}
    for index, tier_of in tiers.items():
        if tier_of == "background":
            blocks.setdefault((index + 1) // (2 * NEAR + 1), set()).add(index)
    assert blocks
    for block, held in blocks.items():
        whole = {position - 1 for position in range(block * 101, block * 101 + 101)} - near
        assert held == {i for i in whole if 0 <= i < 20_000}


@pytest.mark.parametrize("mode", TN_SAMPLINGS)
def test_no_base_is_kept_with_probability_zero(mode):
    chosen = choose_candidates(_gene(), CandidateRule(tn_sampling=mode, tn_rate=0.01))
    assert (chosen.inclusion_probability > 0).all()
    assert (chosen.inclusion_probability <= 1).all()


def test_consensus_window_forgives_a_call_one_base_off():
    zeros, flags = np.zeros(9, np.float32), np.zeros(9, bool)
    donor, is_donor = zeros.copy(), flags.copy()
    donor[4], is_donor[5] = 0.9, True
    gene = GeneTruthAndScores("G", 1, donor, zeros, is_donor, flags)
    exact = choose_candidates(gene, CandidateRule(tn_rate=1e-9))
    loose = choose_candidates(gene, CandidateRule(tn_rate=1e-9, consensus_window=1))
    assert exact.pred_type.tolist() == ["FP", "FN"]
    assert loose.pred_type.tolist() == ["TN", "TP"]


def test_performance_counts_every_base_of_the_body():
    gene = _gene(seed=5)
    donor, acceptor = gene_performance(gene, CandidateRule())
    called = gene.donor >= 0.5
    assert (donor["TP"], donor["FP"]) == (int((called & gene.is_donor).sum()), int((called & ~gene.is_donor).sum()))
    assert donor["TP"] + donor["FP"] + donor["FN"] + donor["TN"] == gene.donor.size
    assert acceptor["recall"] == acceptor["TP"] / acceptor["n_splice_sites"]


def test_rates_without_sites_or_calls_are_null_not_zero():
    zeros, flags = np.zeros(5, np.float32), np.zeros(5, bool)
    donor, _ = gene_performance(GeneTruthAndScores("G", 1, zeros, zeros, flags, flags), CandidateRule())
    assert (donor["precision"], donor["recall"], donor["f1_score"], donor["top_k_accuracy"]) == (None,) * 4
    assert donor["specificity"] == 1.0


@pytest.mark.parametrize("seed", range(20))
def test_top_k_with_ties_agrees_with_the_slow_twin(seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 6, 40).astype(np.float32)
    truth = rng.random(40) < 0.2
    expected = top_k(scores.tolist(), truth.tolist())
    assert top_k_accuracy(scores, truth) == (pytest.approx(expected) if expected is not None else None)
