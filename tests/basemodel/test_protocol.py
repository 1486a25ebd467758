from __future__ import annotations

import pytest

from meta_spliceai.basemodel.protocol import BaseModel
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
