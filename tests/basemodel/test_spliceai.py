from __future__ import annotations

import gzip
import hashlib
import importlib.metadata
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from meta_spliceai.basemodel.check import read_known_answer
from meta_spliceai.basemodel.network import ACCEPTOR, DONOR
from meta_spliceai.basemodel.openvino_engine import OpenVINOEngine
from meta_spliceai.basemodel.protocol import BaseModel
from meta_spliceai.basemodel.spliceai import WEIGHT_FILES, load_spliceai, read_networks, weight_files
from meta_spliceai.errors import ModelError
from meta_spliceai.genome.sequences import encode
from tests.oracles.basemodel_oracles import keras_spliceai_probabilities

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "spliceai_stretches.json.gz"


def golden_stretches() -> dict[str, dict[str, Any]]:
    """The stretches by name; the one without a sequence is the known answer that the package itself holds."""
    answer = read_known_answer("spliceai")
    held = {"sequence": answer.sequence, **answer.channels}
    stretches = json.loads(gzip.decompress(GOLDEN.read_bytes()))["stretches"]
    return {stretch["name"]: held | stretch for stretch in stretches}


STRETCHES = golden_stretches()


def write_weights(file: Path, **arrays: np.ndarray) -> None:
    """A file of SpliceAI's layout that holds only the given arrays of the first convolution."""
    with h5py.File(file, "w") as archive:
        for name, values in arrays.items():
            archive[f"model_weights/conv1d_1/conv1d_1/{name}:0"] = values


def test_info(spliceai: BaseModel, spliceai_files: list[Path]) -> None:
    info = spliceai.info
    assert (info.name, info.training_build, info.context) == ("spliceai", "GRCh37", 10_000)
    every = {*map(str, range(1, 23)), "X", "Y"}
    assert every - set(info.training_chromosomes) == {"1", "3", "5", "7", "9"}
    assert info.weights_fingerprint == hashlib.sha256(b"".join(f.read_bytes() for f in spliceai_files)).hexdigest()
    assert "non-commercial" in info.licence


@pytest.mark.parametrize("name", STRETCHES)
def test_scores_are_those_of_the_original_models(spliceai: BaseModel, name: str) -> None:
    stretch = STRETCHES[name]
    scores = spliceai.score(encode(stretch["sequence"]))
    for channel in ("donor", "acceptor", "spread"):
        np.testing.assert_allclose(getattr(scores, channel), stretch[channel], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["plus strand", "minus strand", "unknown bases"])
def test_donor_peaks_on_last_and_acceptor_on_first_exon_base(spliceai: BaseModel, name: str) -> None:
    stretch = STRETCHES[name]
    scores = spliceai.score(encode(stretch["sequence"]))
    ascending = np.arange(stretch["first_position"], stretch["last_position"] + 1)
    positions = ascending if stretch["strand"] == "+" else ascending[::-1]
    assert positions[scores.donor.argmax()] == stretch["donor_position"]
    assert positions[scores.acceptor.argmax()] == stretch["acceptor_position"]
    assert scores.donor.max() > 0.9
    assert scores.acceptor.max() > 0.9


def test_golden_sites_are_annotated_and_read_gt_and_ag() -> None:
    annotation = GOLDEN.parents[2] / "examples" / "chr3_42M" / "annotation.gtf.gz"
    lines = gzip.decompress(annotation.read_bytes()).decode().splitlines()
    fields = [line.split("\t") for line in lines if not line.startswith("#")]
    exons = {(int(field[3]), int(field[4]), field[6]) for field in fields if field[2] == "exon"}
    for stretch in STRETCHES.values():
        edges = sorted([stretch["donor_position"], stretch["acceptor_position"]])
        assert (*edges, stretch["strand"]) in exons
        before = edges[0] - stretch["first_position"]
        after = stretch["last_position"] - edges[1]
        left, right = (before, after) if stretch["strand"] == "+" else (after, before)
        inner = stretch["sequence"][5_000:-5_000]
        assert inner[left - 2 : left] == "AG"
        assert inner[len(inner) - right :][:2] == "GT"


def test_one_member_agrees_with_its_slow_twin(spliceai_files: list[Path]) -> None:
    networks, _ = read_networks(spliceai_files[2:3])
    middle = len(STRETCHES["unknown bases"]["sequence"]) // 2
    codes = encode(STRETCHES["unknown bases"]["sequence"])[middle - 5_100 : middle + 5_100]
    scores = OpenVINOEngine(networks, threads=2, windows=(200,)).score(codes)
    expected = keras_spliceai_probabilities(spliceai_files[2], codes)
    np.testing.assert_allclose(scores.donor, expected[:, DONOR], rtol=0, atol=2e-6)
    np.testing.assert_allclose(scores.acceptor, expected[:, ACCEPTOR], rtol=0, atol=2e-6)
    assert (scores.spread == 0).all()


def test_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    with pytest.raises(ModelError, match=r'pip install "meta-spliceai\[spliceai\]"` \(.*CC BY-NC 4.0.*non-commercial'):
        weight_files()


def test_missing_folder_and_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="found: no such folder"):
        load_spliceai(weights=tmp_path / "nowhere")
    for name in WEIGHT_FILES[:3]:
        (tmp_path / name).touch()
    with pytest.raises(ModelError, match=r"5 weight files in .*\nfound: no spliceai4.h5, spliceai5.h5\n"):
        load_spliceai(weights=tmp_path)


def test_damaged_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "cut.h5"
    write_weights(file, kernel=np.zeros((1, 4, 32)))
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ModelError, match=r"in .*cut.h5\nfound: it is damaged or of another format"):
        read_networks([file])
    with pytest.raises(ModelError, match="found: it cannot be read"):
        read_networks([tmp_path])


@pytest.mark.parametrize(
    ("arrays", "found"),
    [
        ({}, "it has no kernel of layer conv1d_1"),
        ({"kernel": np.zeros((1, 4, 16))}, r"kernel of layer conv1d_1 has shape \(1, 4, 16\) instead of \(1, 4, 32\)"),
        ({"kernel": np.full((1, 4, 32), np.nan)}, "kernel of layer conv1d_1 has values that are not finite"),
    ],
)
def test_weights_of_another_network_are_refused(tmp_path: Path, arrays: dict[str, np.ndarray], found: str) -> None:
    file = tmp_path / "other.h5"
    write_weights(file, **arrays)
    with pytest.raises(ModelError, match=found):
        read_networks([file])
