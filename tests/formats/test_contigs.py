import pytest

from meta_spliceai.formats.contigs import common_name, match_contigs, styled_name


@pytest.mark.parametrize(
    ("name", "common"),
    [
        ("chr1", "1"),
        ("1", "1"),
        ("Chr1", "1"),
        ("NC_000001.10", "1"),
        ("NC_000001.11", "1"),
        ("NC_000024.10", "Y"),
        ("NC_060925.1", "1"),
        ("NC_000067.7", "1"),
        ("NC_000086.8", "X"),
        ("chrM", "MT"),
        ("M", "MT"),
        ("NC_012920.1", "MT"),
        ("chr1_KI270706v1_random", "KI270706.1"),
        ("chrUn_KI270302v1", "KI270302.1"),
        ("chr1_gl000191_random", "GL000191.1"),
        ("GL000191.1", "GL000191.1"),
        ("scaffold_7", "scaffold_7"),
        ("chr", "chr"),
    ],
)
def test_aliases_share_one_name(name, common):
    assert common_name(name) == common


def test_names_are_matched_through_aliases():
    match = match_contigs(["1", "X", "MT", "NT_187361.1"], ["chr1", "chr2", "chrX", "chrM"])
    assert match.to_genome == {"1": "chr1", "X": "chrX", "MT": "chrM"}
    assert match.unmatched == ("NT_187361.1",)


def test_the_very_same_name_wins_and_a_shared_alias_matches_none():
    assert match_contigs(["chr1"], ["1", "chr1"]).to_genome == {"chr1": "chr1"}
    assert match_contigs(["NC_000001.11"], ["1", "chr1"]).unmatched == ("NC_000001.11",)


@pytest.mark.parametrize(
    ("name", "ucsc", "ensembl"),
    [
        ("1", "chr1", "1"),
        ("chrX", "chrX", "X"),
        ("MT", "chrM", "MT"),
        ("chrM", "chrM", "MT"),
        ("NC_000022.11", "chr22", "22"),
        ("2L", "chr2L", "2L"),
        ("chr1_KI270706v1_random", "chr1_KI270706v1_random", "KI270706.1"),
        ("KI270706.1", "KI270706.1", "KI270706.1"),
        ("scaffold_12", "scaffold_12", "scaffold_12"),
    ],
)
def test_contigs_are_named_as_asked(name: str, ucsc: str, ensembl: str) -> None:
    assert styled_name(name, "ucsc") == ucsc
    assert styled_name(name, "ensembl") == ensembl
    assert styled_name(name, "as-is") == name
