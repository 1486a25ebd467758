from __future__ import annotations

import gzip
import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from meta_spliceai.basemodel.check import read_known_answer
from meta_spliceai.basemodel.openvino_engine import OpenVINOEngine
from meta_spliceai.basemodel.options import EngineOptions
from meta_spliceai.basemodel.pangolin import CHANNELS, TISSUES, load_pangolin, read_pangolin
from meta_spliceai.basemodel.registry import load_base_model
from meta_spliceai.errors import ModelError
from meta_spliceai.formats.fasta import open_genome
from meta_spliceai.genome.sequences import encode, reverse_complement
from tests.toys.torch_file import torch_file

STRETCHES = (("chr1", "+", 1_216_040), ("chr1", "-", 1_247_300))
"""Stretches of 12,000 bases with many canonical sites, on a chromosome that Pangolin was not trained on."""
LENGTH, CONTEXT, SEEN, NEAR = 12_000, 10_000, 0.1, 3


def canonical_sites(gtf: Path) -> dict[tuple[str, str], list[int]]:
    """1-based positions of the donors and acceptors of canonical transcripts, by contig and strand."""
    exons = defaultdict(list)
    for line in gzip.decompress(gtf.read_bytes()).decode().splitlines():
        fields = line.split("\t")
        if len(fields) > 8 and fields[2] == "exon" and "spliceai_canonical" in fields[8]:
            transcript = re.search('transcript_id "([^"]+)"', fields[8])
            assert transcript
            exons[fields[0], fields[6], transcript[1]].append((int(fields[3]), int(fields[4])))
    sites = defaultdict(set)
    for (chrom, strand, _), spans in exons.items():
        spans.sort()
        for (_, end), (start, _) in pairwise(spans):
            sites[chrom, strand] |= {end, start}
    return {key: sorted(positions) for key, positions in sites.items()}


def peak_distances(data: Path, engine: OpenVINOEngine, chrom: str, strand: str, first: int) -> Iterator[int]:
    """For each canonical site that the engine sees: how far from it the site probability is largest."""
    with open_genome(data / "GRCh37" / "genome.fa.gz") as genome:
        codes = genome.codes(chrom, first - 1 - CONTEXT // 2, first - 1 + LENGTH + CONTEXT // 2)
    scores = engine.score(codes if strand == "+" else reverse_complement(codes))
    site = np.mean([scores[f"site_{tissue}"] for tissue in TISSUES], axis=0)[:: 1 if strand == "+" else -1]
    for position in canonical_sites(data / "GRCh37" / "annotation.gtf.gz")[chrom, strand]:
        place = position - first
        if NEAR <= place < LENGTH - NEAR:
            around = site[place - NEAR : place + NEAR + 1]
            if around.max() > SEEN:
                yield int(around.argmax()) - NEAR


@pytest.mark.real_data
def test_known_answer(pangolin_weights: Path) -> None:
    answer = read_known_answer("pangolin")
    assert answer is not None
    model = load_base_model("pangolin", weights=pangolin_weights, options=EngineOptions(threads=2))
    info = model.info
    assert (info.name, info.training_build, info.context, info.channels) == ("pangolin", "GRCh38", 10_000, CHANNELS)
    assert {"2", "10", "22", "X"} <= set(info.training_chromosomes)
    assert not {"1", "3", "5", "7", "9"} & set(info.training_chromosomes)
    assert info.weights_fingerprint == answer.weights_fingerprint
    assert "GPL-3" in info.licence
    scores = model.score(encode(answer.sequence))
    assert list(scores.channels) == list(answer.channels) == [*CHANNELS, "spread"]
    for channel, values in answer.channels.items():
        np.testing.assert_allclose(scores[channel], values, rtol=0, atol=1e-6)


@pytest.mark.real_data
def test_site_probability_peaks_on_the_annotated_base(shared: Path, pangolin_weights: Path) -> None:
    networks, _ = read_pangolin(pangolin_weights)
    sites = [network for network in networks if network.outputs[0].startswith("site_")]
    engine = OpenVINOEngine(sites, threads=2, windows=(LENGTH,))
    distances = [distance for stretch in STRETCHES for distance in peak_distances(shared, engine, *stretch)]
    assert len(distances) >= 50
    assert np.mean(np.array(distances) == 0) >= 0.99


def test_missing_folder_and_missing_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("META_SPLICEAI_HOME", str(tmp_path))
    with pytest.raises(ModelError, match=r"no such folder: .*weights.pangolin\nwhat to do: .*fetch pangolin.*GPL-3"):
        load_pangolin()
    for replicate in (1, 2):
        for number in range(8):
            (tmp_path / f"final.{replicate}.{number}.3.v2").touch()
    with pytest.raises(ModelError, match=r"24 weight files in .*\nfound: no final.3.0.3.v2, final.3.1.3.v2, .* 3 more"):
        load_pangolin(weights=tmp_path)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    for replicate in (1, 2, 3):
        for number in range(8):
            content = torch_file({"skip.weight": np.zeros((32, 32, 2), np.float32)})
            (tmp_path / f"final.{replicate}.{number}.3.v2").write_bytes(content)
    with pytest.raises(
        ModelError, match=r"Pangolin's weights .*v2\nfound: skip.weight has shape \(32, 32, 2\) instead of"
    ):
        load_pangolin(weights=tmp_path)
    content = torch_file({"skip.weight": np.full((32, 32, 1), np.nan, np.float32)})
    (tmp_path / "final.1.0.3.v2").write_bytes(content)
    with pytest.raises(ModelError, match=r"skip.weight has values that are not finite"):
        load_pangolin(weights=tmp_path)
