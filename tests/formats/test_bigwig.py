from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from meta_spliceai.errors import InputError, StoreError
from meta_spliceai.formats.bigwig import BigWig, write_bigwig

CONTIGS = {"chr1": 5_000, "chr10": 300, "chr2": 1_000}


def _values(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(n).astype(np.float32)


@pytest.fixture
def pieces() -> list[tuple[str, int, np.ndarray]]:
    flat = np.zeros(500, dtype=np.float32)
    flat[[0, 200, 201, 499]] = np.float32(0.1), np.float32(1e-7), np.float32(1e-7), 1
    return [("chr1", 0, _values(700)), ("chr1", 700, flat), ("chr1", 4_990, _values(10)), ("chr2", 10, _values(990, 1))]


def test_every_value_comes_back_exactly_and_nothing_else(tmp_path: Path, pieces):
    assert write_bigwig(tmp_path / "x.bw", CONTIGS, pieces) == 700 + 500 + 10 + 990
    file = BigWig(tmp_path / "x.bw")
    for chrom in ("chr1", "chr2"):
        expected = np.full(CONTIGS[chrom], np.nan, dtype=np.float32)
        for name, start, values in pieces:
            if name == chrom:
                expected[start : start + values.size] = values
        np.testing.assert_array_equal(file.values(chrom, 0, CONTIGS[chrom]), expected)
    assert [path.name for path in tmp_path.iterdir()] == ["x.bw"]


def test_an_independent_library_reads_the_same(tmp_path: Path, pieces):
    py_big_wig = pytest.importorskip("pyBigWig", reason="no second bigWig library here")
    write_bigwig(tmp_path / "x.bw", CONTIGS, pieces)
    with py_big_wig.open(str(tmp_path / "x.bw")) as other:
        assert other.isBigWig()
        for chrom, start, values in pieces:
            assert other.chroms(chrom) == CONTIGS[chrom]
            np.testing.assert_array_equal(np.float32(other.values(chrom, start, start + values.size)), values)
        assert np.isnan(other.values("chr1", 1_200, 4_990)).all()
        rows = other.intervals("chr1")
        assert all(left[1] <= right[0] for left, right in pairwise(rows))
        assert other.stats("chr2", 10, 1_000, exact=True)[0] == pytest.approx(float(_values(990, 1).mean()), rel=1e-6)


def test_places_beyond_a_contig_hold_nothing(tmp_path: Path, pieces):
    write_bigwig(tmp_path / "x.bw", CONTIGS, pieces)
    values = BigWig(tmp_path / "x.bw").values("chr1", 4_995, 5_005)
    np.testing.assert_array_equal(np.isnan(values), [False] * 5 + [True] * 5)
    assert np.isnan(BigWig(tmp_path / "x.bw").values("chr1", 6_000, 6_002)).all()
    with pytest.raises(InputError, match="contig chr10 in"):
        BigWig(tmp_path / "x.bw").values("chr10", 0, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        [("chr1", 10, _values(5)), ("chr1", 12, _values(5))],  # a base twice
        [("chr1", 10, _values(5)), ("chr1", 2, _values(5))],  # unsorted
        [("chr1", 4_999, _values(2))],  # beyond the contig
        [("chr7", 1, _values(2))],  # no such contig
        [],
    ],
)
def test_what_cannot_be_written_leaves_the_old_file(tmp_path: Path, wrong, pieces):
    write_bigwig(tmp_path / "x.bw", CONTIGS, pieces)
    before = (tmp_path / "x.bw").read_bytes()
    with pytest.raises(StoreError):
        write_bigwig(tmp_path / "x.bw", CONTIGS, wrong)
    assert (tmp_path / "x.bw").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["x.bw"]


def test_an_error_while_values_are_made_is_the_error_that_is_raised(tmp_path: Path):
    def failing():
        yield "chr1", 0, _values(10)
        raise KeyError("the source")

    with pytest.raises(KeyError, match="the source"):
        write_bigwig(tmp_path / "x.bw", CONTIGS, failing())
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path):
    pytest.importorskip("resource", reason="file sizes cannot be limited here")
    code = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        "import numpy as np; from pathlib import Path; from meta_spliceai.formats.bigwig import write_bigwig;"
        "values = np.random.default_rng(0).random(300_000).astype(np.float32);"
        f"write_bigwig(Path({str(tmp_path)!r}) / 'x.bw', {{'chr1': 300_000}}, [('chr1', 0, values)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "DiskFullError" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, pieces, share):
    write_bigwig(tmp_path / "x.bw", CONTIGS, pieces)
    content = (tmp_path / "x.bw").read_bytes()
    (tmp_path / "cut.bw").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=r"a whole bigWig file .*cut\.bw"):
        BigWig(tmp_path / "cut.bw")
    with pytest.raises(InputError, match=r"none\.bw"):
        BigWig(tmp_path / "none.bw")
