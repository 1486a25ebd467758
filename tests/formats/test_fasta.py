import gzip
import pickle
from pathlib import Path

import numpy as np
import pyfaidx
import pytest
import twobitreader
from hypothesis import given, settings
from hypothesis import strategies as st

from meta_spliceai.errors import InputError
from meta_spliceai.formats.bgzip import END_MARKER, write_bgzip
from meta_spliceai.formats.fasta import open_genome
from meta_spliceai.genome.sequences import decode, encode
from tests.toys.tiny_genome import LENGTHS, tiny_fasta, tiny_sequences, write_tiny_genome
from tests.toys.twobit import write_twobit


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("genomes")
    plain = write_tiny_genome(folder).fasta
    write_bgzip(folder / "genome.fa.gz", [tiny_fasta().encode()])
    write_twobit(folder / "genome.2bit", tiny_sequences())
    return {"plain": plain, "bgzip": folder / "genome.fa.gz", "2bit": folder / "genome.2bit"}


@pytest.mark.parametrize("kind", ["plain", "bgzip", "2bit"])
def test_every_format_gives_the_same_codes(files, kind):
    sequences = tiny_sequences()
    with open_genome(files[kind]) as genome:
        assert genome.contigs == LENGTHS
        for chrom, letters in sequences.items():
            assert (genome.codes(chrom, 0, len(letters)) == encode(letters)).all()


@pytest.mark.parametrize("kind", ["plain", "bgzip", "2bit"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_span_is_the_slice_of_the_whole(files, kind, data):
    chrom = data.draw(st.sampled_from(sorted(LENGTHS)))
    start = data.draw(st.integers(-300, LENGTHS[chrom] + 300))
    end = start + data.draw(st.integers(0, 400))
    padded = "N" * 1_000 + tiny_sequences_cached()[chrom] + "N" * 1_000
    with open_genome(files[kind]) as genome:
        assert decode(genome.codes(chrom, start, end)) == decode(encode(padded[start + 1_000 : end + 1_000]))


_cache: dict[str, str] = {}


def tiny_sequences_cached() -> dict[str, str]:
    return _cache or (_cache.update(tiny_sequences()) or _cache)


def test_bases_beyond_the_contig_are_unknown(files):
    with open_genome(files["plain"]) as genome:
        assert decode(genome.codes("chrT3", 4_998, 5_003))[2:] == "NNN"
        assert decode(genome.codes("chrT1", -3, 0)) == "NNN"


def test_lower_case_counts_and_other_letters_are_unknown(tmp_path):
    (tmp_path / "g.fa").write_text(">c\nacgtRYn\nACGT\n")
    with open_genome(tmp_path / "g.fa") as genome:
        assert genome.codes("c", 0, 11).tolist() == [0, 1, 2, 3, 4, 4, 4, 0, 1, 2, 3]


def test_other_libraries_agree(files):
    with pyfaidx.Fasta(str(files["plain"])) as other, open_genome(files["plain"]) as genome:
        assert {name: len(other[name]) for name in other.keys()} == genome.contigs  # noqa: SIM118
        assert (genome.codes("chrT1", 59, 1_234) == encode(other["chrT1"][59:1_234].seq)).all()
    with twobitreader.TwoBitFile(str(files["2bit"])) as other, open_genome(files["2bit"]) as genome:
        assert (genome.codes("chrT1", 59, 1_234) == encode(other["chrT1"][59:1_234])).all()


def test_a_genome_travels_to_another_process(files):
    with open_genome(files["bgzip"]) as genome, pickle.loads(pickle.dumps(genome)) as copy:
        assert copy.contigs == genome.contigs
        assert (copy.codes("chrT2", 10, 500) == genome.codes("chrT2", 10, 500)).all()


@pytest.mark.parametrize(
    "text",
    [
        ">a x\nACGT\nACGT\nAC\n>b\nTTTT\n",
        ">a\nACGT\nACGT\n>b\nTTTT\nTT",
        ">a\r\nACGT\r\nACGT\r\nAC\r\n>b\r\nTT\r\n",
        ">a\r\nACGT\r\nACGT",
        ">a\nACGT\nAC\n\n\n>b\nTTTT\n\n",
        ">a\nACGTACGT",
        ">empty\n>a\nACGT\n",
        ">a\nACGT\n>empty",
    ],
)
@pytest.mark.parametrize("block", [1, 3, 7, 1 << 20])
def test_the_index_is_right_for_any_line_ends_and_blocks(tmp_path, monkeypatch, text, block):
    monkeypatch.setattr("meta_spliceai.formats.faidx._SCAN_BYTES", block)
    path = tmp_path / "g.fa"
    path.write_bytes(text.encode())
    expected = {}
    for record in text.replace("\r", "").split(">")[1:]:
        header, _, letters = record.partition("\n")
        expected[header.split()[0]] = letters.replace("\n", "")
    with open_genome(path) as genome:
        assert {name: decode(genome.codes(name, 0, length)) for name, length in genome.contigs.items()} == expected


def test_an_index_is_kept_beside_the_file_and_used(tmp_path):
    tiny = write_tiny_genome(tmp_path)
    open_genome(tiny.fasta).close()
    rows = (tmp_path / "genome.fa.fai").read_text().splitlines()
    assert rows[0] == "chrT1\t60000\t20\t60\t61"
    assert [row.split("\t")[0] for row in rows] == ["chrT1", "chrT2", "chrT3"]


@pytest.mark.parametrize(
    "text",
    [">a\nACGT\nACGT\n>b\nTTTT\n>c\nGG\n", ">a\nACGTA\nCGT\n>b\nTTTT\n", ">a\nACGT\nACGT\n>b\nTTTT\nAC\n", ">z\nTT\n"],
)
def test_the_index_of_another_file_is_made_again_whatever_its_age(tmp_path, text):
    path = tmp_path / "g.fa"
    path.write_text(">a\nACGT\nACGT\n>b\nTTTT\n")
    open_genome(path).close()
    path.write_text(text)
    with open_genome(path) as genome:
        found = {name: decode(genome.codes(name, 0, length)) for name, length in genome.contigs.items()}
    (tmp_path / "g.fa.fai").unlink()
    with open_genome(path) as genome:
        assert found == {name: decode(genome.codes(name, 0, length)) for name, length in genome.contigs.items()}


def test_a_folder_that_refuses_the_index_is_no_error(tmp_path, monkeypatch):
    tiny = write_tiny_genome(tmp_path)
    monkeypatch.setattr(
        "meta_spliceai.store.atomic._replace", lambda *_: (_ for _ in ()).throw(PermissionError(13, "no"))
    )
    with open_genome(tiny.fasta) as genome:
        assert genome.contigs == LENGTHS
    assert not (tmp_path / "genome.fa.fai").exists()


def _cut(path: Path, keep: int) -> None:
    path.write_bytes(path.read_bytes()[:keep])


@pytest.mark.parametrize("keep", [0.999, 0.5, 0.1])
def test_a_truncated_fasta_is_named(tmp_path, keep):
    tiny = write_tiny_genome(tmp_path)
    open_genome(tiny.fasta).close()
    _cut(tiny.fasta, int(tiny.fasta.stat().st_size * keep))
    with pytest.raises(InputError, match=r"its index needs 96,6\d\d bytes, but it holds [\d,]+\n.*was cut off"):
        open_genome(tiny.fasta)


def test_a_bgzip_file_without_its_end_marker_was_cut_off(tmp_path):
    path = tmp_path / "g.fa.gz"
    write_bgzip(path, [tiny_fasta().encode()])
    _cut(path, path.stat().st_size - len(END_MARKER))
    with pytest.raises(InputError, match="its end marker is missing"):
        open_genome(path)
    _cut(path, path.stat().st_size - 5)
    with pytest.raises(InputError, match=r"the block at byte [\d,]+ is incomplete"):
        open_genome(path)


def test_a_damaged_bgzip_block_is_named(tmp_path):
    path = tmp_path / "g.fa.gz"
    write_bgzip(path, [tiny_fasta().encode()])
    raw = bytearray(path.read_bytes())
    raw[18] = 0xFF  # a block type that does not exist
    path.write_bytes(raw)
    with pytest.raises(InputError, match="the block at byte 0 does not decompress"):
        open_genome(path)


def test_a_truncated_2bit_file_is_named(tmp_path):
    path = tmp_path / "g.2bit"
    write_twobit(path, tiny_sequences())
    for keep in (path.stat().st_size - 1, 5_000, 30, 10):
        _cut(path, keep)
        with pytest.raises(InputError, match=f"it ends before its sequences do, at byte {keep:,}"):
            open_genome(path)


def test_plain_gzip_says_how_to_convert(tmp_path):
    path = tmp_path / "g.fa.gz"
    path.write_bytes(gzip.compress(tiny_fasta().encode()))
    with pytest.raises(InputError, match=r"plain gzip\nwhat to do: convert it: gzip -dc g\.fa\.gz \| bgzip"):
        open_genome(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("g.fa", b"", "the file is empty"),
        ("g.2bit", b"", "the file is empty"),
        ("g.fa", b"ACGT\n", "does not start with '>'"),
        ("g.fa", b">\nACGT\n", "none at byte 1"),
        ("g.fa", b">a\nACGT\n>a\nAC\n", "a twice"),
        ("g.fa", b">a\nACGT\nAC\nACGT\n", "lines that differ from its first one, of 4 bases"),
        ("g.fa", b">a\nACGT\nACGTA\n", "lines that differ"),
        ("g.fa", b">a\n", "none under a"),
        ("g.2bit", b">a\nACGT\nACGTACGT\n", "does not begin like one"),
    ],
)
def test_what_is_no_genome_is_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        open_genome(tmp_path / name)


def test_a_missing_file_and_contig_are_named(tmp_path, files):
    with pytest.raises(InputError, match="there is none"):
        open_genome(tmp_path / "no.fa")
    with open_genome(files["plain"]) as genome, pytest.raises(InputError, match="contig chr9"):
        genome.codes("chr9", 0, 1)


def test_bgzip_bytes_depend_on_the_content_alone(tmp_path):
    content = np.random.default_rng(0).integers(65, 91, 200_000, dtype=np.uint8).tobytes()
    write_bgzip(tmp_path / "whole", [content])
    write_bgzip(tmp_path / "pieces", [content[:7], content[7:100_000], content[100_000:]])
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "pieces").read_bytes()
    assert gzip.decompress((tmp_path / "whole").read_bytes()) == content


@pytest.mark.real_data
def test_a_real_index_and_the_real_sequence_agree(shared, tmp_path):
    source = shared / "GRCh37" / "genome.fa.gz"
    linked = tmp_path / "genome.fa.gz"
    linked.symlink_to(source)
    with open_genome(linked) as made, open_genome(source) as given:
        assert made.contigs == given.contigs
    assert (tmp_path / "genome.fa.gz.fai").read_text() == source.with_name("genome.fa.gz.fai").read_text()
