"""Which genes a dataset holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from meta_spliceai.build.select import GeneChoice, GeneRequest, select_genes
from meta_spliceai.errors import GeneError, InputError
from meta_spliceai.reference.load import Reference, load
from tests.build.conftest import Passed
from tests.toys.tiny_genome import GENES

IDS = [gene.gene_id for gene in GENES]
ERRORS = {"TG05.1": {"FP": 1, "FN": 5}, "TG02.3": {"FP": 4, "FN": 2}, "TG17.1": {"FP": 4, "FN": 0}}


@pytest.fixture(scope="module")
def reference(passed: Passed) -> Reference:
    return load(passed.reference)


def choose(reference: Reference, available: Sequence[str] = IDS, **request: Any) -> GeneChoice:
    def count_errors(gene_ids: Sequence[str], pred_types: Sequence[str]) -> dict[str, int]:
        return {
            gene_id: sum(counts[kind] for kind in pred_types)
            for gene_id, counts in ERRORS.items()
            if gene_id in gene_ids
        }

    return select_genes(reference, GeneRequest(**request), set(available), count_errors)


@pytest.mark.rows("G7")
def test_all_takes_every_gene_with_artifacts_and_says_what_is_left_out(reference: Reference) -> None:
    assert choose(reference, policy="all", n_genes=1).gene_ids == tuple(IDS)
    some = choose(reference, IDS[3:6], policy="all")
    assert (some.policy, some.gene_ids) == ("all", tuple(IDS[3:6]))
    assert some.notes == ("14 genes of the reference have no artifacts and are left out",)


def test_without_a_policy_those_with_most_errors_are_taken_among_the_genes_with_artifacts(reference: Reference) -> None:
    some = choose(reference, IDS[3:6])
    assert (some.policy, some.gene_ids) == ("error_total", tuple(IDS[3:6]))
    assert some.notes == ("14 genes of the reference have no artifacts and are left out",)


@pytest.mark.rows("G5")
def test_random_is_the_same_every_time_and_grows_by_adding(reference: Reference) -> None:
    few, more = (set(choose(reference, policy="random", n_genes=n).gene_ids) for n in (4, 9))
    assert (len(few), len(more)) == (4, 9)
    assert few < more
    assert set(choose(reference, policy="random", n_genes=4).gene_ids) == few
    assert set(choose(reference, policy="random", n_genes=4, seed=1).gene_ids) != few


def test_random_does_not_depend_on_how_far_the_base_pass_has_come(reference: Reference) -> None:
    none, all_ = (choose(reference, available, policy="random", n_genes=4) for available in ([], IDS))
    assert none.gene_ids == all_.gene_ids


@pytest.mark.rows("G2", "G3", "G4")
@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("error_total", ["TG02.3", "TG05.1"]),
        ("error_fp", ["TG02.3", "TG17.1"]),
        ("error_fn", ["TG02.3", "TG05.1"]),
    ],
)
def test_error_policies_take_the_worst_genes(reference: Reference, policy: Any, expected: list[str]) -> None:
    assert list(choose(reference, policy=policy, n_genes=2).gene_ids) == expected


@pytest.mark.rows("G2")
def test_ties_of_errors_are_broken_by_gene_id(reference: Reference) -> None:
    assert choose(reference, policy="error_total", n_genes=1).gene_ids == ("TG02.3",), "6 errors like TG05.1"
    assert set(choose(reference, policy="error_fp", n_genes=5).gene_ids) == {*ERRORS, "TG01.1", "TG03.1"}


@pytest.mark.rows("G8", "G9")
def test_additional_genes_come_first_and_the_policy_fills_up(reference: Reference) -> None:
    four = set(choose(reference, policy="random", n_genes=4).gene_ids)
    absent = next(gene_id for gene_id in IDS if gene_id not in four)
    filled = set(choose(reference, policy="random", n_genes=4, additional_gene_ids=[absent]).gene_ids)
    assert len(filled) == 4
    assert absent in filled
    assert len(filled & four) == 3


@pytest.mark.rows("G8")
def test_more_additional_genes_than_asked_for_are_all_taken(reference: Reference) -> None:
    choice = choose(reference, policy="random", n_genes=2, additional_gene_ids=IDS[:5])
    assert choice.gene_ids == tuple(IDS[:5])


@pytest.mark.rows("G1", "B25")
def test_fewer_genes_than_asked_for_are_said(reference: Reference) -> None:
    choice = choose(reference, policy="random", n_genes=100)
    assert choice.gene_ids == tuple(IDS)
    assert choice.notes == ("17 genes chosen, not 100: there are no more of them",)


@pytest.mark.rows("G6", "G15")
def test_a_list_means_exactly_these_unless_a_policy_is_named(reference: Reference, tmp_path: Path) -> None:
    (tmp_path / "genes.txt").write_text("PLUSALT\n")
    listed = choose(reference, gene_ids_file=tmp_path / "genes.txt")
    assert (listed.policy, listed.gene_ids) == ("custom", ("TG02.3",))
    assert choose(reference, gene_ids=["plusalt"], policy="random").gene_ids == ("TG02.3",)
    assert choose(reference, additional_gene_ids=["plusalt"], policy="custom").gene_ids == ("TG02.3",)
    assert len(choose(reference, gene_ids_file=tmp_path / "genes.txt", policy="random", n_genes=3).gene_ids) == 3
    assert len(choose(reference, gene_ids_file=tmp_path / "genes.txt", policy="all").gene_ids) == len(IDS)


def test_listed_genes_are_in_reference_order_each_once(reference: Reference) -> None:
    assert choose(reference, gene_ids=["LAST", "TG17.1", "last", "START"]).gene_ids == ("TG01.1", "TG17.1")


@pytest.mark.rows("G11")
@pytest.mark.parametrize(
    "content",
    [
        "gene_id\nTG02.3\nTG17.1\n",
        "TG02.3\r\nTG17.1\r\n",
        "\ufeffgene_id\r\nTG02.3\r\n\r\nTG17.1\r\nTG02.3\r\n",
        "# chosen by hand\nPLUSALT\nLAST\nTG17.1",
    ],
    ids=["header", "windows", "windows with header, empty line and duplicate", "comment, names and duplicate"],
)
def test_gene_files_of_any_make_mean_the_same(reference: Reference, tmp_path: Path, content: str) -> None:
    (tmp_path / "genes.txt").write_bytes(content.encode())
    assert choose(reference, gene_ids_file=tmp_path / "genes.txt").gene_ids == ("TG02.3", "TG17.1")


@pytest.mark.rows("G12")
def test_tables_of_genes_are_read_by_column(reference: Reference, tmp_path: Path) -> None:
    (tmp_path / "genes.tsv").write_text("symbol\tens\nx\tTG02.3\ny\tTG17.1\n")
    choice = choose(reference, gene_ids_file=tmp_path / "genes.tsv", gene_col="ens")
    assert choice.gene_ids == ("TG02.3", "TG17.1")
    with pytest.raises(InputError, match=r"a column gene_id in .*genes\.tsv\nfound: symbol, ens"):
        choose(reference, gene_ids_file=tmp_path / "genes.tsv")


@pytest.mark.rows("G10", "G21")
def test_gene_types_are_filtered_however_genes_were_chosen(reference: Reference) -> None:
    assert choose(reference, gene_types=["lncRNA", "antisense"]).gene_ids == ("TG08.1", "TG14.2")
    assert choose(reference, policy="random", n_genes=9, gene_types=["lncRNA"]).gene_ids == ("TG14.2",)
    choice = choose(reference, gene_ids=["LINC1", "START"], gene_types=["lncRNA"])
    assert choice.gene_ids == ("TG14.2",)
    assert choice.notes == ("1 listed genes are of other types and left out: TG01.1",)


@pytest.mark.rows("G14")
@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"gene_ids": ["PLUSALTT", "START"]}, "1 unknown: PLUSALTT(.|\n)*did you mean PLUSALT"),
        ({"additional_gene_ids": ["nobody"], "policy": "random"}, "1 unknown: nobody"),
        ({"gene_ids": []}, "a list of genes for the policy custom\nfound: an empty list"),
        ({"additional_gene_ids": []}, "a list of genes for the policy custom\nfound: an empty list"),
        ({"policy": "custom"}, "a list of genes for the policy custom\nfound: no list"),
        (
            {"gene_ids": ["START"], "gene_types": ["lncRNA"]},
            "at least one gene of the types lncRNA\nfound: none among 1",
        ),
        ({"policy": "all", "available": []}, "found: none among 17 genes; 17 genes of the reference have no artifacts"),
    ],
)
def test_genes_that_cannot_be_chosen_are_explained(
    reference: Reference, request_: dict[str, Any], message: str
) -> None:
    with pytest.raises(GeneError, match=message):
        choose(reference, **request_)


def test_a_gene_file_without_genes_is_refused(reference: Reference, tmp_path: Path) -> None:
    (tmp_path / "genes.txt").write_text("gene_id\n\n")
    with pytest.raises(GeneError, match=r"genes in .*genes\.txt\nfound: none"):
        choose(reference, gene_ids_file=tmp_path / "genes.txt")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"policy": "best"}, "--subset-policy of all, random, custom(.|\n)*found: best"),
        ({"n_genes": 0}, "--n-genes of at least 1"),
        ({"gene_ids": ["A"], "additional_gene_ids": ["B"]}, "either exactly these genes"),
        ({"gene_ids": ["A"], "gene_ids_file": Path("genes.txt")}, "either exactly these genes"),
    ],
)
def test_requests_that_contradict_themselves_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        GeneRequest(**options)


@pytest.mark.rows("G21")
def test_an_unknown_gene_type_is_refused(reference: Reference) -> None:
    with pytest.raises(InputError, match="found: lincRNA"):
        choose(reference, gene_types=["lincRNA"])
