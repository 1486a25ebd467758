"""A prepared tiny genome, toy base models by name, and one whole base pass."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from meta_spliceai.basemodel import registry
from meta_spliceai.basemodel.protocol import BaseModelInfo
from meta_spliceai.basepass.bases import forget_loaded_models
from meta_spliceai.basepass.run import run
from meta_spliceai.reference.prepare import prepare
from tests.toys.tiny_genome import write_tiny_genome
from tests.toys.toy_base_model import ToyBaseModel, ToySiteModel


class SecondToy(ToyBaseModel):
    """Another typed base model: the toy under another name, with bolder donors."""

    @property
    def info(self) -> BaseModelInfo:
        return dataclasses.replace(super().info, name="second", weights_fingerprint="2" * 64)

    def score(self, codes):
        scores = super().score(codes)
        scores.donor[:] = scores.donor**0.5 * (1 - scores.acceptor)
        return scores


TOYS = {"toy": ToyBaseModel, "toysites": ToySiteModel, "second": SecondToy}


@pytest.fixture(scope="package")
def reference(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("reference")
    tiny = write_tiny_genome(folder / "tiny")
    return prepare(fasta=tiny.fasta, gtf=tiny.gtf, build=tiny.build, out=folder / "reference").path


@pytest.fixture(autouse=True)
def toys(monkeypatch) -> Iterator[None]:
    forget_loaded_models()
    for name, model in TOYS.items():
        monkeypatch.setitem(registry._SHIPPED, name, lambda model=model, **_: model())
    yield
    forget_loaded_models()


@pytest.fixture(scope="package")
def passed(reference, tmp_path_factory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry._SHIPPED, "toy", lambda **_: ToyBaseModel())
        eval_dir = tmp_path_factory.mktemp("passed") / "toy_eval"
        return run(reference=reference, base=["toy"], eval_dir=eval_dir, tn_rate=0.3).eval_dir
