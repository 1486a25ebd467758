from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from meta_spliceai.basemodel.check import read_known_answer
from meta_spliceai.basemodel.openspliceai import CONTEXT_OF, load_openspliceai
from meta_spliceai.basemodel.options import EngineOptions
from meta_spliceai.basemodel.registry import load_base_model
from meta_spliceai.errors import ModelError
from meta_spliceai.genome.sequences import encode
from tests.toys.torch_file import archive, named, program, text, torch_file

TAPS = (11, 11, 21, 41)
FIRST, DONOR_POSITION, ACCEPTOR_POSITION = 42_218_145, 42_218_382, 42_218_306
"""Of the sequence in the known answers: its first scored base, and the edges of the exon of TRAK1 in it (1-based)."""


def some_tensors(n_groups: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Random weights under the names that OpenSpliceAI uses."""
    rng = np.random.default_rng(seed)
    tensors = {}

    def convolution(name: str, outputs: int, inputs: int, taps: int) -> None:
        tensors[f"{name}.weight"] = rng.normal(0, 0.05, (outputs, inputs, taps)).astype("<f4")
        tensors[f"{name}.bias"] = rng.normal(0, 0.05, outputs).astype("<f4")

    convolution("initial_conv", 32, 4, 1)
    convolution("initial_skip.conv", 32, 32, 1)
    for group in range(n_groups):
        for unit in range(5 * group, 5 * group + 4):
            for layer in ("1", "2"):
                convolution(f"residual_units.{unit}.conv{layer}", 32, 32, TAPS[group])
                name = f"residual_units.{unit}.batchnorm{layer}"
                for part in ("weight", "bias", "running_mean", "running_var"):
                    tensors[f"{name}.{part}"] = rng.uniform(0.5, 1, 32).astype("<f4")
                tensors[f"{name}.num_batches_tracked"] = np.array(9, dtype="<i8")
        convolution(f"residual_units.{5 * group + 4}.conv", 32, 32, 1)
    convolution("final_conv", 3, 32, 1)
    return tensors


def write_folder(folder: Path, n_groups: int, **changed: np.ndarray) -> Path:
    """Five files, the last one with changed tensors; `__` in their names stands for a dot."""
    folder.mkdir(exist_ok=True)
    for member in range(5):
        tensors = some_tensors(n_groups, seed=member)
        if member == 4:
            tensors |= {name.replace("__", "."): values for name, values in changed.items()}
        (folder / f"model_rs{10 + member}.pt").write_bytes(torch_file(tensors))
    return folder


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "context"), [("openspliceai", 10_000), ("openspliceai_400nt", 400), ("openspliceai_80nt", 80)]
)
def test_known_answer(openspliceai_weights: Path, name: str, context: int) -> None:
    answer = read_known_answer(name)
    assert answer is not None
    weights = openspliceai_weights / f"{context}nt"
    model = load_base_model(name, weights=weights, options=EngineOptions(threads=2))
    assert (model.info.name, model.info.context, model.info.training_build) == (name, context, "GRCh38")
    assert not {"1", "3", "5", "7", "9"} & set(model.info.training_chromosomes)
    assert model.info.weights_fingerprint == answer.weights_fingerprint
    scores = model.score(encode(answer.sequence))
    assert list(scores.channels) == list(answer.channels)
    for channel, values in answer.channels.items():
        np.testing.assert_allclose(scores[channel], values, rtol=0, atol=1e-6)
    # The outputs are not mixed up: donors are the last, acceptors the first bases of exons.
    assert FIRST + int(scores.donor.argmax()) == DONOR_POSITION
    assert FIRST + int(scores.acceptor.argmax()) == ACCEPTOR_POSITION


@pytest.mark.real_data
def test_a_name_with_a_context_refuses_another_one(openspliceai_weights: Path) -> None:
    with pytest.raises(ModelError, match=r"context of 80 bases in .*400nt\nfound: .*rs10.pt: 400, "):
        load_openspliceai(name="openspliceai_80nt", weights=openspliceai_weights / "400nt")
    model = load_openspliceai(weights=openspliceai_weights / "80nt")
    assert (model.info.name, model.info.context) == ("openspliceai", 80)


@pytest.mark.parametrize("n_groups", [1, 2, 3])
def test_the_context_follows_from_the_weights(tmp_path: Path, n_groups: int) -> None:
    name, context = list(CONTEXT_OF.items())[n_groups - 1]
    model = load_openspliceai(name=name, weights=write_folder(tmp_path, n_groups), options=EngineOptions(threads=2))
    assert (model.info.name, model.info.context) == (name, context)


def test_files_of_different_contexts_are_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, 1)
    (tmp_path / "model_rs12.pt").write_bytes(torch_file(some_tensors(2)))
    with pytest.raises(ModelError, match=r"context of 80 bases in .*\nfound: model_rs12.pt: 400\n"):
        load_openspliceai(weights=tmp_path)


@pytest.mark.parametrize(
    ("name", "values", "found"),
    [
        ("final_conv__weight", np.zeros((4, 32, 1), "<f4"), r"final_conv.weight has shape \(4, 32, 1\) instead of"),
        ("initial_conv__bias", np.full(32, np.inf, "<f4"), "initial_conv.bias has values that are not finite"),
        ("residual_units__2__batchnorm2__running_var", -np.ones(32, "<f4"), "batchnorm2 has a negative variance"),
        ("final_conv2__weight", np.zeros(3, "<f4"), "it also has final_conv2.weight"),
        ("residual_units__7__weight", np.zeros(3, "<f4"), "it has 6 residual units and skips instead of"),
    ],
)
def test_weights_of_another_network_are_refused(tmp_path: Path, name: str, values: np.ndarray, found: str) -> None:
    write_folder(tmp_path, 1, **{name: values})
    with pytest.raises(ModelError, match=rf"OpenSpliceAI's weights .*model_rs14.pt\nfound: .*{found}"):
        load_openspliceai(weights=tmp_path)


def test_a_missing_layer_is_named(tmp_path: Path) -> None:
    write_folder(tmp_path, 1)
    tensors = some_tensors(1)
    del tensors["residual_units.3.conv2.bias"]
    (tmp_path / "model_rs10.pt").write_bytes(torch_file(tensors))
    with pytest.raises(ModelError, match=r"rs10.pt\nfound: it has no residual_units.3.conv2.bias\n"):
        load_openspliceai(weights=tmp_path)


def test_code_in_a_weight_file_is_refused_and_not_run(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    write_folder(tmp_path / "weights", 1)
    call = named("os", "system") + b"(" + text(f"touch {victim}") + b"tR"
    (tmp_path / "weights" / "model_rs11.pt").write_bytes(archive(program({"initial_conv.weight": call}), {}))
    with pytest.raises(ModelError, match=r"rs11.pt\nfound: it wants to run os.system, .*nothing of it was run"):
        load_openspliceai(weights=tmp_path / "weights")
    assert not victim.exists()


def test_folders_that_do_not_hold_five_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("META_SPLICEAI_HOME", str(tmp_path))
    with pytest.raises(ModelError, match=r"no such folder: .*openspliceai_400nt\n.*fetch openspliceai_400nt.*GPL-3"):
        load_base_model("openspliceai_400nt")
    with pytest.raises(ModelError, match=r"5 files \*.pt of one context in .*\nfound: 0\n"):
        load_openspliceai(weights=tmp_path)
    file = tmp_path / "model.pt"
    file.write_bytes(torch_file(some_tensors(1))[:-500])
    with pytest.raises(ModelError, match=r"a folder with OpenSpliceAI's weights\nfound: .*model.pt: Not a directory"):
        load_openspliceai(weights=file)
    for member in range(1, 5):
        (tmp_path / f"model{member}.pt").touch()
    with pytest.raises(ModelError, match=r"model.pt\nfound: it is damaged"):
        load_openspliceai(weights=tmp_path)


@pytest.mark.real_data
def test_fetched_weights_are_found(openspliceai_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("META_SPLICEAI_HOME", str(tmp_path))
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "openspliceai_80nt").symlink_to(openspliceai_weights / "80nt")
    assert load_base_model("openspliceai_80nt").info.context == 80
