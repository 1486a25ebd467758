from __future__ import annotations

from pathlib import Path

import pytest

from meta_spliceai.basemodel.engine import Ensemble, make_engine
from meta_spliceai.basemodel.options import EngineOptions
from meta_spliceai.basemodel.pangolin import REPLICATES, read_pangolin
from meta_spliceai.basemodel.protocol import BaseModel
from meta_spliceai.basemodel.registry import load_base_model
from tests.protocols.base_model_protocol import BaseModelProtocol
from tests.toys.toy_base_model import ToyBaseModel


class TestToy(BaseModelProtocol):
    @pytest.fixture(scope="class")
    @classmethod
    def model(cls) -> BaseModel:
        return ToyBaseModel()


class TestSpliceAI(BaseModelProtocol):
    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, spliceai: BaseModel) -> BaseModel:
        return spliceai


@pytest.mark.real_data
class TestOpenSpliceAI(BaseModelProtocol):
    @pytest.fixture(scope="class", params=["openspliceai", "openspliceai_400nt", "openspliceai_80nt"])
    @classmethod
    def model(cls, openspliceai_weights: Path, request: pytest.FixtureRequest) -> BaseModel:
        folder = {"openspliceai": "10000nt"}.get(request.param, request.param.removeprefix("openspliceai_"))
        return load_base_model(request.param, weights=openspliceai_weights / folder, options=EngineOptions(threads=2))


@pytest.mark.real_data
class TestPangolin(BaseModelProtocol):
    """One replicate of each network, which takes a third of the time."""

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, pangolin_weights: Path) -> BaseModel:
        options = EngineOptions(threads=2)
        networks, _ = read_pangolin(pangolin_weights)
        info = load_base_model("pangolin", weights=pangolin_weights, options=options).info
        return Ensemble(make_engine(networks[:: len(REPLICATES)], options), info)
